#include "broker/core/codel.hpp"

#include <algorithm>
#include <cmath>

namespace scanmq::broker {

bool Codel::judge(Duration waited, Duration target, Time now) noexcept {
    if (waited <= target) {
        late_ = shedding_ = false;
        return false;
    }
    if (!late_) {
        late_ = true;
        late_since_ = now;
    }
    if (now - late_since_ < kInterval) return false;
    if (!shedding_) begin(now);
    return now >= next_;
}

// A spell soon after another one goes on with about the pace that was enough before.
void Codel::begin(Time now) noexcept {
    constexpr int kSoon = 16;
    const std::uint64_t last = count_ - resumed_;
    const bool soon = count_ > 0 && now - next_ < kSoon * kInterval;
    shedding_ = true;
    count_ = soon && last > 1 ? last : 1;
    resumed_ = count_;
    next_ = now;
}

void Codel::shed(Time now) noexcept {
    const auto pause = std::chrono::duration<double>(kInterval) / std::sqrt(count_);
    next_ = std::max(next_, now - kInterval) + std::chrono::duration_cast<Duration>(pause);
    ++count_;
}

}  // namespace scanmq::broker
