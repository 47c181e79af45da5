#pragma once
// What a priced chain says, expiry by expiry: for `scanmq chain show`, as rows, JSON and a picture.
//
// Threads: pure functions. The summary borrows from the priced chain, which must outlive it.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/svg.hpp"
#include "client/cli/table.hpp"
#include "common/base/result.hpp"
#include "scanner/market/priced_chain.hpp"

namespace scanmq::cli {

struct ExpirySummary {
    std::uint32_t index{};  // into the chain's expiries
    const market::Expiry* expiry{};
    const market::ExpiryMarket* market{};
    std::uint64_t contracts{};
    std::uint64_t used{};                                // with an implied volatility
    std::map<pricing::IvStatus, std::uint64_t> dropped;  // the others, by reason

    // "SPXW@2024-06-21", "SPX@2024-06-21 am".
    [[nodiscard]] std::string name() const;
};

// Which expiries: "2024-06-21", or "SPXW@2024-06-21" for one root of it.
struct ExpiryChoice {
    std::string root;  // empty: any
    market::YearMonthDay date{};
};
// Error: a sentence that says how it is written.
[[nodiscard]] Result<ExpiryChoice, std::string> parse_expiry_choice(std::string_view text);

// In the chain's order, those that a choice names; all when there are no choices.
[[nodiscard]] std::vector<ExpirySummary> summarise(const market::PricedChain& priced,
                                                   const std::vector<ExpiryChoice>& choices);

// "2024-06-21".
[[nodiscard]] std::string date_text(market::YearMonthDay date);

// A sentence where a spot that was given is far from what the options say; else empty. given: NaN, none.
[[nodiscard]] std::string spot_warning(const market::PricedChain& priced, double given);

[[nodiscard]] Table summary_table(const std::vector<ExpirySummary>& summaries);
[[nodiscard]] nlohmann::ordered_json summary_json(const market::PricedChain& priced,
                                                  const std::vector<ExpirySummary>& summaries);

inline constexpr std::size_t kSmilePanelsMax = 24;
// A panel an expiry: its out-of-the-money quotes and the fitted smile. Of summaries that have a smile
// only, and `panels` of them at most, spread from the nearest to the farthest.
[[nodiscard]] std::vector<Chart> smile_charts(const market::PricedChain& priced,
                                              const std::vector<ExpirySummary>& summaries,
                                              std::size_t panels);

}  // namespace scanmq::cli
