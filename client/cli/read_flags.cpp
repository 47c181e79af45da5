#include "client/cli/read_flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "client/cli/columns_file.hpp"
#include "client/cli/contracts_file.hpp"
#include "client/cli/session.hpp"
#include "client/cli/time_text.hpp"
#include "common/base/nearest.hpp"

namespace scanmq::cli {
namespace {

constexpr std::array kDroppable{market::Reason::crossed, market::Reason::locked,
                                market::Reason::one_sided, market::Reason::no_quote,
                                market::Reason::stale};

// Some sentences name the flag themselves.
Problem flag_problem(const char* flag, const std::string& sentence) {
    return usage_problem(sentence.starts_with(flag) ? sentence
                                                    : fmt::format("{}: {}", flag, sentence));
}

}  // namespace

void add_read_flags(config::Options& declared, ReadFlags& flags) {
    declared.text("columns", flags.columns,
                  "TOML file that says which columns of a CSV hold what (docs/SCANNER.md)");
    declared.text(
        "contracts", flags.contracts,
        "TOML file of what roots are: style, settlement, shares, ticks, margin, and the fee "
        "(docs/contracts.toml)");
    declared.text("symbol", flags.symbol, "Symbol of a file that does not say its own");
    declared.number("spot", flags.spot, {0.0, 1e9}, "",
                    "Price of the underlying, whatever the file says");
    declared.text("as-of", flags.as_of,
                  "Moment to price at, and of quotes whose file does not say it");
    declared.list("drop", flags.drop, ',',
                  "Quotes to leave out: crossed, locked, one_sided, no_quote, stale");
    declared.duration("quote-age", flags.quote_age, {}, "From which age on a quote is stale");
}

Result<ReadSettings, Problem> ReadSettings::make(const config::Options& declared,
                                                 const ReadFlags& flags) {
    ReadSettings out;
    if (!flags.columns.empty()) {
        auto mapping = read_columns_file(flags.columns);
        if (!mapping) return fail(flag_problem("--columns", mapping.error()));
        out.columns_ = *std::move(mapping);
    }
    if (!flags.contracts.empty()) {
        auto table = read_contracts_file(flags.contracts);
        if (!table) return fail(flag_problem("--contracts", table.error()));
        out.contracts_ = *std::move(table);
    }
    out.options_.symbol = flags.symbol;
    if (declared.given("spot")) out.options_.spot = flags.spot;
    if (!flags.as_of.empty()) {
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
        const auto moment = parse_moment(flags.as_of, now);
        if (!moment) return fail(usage_problem("--as-of: " + moment.error()));
        out.options_.as_of = *moment / 1'000'000;
    }
    for (const std::string& name : flags.drop) {
        const auto at = std::find_if(kDroppable.begin(), kDroppable.end(), [&](market::Reason r) {
            return name == market::to_string(r);
        });
        if (at == kDroppable.end()) {
            std::array<std::string_view, kDroppable.size()> names;
            std::transform(kDroppable.begin(), kDroppable.end(), names.begin(),
                           [](market::Reason r) { return market::to_string(r); });
            return fail(usage_problem(
                fmt::format("--drop: there are no quotes \"{}\"; did you mean \"{}\"?", name,
                            nearest_name(name, names))));
        }
        out.options_.quality.drop.insert(*at);
    }
    out.options_.quality.quote_age_max =
        std::chrono::duration_cast<std::chrono::milliseconds>(flags.quote_age);
    return out;
}

market::ReadOptions ReadSettings::options() const {
    market::ReadOptions out = options_;
    out.columns = columns_ ? &*columns_ : nullptr;
    out.contracts = contracts_ ? &*contracts_ : nullptr;
    return out;
}

}  // namespace scanmq::cli
