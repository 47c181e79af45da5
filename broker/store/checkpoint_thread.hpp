#pragma once
// CheckpointThread: runs a Checkpoint beside the broker's loop: after so many bytes, after so much
//                   time, or when asked to.
//
// Threads:   its own; the public functions are the loop's. `done` callbacks come on its own thread.
// Owns:      the thread. Borrows: Checkpoint (outlives this), which nobody else may run meanwhile.
// Errors:    full: kept for error() and told to the callbacks, tried again when it is asked to, or
//            after Options::interval. Others: kept, and it does nothing any more; the broker stops.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "broker/store/checkpoint.hpp"

namespace scanmq::broker {

class CheckpointThread {
  public:
    struct Options {
        std::uint64_t bytes = 64U << 20;              // appended since the last one began
        Duration interval = std::chrono::seconds(5);  // after the first append since then
    };
    using Outcome = Result<Checkpoint::Step, StateError>;
    using Callback = std::function<void(const Outcome&)>;

    // `wake` is called after each run, from its thread.
    CheckpointThread(Checkpoint& checkpoint, const Options& options, std::function<void()> wake);
    // Waits for the run that is under way; callbacks not yet called are dropped.
    ~CheckpointThread();
    CheckpointThread(const CheckpointThread&) = delete;
    CheckpointThread& operator=(const CheckpointThread&) = delete;

    // So many bytes were appended to the log.
    void appended(std::uint64_t bytes);
    // Runs now, until nothing is left that is durable when it begins; then `done`, if there is one.
    void run_now(Callback done = {});

    // What the last run ended with; none when it was well. Any thread.
    [[nodiscard]] std::optional<StateError> error() const;
    // error() has one. Any thread; takes no lock.
    [[nodiscard]] bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }
    // Everything up to here is in the state. Any thread.
    [[nodiscard]] LogPosition position() const noexcept {
        return position_.load(std::memory_order_acquire);
    }

  private:
    void loop();
    void run(std::unique_lock<std::mutex>& lock);

    Checkpoint* checkpoint_;
    const Options options_;
    std::function<void()> wake_;
    mutable std::mutex mutex_;
    // Guarded by mutex_:
    std::condition_variable changed_;
    std::uint64_t bytes_ = 0;
    std::chrono::steady_clock::time_point due_{};  // when bytes_ > 0
    bool asked_ = false;
    bool stopping_ = false;
    std::vector<Callback> callbacks_;
    std::optional<StateError> error_;

    std::atomic<LogPosition> position_{0};
    std::atomic<bool> failed_{false};
    std::thread thread_;
};

}  // namespace scanmq::broker
