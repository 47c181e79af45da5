#include "tests/bench/iv_quotes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

// Boost's numbers are not written for our warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#include <boost/math/special_functions/erf.hpp>
#include <boost/multiprecision/cpp_bin_float.hpp>
#pragma GCC diagnostic pop

namespace scanmq::bench {
namespace {

using market::Right;
using Quad = boost::multiprecision::cpp_bin_float_quad;
using Hundred = boost::multiprecision::cpp_bin_float_100;

constexpr double kLeastNormal = std::numeric_limits<double>::min();
// Below this v the difference of the two terms is made in 332 bits: it loses up to v^2/38 of them.
constexpr double kCancelling = 1e-7;
constexpr std::size_t kWrongShown = 10;

struct Terms {
    double forward;
    double strike;
    double years;
    double volatility;
    double discount;
    Right right;
};

// Black (1976) as it stands in the books.
template <class Real>
Quote make(const Terms& in) {
    const Real forward = in.forward;
    const Real strike = in.strike;
    const Real v = Real(in.volatility) * sqrt(Real(in.years));
    const Real root_two = sqrt(Real(2));
    const auto tail = [&](const Real& z) { return boost::math::erfc(Real(z / root_two)) / 2; };
    const Real low = in.forward < in.strike ? forward : strike;
    const Real high = in.forward < in.strike ? strike : forward;
    const Real a = Real(log(high / low)) / v;
    // At the money the two terms are one error function.
    const Real value = in.forward == in.strike
                           ? Real(forward * boost::math::erf(Real(v / (2 * root_two))))
                           : Real(low * tail(a - v / 2) - high * tail(a + v / 2));
    const Real d = a - v / 2;
    const Real vega = low * exp(Real(-d * d / 2)) / sqrt(8 * atan(Real(1)));
    const Real inside = in.right == Right::call ? Real(forward - strike) : Real(strike - forward);
    const Real price = Real(in.discount) * (inside > 0 ? Real(value + inside) : value);

    Quote out{static_cast<double>(price),
              in.forward,
              in.strike,
              in.years,
              in.discount,
              in.volatility,
              in.right,
              0.0};
    const double half_ulp =
        0.5 * (std::nextafter(out.price, std::numeric_limits<double>::infinity()) - out.price);
    out.blur = static_cast<double>(Real(Real(half_ulp) / (Real(in.discount) * vega * v)));
    return out;
}

Quote quote(const Terms& terms) {
    const double v = terms.volatility * std::sqrt(terms.years);
    const bool cancels = v < kCancelling && terms.forward != terms.strike;
    return cancels ? make<Hundred>(terms) : make<Quad>(terms);
}

// Out of the money, undiscounted, a year.
Quote quote(double forward, double strike, double v) {
    return quote({forward, strike, 1.0, v, 1.0, strike < forward ? Right::put : Right::call});
}

// The least v whose price is a normal double.
Quote least_price(double forward, double strike) {
    double low = 0.02 * std::fabs(std::log(strike / forward));  // far below: 0.0266
    double high = 2.0 * low;
    while (true) {
        const double middle = 0.5 * (low + high);
        if (middle <= low || middle >= high) return quote(forward, strike, high);
        (quote(forward, strike, middle).price >= kLeastNormal ? high : low) = middle;
    }
}

std::vector<Quote> make_wide() {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> moneyness(-3.0, 3.0);
    std::uniform_real_distribution<double> deviation(0.0, 3.0);
    std::vector<Quote> quotes;
    while (quotes.size() < 8192) {
        const double strike = 100.0 * std::exp(moneyness(random));
        const Quote made = quote(100.0, strike, deviation(random));
        if (made.price >= kLeastNormal) quotes.push_back(made);
    }
    return quotes;
}

std::vector<Quote> make_corners() {
    std::mt19937_64 random(2);
    const auto uniform = [&](double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
    const auto log_uniform = [&](double low, double high) {
        return std::exp(uniform(std::log(low), std::log(high)));
    };
    std::vector<Quote> quotes;
    const auto add = [&](const Quote& made) {
        if (made.price >= kLeastNormal && made.volatility <= 3.0) quotes.push_back(made);
    };
    while (quotes.size() < 8192) {
        const double forward = log_uniform(1e-3, 1e12);
        // A log price is about -a^2/2, a = |ln K/F|/v.
        const double a = std::sqrt(uniform(0.0, 1430.0));
        const double x = uniform(-3.0, 3.0);
        add(quote(forward, forward * std::exp(x), std::fabs(x) / a));
        if (quotes.size() % 8 != 0) continue;
        const double beside = forward * (1.0 + std::copysign(log_uniform(1e-16, 1.0), x) * 0.9);
        if (beside != forward) {
            add(quote(forward, beside, std::fabs(std::log(beside / forward)) / a));
        }
        add(least_price(forward, forward * std::exp(x)));
        add(quote(forward, forward, log_uniform(1e-307, 3.0)));
    }
    return quotes;
}

std::vector<Quote> make_chain() {
    std::vector<Quote> quotes;
    const double forward = 4500.0;
    for (const int days : {1, 2, 5, 9, 16, 30, 44, 72, 100, 191, 282, 464, 730}) {
        const double years = days / 365.0;
        const double discount = std::exp(-0.04 * years);
        for (const Right right : {Right::call, Right::put}) {
            const double sign = right == Right::call ? 1.0 : -1.0;
            for (double strike = 2250.0; strike <= 6750.0; strike += 5.0) {
                const double x = std::log(strike / forward);
                const double z = x / std::sqrt(years + 0.05);
                const double volatility = 0.16 - 0.08 * z + 0.06 * z * z;
                const Quote made = quote({forward, strike, years, volatility, discount, right});
                const double intrinsic = made.discount * sign * (forward - strike);
                if (made.price > std::fmax(intrinsic, 0.0) + 0.01) quotes.push_back(made);
            }
        }
    }
    return quotes;
}

}  // namespace

std::string describe(const Quote& q) {
    return fmt::format("{} price {} F {} K {} T {} D {} volatility {}",
                       q.right == Right::call ? "call" : "put", q.price, q.forward, q.strike,
                       q.years, q.discount, q.volatility);
}

const std::vector<Quote>& wide_mix() {
    static const std::vector<Quote> quotes = make_wide();
    return quotes;
}

const std::vector<Quote>& corner_mix() {
    static const std::vector<Quote> quotes = make_corners();
    return quotes;
}

const std::vector<Quote>& chain_mix() {
    static const std::vector<Quote> quotes = make_chain();
    return quotes;
}

IvErrors iv_errors(const std::vector<Quote>& quotes, const std::vector<double>& volatility) {
    constexpr double kTarget = 1e-12;
    IvErrors out;
    for (std::size_t i = 0; i < quotes.size(); ++i) {
        const Quote& q = quotes[i];
        const double error = std::fabs(volatility[i] / q.volatility - 1.0);
        bool is_wrong = false;
        if (std::isnan(error)) {
            out.failed += 1.0;
            is_wrong = true;
        } else if (q.is_out_of_the_money()) {
            out.worst = std::max(out.worst, error);
            out.blur = std::max(out.blur, q.blur);
            is_wrong = error > kTarget;
            out.over += is_wrong ? 1.0 : 0.0;
        } else {
            out.worst_inside = std::max(out.worst_inside, (error - kTarget) / q.blur);
        }
        if (is_wrong && out.wrong.size() < kWrongShown) out.wrong.push_back(i);
    }
    return out;
}

}  // namespace scanmq::bench
