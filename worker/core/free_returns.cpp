#include "worker/core/free_returns.hpp"

#include <algorithm>

namespace scanmq::worker {

bool FreeReturns::try_return(std::uint64_t job, std::uint32_t points) {
    const auto found = jobs_.find(job);
    const std::uint32_t used = found == jobs_.end() ? 0 : found->second->points;
    if (used >= options_.points_max) {
        forget(job);
        return false;
    }
    points = points > options_.points_max - used ? options_.points_max : used + points;
    if (found != jobs_.end()) {
        found->second->points = points;
        order_.splice(order_.begin(), order_, found->second);
        return true;
    }
    if (options_.jobs_max == 0) return false;  // nothing can be remembered: each is charged
    if (jobs_.size() >= options_.jobs_max) {
        jobs_.erase(order_.back().job);
        order_.pop_back();
        ++forgotten_;
    }
    order_.push_front({job, points});
    jobs_.emplace(job, order_.begin());
    return true;
}

void FreeReturns::forget(std::uint64_t job) {
    const auto found = jobs_.find(job);
    if (found == jobs_.end()) return;
    order_.erase(found->second);
    jobs_.erase(found);
}

}  // namespace scanmq::worker
