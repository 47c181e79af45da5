#pragma once
// Codel: whether a sheddable job whose turn it is has to go, by how long jobs have waited.
//
// Role:      one per queue; Shedding feeds it.
// Threads:   broker loop only. Pure: time is passed in.
// Source:    Nichols and Jacobson, "Controlling Queue Delay", 2012; RFC 8289. Here a drop is one
//            sheddable job, and what cannot be shed is delivered: what was due meanwhile is made up
//            for, but not more than one interval of it, so that a queue whose turns come seldom is
//            not emptied by one of them.
// See:       docs/PROTOCOL.md, section 8, "Overload"

#include <chrono>
#include <cstdint>

#include "common/base/time.hpp"

namespace scanmq::broker {

class Codel {
  public:
    static constexpr Duration kInterval = std::chrono::milliseconds(100);

    // What has its turn waited so long. True: one is to be shed now; if this one is, shed() follows.
    [[nodiscard]] bool judge(Duration waited, Duration target, Time now) noexcept;
    // The one just judged was shed.
    void shed(Time now) noexcept;

    // One was due, and nothing came in time since.
    [[nodiscard]] bool shedding() const noexcept { return shedding_; }
    // How long everything came late; zero: what came last did not.
    [[nodiscard]] Duration late_for(Time now) const noexcept {
        return late_ ? now - late_since_ : Duration{};
    }

  private:
    void begin(Time now) noexcept;

    bool late_ = false;
    bool shedding_ = false;
    Time late_since_{};
    Time next_{};                // when the next one is due
    std::uint64_t count_ = 0;    // its number in the control law
    std::uint64_t resumed_ = 0;  // the number this spell began with
};

}  // namespace scanmq::broker
