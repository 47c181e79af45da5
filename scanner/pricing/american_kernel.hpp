#pragma once
// The boundary and the premium of American puts, side by side in vector lanes.
//
// Role:    internal to scanner/pricing; american.cpp and american_curve.cpp bring contracts into this
//          form.
// Units:   strike 1 and volatility 1: prices per strike, time is sigma^2 T.
// Threads: pure functions. Instructions are chosen at run time (highway's dynamic dispatch).

#include <array>
#include <cmath>
#include <cstddef>

#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/american_scheme.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing::detail {

inline constexpr std::size_t kPutBlock = 64;  // a multiple of every lane count

// A block of puts with one exercise boundary: rate >= 0, and rate > 0 or yield < 0.
struct PutBlock {
    alignas(64) std::array<double, kPutBlock> log_spot;   // ln(S/K)
    alignas(64) std::array<double, kPutBlock> rate;       // r/sigma^2
    alignas(64) std::array<double, kPutBlock> yield;      // q/sigma^2
    alignas(64) std::array<double, kPutBlock> deviation;  // sigma sqrt(T)
    std::size_t size{};                                   // rows used
};

inline void add_put(PutBlock& block, const PutForm& put, double volatility, double years) noexcept {
    const std::size_t row = block.size++;
    const double over_variance = 1.0 / (volatility * volatility);
    block.log_spot[row] = portable::log(put.spot / put.strike);
    block.rate[row] = put.rate * over_variance;
    block.yield[row] = put.yield * over_variance;
    block.deviation[row] = volatility * std::sqrt(years);
}

struct PutValues {
    alignas(64) std::array<double, kPutBlock> price;     // V/K
    alignas(64) std::array<double, kPutBlock> boundary;  // ln(B/K) now
    alignas(64) std::array<double, kPutBlock> delta;     // dV/dS
    alignas(64) std::array<double, kPutBlock> gamma;     // K d2V/dS2
};

// The early exercise premium of the same puts as a function of the spot, at steps of ln(S/K) that grow
// from the boundary, at and below which exercise is due, to where less than 1e-7 of the strike is left.
inline constexpr std::size_t kCurveCells = 32;
// ln(S/K) = low + curve_share(k) (high - low).
[[nodiscard]] constexpr double curve_share(std::size_t k) noexcept {
    const double share = static_cast<double>(k) / kCurveCells;
    return share * share;
}
struct PutCurves {
    using Row = std::array<double, kPutBlock>;
    alignas(64) Row low;                                   // ln(B/K) now
    alignas(64) Row high;                                  // ln(S/K) of the last step
    alignas(64) std::array<Row, kCurveCells + 1> premium;  // over K
    alignas(64) std::array<Row, kCurveCells + 1> slope;    // its derivative by ln S
};

// Rows from size up to the next multiple of the lane count are overwritten in both.
// log_spot is not read.
void put_curves(const AmericanTables& tables, PutBlock& block, PutCurves& out);
// delta and gamma are written only with_greeks.
void price_puts(const AmericanTables& tables, PutBlock& block, PutValues& out, bool with_greeks);

}  // namespace scanmq::pricing::detail
