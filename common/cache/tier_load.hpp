#pragma once
// TierLoad: how many keys a shared tier is asked for at once, so that what is asked for comes in time.
//
//   answered within half its time: more ──┐
//   answered later, or not at all: fewer ─┴─> bound, from keys_min to keys_max
//
// Role:      owned by a tier that asks a server; pure. What is beyond the bound is a miss at once: the work
//            is done rather than waited for.
// Judges:    a get that got no answer in time while the server answered others is one too many of ours, not
//            a failure of the server (TierBreaker), unless no more than keys_min were under way.
// Rounds:    it shrinks by a quarter, once for the gets that were under way together, and grows by an eighth
//            of what was answered in time.
// Threads:   its owner's. No clock.

#include <algorithm>
#include <cstddef>

#include "common/base/time.hpp"

namespace scanmq::cache {

class TierLoad {
  public:
    struct Options {
        std::size_t keys_min = 256;
        std::size_t keys_max = 16'384;
    };
    // A get as it was made.
    struct Asked {
        Time at{};
        Time deadline{};
        std::size_t under_way{};  // keys, with its own
    };

    explicit TierLoad(const Options& options) noexcept
        : options_(options), bound_(options.keys_max) {}

    // How many keys may be asked for beside those under way.
    [[nodiscard]] std::size_t room(std::size_t under_way) const noexcept {
        return bound_ > under_way ? bound_ - under_way : 0;
    }
    // `keys` of it were answered.
    void answered(const Asked& asked, std::size_t keys, Time now) noexcept {
        if (now - asked.at > (asked.deadline - asked.at) / 2) return shrink(asked, now);
        growth_ += keys;
        bound_ = std::min(options_.keys_max, bound_ + growth_ / kGrowthPart);
        growth_ %= kGrowthPart;
    }
    // It was not answered in time; `replied` is when the server last answered anything. Whether that is a
    // failure of the server.
    [[nodiscard]] bool late(const Asked& asked, Time replied, Time now) noexcept {
        if (replied < asked.at || asked.under_way <= options_.keys_min) return true;
        shrink(asked, now);
        return false;
    }
    [[nodiscard]] std::size_t bound() const noexcept { return bound_; }

  private:
    static constexpr std::size_t kGrowthPart = 8;

    // By a quarter.
    void shrink(const Asked& asked, Time now) noexcept {
        if (asked.at < shrunk_) return;
        shrunk_ = now;
        bound_ = std::max(options_.keys_min, bound_ - bound_ / 4);
    }

    Options options_;
    std::size_t bound_;
    std::size_t growth_ = 0;
    Time shrunk_{};
};

}  // namespace scanmq::cache
