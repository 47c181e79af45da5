#pragma once
// ColumnMapping: how to read a CSV with one row a contract: which column holds what, in which units,
// and where symbol, moment and spot come from when no column has them.
//
// Use:      the known long formats are mappings (mappings.cpp); a user's comes out of a --columns
//           file, which the caller parses (docs/SCANNER.md#other-csv-files).
// Threads:  plain data.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scanner/market/chain.hpp"

namespace scanmq::market {

enum class Field : std::uint8_t {
    symbol,         // the underlying
    root,           // the option root, where it differs from the symbol
    option_symbol,  // OCC: root, YYMMDD, C or P, strike in thousandths
    date,           // the quotes' day
    quoted,         // the quote's own moment, in quoted_as
    expiry,
    strike,
    right,       // C, P, call or put
    style,       // E, A, European or American
    settlement,  // am or pm
    multiplier,  // shares per contract; other than 100 is an adjusted contract
    bid,
    ask,
    last,
    volume,
    open_interest,
    iv,
    interpolated,  // "*": the row's volatility is not from its own quote
    delta,
    gamma,
    theta,
    vega,
    rho,
    spot,
    forward,  // the source's own, per expiry
};
inline constexpr std::size_t kFields = 25;
// As a --columns file calls them.
inline constexpr std::array<std::string_view, kFields> kFieldNames{
    "symbol",        "root",   "option_symbol", "date",  "quoted",
    "expiry",        "strike", "right",         "style", "settlement",
    "multiplier",    "bid",    "ask",           "last",  "volume",
    "open_interest", "iv",     "interpolated",  "delta", "gamma",
    "theta",         "vega",   "rho",           "spot",  "forward"};

enum class DateOrder : std::uint8_t { month_first, day_first };  // of dates with slashes
enum class QuotedAs : std::uint8_t {
    text,               // 2021-11-22 15:59:58, New York's time, or with a zone
    ms_since_midnight,  // New York's, of the chain's day
    unix_ms,
    unix_s,
};

struct ColumnMapping {
    std::string source{"columns"};  // becomes Chain::source
    char delimiter{','};
    std::array<std::string, kFields> names;  // a column's name in the header row; empty: none
    std::vector<std::string> missing;        // texts that mean "no value", beside the empty one

    DateOrder date_order{DateOrder::month_first};
    QuotedAs quoted_as{QuotedAs::text};
    bool iv_in_percent{};
    bool theta_per_day{};
    bool vega_per_point{};
    bool rho_per_point{};

    // The header row may lack the columns named for Greeks and forwards.
    bool greeks_optional{};

    // Where no column says: nothing means what the root says.
    std::optional<ExerciseStyle> style;
    std::optional<Settlement> settlement;
    // Roots in option_symbol that are no OCC symbols are left aside for the symbol.
    bool old_option_symbols{};

    // For sources that do not say; what they say wins.
    std::string symbol;
    double spot{kMissing};
    std::optional<WallMillis> as_of;
    // New York's time of day where only the day is known; without it that day's close.
    std::optional<int> as_of_minute;

    [[nodiscard]] const std::string& name(Field field) const noexcept {
        return names[static_cast<std::size_t>(field)];
    }
    [[nodiscard]] std::string& name(Field field) noexcept {
        return names[static_cast<std::size_t>(field)];
    }
};

inline constexpr std::size_t kMissingTextsMax = 8;

// One sentence about what the mapping lacks or says twice; empty when it can be read by. A mapping
// needs bid, ask, and expiry, strike and right or an option_symbol.
[[nodiscard]] std::string mapping_problem(const ColumnMapping& mapping);

}  // namespace scanmq::market
