#pragma once
// TierLog: when a shared tier says that something is wrong with its server, and that it is well again.
//
// Role:      owned by a tier that asks a server; pure. The first trouble is told, then one each `every`.

#include <optional>
#include <utility>

#include "common/base/time.hpp"

namespace scanmq::cache {

class TierLog {
  public:
    explicit TierLog(Duration every) : every_(every) {}

    // Whether to tell it.
    [[nodiscard]] bool trouble(Time now) noexcept {
        if (told_at_ && now < *told_at_ + every_) return false;
        told_at_ = now;
        open_ = true;
        return true;
    }
    // It is connected. Whether to tell that: trouble was told since it was told last.
    [[nodiscard]] bool over() noexcept { return std::exchange(open_, false); }

  private:
    Duration every_;
    std::optional<Time> told_at_;
    bool open_ = false;
};

}  // namespace scanmq::cache
