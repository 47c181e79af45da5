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

// The i-th of grid + 1 levels.
double grid_level(const Distribution& distribution, std::size_t i, std::size_t grid) {
    constexpr double kReach = 6.0;
    const double place = 2.0 * static_cast<double>(i) / static_cast<double>(grid) - 1.0;
    return distribution.forward() * portable::exp(distribution.total_deviation() * kReach * place);
}

struct Mass {
    double probability;
    double result;  // payoff over risk
};

// The f in [0, kKellyMax] with the largest E ln(1 + f x): its slope falls with f.
double best_fraction(const std::vector<Mass>& masses) {
    struct Slope {
        double value;
        double square;  // less its own slope
    };
    const auto slope = [&masses](double f) {
        Slope out{};
        for (const Mass& mass : masses) {
            const double y = mass.result / (1.0 + f * mass.result);
            out.value += mass.probability * y;
            out.square += mass.probability * y * y;
        }
        return out;
    };
    const Slope at_zero = slope(0.0);
    if (!(at_zero.value > 0.0)) return 0.0;
    if (slope(kKellyMax).value >= 0.0) return kKellyMax;
    double low = 0.0;
    double high = kKellyMax;
    double f = std::min(at_zero.value / at_zero.square, kKellyMax);
    for (int i = 0; i < kKellySteps; ++i) {
        const Slope here = slope(f);
        (here.value > 0.0 ? low : high) = f;
        double next = f + here.value / here.square;
        if (!(next >= low && next <= high)) next = 0.5 * (low + high);
        const double step = std::fabs(next - f);
        f = next;
        if (!(step > kKellyStep)) break;
    }
    return f;
}

// level: rising; between two, the payoff is taken to be straight.
template <class Pay>
double kelly_between(const Pay& payoff, double risk, const std::vector<double>& level,
                     const Distribution& distribution) {
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
    return best_fraction(masses);
}

}  // namespace

std::array<double, kKellyLevels> kelly_levels(const Distribution& distribution) noexcept {
    std::array<double, kKellyLevels> out{};
    for (std::size_t i = 0; i < kKellyLevels; ++i) {
        out[i] = grid_level(distribution, i, kKellyLevels - 1);
    }
    return out;
}

double kelly_fraction(const Payoff& payoff, double risk, const double* strikes, std::size_t count,
                      const Distribution& distribution) noexcept {
    if (std::isinf(payoff.max_loss()) || !(risk > 0.0)) return market::kMissing;
    // Where the payoff is flat one mass is enough.
    std::vector<double> level(strikes, strikes + count);
    level.reserve(kKellyLevels + count);
    for (const double each : kelly_levels(distribution)) {
        if (payoff.slope_at(each) != 0.0) level.push_back(each);
    }
    std::sort(level.begin(), level.end());
    return kelly_between(payoff, risk, level, distribution);
}

double kelly_fraction(const TwoExpiryPayoff& payoff, double risk, const double* strikes,
                      std::size_t count, const Distribution& distribution) noexcept {
    constexpr std::size_t kCells = 256;  // its later legs bend
    if (std::isinf(payoff.max_loss()) || !(risk > 0.0)) return market::kMissing;
    std::vector<double> level(strikes, strikes + count);
    level.reserve(kCells + 1 + count);
    for (std::size_t i = 0; i <= kCells; ++i) level.push_back(grid_level(distribution, i, kCells));
    std::sort(level.begin(), level.end());
    return kelly_between(payoff, risk, level, distribution);
}

}  // namespace scanmq::strategy
