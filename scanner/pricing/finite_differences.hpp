#pragma once
// American options by finite differences, side by side in vector lanes: any dividends, any rates.
//
// Role:     internal to scanner/pricing: cash_dividends.cpp, american.cpp where the exercise region has
//           two boundaries, and american_curve.cpp for both.
// Formulas: Black-Scholes in ln X, central differences, Crank-Nicolson with implicit first steps
//           after each kink (Rannacher 1984), exercise inside the elimination (Brennan and Schwartz
//           1977). Steps of time are shortest after a kink, nodes closest around the spot, and kinks
//           are averaged over cells. At the ends exercise is at the best certain time. The same
//           option without its dividends goes over the same grid: its exact value (american.hpp),
//           less the grid's, corrects what the grid does to both.
// Threads:  pure functions. Instructions are chosen at run time (highway's dynamic dispatch).

#include <array>
#include <cstddef>
#include <span>

#include "scanner/pricing/american.hpp"
#include "scanner/pricing/cash_dividends.hpp"

namespace scanmq::pricing::detail {

struct DifferenceGrid {
    int half_nodes;     // on each side of the spot
    int steps;          // over the whole time, more where dividends cut it
    double deviations;  // half width in sigma sqrt(T)
    double stretch;     // 0: even steps; else closer around the spot by stretch/sinh(stretch)
};

inline constexpr std::size_t kDifferenceBlock = 16;  // a multiple of every lane count

// Options of one expiry and one dividend schedule.
struct DifferenceBlock {
    alignas(64) std::array<double, kDifferenceBlock> spot;  // X
    alignas(64) std::array<double, kDifferenceBlock> strike;
    alignas(64) std::array<double, kDifferenceBlock> rate;
    alignas(64) std::array<double, kDifferenceBlock> yield;
    alignas(64) std::array<double, kDifferenceBlock> volatility;
    alignas(64) std::array<double, kDifferenceBlock> sign;  // 1 put, -1 call
    std::size_t size{};
    double years{};
    std::span<const CashDividend> dividends;  // those in (0, years], latest first
    bool european_control{};                  // the control is never exercised early
};

// Values around the spot, at ln X - step, ln X and ln X + step.
struct DifferenceValues {
    alignas(64) std::array<std::array<double, kDifferenceBlock>, 3> american;
    alignas(64) std::array<std::array<double, kDifferenceBlock>, 3> control;
    alignas(64) std::array<double, kDifferenceBlock> step;
};

// Rows from size up to the next multiple of the lane count are overwritten in both.
void difference_values(const DifferenceGrid& grid, DifferenceBlock& block, DifferenceValues& out);

// American less control at every node of the grid, by rising ln X: out[node * kDifferenceBlock + row],
// 2 half_nodes + 1 nodes around the block's spot. step: between nodes, by row.
void difference_premiums(const DifferenceGrid& grid, DifferenceBlock& block, std::span<double> out,
                         std::span<double> step);

// One with half the nodes of the other, from which the limit is extrapolated.
struct DifferenceGrids {
    DifferenceGrid coarse;
    DifferenceGrid fine;
};
[[nodiscard]] DifferenceGrids difference_grids(AmericanScheme scheme) noexcept;

// One option; in.spot is the stock, dividends are as in cash_dividends.hpp. Usable inputs only.
[[nodiscard]] Greeks difference_greeks(const BsmInputs& in, std::span<const CashDividend> dividends,
                                       Right right, AmericanScheme scheme) noexcept;

}  // namespace scanmq::pricing::detail
