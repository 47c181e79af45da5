// The scan in this process, without a broker.

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "client/cli/interrupt.hpp"
#include "client/cli/scan_run.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::cli {

ScanReport scan_locally(const service::ScanRequest& request, std::vector<ScanInput> inputs,
                        std::uint32_t threads, Progress::Mode mode) {
    const auto now = [] { return Time(std::chrono::steady_clock::now()); };
    const Interrupt interrupt(nullptr);
    ScanReport report;
    report.jobs = inputs.size();
    Progress progress(mode);
    const Time started = now();
    std::atomic<std::size_t> next{0};
    std::atomic<bool> cancel{false};
    std::mutex mutex;  // guards report and progress
    const auto work = [&] {
        for (std::size_t i = next++; i < inputs.size(); i = next++) {
            const Time begun = now();
            const auto priced = market::price_chain(
                std::make_shared<const market::Chain>(std::move(inputs[i].chain)),
                service::pricing_options(request));
            auto result = service::scan(priced, request, &cancel);
            const std::scoped_lock lock(mutex);
            report.latency.record(now() - begun);
            if (result) {
                report.results.push_back(std::move(*result));
            } else {
                report.failures.push_back({inputs[i].label, "rejected",
                                           service::to_string(result.error().code),
                                           result.error().message});
            }
            progress.update(report.results.size() + report.failures.size(), inputs.size(),
                            report.failures.size(), now());
            if (interrupt.requested()) {
                report.interrupted = true;
                cancel = true;
            }
        }
    };
    std::vector<std::jthread> helpers;
    for (std::uint32_t t = 1; t < std::min<std::size_t>(threads, inputs.size()); ++t)
        helpers.emplace_back(work);
    work();
    helpers.clear();  // joins
    report.elapsed = now() - started;
    return report;
}

}  // namespace scanmq::cli
