#include "scanner/pricing/normal.hpp"

#include <cmath>
#include <limits>

#include "scanner/pricing/mills.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing {
namespace {

// exp(-x^2/2) without the relative error x^2 * epsilon that rounding the square would bring: x = c
// + r with c of 24 bits, so that c^2 is exact, and x^2 = c^2 + r (x + c). |x| <= 64.
double gaussian(double x) noexcept {
    const double coarse = static_cast<double>(static_cast<float>(x));
    const double rest = 0.5 * (x - coarse) * (x + coarse);
    // |rest| < 64^2 * 2^-24 = 2.5e-4: four terms are exact to the last place.
    const double correction = 1.0 - rest * (1.0 - rest * (0.5 - rest * (1.0 / 6.0 - rest / 24.0)));
    return portable::exp(-0.5 * coarse * coarse) * correction;
}

struct Rational {
    double numerator[8];
    double denominator[8];
    [[nodiscard]] double operator()(double x) const noexcept {
        double p = numerator[7];
        double q = denominator[7];
        for (int i = 6; i >= 0; --i) {
            p = p * x + numerator[i];
            q = q * x + denominator[i];
        }
        return p / q;
    }
};

// Wichura (1988), algorithm AS 241, PPND16: |p - 1/2| <= 0.425, then two ranges of sqrt(-ln p).
constexpr Rational kCentre{
    {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3},
    {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3}};
constexpr Rational kTail{
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9}};
constexpr Rational kFarTail{
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15}};

}  // namespace

double normal_pdf(double x) noexcept {
    if (std::fabs(x) > detail::kMillsMax) return 0.0;
    return detail::kInvSqrtTwoPi * gaussian(x);
}

double normal_cdf(double x) noexcept {
    if (std::isnan(x)) return x;
    const double z = std::fabs(x);
    const double tail = normal_pdf(z) * detail::mills_ratio(z);
    return x < 0.0 ? tail : 1.0 - tail;
}

double normal_inverse_cdf(double p) noexcept {
    if (!(p > 0.0 && p < 1.0)) {
        if (p == 0.0) return -std::numeric_limits<double>::infinity();
        if (p == 1.0) return std::numeric_limits<double>::infinity();
        return std::numeric_limits<double>::quiet_NaN();
    }
    const double q = p - 0.5;
    if (std::fabs(q) <= 0.425) return q * kCentre(0.180625 - q * q);
    const double r = std::sqrt(-portable::log(q < 0.0 ? p : 1.0 - p));
    const double z = r <= 5.0 ? kTail(r - 1.6) : kFarTail(r - 5.0);
    return q < 0.0 ? -z : z;
}

}  // namespace scanmq::pricing
