#include "broker/core/flow_table.hpp"

#include <algorithm>
#include <functional>

namespace scanmq::broker {

std::uint64_t FlowTable::hash(std::string_view name) const noexcept {
    const std::uint64_t h = (std::hash<std::string_view>{}(name) ^ seed_ * 0xc2b2ae3d27d4eb4fULL) *
                            0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
}

Slot FlowTable::find(std::string_view name) const {
    return index_.find(hash(name), [&](Slot slot) { return this->name(slot) == name; });
}

Slot FlowTable::take(std::string_view name, std::uint64_t hash, Time now) {
    Slot slot = index_.find(hash, [&](Slot one) { return this->name(one) == name; });
    if (slot == kNoSlot) slot = make(name, hash, now);
    Flow& flow = flows_[slot];
    if (flow.idle) {
        flow.idle = false;
        // Mostly the one that came last.
        idle_.erase(std::find(idle_.rbegin(), idle_.rend(), slot).base() - 1);
    }
    ++flow.live;
    return slot;
}

Slot FlowTable::make(std::string_view name, std::uint64_t hash, Time now) {
    const Slot slot = flows_.allocate();
    Flow& flow = flows_[slot];
    flow = Flow{};
    flow.name = texts_->intern(name);
    flow.hash = static_cast<std::uint32_t>(hash);
    flow.place = static_cast<std::uint32_t>(all_.size());
    all_.push_back(slot);
    index_.insert(hash, slot);
    if (!debts_.empty()) {
        Debt& debt = debts_[flow.hash % kDebts];
        if (debt.hash == flow.hash && debt.amount > 0) {
            if (now - debt.since <= kDebtKept) flow.balance = -debt.amount;
            debt = {};
        }
    }
    return slot;
}

void FlowTable::release(Slot slot, Time now) {
    Flow& flow = flows_[slot];
    SCANMQ_ASSERT(flow.live > 0);
    if (--flow.live == 0 && flow.limited == kNoSlot) rest(slot, now);
}

void FlowTable::drop_names() {
    for (const Slot slot : all_) texts_->release(flows_[slot].name);
}

void FlowTable::rest(Slot slot, Time now) {
    Flow& flow = flows_[slot];
    flow.idle = true;
    flow.balance = std::min<std::int64_t>(flow.balance, 0);
    idle_.push_back(slot);
    if (idle_.size() <= kIdleKept) return;
    const Slot oldest = idle_.front();
    idle_.erase(idle_.begin());
    forget(oldest, now);
}

void FlowTable::forget(Slot slot, Time now) {
    Flow& flow = flows_[slot];
    if (flow.balance < 0) {
        if (debts_.empty()) debts_.resize(kDebts);
        debts_[flow.hash % kDebts] = {flow.hash, -flow.balance, now};
    }
    for (Slot at = flow.lanes; at != kNoSlot;) {
        Lane& gone = lanes_[at];
        SCANMQ_ASSERT(gone.list.empty() && gone.bucket == Lane::kUnlisted);
        lane_list_[gone.place] = lane_list_.back();
        lanes_[lane_list_.back()].place = gone.place;
        lane_list_.pop_back();
        const Slot next = gone.next_of_flow;
        lanes_.free(at);
        at = next;
    }
    costs_->keep(flow.hash, flow.cost);
    all_[flow.place] = all_.back();
    flows_[all_.back()].place = flow.place;
    all_.pop_back();
    index_.erase(hash(name(slot)), slot);
    texts_->release(flow.name);
    flows_.free(slot);
}

Slot FlowTable::lane_of(Slot flow, std::uint8_t priority, LaneKind kind) {
    for (Slot at = flows_[flow].lanes; at != kNoSlot; at = lanes_[at].next_of_flow) {
        if (lanes_[at].priority == priority && lanes_[at].kind == kind) return at;
    }
    const Slot slot = lanes_.allocate();
    Lane& lane = lanes_[slot];
    lane = Lane{};
    lane.flow = flow;
    lane.priority = priority;
    const FlowLimits* const limits = this->limits(flow);
    lane.level = limits == nullptr
                     ? priority
                     : std::min(priority, static_cast<std::uint8_t>(limits->priority_max));
    lane.kind = kind;
    lane.place = static_cast<std::uint32_t>(lane_list_.size());
    lane_list_.push_back(slot);
    lane.next_of_flow = flows_[flow].lanes;
    flows_[flow].lanes = slot;
    return slot;
}

Duration FlowTable::interval(const FlowLimits& limits) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    // Rounded up: never faster than the rate.
    return std::chrono::nanoseconds((kSecond + limits.rate_per_s - 1) / limits.rate_per_s);
}

void FlowTable::set_limits(Slot slot, const FlowLimits& limits, Time now) {
    Flow& flow = flows_[slot];
    bool paced = false;
    if (flow.limited == kNoSlot) {
        flow.limited = limited_.allocate();
        limited_[flow.limited] = LimitedFlow{};
    } else {
        const FlowLimits& was = limited_[flow.limited].limits;
        paced = was.rate_per_s == limits.rate_per_s && was.burst == limits.burst;
    }
    LimitedFlow& limited = limited_[flow.limited];
    limited.limits = limits;
    // What was delivered before is not known here: it begins with nothing saved up.
    if (!paced && limits.rate_per_s > 0) {
        limited.even = now + interval(limits) * static_cast<std::int64_t>(limits.burst);
    }
    flow.weight = static_cast<std::uint16_t>(limits.weight);
    for (Slot at = flow.lanes; at != kNoSlot; at = lanes_[at].next_of_flow) {
        lanes_[at].level =
            std::min(lanes_[at].priority, static_cast<std::uint8_t>(limits.priority_max));
    }
}

void FlowTable::drop_limits(Slot slot) {
    Flow& flow = flows_[slot];
    SCANMQ_ASSERT(flow.limited != kNoSlot && flow.live > 0);
    limited_.free(flow.limited);
    flow.limited = kNoSlot;
    flow.weight = 1;
    for (Slot at = flow.lanes; at != kNoSlot; at = lanes_[at].next_of_flow) {
        lanes_[at].level = lanes_[at].priority;
    }
}

bool FlowTable::full(Slot flow) const {
    const FlowLimits* const limits = this->limits(flow);
    return limits != nullptr && limits->in_flight_max != 0 &&
           flows_[flow].running >= limits->in_flight_max;
}

Time FlowTable::allowed_at(Slot flow) const {
    const Slot slot = flows_[flow].limited;
    if (slot == kNoSlot || limited_[slot].limits.rate_per_s == 0) return Time{};
    const FlowLimits& limits = limited_[slot].limits;
    return limited_[slot].even - interval(limits) * static_cast<std::int64_t>(limits.burst - 1);
}

void FlowTable::charge_rate(Slot flow, Time now) {
    const Slot slot = flows_[flow].limited;
    if (slot == kNoSlot || limited_[slot].limits.rate_per_s == 0) return;
    LimitedFlow& limited = limited_[slot];
    limited.even = std::max(limited.even, now) + interval(limited.limits);
}

}  // namespace scanmq::broker
