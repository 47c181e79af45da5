#pragma once
// ContractTable: what an option root says about its contracts: underlying, settlement, exercise style,
// shares per contract and ticks; and the fee of a contract.
//
// Source:   the shipped table is Cboe's product specifications for index options, and the ticks that
//           docs/SCANNER.md#contracts names. docs/contracts.toml is the same as a file for users to copy;
//           a test holds them equal. A user's own rows (--contracts) replace and extend the shipped ones.
// Threads:  immutable once built; shared between threads.
// Limits:   kRootsMax rows.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

inline constexpr std::size_t kRootsMax = 10'000;
inline constexpr double kTickMin = 1e-6;

struct RootSpec {
    std::string root;
    std::string symbol;  // the underlying's; empty: the root itself
    Settlement settlement{Settlement::pm};
    ExerciseStyle style{ExerciseStyle::american};
    std::uint32_t multiplier{100};  // shares per contract; others with this root are adjusted
    // Prices below the threshold move by tick_below, others by tick_above.
    double tick_threshold{3.0};
    double tick_below{0.01};
    double tick_above{0.05};

    friend bool operator==(const RootSpec&, const RootSpec&) = default;
};

class ContractTable {
  public:
    // The shipped rows, and `rows` in place of those of the same root.
    explicit ContractTable(std::vector<RootSpec> rows = {});
    [[nodiscard]] static const ContractTable& shipped();

    // The root's row, or `otherwise` for roots that have none. Lives as long as the table.
    [[nodiscard]] const RootSpec& find(std::string_view root) const noexcept;
    // By rising root.
    [[nodiscard]] const std::vector<RootSpec>& rows() const noexcept { return rows_; }

    RootSpec otherwise;             // its root and symbol are empty
    double fee_per_contract{0.65};  // money per contract and side

  private:
    std::vector<RootSpec> rows_;
};

// A tick that prices can lie on: at least kTickMin, and a whole number of them is 1.00.
[[nodiscard]] bool valid_tick(double tick) noexcept;
// One sentence about what a row cannot mean; empty when it is right.
[[nodiscard]] std::string spec_problem(const RootSpec& spec);

}  // namespace scanmq::market
