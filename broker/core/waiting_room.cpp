#include "broker/core/waiting_room.hpp"

#include <algorithm>
#include <bit>

namespace scanmq::broker {

LaneKind WaitingRoom::kind_of(const JobTable& table, const ExecutionRecord& execution) {
    const bool alone = execution.state == ExecutionState::alone;
    const bool pure = execution.extra != kNoSlot &&
                      !table.execution_extras[execution.extra].fingerprint.is_zero();
    if (alone) return pure ? LaneKind::alone_pure : LaneKind::alone;
    return pure ? LaneKind::pure : LaneKind::plain;
}

// ---- where executions wait

void WaitingRoom::add(JobTable& table, Slot slot, bool front) {
    ExecutionRecord& execution = table.executions[slot];
    if (execution.state == ExecutionState::delayed) {
        delayed_.push(table.extra_of(slot).due, slot, placer(table));
        return;
    }
    SCANMQ_ASSERT(execution.state != ExecutionState::running && execution.flow != kNoSlot);
    const bool alone = execution.state == ExecutionState::alone;
    const std::uint8_t priority = alone ? 0 : execution.priority;
    const Slot at = flows_.lane_of(execution.flow, priority, kind_of(table, execution));
    Lane& lane = flows_.lane(at);
    front ? lane.list.push_front(table, slot) : lane.list.push_back(table, slot);
    execution.run = at;
    ++(alone ? alone_ : waiting_);
    if (lane.bucket == Lane::kUnlisted && !flows_[lane.flow].held) list(at);
}

void WaitingRoom::add_at(JobTable& table, Slot slot, Slot other) {
    ExecutionRecord& execution = table.executions[slot];
    const ExecutionRecord& place = table.executions[other];
    const bool beside = place.state == ExecutionState::waiting && execution.state == place.state &&
                        !place.aside && place.flow == execution.flow &&
                        place.priority == execution.priority &&
                        kind_of(table, place) == kind_of(table, execution);
    if (!beside) return add(table, slot);
    execution.run = place.run;
    flows_.lane(place.run).list.insert_before(table, slot, other);
    ++waiting_;
}

void WaitingRoom::remove(JobTable& table, Slot slot) {
    ExecutionRecord& execution = table.executions[slot];
    if (execution.state == ExecutionState::delayed) {
        return delayed_.erase(table.extra_of(slot).due_place, placer(table));
    }
    SCANMQ_ASSERT(execution.state != ExecutionState::running);
    --(execution.state == ExecutionState::alone ? alone_ : waiting_);
    if (execution.aside) {
        if (aside_.front() == slot) overtaken_ = 0;
        aside_.erase(table, slot);
        execution.aside = false;
        return;
    }
    leave(table, execution.run, slot);
    execution.run = kNoSlot;
}

void WaitingRoom::leave(JobTable& table, Slot at, Slot slot) {
    Lane& lane = flows_.lane(at);
    lane.list.erase(table, slot);
    if (!lane.list.empty() || lane.bucket == Lane::kUnlisted) return;
    unlist(at);
    if (flows_[lane.flow].limited == kNoSlot) return;
    // Another lane of the flow may count as the same level: it takes the place.
    for (Slot other = flows_[lane.flow].lanes; other != kNoSlot;
         other = flows_.lane(other).next_of_flow) {
        const Lane& beside = flows_.lane(other);
        if (beside.kind == lane.kind && beside.level == lane.level && !beside.list.empty()) {
            return list(other);
        }
    }
}

bool WaitingRoom::step_aside(JobTable& table, Slot slot) {
    if (aside_.size() >= kAsideMax) return false;
    ExecutionRecord& execution = table.executions[slot];
    leave(table, execution.run, slot);
    execution.run = kNoSlot;
    execution.aside = true;
    if (aside_.empty()) overtaken_ = 0;
    aside_.push_back(table, slot);
    return true;
}

// ---- memory: with many flows nothing of one is in the cache when its turn or its next job comes

void WaitingRoom::prefetch(const JobTable& table,
                           std::span<const std::uint64_t> flow_hashes) const {
    SCANMQ_ASSERT(flow_hashes.size() <= kPrefetchMax);
    std::array<Slot, kPrefetchMax> found{};
    // Step by step, each for all of them: what one step waits for comes at the same time.
    for (std::size_t i = 0; i < flow_hashes.size(); ++i) {
        found[i] = flows_.guess(flow_hashes[i]);
        flows_.prefetch_flow(found[i]);
    }
    for (std::size_t i = 0; i < flow_hashes.size(); ++i) {
        if (found[i] == kNoSlot) continue;
        flows_.prefetch_name(found[i]);
        flows_.prefetch_lane(flows_[found[i]].lanes);
    }
    for (std::size_t i = 0; i < flow_hashes.size(); ++i) {
        if (found[i] == kNoSlot || flows_[found[i]].lanes == kNoSlot) continue;
        table.executions.prefetch(flows_.lane(flows_[found[i]].lanes).list.back());
    }
}

void WaitingRoom::prefetch_next(const JobTable& table, Slot lane) const {
    // What is needed of a turn comes in three steps, each some turns before the next one: its lane,
    // what waits in it, what that names.
    constexpr int kNames = 2;
    constexpr int kWaits = 4;
    constexpr int kLane = 6;
    Slot at = lane;
    for (int ahead = 1; ahead < kLane; ++ahead) {
        at = flows_.lane(at).next;
        if (at == kNoSlot) return;
        const Lane& one = flows_.lane(at);
        if (ahead == kNames) {
            const ExecutionRecord& execution = table.executions[one.list.front()];
            table.jobs.prefetch(execution.first_job);
            table.executions.prefetch(execution.next);
        } else if (ahead == kWaits) {
            flows_.prefetch_flow(one.flow);
            table.executions.prefetch(one.list.front());
        }
    }
    flows_.prefetch_lane(flows_.lane(at).next);
}

// ---- rings

void WaitingRoom::list(Slot at) {
    Lane& lane = flows_.lane(at);
    Flow& flow = flows_[lane.flow];
    bool any = false;
    for (Slot other = flow.lanes; other != kNoSlot; other = flows_.lane(other).next_of_flow) {
        const Lane& one = flows_.lane(other);
        if (one.bucket == Lane::kUnlisted) continue;
        if (one.kind == lane.kind && ring_level(one) == ring_level(lane)) return;
        any = true;
    }
    // Who waited for nothing has saved up nothing.
    if (!any) flow.balance = std::min<std::int64_t>(flow.balance, 0);
    const std::size_t level = ring_level(lane);
    std::unique_ptr<TurnRing>& own = ring(lane.kind, level);
    if (!own) own = std::make_unique<TurnRing>();
    if (own->empty() && lane.kind <= LaneKind::pure) {
        const LaneKind beside = lane.kind == LaneKind::plain ? LaneKind::pure : LaneKind::plain;
        const TurnRing* const other = ring(beside, level).get();
        if (other != nullptr && !other->empty()) own->catch_up(other->earned());
    }
    own->add(flows_, at, quantum());
    used_[index(lane.kind)] |= 1U << level;
}

void WaitingRoom::unlist(Slot at) {
    const Lane& lane = flows_.lane(at);
    const std::size_t level = ring_level(lane);
    TurnRing& own = *ring(lane.kind, level);
    own.remove(flows_, at);
    if (own.empty()) used_[index(lane.kind)] &= ~(1U << level);
}

void WaitingRoom::list_all(Slot flow) {
    for (Slot at = flows_[flow].lanes; at != kNoSlot; at = flows_.lane(at).next_of_flow) {
        const Lane& lane = flows_.lane(at);
        if (lane.bucket == Lane::kUnlisted && !lane.list.empty()) list(at);
    }
}

void WaitingRoom::unlist_all(Slot flow) {
    for (Slot at = flows_[flow].lanes; at != kNoSlot; at = flows_.lane(at).next_of_flow) {
        if (flows_.lane(at).bucket != Lane::kUnlisted) unlist(at);
    }
}

// ---- flows that are held back

bool WaitingRoom::hold(Slot slot, Time now) {
    Flow& flow = flows_[slot];
    if (flow.limited == kNoSlot) return false;
    if (flow.held) return true;
    if (!flows_.full(slot)) {
        const Time allowed = flows_.allowed_at(slot);
        if (allowed <= now) return false;
        held_.push(allowed, slot, flow_placer());
    }
    flow.held = true;
    unlist_all(slot);
    return true;
}

void WaitingRoom::free(Slot slot) {
    Flow& flow = flows_[slot];
    if (!flow.held) return;
    flow.held = false;
    if (flow.due_place != 0) held_.erase(flow.due_place, flow_placer());
    list_all(slot);
}

void WaitingRoom::set_limits(Slot slot, const FlowLimits& limits, Time now) {
    unlist_all(slot);
    flows_.set_limits(slot, limits, now);
    free(slot);
    list_all(slot);
}

void WaitingRoom::drop_limits(Slot slot) {
    unlist_all(slot);
    flows_.drop_limits(slot);
    free(slot);
    list_all(slot);
}

bool WaitingRoom::over(Slot slot, std::int64_t cost, std::int64_t took) {
    Flow& flow = flows_[slot];
    SCANMQ_ASSERT(flow.running > 0);
    --flow.running;
    flow.balance += cost - took;
    if (!flow.held || flow.due_place != 0 || flows_.full(slot)) return false;
    free(slot);
    return true;
}

void WaitingRoom::learn(float microseconds) noexcept {
    constexpr float kShare = 1.0F / 32;
    constexpr float kLeast = 0.001F;
    const float value = std::max(microseconds, kLeast);
    mean_us_ = mean_us_ == 0 ? value : mean_us_ + (value - mean_us_) * kShare;
}

// ---- whose turn it is

std::size_t WaitingRoom::level(std::uint32_t used, std::uint64_t low_share) const noexcept {
    const auto highest = static_cast<std::size_t>(std::bit_width(used) - 1);
    const std::uint32_t lower = used & ~(1U << highest);
    if (lower == 0 || (turn_ + 1) % low_share != 0) return highest;
    // The next lower level after the one that had the last such turn, going down and round.
    const std::uint32_t below = lower & ((1U << last_low_) - 1);
    return static_cast<std::size_t>(std::bit_width(below != 0 ? below : lower) - 1);
}

Slot WaitingRoom::choose(const JobTable& table, std::size_t level, bool pure_too) {
    TurnRing* const plain = ring(LaneKind::plain, level).get();
    TurnRing* const pure = ring(LaneKind::pure, level).get();
    const bool has_plain = (used_[index(LaneKind::plain)] >> level & 1U) != 0;
    const bool has_pure = (used_[index(LaneKind::pure)] >> level & 1U) != 0;
    if (!has_pure || !pure_too) {
        const Slot lane = plain->turn(flows_, quantum());
        // What no worker can run now saves up no turns.
        if (has_pure) pure->catch_up(plain->earned());
        return lane;
    }
    const Slot second = pure->turn(flows_, quantum());
    if (!has_plain) return second;
    const Slot first = plain->turn(flows_, quantum());
    const Lane& a = flows_.lane(first);
    const Lane& b = flows_.lane(second);
    if (a.flow == b.flow) {
        return table.executions[a.list.front()].number < table.executions[b.list.front()].number
                   ? first
                   : second;
    }
    return plain->earned() <= pure->earned() ? first : second;
}

Slot WaitingRoom::oldest_beside(const JobTable& table, Slot slot) const {
    const Lane& lane = flows_.lane(slot);
    if (flows_[lane.flow].limited == kNoSlot) return lane.list.front();
    Slot oldest = lane.list.front();
    for (Slot at = flows_[lane.flow].lanes; at != kNoSlot; at = flows_.lane(at).next_of_flow) {
        const Lane& other = flows_.lane(at);
        if (other.kind != lane.kind || ring_level(other) != ring_level(lane) ||
            other.list.empty()) {
            continue;
        }
        const Slot front = other.list.front();
        if (table.executions[front].number < table.executions[oldest].number) oldest = front;
    }
    return oldest;
}

WaitingRoom::Turn WaitingRoom::next(const JobTable& table, Time now, std::uint64_t low_share,
                                    bool pure_too) {
    for (;;) {
        const std::uint32_t used =
            used_[index(LaneKind::plain)] | (pure_too ? used_[index(LaneKind::pure)] : 0U);
        if (used == 0) return {};
        level_ = level(used, low_share);
        const Slot lane = choose(table, level_, pure_too);
        if (lane != prefetched_) prefetch_next(table, lane);
        prefetched_ = lane;
        if (hold(flows_.lane(lane).flow, now)) continue;
        return {oldest_beside(table, lane), flows_.lane(lane).kind};
    }
}

WaitingRoom::Turn WaitingRoom::next_alone(const JobTable& table, Time now, LaneKind kind) {
    while (ready(kind)) {
        const Slot lane = ring(kind, 0)->turn(flows_, quantum());
        if (hold(flows_.lane(lane).flow, now)) continue;
        return {oldest_beside(table, lane), kind};
    }
    return {};
}

Slot WaitingRoom::next_aside(JobTable& table, Time now) {
    while (!aside_.empty()) {
        const Slot slot = aside_.front();
        if (!hold(table.executions[slot].flow, now)) return slot;
        // Back to where it waits until its flow may go on.
        remove(table, slot);
        add(table, slot, true);
    }
    return kNoSlot;
}

void WaitingRoom::deliver(JobTable& table, Slot slot, std::int64_t cost, std::uint64_t low_share,
                          Time now) {
    const ExecutionRecord& execution = table.executions[slot];
    Flow& flow = flows_[execution.flow];
    flow.balance -= cost;
    ++flow.delivered;
    ++flow.running;
    flows_.charge_rate(execution.flow, now);
    if (!execution.aside) {
        const Lane& lane = flows_.lane(execution.run);
        ring(lane.kind, ring_level(lane))->spend(cost);
        if (!aside_.empty()) ++overtaken_;
        if (lane.kind <= LaneKind::pure) {
            ++turn_;
            if (turn_ % low_share == 0) last_low_ = level_;
        }
    }
    remove(table, slot);
}

bool WaitingRoom::wake(JobTable& table, Time now, std::size_t budget) {
    for (; !held_.empty() && held_.next() <= now; --budget) {
        if (budget == 0) return true;
        free(held_.front());
    }
    for (; !delayed_.empty() && delayed_.next() <= now; --budget) {
        if (budget == 0) return true;
        const Slot slot = delayed_.front();
        remove(table, slot);
        ExecutionRecord& execution = table.executions[slot];
        execution.state = ready_state(execution);
        add(table, slot);
    }
    return false;
}

// ---- looking for one

Slot WaitingRoom::search(const JobTable& table, const WaitingList& list,
                         std::uint64_t before) const noexcept {
    Slot slot = list.front();
    while (slot != kNoSlot && table.executions[slot].number >= before) {
        slot = table.executions[slot].next;
    }
    return slot;
}

Slot WaitingRoom::any_before(const JobTable& table, std::uint64_t before) {
    const std::vector<Slot>& lanes = flows_.lanes();
    // From where the last call found one, round to there again: a purge looks at each lane once.
    for (std::size_t left = lanes.size(); left > 0; --left) {
        if (searched_ >= lanes.size()) searched_ = 0;
        const Slot slot = search(table, flows_.lane(lanes[searched_]).list, before);
        if (slot != kNoSlot) return slot;
        ++searched_;
    }
    if (const Slot slot = search(table, aside_, before); slot != kNoSlot) return slot;
    for (std::size_t i = delayed_.size(); i-- > 0;) {
        if (table.executions[delayed_.at(i)].number < before) return delayed_.at(i);
    }
    return kNoSlot;
}

std::uint64_t WaitingRoom::ahead_of(const JobTable& table, Slot slot, std::uint64_t most) const {
    const ExecutionRecord& execution = table.executions[slot];
    const auto place = [&](const WaitingList& list) {
        std::uint64_t n = 0;
        for (Slot at = list.front(); at != slot && at != kNoSlot && n < most;
             at = table.executions[at].next) {
            ++n;
        }
        return n;
    };
    if (execution.aside) return place(aside_);
    const Lane& own = flows_.lane(execution.run);
    const bool is_alone = own.kind >= LaneKind::alone;
    const std::uint64_t before = place(own.list);
    std::uint64_t ahead = before + (is_alone ? 0 : aside_.size());
    for (const Slot at : flows_.lanes()) {
        if (ahead >= most) return most;
        const Lane& lane = flows_.lane(at);
        if (at == execution.run || lane.list.empty() || flows_[lane.flow].held) continue;
        if ((lane.kind >= LaneKind::alone) != is_alone) continue;
        if (!is_alone && lane.level != own.level) {
            if (lane.level > own.level) ahead += lane.list.size();
            continue;
        }
        // By turns: as much of the other as goes while those before it go.
        const std::uint64_t turns =
            (before + 1) * flows_[lane.flow].weight / flows_[own.flow].weight;
        ahead += std::min<std::uint64_t>(lane.list.size(), std::max<std::uint64_t>(turns, 1));
    }
    return std::min(ahead, most);
}

std::uint64_t WaitingRoom::flows_before(const JobTable& table, Slot slot,
                                        std::uint64_t most) const {
    const ExecutionRecord& execution = table.executions[slot];
    if (execution.aside) return 0;
    const Lane& own = flows_.lane(execution.run);
    const TurnRing* const ring = find_ring(own);
    return ring == nullptr || own.bucket == Lane::kUnlisted
               ? 0
               : ring->before(flows_, execution.run, most);
}

}  // namespace scanmq::broker
