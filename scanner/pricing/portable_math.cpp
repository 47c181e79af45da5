#include "scanner/pricing/portable_math.hpp"

#include <algorithm>
#include <limits>
#include <numbers>

namespace scanmq::portable {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// ln 2 in two parts, the first of 31 bits, so that its product with an exponent is exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 1.9082149292705877e-10;
// Added to an integer below 2^51 in size, this leaves the integer in the low bits of the sum.
constexpr double kShifter = 0x1.8p52;

// 2^k for whole k in [-1022, 1023].
double power_of_two(int k) noexcept {
    return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

// x = k ln 2 + r with |r| <= ln(2)/2, and e^r - 1 = r + rest.
struct ExpParts {
    int k;
    double r;
    double rest;
};
ExpParts exp_parts(double x) noexcept {
    const double k = (x * std::numbers::log2e + kShifter) - kShifter;
    const double r = (x - k * kLn2High) - k * kLn2Low;
    // (e^r - 1 - r) / r^2, error 1.4e-17 at |r| = ln(2)/2: by pairs, so that they do not wait for each other.
    const double q = r * r;
    const double q2 = q * q;
    const double a = (0.5000000000000001 + 0.16666666666666669 * r) +
                     (0.04166666666662413 + 0.008333333333330062 * r) * q;
    const double b = (0.0013888888917213717 + 0.00019841269863053618 * r) +
                     (2.4801521295954376e-05 + 2.7557268459997064e-06 * r) * q;
    const double c = 2.7620088445409746e-07 + 2.510038549551032e-08 * r;
    return {static_cast<int>(k), r, q * (a + q2 * (b + q2 * c))};
}

// sin and cos of |r| <= pi/4 by Taylor's series.
double sin_near(double r) noexcept {
    const double q = r * r;
    double sum = 1.0 / 355'687'428'096'000.0;  // 17!
    for (const double factorial :
         {1'307'674'368'000.0, 6'227'020'800.0, 39'916'800.0, 362'880.0, 5'040.0, 120.0, 6.0}) {
        sum = 1.0 / factorial - q * sum;
    }
    return r - r * q * sum;
}
double cos_near(double r) noexcept {
    const double q = r * r;
    double sum = 1.0 / 20'922'789'888'000.0;  // 16!
    for (const double factorial :
         {87'178'291'200.0, 479'001'600.0, 3'628'800.0, 40'320.0, 720.0, 24.0}) {
        sum = 1.0 / factorial - q * sum;
    }
    const double half = 0.5 * q;
    const double rest = q * q * sum;
    const double most = 1.0 - half;
    return most + (((1.0 - most) - half) + rest);
}

// sin(x + quarters * pi/2).
double sin_of(double x, int quarters) noexcept {
    if (!(std::fabs(x) <= 1e5)) return kNaN;
    // pi/2 in three parts, the first two of 33 bits.
    constexpr double kHigh = 0x1.921fb54400000p+0;
    constexpr double kMiddle = 0x1.0b4611a600000p-34;
    constexpr double kLow = 2.0222662487959506e-21;
    const double k = (x * (2.0 * std::numbers::inv_pi) + kShifter) - kShifter;
    const double r = ((x - k * kHigh) - k * kMiddle) - k * kLow;
    switch ((static_cast<int>(k) + quarters) & 3) {
        case 0:
            return sin_near(r);
        case 1:
            return cos_near(r);
        case 2:
            return -sin_near(r);
        default:
            return -cos_near(r);
    }
}

}  // namespace

double exp(double x) noexcept {
    if (!(std::fabs(x) < 708.0)) {
        if (std::isnan(x)) return x;
        if (x > 709.782712893384) return kInfinity;
        if (x < -745.2) return 0.0;
        // 2^k itself may be out of range: in two factors.
        const ExpParts parts = exp_parts(x);
        const int half = parts.k / 2;
        return (1.0 + (parts.r + parts.rest)) * power_of_two(half) * power_of_two(parts.k - half);
    }
    const ExpParts parts = exp_parts(x);
    return (1.0 + (parts.r + parts.rest)) * power_of_two(parts.k);
}

double expm1(double x) noexcept {
    if (!(std::fabs(x) < 40.0)) return exp(x) - 1.0;  // NaN, too
    const ExpParts parts = exp_parts(x);
    const double part = parts.r + parts.rest;
    if (parts.k == 0) return x == 0.0 ? x : part;
    const double scale = power_of_two(parts.k);
    return (scale - 1.0) + scale * part;
}

double log(double x) noexcept {
    if (!(x >= 0x1p-1022 && x < kInfinity)) {
        if (x == 0.0) return -kInfinity;
        if (!(x > 0.0) || x == kInfinity) return x > 0.0 ? x : kNaN;
        return log(x * 0x1p54) - 54.0 * std::numbers::ln2;
    }
    // x = 2^k m with m in [sqrt(1/2), sqrt(2)), f = m - 1 exact, s = f / (2 + f), ln(m) = 2 atanh(s).
    constexpr std::uint64_t kRootHalf = 0x3FE6A09E667F3BCDu;
    constexpr std::uint64_t kOne = 0x3FF0000000000000u;
    const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + (kOne - kRootHalf);
    const double k = static_cast<double>(static_cast<int>(shifted >> 52) - 1023);
    const double m = std::bit_cast<double>((shifted & ((std::uint64_t{1} << 52) - 1)) + kRootHalf);
    const double f = m - 1.0;
    const double s = f / (2.0 + f);
    const double q = s * s;
    const double q2 = q * q;
    const double half_square = 0.5 * f * f;
    // (2 atanh(s) - 2 s) / s^3, error 1e-18 of 2 atanh(s) / s.
    const double rest = ((0.6666666666666666 + 0.40000000000000885 * q) +
                         (0.28571428570799784 + 0.22222222392581045 * q) * q2) +
                        ((0.18181795547521137 + 0.15386244737621665 * q) +
                         (0.13268638369266825 + 0.13088034850927555 * q) * q2) *
                            (q2 * q2);
    const double low = s * (half_square + q * rest) + k * kLn2Low;
    return k * kLn2High + (f - (half_square - low));
}

double log1p(double x) noexcept {
    const auto sum = detail::two_sum(1.0, x);
    if (!(sum.value > 0.0 && sum.value < kInfinity)) return log(sum.value);
    return log(sum.value) + sum.error / sum.value;
}

double sinh(double x) noexcept {
    const double size = std::fabs(x);
    if (size > 40.0) return std::copysign(0.5 * exp(0.5 * size) * exp(0.5 * size), x);
    const double e = expm1(size);
    return std::copysign(0.5 * (e + e / (e + 1.0)), x);
}

double cosh(double x) noexcept {
    const double size = std::fabs(x);
    if (size > 40.0) return 0.5 * exp(0.5 * size) * exp(0.5 * size);
    const double e = exp(size);
    return 0.5 * (e + 1.0 / e);
}

double tanh(double x) noexcept {
    if (std::isnan(x)) return x;
    const double e = expm1(2.0 * std::min(std::fabs(x), 19.9));
    return std::copysign(e / (e + 2.0), x);
}

double pow(double x, double y) noexcept { return exp(y * log(x)); }

double sin(double x) noexcept { return sin_of(x, 0); }
double cos(double x) noexcept { return sin_of(x, 1); }

double asin(double x) noexcept {
    if (!(std::fabs(x) <= 1.0)) return kNaN;
    // Three times the half angle: sin(a/2) = sin(a) / sqrt(2 (1 + cos(a))).
    double sine = std::fabs(x);
    double cosine = std::sqrt((1.0 - sine) * (1.0 + sine));
    for (int i = 0; i < 3; ++i) {
        const double next = std::sqrt(0.5 * (1.0 + cosine));
        sine = 0.5 * sine / next;
        cosine = next;
    }
    // The series up to sin(pi/16), from its last term: c_n / c_(n-1) = (2n-1)^2 / (2n (2n+1)).
    const double q = sine * sine;
    double sum = 1.0;
    for (double n = 12.0; n >= 1.0; n -= 1.0) {
        const double odd = 2.0 * n - 1.0;
        sum = 1.0 + sum * q * (odd * odd / (2.0 * n * (2.0 * n + 1.0)));
    }
    return std::copysign(8.0 * sine * sum, x);
}

}  // namespace scanmq::portable
