#pragma once
// Why contracts are left out of a chain or kept with a mark, counted by reason; and the checks that find
// what is wrong with the quotes themselves.
//
// Left out: counted in ReadReport::skipped. Marked: in the chain as the source gave it, counted in
//           ReadReport::flagged; whoever prices decides (price_chain gives crossed quotes no volatility).
// Threads:  pure functions.
// See:      docs/SCANNER.md#what-is-left-out

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "scanner/market/chain.hpp"
#include "scanner/market/contracts.hpp"

namespace scanmq::market {

enum class Reason : std::uint8_t {
    adjusted,        // digit at the root's end, deliverable other than 100, or marked non-standard
    other_symbol,    // of another underlying than the rest of a one-symbol file
    other_style,     // exercise style differs from the chain's first contract
    duplicate,       // same expiry, right and strike as one before it
    split_adjusted,  // prices of before a split beside strikes of after it, or the other way round
    negative,        // a bid, ask or last below zero: read as missing
    crossed,         // bid above ask
    locked,          // bid equal to ask
    one_sided,       // a bid and no ask, or an ask and no bid
    no_quote,        // neither
    out_of_line,  // an ask below the bids of contracts that are worth less, or a bid above their asks
    stale,        // quoted longer before the chain's moment than the bound
};
inline constexpr std::size_t kReasons = 12;
[[nodiscard]] const char* to_string(Reason reason) noexcept;

class ReasonCounts {
  public:
    [[nodiscard]] std::uint64_t& operator[](Reason reason) noexcept {
        return counts_[static_cast<std::size_t>(reason)];
    }
    [[nodiscard]] std::uint64_t operator[](Reason reason) const noexcept {
        return counts_[static_cast<std::size_t>(reason)];
    }
    [[nodiscard]] std::uint64_t total() const noexcept;
    void add(const ReasonCounts& more) noexcept;
    // "3 adjusted, 9 duplicate": the reasons that have a count, in the order above; empty without one.
    [[nodiscard]] std::string sentence() const;

  private:
    std::array<std::uint64_t, kReasons> counts_{};
};

// A set of reasons.
class ReasonSet {
  public:
    constexpr ReasonSet() = default;
    template <class... Reasons>
    constexpr explicit ReasonSet(Reasons... reasons) : bits_((bit(reasons) | ...)) {}
    [[nodiscard]] constexpr bool has(Reason reason) const noexcept {
        return (bits_ & bit(reason)) != 0;
    }
    constexpr void insert(Reason reason) noexcept { bits_ |= bit(reason); }
    constexpr void erase(Reason reason) noexcept { bits_ &= ~bit(reason); }

  private:
    static constexpr std::uint32_t bit(Reason reason) noexcept {
        return 1U << static_cast<unsigned>(reason);
    }
    std::uint32_t bits_ = 0;
};

struct QualityRules {
    // What leaves the chain. Of the reasons that a reader needs to hold (one symbol and style, no
    // duplicates) none can be taken out; crossed, locked, one_sided, no_quote and stale can be put in.
    ReasonSet drop{Reason::adjusted, Reason::split_adjusted, Reason::out_of_line};
    std::chrono::milliseconds quote_age_max{std::chrono::minutes{15}};
};

// Checks every quote of the chain, counts what it finds, and takes out what the rules say. What it takes
// out is counted in `skipped` under the first reason that applies, what it leaves in `flagged` under each.
// The table says which roots have a forward of its own for each expiry.
// True: the chain's spot was a split away from what its options say, and is missing now.
[[nodiscard]] bool check_quotes(Chain& chain, const QualityRules& rules, ReasonCounts& skipped,
                                ReasonCounts& flagged,
                                const ContractTable& contracts = ContractTable::shipped());

}  // namespace scanmq::market
