#pragma once
// A scan over many chains: through a broker or in this process, with one report for both.
//
// Threads: values; see the functions.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/command.hpp"
#include "client/cli/progress.hpp"
#include "client/cpp/client.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/telemetry/histogram.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::cli {

// One chain to scan. Over a broker it is a snapshot there; in this process it is the chain itself.
struct ScanInput {
    std::string label;   // the snapshot's, shown to people
    std::string symbol;  // for the subject; dots are written '/'
    ContentId snapshot;
    market::Chain chain;
    // What publish() put, in case the broker loses it: a zstd frame of so many bytes, or with 0 the
    // bytes themselves. Empty: it was there, and cannot be put again.
    std::string kept;
    std::uint64_t kept_size{};
};

// A chain that gave no result, and why.
struct ScanFailure {
    std::string label;
    std::string outcome;  // a final outcome, "refused", or "unfinished"
    std::string code;
    std::string sentence;
};

struct ScanReport {
    std::uint64_t jobs{};
    std::uint64_t cached{};        // of those: their result was known; over a broker
    Duration elapsed{};            // from the first submission to the last result
    telemetry::Histogram latency;  // per job, from its submission to its result; over a broker
    std::vector<service::ScanResult> results;
    // In this process, where they are asked for: what was scanned.
    std::vector<std::shared_ptr<const market::Chain>> chains;
    std::vector<ScanFailure> failures;
    std::vector<std::string> warnings;  // sentences for stderr
    bool timed_out = false;
    bool interrupted = false;
};

struct BrokerScan {
    std::string queue = "scans";
    Duration timeout = std::chrono::minutes(5);
    Progress::Mode progress = Progress::Mode::off;
};

// Reads a file or directory of vendors' files or snapshots into inputs, one a chain; what is left
// out is said on stderr and added to failures. Problem: the reader's, with its code.
[[nodiscard]] Result<std::vector<ScanInput>, Problem> read_inputs(
    const std::string& path, const market::ReadOptions& options,
    std::vector<ScanFailure>& failures);
// Made-up chains, the same for the same seed. symbols <= kSymbolsMax.
inline constexpr std::uint32_t kSymbolsMax = 80'000;
[[nodiscard]] std::vector<ScanInput> sample_inputs(std::uint32_t symbols, std::uint64_t seed);

// Puts each chain as a snapshot and drops it from memory; the bytes stay where publish_again() may
// need them.
enum class KeepBytes : std::uint8_t { no, yes };
[[nodiscard]] Result<void, Problem> publish(client::Client& client, std::vector<ScanInput>& inputs,
                                            KeepBytes keep, Progress::Mode progress);
// Puts again what publish() put.
[[nodiscard]] client::Result<ContentId> publish_again(client::Client& client,
                                                      const ScanInput& input);
// The newest snapshot of each label asked for; of all labels when `all`. Problem: unknown_snapshot.
[[nodiscard]] Result<std::vector<ScanInput>, Problem> find_snapshots(
    client::Client& client, const std::vector<std::string>& labels, bool all);

// One job per input, as one group, waited for until all have ended, the time-out or Ctrl-C. A
// snapshot that the broker has lost is put again, if it can be, and its job submitted again.
// Problem: whatever keeps the scan from starting (no queue, no subscription).
[[nodiscard]] Result<ScanReport, Problem> scan_by_broker(client::Client& client,
                                                         const BrokerScan& options,
                                                         const service::ScanRequest& request,
                                                         const std::vector<ScanInput>& inputs);

struct LocalScan {
    std::uint32_t threads = 1;
    Progress::Mode progress = Progress::Mode::off;
    bool keep_chains = false;  // in the report
    Time end = Time::max();    // what is not done by then is given up
    bool identify = false;     // results name their chain's snapshot, which costs encoding it
};

// The same in this process. The report is the same on any number of threads, but for its times.
[[nodiscard]] ScanReport scan_locally(const service::ScanRequest& request,
                                      std::vector<ScanInput> inputs, const LocalScan& options);

// All results of the report as one; takes them out of it.
[[nodiscard]] service::ScanResult take_merged(ScanReport& report,
                                              const service::ScanRequest& request);

// Writes the payoff picture of the spread at `rank` (1 is the best) out of the report's chains.
// Problem: no_spread; usage, no such rank; cannot_write_file.
[[nodiscard]] Result<void, Problem> plot_spread(const ScanReport& report,
                                                const service::ScanResult& merged,
                                                const service::ScanRequest& request,
                                                std::uint32_t rank, const std::string& path);

enum class ReportFormat : std::uint8_t { text, explained, json, csv };

// Prints table (explained: with the reason of each score) and summary line, the JSON object of docs/CLI.md#scan or CSV, and says what failed on
// stderr. ok, partial or timed_out.
[[nodiscard]] ExitCode print_report(const ScanReport& report, const service::ScanResult& merged,
                                    ReportFormat format);

}  // namespace scanmq::cli
