#pragma once
// ContractTable: what an option root says about its contracts: underlying, settlement, exercise style,
// shares per contract, ticks and margin; and the fee of a contract.
//
// Source:   the shipped table is docs/contracts.toml, compiled in: Cboe's product specifications for index
//           options, and the ticks and margins that docs/SCANNER.md#contracts names. A user's own rows
//           (--contracts) replace and extend the shipped ones.
// Threads:  immutable once built; shared between threads.
// Limits:   kRootsMax rows.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

inline constexpr std::size_t kRootsMax = 10'000;
inline constexpr double kTickMin = 1e-6;
inline constexpr double kLeverageMax = 10.0;

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
    // A naked option's margin: a share of the underlying, at least one of strike (put) or underlying (call),
    // both times the leverage of a leveraged fund.
    double margin_share{0.20};
    double margin_floor{0.10};
    double leverage{1.0};
    // Each expiry is on an underlying of its own, whose forward says nothing of the others'.
    bool own_forward{};

    friend bool operator==(const RootSpec&, const RootSpec&) = default;
};

// Sets one field from a text, as TOML writes it: "am", "0.05", "true". An empty answer is success, else what
// would be right.
[[nodiscard]] std::string set_field(RootSpec& spec, std::string_view name, const std::string& text);
[[nodiscard]] std::span<const std::string_view> field_names() noexcept;

class ContractTable {
  public:
    // The shipped rows, and `rows` in place of those of the same root.
    explicit ContractTable(std::vector<RootSpec> rows = {});
    [[nodiscard]] static const ContractTable& shipped();

    // The root's row, or `otherwise` for roots that have none. Lives as long as the table.
    [[nodiscard]] const RootSpec& find(std::string_view root) const noexcept;
    // By rising root.
    [[nodiscard]] const std::vector<RootSpec>& rows() const noexcept { return rows_; }

    RootSpec otherwise;  // its root and symbol are empty
    // Money per contract and side. The shipped table has one; one with rows of its own says nothing of it
    // until it is set.
    std::optional<double> fee_per_contract;

  private:
    struct Shipped {};
    explicit ContractTable(Shipped);
    void sort();

    std::vector<RootSpec> rows_;
};

// A tick that prices can lie on: at least kTickMin, and a whole number of them is 1.00.
[[nodiscard]] bool valid_tick(double tick) noexcept;
// One sentence about what a row cannot mean; empty when it is right.
[[nodiscard]] std::string spec_problem(const RootSpec& spec);

}  // namespace scanmq::market
