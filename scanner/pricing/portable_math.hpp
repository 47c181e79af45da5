#pragma once
// exp, log and the like with the same bits on every machine.
//
// Role:     the C library chooses its own versions by processor (with and without FMA), whose last digits
//           differ. What a scan computes must not depend on the worker it happens to run on, so that the
//           scanner calls these in place of std's. sqrt and the four operations are exact everywhere.
// Accuracy: relative, as tests assert: exp and log 2.3e-16, expm1, log1p, sinh, cosh, tanh
//           and asin 1e-15; sin and cos 2.3e-16 absolute; pow loses 1.5 |y ln x| times 2.2e-16.
// Builds:   no multiply may be fused with an add behind our back (-ffp-contract=off, scanner/CMakeLists.txt).
// Threads:  pure functions.
// See:      vector_math-inl.hpp for the same over vectors; docs/SCANNER.md, "The same on every machine".

#include <bit>
#include <cmath>
#include <cstdint>

namespace scanmq::portable {

// As std's, with their special values. NaN in, NaN out.
[[nodiscard]] double exp(double x) noexcept;
[[nodiscard]] double expm1(double x) noexcept;
[[nodiscard]] double log(double x) noexcept;
[[nodiscard]] double log1p(double x) noexcept;
[[nodiscard]] double sinh(double x) noexcept;
[[nodiscard]] double cosh(double x) noexcept;
[[nodiscard]] double tanh(double x) noexcept;
// x^y for x > 0.
[[nodiscard]] double pow(double x, double y) noexcept;
// For |x| up to 1e5.
[[nodiscard]] double sin(double x) noexcept;
[[nodiscard]] double cos(double x) noexcept;
// For |x| <= 1.
[[nodiscard]] double asin(double x) noexcept;

namespace detail {

inline constexpr std::uint64_t kExponentMask = 0x7ff;

// Far from overflow and from what underflows.
inline bool ordinary(double x) noexcept {
    const auto exponent =
        static_cast<unsigned>((std::bit_cast<std::uint64_t>(x) >> 52) & kExponentMask);
    return exponent - 200U < 1600U;
}

struct Sum {
    double value;
    double error;
};
// Knuth: value + error is exactly a + b.
inline Sum two_sum(double a, double b) noexcept {
    const double sum = a + b;
    const double b_part = sum - a;
    return {sum, (a - (sum - b_part)) + (b - b_part)};
}

}  // namespace detail

// a*b + c with one rounding, for processors that have no instruction for it: the C library's own takes 94
// ns there, this 5. Boldo and Melquiond (2008): the exact product and sum in parts, the parts' sum rounded
// to odd, so that the last rounding is the only one.
inline double fma(double a, double b, double c) noexcept {
    const double product = a * b;
    if (!(detail::ordinary(product) && detail::ordinary(c) && detail::ordinary(a) &&
          detail::ordinary(b))) {
        if (a == 0.0 || b == 0.0 || (c == 0.0 && detail::ordinary(product))) return product + c;
        return std::fma(a, b, c);
    }
    // Dekker: both factors in halves of 26 bits.
    constexpr double kSplitter = 0x1p27 + 1.0;
    const double a_shifted = kSplitter * a;
    const double a_high = a_shifted - (a_shifted - a);
    const double a_low = a - a_high;
    const double b_shifted = kSplitter * b;
    const double b_high = b_shifted - (b_shifted - b);
    const double b_low = b - b_high;
    const double product_low =
        ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    const auto low = detail::two_sum(c, product_low);
    const auto high = detail::two_sum(product, low.value);
    const auto rest = detail::two_sum(low.error, high.error);
    auto bits = std::bit_cast<std::uint64_t>(rest.value);
    if (rest.error != 0.0 && (bits & 1) == 0) {
        bits = (rest.error > 0.0) == (rest.value > 0.0) ? bits + 1 : bits - 1;
    }
    return high.value + std::bit_cast<double>(bits);
}

}  // namespace scanmq::portable
