#include "scanner/market/smile_arbitrage.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

namespace {

template <std::size_t Points>
struct Grid {
    std::array<double, Points> sinh;
    std::array<double, Points> cosh;
    std::array<double, Points> tanh;
    std::array<double, Points> over_cosh_cubed;

    Grid() noexcept {
        constexpr double kReach = 8.0;
        constexpr double kStep = 2.0 * kReach / (Points - 1);
        for (std::size_t i = 0; i < Points; ++i) {
            const double u = kStep * static_cast<double>(i) - kReach;
            sinh[i] = portable::sinh(u);
            cosh[i] = portable::cosh(u);
            tanh[i] = portable::tanh(u);
            over_cosh_cubed[i] = 1.0 / (cosh[i] * cosh[i] * cosh[i]);
        }
    }
};

template <std::size_t Points>
double least_on(const Grid<Points>& grid, const Smile& smile) noexcept {
    const double bs = smile.b * smile.s;
    const double top_bend = 0.5 * smile.b / smile.s;
    std::array<double, Points> g;
    for (std::size_t i = 0; i < Points; ++i) {
        const double k = smile.m + smile.s * grid.sinh[i];
        const double over = 1.0 / (smile.a + bs * (smile.rho * grid.sinh[i] + grid.cosh[i]));
        const double half_slope = 0.5 * smile.b * (smile.rho + grid.tanh[i]);
        const double tilt = 1.0 - k * half_slope * over;
        g[i] = tilt * tilt - half_slope * half_slope * (over + 0.25) +
               top_bend * grid.over_cosh_cubed[i];
    }
    double least = g[0];
    for (const double value : g) least = value < least ? value : least;
    return least;
}

}  // namespace

double butterfly_density(const Smile& smile, double k) noexcept {
    const double w = smile.variance(k);
    if (!(w > 0)) return std::numeric_limits<double>::quiet_NaN();
    const double slope = smile.variance_slope(k);
    const double tilt = 1.0 - 0.5 * k * slope / w;
    return tilt * tilt - 0.25 * slope * slope * (1.0 / w + 0.25) + 0.5 * smile.variance_bend(k);
}

double least_butterfly_density(const Smile& smile, DensityGrid grid) noexcept {
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    if (!(smile.b >= 0) || !(smile.s > 0) || !(std::fabs(smile.rho) <= 1)) return kNone;
    if (smile.b * (1.0 + std::fabs(smile.rho)) > kWingSlopeMax) return kNone;
    const double vertex = smile.a + smile.b * smile.s * std::sqrt(1.0 - smile.rho * smile.rho);
    if (!(vertex > 0)) return kNone;
    static const Grid<65> coarse;
    static const Grid<257> fine;
    return grid == DensityGrid::coarse ? least_on(coarse, smile) : least_on(fine, smile);
}

double calendar_fall(const Smile& before, const Smile& after, double k_low,
                     double k_high) noexcept {
    constexpr int kSteps = 32;
    double fall = 0;
    for (int i = 0; i <= kSteps; ++i) {
        const double k = k_low + (k_high - k_low) * i / kSteps;
        fall = std::max(fall, before.variance(k) - after.variance(k));
    }
    return fall;
}

}  // namespace scanmq::market
