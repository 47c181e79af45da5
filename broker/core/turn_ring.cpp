#include "broker/core/turn_ring.hpp"

#include <algorithm>
#include <bit>

namespace scanmq::broker {

void TurnRing::link(FlowTable& flows, Slot slot, std::uint64_t round) {
    Lane& lane = flows.lane(slot);
    const auto at = static_cast<unsigned>(round % kBuckets);
    Bucket& bucket = buckets_[at];
    lane.bucket = static_cast<std::uint8_t>(at);
    lane.next = kNoSlot;
    lane.previous = bucket.last;
    (bucket.last == kNoSlot ? bucket.first : flows.lane(bucket.last).next) = slot;
    bucket.last = slot;
    filled_ |= std::uint64_t{1} << at;
}

void TurnRing::unlink(FlowTable& flows, Slot slot) {
    Lane& lane = flows.lane(slot);
    Bucket& bucket = buckets_[lane.bucket];
    if (open_ && bucket.first == slot && lane.bucket == round_ % kBuckets) open_ = false;
    (lane.previous == kNoSlot ? bucket.first : flows.lane(lane.previous).next) = lane.next;
    (lane.next == kNoSlot ? bucket.last : flows.lane(lane.next).previous) = lane.previous;
    if (bucket.first == kNoSlot) filled_ &= ~(std::uint64_t{1} << lane.bucket);
    lane.bucket = Lane::kUnlisted;
}

std::uint64_t TurnRing::rounds_until(Flow& flow, std::int64_t grant) {
    if (flow.balance > 0) return 1;
    flow.balance = std::max(flow.balance, -kDebtRounds * grant);
    return static_cast<std::uint64_t>(-flow.balance / grant) + 1;
}

void TurnRing::add(FlowTable& flows, Slot slot, std::uint64_t quantum) {
    Lane& lane = flows.lane(slot);
    Flow& flow = flows[lane.flow];
    lane.paid = earned_;
    const std::uint64_t rounds =
        rounds_until(flow, static_cast<std::int64_t>(quantum * flow.weight));
    link(flows, slot, round_ + std::min<std::uint64_t>(rounds, kBuckets - 1));
    ++size_;
}

void TurnRing::remove(FlowTable& flows, Slot slot) {
    unlink(flows, slot);
    --size_;
}

unsigned TurnRing::next_bucket() const noexcept {
    return static_cast<unsigned>(
        std::countr_zero(std::rotr(filled_, static_cast<int>(round_ % kBuckets))));
}

Slot TurnRing::any() const noexcept { return buckets_[(round_ + next_bucket()) % kBuckets].first; }

Slot TurnRing::turn(FlowTable& flows, std::uint64_t quantum) {
    for (;;) {
        const unsigned passed = next_bucket();
        round_ += passed;
        earned_ += std::int64_t{passed} * static_cast<std::int64_t>(quantum);
        const Slot slot = buckets_[round_ % kBuckets].first;
        Lane& lane = flows.lane(slot);
        Flow& flow = flows[lane.flow];
        const auto grant = static_cast<std::int64_t>(quantum * flow.weight);
        if (open_) {
            if (flow.balance > 0 && left_ > 0) return slot;
            const std::uint64_t rounds = rounds_until(flow, grant);
            if (size_ == 1) {
                // Nobody else has a turn meanwhile.
                earned_ += static_cast<std::int64_t>(rounds * quantum);
                lane.paid = earned_;
                flow.balance = std::min(flow.balance + static_cast<std::int64_t>(rounds) * grant,
                                        kSavedRounds * grant);
                left_ = 2 * grant;
                return slot;
            }
            unlink(flows, slot);
            link(flows, slot, round_ + std::min<std::uint64_t>(rounds, kBuckets - 1));
            continue;
        }
        const std::int64_t share = (earned_ - lane.paid) * std::int64_t{flow.weight};
        lane.paid = earned_;
        flow.balance = std::min(flow.balance + share, kSavedRounds * grant);
        if (flow.balance <= 0) {
            const std::uint64_t rounds = rounds_until(flow, grant);
            unlink(flows, slot);
            link(flows, slot, round_ + std::min<std::uint64_t>(rounds, kBuckets - 1));
            continue;
        }
        open_ = true;
        left_ = 2 * grant;
        return slot;
    }
}

std::uint64_t TurnRing::before(const FlowTable& flows, Slot slot, std::uint64_t most) const {
    std::uint64_t lanes = 0;
    for (unsigned i = 0; i < kBuckets; ++i) {
        for (Slot at = buckets_[(round_ + i) % kBuckets].first; at != kNoSlot;
             at = flows.lane(at).next) {
            if (at == slot || lanes == most) return lanes;
            ++lanes;
        }
    }
    return lanes;
}

}  // namespace scanmq::broker
