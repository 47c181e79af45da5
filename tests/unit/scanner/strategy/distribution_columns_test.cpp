// Each target of the distribution in vectors against the scalar one.

#include "scanner/strategy/distribution_columns.hpp"

#include <cmath>
#include <vector>

#include "common/base/rng.hpp"
#include "scanner/market/chain.hpp"
#include "tests/support/each_target.hpp"

namespace scanmq::strategy {
namespace {

class StrikeMomentsInLanes : public tests::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, StrikeMomentsInLanes,
                         ::testing::ValuesIn(tests::supported_targets()), tests::target_name);

std::vector<double> strikes_about(double forward) {
    std::vector<double> out;
    for (int i = 0; i < 61; ++i) out.push_back(forward * std::exp(0.1 * (i - 30)));
    return out;
}

std::vector<StrikeMoments> moments_of(const Distribution& distribution,
                                      const std::vector<double>& strikes) {
    std::vector<StrikeMoments> out(strikes.size());
    strike_moments(distribution, strikes, out);
    return out;
}

TEST_P(StrikeMomentsInLanes, AreTheDistributions) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        Rng rng(seed);
        const double forward = 5.0 + 5'000.0 * rng.uniform();
        const double w = 1e-4 + 0.3 * rng.uniform();
        const bool flat = seed % 4 == 0;
        const market::Smile smile = flat ? market::Smile::flat(w)
                                         : market::Smile{.a = w,
                                                         .b = 0.5 * rng.uniform(),
                                                         .rho = 1.6 * rng.uniform() - 0.8,
                                                         .m = 0.1 * rng.normal(),
                                                         .s = 0.02 + 0.3 * rng.uniform()};
        const Distribution distribution(forward, smile);
        const auto strikes = strikes_about(forward);
        const auto found = moments_of(distribution, strikes);
        for (std::size_t i = 0; i < strikes.size(); ++i) {
            EXPECT_NEAR(distribution.below(strikes[i]), found[i].below, 1e-13) << seed;
            EXPECT_NEAR(distribution.mean_below(strikes[i]), found[i].mean_below, 1e-13 * forward)
                << seed;
        }
    }
}

TEST_P(StrikeMomentsInLanes, ARowDoesNotDependOnItsNeighbours) {
    const Distribution distribution(4'500.0,
                                    {.a = 0.004, .b = 0.02, .rho = -0.4, .m = 0.01, .s = 0.1});
    const auto strikes = strikes_about(4'500.0);
    const auto together = moments_of(distribution, strikes);
    for (std::size_t i = 0; i < strikes.size(); ++i) {
        const auto alone = moments_of(distribution, {strikes[i]});
        EXPECT_EQ(together[i].below, alone[0].below) << i;
        EXPECT_EQ(together[i].mean_below, alone[0].mean_below) << i;
    }
}

TEST_P(StrikeMomentsInLanes, AreNothingBelowZeroAndNoNumberWithoutAVariance) {
    EXPECT_EQ(moments_of({100.0, market::Smile::flat(0.04)}, {0.0})[0].below, 0.0);
    EXPECT_EQ(moments_of({100.0, market::Smile::flat(0.04)}, {0.0})[0].mean_below, 0.0);
    const auto none = moments_of({100.0, market::Smile::flat(market::kMissing)}, {95.0});
    EXPECT_TRUE(std::isnan(none[0].below));
    EXPECT_TRUE(std::isnan(none[0].mean_below));
}

}  // namespace
}  // namespace scanmq::strategy
