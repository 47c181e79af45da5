#include "scanner/service/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

#include "scanner/market/calendar.hpp"
#include "scanner/service/result_fields.hpp"

namespace scanmq::service {
namespace {

constexpr std::array kHeadings = {"#",   "symbol", "day", "strategy",  "expiry", "dte", "strikes",
                                  "net", "G",      "R",   "breakeven", "POP",    "EV",  "score"};
constexpr std::size_t kDayColumn = 2;  // shown where the spreads are of several days
constexpr std::size_t kColumns = kHeadings.size();
// Numbers are set to the right, names to the left.
constexpr std::array<bool, kColumns> kRight = {true, false, false, false, false, true, false,
                                               true, true,  true,  true,  true,  true, true};

using Row = std::array<std::string, kColumns>;

std::string decimals(double value, int places) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, places) : "-";
}

// A largest profit: without a bound where there is no number.
std::string extreme(double value) {
    return std::isfinite(value) ? fmt::format("{:.2f}", value) : "inf";
}

std::string date_text(market::YearMonthDay date) {
    return fmt::format("{:04}-{:02}-{:02}", date / 10'000, date / 100 % 100, date % 100);
}

// By expiry, then from the money outwards: puts fall, calls rise.
bool comes_first(const SpreadLeg* a, const SpreadLeg* b) {
    if (a->expiry != b->expiry) return a->expiry < b->expiry;
    return a->right == market::Right::put ? a->strike > b->strike : a->strike < b->strike;
}

std::string strikes_of(const Spread& spread, market::Right right) {
    std::vector<const SpreadLeg*> legs;
    for (const SpreadLeg& leg : spread.legs) {
        if (leg.right == right) legs.push_back(&leg);
    }
    if (legs.empty()) return {};
    std::stable_sort(legs.begin(), legs.end(), comes_first);
    std::string out;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        // A calendar's strike is said once.
        if (i > 0 && legs[i]->strike == legs[i - 1]->strike) continue;
        fmt::format_to(std::back_inserter(out), "{}{}{:g}", i == 0 ? "" : "/",
                       legs[i]->ratio > 1 ? fmt::format("{}x", legs[i]->ratio) : "",
                       legs[i]->strike);
    }
    return out + (right == market::Right::call ? "C" : "P");
}

std::string breakevens_text(const Spread& spread) {
    std::string out;
    for (const double level : spread.breakevens) {
        out += (out.empty() ? "" : " ") + decimals(level, 2);
    }
    return out.empty() ? "-" : out;
}

std::string leg_text(const SpreadLeg& leg) {
    return fmt::format("{}{}{:g}{}", leg.side == strategy::Side::long_leg ? "+" : "-",
                       leg.ratio > 1 ? fmt::format("{}x", leg.ratio) : "", leg.strike,
                       leg.right == market::Right::call ? "C" : "P");
}

Row row_of(std::size_t number, const Spread& spread) {
    return {fmt::format("{}", number),
            spread.symbol,
            date_text(market::new_york_date(spread.as_of)),
            spread.strategy,
            expiry_text(spread),
            fmt::format("{}", spread.dte),
            strikes_text(spread),
            net_text(spread.net_price),
            extreme(spread.max_profit),
            decimals(spread.risk, 2),
            breakevens_text(spread),
            decimals(spread.pop, 3),
            decimals(spread.ev, 3),
            decimals(spread.score, 1)};
}

std::string csv_text(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
}

std::string csv_number(double value) {
    return std::isnan(value) ? std::string{} : fmt::format("{}", value);
}

// "-4400P@2023-10-20 +4350P@2023-10-20".
std::string legs_text(const Spread& spread) {
    std::string out = spread.stock != 0 ? "+shares" : "";
    for (const SpreadLeg& leg : spread.legs) {
        out += (out.empty() ? "" : " ") + leg_text(leg) + '@' + date_text(leg.expiry);
    }
    return out;
}

// The number columns of a CSV line, in the order of the heading.
std::vector<std::string> csv_numbers(const Spread& spread) {
    std::vector<std::string> out;
    for (const auto& field : kSpreadNumbers) out.push_back(csv_number(spread.*field.member));
    for (const auto& field : kGreeks) out.push_back(csv_number(spread.greeks.*field.member));
    for (const double value : spread.components) out.push_back(csv_number(value));
    return out;
}

}  // namespace

std::string strikes_text(const Spread& spread) {
    std::string out = spread.stock != 0 ? "shares" : "";
    for (const auto right : {market::Right::put, market::Right::call}) {
        const std::string part = strikes_of(spread, right);
        if (!part.empty()) out += (out.empty() ? "" : " ") + part;
    }
    return out;
}

std::string expiry_text(const Spread& spread) {
    if (spread.legs.empty()) return "-";
    const auto [near, far] = std::minmax_element(
        spread.legs.begin(), spread.legs.end(),
        [](const SpreadLeg& a, const SpreadLeg& b) { return a.expiry < b.expiry; });
    std::string out = date_text(near->expiry);
    if (far->expiry != near->expiry) {
        const std::string back = date_text(far->expiry);
        const bool same_year = far->expiry / 10'000 == near->expiry / 10'000;
        out += '/' + (same_year ? back.substr(5) : back);
    }
    return out + (near->settlement == market::Settlement::am ? " am" : "");
}

std::string net_text(double net_price) {
    if (!std::isfinite(net_price)) return "-";
    return fmt::format("{:.2f} {}", std::fabs(net_price), net_price < 0.0 ? "cr" : "db");
}

std::string format_table(const ScanResult& result, std::size_t rows, bool explain) {
    std::vector<Row> table(1);
    std::copy(kHeadings.begin(), kHeadings.end(), table[0].begin());
    for (std::size_t i = 0; i < std::min(rows, result.spreads.size()); ++i) {
        table.push_back(row_of(i + 1, result.spreads[i]));
    }
    bool days = false;
    for (std::size_t r = 1; r < table.size(); ++r) {
        days = days || table[r][kDayColumn] != table[1][kDayColumn];
    }
    std::array<std::size_t, kColumns> width{};
    for (const Row& row : table) {
        for (std::size_t c = 0; c < kColumns; ++c) width[c] = std::max(width[c], row[c].size());
    }
    std::string out;
    for (std::size_t r = 0; r < table.size(); ++r) {
        const Row& row = table[r];
        std::string line;
        for (std::size_t c = 0; c < kColumns; ++c) {
            if (c == kDayColumn && !days) continue;
            if (c > 0) line += "  ";
            line += kRight[c] ? fmt::format("{:>{}}", row[c], width[c])
                              : fmt::format("{:<{}}", row[c], width[c]);
        }
        out += line + "\n";
        if (explain && r > 0) {
            out += fmt::format("{:{}}  {}\n", "", width[0], result.spreads[r - 1].reason);
        }
    }
    return out;
}

std::string format_csv(const ScanResult& result) {
    std::string out = "rank,symbol,strategy,expiry,dte,legs,breakevens";
    for (const auto& field : kSpreadNumbers) out += fmt::format(",{}", field.key);
    for (const auto& field : kGreeks) out += fmt::format(",{}", field.key);
    for (const auto name : score::component_names()) out += fmt::format(",score_{}", name);
    out += ",reason,as_of_ms";
    out += '\n';
    std::size_t rank = 0;
    for (const Spread& spread : result.spreads) {
        std::string breakevens;
        for (const double level : spread.breakevens) {
            breakevens += (breakevens.empty() ? "" : " ") + csv_number(level);
        }
        out += fmt::format("{},{},{},{},{},{},{}", ++rank, csv_text(spread.symbol),
                           csv_text(spread.strategy), expiry_text(spread), spread.dte,
                           legs_text(spread), breakevens);
        for (const std::string& number : csv_numbers(spread)) out += ',' + number;
        out += fmt::format(",{},{}\n", csv_text(spread.reason), spread.as_of);
    }
    return out;
}

}  // namespace scanmq::service
