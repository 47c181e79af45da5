#pragma once
// StandingTable: scans that run again whenever an alias they use moves, and when each is due.
//
// Role:      one per broker. Decides when; StandingHandler makes the jobs.
// Threads:   broker loop only.
// Invariant: after a move each scan that uses the alias is due, at once or when its interval since
//            its last run is over; moves while it is due add nothing: the run that comes sees all.
// Limits:    the caller's, by size() and bytes().
// Cost:      a move O(log n) for each scan that uses the alias, nothing for the others.
// See:       docs/PROTOCOL.md, section 9, "Standing scans"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/core/alias_table.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

// What was set under a name.
struct StandingJob {
    std::string queue;
    std::string subject;
    std::string payload;          // of a blob: its content id
    std::uint64_t blob_size = 0;  // 0: the payload is the bytes themselves
    std::vector<std::string> aliases;
    std::uint64_t min_interval_ms = 0;
    std::uint64_t deadline_ms = 0;
    std::string flow;
    std::uint32_t priority = 0;
    std::uint32_t flags = 0;  // JobOptions::flags

    [[nodiscard]] bool is_blob() const noexcept { return blob_size != 0; }
    // What it takes of the budget for payloads.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return is_blob() ? 0 : payload.size(); }
    friend bool operator==(const StandingJob&, const StandingJob&) = default;
};

struct StandingScan {
    // idle: nothing has moved; due: at `at`; held: its queue had no room.
    enum class State : std::uint8_t { idle, due, held };

    std::string name;
    StandingJob job;
    WallMillis set_at{};
    std::uint64_t number = 0;  // rises with each set()
    State state{};
    Time at{};
    Time last_run{};  // Time{}: never
    // Of the aliases, which the last run saw; 0: it has not run since it was set.
    std::uint64_t generation = 0;
    std::uint64_t runs = 0;
    std::uint64_t skipped = 0;  // moves while it was due already; since the broker's start
    std::string problem;        // why it does not run, or did not when it was last due

    [[nodiscard]] bool is_pending() const noexcept { return state != State::idle; }
};

class StandingTable {
  public:
    // nullptr: there is none.
    [[nodiscard]] StandingScan* find(std::string_view name);
    // The scan of that name is this one from now on, and is due; of a former one its last run and
    // its numbers stay.
    StandingScan& set(std::string_view name, StandingJob job, WallMillis set_at, Time now);
    void drop(const StandingScan& scan);
    // An alias names something else, or nothing. How many scans were due already.
    std::uint64_t moved(std::string_view alias, Time now);

    // The one that is due first, and now; nullptr: none. It stays due until one of the next three.
    [[nodiscard]] StandingScan* due(Time now) const;
    void ran(StandingScan& scan, std::uint64_t generation, Time now);
    // No room: it is pending still, but not due.
    void hold(StandingScan& scan, std::string problem);
    // It cannot run before one of its aliases moves.
    void give_up(StandingScan& scan, std::string problem);
    // Queues that have scans held; of one, the scan that was set first.
    [[nodiscard]] std::vector<std::string> held_queues() const;
    [[nodiscard]] StandingScan* held(std::string_view queue) const;
    [[nodiscard]] bool any_pending() const noexcept { return !due_.empty() || !held_.empty(); }
    // Of those that are not held; Time::max(): none.
    [[nodiscard]] Time next_due() const noexcept {
        return due_.empty() ? Time::max() : due_.begin()->first.first;
    }

    // After a restart; idle. Precondition: there is none of that name.
    void restore(StandingScan scan);
    // After every restore() and the aliases: what moved since a scan's last run makes it due.
    void settle(const AliasTable& aliases, Time now);
    // Rows (queue, name) of scans that were set anew in another queue: a crash may leave both.
    void add_stale(std::string queue, std::string name) {
        stale_.emplace_back(std::move(queue), std::move(name));
    }
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> take_stale() {
        return std::exchange(stale_, {});
    }
    [[nodiscard]] bool any_stale() const noexcept { return !stale_.empty(); }

    [[nodiscard]] const std::map<std::string, StandingScan, std::less<>>& all() const noexcept {
        return scans_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return scans_.size(); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    using ByNumber = std::map<std::uint64_t, StandingScan*>;

    void index(StandingScan& scan);
    void unindex(const StandingScan& scan);
    void make_due(StandingScan& scan, Time now);
    void withdraw(StandingScan& scan);

    std::map<std::string, StandingScan, std::less<>> scans_;
    std::map<std::string, ByNumber, std::less<>> users_;  // by alias
    std::map<std::pair<Time, std::uint64_t>, StandingScan*> due_;
    std::map<std::string, ByNumber, std::less<>> held_;  // by queue
    std::vector<std::pair<std::string, std::string>> stale_;
    std::uint64_t bytes_ = 0;
    std::uint64_t last_number_ = 0;
};

}  // namespace scanmq::broker
