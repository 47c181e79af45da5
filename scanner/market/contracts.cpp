#include "scanner/market/contracts.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "scanner/market/chain_builder.hpp"

namespace scanmq::market {

namespace {

constexpr auto kAm = Settlement::am;
constexpr auto kPm = Settlement::pm;
constexpr auto kEuropean = ExerciseStyle::european;
constexpr auto kAmerican = ExerciseStyle::american;

std::vector<RootSpec> shipped_rows() {
    return {
        {"SPX", "SPX", kAm, kEuropean, 100, 3.0, 0.05, 0.10},
        {"SPXW", "SPX", kPm, kEuropean, 100, 3.0, 0.05, 0.10},
        {"SPXPM", "SPX", kPm, kEuropean, 100, 3.0, 0.05, 0.10},
        {"SPXQ", "SPX", kPm, kEuropean, 100, 3.0, 0.05, 0.10},
        {"XSP", "XSP", kPm, kEuropean},
        {"NDX", "NDX", kAm, kEuropean},
        {"NDXP", "NDX", kPm, kEuropean},
        {"XND", "XND", kPm, kEuropean},
        {"RUT", "RUT", kAm, kEuropean},
        {"RUTW", "RUT", kPm, kEuropean},
        {"MRUT", "MRUT", kPm, kEuropean},
        {"VIX", "VIX", kAm, kEuropean},
        {"VIXW", "VIX", kAm, kEuropean},
        {"DJX", "DJX", kPm, kEuropean},
        {"XEO", "XEO", kPm, kEuropean},
        {"OEX", "OEX", kPm, kAmerican},
        {"MXEA", "MXEA", kAm, kEuropean},
        {"MXEF", "MXEF", kAm, kEuropean},
        {"SPY", "SPY", kPm, kAmerican, 100, 3.0, 0.01, 0.01},
        {"QQQ", "QQQ", kPm, kAmerican, 100, 3.0, 0.01, 0.01},
        {"IWM", "IWM", kPm, kAmerican, 100, 3.0, 0.01, 0.01},
    };
}

}  // namespace

ContractTable::ContractTable(std::vector<RootSpec> rows) : rows_(std::move(rows)) {
    // Of one root the row given last counts, and any before the shipped one.
    std::reverse(rows_.begin(), rows_.end());
    for (auto& row : shipped_rows()) rows_.push_back(std::move(row));
    const auto by_root = [](const RootSpec& a, const RootSpec& b) { return a.root < b.root; };
    const auto same = [](const RootSpec& a, const RootSpec& b) { return a.root == b.root; };
    std::stable_sort(rows_.begin(), rows_.end(), by_root);
    rows_.erase(std::unique(rows_.begin(), rows_.end(), same), rows_.end());
}

const ContractTable& ContractTable::shipped() {
    static const ContractTable table;
    return table;
}

const RootSpec& ContractTable::find(std::string_view root) const noexcept {
    const auto at = std::lower_bound(
        rows_.begin(), rows_.end(), root,
        [](const RootSpec& row, std::string_view wanted) { return row.root < wanted; });
    return at != rows_.end() && at->root == root ? *at : otherwise;
}

// The engine counts ticks in 1.00, so that prices on the grid are the doubles nearest to them.
bool valid_tick(double tick) noexcept {
    if (!(tick >= kTickMin) || tick > 1) return false;
    return std::abs(1.0 / tick - std::round(1.0 / tick)) < 1e-9 / tick;
}

std::string spec_problem(const RootSpec& spec) {
    if (!valid_symbol(spec.root)) return "a root has 1 to 16 characters without blanks";
    if (!spec.symbol.empty() && !valid_symbol(spec.symbol)) {
        return "a symbol has 1 to 16 characters without blanks";
    }
    if (spec.multiplier == 0 || spec.multiplier > 1'000'000) {
        return "multiplier must lie between 1 and 1000000";
    }
    if (!(spec.tick_threshold >= 0) || !std::isfinite(spec.tick_threshold)) {
        return "tick_threshold must be a price";
    }
    if (!valid_tick(spec.tick_below) || !valid_tick(spec.tick_above)) {
        return "a tick must divide 1.00, like 0.01, 0.05 or 0.10";
    }
    return {};
}

}  // namespace scanmq::market
