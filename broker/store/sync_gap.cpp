#include "broker/store/sync_gap.hpp"

#include <algorithm>
#include <thread>

namespace scanmq::broker {

std::optional<Time> SyncGap::look_again(Time asked, Time now) const noexcept {
    const Time until = asked + kWaitMax;
    if (now >= until) return std::nullopt;
    if (busy_.load(std::memory_order_relaxed)) return std::min(now + kSilence, until);
    const Time ended = ended_.load(std::memory_order_relaxed);
    // Nothing yet: now - Time::min() would overflow.
    if (ended == Time::min() || now - ended >= kSilence) return std::nullopt;
    return std::min(ended + kSilence, until);
}

void SyncGap::wait(const Clock& clock) noexcept {
    const Time asked = clock.now();
    Time now = asked;
    while (const auto again = look_again(asked, now)) {
        std::this_thread::sleep_until(*again);
        now = clock.now();
    }
    if (now - asked >= kWaitMax) missed_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace scanmq::broker
