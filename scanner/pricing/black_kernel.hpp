#pragma once
// The BSM formulas of black.cpp over a block of rows: what bsm_greeks runs on many contracts.
//
// Role:     internal to scanner/pricing: black.cpp fills and empties the blocks, the kernel is
//           compiled once for each instruction set and chosen at run time.
// Limits:   a row is taken when its strike and the forward are in [1e-100, 1e100] and sigma sqrt(T)
//           in [1e-100, 1e3] or NaN; the others' columns hold no useful value.
// Threads:  pure functions.
// See:      docs/SCANNER.md, "Pricing kernels".

#include <cstddef>
#include <cstdint>

namespace scanmq::pricing::detail {

// What the rows of one expiry share.
struct BlackTerms {
    double spot{};
    double rate{};
    double carry{};
    double years{};
    double root_years{};
    double over_root_years{};
    double discount{};
    double yield_discount{};
    double forward{};
};

inline constexpr std::size_t kBlackRows = 64;

struct alignas(64) BlackBlock {
    double strike[kBlackRows];
    double volatility[kBlackRows];
    double sign[kBlackRows];  // 1 of a call, -1 of a put
    double price[kBlackRows];
    double delta[kBlackRows];
    double gamma[kBlackRows];
    double vega[kBlackRows];
    double theta[kBlackRows];
    double rho[kBlackRows];
};

// Fills the six results of rows [0, size), which may write up to the next whole vector; of every
// row before that, inputs are read. Returns the rows that were not taken, as bits.
[[nodiscard]] std::uint64_t price_block(const BlackTerms& terms, BlackBlock& block,
                                        std::size_t size) noexcept;

}  // namespace scanmq::pricing::detail
