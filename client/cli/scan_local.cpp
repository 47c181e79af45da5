// The scan in this process, without a broker.

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "client/cli/chain_summary.hpp"
#include "client/cli/deadline.hpp"
#include "client/cli/scan_run.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::cli {

ScanReport scan_locally(const service::ScanRequest& request, std::vector<ScanInput> inputs,
                        const LocalScan& options) {
    const auto now = [] { return Time(std::chrono::steady_clock::now()); };
    const Deadline deadline(options.end);
    ScanReport report;
    report.jobs = inputs.size();
    Progress progress(options.progress);
    // By input: on any number of threads the same results in the same order.
    std::vector<std::optional<service::ScanResult>> results(inputs.size());
    std::vector<std::optional<ScanFailure>> failures(inputs.size());
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    if (options.keep_chains) report.chains.resize(inputs.size());
    const Time started = now();
    std::atomic<std::size_t> next{0};
    std::mutex mutex;  // guards all of the above but the elements, which have one writer each
    const auto work = [&] {
        for (std::size_t i = next++; i < inputs.size(); i = next++) {
            const Time begun = now();
            const auto chain = std::make_shared<const market::Chain>(std::move(inputs[i].chain));
            if (options.keep_chains) report.chains[i] = chain;
            if (deadline.over()) {
                failures[i] = ScanFailure{inputs[i].label, "unfinished",
                                          service::to_string(service::ErrorCode::cancelled),
                                          "the scan was over before this chain's turn"};
                const std::scoped_lock lock(mutex);
                progress.update(++done, inputs.size(), ++failed, now());
                continue;
            }
            auto pricing = service::pricing_options(request, chain->symbol);
            pricing.cancel = &deadline.over();
            const auto priced = market::price_chain(chain, pricing);
            auto result = service::scan(priced, request, &deadline.over());
            if (result) {
                if (options.identify) {
                    result->snapshot = content_id(market::encode_snapshot(*chain)).hex();
                }
                results[i] = std::move(*result);
            } else {
                const bool given_up = result.error().code == service::ErrorCode::cancelled;
                failures[i] =
                    ScanFailure{inputs[i].label, given_up ? "unfinished" : "rejected",
                                service::to_string(result.error().code), result.error().message};
            }
            const std::scoped_lock lock(mutex);
            report.latency.record(now() - begun);
            failed += failures[i] ? 1 : 0;
            progress.update(++done, inputs.size(), failed, now());
            if (auto warning = spot_warning(priced, pricing.spot); !warning.empty()) {
                report.warnings.push_back(std::move(warning));
            }
        }
    };
    std::vector<std::jthread> helpers;
    for (std::uint32_t t = 1; t < std::min<std::size_t>(options.threads, inputs.size()); ++t)
        helpers.emplace_back(work);
    work();
    helpers.clear();  // joins
    for (auto& result : results) {
        if (result) report.results.push_back(std::move(*result));
    }
    for (auto& failure : failures) {
        if (failure) report.failures.push_back(std::move(*failure));
    }
    std::ranges::sort(report.warnings);
    report.interrupted = deadline.interrupted();
    report.timed_out = deadline.timed_out() && !report.failures.empty();
    report.elapsed = now() - started;
    return report;
}

}  // namespace scanmq::cli
