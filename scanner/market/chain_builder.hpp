#pragma once
// ChainBuilder: collects contracts in any order, hands out a Chain in the order of chain.hpp.
//
// Use:     expiry() for the index of a (root, date, settlement), add() per contract, finish() once.
// Limits:  kContractsMax and kExpiriesMax; the caller checks full() and fails with too_large.
// Threads: one.

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

inline constexpr std::size_t kContractsMax = 1'000'000;
inline constexpr std::size_t kExpiriesMax = 4'096;
inline constexpr std::size_t kSymbolBytesMax = 16;  // symbol, root and source

// True for 1 to kSymbolBytesMax printable ASCII characters without blanks.
[[nodiscard]] bool valid_symbol(std::string_view symbol) noexcept;

class ChainBuilder {
  public:
    struct Row {
        double strike{};
        double bid{kMissing};
        double ask{kMissing};
        double last{kMissing};
        double vendor_iv{kMissing};
        double vendor_delta{kMissing};
        std::uint32_t volume{kNoCount};
        std::uint32_t open_interest{kNoCount};
        std::uint16_t expiry{};
        Right right{};
    };

    // What a row has beside the rest.
    struct Extras {
        double gamma{kMissing};
        double theta{kMissing};
        double vega{kMissing};
        double rho{kMissing};
        WallMillis quoted{};
    };
    // Which of the extras the source has; the others' columns stay empty. Before the first row.
    struct Kept {
        bool gamma{};
        bool theta{};
        bool vega{};
        bool rho{};
        bool quoted{};
    };

    void keep(Kept kept) { kept_ = kept; }
    void reserve(std::size_t contracts);
    // The index of that expiry, added if new. Settlement is part of the identity.
    [[nodiscard]] std::uint16_t expiry(std::string_view root, YearMonthDay date,
                                       Settlement settlement);
    void add(const Row& row) { add(row, {}); }
    void add(const Row& row, const Extras& extras) {
        rows_.push_back(row);
        if (kept_.gamma) extras_.gamma.push_back(extras.gamma);
        if (kept_.theta) extras_.theta.push_back(extras.theta);
        if (kept_.vega) extras_.vega.push_back(extras.vega);
        if (kept_.rho) extras_.rho.push_back(extras.rho);
        if (kept_.quoted) quoted_.push_back(extras.quoted);
    }
    // The source's own forward of an expiry; the first one given stays.
    void set_forward(std::uint16_t expiry, double forward) {
        auto& known = expiries_[expiry].vendor_forward;
        if (known != known) known = forward;
    }
    [[nodiscard]] bool full() const noexcept {
        return rows_.size() >= kContractsMax || expiries_.size() >= kExpiriesMax;
    }
    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

    // Moves the contracts into `head`, whose other fields the caller has set. A second contract of
    // the same expiry, right and strike is dropped and counted in `duplicates`. Empties the
    // builder.
    [[nodiscard]] Chain finish(Chain head, std::uint64_t& duplicates);

  private:
    // Row numbers in chain order, and the expiries in theirs; rows' expiry indices are rewritten.
    [[nodiscard]] std::vector<std::uint32_t> sorted_rows();
    // Takes out the rows of `index` whose expiry, right and strike are those of the one before.
    [[nodiscard]] std::uint64_t drop_duplicates(std::vector<std::uint32_t>& index) const;

    std::vector<Row> rows_;
    VendorGreeks extras_;
    std::vector<WallMillis> quoted_;
    Kept kept_;
    std::vector<Expiry> expiries_;
    std::unordered_multimap<std::size_t, std::uint16_t> by_key_;  // hash of date, settlement, root
    std::size_t last_expiry_ = 0;
};

}  // namespace scanmq::market
