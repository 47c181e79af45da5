#pragma once
// GroupTable: the groups of one queue: how many jobs each has, how they ended, and when it is over.
//
// Threads:   broker loop only.
// Invariant: a group ends once, complete or incomplete; it is remembered while jobs of it live, and
//            for Options::remember after it ended, unless its place is needed.
// Limits:    Options::groups_max.
// See:       docs/PROTOCOL.md, section 9

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "broker/core/rows.hpp"
#include "broker/core/slab.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

struct Group {
    Id128 id;
    protocol::GroupPhase phase{};
    std::uint64_t count = 0;      // sealed with; 0 while open
    std::uint64_t submitted = 0;  // accepted into it
    std::uint64_t finished = 0;
    std::array<std::uint64_t, 8> outcomes{};  // finished, by final outcome
    Slot text = kNoSlot;                      // its id in CoreState::texts
    std::uint64_t generation = 0;             // of the aliases its jobs see; held while it is open
    Time opened;
    Slot next = kNoSlot;  // in the list of open groups, in order of opening; or the slab's
    Slot previous = kNoSlot;

    [[nodiscard]] std::vector<std::pair<protocol::FinalOutcome, std::uint64_t>> outcome_list()
        const;
};

class GroupTable {
  public:
    using Error = protocol::ErrorCode;
    struct Options {
        std::uint32_t groups_max = 100'000;
        Duration ttl = std::chrono::hours(24);         // from open to seal
        Duration remember = std::chrono::minutes(10);  // after its end
    };

    explicit GroupTable(const Options& options) : options_(options) {}

    // Errors: group_exists, over_limit. The texts of groups forgotten to make room go to `forgotten`.
    [[nodiscard]] Result<Slot, Error> open(const Id128& id, Time now, std::vector<Slot>& forgotten);
    // True when that completes it. Errors: unknown_group, group_sealed, group_count.
    [[nodiscard]] Result<bool, Error> seal(const Id128& id, std::uint64_t count, Time now);
    [[nodiscard]] Slot find(const Id128& id) const;
    [[nodiscard]] Group& operator[](Slot slot) noexcept { return groups_[slot]; }
    [[nodiscard]] const Group& operator[](Slot slot) const noexcept { return groups_[slot]; }

    // A job was accepted into it. Precondition: it is open.
    void submitted(Slot slot) noexcept { ++groups_[slot].submitted; }
    // A job of it ended; true when that completes the group.
    [[nodiscard]] bool finished(Slot slot, protocol::FinalOutcome outcome, Time now);

    // Ends what was open too long, into `incomplete`, and forgets what ended long ago; each list at most
    // `budget` steps. The texts of forgotten groups are appended to `forgotten`.
    void expire(Time now, std::size_t budget, std::vector<Slot>& incomplete,
                std::vector<Slot>& forgotten);
    // When expire() has something to do; Time::max(): nothing.
    [[nodiscard]] Time next_expiry() const noexcept;
    // Takes a row back; the times are the row's, on this clock. Its text is for the caller to set.
    // Precondition: not there.
    Slot restore(const Id128& id, const GroupRow& row, Time opened, Time ended);
    // Of the open groups, in no order.
    [[nodiscard]] std::vector<std::uint64_t> open_generations() const;
    // Every group's text, for the end of the queue.
    void clear(std::vector<Slot>& forgotten);
    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }
    // Those that have not ended.
    [[nodiscard]] std::size_t live() const noexcept { return ids_.size() - ended_.size(); }

  private:
    struct Due {
        Slot slot = kNoSlot;
        Time at;
    };
    void unlink_open(Slot slot);
    void end(Slot slot, protocol::GroupPhase phase, Time now);
    void forget(Slot slot, std::vector<Slot>& forgotten);
    void link_open(Slot slot);
    // Rows come back in order of their ids.
    void sort_restored();

    Options options_;
    Slab<Group, 6> groups_;
    std::unordered_map<Id128, Slot> ids_;
    Slot open_first_ = kNoSlot;
    Slot open_last_ = kNoSlot;
    std::deque<Due> ended_;  // by the time it may be forgotten
    bool unsorted_ = false;  // the open ones and ended_, after restore()
};

// The body of a completion entry: a msgpack array [phase, count, [[outcome, jobs]...]].
[[nodiscard]] std::string completion_body(const Group& group);

}  // namespace scanmq::broker
