#include "scanner/market/contracts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>

#include "common/base/assert.hpp"
#include "scanner/market/chain_builder.hpp"

namespace scanmq::market {

namespace {

constexpr const char* kShippedText =
#include "scanner/market/contracts_shipped.inc"
    ;

struct Field {
    std::string_view name;
    std::string (*set)(RootSpec& spec, const std::string& text);
};

std::string chosen(bool ok, const char* otherwise) { return ok ? std::string{} : otherwise; }

template <auto kMember>
std::string set_number(RootSpec& spec, const std::string& text) {
    auto value = spec.*kMember;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return "write a number";
    spec.*kMember = value;
    return {};
}

constexpr std::array kFields{
    Field{"symbol",
          [](RootSpec& spec, const std::string& text) {
              spec.symbol = text;
              return std::string{};
          }},
    Field{"settlement",
          [](RootSpec& spec, const std::string& text) {
              spec.settlement = text == "am" ? Settlement::am : Settlement::pm;
              return chosen(text == "am" || text == "pm", "write \"am\" or \"pm\"");
          }},
    Field{"style",
          [](RootSpec& spec, const std::string& text) {
              spec.style = text == "european" ? ExerciseStyle::european : ExerciseStyle::american;
              return chosen(text == "european" || text == "american",
                            "write \"european\" or \"american\"");
          }},
    Field{"multiplier", set_number<&RootSpec::multiplier>},
    Field{"tick_threshold", set_number<&RootSpec::tick_threshold>},
    Field{"tick_below", set_number<&RootSpec::tick_below>},
    Field{"tick_above", set_number<&RootSpec::tick_above>},
    Field{"margin_share", set_number<&RootSpec::margin_share>},
    Field{"margin_floor", set_number<&RootSpec::margin_floor>},
    Field{"leverage", set_number<&RootSpec::leverage>},
    Field{"own_forward",
          [](RootSpec& spec, const std::string& text) {
              spec.own_forward = text == "true";
              return chosen(text == "true" || text == "false", "write true or false");
          }},
};

constexpr auto kFieldNames = [] {
    std::array<std::string_view, kFields.size()> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = kFields[i].name;
    return out;
}();

std::string_view trimmed(std::string_view text) noexcept {
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

// Our own file: one table or key a line, no '#' inside a text. A test reads it with a TOML library as well.
void read_shipped(ContractTable& table, std::vector<RootSpec>& rows) {
    constexpr std::string_view kRoots = "[roots.";
    RootSpec* spec = nullptr;
    std::string_view rest(kShippedText);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = trimmed(rest.substr(0, std::min(rest.find('#'), end)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line == "[default]") {
            spec = &table.otherwise;
        } else if (line.substr(0, kRoots.size()) == kRoots) {
            spec = &rows.emplace_back(table.otherwise);
            spec->root = line.substr(kRoots.size(), line.find(']') - kRoots.size());
            spec->symbol = spec->root;
        } else if (const auto equals = line.find('='); equals != std::string_view::npos) {
            const auto name = trimmed(line.substr(0, equals));
            auto value = trimmed(line.substr(equals + 1));
            if (value.front() == '"') value = value.substr(1, value.size() - 2);
            const std::string text(value);
            if (spec != nullptr) {
                const std::string problem = set_field(*spec, name, text);
                SCANMQ_ASSERT(problem.empty());
            } else {
                SCANMQ_ASSERT(name == "fee_per_contract");
                std::from_chars(text.data(), text.data() + text.size(),
                                table.fee_per_contract.emplace());
            }
        }
    }
}

}  // namespace

std::string set_field(RootSpec& spec, std::string_view name, const std::string& text) {
    for (const Field& field : kFields) {
        if (field.name == name) return field.set(spec, text);
    }
    return "there is no such key";
}

std::span<const std::string_view> field_names() noexcept { return kFieldNames; }

ContractTable::ContractTable(std::vector<RootSpec> rows) : ContractTable(shipped()) {
    fee_per_contract.reset();
    // Of one root the row given last counts, and any before the shipped one.
    std::reverse(rows.begin(), rows.end());
    rows.insert(rows.end(), rows_.begin(), rows_.end());
    rows_ = std::move(rows);
    sort();
}

ContractTable::ContractTable(Shipped) {
    read_shipped(*this, rows_);
    sort();
}

void ContractTable::sort() {
    const auto by_root = [](const RootSpec& a, const RootSpec& b) { return a.root < b.root; };
    const auto same = [](const RootSpec& a, const RootSpec& b) { return a.root == b.root; };
    std::stable_sort(rows_.begin(), rows_.end(), by_root);
    rows_.erase(std::unique(rows_.begin(), rows_.end(), same), rows_.end());
}

const ContractTable& ContractTable::shipped() {
    static const ContractTable table{Shipped{}};
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
    if (!(spec.margin_share >= 0 && spec.margin_share <= 1) ||
        !(spec.margin_floor >= 0 && spec.margin_floor <= 1)) {
        return "margin_share and margin_floor must lie between 0 and 1, like 0.15";
    }
    if (!(spec.leverage > 0 && spec.leverage <= kLeverageMax)) {
        return fmt::format("leverage must lie above 0, up to {}", kLeverageMax);
    }
    return {};
}

}  // namespace scanmq::market
