// scanmq scan: chains in, the best spreads out.

#include <fmt/format.h>

#include "client/cli/command.hpp"
#include "client/cli/read_flags.hpp"
#include "client/cli/scan_request.hpp"
#include "client/cli/scan_run.hpp"
#include "client/cli/session.hpp"
#include "common/config/shared.hpp"

namespace scanmq::cli {
namespace {

struct ScanFlags {
    BrokerOptions broker{.brokers = {}, .name = {}, .timeout = std::chrono::minutes(5)};
    RequestFlags request;
    ReadFlags read;
    std::vector<std::string> labels;
    bool all = false;
    std::string chains;
    std::string local;
    std::uint32_t sample = 0;
    std::uint64_t seed = 1;
    std::string queue = "scans";
    std::uint32_t threads = 1;
    bool progress = false;
    bool csv = false;
    bool explain = false;
    std::string plot;
    std::uint32_t rank = 1;
};

constexpr std::uint32_t kRankMax = service::kLimitMax;

void declare(config::Options& declared, ScanFlags& flags, bool& json) {
    declared.positional("label", flags.labels, false, "Snapshots that the broker has, by label");
    declared.flag("all", flags.all, "The newest snapshot of every label that the broker has");
    declared.text("chains", flags.chains,
                  "File or directory of vendors' chains, stored as snapshots first");
    declared.number("sample", flags.sample, {0U, kSymbolsMax}, "symbols",
                    "Scan a made-up market of so many symbols");
    declared.number("seed", flags.seed, {}, "", "Seed of the made-up market");
    declared.text("local", flags.local,
                  "File or directory of vendors' chains, scanned here without a broker");
    add_read_flags(declared, flags.read);
    add_request_flags(declared, flags.request);
    declared.text("queue", flags.queue, "Queue for the jobs; created when it is not there");
    config::add_threads(declared, flags.threads);
    declared.flag("progress", flags.progress, "Tell the progress even when stderr is no terminal");
    add_broker_options(declared, flags.broker);
    declared.flag("explain", flags.explain, "Below each spread, why its score is what it is");
    declared.flag("csv", flags.csv, "CSV in place of the table");
    declared.text("plot", flags.plot, "With --local: SVG file for the payoff of the best spread");
    declared.number("rank", flags.rank, {1U, kRankMax}, "",
                    "With --plot: the spread to draw, 1 is the best");
    config::add_json(declared, json);
}

ReportFormat format_of(const ScanFlags& flags, bool json) {
    if (json) return ReportFormat::json;
    if (flags.csv) return ReportFormat::csv;
    return flags.explain ? ReportFormat::explained : ReportFormat::text;
}

Outcome run_locally(const ScanFlags& flags, const ReadSettings& settings,
                    const service::ScanRequest& request, bool json) {
    const auto started = std::chrono::steady_clock::now();
    std::vector<ScanFailure> unread;
    auto inputs = read_inputs(flags.local, settings.options(), unread);
    if (!inputs) return fail(inputs.error());
    ScanReport report = scan_locally(request, std::move(*inputs),
                                     {.threads = flags.threads,
                                      .progress = Progress::choose(flags.progress),
                                      .keep_chains = !flags.plot.empty(),
                                      .end = Time(started) + flags.broker.timeout,
                                      .identify = json});
    report.elapsed = std::chrono::steady_clock::now() - started;  // from text to spreads
    report.failures.insert(report.failures.end(), unread.begin(), unread.end());
    const auto merged = take_merged(report, request);
    if (!flags.plot.empty()) {
        const auto drawn = plot_spread(report, merged, request, flags.rank, flags.plot);
        if (!drawn) return fail(drawn.error());
    }
    return print_report(report, merged, format_of(flags, json));
}

Outcome run_by_broker(const ScanFlags& flags, const ReadSettings& settings,
                      const service::ScanRequest& request, bool json) {
    const Progress::Mode progress = Progress::choose(flags.progress);
    std::vector<ScanFailure> unread;
    std::vector<ScanInput> inputs;
    if (!flags.chains.empty()) {
        auto read = read_inputs(flags.chains, settings.options(), unread);
        if (!read) return fail(read.error());
        inputs = std::move(*read);
    } else if (flags.sample > 0) {
        inputs = sample_inputs(flags.sample, flags.seed);
    }
    auto connected = connect(flags.broker);
    if (!connected) return fail(connected.error());
    client::Client& client = **connected;
    if (inputs.empty()) {
        auto found = find_snapshots(client, flags.labels, flags.all);
        if (!found) return fail(found.error());
        inputs = std::move(*found);
    } else if (const auto published = publish(client, inputs, KeepBytes::yes, Progress::Mode::off);
               !published) {
        return fail(published.error());
    }
    auto report =
        scan_by_broker(client, {flags.queue, flags.broker.timeout, progress}, request, inputs);
    if (!report) return fail(report.error());
    report->failures.insert(report->failures.end(), unread.begin(), unread.end());
    const auto merged = take_merged(*report, request);
    return print_report(*report, merged, format_of(flags, json));
}

}  // namespace

Outcome scan(Invocation& invocation) {
    ScanFlags flags;
    config::Options declared(invocation.program, invocation.summary);
    declare(declared, flags, invocation.json);
    if (auto over = parse(declared, invocation)) return *std::move(over);
    const int sources = static_cast<int>(!flags.chains.empty()) +
                        static_cast<int>(!flags.local.empty()) +
                        static_cast<int>(flags.sample > 0) +
                        static_cast<int>(!flags.labels.empty()) + static_cast<int>(flags.all);
    if (sources != 1) {
        return fail(usage_problem(
            fmt::format("{}: give one of --chains PATH, --sample N, --local PATH, --all or "
                        "labels of stored snapshots",
                        sources == 0 ? "nothing to scan" : "several things to scan")));
    }
    if (flags.csv && invocation.json) {
        return fail(usage_problem("--csv and --json are both given; give one of them"));
    }
    if (!flags.plot.empty() && flags.local.empty()) {
        return fail(usage_problem("--plot needs the chain here: scan it with --local PATH"));
    }
    const auto settings = ReadSettings::make(declared, flags.read);
    if (!settings) return fail(settings.error());
    const auto request = make_request(declared, flags.request, &*settings);
    if (!request) return fail(request.error());
    return flags.local.empty() ? run_by_broker(flags, *settings, *request, invocation.json)
                               : run_locally(flags, *settings, *request, invocation.json);
}

}  // namespace scanmq::cli
