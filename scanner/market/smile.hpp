#pragma once
// Smile: total implied variance of one expiry as a function of the strike, raw SVI (Gatheral 2004).
//
// Units:   k = ln(K/F); total variance w = sigma^2 T; sigma as a decimal per year.
// Formula: w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2)). With b = 0 it is flat.
// Threads: a value, pure functions; inline, on the path of every candidate.
// See:     docs/SCANNER.md, "The smile" (fit, arbitrage checks).

#include <cmath>
#include <cstdint>
#include <limits>

namespace scanmq::market {

struct Smile {
    double a{};
    double b{};
    double rho{};
    double m{};
    double s{1.0};

    [[nodiscard]] static Smile flat(double total_variance) noexcept {
        return {.a = total_variance, .b = 0.0, .rho = 0.0, .m = 0.0, .s = 1.0};
    }
    [[nodiscard]] double variance(double k) const noexcept {
        const double d = k - m;
        return a + b * (rho * d + std::sqrt(d * d + s * s));
    }
    // dw/dk
    [[nodiscard]] double variance_slope(double k) const noexcept {
        const double d = k - m;
        return b * (rho + d / std::sqrt(d * d + s * s));
    }
    // d2w/dk2
    [[nodiscard]] double variance_bend(double k) const noexcept {
        const double d = k - m;
        const double r = std::sqrt(d * d + s * s);
        return b * s * s / (r * r * r);
    }
    [[nodiscard]] double volatility(double k, double years) const noexcept {
        return std::sqrt(variance(k) / years);
    }
};

// Why an expiry has the smile it has.
enum class SmileStatus : std::uint8_t {
    none,        // no forward or no volatility: there is no smile
    fitted,      // SVI through the quotes, free of butterfly arbitrage
    repaired,    // the same, bent where the best fit had butterfly arbitrage
    few_quotes,  // flat: too few usable quotes for five parameters
    butterfly,   // flat: no arbitrage-free fit came near the quotes
};
[[nodiscard]] const char* to_string(SmileStatus status) noexcept;

struct SmileReport {
    SmileStatus status{SmileStatus::none};
    std::uint32_t quotes_used{};
    // In volatility, weighted as the fit is; NaN without one.
    double rms_error{std::numeric_limits<double>::quiet_NaN()};
    bool arbitrage_free{};  // no butterfly of the smile loses money; true of a flat one
    // Total variance against the expiry before, where both have quotes:
    bool calendar_free{true};   // it falls nowhere
    double calendar_gap{};      // how much it falls at most, >= 0
    bool atm_variance_falls{};  // it falls at the money: the term structure is inverted too far
};

}  // namespace scanmq::market
