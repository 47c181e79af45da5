#pragma once
// ScanDesk: runs scans on threads, so many at once, so many waiting, each until its deadline.
//
// Role:      admission and execution; what a scan is and who asked is the caller's.
// Threads:   the loop, but for Work::run, which runs on the desk's own threads.
// Ends:      Work::done is called exactly once, on the loop: with the run's outcome, or at once with
//            cancelled, deadline_exceeded or scan_failed. The place is free when the thread is.
// Limits:    concurrency running, queue waiting; beyond, submit() refuses with 429 and a time to come
//            back in.
// Lifetime:  the destructor cancels what runs and waits for it; done is then called no more.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/telemetry/histogram.hpp"
#include "scanner/api/error.hpp"
#include "scanner/service/job.hpp"

namespace scanmq::scand {

using ScanOutcome = Result<std::string, api::Error>;

struct Work {
    std::function<ScanOutcome(const service::ScanHooks&)> run;
    std::function<void(ScanOutcome)> done;
    std::function<void()> started{};  // on the loop, when it gets its place; may be empty
    Duration timeout{};               // waiting included
    Duration slow{};                  // a fault: how long it only holds its place
};

struct DeskStats {
    std::uint64_t running{};  // places taken
    std::uint64_t waiting{};
    std::uint64_t submitted{};
    std::uint64_t completed{};
    std::uint64_t failed{};
    std::uint64_t refused{};  // 429
    std::uint64_t cancelled{};
    std::uint64_t timeouts{};
};

class ScanDesk {
  public:
    class Ticket;
    using Held = std::shared_ptr<Ticket>;

    struct Options {
        std::uint32_t threads = 1;
        std::uint32_t concurrency = 1;
        std::uint32_t queue = 64;
    };
    ScanDesk(boost::asio::io_context& io, const Options& options);
    ~ScanDesk();
    ScanDesk(const ScanDesk&) = delete;
    ScanDesk& operator=(const ScanDesk&) = delete;

    // Error: 429 `busy`; retry_after() says when.
    [[nodiscard]] Result<Held, api::Error> submit(Work work);
    // When a place is likely to be free: what waits at the mean of the latest scans, 1 to 60 s.
    [[nodiscard]] Duration retry_after() const noexcept;

    // Ends it now; nothing when it has ended.
    void cancel(const Held& ticket, api::Error why);
    void cancel_all(const api::Error& why);

    // Steps done and in all; 0 of 0 before it starts.
    [[nodiscard]] static std::pair<std::uint64_t, std::uint64_t> progress(const Ticket& ticket);

    [[nodiscard]] bool idle() const noexcept { return stats_.running == 0 && waiting_.empty(); }
    // Called whenever a scan ends or a place becomes free.
    void on_free(std::function<void()> tell) { on_free_ = std::move(tell); }
    [[nodiscard]] const DeskStats& stats() const noexcept { return stats_; }
    [[nodiscard]] const telemetry::Histogram& run_times() const noexcept { return run_times_; }
    [[nodiscard]] Duration run_time_sum() const noexcept { return run_time_sum_; }

  private:
    void start(const Held& ticket);
    void run(const Held& ticket);
    void on_run(const Held& ticket, ScanOutcome outcome, Duration took);
    void settle(const Held& ticket, ScanOutcome outcome);
    void release();

    boost::asio::io_context& io_;
    const Options options_;
    std::deque<Held> waiting_;
    std::unordered_set<Held> running_;
    DeskStats stats_;
    telemetry::Histogram run_times_;
    Duration run_time_sum_{};
    Duration mean_ = std::chrono::milliseconds(10);  // of the latest, smoothed
    std::function<void()> on_free_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with posted work
    boost::asio::thread_pool pool_;                               // last: joined first
};

}  // namespace scanmq::scand
