// Every metric of every candidate as vectors have it, on each target, against the scalar path that
// finished spreads come from.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "scanner/market/reader.hpp"
#include "scanner/search/metrics_kernel.hpp"
#include "scanner/service/considered.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/each_target.hpp"
#include "tests/support/priced_chains.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::service {
namespace {

using filter::SpreadMetric;
using search::Metric;
using search::MoreMetric;

constexpr double kNear = 1e-13;

class EveryMetric : public tests::EachTarget {};
INSTANTIATE_TEST_SUITE_P(Targets, EveryMetric, ::testing::ValuesIn(tests::supported_targets()),
                         tests::target_name);

// What was seen, and how far it is from the scalar path.
struct Seen {
    std::uint64_t candidates{};
    std::uint64_t compared{};
    std::uint64_t staked{};
    std::uint64_t inner{};  // Kelly's fractions between none and the largest
};

void near(const char* what, double expected, double actual, double scale, std::uint32_t slot) {
    if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(actual)) << what << " is " << actual << ", slot " << slot;
        return;
    }
    EXPECT_NEAR(expected, actual, kNear * scale) << what << ", slot " << slot;
}

// How flat E ln(1 + f x) is: an error of x by rounding moves the fraction by 1 / that.
double curvature(const Considered& c, const strategy::Payoff& payoff, double f) {
    double sum = 0.0;
    double below = 0.0;
    for (std::size_t r = 0; r <= c.lane.rank_count(); ++r) {
        const bool last = r == c.lane.rank_count();
        const double to = last ? 1.0 : c.levels.below[r];
        // The ends of the payoff alone: what lies between only adds.
        if (last || r == 0) {
            const double x = payoff.at(last ? 1e9 : 0.0) / c.risk;
            const double y = x / (1.0 + f * x);
            sum += (to - below) * y * y;
        }
        below = to;
    }
    return sum;
}

void compare(const market::PricedChain& chain, const Lane& lane, const search::Block& block,
             const search::MoreFigures& more, std::uint32_t slot, Seen& seen) {
    const search::Place found = block.place(slot, lane.rank_count() - 1);
    LanePlace place{};
    std::copy_n(found.begin(), lane.rank_count(), place.begin());
    const Chosen chosen(lane, place);
    const auto& [levels, sum] = chosen;
    Considered c{chain, lane, levels, sum, place};
    const strategy::Payoff payoff(lane.shape, levels.strike.data(), sum.price + lane.fees);
    take_extremes(c, payoff);
    const auto expect = [&](SpreadMetric metric, MoreMetric which, double scale, const char* what) {
        near(what, payoff_metric(metric, c, payoff), more[which][slot], scale, slot);
    };
    const double forward = lane.distribution->forward();
    expect(SpreadMetric::net_gamma, MoreMetric::gamma, 1.0, "gamma");
    expect(SpreadMetric::vega, MoreMetric::vega_point, forward, "vega");
    expect(SpreadMetric::rho, MoreMetric::rho_point, forward, "rho");
    expect(SpreadMetric::iv_edge, MoreMetric::iv_edge, 1.0, "iv edge");
    expect(SpreadMetric::p_touch, MoreMetric::p_touch, 1.0, "p_touch");
    expect(SpreadMetric::p_half_at_expiry, MoreMetric::p_half_at_expiry, 1.0, "p_half");
    expect(SpreadMetric::p_max_loss, MoreMetric::p_max_loss, 1.0, "p_max_loss");
    const double reward = c.gain / c.risk;
    expect(SpreadMetric::risk_reward, MoreMetric::return_on_risk, reward, "return on risk");
    expect(SpreadMetric::return_per_day, MoreMetric::return_per_day, reward, "return per day");
    expect(SpreadMetric::annual_return, MoreMetric::annual_return, 365.0 * reward, "annual return");
    const strategy::Margin margin = c.margin();
    EXPECT_EQ(margin.requirement, more[MoreMetric::margin][slot]) << slot;
    EXPECT_EQ(margin.buying_power, more[MoreMetric::buying_power][slot]) << slot;
    expect(SpreadMetric::breakeven_distance, MoreMetric::breakeven_distance,
           1.0 + forward / lane.spot, "breakeven distance");
    near("pop", payoff_metric(SpreadMetric::pop, c, payoff), block[Metric::pop][slot], 1.0, slot);
    near("ev", payoff_metric(SpreadMetric::ev, c, payoff), block[Metric::ev][slot], forward, slot);
    const double f = strategy::kelly_fraction(payoff, c.risk, levels.strike.data(),
                                              lane.rank_count(), *lane.distribution);
    // Its slope is EV over risk: rounding of the forward's size in EV is what moves it.
    const double flat = curvature(c, payoff, f);
    const double scale = std::max(1.0, forward / c.risk) * std::max(1.0, reward) / flat;
    if (kNear * scale < 1e-4) near("kelly", f, more[MoreMetric::kelly][slot], scale, slot);
    seen.staked += f > 0.0 ? 1 : 0;
    seen.inner += f > 0.0 && f < strategy::kKellyMax ? 1 : 0;
    ++seen.compared;
}

// Compares every `each`-th candidate that passes the gates.
Seen observe(const market::PricedChain& chain, const ScanRequest& request, std::uint64_t each) {
    Seen seen;
    const MetricsObserver observer = [&](const Lane& lane, const search::Block& block,
                                         const search::MoreFigures& more) {
        const std::uint64_t dead =
            block.arbitrage | block.no_risk | block.no_profit | block.coarse | ~block.valid();
        for (std::uint32_t slot = 0; slot < block.size; ++slot) {
            if (seen.candidates++ % each != 0 || (dead >> slot & 1) != 0) continue;
            if (::testing::Test::HasFailure()) return;
            compare(chain, lane, block, more, slot, seen);
        }
    };
    const auto watched = scan(chain, request, ScanControl{.metrics = &observer});
    EXPECT_TRUE(watched.ok());
    const auto plain = scan(chain, request);
    if (watched.ok() && plain.ok()) {
        EXPECT_EQ(plain->counts.candidates, watched->counts.candidates);
        EXPECT_EQ(plain->counts.candidates, seen.candidates);
        EXPECT_EQ(plain->spreads.size(), watched->spreads.size());
        for (std::size_t i = 0; i < plain->spreads.size(); ++i) {
            EXPECT_EQ(plain->spreads[i].score, watched->spreads[i].score);
        }
    }
    return seen;
}

// Chains with flat and with sloped smiles, verticals and others.
struct Made {
    market::PricedChain chain;
    ScanRequest request;
};
Made make(std::uint64_t seed) {
    Rng rng(seed);
    auto chain = scanmq::testing::random_chain(
        rng,
        {.expiries = 3, .strikes = 14, .strike_step = 2.0, .noise = seed % 2 == 0 ? 0.005 : 0.05});
    for (auto& expiry : chain.expiries) {
        const double w = expiry.atm_volatility * expiry.atm_volatility * expiry.years;
        expiry.smile = market::Smile::flat(w);
        if (seed % 3 == 0) continue;
        const double s = 0.5 * std::sqrt(w) + 0.02;
        const double b = 0.2 * std::sqrt(w);
        expiry.smile = {.a = w - 0.8 * b * s, .b = b, .rho = -0.6, .m = 0.01, .s = s};
    }
    ScanRequest request;
    request.strategies = {"bull_put", "bear_call", "bull_call", "bear_put"};
    if (seed % 4 == 0) request.strategies = {"iron_condor", "iron_butterfly", "call_butterfly"};
    request.fill.toward_mid = seed % 2 == 0 ? 1.0 : 0.0;
    return {std::move(chain), std::move(request)};
}

TEST_P(EveryMetric, OfRandomChainsIsTheScalarPaths) {
    Seen all;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const Made made = make(seed);
        const Seen seen = observe(made.chain, made.request, 1);
        all.compared += seen.compared;
        all.staked += seen.staked;
        all.inner += seen.inner;
        if (HasFailure()) return;
    }
    EXPECT_GT(all.compared, 5'000U);
    EXPECT_GT(all.staked, 100U);
    EXPECT_GT(all.inner, 20U);
}

// The bits of all figures of every candidate; of what is no number only that.
std::vector<std::uint64_t> bits_of(const Made& made) {
    std::vector<std::uint64_t> out;
    const auto add = [&out](double x) {
        out.push_back(std::isnan(x) ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(x));
    };
    const MetricsObserver observer = [&](const Lane&, const search::Block& block,
                                         const search::MoreFigures& more) {
        for (std::uint32_t slot = 0; slot < block.size; ++slot) {
            add(block.score[slot]);
            for (const auto& metric : block.metric) add(metric[slot]);
            for (const auto& metric : more.metric) add(metric[slot]);
        }
    };
    EXPECT_TRUE(scan(made.chain, made.request, ScanControl{.metrics = &observer}).ok());
    return out;
}

TEST(EveryMetricTargets, GiveTheSameBits) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        const Made made = make(seed);
        std::vector<std::uint64_t> first;
        for (const std::int64_t target : tests::supported_targets()) {
            tests::use_target(target);
            const auto bits = bits_of(made);
            tests::use_target(0);
            ASSERT_GT(bits.size(), 1'000U);
            if (first.empty()) first = bits;
            EXPECT_TRUE(bits == first) << hwy::TargetName(target) << ", seed " << seed;
        }
    }
}

TEST_P(EveryMetric, OfTheSpxFileIsTheScalarPaths) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
    const auto report = market::read_chain_file(path);
    ASSERT_TRUE(report.ok());
    const auto chain =
        market::price_chain(std::make_shared<const market::Chain>(report->chains.at(0)));
    ScanRequest request;
    request.filters = {{"width", {{"max", 100.0}}}, {"liquidity", {{"min_bid", 0.01}}}};
    const Seen seen = observe(chain, request, 7);
    EXPECT_EQ(383'648U, seen.candidates);
    EXPECT_GT(seen.staked, 100U);
}

}  // namespace
}  // namespace scanmq::service
