#pragma once
// The boundary and the premium of American puts, side by side in vector lanes.
//
// Role:    internal to scanner/pricing; american.cpp brings contracts into this form.
// Units:   strike 1 and volatility 1: prices per strike, time is sigma^2 T.
// Threads: pure functions. Instructions are chosen at run time (highway's dynamic dispatch).

#include <array>
#include <cstddef>

#include "scanner/pricing/american_scheme.hpp"

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

struct PutValues {
    alignas(64) std::array<double, kPutBlock> price;     // V/K
    alignas(64) std::array<double, kPutBlock> boundary;  // ln(B/K) now
    alignas(64) std::array<double, kPutBlock> delta;     // dV/dS
    alignas(64) std::array<double, kPutBlock> gamma;     // K d2V/dS2
};

// Rows from size up to the next multiple of the lane count are overwritten in both.
// delta and gamma are written only with_greeks.
void price_puts(const AmericanTables& tables, PutBlock& block, PutValues& out, bool with_greeks);

}  // namespace scanmq::pricing::detail
