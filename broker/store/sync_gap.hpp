#pragma once
// SyncGap: when a sync that can wait keeps no job waiting.
//
// Role:      the job log and the blobs share a disk: a sync of the log that meets one of blobs waits
//            for its bytes too, and the jobs behind it. So blobs are synced while the log is silent. A
//            silence that has lasted for kSilence goes on, mostly: a job's own syncs, when it is
//            accepted and when it is done, follow each other faster.
// Threads:   begins() and ended() on the log's, wait() on one other, missed() on any.
// Bounded:   after kWaitMax of a busy log it is synced all the same, and for kNoWait no other sync waits:
//            a log that busy stays so, and puts slow down by a tenth at most.

#include <atomic>
#include <cstdint>
#include <optional>

#include "common/base/time.hpp"

namespace scanmq::broker {

class SyncGap {
  public:
    static constexpr Duration kSilence = std::chrono::microseconds(500);
    static constexpr Duration kWaitMax = std::chrono::milliseconds(5);
    static constexpr Duration kNoWait = std::chrono::milliseconds(50);

    // Around what the log writes and syncs.
    void begins() noexcept { busy_.store(true, std::memory_order_relaxed); }
    void ended(Time now) noexcept {
        ended_.store(now, std::memory_order_relaxed);
        busy_.store(false, std::memory_order_release);
    }

    // When to look again; nullopt: sync now. The rule behind wait().
    [[nodiscard]] std::optional<Time> look_again(Time asked, Time now) const noexcept;
    // The sync begins now: counts it when there is no silence, after which others do not wait.
    void begins_sync(Time now) noexcept;
    // Sleeps until a sync hurts no job, or for kWaitMax.
    void wait(const Clock& clock) noexcept;

    // Syncs that found no silence.
    [[nodiscard]] std::uint64_t missed() const noexcept {
        return missed_.load(std::memory_order_relaxed);
    }

  private:
    // When the silence has lasted, if nothing more comes.
    [[nodiscard]] Time silent_from(Time now) const noexcept;

    std::atomic<bool> busy_{false};
    std::atomic<Time> ended_{Time()};
    std::atomic<std::uint64_t> missed_{0};
    Time no_wait_until_{};
};

}  // namespace scanmq::broker
