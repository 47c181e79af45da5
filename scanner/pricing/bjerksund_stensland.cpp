#include "scanner/pricing/bjerksund_stensland.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/normal.hpp"
#include "scanner/pricing/portable_math.hpp"
#include "scanner/pricing/quadrature.hpp"

namespace scanmq::pricing {
namespace {

// P(X < a, Y < b) of two normals with correlation rho, by Plackett's integral over the angle. For
// the one |rho| that is used, 24 points reach 1e-13.
double bivariate_cdf(double a, double b, double rho) {
    static const detail::Quadrature kPoints = detail::gauss_legendre(24);
    const double half_angle = 0.5 * portable::asin(rho);
    double sum = 0.0;
    for (std::size_t k = 0; k < kPoints.at.size(); ++k) {
        const double sine = portable::sin(half_angle * (1.0 + kPoints.at[k]));
        const double square = a * a + b * b - 2.0 * a * b * sine;
        sum += kPoints.weight[k] * portable::exp(-0.5 * square / (1.0 - sine * sine));
    }
    return normal_cdf(a) * normal_cdf(b) + half_angle * sum / (2.0 * std::numbers::pi);
}

// A call on strike 1; names of the paper.
class Call {
  public:
    Call(double spot, double rate, double carry, double years, double volatility)
        : s_(spot), r_(rate), b_(carry), years_(years), sigma_(volatility) {}

    [[nodiscard]] double price() const {
        const double variance = sigma_ * sigma_;
        const double half = 0.5 - b_ / variance;
        const double beta = half + std::sqrt(half * half + 2.0 * r_ / variance);
        const double perpetual = beta / (beta - 1.0);
        const double first = std::max(1.0, r_ / (r_ - b_));
        const double t = 0.5 * (std::sqrt(5.0) - 1.0) * years_;
        const auto boundary = [&](double left) {
            const double h =
                -(b_ * left + 2.0 * sigma_ * std::sqrt(left)) / ((perpetual - first) * first);
            return first + (perpetual - first) * (1.0 - portable::exp(h));
        };
        const double near = boundary(years_);
        const double far = boundary(t);
        if (s_ >= near) return s_ - 1.0;
        const double a_near = (near - 1.0) * portable::pow(near, -beta);
        const double a_far = (far - 1.0) * portable::pow(far, -beta);
        const auto p = [&](double gamma, double h) { return phi(t, gamma, h, near); };
        const auto q = [&](double gamma, double h) { return psi(gamma, h, near, far, t); };
        return a_near * (portable::pow(s_, beta) - p(beta, near)) + p(1.0, near) - p(1.0, far) -
               p(0.0, near) + p(0.0, far) + a_far * (p(beta, far) - q(beta, far)) + q(1.0, far) -
               q(1.0, 1.0) - q(0.0, far) + q(0.0, 1.0);
    }

  private:
    [[nodiscard]] double growth(double gamma, double t) const {
        return portable::exp((-r_ + gamma * b_ + 0.5 * gamma * (gamma - 1.0) * sigma_ * sigma_) *
                             t) *
               portable::pow(s_, gamma);
    }
    [[nodiscard]] double drift(double gamma) const { return b_ + (gamma - 0.5) * sigma_ * sigma_; }
    // E[e^(-rt) S_t^gamma; S_t <= h, not yet at i].
    [[nodiscard]] double phi(double t, double gamma, double h, double i) const {
        const double v = sigma_ * std::sqrt(t);
        const double d = -(portable::log(s_ / h) + drift(gamma) * t) / v;
        const double kappa = 2.0 * b_ / (sigma_ * sigma_) + 2.0 * gamma - 1.0;
        return growth(gamma, t) *
               (normal_cdf(d) -
                portable::pow(i / s_, kappa) * normal_cdf(d - 2.0 * portable::log(i / s_) / v));
    }
    // The same at T with i up to t and j after it.
    [[nodiscard]] double psi(double gamma, double h, double i, double j, double t) const {
        const double v = sigma_ * std::sqrt(t);
        const double w = sigma_ * std::sqrt(years_);
        const double m = drift(gamma) * t;
        const double n = drift(gamma) * years_;
        const double rho = std::sqrt(t / years_);
        const double kappa = 2.0 * b_ / (sigma_ * sigma_) + 2.0 * gamma - 1.0;
        const double e = portable::log(s_ / j);
        const double e_image = portable::log(i * i / (s_ * j));
        const auto pair = [&](double x, double y, double correlation) {
            return bivariate_cdf(-x / v, -(portable::log(y / h) + n) / w, correlation);
        };
        return growth(gamma, years_) *
               (pair(e + m, s_, rho) -
                portable::pow(i / s_, kappa) * pair(e_image + m, i * i / s_, rho) -
                portable::pow(j / s_, kappa) * pair(e - m, j * j / s_, -rho) +
                portable::pow(j / i, kappa) * pair(e_image - m, s_ * j * j / (i * i), -rho));
    }

    double s_;
    double r_;
    double b_;
    double years_;
    double sigma_;
};

}  // namespace

double bjerksund_stensland_price(const BsmInputs& in, Right right) noexcept {
    using detail::Regime;
    const detail::PutForm put = detail::put_form(in, right);
    const Regime regime = detail::put_regime(put, in.volatility, in.years);
    if (regime == Regime::bad) return std::numeric_limits<double>::quiet_NaN();
    const double intrinsic = std::max(put.strike - put.spot, 0.0);
    if (regime == Regime::exercise) return intrinsic;
    if (regime == Regime::deterministic) return detail::certain_exercise(put, in.years).value;
    const double least = std::max(bsm_price(in, right), intrinsic);
    if (regime != Regime::boundary) return least;
    // As a call on the put's strike, whose rate is the put's yield.
    const double value = put.spot * Call(put.strike / put.spot, put.yield, put.yield - put.rate,
                                         in.years, in.volatility)
                                        .price();
    return value > least && value < put.strike ? value : least;
}

}  // namespace scanmq::pricing
