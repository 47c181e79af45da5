#include "client/cli/contracts_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/nearest.hpp"
#include "common/config/file.hpp"
#include "common/config/values.hpp"

namespace scanmq::cli {
namespace {

using market::RootSpec;

constexpr std::string_view kDefaultTable = "default";
constexpr std::string_view kRoots = "roots";
constexpr std::string_view kFee = "fee_per_contract";

template <class Names>
std::string unknown(const std::string& place, std::string_view what, std::string_view name,
                    const Names& known) {
    return fmt::format("{}: unknown {} \"{}\"; did you mean \"{}\"?", place, what, name,
                       nearest_name(name, known));
}

// Sets the spec's fields from a table's keys.
Result<void, std::string> take(const config::FileValues& values, RootSpec& spec) {
    for (const auto& [name, value] : values) {
        const auto known = market::field_names();
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return fail(unknown(value.place, "key", name, known));
        }
        const auto wanted = value.values.size() == 1
                                ? market::set_field(spec, name, value.values[0])
                                : std::string("it takes one value");
        if (!wanted.empty()) return fail(fmt::format("{}: {}: {}", value.place, name, wanted));
    }
    return {};
}

// The keys at the top: the fee.
Result<void, std::string> take_top(const config::FileValues& values, market::ContractTable& table) {
    for (const auto& [name, value] : values) {
        if (name != kFee) {
            return fail(unknown(value.place, "key", name, std::array<std::string_view, 1>{kFee}));
        }
        const auto fee = value.values.size() == 1 ? config::parse_decimal(value.values[0])
                                                  : Result<double, std::string>{-1.0};
        if (!fee || !(*fee >= 0 && *fee <= service::kFeeMax)) {
            return fail(fmt::format("{}: {}: write money per contract and side, 0 to {}, like 0.65",
                                    value.place, name, service::kFeeMax));
        }
        table.fee_per_contract = *fee;
    }
    return {};
}

Result<market::ContractTable, std::string> contract_table(const config::FileTables& tables,
                                                          const std::string& path) {
    RootSpec otherwise = market::ContractTable::shipped().otherwise;
    std::vector<RootSpec> rows;
    if (const auto at = tables.find(std::string(kDefaultTable)); at != tables.end()) {
        if (auto taken = take(at->second, otherwise); !taken) return fail(std::move(taken).error());
        otherwise.root = "X";  // any root will do for the check
        const auto problem = market::spec_problem(otherwise);
        if (!problem.empty() || !otherwise.symbol.empty()) {
            return fail(fmt::format("{}: [{}]: {}", path, kDefaultTable,
                                    problem.empty() ? "every root has its own symbol" : problem));
        }
        otherwise.root.clear();
    }
    for (const auto& [name, values] : tables) {
        if (name.empty() || name == kDefaultTable || name == kRoots) continue;
        const std::string prefix = std::string(kRoots) + ".";
        if (name.substr(0, prefix.size()) != prefix) {
            constexpr std::array<std::string_view, 2> kTables{kDefaultTable, kRoots};
            return fail(unknown(path, "table", name, kTables));
        }
        if (rows.size() == market::kRootsMax) {
            return fail(fmt::format("{}: more than {} roots", path, market::kRootsMax));
        }
        RootSpec spec = otherwise;
        spec.root = name.substr(prefix.size());
        spec.symbol = spec.root;
        if (auto taken = take(values, spec); !taken) return fail(std::move(taken).error());
        if (const auto problem = market::spec_problem(spec); !problem.empty()) {
            return fail(fmt::format("{}: [{}]: {}", path, name, problem));
        }
        rows.push_back(std::move(spec));
    }
    market::ContractTable table(std::move(rows));
    table.otherwise = std::move(otherwise);
    if (auto taken = take_top(tables.at(""), table); !taken) return fail(std::move(taken).error());
    return table;
}

// Rows of what differs from what is shipped; `what` is compared, `add` appends.
template <class What, class Add>
void add_other(const market::ContractTable& table, const What& what, const Add& add) {
    const market::ContractTable& shipped = market::ContractTable::shipped();
    const bool others = what(table.otherwise) != what(shipped.otherwise);
    if (others) add(table.otherwise);
    for (const market::RootSpec& spec : table.rows()) {
        // A row for all others would hide those that are as shipped.
        if (others || what(spec) != what(shipped.find(spec.root))) add(spec);
    }
}

}  // namespace

Result<market::ContractTable, std::string> parse_contracts_file(std::string_view text,
                                                                const std::string& path) {
    const auto tables = config::parse_tables(text, path);
    if (!tables) return fail(tables.error());
    return contract_table(*tables, path);
}

Result<market::ContractTable, std::string> read_contracts_file(const std::string& path) {
    const auto tables = config::read_tables(path, "--contracts");
    if (!tables) return fail(tables.error());
    return contract_table(*tables, path);
}

void add_contracts(const market::ContractTable& table, service::ScanRequest& request) {
    if (table.fee_per_contract) request.fee_per_contract = *table.fee_per_contract;
    if (request.ticks.empty()) {
        add_other(
            table,
            [](const RootSpec& spec) {
                return std::tuple(spec.tick_threshold, spec.tick_below, spec.tick_above);
            },
            [&](const RootSpec& spec) {
                request.ticks.push_back(
                    {spec.root, spec.tick_threshold, spec.tick_below, spec.tick_above});
            });
    }
    if (request.margins.empty()) {
        const auto rate = [](const RootSpec& spec) {
            const strategy::MarginRate of = strategy::margin_rate(spec);
            return std::pair(of.share, of.floor);
        };
        add_other(table, rate, [&](const RootSpec& spec) {
            const auto [share, floor] = rate(spec);
            request.margins.push_back({spec.root, share, floor});
        });
    }
}

}  // namespace scanmq::cli
