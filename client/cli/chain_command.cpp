// scanmq chain show: what a file of quotes says, and what of it was left out.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "client/cli/chain_summary.hpp"
#include "client/cli/deadline.hpp"
#include "client/cli/figures.hpp"
#include "client/cli/files.hpp"
#include "client/cli/read_flags.hpp"
#include "client/cli/session.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kPanels = 4;  // of the picture, where no expiry is named

struct Shown {
    market::PricedChain priced;
    std::vector<ExpirySummary> expiries;
};

Json counts_json(const market::ReasonCounts& counts) {
    Json out = Json::object();
    for (std::size_t i = 0; i < market::kReasons; ++i) {
        const auto reason = static_cast<market::Reason>(i);
        if (counts[reason] > 0) out[market::to_string(reason)] = counts[reason];
    }
    return out;
}

void print_json(const market::ReadReport& report, const std::vector<Shown>& chains) {
    Json failed = Json::array();
    for (const market::Error& error : report.files_failed) {
        failed.push_back({{"code", market::to_string(error.code)}, {"sentence", error.message}});
    }
    Json list = Json::array();
    for (const Shown& each : chains) list.push_back(summary_json(each.priced, each.expiries));
    const Json out{{"files", report.files},
                   {"rows", report.rows},
                   {"contracts", report.contracts},
                   {"saturdays", report.saturdays},
                   {"interpolated", report.interpolated},
                   {"left_out", counts_json(report.skipped)},
                   {"marked", counts_json(report.flagged)},
                   {"spots_dropped", report.spots_dropped},
                   {"files_unknown", report.files_unknown},
                   {"files_failed", std::move(failed)},
                   {"chains", std::move(list)}};
    fmt::print("{}\n", out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string moment_text(WallMillis moment) {
    const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds{moment}};
    const auto day = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date{day};
    const auto minute = std::chrono::floor<std::chrono::minutes>(at - day).count();
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       minute / 60, minute % 60);
}

void print_chain(const Shown& shown_chain) {
    const market::PricedChain& priced = shown_chain.priced;
    const market::Chain& chain = *priced.chain;
    fmt::print("{}: {} contracts of {} expiries, quotes of {}, {}, {}\n", printable(chain.symbol),
               grouped(chain.size()), chain.expiries.size(), moment_text(chain.as_of),
               chain.style == market::ExerciseStyle::american ? "american" : "european",
               printable(chain.source));
    std::string spot = shown(priced.spot, 2);
    if (priced.spot_is_implied) {
        spot += std::isfinite(chain.spot)
                    ? fmt::format(" (implied; the file says {})", shown(chain.spot, 2))
                    : " (implied; the file has none)";
    }
    fmt::print("spot {}, rate at one year {:.4f} ({})\n", spot, priced.rate,
               market::to_string(priced.rate_source));
    const auto carried = std::ranges::count_if(shown_chain.expiries, [](const ExpirySummary& each) {
        return each.market->forward_is_carried;
    });
    if (carried > 0) {
        fmt::print(
            "{} of {} forwards are carried: the spot's, at the rate, as no strike near the money "
            "has a quoted call and put\n",
            carried, shown_chain.expiries.size());
    }
    fmt::print("\n{}\n", summary_table(shown_chain.expiries).text());
}

void print_report(const market::ReadReport& report) {
    fmt::print("{} rows read, {} contracts kept\n", grouped(report.rows),
               grouped(report.contracts));
    for (const std::string& line : market::report_lines(report)) {
        fmt::print("{}\n", printable(line));
    }
}

// The one chain that a picture is of.
Result<const Shown*, Problem> choose(const std::vector<Shown>& chains) {
    if (chains.size() == 1) return &chains[0];
    return fail(usage_problem(fmt::format(
        "--plot is for one chain, and there are {}; choose one with --chain, such as {}@{}",
        chains.size(), chains[0].priced.chain->symbol,
        date_text(chains[0].priced.chain->as_of_date))));
}

Result<void, Problem> plot(const std::vector<Shown>& chains, bool all_named,
                           const std::string& path) {
    const auto chosen = choose(chains);
    if (!chosen) return fail(chosen.error());
    const Shown& shown = **chosen;
    const auto charts =
        smile_charts(shown.priced, shown.expiries, all_named ? kSmilePanelsMax : kPanels);
    if (charts.empty()) {
        return fail(Problem{ExitCode::failed, "no_smile",
                            "no expiry that is shown has a forward and a volatility; the table "
                            "without --plot says why"});
    }
    return write_file(path, svg_document(charts, charts.size() > 1 ? 2 : 1));
}

struct ChainFlags {
    std::string path;
    std::string chain;
    std::vector<std::string> expiries;
    double rate{};
    Duration timeout = std::chrono::minutes(5);
    std::string plot;
};

bool is_named(const market::Chain& chain, std::string_view name) {
    return name.empty() || name == chain.symbol ||
           name == fmt::format("{}@{}", chain.symbol, date_text(chain.as_of_date));
}

Result<std::vector<Shown>, Problem> price_all(market::ReadReport& report, const ChainFlags& flags,
                                              const market::PricingOptions& options) {
    std::vector<ExpiryChoice> choices;
    for (const std::string& text : flags.expiries) {
        auto choice = parse_expiry_choice(text);
        if (!choice) return fail(usage_problem("--expiry: " + choice.error()));
        choices.push_back(*std::move(choice));
    }
    std::vector<Shown> out;
    for (market::Chain& chain : report.chains) {
        if (!is_named(chain, flags.chain)) continue;
        Shown shown{
            market::price_chain(std::make_shared<const market::Chain>(std::move(chain)), options),
            {}};
        shown.expiries = summarise(shown.priced, choices);
        if (choices.empty() || !shown.expiries.empty()) out.push_back(std::move(shown));
    }
    if (out.empty()) {
        return fail(
            Problem{ExitCode::failed, "no_contracts",
                    fmt::format("{}: there is no such chain or expiry; scanmq chain show {} "
                                "without --chain and --expiry lists them",
                                flags.path, flags.path)});
    }
    return out;
}

}  // namespace

Outcome chain_show(Invocation& invocation) {
    ChainFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    declared.positional("file", flags.path, true,
                        "File or directory of vendors' chains or snapshots");
    declared.text("chain", flags.chain,
                  "Only this one of several: SPX, or SPX@2024-06-21 for a day");
    declared.list("expiry", flags.expiries, ',',
                  "Only these expiries: 2024-06-21, or SPXW@2024-06-21 for one root");
    declared.number("rate", flags.rate, {-1.0, 1.0}, "per year",
                    "Continuous rate, in place of the one fitted to the chain");
    declared.text("plot", flags.plot,
                  "SVG file for the smiles: quotes and curve of the expiries named, else of a few");
    ReadFlags read_flags;
    add_read_flags(declared, read_flags);
    declared.duration("timeout", flags.timeout,
                      {std::chrono::milliseconds(1), std::chrono::hours(24 * 7)},
                      "How long it may take");
    config::add_json(declared, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);

    const auto settings = ReadSettings::make(declared, read_flags);
    if (!settings) return fail(settings.error());
    const Time end = Time(std::chrono::steady_clock::now()) + flags.timeout;
    auto report = market::read_chains(flags.path, settings->options());
    if (!report) {
        return fail(Problem{ExitCode::failed, market::to_string(report.error().code),
                            report.error().message});
    }
    // Not before: reading does not look at it, and Ctrl-C ends it at once.
    const Deadline deadline(end);
    market::PricingOptions options;
    if (declared.given("rate")) options.rate = flags.rate;
    options.spot = settings->spot();
    options.as_of = settings->as_of().value_or(0);
    options.cancel = &deadline.over();
    const auto chains = price_all(*report, flags, options);
    if (deadline.over()) {
        return fail(Problem{
            deadline.timed_out() ? ExitCode::timed_out : ExitCode::partial,
            deadline.timed_out() ? "timed_out" : "interrupted",
            fmt::format(
                "{} is not priced yet; give --chain for one of several, or a longer --timeout",
                flags.path)});
    }
    if (!chains) return fail(chains.error());
    for (const Shown& shown : *chains) {
        if (const auto warning = spot_warning(shown.priced, options.spot); !warning.empty()) {
            fmt::print(stderr, "{}: {}\n", invocation.program, printable(warning));
        }
    }
    if (!flags.plot.empty()) {
        if (const auto drawn = plot(*chains, !flags.expiries.empty(), flags.plot); !drawn) {
            return fail(drawn.error());
        }
    }
    if (invocation.json) {
        print_json(*report, *chains);
    } else {
        for (const Shown& shown : *chains) print_chain(shown);
        print_report(*report);
    }
    for (const market::Error& error : report->files_failed) {
        fmt::print(stderr, "{}: {}: {}\n", invocation.program, market::to_string(error.code),
                   printable(error.message));
    }
    return report->files_failed.empty() ? ExitCode::ok : ExitCode::partial;
}

}  // namespace scanmq::cli
