#pragma once
// CreditWindow: how much the broker may have sent this worker, on the deliver link of one session.
//
// Role:      owned by WorkerCore. Free slots plus what hides the round trip, never more: long scans
//            are not hoarded, tiny ones keep the pipe full.
// Threads:   worker loop only.
// Slots:     the worker's threads, or as many calls as a remote target takes at once: set_slots().
// Invariant: what is granted and unanswered, and what is kept of former sessions, never pass the
//            largest window there was in the session; the limit falls within a session only by what
//            the broker gave back (reclaimed()).
// Reclaim:   ask_back() after the RECLAIM was sent. Until the answer no limit is raised, and frames
//            carry what was received: no more than the broker has sent, so that they raise nothing.
// See:       docs/PROTOCOL.md, "Credit"; ARCHITECTURE.md, "Credit"

#include <cstdint>

#include "common/base/time.hpp"
#include "common/protocol/credit.hpp"

namespace scanmq::worker {

class CreditWindow {
  public:
    struct Options {
        std::uint32_t threads = 1;
        std::uint32_t items_max = 1024;   // the window's cap; at least `threads`
        std::uint64_t bytes = 16U << 20;  // unanswered bytes, whatever the items
        // A round trip counts as at least this: the broker hands out in batches, and a wake-up on a
        // busy machine costs what the wire does not.
        Duration round_trip_min = std::chrono::milliseconds(1);
        // Every scan is known to take microseconds at most: the window is its cap from the start, and a
        // loop that lost its processor for a moment does not pass for a slow scanner.
        bool always_full = false;
    };

    explicit CreditWindow(const Options& options);

    // From now on so many scans at once; `ahead`: and what hides the round trip.
    void set_slots(std::uint32_t slots, bool ahead) noexcept;

    // A new session: everything counts from zero. What was measured is kept.
    void restart() noexcept;

    // Items arrived. False when they are beyond the limit that was announced: none is counted then.
    [[nodiscard]] bool receive(std::uint64_t items, std::uint64_t bytes) noexcept;
    // Items were answered; they free their place in the window.
    void answer(std::uint64_t items, std::uint64_t bytes) noexcept {
        answered_.items += items;
        answered_.bytes += bytes;
    }

    void add_service(Duration service) noexcept;
    void add_round_trip(Duration round_trip) noexcept;

    // slots + floor(slots x round trip / service), capped; slots x 2 before anything is measured.
    // `busy` slots run for nobody. `running_for` is how long the oldest scan has been running: no
    // scan under way is shorter than that, whatever the average says.
    [[nodiscard]] std::uint32_t items(std::uint32_t busy, Duration running_for) const noexcept;

    // Raises the limit to what the window allows now, less `kept`: attempts of former sessions,
    // which take up the window's places but were never counted in this session.
    void grow(std::uint32_t busy, Duration running_for, protocol::Credit kept = {}) noexcept;
    // True when the limit rose by a quarter of the window or more since it was last announced.
    [[nodiscard]] bool worth_announcing() const noexcept;
    // The limit, taken as told to the broker.
    [[nodiscard]] protocol::Credit announce() noexcept {
        if (!reclaiming_) link_.raise(limit_);
        return link_.told();
    }

    // Granted, and not used by the broker yet.
    [[nodiscard]] std::uint64_t unused() const noexcept { return link_.unused().items; }
    // What is granted and unanswered passes this window so far that it is worth asking back; what
    // has been received beyond it cannot be.
    [[nodiscard]] bool worth_reclaiming(std::uint32_t window) const noexcept;
    // Until reclaimed() or keep() the limit stays, and announce() tells only what has come.
    void ask_back() noexcept {
        reclaiming_ = true;
        link_.ask_back();
    }
    [[nodiscard]] bool reclaiming() const noexcept { return reclaiming_; }
    // The broker's answer: what it had sent is the limit. False: it does not agree with what came.
    [[nodiscard]] bool reclaimed(protocol::Credit sent) noexcept;
    // It will not answer: all stays as it was.
    void keep() noexcept {
        reclaiming_ = false;
        link_.keep();
    }

    [[nodiscard]] protocol::Credit announced() const noexcept { return link_.limit(); }
    [[nodiscard]] std::uint64_t unanswered() const noexcept {
        return link_.received().items - answered_.items;
    }
    [[nodiscard]] bool measured() const noexcept { return service_ns_ >= 0.0; }
    [[nodiscard]] Duration service() const noexcept { return to_duration(service_ns_); }
    [[nodiscard]] Duration round_trip() const noexcept { return to_duration(round_trip_ns_); }

  private:
    static Duration to_duration(double ns) noexcept {
        return Duration(static_cast<Duration::rep>(ns));
    }

    Options options_;
    std::uint32_t slots_;
    bool ahead_ = true;
    bool reclaiming_ = false;
    std::uint32_t window_;  // of the last grow()
    protocol::Credit limit_;
    protocol::CreditReceiver link_;
    protocol::Credit answered_;
    double service_ns_ = -1.0;  // moving averages; negative: not measured
    double round_trip_ns_ = -1.0;
};

}  // namespace scanmq::worker
