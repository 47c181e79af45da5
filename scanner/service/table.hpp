#pragma once
// A result for people and spreadsheets: a plain-text table for terminals, one line a spread, fixed
// columns, no colour; and CSV with every figure.
//
// Strikes: puts before calls, each from the money outwards, "4400/4350P 4600/4650C"; a ratio is
//          "2x4350", shares come first. Of two expiries the nearer comes first. The strategy's name
//          says which legs are sold.
// Threads: pure functions.

#include <cstddef>
#include <string>

#include "scanner/service/result.hpp"

namespace scanmq::service {

// "4400/4350P".
[[nodiscard]] std::string strikes_text(const Spread& spread);
// "2023-10-20", "2023-10-20 am", "2023-10-20/11-17" of two expiries.
[[nodiscard]] std::string expiry_text(const Spread& spread);
// "1.10 cr" received, "2.35 db" paid.
[[nodiscard]] std::string net_text(double net_price);

// The first `rows` spreads under a heading; ends with a line break. G is the largest profit, "inf"
// where it has no bound, R the largest loss, or the margin where that has none; missing values print as "-".
// Spreads of several days have a column that says which (of as_of, in New York). With `explain` the reason
// of its score stands below each spread.
[[nodiscard]] std::string format_table(const ScanResult& result, std::size_t rows,
                                       bool explain = false);

// All spreads under a heading with the names of docs/SCAN_REQUEST.md; a missing value is an empty
// field.
[[nodiscard]] std::string format_csv(const ScanResult& result);

}  // namespace scanmq::service
