// scanmq price | iv: an option's value and Greeks, and a price's implied volatility.

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "client/cli/figures.hpp"
#include "client/cli/files.hpp"
#include "client/cli/option_input.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "client/cli/valuation.hpp"
#include "common/config/shared.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* style_name(market::ExerciseStyle style) {
    return style == market::ExerciseStyle::american ? "american" : "european";
}

// What was asked, as a program may ask it again.
Json describe(const OptionInput& option) {
    Json out{{option.on_forward ? "forward" : "spot", option.underlying},
             {"strike", option.strike},
             {"years", option.years},
             {"rate", option.rate}};
    if (!option.on_forward) out["yield"] = option.yield;
    out["right"] = strategy::to_string(option.right);
    out["style"] = style_name(option.style);
    Json dividends = Json::array();
    for (const CashDividend& dividend : option.dividends) {
        dividends.push_back({{"years", dividend.years}, {"amount", dividend.amount}});
    }
    out["dividends"] = std::move(dividends);
    return out;
}

std::vector<Column> option_columns() {
    return {
        {"right"}, {"strike", Align::right}, {"underlying", Align::right}, {"years", Align::right}};
}

std::vector<std::string> option_cells(const OptionInput& option) {
    return {strategy::to_string(option.right), fmt::format("{:g}", option.strike),
            fmt::format("{:g}", option.underlying), fmt::format("{:.4f}", option.years)};
}

// What was asked for, or how the command ended without it.
struct Asked {
    std::vector<OptionInput> options;
    std::optional<Outcome> over;
};

Asked ask(Invocation& invocation, OptionQuestion question) {
    OptionFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    add_option_flags(declared, flags, question);
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return {{}, std::move(over)};
    std::string csv;
    if (!flags.input.empty()) {
        auto read = read_file(flags.input);
        if (!read) return {{}, fail(read.error())};
        csv = *std::move(read);
    }
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    auto options = read_options(flags, csv, question, now);
    if (!options) return {{}, fail(options.error())};
    for (const OptionInput& option : *options) {
        if (auto problem = valuation_problem(option); !problem.empty()) {
            return {{}, fail(usage_problem(std::move(problem)))};
        }
    }
    return {*std::move(options), std::nullopt};
}

void print_options(Json options) {
    fmt::print("{}\n", Json{{"options", std::move(options)}}.dump());
}

}  // namespace

Outcome price_options(Invocation& invocation) {
    auto asked = ask(invocation, OptionQuestion::value);
    if (asked.over) return *std::move(asked.over);
    auto columns = option_columns();
    for (const char* title : {"vol", "value", "delta", "gamma", "vega", "theta", "rho", "theta/day",
                              "vega/pt", "rho/pt"}) {
        columns.push_back({title, Align::right});
    }
    Table table(std::move(columns));
    Json list = Json::array();
    for (const OptionInput& option : asked.options) {
        const Valuation valued = value_option(option);
        const pricing::Greeks& raw = valued.raw;
        if (!invocation.json) {
            auto cells = option_cells(option);
            for (auto& cell : {shown(option.volatility, 4), shown(raw.price, 6),
                               shown(raw.delta, 5), shown(raw.gamma, 6), shown(raw.vega, 4),
                               shown(raw.theta, 4), shown(raw.rho, 4), shown(valued.theta_day, 5),
                               shown(valued.vega_point, 5), shown(valued.rho_point, 5)}) {
                cells.push_back(cell);
            }
            table.add(std::move(cells));
            continue;
        }
        Json row = describe(option);
        row["volatility"] = option.volatility;
        row["value"] = number(raw.price);
        row["greeks"] = {{"delta", number(raw.delta)},
                         {"gamma", number(raw.gamma)},
                         {"vega", number(raw.vega)},
                         {"theta", number(raw.theta)},
                         {"rho", number(raw.rho)}};
        row["shown"] = {{"delta", number(raw.delta)},
                        {"gamma", number(raw.gamma)},
                        {"theta_day", number(valued.theta_day)},
                        {"vega_point", number(valued.vega_point)},
                        {"rho_point", number(valued.rho_point)}};
        list.push_back(std::move(row));
    }
    if (invocation.json) {
        print_options(std::move(list));
    } else {
        fmt::print("{}", table.text());
    }
    return ExitCode::ok;
}

Outcome imply_options(Invocation& invocation) {
    auto asked = ask(invocation, OptionQuestion::implied_volatility);
    if (asked.over) return *std::move(asked.over);
    auto columns = option_columns();
    columns.push_back({"price", Align::right});
    columns.push_back({"volatility", Align::right});
    columns.push_back({"status"});
    Table table(std::move(columns));
    Json list = Json::array();
    bool all = true;
    for (const OptionInput& option : asked.options) {
        const pricing::IvResult implied = imply_volatility(option);
        const char* status = pricing::to_string(implied.status);
        all = all && implied.status == pricing::IvStatus::ok;
        auto cells = option_cells(option);
        cells.push_back(fmt::format("{:g}", option.price));
        cells.push_back(shown(implied.volatility, 8));
        cells.emplace_back(status);
        table.add(std::move(cells));
        Json row = describe(option);
        row["price"] = option.price;
        row["volatility"] = number(implied.volatility);
        row["status"] = status;
        list.push_back(std::move(row));
    }
    if (invocation.json) {
        print_options(std::move(list));
    } else {
        fmt::print("{}", table.text());
    }
    return all ? ExitCode::ok : ExitCode::partial;
}

}  // namespace scanmq::cli
