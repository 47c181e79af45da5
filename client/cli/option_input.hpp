#pragma once
// One option as `scanmq price` and `scanmq iv` are told of it: by flags, or a row of CSV each.
//
// Both are read as texts by field name first, so that one parser and one set of errors serves both.
// Times are years of 365 days from a moment to the settlement; with a date in place of years they
// run from `as_of` (now when it is not given) to that date's settlement in New York.
//
// Threads: values.
// Limits:  kOptionsMax options a call, kDividendsMax dividends an option.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/command.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/config/options.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/pricing/cash_dividends.hpp"

namespace scanmq::cli {

inline constexpr std::size_t kOptionsMax = 100'000;
using pricing::CashDividend;  // times and amounts above 0
using pricing::kDividendsMax;

struct OptionInput {
    bool on_forward = false;  // underlying is a forward or a future (Black 1976), not a spot
    double underlying{};      // > 0
    double strike{};          // > 0
    double years{};           // >= 0
    double volatility{market::kMissing};  // what `price` needs
    double price{market::kMissing};       // what `iv` needs
    double rate{};
    double yield{};  // continuous; 0 on a forward
    market::Right right{market::Right::call};
    market::ExerciseStyle style{market::ExerciseStyle::european};
    std::vector<CashDividend> dividends;  // by rising time, all before the expiry
};

// What the two commands are asked for; the rest of the fields they share.
enum class OptionQuestion : std::uint8_t { value, implied_volatility };

enum class OptionField : std::uint8_t {
    spot,
    forward,
    strike,
    years,
    date,
    settlement,
    as_of,
    volatility,
    price,
    rate,
    yield,
    right,
    style,
    dividends,
};
inline constexpr std::size_t kOptionFields = 14;
// "spot", ..., "as_of": the names of CSV columns; flags have '-' for '_', and --dividend.
[[nodiscard]] std::span<const std::string_view> option_field_names() noexcept;

// Texts by field, empty where not given.
using OptionTexts = std::array<std::string, kOptionFields>;

struct OptionFlags {
    OptionTexts texts;
    std::vector<std::string> strikes;
    std::vector<std::string> prices;  // as many as strikes
    std::vector<std::string> dividends;
    std::string input;  // CSV file, "-" for standard input
};

void add_option_flags(config::Options& declared, OptionFlags& flags, OptionQuestion question);

// Error: a sentence that names the field and says what to write.
[[nodiscard]] Result<OptionInput, std::string> parse_option(const OptionTexts& texts,
                                                            OptionQuestion question,
                                                            WallMillis now);

// Every option that flags and rows of `csv` ask for, a right "both" as a call and a put. Columns of the
// CSV replace flags, row by row; an empty cell leaves the flag. `csv` is the text of flags.input.
// Problem: usage, with the row where it came from one.
[[nodiscard]] Result<std::vector<OptionInput>, Problem> read_options(const OptionFlags& flags,
                                                                     std::string_view csv,
                                                                     OptionQuestion question,
                                                                     WallMillis now);

}  // namespace scanmq::cli
