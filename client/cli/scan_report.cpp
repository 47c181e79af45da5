// What a scan prints: a table and a summary line, one JSON object, or CSV; and its picture.

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/cli/files.hpp"
#include "client/cli/payoff_plot.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "client/cli/table.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "scanner/service/table.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

double micros(Duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
}
double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

double jobs_per_second(const ScanReport& report) {
    const double elapsed = seconds(report.elapsed);
    return elapsed > 0.0 ? static_cast<double>(report.latency.count()) / elapsed : 0.0;
}

void print_json(const ScanReport& report, const service::ScanResult& merged) {
    Json failures = Json::array();
    for (const ScanFailure& failure : report.failures) {
        failures.push_back({{"label", failure.label},
                            {"outcome", failure.outcome},
                            {"code", failure.code},
                            {"sentence", failure.sentence}});
    }
    const auto document = Json::parse(service::encode(merged, service::Encoding::json));
    Json out;
    out["jobs"] = report.jobs;
    out["cached"] = report.cached;
    out["seconds"] = seconds(report.elapsed);
    out["jobs_per_s"] = jobs_per_second(report);
    out["latency_us"] = {{"p50", micros(report.latency.percentile(0.50))},
                         {"p90", micros(report.latency.percentile(0.90))},
                         {"p99", micros(report.latency.percentile(0.99))},
                         {"max", micros(report.latency.max())}};
    out["failed"] = std::move(failures);
    for (const auto& [key, value] : document.items()) out[key] = value;
    fmt::print("{}\n", out.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// What a scan without spreads was emptied by, from its counts.
std::string why_empty(const ScanReport& report, const service::ScanResult& merged) {
    const service::Counts& counts = merged.counts;
    if (merged.sources.empty()) {
        return report.failures.empty() ? "Nothing was scanned."
                                       : "Nothing was scanned, see the errors.";
    }
    std::string why;
    const auto add = [&why](std::uint64_t count, std::string_view what) {
        if (count == 0) return;
        why += fmt::format("{}{} {}", why.empty() ? "" : "; ", grouped(count), what);
    };
    add(counts.contracts_not_tradable, "contracts are expired or past their last trade");
    add(counts.contracts_unpriced,
        "contracts are of expiries without a forward or a volatility (scanmq chain show says why)");
    add(counts.legs_unquoted, "sides of contracts have no quote to trade at");
    add(counts.legs_crossed, "sides of contracts are bid above the ask");
    add(counts.lanes_without_stock, "expiries are of an index, of which there are no shares");
    for (const service::FilterCount& filter : counts.filters) {
        add(filter.removed, fmt::format("of {} do not pass the filter {}",
                                        grouped(filter.evaluated), printable(filter.type)));
    }
    if (counts.candidates == 0 && counts.legs > 0) {
        why += fmt::format("{}what is left has no strikes that make a spread",
                           why.empty() ? "" : "; ");
    }
    add(counts.arbitrage_quote, "are arbitrage quotes (--json lists them)");
    add(counts.no_risk, "have no maximum loss above 0");
    add(counts.no_profit, "have no maximum profit of a tick");
    add(counts.no_value, "have a later leg that cannot be repriced");
    add(counts.unscored, "have no score");
    return fmt::format("No spread of {} contracts, {} candidates{}{}.", grouped(counts.contracts),
                       grouped(counts.candidates), why.empty() ? "" : ": ", why);
}

void print_text(const ScanReport& report, const service::ScanResult& merged, bool explain) {
    if (merged.spreads.empty()) {
        fmt::print("{}\n", why_empty(report, merged));
    } else {
        fmt::print("{}", service::format_table(merged, merged.spreads.size(), explain));
    }
    fmt::print(
        "\n{} in {:.3f} s, {:.1f} jobs/s, latency p50 {:.0f} us, p99 {:.0f} us; {} candidates "
        "of {} contracts{}\n",
        report.jobs == 1 ? std::string("1 job") : fmt::format("{} jobs", report.jobs),
        seconds(report.elapsed), jobs_per_second(report), micros(report.latency.percentile(0.50)),
        micros(report.latency.percentile(0.99)), grouped(merged.counts.candidates),
        grouped(merged.counts.contracts),
        report.failures.empty() ? std::string{}
                                : fmt::format("; {} failed", report.failures.size()));
}

}  // namespace

service::ScanResult take_merged(ScanReport& report, const service::ScanRequest& request) {
    auto merged = service::merge_results(std::move(report.results), request.limit);
    if (merged.sources.size() == 1) merged.snapshot = merged.sources.front().snapshot;
    return merged;
}

Result<void, Problem> plot_spread(const ScanReport& report, const service::ScanResult& merged,
                                  const service::ScanRequest& request, std::uint32_t rank,
                                  const std::string& path) {
    if (merged.spreads.empty()) {
        return fail(Problem{ExitCode::failed, "no_spread",
                            "there is no spread to draw; the scan without --plot says why"});
    }
    if (rank > merged.spreads.size()) {
        return fail(
            usage_problem(fmt::format("--plot: there is no spread of rank {}, the scan found {}",
                                      rank, merged.spreads.size())));
    }
    const service::Spread& spread = merged.spreads[rank - 1];
    for (const auto& chain : report.chains) {
        if (chain->symbol != spread.symbol) continue;
        if (!request.as_of && chain->as_of != spread.as_of) continue;
        const auto priced =
            market::price_chain(chain, service::pricing_options(request, chain->symbol));
        if (!holds(priced, spread)) continue;
        const Chart chart = payoff_chart(priced, spread);
        return write_file(path, svg_document(std::span(&chart, 1), 1));
    }
    return fail(Problem{ExitCode::failed, "internal",
                        fmt::format("the chain of {} {} is gone", spread.symbol, spread.strategy)});
}

ExitCode print_report(const ScanReport& report, const service::ScanResult& merged,
                      ReportFormat format) {
    switch (format) {
        case ReportFormat::json:
            print_json(report, merged);
            break;
        case ReportFormat::csv:
            fmt::print("{}", service::format_csv(merged));
            break;
        case ReportFormat::text:
        case ReportFormat::explained:
            print_text(report, merged, format == ReportFormat::explained);
            break;
    }
    for (const std::string& warning : report.warnings) {
        fmt::print(stderr, "scanmq scan: {}\n", printable(warning));
    }
    for (const ScanFailure& failure : report.failures) {
        fmt::print(stderr, "scanmq scan: {}: {}: {}: {}\n", printable(failure.label),
                   failure.outcome, failure.code, printable(failure.sentence));
    }
    if (report.timed_out) return ExitCode::timed_out;
    return report.failures.empty() && !report.interrupted ? ExitCode::ok : ExitCode::partial;
}

}  // namespace scanmq::cli
