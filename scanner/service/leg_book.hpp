#pragma once
// LegBook: the legs that a scan may use, in columns by expiry, right and side, each worked out once.
//
// Role:     private to scanner/service and scanner/search; tests see it.
// Counts:   contracts, legs and what expiry and leg filters remove.
// Memory:   about 100 bytes a leg.
// Threads:  one per scan; load() first, then read-only.

#include <array>
#include <optional>
#include <vector>

#include "scanner/market/contract_values.hpp"
#include "scanner/service/result.hpp"
#include "scanner/service/scan_inputs.hpp"
#include "scanner/strategy/distribution_columns.hpp"
#include "scanner/strategy/leg_columns.hpp"

namespace scanmq::service {

struct ExpiryLegs {
    bool near{};   // may be the nearer expiry of a candidate
    bool later{};  // may be the later one
    std::optional<strategy::Distribution> distribution;
    std::array<strategy::LegColumns, 4> columns;  // see of()
    std::array<bool, 4> exercise_pays{};  // does a long leg of it cost less than exercise gives?

    [[nodiscard]] static constexpr std::size_t index(market::Right right,
                                                     strategy::Side side) noexcept {
        return 2 * static_cast<std::size_t>(right) + static_cast<std::size_t>(side);
    }
    [[nodiscard]] const strategy::LegColumns& of(market::Right right,
                                                 strategy::Side side) const noexcept {
        return columns[index(right, side)];
    }
};

// What buying a contract at this price and exercising it at once gains beyond what is known of the spot,
// before fees; 0 or less where nothing, and where it cannot be exercised at once.
[[nodiscard]] double exercise_gain(const market::PricedChain& chain, std::uint32_t row,
                                   double price) noexcept;

class LegBook {
  public:
    // Chain, request, plan and inputs must outlive this.
    LegBook(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
            const ScanInputs& inputs);

    // Fills the columns of one expiry, once each.
    void load(std::uint32_t expiry, Counts& counts);

    [[nodiscard]] const ExpiryLegs& operator[](std::uint32_t expiry) const noexcept {
        return expiries_[expiry];
    }

    // One leg as it is in the columns. Precondition: it passed the filters.
    [[nodiscard]] strategy::LegColumns::Row leg(std::uint32_t expiry, std::uint32_t row,
                                                strategy::Side side) const noexcept;

    // What the strategy's legs at this rank add. Where that is more than one plain leg, it is put
    // together in `scratch`. back: the later expiry; ignored by strategies of one.
    [[nodiscard]] const strategy::LegColumns& rank(const strategy::Strategy& strategy,
                                                   std::size_t rank, std::uint32_t expiry,
                                                   std::uint32_t back,
                                                   strategy::LegColumns& scratch) const;

  private:
    // A contract that passed on some side.
    struct Passed {
        std::uint32_t row{};
        std::array<bool, 2> on{};  // by side
    };
    struct Sides {
        std::array<bool, 2> used{};     // which legs are looked for
        std::array<bool, 2> counted{};  // and where only quotes are counted
    };
    [[nodiscard]] filter::ExpiryFacts facts_of(std::uint32_t expiry) const;
    [[nodiscard]] bool used(std::size_t role, bool near, bool later) const noexcept;
    [[nodiscard]] filter::LegQuote quote_of(std::uint32_t expiry, std::uint32_t row) const;
    [[nodiscard]] bool passes(const filter::LegQuote& quote, strategy::Side side,
                              Counts& counts) const;
    void choose(std::uint32_t expiry, market::Right right, const Sides& sides, Counts& counts);
    void load_columns(std::uint32_t expiry);
    void judge_expiry(std::uint32_t expiry, Counts& counts);

    const market::PricedChain& chain_;
    const ScanRequest& request_;
    const ScanPlan& plan_;
    const ScanInputs& inputs_;
    WallMillis now_;
    std::array<bool, 4> near_roles_{};
    std::array<bool, 4> later_roles_{};
    bool two_expiries_{};
    bool counts_strikes_{};  // does a filter ask how far from the money a strike is?
    std::vector<ExpiryLegs> expiries_;
    // Of the expiry being loaded: what passed, in the order of rows, and what it is worth.
    std::vector<Passed> passed_;
    std::vector<std::uint32_t> rows_;
    std::vector<double> strikes_;
    std::vector<market::ContractValues> values_;
    std::vector<strategy::StrikeMoments> moments_;
};

// The rows of a chain an expiry has of one right.
struct RowRange {
    std::uint32_t begin{};
    std::uint32_t end{};
};
[[nodiscard]] RowRange rows_of(const market::Expiry& expiry, market::Right right) noexcept;

}  // namespace scanmq::service
