#include "scanner/strategy/probability.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::strategy {

double touch_probability(const TouchInput& in) noexcept {
    const double b = portable::log(in.barrier / in.spot);
    if (b == 0.0) return 1.0;
    const double v = in.volatility * std::sqrt(in.years);
    const double m = in.carry - 0.5 * in.volatility * in.volatility;
    const double e = b > 0.0 ? 1.0 : -1.0;
    const double mt = m * in.years;
    const double direct = pricing::normal_cdf((-e * b + e * mt) / v);
    const double tail = pricing::normal_cdf((-e * b - e * mt) / v);
    // Where the tail is nothing its factor may be infinite.
    const double mirrored =
        tail > 0.0 ? portable::exp(2.0 * m * b / (in.volatility * in.volatility)) * tail : 0.0;
    return direct + mirrored;
}

namespace {

// grid: levels beside the strikes, between which the payoff is taken to be straight.
template <class Pay>
double kelly_on_grid(const Pay& payoff, double risk, const double* strikes, std::size_t count,
                     const Distribution& distribution, int grid) {
    constexpr double kReach = 6.0;
    constexpr int kBisections = 30;
    if (std::isinf(payoff.max_loss()) || !(risk > 0.0)) return market::kMissing;
    const double v = distribution.total_deviation();
    std::vector<double> level;
    level.reserve(static_cast<std::size_t>(grid) + 1 + count);
    for (int i = 0; i <= grid; ++i) {
        level.push_back(distribution.forward() *
                        portable::exp(v * kReach * (2.0 * i / grid - 1.0)));
    }
    level.insert(level.end(), strikes, strikes + count);
    std::sort(level.begin(), level.end());
    struct Mass {
        double probability;
        double result;  // payoff over risk
    };
    std::vector<Mass> masses;
    masses.reserve(level.size() + 1);
    double below = 0.0;
    double mean = 0.0;
    double from = 0.0;
    for (std::size_t i = 0; i <= level.size(); ++i) {
        const bool last = i == level.size();
        const double to_below = last ? 1.0 : distribution.below(level[i]);
        const double to_mean = last ? distribution.forward() : distribution.mean_below(level[i]);
        const double mass = to_below - below;
        // The payoff is linear in between, so its mean is its value at the mean.
        if (mass > 1e-300) {
            const double at = std::clamp((to_mean - mean) / mass, from,
                                         last ? std::numeric_limits<double>::max() : level[i]);
            masses.push_back({mass, payoff.at(at) / risk});
        }
        below = to_below;
        mean = to_mean;
        if (!last) from = level[i];
    }
    // d/df E ln(1 + f x) falls with f.
    const auto slope = [&masses](double f) {
        double sum = 0.0;
        for (const Mass& mass : masses)
            sum += mass.probability * mass.result / (1.0 + f * mass.result);
        return sum;
    };
    if (!(slope(0.0) > 0.0)) return 0.0;
    if (slope(kKellyMax) >= 0.0) return kKellyMax;
    double low = 0.0;
    double high = kKellyMax;
    for (int i = 0; i < kBisections; ++i) {
        const double middle = 0.5 * (low + high);
        (slope(middle) > 0.0 ? low : high) = middle;
    }
    return low;
}

}  // namespace

double kelly_fraction(const Payoff& payoff, double risk, const double* strikes, std::size_t count,
                      const Distribution& distribution) noexcept {
    return kelly_on_grid(payoff, risk, strikes, count, distribution, 64);
}

double kelly_fraction(const TwoExpiryPayoff& payoff, double risk, const double* strikes,
                      std::size_t count, const Distribution& distribution) noexcept {
    // Its later legs bend.
    return kelly_on_grid(payoff, risk, strikes, count, distribution, 256);
}

}  // namespace scanmq::strategy
