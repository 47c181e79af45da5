#pragma once
// Filters: which contracts may be legs, and which spreads may be results.
//
// A FilterSpec is what a user wrote; compile() checks it and turns a list of them into a FilterSet
// that the engine runs, legs first, then whole spreads. Rules:    bounds are inclusive; a missing
// value fails and is counted as missing.
// Threads:a FilterSet is immutable.
// Limits:kFiltersMax specs.
// See:docs/SCAN_REQUEST.md#filters

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
enum class ParamKind : std::uint8_t { number, flag, leg_scope };
struct ParamInfo {
    std::string_view name;
    ParamKind kind{};
    std::string_view meaning;
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

// What a leg filter looks at. Missing prices and Greeks are NaN, counts market::kNoCount.
struct LegQuote {
    double bid{};
    double ask{};
    double delta{};
    double iv{};
    std::uint32_t volume{};
    std::uint32_t open_interest{};
};

enum class LegScope : std::uint8_t { short_legs, long_legs, all };

struct DeltaTest {
    Bounds bounds;
    bool absolute{};
};
struct IvTest {
    Bounds bounds;
};
struct LiquidityTest {
    std::optional<double> min_volume;
    std::optional<double> min_open_interest;
    std::optional<double> min_volume_oi;
    std::optional<double> max_spread;
    std::optional<double> max_spread_ratio;
    std::optional<double> min_bid;
};

struct LegFilter {
    std::size_t spec{};  // index into the list compile() was given
    LegScope scope{LegScope::all};
    std::variant<DeltaTest, IvTest, LiquidityTest> test;

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

struct FilterSet {
    std::optional<RangeFilter> dte;    // days to expiry, of the expiry
    std::vector<LegFilter> legs;       // in the order given
    std::optional<RangeFilter> width;  // distance between neighbouring strikes
    std::optional<RangeFilter> theta;  // net, over one day
    std::optional<RangeFilter> vega;   // net, per point of volatility
    std::optional<RangeFilter> pop;
};

// Errors: every ErrorCode; unknown names carry the nearest known one.
[[nodiscard]] Result<FilterSet, Error> compile(std::span<const FilterSpec> specs);

}  // namespace scanmq::filter
