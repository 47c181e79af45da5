#pragma once
// ArrivalTimes: about when the executions of one queue came, by their numbers.
//
// Role:      one per queue. A plain job has no room for a stamp of its own: this tells how long it
//            has waited. Jobs with options have their own stamp (JobExtra::accepted), which is exact.
// Threads:   broker loop only.
// Accuracy:  exact for the newest; of what came earlier, at most kCoarse of its age too late, and
//            never too early: a wait is not told longer than it is.
// Memory:    kSamplesMax times 16 bytes, once that many batches came.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/time.hpp"

namespace scanmq::broker {

class ArrivalTimes {
  public:
    static constexpr std::size_t kSamplesMax = 1'024;
    static constexpr int kCoarse = 32;  // a share: one of so many

    // Those with a number below `end` that were not noted before came now. Times do not fall.
    void note(std::uint64_t end, Time at) {
        if (!samples_.empty() && end <= samples_.back().end) return;
        if (!samples_.empty() && samples_.back().at == at) {
            samples_.back().end = end;
            return;
        }
        if (samples_.size() == kSamplesMax) thin();
        samples_.push_back({end, at});
    }
    // When that one came, or a little later; `unknown` for one that was not noted.
    [[nodiscard]] Time of(std::uint64_t number, Time unknown) const noexcept {
        const auto found =
            std::upper_bound(samples_.begin(), samples_.end(), number,
                             [](std::uint64_t n, const Sample& sample) { return n < sample.end; });
        return found == samples_.end() ? unknown : found->at;
    }

  private:
    struct Sample {
        std::uint64_t end{};
        Time at;
    };
    // Old samples become one where that moves a time by a small share of its age only. What is left
    // grows with the logarithm of the age; should that be too much, every second one goes.
    void thin() {
        const Time now = samples_.back().at;
        std::size_t kept = 0;
        for (std::size_t i = 0; i + 1 < samples_.size(); ++i) {
            const Sample& next = samples_[i + 1];
            const bool merges =
                kept > 0 && (next.at - samples_[kept - 1].at) * kCoarse <= now - next.at;
            if (!merges) samples_[kept++] = samples_[i];
        }
        samples_[kept++] = samples_.back();
        samples_.resize(kept);
        if (kept <= kSamplesMax - kSamplesMax / 8) return;
        std::size_t half = 0;
        for (std::size_t i = 1 - kept % 2; i < kept; i += 2) samples_[half++] = samples_[i];
        samples_.resize(half);
    }

    std::vector<Sample> samples_;
};

}  // namespace scanmq::broker
