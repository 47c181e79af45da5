#pragma once
// FlowTable: the flows of one queue, their limits, and the lanes their executions wait in.
//
// Role:      of WaitingRoom, which keeps the lanes in the rings of their levels.
// Threads:   broker loop only. Borrows: CoreState::texts and costs (outlive this).
// Lifetimes: a flow lives while it has executions or limits. kIdleKept more stay, so that a producer
//            of single jobs does not make and forget its flow with each; beyond, an idle flow is
//            forgotten at once, and what it owes is kept for kDebtKept in a table of kDebts.
// Limits:    flows by live jobs; limits by flow_limits_max, which FlowHandler checks.
// See:       docs/PROTOCOL.md, section 8, "Flows"

#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/core/cost_table.hpp"
#include "broker/core/flow_limits.hpp"
#include "broker/core/intern_table.hpp"
#include "broker/core/job_table.hpp"

namespace scanmq::broker {

// What waits apart: workers of any version may run it or not, and beside others or not.
enum class LaneKind : std::uint8_t { plain, pure, alone, alone_pure };

// Executions of one flow, priority and kind that wait, first in, first out.
struct alignas(64) Lane {
    static constexpr std::uint8_t kUnlisted = 0xff;

    WaitingList list;
    Slot next = kNoSlot;  // in its ring; of the slab
    Slot previous = kNoSlot;
    Slot flow = kNoSlot;
    Slot next_of_flow = kNoSlot;
    std::uint32_t place = 0;    // in FlowTable::lanes
    std::uint8_t priority = 0;  // of its executions
    std::uint8_t level = 0;     // the same, but for the flow's priority_max
    LaneKind kind{};
    std::uint8_t bucket = kUnlisted;  // in its ring
    std::int64_t paid = 0;            // of what its ring earned
};
// Each turn is another flow's: what it touches of one is one line of the cache.
static_assert(sizeof(Lane) == 64);

struct alignas(64) Flow {
    Slot name = kNoSlot;  // in the texts
    Slot next = kNoSlot;  // of the slab
    std::uint32_t hash = 0;
    std::uint32_t live = 0;     // executions, and whoever else holds it
    std::uint32_t running = 0;  // attempts
    std::uint16_t weight = 1;
    bool held = false;            // by its limits: no lane of it is in a ring
    bool idle = false;            // nothing holds it
    std::uint32_t place = 0;      // in FlowTable::all
    std::uint32_t due_place = 0;  // in WaitingRoom's heap of flows held back for a time
    Slot lanes = kNoSlot;
    Slot limited = kNoSlot;  // LimitedFlow
    FlowCost cost;
    std::int64_t balance = 0;  // microseconds it may spend; below zero: it owes them
    std::uint64_t delivered = 0;
};
static_assert(sizeof(Flow) == 64);

struct LimitedFlow {
    Slot next = kNoSlot;  // of the slab
    FlowLimits limits;
    // GCRA: when the next delivery is due, were they evenly spaced. A delivery is allowed once that is
    // no more than burst - 1 intervals away.
    Time even{};
};

class FlowTable {
  public:
    static constexpr std::size_t kIdleKept = 16;
    static constexpr std::size_t kDebts = 1024;
    static constexpr Duration kDebtKept = std::chrono::seconds(5);

    // `seed` tells the flows of one queue from those of another in the CostTable.
    FlowTable(InternTable& texts, CostTable& costs, std::uint64_t seed)
        : texts_(&texts), costs_(&costs), seed_(seed) {}

    // kNoSlot: there is none.
    [[nodiscard]] Slot find(std::string_view name) const;
    // The flow of that name, made if there is none, held once more.
    [[nodiscard]] Slot take(std::string_view name, Time now) { return take(name, hash(name), now); }
    [[nodiscard]] Slot take(std::string_view name, std::uint64_t hash, Time now);
    [[nodiscard]] std::uint64_t hash(std::string_view name) const noexcept;
    // Brings near what take() will look at first.
    void prefetch(std::uint64_t hash) const noexcept { index_.prefetch(hash); }
    // Most likely the flow of that hash, which is not looked at; kNoSlot: there is none.
    [[nodiscard]] Slot guess(std::uint64_t hash) const {
        return index_.find(hash, [](Slot) { return true; });
    }
    void retain(Slot flow) noexcept { ++flows_[flow].live; }
    void release(Slot flow, Time now);
    // The queue goes: names are given back, nothing else may be called.
    void drop_names();

    [[nodiscard]] Flow& operator[](Slot flow) noexcept { return flows_[flow]; }
    [[nodiscard]] const Flow& operator[](Slot flow) const noexcept { return flows_[flow]; }
    void prefetch_flow(Slot flow) const noexcept { flows_.prefetch(flow); }
    void prefetch_lane(Slot lane) const noexcept { lanes_.prefetch(lane); }
    void prefetch_name(Slot flow) const noexcept { texts_->prefetch(flows_[flow].name); }
    // What an attempt of so many bytes will take, in microseconds; 0: not known.
    [[nodiscard]] float cost(Slot flow, std::uint64_t bytes) const noexcept {
        return costs_->find(flows_[flow].hash, flows_[flow].cost, CostTable::size_class(bytes));
    }
    void learn_cost(Slot flow, std::uint64_t bytes, float microseconds) {
        costs_->add(flows_[flow].hash, flows_[flow].cost, CostTable::size_class(bytes),
                    microseconds);
    }
    [[nodiscard]] std::string_view name(Slot flow) const { return texts_->text(flows_[flow].name); }
    // Every flow there is, and every lane, in no order that means anything.
    [[nodiscard]] const std::vector<Slot>& all() const noexcept { return all_; }
    [[nodiscard]] const std::vector<Slot>& lanes() const noexcept { return lane_list_; }
    // Flows that have something, or limits.
    [[nodiscard]] std::size_t size() const noexcept { return all_.size() - idle_.size(); }

    [[nodiscard]] Lane& lane(Slot slot) noexcept { return lanes_[slot]; }
    [[nodiscard]] const Lane& lane(Slot slot) const noexcept { return lanes_[slot]; }
    // The flow's lane for it, made if there is none.
    [[nodiscard]] Slot lane_of(Slot flow, std::uint8_t priority, LaneKind kind);

    // nullptr: it has none.
    [[nodiscard]] const FlowLimits* limits(Slot flow) const {
        const Slot slot = flows_[flow].limited;
        return slot == kNoSlot ? nullptr : &limited_[slot].limits;
    }
    // Precondition: held by the caller meanwhile. New limits on a rate begin without burst.
    void set_limits(Slot flow, const FlowLimits& limits, Time now);
    void drop_limits(Slot flow);
    [[nodiscard]] std::size_t limited() const noexcept { return limited_.size(); }
    // Its attempts are as many as it may have at once.
    [[nodiscard]] bool full(Slot flow) const;
    // When its next delivery is allowed by its rate; Time{}: at any time.
    [[nodiscard]] Time allowed_at(Slot flow) const;
    // One was delivered.
    void charge_rate(Slot flow, Time now);

  private:
    struct Debt {
        std::uint32_t hash = 0;
        std::int64_t amount = 0;
        Time since{};
    };
    [[nodiscard]] static Duration interval(const FlowLimits& limits);
    Slot make(std::string_view name, std::uint64_t hash, Time now);
    void rest(Slot flow, Time now);
    void forget(Slot flow, Time now);

    InternTable* texts_;
    CostTable* costs_;
    std::uint64_t seed_;
    Slab<Flow, 8> flows_;
    Slab<Lane, 8> lanes_;
    Slab<LimitedFlow, 4> limited_;
    SlotIndex index_;
    std::vector<Slot> all_;
    std::vector<Slot> lane_list_;
    std::vector<Slot> idle_;  // the oldest first
    std::vector<Debt> debts_;
};

}  // namespace scanmq::broker
