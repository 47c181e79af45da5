#include "broker/store/sync_gap.hpp"

#include <algorithm>
#include <thread>

namespace scanmq::broker {

bool SyncGap::silent(Time now) const noexcept {
    return !busy_.load(std::memory_order_acquire) &&
           now - ended_.load(std::memory_order_relaxed) >= kSilence;
}

std::optional<Time> SyncGap::look_again(Time asked, Time now) const noexcept {
    const Time until = asked + kWaitMax;
    if (now >= until || now < no_wait_until_ || silent(now)) return std::nullopt;
    const bool busy = busy_.load(std::memory_order_acquire);
    const Time ended = ended_.load(std::memory_order_relaxed);
    return std::min((busy ? now : ended) + kSilence, until);
}

void SyncGap::synced(Time now) noexcept {
    if (silent(now)) return;
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
    synced(now);
}

}  // namespace scanmq::broker
