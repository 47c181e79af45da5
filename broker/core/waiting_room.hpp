#pragma once
// WaitingRoom: the executions of one queue that do not run: by priority and flow, apart those that
//              run alone, those that are not due yet, and a few that are too large at the moment.
//
// Role:      one per queue; says which execution is next.
// Threads:   broker loop only. Borrows: CoreState::texts and costs; JobTable, passed in.
// Priority:  the highest level that waits, but one of every low_share deliveries goes to a lower
//            level, those in turns. Within a level flows take turns (TurnRing).
// Pure:      what only workers of one version may run is in rings of its own, so that it is never in
//            the way of what others may run; the two rings of a level are kept in step.
// Held:      a flow at one of its limits is in no ring until time or an ending attempt frees it.
// Aside:     what is large and no worker has the bytes for steps aside, at most kAsideMax; it goes as
//            soon as one has, and when kOvertakenMax others went before it a worker is kept free
//            for it (Runner).
// See:       docs/PROTOCOL.md, section 8

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "broker/core/due_heap.hpp"
#include "broker/core/turn_ring.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::broker {

class WaitingRoom {
  public:
    static constexpr std::size_t kLevels = 10;
    static constexpr std::uint64_t kAsideMax = 16;
    static constexpr std::uint64_t kOvertakenMax = 64;
    static constexpr std::size_t kPrefetchMax = 64;       // flows at once
    static constexpr std::uint64_t kUnknownCost = 1'000;  // microseconds, before any attempt ended

    WaitingRoom(InternTable& texts, CostTable& costs, std::uint64_t seed)
        : flows_(texts, costs, seed) {}

    [[nodiscard]] FlowTable& flows() noexcept { return flows_; }
    [[nodiscard]] const FlowTable& flows() const noexcept { return flows_; }

    // Brings near what taking the flows of these hashes and adding to them will touch.
    void prefetch(const JobTable& table, std::span<const std::uint64_t> flow_hashes) const;
    // By the execution's state: waiting, alone or delayed (until extra.due). Its flow is held by the
    // caller.
    void add(JobTable& table, Slot execution, bool front = false);
    // In the place of another one that waits, if they are of one flow, level and kind; else at the back.
    void add_at(JobTable& table, Slot execution, Slot other);
    void remove(JobTable& table, Slot execution);

    struct Turn {
        Slot execution = kNoSlot;  // none waits that may go
        LaneKind kind{};
    };
    // Whose turn it is; `pure_too`: workers that may run pure ones have credit. Does not take it.
    [[nodiscard]] Turn next(const JobTable& table, Time now, std::uint64_t low_share,
                            bool pure_too);
    // The same of what runs alone; `kind` is alone or alone_pure.
    [[nodiscard]] Turn next_alone(const JobTable& table, Time now, LaneKind kind);
    // The first of those that stepped aside and are of no flow that is held.
    [[nodiscard]] Slot next_aside(JobTable& table, Time now);
    // It is delivered: leaves the room, its flow is charged. Then over() has to follow.
    void deliver(JobTable& table, Slot execution, std::int64_t cost, std::uint64_t low_share,
                 Time now);
    // No worker has the bytes for it. False: enough stepped aside already.
    bool step_aside(JobTable& table, Slot execution);
    // So many deliveries went before the first of those that stepped aside.
    [[nodiscard]] std::uint64_t overtaken() const noexcept { return overtaken_; }

    // An attempt of the flow is over: the time it took against what was charged. True: the flow was
    // held and may go on.
    bool over(Slot flow, std::int64_t cost, std::int64_t took);
    // One that began before a restart.
    void resumed(Slot flow) noexcept { ++flows_[flow].running; }
    // Limits were set or dropped: set_limits() and drop_limits() of flows(), with what follows.
    void set_limits(Slot flow, const FlowLimits& limits, Time now);
    void drop_limits(Slot flow);

    // An attempt took so long: the queue's average takes it in.
    void learn(float microseconds) noexcept;
    // One of that size was delivered; whether this one is so much larger than usual that others may fit
    // where it does not.
    void learn_size(std::uint64_t bytes) noexcept {
        mean_bytes_ += (static_cast<float>(bytes) - mean_bytes_) / 32;
    }
    [[nodiscard]] bool large(std::uint64_t bytes) const noexcept {
        return static_cast<float>(bytes) > mean_bytes_ * 1.25F;
    }
    [[nodiscard]] std::uint64_t usual_size() const noexcept {
        return static_cast<std::uint64_t>(mean_bytes_) + 1;
    }
    [[nodiscard]] float mean_cost() const noexcept {
        return mean_us_ > 0 ? mean_us_ : static_cast<float>(kUnknownCost);
    }

    // Moves what is due to where it waits, at most `budget`, and frees flows whose time has come. True:
    // more is due.
    bool wake(JobTable& table, Time now, std::size_t budget);
    [[nodiscard]] Time next_due() const noexcept {
        const Time delayed = delayed_.empty() ? Time::max() : delayed_.next();
        return held_.empty() ? delayed : std::min(delayed, held_.next());
    }
    // An execution with a number below `before`, wherever it is; kNoSlot: there is none. Looks past
    // those that came later.
    [[nodiscard]] Slot any_before(const JobTable& table, std::uint64_t before);

    // About how many would go before this one, counted up to `most`.
    [[nodiscard]] std::uint64_t ahead_of(const JobTable& table, Slot execution,
                                         std::uint64_t most) const;
    // How many flows have a turn before its; it waits and its flow is not held.
    [[nodiscard]] std::uint64_t flows_before(const JobTable& table, Slot execution,
                                             std::uint64_t most) const;
    // Something may go, as far as flows say.
    [[nodiscard]] bool ready() const noexcept { return (used_[0] | used_[1]) != 0; }
    [[nodiscard]] bool ready_alone() const noexcept { return (used_[2] | used_[3]) != 0; }
    [[nodiscard]] bool active() const noexcept {
        return ready() || ready_alone() || !aside_.empty();
    }
    // Kinds of what may go and runs alone.
    [[nodiscard]] bool ready(LaneKind kind) const noexcept { return used_[index(kind)] != 0; }
    [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_ + alone_; }
    [[nodiscard]] std::uint64_t alone() const noexcept { return alone_; }
    [[nodiscard]] std::uint64_t delayed() const noexcept { return delayed_.size(); }
    [[nodiscard]] std::uint64_t aside() const noexcept { return aside_.size(); }
    [[nodiscard]] std::uint64_t size() const noexcept { return waiting() + delayed(); }

  private:
    static constexpr std::size_t kKinds = 4;

    [[nodiscard]] static std::size_t index(LaneKind kind) noexcept {
        return static_cast<std::size_t>(kind);
    }
    [[nodiscard]] static LaneKind kind_of(const JobTable& table, const ExecutionRecord& execution);
    [[nodiscard]] static std::uint8_t ring_level(const Lane& lane) noexcept {
        return lane.kind >= LaneKind::alone ? 0 : lane.level;
    }
    [[nodiscard]] std::unique_ptr<TurnRing>& ring(LaneKind kind, std::size_t level) noexcept {
        return rings_[index(kind) * kLevels + level];
    }
    [[nodiscard]] const TurnRing* find_ring(const Lane& lane) const noexcept {
        return rings_[index(lane.kind) * kLevels + ring_level(lane)].get();
    }
    [[nodiscard]] std::uint64_t quantum() const noexcept {
        return static_cast<std::uint64_t>(std::max(mean_cost(), 1.0F));
    }
    [[nodiscard]] static auto placer(JobTable& table) {
        return [&table](Slot slot, std::uint32_t place) { table.extra_of(slot).due_place = place; };
    }
    [[nodiscard]] auto flow_placer() {
        return [this](Slot slot, std::uint32_t place) { flows_[slot].due_place = place; };
    }
    [[nodiscard]] std::size_t level(std::uint32_t used, std::uint64_t low_share) const noexcept;
    // The lane of that level whose turn it is.
    [[nodiscard]] Slot choose(const JobTable& table, std::size_t level, bool pure_too);
    // The same for the turns that come after this lane's.
    void prefetch_next(const JobTable& table, Slot lane) const;
    // Of the flow's lanes that count as the same level, the one whose first execution is the oldest.
    [[nodiscard]] Slot oldest_beside(const JobTable& table, Slot lane) const;
    void list(Slot lane);
    void unlist(Slot lane);
    void leave(JobTable& table, Slot lane, Slot execution);
    // True, and its lanes leave their rings, when its limits hold the flow.
    bool hold(Slot flow, Time now);
    void free(Slot flow);
    void list_all(Slot flow);
    void unlist_all(Slot flow);
    [[nodiscard]] Slot search(const JobTable& table, const WaitingList& list,
                              std::uint64_t before) const noexcept;

    FlowTable flows_;
    std::array<std::unique_ptr<TurnRing>, kKinds * kLevels> rings_;
    std::array<std::uint32_t, kKinds> used_{};  // bit i: the ring of level i is not empty
    WaitingList aside_;
    DueHeap delayed_;
    DueHeap held_;  // flows, by when their rate allows the next delivery
    std::uint64_t waiting_ = 0;
    std::uint64_t alone_ = 0;
    std::uint64_t overtaken_ = 0;
    std::uint64_t turn_ = 0;
    std::size_t last_low_ = 0;
    Slot prefetched_ = kNoSlot;  // the lane for which prefetch_next() was called last
    std::size_t level_ = 0;      // the one that next() chose
    std::size_t searched_ = 0;   // lanes that any_before() is done with
    float mean_us_ = 0;
    float mean_bytes_ = protocol::kLimits.item_overhead_bytes;
};

}  // namespace scanmq::broker
