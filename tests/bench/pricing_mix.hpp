#pragma once
// The quotes and contracts that the pricing benchmarks work on, ours and QuantLib's alike.

#include <cmath>
#include <random>
#include <vector>

#include "scanner/pricing/black.hpp"

namespace scanmq::bench {

struct Quote {
    double price;
    double forward;
    double strike;
    double years;
    double discount;
    double volatility;  // that the price was made with
    pricing::Right right;
};

inline Quote quote(double forward, double strike, double years, double volatility,
                   pricing::Right right) {
    const double discount = std::exp(-0.04 * years);
    const double price = pricing::black_price({.forward = forward,
                                               .strike = strike,
                                               .volatility = volatility,
                                               .years = years,
                                               .discount = discount},
                                              right);
    return {price, forward, strike, years, discount, volatility, right};
}

// |ln(K/F)| <= 3 and 0 < v <= 3, uniform; out of the money, price no subnormal.
inline std::vector<Quote> wide_mix() {
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> moneyness(-3.0, 3.0);
    std::uniform_real_distribution<double> deviation(0.0, 3.0);
    std::vector<Quote> quotes;
    while (quotes.size() < 8192) {
        const double x = moneyness(random);
        const double v = deviation(random);
        const Quote made = quote(100.0, 100.0 * std::exp(x), 1.0, v,
                                 x > 0.0 ? pricing::Right::call : pricing::Right::put);
        if (made.price > 1e-300) quotes.push_back(made);
    }
    return quotes;
}

// An index chain in file order: expiries from a day to two years, strikes by 5 from half to one and
// a half times the forward, both rights, a skewed smile; the quotes that are worth at least a cent.
inline std::vector<Quote> chain_mix() {
    std::vector<Quote> quotes;
    const double forward = 4500.0;
    for (const int days : {1, 2, 5, 9, 16, 30, 44, 72, 100, 191, 282, 464, 730}) {
        const double years = days / 365.0;
        for (const pricing::Right right : {pricing::Right::call, pricing::Right::put}) {
            const double sign = right == pricing::Right::call ? 1.0 : -1.0;
            for (double strike = 2250.0; strike <= 6750.0; strike += 5.0) {
                const double x = std::log(strike / forward);
                const double z = x / std::sqrt(years + 0.05);
                const double volatility = 0.16 - 0.08 * z + 0.06 * z * z;
                const Quote made = quote(forward, strike, years, volatility, right);
                const double intrinsic = made.discount * sign * (forward - strike);
                if (made.price > std::fmax(intrinsic, 0.0) + 0.01) quotes.push_back(made);
            }
        }
    }
    return quotes;
}

// One expiry of an index chain: 900 strikes and both rights, a skewed smile.
struct ExpiryRows {
    pricing::BsmExpiry expiry{.spot = 4500.0, .rate = 0.05, .yield = 0.015, .years = 44.0 / 365.0};
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<pricing::Right> right;

    ExpiryRows() {
        for (const pricing::Right side : {pricing::Right::call, pricing::Right::put}) {
            for (double k = 2250.0; k < 6750.0; k += 5.0) {
                const double x = std::log(k / expiry.spot);
                strike.push_back(k);
                volatility.push_back(0.16 - 0.2 * x + 0.3 * x * x);
                right.push_back(side);
            }
        }
    }
    [[nodiscard]] pricing::BsmInputs single(std::size_t i) const {
        return {expiry.spot, strike[i], expiry.rate, expiry.yield, expiry.years, volatility[i]};
    }
};

}  // namespace scanmq::bench
