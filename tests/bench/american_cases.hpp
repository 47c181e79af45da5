#pragma once
// The contracts that american/ benchmarks price, ours and QuantLib's alike.

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "scanner/pricing/american.hpp"

namespace scanmq::bench {

// All inputs different: T in whole days up to two years, volatility 10 to 70 %, rates and yields up to
// 10 %, a quarter of them without a yield.
inline std::vector<pricing::AmericanContract> american_cases(std::size_t count) {
    std::mt19937_64 random(11);
    const auto uniform = [&](double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random);
    };
    std::vector<pricing::AmericanContract> out;
    while (out.size() < count) {
        const pricing::BsmInputs in{
            .spot = 100.0,
            .strike = 100.0 * std::exp(uniform(-0.4, 0.4)),
            .rate = uniform(0.001, 0.10),
            .yield = uniform(0.0, 1.0) < 0.25 ? 0.0 : uniform(0.001, 0.10),
            .years = std::uniform_int_distribution<int>(7, 730)(random) / 365.0,
            .volatility = uniform(0.10, 0.70)};
        // A call without a yield would be a European one.
        const bool is_put = in.yield == 0.0 || uniform(0.0, 1.0) < 0.5;
        out.push_back({in, is_put ? pricing::Right::put : pricing::Right::call});
    }
    return out;
}

// NaN when a value is.
inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    double worst = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = std::fabs(a[i] - b[i]);
        if (!(difference <= worst)) worst = difference;
        if (std::isnan(worst)) break;
    }
    return worst;
}

}  // namespace scanmq::bench
