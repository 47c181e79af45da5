#include "scanner/service/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

namespace scanmq::service {
namespace {

constexpr std::array kHeadings = {"#",    "symbol", "strategy", "expiry",   "dte",
                                  "legs", "net",    "max gain", "max loss", "breakeven",
                                  "pop",  "ev",     "score"};
constexpr std::size_t kColumns = kHeadings.size();
// Numbers are set to the right, names to the left.
constexpr std::array<bool, kColumns> kRight = {true, false, false, false, true, false, true,
                                               true, true,  true,  true,  true, true};

using Row = std::array<std::string, kColumns>;

std::string decimals(double value, int places) {
    return std::isfinite(value) ? fmt::format("{:.{}f}", value, places) : "-";
}

std::string expiry_text(const SpreadLeg& leg) {
    return fmt::format("{:04}-{:02}-{:02}{}", leg.expiry / 10'000, leg.expiry / 100 % 100,
                       leg.expiry % 100, leg.settlement == market::Settlement::am ? " am" : "");
}

// "-4350P +4300P": sign, ratio above one, strike, right.
std::string legs_text(const std::vector<SpreadLeg>& legs) {
    std::string out;
    for (const SpreadLeg& leg : legs) {
        fmt::format_to(std::back_inserter(out), "{}{}{}{:g}{}", out.empty() ? "" : " ",
                       leg.side == strategy::Side::long_leg ? "+" : "-",
                       leg.ratio > 1 ? fmt::format("{}x", leg.ratio) : "", leg.strike,
                       leg.right == market::Right::call ? "C" : "P");
    }
    return out;
}

Row row_of(std::size_t number, const Spread& spread) {
    std::string breakevens;
    for (const double level : spread.breakevens) {
        breakevens += (breakevens.empty() ? "" : " ") + decimals(level, 2);
    }
    return {fmt::format("{}", number),
            spread.symbol,
            spread.strategy,
            spread.legs.empty() ? "-" : expiry_text(spread.legs.front()),
            fmt::format("{}", spread.dte),
            legs_text(spread.legs),
            decimals(spread.net_price, 2),
            decimals(spread.max_profit, 2),
            decimals(spread.max_loss, 2),
            breakevens.empty() ? "-" : breakevens,
            decimals(spread.pop, 3),
            decimals(spread.ev, 3),
            decimals(spread.score, 1)};
}

}  // namespace

std::string format_table(const ScanResult& result, std::size_t rows) {
    std::vector<Row> table(1);
    std::copy(kHeadings.begin(), kHeadings.end(), table[0].begin());
    for (std::size_t i = 0; i < std::min(rows, result.spreads.size()); ++i) {
        table.push_back(row_of(i + 1, result.spreads[i]));
    }
    std::array<std::size_t, kColumns> width{};
    for (const Row& row : table) {
        for (std::size_t c = 0; c < kColumns; ++c) width[c] = std::max(width[c], row[c].size());
    }
    std::string out;
    for (const Row& row : table) {
        std::string line;
        for (std::size_t c = 0; c < kColumns; ++c) {
            if (c > 0) line += "  ";
            line += kRight[c] ? fmt::format("{:>{}}", row[c], width[c])
                              : fmt::format("{:<{}}", row[c], width[c]);
        }
        out += line + "\n";
    }
    return out;
}

}  // namespace scanmq::service
