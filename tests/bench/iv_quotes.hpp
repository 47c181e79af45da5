#pragma once
// Quotes of known volatility, for the benchmarks of implied volatility, ours and QuantLib's alike.
//
// Prices owe nothing to scanner/pricing: D (F N(d1) - K N(d2)) in 113 bits (332 where it would lose too many
//           to cancellation), rounded to double once. So what comes back differs by the solver's
//           error and by what that rounding hides, Quote::blur.
// Threads:  the mixes are made at the first call, by one thread.

#include <string>
#include <vector>

#include "scanner/market/chain.hpp"

namespace scanmq::bench {

struct Quote {
    double price;
    double forward;
    double strike;
    double years;
    double discount;
    double volatility;  // that the price was made with
    market::Right right;
    // The relative change of the volatility when the price moves by half of its last digit, at most: ulp / 2
    // over vega and volatility. No solver that sees the price can be held to less.
    double blur;

    [[nodiscard]] bool is_out_of_the_money() const noexcept {
        return (right == market::Right::call) == (strike >= forward);
    }
};
[[nodiscard]] std::string describe(const Quote& quote);

// 8,192 quotes out of the money, F = 100, T = 1: ln K/F uniform in +-3, volatility uniform in (0, 3];
// prices from the least normal double on.
[[nodiscard]] const std::vector<Quote>& wide_mix();

// The corners of the same domain, 8,192 quotes out of the money on forwards from 1e-3 to 1e12: log prices uniform down to
// the least normal double; strikes from a digit beside the forward on; prices just above the least
// normal double; at the money, volatilities from 1e-307 on.
[[nodiscard]] const std::vector<Quote>& corner_mix();

// An index chain in file order: expiries from a day to two years, strikes by 5 from half to one and
// a half times the forward, both rights, a skewed smile; the quotes that are worth at least a cent.
[[nodiscard]] const std::vector<Quote>& chain_mix();

// What came out of a mix, from volatilities in its order (NaN: none).
struct IvErrors {
    double failed{};  // quotes without a volatility
    double over{};    // out of the money, and off by more than 1e-12
    double worst{};   // largest relative error out of the money
    double blur{};    // largest blur out of the money
    // In the money a price has fewer digits: the largest error beyond 1e-12, in multiples of blur.
    double worst_inside{};
    std::vector<std::size_t> wrong;  // the first few of `failed` and `over`
};
[[nodiscard]] IvErrors iv_errors(const std::vector<Quote>& quotes,
                                 const std::vector<double>& volatility);

}  // namespace scanmq::bench
