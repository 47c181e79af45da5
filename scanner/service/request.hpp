#pragma once
// ScanRequest: what a user asks of one chain. The text form is docs/SCAN_REQUEST.md.
//
// Threads: a value.
// Limits:  kLimitMax results; filters as in scanner/filter.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "scanner/filter/filter.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/score/score.hpp"
#include "scanner/strategy/definition.hpp"
#include "scanner/strategy/fill.hpp"
#include "scanner/strategy/margin.hpp"

namespace scanmq::service {

// Part of the identity of every result: changes whenever the same request over the same chain may
// give another answer.
inline constexpr char kEngineVersion[] = "scanmq-scanner/4";

inline constexpr std::uint32_t kLimitDefault = 50;
inline constexpr std::uint32_t kLimitMax = 10'000;
inline constexpr double kFeeMax = 1'000.0;
// Of a weight that is not 0: beyond, sums of weighted components lose their digits or overflow.
inline constexpr double kWeightMin = 1e-6;
inline constexpr double kWeightMax = 1e6;
inline constexpr double kVolatilityMax = 20.0;
// Candidates of one strategy that a scan may have to look at: some seconds of work.
inline constexpr std::uint64_t kCandidatesDefault = 500'000'000;
inline constexpr std::uint64_t kCandidatesMax = 1'000'000'000'000;
// A candidate of two expiries takes the time of this many others, and counts as many.
inline constexpr std::uint64_t kTwoExpiryWeight = 500;
inline constexpr std::size_t kEventsMax = 10'000;
inline constexpr std::size_t kDividendsMax = 1'000;
inline constexpr std::size_t kTicksMax = 1'000;
inline constexpr std::size_t kMarginsMax = 1'000;
inline constexpr std::size_t kHistoriesMax = 1'000;
inline constexpr std::size_t kHistoryDaysMax = 10'000;
inline constexpr std::size_t kRatePointsMax = 256;
// What request and result documents are: a reader of a later version knows this one's.
inline constexpr int kSchemaVersion = 1;

enum class ErrorCode : std::uint8_t {
    malformed,        // not JSON or msgpack, or past the decoder's limits
    invalid_request,  // readable, but says something that is not allowed
    invalid_result,   // a result document that is not one of ours
    symbol_mismatch,  // the chain is of another symbol
    too_many_candidates,
    cancelled,
};
struct Error {
    ErrorCode code{};
    std::string message;
};
[[nodiscard]] const char* to_string(ErrorCode code) noexcept;

// Where POP, EV and the other probabilities come from.
enum class VolatilityMode : std::uint8_t {
    smile,     // the expiry's own, skew and all
    flat,      // the expiry's at the money
    realised,  // the symbol's past
    user,      // what the request says
};
struct VolatilityChoice {
    VolatilityMode mode{VolatilityMode::smile};
    std::optional<double> value;  // user: needed; realised: in place of the history's

    friend bool operator==(const VolatilityChoice&, const VolatilityChoice&) = default;
};

// Keep only the best of each.
enum class BestPer : std::uint8_t { spread, symbol, expiry, short_strikes };

[[nodiscard]] const char* to_string(VolatilityMode mode) noexcept;
[[nodiscard]] const char* to_string(BestPer per) noexcept;

enum class EventKind : std::uint8_t { earnings, ex_dividend };
[[nodiscard]] const char* to_string(EventKind kind) noexcept;
struct Event {
    std::string symbol;
    WallMillis moment{};
    EventKind kind{};
    bool confirmed{true};

    friend bool operator==(const Event&, const Event&) = default;
};

struct Dividend {
    std::string symbol;  // empty: of whatever the chain is of
    WallMillis ex_moment{};
    double amount{};

    friend bool operator==(const Dividend&, const Dividend&) = default;
};

// A symbol's past, oldest first, today left out.
struct History {
    std::string symbol;
    std::vector<double> closes;       // of the underlying, one a session
    std::vector<double> implied_30d;  // at-the-money volatility at 30 days, one a session

    friend bool operator==(const History&, const History&) = default;
};

// How prices of a root move, in place of what is shipped: below the threshold by `below`, else by
// `above`.
struct RootTicks {
    std::string root;  // empty: every root that has no row of its own here
    double threshold{3.0};
    double below{0.01};
    double above{0.05};

    friend bool operator==(const RootTicks&, const RootTicks&) = default;
};

// What a naked option of a root takes in margin, in place of what is shipped, leverage inside.
struct RootMargin {
    std::string root;    // empty: every root that has no row of its own here
    double share{0.20};  // of the underlying
    double floor{0.10};  // of strike (put) or underlying (call)

    friend bool operator==(const RootMargin&, const RootMargin&) = default;
};

struct ScanRequest {
    std::string symbol;                   // empty: whatever the chain is of
    std::vector<std::string> strategies;  // empty: strategy::default_strategy_names()
    std::vector<filter::FilterSpec> filters;
    std::string preset{"balanced"};  // ignored when weights are given
    std::optional<score::Weights> weights;
    strategy::Fill fill{strategy::kNaturalFill};
    double fee_per_contract{strategy::kDefaultFeePerContract};
    std::optional<strategy::Stance> delta_stance;  // in place of each strategy's own
    std::optional<strategy::Stance> vega_stance;
    std::uint32_t limit{kLimitDefault};  // 1 to kLimitMax
    std::optional<WallMillis> as_of;     // pricing clock in place of the snapshot's
    std::optional<double> rate;          // continuous rate in place of the fitted one
    VolatilityChoice volatility;
    BestPer best_per{BestPer::spread};
    bool exact_count{};                                // no pruning: every filter counts exactly
    std::uint64_t candidates_max{kCandidatesDefault};  // of one strategy
    std::vector<market::RatePoint> rate_curve;         // in place of `rate`
    std::optional<double> spot;                        // in place of the source's
    std::vector<Dividend> dividends;
    std::vector<Event> events;
    std::vector<History> histories;
    std::vector<RootTicks> ticks;
    std::vector<RootMargin> margins;
};

// The request's ticks and margin of a root, else the shipped ones.
[[nodiscard]] strategy::TickRule ticks_of(const ScanRequest& request,
                                          std::string_view root) noexcept;
[[nodiscard]] strategy::MarginRate margin_of(const ScanRequest& request,
                                             std::string_view root) noexcept;

// The request's part in pricing, for market::price_chain. symbol: the chain's; whose dividends.
[[nodiscard]] market::PricingOptions pricing_options(const ScanRequest& request,
                                                     std::string_view symbol = {});
// Does the request want chains priced in another way than they come?
[[nodiscard]] bool wants_own_pricing(const ScanRequest& request) noexcept;

// A request that was checked, with its names resolved.
struct ScanPlan {
    std::vector<const strategy::Strategy*> strategies;  // by rising name, each once
    filter::FilterSet filters;
    score::Weights weights;
};

// Errors: invalid_request, with the field and, for unknown names, the nearest known one.
[[nodiscard]] Result<ScanPlan, Error> make_plan(const ScanRequest& request);

}  // namespace scanmq::service
