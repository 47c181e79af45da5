#pragma once
// LegColumns: what the legs of one rank add to a spread, a column for each figure: worked out once for
//             an expiry, right and side; a candidate is a sum over its ranks.
//
// Shape:    columns of equal length by rising strike, one row for each strike at which every leg of
//           the rank can be traded. Long +, short -, times the ratio.
// Units:    per share; vega per 1.00 of volatility. NaN where a figure does not exist.
// Threads:  a value.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace scanmq::strategy {

struct LegColumns {
    std::vector<double> strike;
    std::vector<double> price;  // paid
    std::vector<double> delta;
    std::vector<double> day_theta;
    std::vector<double> vega;
    std::vector<double> abs_vega;           // sum of |vega|
    std::vector<double> model;              // value at the expiry's reference smile
    std::vector<double> quoted_spread;      // sum of ask - bid
    std::vector<double> liquidity;          // smallest leg_liquidity()
    std::vector<double> below;              // P(S_T < strike) of the expiry's distribution
    std::vector<double> mean_below;         // E[S_T; S_T < strike] of that
    std::vector<double> expected;           // E[payoff at expiry] of that, not discounted
    std::vector<std::uint32_t> row;         // of the first leg, into the chain
    std::vector<std::uint32_t> second_row;  // of the second leg; empty where there is one

    [[nodiscard]] std::size_t size() const noexcept { return strike.size(); }
    void clear() noexcept;
    void reserve(std::size_t rows);

    struct Row {
        double strike{};
        double price{};
        double delta{};
        double day_theta{};
        double vega{};
        double abs_vega{};
        double model{};
        double quoted_spread{};
        double liquidity{};
        double below{};
        double mean_below{};
        double expected{};
        std::uint32_t row{};
    };
    void append(const Row& row);
    // That many rows of nothing yet, to be set; second_row stays empty.
    void resize(std::size_t rows);
    void set(std::size_t i, const Row& row) noexcept;
    [[nodiscard]] Row at(std::size_t i) const noexcept;
};

// The legs of one rank together: `first` times its ratio and, where `second` is not null, the strikes
// that both have, with `second` times its own. `out` is overwritten.
void combine(const LegColumns& first, double first_ratio, const LegColumns* second,
             double second_ratio, LegColumns& out);

}  // namespace scanmq::strategy
