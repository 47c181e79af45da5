#pragma once
// The contracts that the benchmarks of European values work on, ours and QuantLib's alike.

#include <cmath>
#include <vector>

#include "scanner/pricing/black.hpp"

namespace scanmq::bench {

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
