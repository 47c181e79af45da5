#pragma once
// Filters: which contracts may be legs, and which spreads may be results.
//
// A FilterSpec is what a user wrote; compile() checks it and turns a list of them into a FilterSet
// that the engine runs: expiries, legs, wings, whole spreads.
// Rules:    bounds are inclusive; a missing value fails and is counted as missing.
// Threads:  a FilterSet is immutable.
// Limits:   kFiltersMax specs.
// See:      docs/SCAN_REQUEST.md#filters

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/result.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::filter {

inline constexpr std::size_t kFiltersMax = 64;

using ParamValue = std::variant<double, bool, std::string>;

struct FilterSpec {
    std::string type;
    std::map<std::string, ParamValue> params;

    friend bool operator==(const FilterSpec&, const FilterSpec&) = default;
};

enum class ErrorCode : std::uint8_t {
    unknown_filter,
    unknown_parameter,
    bad_value,
    duplicate,
    too_many,
};
struct Error {
    ErrorCode code{};
    std::string message;  // one sentence that says what to write instead
};

// What there is, for help texts and catalogues.
enum class ParamKind : std::uint8_t { number, flag, leg_scope, choice };
struct ParamInfo {
    std::string_view name;
    ParamKind kind{};
    std::string_view meaning;
    std::span<const std::string_view> choices{};  // of a choice
};
struct FilterInfo {
    std::string_view type;
    std::string_view meaning;
    std::span<const ParamInfo> params;
};
[[nodiscard]] std::span<const FilterInfo> catalogue() noexcept;

struct Bounds {
    double min{-std::numeric_limits<double>::infinity()};
    double max{std::numeric_limits<double>::infinity()};

    [[nodiscard]] bool contains(double value) const noexcept {
        return value >= min && value <= max;
    }
};

enum class Verdict : std::uint8_t { pass, fail, missing };

// The value against the bounds; NaN is missing.
[[nodiscard]] Verdict check(const Bounds& bounds, double value) noexcept;

// Is there an event before the expiry? Unknown: nothing says when the next one is.
enum class Known : std::uint8_t { no, yes, unknown };

// What an expiry filter looks at.
struct ExpiryFacts {
    double dte{};
    double iv_rank{};  // of the symbol; NaN without a history
    double iv_percentile{};
    bool morning{};  // settles in the morning
    Known earnings{Known::unknown};
    Known ex_dividend{Known::unknown};
};
enum class ExpiryMetric : std::uint8_t {
    dte,
    back_dte,  // of the later expiry
    iv_rank,
    iv_percentile,
    settlement,
    earnings,
    ex_dividend,
};
struct ExpiryFilter {
    std::size_t spec{};  // index into the list compile() was given
    ExpiryMetric metric{};
    Bounds bounds{};
    bool morning{};       // settlement: the one that passes
    bool wanted{};        // events: passes with one before the expiry, else without
    bool pass_unknown{};  // events

    [[nodiscard]] Verdict check(const ExpiryFacts& facts) const noexcept;
};

// What a leg filter looks at. Missing prices and Greeks are NaN, counts market::kNoCount.
struct LegQuote {
    double bid{};
    double ask{};
    double delta{};
    double iv{};
    std::uint32_t volume{};
    std::uint32_t open_interest{};
    double moneyness{market::kMissing};   // K/F
    double over_hv{market::kMissing};     // iv less the symbol's realised volatility
    double age{market::kMissing};         // seconds since it was quoted
    double from_money{market::kMissing};  // listed strikes between it and the forward
    bool outside_bounds{};  // its mid has no implied volatility: below intrinsic, above max
};

enum class LegScope : std::uint8_t { short_legs, long_legs, all };

struct DeltaTest {
    Bounds bounds;
    bool absolute{};
};
struct LiquidityTest {
    std::optional<double> min_volume;
    std::optional<double> min_open_interest;
    std::optional<double> min_volume_oi;
    std::optional<double> max_spread;
    std::optional<double> max_spread_ratio;
    std::optional<double> min_bid;
};
// One figure of LegQuote within bounds.
struct FigureTest {
    double LegQuote::*figure{};
    Bounds bounds;
};
struct QuoteTest {
    bool locked{true};  // what may pass: bid = ask
    bool zero_bid{true};
    bool arbitrage{true};  // outside its bounds
};

struct LegFilter {
    std::size_t spec{};
    LegScope scope{LegScope::all};
    std::variant<DeltaTest, LiquidityTest, FigureTest, QuoteTest> test;

    [[nodiscard]] bool applies_to(strategy::Side side) const noexcept {
        return scope == LegScope::all ||
               (scope == LegScope::short_legs) == (side == strategy::Side::short_leg);
    }
    [[nodiscard]] Verdict check(const LegQuote& quote) const noexcept;
};

struct RangeFilter {
    std::size_t spec{};
    Bounds bounds;
};

// Figures of a whole spread, in the order they are looked at: what costs more comes later.
enum class SpreadMetric : std::uint8_t {
    theta,      // net, one day
    vega,       // net, per point
    net_delta,  //
    net_price,
    max_risk,      // R
    risk_reward,   // G / R
    credit_width,  // credit / larger wing
    net_gamma,
    rho,                 // net, per point
    iv_edge,             // mean IV of the short legs less that of the long ones
    quote_skew,          // seconds between the oldest and the newest quote of the legs
    margin,              // buying-power effect
    margin_efficiency,   // G / requirement
    return_per_day,      // G / R / max(DTE, 1)
    annual_return,       // that times 365
    breakeven_distance,  // of the breakeven nearest to the spot, as a share of it
    pop,
    p_touch,           // of the short strike likeliest to be touched
    p_half_at_expiry,  //
    p_max_loss,
    ev,
    ev_risk,  // EV / R
};
struct SpreadFilter {
    std::size_t spec{};
    SpreadMetric metric{};
    Bounds bounds;
    bool absolute{};  // of the magnitude
};

struct FilterSet {
    std::vector<ExpiryFilter> expiries;  // of the nearer expiry; days to expiry first
    std::optional<ExpiryFilter> back;    // days to the later expiry
    std::vector<LegFilter> legs;         // in the order given
    std::optional<RangeFilter> width;    // of each wing
    std::vector<SpreadFilter> spreads;   // in the order of SpreadMetric
};

// Errors: every ErrorCode; unknown names carry the nearest known one.
[[nodiscard]] Result<FilterSet, Error> compile(std::span<const FilterSpec> specs);

}  // namespace scanmq::filter
