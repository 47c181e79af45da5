#include "broker/store/sync_gap.hpp"

#include <algorithm>
#include <thread>

namespace scanmq::broker {

Time SyncGap::silent_from(Time now) const noexcept {
    const bool busy = busy_.load(std::memory_order_acquire);
    return (busy ? now : ended_.load(std::memory_order_relaxed)) + kSilence;
}

std::optional<Time> SyncGap::look_again(Time asked, Time now) const noexcept {
    const Time until = asked + kWaitMax;
    const Time silent = silent_from(now);
    if (now >= until || now < no_wait_until_ || now >= silent) return std::nullopt;
    return std::min(silent, until);
}

void SyncGap::begins_sync(Time now) noexcept {
    if (now >= silent_from(now)) return;
    missed_.fetch_add(1, std::memory_order_relaxed);
    if (now >= no_wait_until_) no_wait_until_ = now + kNoWait;
}

void SyncGap::wait(const Clock& clock) noexcept {
    const Time asked = clock.now();
    Time now = asked;
    while (const auto again = look_again(asked, now)) {
        std::this_thread::sleep_until(*again);
        now = clock.now();
    }
    begins_sync(now);
}

}  // namespace scanmq::broker
