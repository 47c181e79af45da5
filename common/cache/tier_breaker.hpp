#pragma once
// TierBreaker: whether a shared tier is worth asking.
//
//   closed ──5 calls in a row failed──> open ──1 s, doubling to 30 s──> probing ──good──> closed
//                                        ^                                 └──bad──> open, twice as long
//
// Role:      owned by a tier that asks a server. The probe is the tier's own: no asker waits for it.
// Threads:   its owner's. No clock.
// Doubling:  begins anew after the first good call, so that one whose probes are good and whose calls
//            fail is tried ever more seldom, too.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/base/time.hpp"

namespace scanmq::cache {

class TierBreaker {
  public:
    enum class State : std::uint8_t { closed, open, probing };

    struct Options {
        std::uint32_t failures_in_row = 5;
        Duration open_first = std::chrono::seconds(1);
        Duration open_max = std::chrono::seconds(30);
    };

    explicit TierBreaker(const Options& options) : options_(options) {}

    [[nodiscard]] State state() const noexcept { return state_; }
    // Whether a call may be made now.
    [[nodiscard]] bool allows() const noexcept { return state_ == State::closed; }
    // What came of a call. Those that were made before it opened say nothing any more.
    void succeeded() noexcept {
        if (state_ != State::closed) return;
        in_row_ = 0;
        open_for_ = Duration::zero();
    }
    void failed(Time now) noexcept {
        if (state_ == State::closed && ++in_row_ >= options_.failures_in_row) open(now);
    }
    // True once, when it is time for a probe; the caller makes one and says what came of it.
    [[nodiscard]] bool probe_due(Time now) noexcept {
        if (state_ != State::open || now < open_until_) return false;
        state_ = State::probing;
        return true;
    }
    // What came of a probe, or of anything else that is as good as one while it is not closed.
    void probe_ended(bool good, Time now) noexcept {
        if (state_ == State::closed) return;
        if (!good) return open(now);
        state_ = State::closed;
        in_row_ = 0;
    }
    // When probe_due() has something to say.
    [[nodiscard]] std::optional<Time> next_deadline() const noexcept {
        return state_ == State::open ? std::optional(open_until_) : std::nullopt;
    }
    [[nodiscard]] std::uint64_t opened() const noexcept { return opened_; }

  private:
    void open(Time now) noexcept {
        if (state_ == State::closed) ++opened_;
        open_for_ = std::clamp(2 * open_for_, options_.open_first, options_.open_max);
        open_until_ = now + open_for_;
        state_ = State::open;
    }

    Options options_;
    State state_ = State::closed;
    std::uint32_t in_row_ = 0;
    Duration open_for_{};
    Time open_until_{};
    std::uint64_t opened_ = 0;
};

}  // namespace scanmq::cache
