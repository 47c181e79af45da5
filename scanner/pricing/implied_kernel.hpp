#pragma once
// Implied volatility over a block of rows: what implied_volatility runs on many quotes.
//
// Role:     internal to scanner/pricing: implied_volatility_columns.cpp fills and empties the
//           blocks, the kernel is compiled once for each instruction set and chosen at run time.
// Limits:   a row is taken when |ln K/F| <= 3.02, sigma sqrt(T) in [1e-50, 3.05] and the normalised
//           out-of-the-money price is a normal double; what else is asked, statuses included, is for
//           the scalar function. Of rows that are not taken, the column holds no useful value.
// Threads:  pure functions.
// See:      docs/SCANNER.md, "Pricing kernels".

#include <cstddef>
#include <cstdint>

namespace scanmq::pricing::detail {

inline constexpr std::size_t kImpliedRows = 64;

struct alignas(64) ImpliedBlock {
    double price[kImpliedRows];  // discounted
    double forward[kImpliedRows];
    double strike[kImpliedRows];
    double discount[kImpliedRows];
    double sign[kImpliedRows];       // 1 of a call, -1 of a put
    double deviation[kImpliedRows];  // the result, sigma sqrt(T)
};

// Fills the deviation of rows [0, size), which may read and write up to the next whole vector.
// Returns the rows that were not taken, as bits.
[[nodiscard]] std::uint64_t imply_block(ImpliedBlock& block, std::size_t size) noexcept;

}  // namespace scanmq::pricing::detail
