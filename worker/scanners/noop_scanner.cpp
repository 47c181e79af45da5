#include "worker/scanners/noop_scanner.hpp"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "common/base/rng.hpp"

namespace scanmq::worker {

namespace {

using std::chrono::milliseconds;

constexpr Duration kNap = milliseconds(2);  // how late a cancelled run may end

}  // namespace

NoopScanner::NoopScanner(Options options) : options_(std::move(options)) {
    result_.assign(options_.result_bytes.value_or(0), '\0');
}

void NoopScanner::run(const Task& task, Outcome& out) const noexcept {
    if (options_.service > Duration{} && !sleep(task)) return out.failed("cancelled");
    if (!options_.poison.empty() && task.payload.find(options_.poison) != ByteView::npos) {
        std::abort();
    }
    if (options_.fail_rate > 0.0 && fails()) return out.failed("as --noop-fail-rate asks for");
    out.body = options_.result_bytes ? ByteView(result_) : task.payload;
}

bool NoopScanner::sleep(const Task& task) const noexcept {
    const auto now = [] { return Time(std::chrono::steady_clock::now()); };
    const auto whole = [](Duration duration) {
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<milliseconds>(duration).count());
    };
    const Time begin = now();
    const Time end = begin + options_.service;
    if (task.progress != nullptr) {
        task.progress->total.store(whole(options_.service), std::memory_order_relaxed);
        task.progress->note.store("sleeping", std::memory_order_relaxed);
    }
    for (Time at = begin; at < end; at = now()) {
        if (task.cancelled()) return false;
        if (task.progress != nullptr) {
            task.progress->done.store(whole(at - begin), std::memory_order_relaxed);
        }
        std::this_thread::sleep_for(std::min(kNap, end - at));
    }
    return true;
}

// The n-th run of a seed always ends the same, whichever thread makes it.
bool NoopScanner::fails() const noexcept {
    const std::uint64_t run = runs_.fetch_add(1, std::memory_order_relaxed);
    return Rng(options_.seed ^ (run * 0x9E3779B97F4A7C15ULL)).uniform() < options_.fail_rate;
}

}  // namespace scanmq::worker
