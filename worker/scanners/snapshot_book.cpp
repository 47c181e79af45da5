#include "worker/scanners/snapshot_book.hpp"

#include <unordered_set>

namespace scanmq::worker {

SnapshotPlan SnapshotBook::use(std::span<const SnapshotUse> inputs) {
    SnapshotPlan plan;
    // All of them come to the front; how many they are, each counted once, is what must stay.
    for (const SnapshotUse& input : inputs) {
        if (const auto found = entries_.find(input.id); found != entries_.end()) {
            order_.splice(order_.begin(), order_, found->second);
            continue;
        }
        order_.push_front(input);
        entries_.emplace(input.id, order_.begin());
        bytes_ += input.bytes;
        plan.send.push_back(input.id);
    }
    std::unordered_set<ContentId> distinct;
    for (const SnapshotUse& input : inputs) distinct.insert(input.id);
    while (bytes_ > bytes_max_ && order_.size() > distinct.size()) {
        const SnapshotUse last = order_.back();
        bytes_ -= last.bytes;
        entries_.erase(last.id);
        order_.pop_back();
        plan.forget.push_back(last.id);
    }
    return plan;
}

std::uint64_t SnapshotBook::known_bytes(std::span<const SnapshotUse> inputs) const {
    std::uint64_t sum = 0;
    for (const SnapshotUse& input : inputs) sum += entries_.contains(input.id) ? input.bytes : 0;
    return sum;
}

void SnapshotBook::clear() {
    bytes_ = 0;
    entries_.clear();
    order_.clear();
}

}  // namespace scanmq::worker
