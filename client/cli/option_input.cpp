#include "client/cli/option_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "client/cli/session.hpp"
#include "client/cli/time_text.hpp"
#include "common/base/nearest.hpp"
#include "common/config/values.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/contract.hpp"
#include "scanner/market/csv.hpp"
#include "scanner/market/date_text.hpp"

namespace scanmq::cli {
namespace {

constexpr std::array<std::string_view, kOptionFields> kNames = {
    "spot",       "forward", "strike", "years", "date",  "settlement", "as_of",
    "volatility", "price",   "rate",   "yield", "right", "style",      "dividends"};

constexpr double kMillisPerYear = 365.0 * 86'400'000.0;
constexpr double kYearsMax = 100.0;
constexpr double kVolatilityMax = 10.0;
constexpr double kPriceMax = 1e9;

std::string_view name_of(OptionField field) { return kNames[static_cast<std::size_t>(field)]; }

// Reads fields until the first mistake, which it keeps.
class Texts {
  public:
    explicit Texts(const OptionTexts& texts) : texts_(texts) {}

    [[nodiscard]] const std::string& operator[](OptionField field) const {
        return texts_[static_cast<std::size_t>(field)];
    }
    [[nodiscard]] bool has(OptionField field) const { return !(*this)[field].empty(); }
    [[nodiscard]] std::optional<std::string>& error() { return error_; }
    void refuse(std::string sentence) {
        if (!error_) error_ = std::move(sentence);
    }
    // `right` says what would be: "a decimal per year from 0 to 10, such as 0.25".
    void number(OptionField field, double min, double max, std::string_view right, double& out) {
        if (!has(field)) return;
        const auto value = config::parse_decimal((*this)[field]);
        if (!value || !(*value >= min && *value <= max)) {
            return refuse(
                fmt::format("{} is \"{}\", it must be {}", name_of(field), (*this)[field], right));
        }
        out = *value;
    }
    void needs(OptionField field, std::string_view example) {
        if (!has(field)) refuse(fmt::format("{} is missing; give {}", name_of(field), example));
    }

  private:
    const OptionTexts& texts_;
    std::optional<std::string> error_;
};

constexpr double kSmallest = 1e-12;

void read_underlying(Texts& in, OptionInput& out) {
    if (in.has(OptionField::spot) == in.has(OptionField::forward)) {
        return in.refuse(in.has(OptionField::spot)
                             ? "spot and forward are both given; give the one that is known"
                             : "the underlying is missing; give spot or forward, such as 100");
    }
    out.on_forward = in.has(OptionField::forward);
    in.number(out.on_forward ? OptionField::forward : OptionField::spot, kSmallest, kPriceMax,
              "a price above 0", out.underlying);
    if (!out.on_forward) return;
    if (in.has(OptionField::yield)) {
        in.refuse("yield is part of a forward; give it with spot, or leave it out");
    }
    if (in.has(OptionField::dividends)) {
        in.refuse("dividends are part of a forward; give them with spot, or leave them out");
    }
}

WallMillis as_of(Texts& in, WallMillis now) {
    if (!in.has(OptionField::as_of)) return now;
    const auto moment = parse_moment(in[OptionField::as_of], now);
    if (!moment) {
        in.refuse(fmt::format("as_of: {}", moment.error()));
        return now;
    }
    return *moment / 1'000'000;
}

void read_years(Texts& in, WallMillis from, OptionInput& out) {
    if (in.has(OptionField::years) == in.has(OptionField::date)) {
        return in.refuse(in.has(OptionField::years)
                             ? "years and date are both given; give one of them"
                             : "the time is missing; give years, such as 0.25, or the date of "
                               "expiry, such as 2024-06-21");
    }
    in.number(OptionField::years, 0.0, kYearsMax,
              "years of 365 days to the expiry, from 0 to 100, such as 0.25", out.years);
    const std::string& settlement = in[OptionField::settlement];
    if (!settlement.empty() && settlement != "am" && settlement != "pm") {
        in.refuse(fmt::format("settlement is \"{}\", it must be am or pm", settlement));
    }
    if (!in.has(OptionField::date)) return;
    const auto date = market::parse_date_text(in[OptionField::date]);
    if (!date) {
        return in.refuse(fmt::format("date is \"{}\", it must be a date such as 2024-06-21",
                                     in[OptionField::date]));
    }
    market::Expiry expiry;
    expiry.date = *date;
    expiry.settlement = settlement == "am" ? market::Settlement::am : market::Settlement::pm;
    market::set_settlement_moments(expiry);
    out.years = static_cast<double>(expiry.moment - from) / kMillisPerYear;
    if (out.years < 0.0 || out.years > kYearsMax) {
        in.refuse(fmt::format(
            "date {} settles {}; give a later one, or say with as_of from when time runs",
            in[OptionField::date], out.years < 0.0 ? "before as_of" : "in over a hundred years"));
    }
}

// The open of an ex-date, or so many years.
std::optional<double> dividend_years(std::string_view when, WallMillis from) {
    if (const auto years = config::parse_decimal(when); years && *years <= kYearsMax) return *years;
    const auto date = market::parse_date_text(when);
    if (!date) return std::nullopt;
    return static_cast<double>(market::new_york_moment(*date, market::kOpenMinute) - from) /
           kMillisPerYear;
}

void read_dividends(Texts& in, WallMillis from, OptionInput& out) {
    std::string_view rest = in[OptionField::dividends];
    while (!rest.empty()) {
        const auto end = rest.find_first_of("; ");
        const std::string_view item = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        if (item.empty()) continue;
        const auto colon = item.find(':');
        const auto when = dividend_years(item.substr(0, colon), from);
        const auto amount = colon == std::string_view::npos
                                ? Result<double, std::string>(fail(std::string{}))
                                : config::parse_decimal(item.substr(colon + 1));
        if (!when || !amount || !(*amount > 0.0 && *amount <= kPriceMax)) {
            return in.refuse(
                fmt::format("dividend \"{}\": write the ex-date, or years to it, and the amount: "
                            "2024-05-10:0.50 or 0.25:0.50",
                            item));
        }
        if (*when <= 0.0 || *when > out.years) continue;  // has been, or comes after the expiry
        if (out.dividends.size() == kDividendsMax) {
            return in.refuse(fmt::format("an option has at most {} dividends", kDividendsMax));
        }
        out.dividends.push_back({*when, *amount});
    }
    std::stable_sort(out.dividends.begin(), out.dividends.end(),
                     [](const auto& a, const auto& b) { return a.years < b.years; });
}

// One of `names`, by its whole name or its first letter.
template <class Enum>
void read_word(Texts& in, OptionField field, std::array<std::string_view, 2> names, Enum& out) {
    const std::string& text = in[field];
    if (text.empty()) return;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (text == names[i] || (text.size() == 1 && (text[0] | 0x20) == names[i][0])) {
            out = static_cast<Enum>(i);
            return;
        }
    }
    in.refuse(
        fmt::format("{} is \"{}\", it must be {} or {}", name_of(field), text, names[0], names[1]));
}

Problem at_row(std::size_t line, std::string_view name, std::string_view sentence) {
    return usage_problem(fmt::format("{}:{}: {}", name, line, sentence));
}

constexpr std::string_view kBoth = "both";

// A right that is both, or not said where a value is asked for, is a call and a put.
Result<void, std::string> add_options(OptionTexts texts, OptionQuestion question, WallMillis now,
                                      std::vector<OptionInput>& out) {
    std::string& right = texts[static_cast<std::size_t>(OptionField::right)];
    const bool both = question == OptionQuestion::value && (right.empty() || right == kBoth);
    for (const char* each : {"call", "put"}) {
        if (both) right = each;
        auto option = parse_option(texts, question, now);
        if (!option) return fail(std::move(option).error());
        if (out.size() == kOptionsMax) {
            return fail(fmt::format("at most {} options at a time; split the input", kOptionsMax));
        }
        out.push_back(std::move(*option));
        if (!both) break;
    }
    return {};
}

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out += (out.empty() ? "" : ";") + text;
    return out;
}

Result<std::vector<OptionInput>, Problem> read_rows(const OptionFlags& flags,
                                                    const OptionTexts& base, std::string_view csv,
                                                    OptionQuestion question, WallMillis now) {
    const std::string name = flags.input == "-" ? "standard input" : flags.input;
    market::CsvRows rows(csv, name);
    if (!rows.next()) return fail(at_row(1, name, "there is no header row with column names"));
    std::vector<std::size_t> field_of;
    for (std::size_t c = 0; c < rows.size(); ++c) {
        const auto at = std::find(kNames.begin(), kNames.end(), rows.field(c));
        if (at == kNames.end()) {
            return fail(at_row(rows.line(), name,
                               fmt::format("there is no column \"{}\"; did you mean \"{}\"?",
                                           rows.field(c), nearest_name(rows.field(c), kNames))));
        }
        field_of.push_back(static_cast<std::size_t>(at - kNames.begin()));
    }
    std::vector<OptionInput> out;
    while (rows.next()) {
        if (rows.size() > field_of.size()) {
            return fail(at_row(
                rows.line(), name,
                fmt::format("has {} fields, the header row {}", rows.size(), field_of.size())));
        }
        OptionTexts texts = base;
        for (std::size_t c = 0; c < rows.size(); ++c) {
            if (!rows.field(c).empty()) texts[field_of[c]] = rows.field(c);
        }
        if (auto added = add_options(std::move(texts), question, now, out); !added) {
            return fail(at_row(rows.line(), name, added.error()));
        }
    }
    if (rows.failed()) return fail(usage_problem(rows.take_error().message));
    if (out.empty()) return fail(at_row(rows.line(), name, "there are no rows below the header"));
    return out;
}

}  // namespace

std::span<const std::string_view> option_field_names() noexcept { return kNames; }

void add_option_flags(config::Options& declared, OptionFlags& flags, OptionQuestion question) {
    const auto text = [&](OptionField field, std::string_view flag, std::string_view help) {
        declared.text(flag, flags.texts[static_cast<std::size_t>(field)], help);
    };
    const bool value = question == OptionQuestion::value;
    text(OptionField::spot, "spot", "Price of the underlying");
    text(OptionField::forward, "forward", "Forward or future to the expiry, in place of a spot");
    declared.list("strike", flags.strikes, ',', "Strikes, an option each");
    text(OptionField::years, "years", "Time to expiry in years of 365 days, such as 0.25");
    text(OptionField::date, "date", "Date of expiry in place of years, such as 2024-06-21");
    text(OptionField::settlement, "settlement",
         "With a date: am (09:30 New York) or pm (the close, when not given)");
    text(OptionField::as_of, "as-of", "With dates: the moment that time runs from, else now");
    if (value) {
        text(OptionField::volatility, "volatility", "Volatility per year, such as 0.25");
    } else {
        declared.list("price", flags.prices, ',', "Prices of the options, one a strike");
    }
    text(OptionField::rate, "rate", "Continuous rate per year, 0 when not given");
    text(OptionField::yield, "yield", "Continuous dividend yield per year, 0 when not given");
    text(OptionField::right, "right",
         value ? "Call, put or both, which it is when not given" : "Call or put");
    text(OptionField::style, "style", "European, which it is when not given, or american");
    declared.list("dividend", flags.dividends, ',',
                  "Cash dividends as EX-DATE:AMOUNT or YEARS:AMOUNT, such as 2024-05-10:0.5");
    declared.text("input", flags.input,
                  "CSV file with a row an option and these flags' names as columns, - for stdin; "
                  "flags stand in for what it leaves out");
}

Result<OptionInput, std::string> parse_option(const OptionTexts& texts, OptionQuestion question,
                                              WallMillis now) {
    Texts in(texts);
    OptionInput out;
    read_underlying(in, out);
    in.needs(OptionField::strike, "one, such as 100");
    in.number(OptionField::strike, kSmallest, kPriceMax, "a price above 0", out.strike);
    const WallMillis from = as_of(in, now);
    read_years(in, from, out);
    if (question == OptionQuestion::value) {
        in.needs(OptionField::volatility, "it as a decimal, such as 0.25");
        in.number(OptionField::volatility, 0.0, kVolatilityMax,
                  "a decimal per year from 0 to 10, such as 0.25 for 25 %", out.volatility);
    } else {
        in.needs(OptionField::price, "the option's, such as 2.35");
        in.number(OptionField::price, 0.0, kPriceMax, "a price, not negative", out.price);
        in.needs(OptionField::right, "call or put");
    }
    constexpr std::string_view kRate = "a decimal per year from -1 to 1, such as 0.05 for 5 %";
    in.number(OptionField::rate, -1.0, 1.0, kRate, out.rate);
    in.number(OptionField::yield, -1.0, 1.0, kRate, out.yield);
    read_word(in, OptionField::right, {"call", "put"}, out.right);
    read_word(in, OptionField::style, {"european", "american"}, out.style);
    read_dividends(in, from, out);
    if (in.error()) return fail(*std::move(in.error()));
    return out;
}

Result<std::vector<OptionInput>, Problem> read_options(const OptionFlags& flags,
                                                       std::string_view csv,
                                                       OptionQuestion question, WallMillis now) {
    OptionTexts base = flags.texts;
    base[static_cast<std::size_t>(OptionField::dividends)] = joined(flags.dividends);
    std::string& strike = base[static_cast<std::size_t>(OptionField::strike)];
    std::string& price = base[static_cast<std::size_t>(OptionField::price)];
    if (!flags.input.empty()) {
        if (flags.strikes.size() > 1 || flags.prices.size() > 1) {
            return fail(usage_problem(
                "with --input, a strike or price given as a flag is one for all rows"));
        }
        if (!flags.strikes.empty()) strike = flags.strikes[0];
        if (!flags.prices.empty()) price = flags.prices[0];
        return read_rows(flags, base, csv, question, now);
    }
    if (question == OptionQuestion::implied_volatility &&
        flags.prices.size() != flags.strikes.size()) {
        return fail(
            usage_problem(fmt::format("there are {} strikes and {} prices; give one price a strike",
                                      flags.strikes.size(), flags.prices.size())));
    }
    std::vector<OptionInput> out;
    for (std::size_t i = 0; i < std::max<std::size_t>(flags.strikes.size(), 1); ++i) {
        if (!flags.strikes.empty()) strike = flags.strikes[i];
        if (i < flags.prices.size()) price = flags.prices[i];
        if (auto added = add_options(base, question, now, out); !added) {
            return fail(usage_problem(added.error()));
        }
    }
    return out;
}

}  // namespace scanmq::cli
