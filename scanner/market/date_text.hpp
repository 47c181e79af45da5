#pragma once
// Dates and moments as vendors write them.

#include <optional>
#include <string_view>

#include "scanner/market/columns.hpp"

namespace scanmq::market {

// "Thu Sep 14 2023", "09/14/2023" (month first unless told otherwise; "9/4/2023" too), "2023-09-14",
// "20230914".
[[nodiscard]] std::optional<YearMonthDay> parse_date_text(
    std::string_view text, DateOrder order = DateOrder::month_first) noexcept;

// A moment of New York's clock unless it names another: "2021-11-22 15:59:58", "2021-11-22T15:59",
// "2021-11-22T20:59:58.250Z", "...+00:00"; or as parse_moment_text reads it.
[[nodiscard]] std::optional<WallMillis> parse_time_text(std::string_view text);

// A date with a time of day and a zone, in English or French, in any order of the date's parts:
// "September 14, 2023 at 4:31 PM EDT", "10 novembre 2023 à 18:55 UTC−5" (with U+2212).
// Zones: UTC and GMT with an offset, Z, ET, EST, EDT, CST, CDT, MST, MDT, PST, PDT.
[[nodiscard]] std::optional<WallMillis> parse_moment_text(std::string_view text);

}  // namespace scanmq::market
