#pragma once
// CursorTable: the durable subscriptions of one queue: how far each name has come, and who has it.
//
// Threads:   broker loop only. Borrows: the Subscription that holds a cursor, until leave().
// States:    held by a subscription; idle, until it lapses; lapsed, kept only to tell its next
//            subscriber so; gone.
// Invariant: a cursor never moves backward; at most one subscription holds it; what changed is in
//            changed() or forgotten() until clear_changes().
// Limits:    cursors_max, lapsed ones included; beyond it create() forgets the one that lapsed
//            first, or fails with over_limit.
// See:       docs/PROTOCOL.md, section 9

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/rows.hpp"
#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

class Subscription;

struct Cursor {
    std::string name;
    std::string pattern;            // of the last SUBSCRIBE
    std::uint64_t next_offset = 0;  // everything before it is done with
    Subscription* holder = nullptr;
    Time since;  // idle or lapsed: since then
    bool lapsed = false;
    // Entries before it are acknowledged, or known not to match the pattern.
    [[nodiscard]] std::uint64_t needed_from() const noexcept { return needed_from_; }

  private:
    friend class CursorTable;
    std::uint64_t number_ = 0;  // in order of creation
    std::uint64_t needed_from_ = 0;
    bool listed_ = false;  // in needs_
    bool changed_ = false;
    bool told_ = false;  // changes were taken once: the store may know it
};

class CursorTable {
  public:
    using Error = protocol::ErrorCode;

    explicit CursorTable(std::uint32_t cursors_max) : cursors_max_(cursors_max) {}

    // Lapsed ones, too; nullptr: unknown. Good until forgotten.
    [[nodiscard]] Cursor* find(std::string_view name);
    // Precondition: unknown. The new cursor is held by nobody: hold() follows. Error: over_limit.
    [[nodiscard]] Result<Cursor*, Error> create(std::string_view name);
    // The subscription has it from now on, with its pattern, starting at `offset`.
    // Precondition: nobody holds it.
    void hold(Cursor& cursor, Subscription& subscription, std::string pattern,
              std::uint64_t offset);
    // Its subscription ended.
    void leave(Cursor& cursor, Time now);
    // Everything before `next_offset` is done with; false: it was further already.
    bool move(Cursor& cursor, std::uint64_t next_offset);
    void forget(Cursor& cursor);
    // No entry before `offset` matches its pattern, of those that are not acknowledged.
    void skip(Cursor& cursor, std::uint64_t offset);
    // The one that needs the oldest entries, of those that have not lapsed; nullptr: there is none.
    [[nodiscard]] Cursor* neediest() const noexcept {
        return needs_.empty() ? nullptr : *needs_.begin();
    }
    // No durable subscription needs an entry before it; the largest number: nor any later one.
    [[nodiscard]] std::uint64_t needed_from() const noexcept {
        return needs_.empty() ? ~std::uint64_t{0} : (*needs_.begin())->needed_from();
    }
    // All, without a change to be told: the queue is going.
    void clear();

    struct Expired {
        std::size_t lapsed = 0;
        std::size_t forgotten = 0;
    };
    // What was idle for `ttl` lapses, what lapsed `ttl` ago is forgotten; each at most `budget`.
    Expired expire(Time now, Duration ttl, std::size_t budget);
    // When expire() has something to do; Time::max(): never.
    [[nodiscard]] Time next_expiry(Duration ttl) const noexcept;

    // Takes a row back; `used` is the row's, on this clock, or now when a session had it.
    void restore(std::string_view name, const CursorRow& row, Time used);

    // Since clear_changes(): cursors whose row is another, names that are gone.
    [[nodiscard]] const std::vector<Cursor*>& changed() const noexcept { return changed_; }
    [[nodiscard]] const std::vector<std::string>& forgotten() const noexcept { return forgotten_; }
    [[nodiscard]] bool any_changes() const noexcept {
        return !changed_.empty() || !forgotten_.empty();
    }
    void clear_changes();

    // By name, lapsed ones included.
    [[nodiscard]] const std::map<std::string, Cursor, std::less<>>& all() const noexcept {
        return cursors_;
    }
    [[nodiscard]] std::size_t size() const noexcept { return cursors_.size(); }
    [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
    [[nodiscard]] std::size_t lapsed() const noexcept { return lapsed_.size(); }

  private:
    struct Earlier {
        bool operator()(const Cursor* a, const Cursor* b) const noexcept {
            return a->since != b->since ? a->since < b->since : a->number_ < b->number_;
        }
    };
    struct Needier {
        bool operator()(const Cursor* a, const Cursor* b) const noexcept {
            return a->needed_from_ != b->needed_from_ ? a->needed_from_ < b->needed_from_
                                                      : a->number_ < b->number_;
        }
    };
    void change(Cursor& cursor);
    // Puts it where it belongs in needs_.
    void need_from(Cursor& cursor, std::uint64_t offset);
    void unneed(Cursor& cursor);
    // Out of the set it waits in, if any.
    void unlist(Cursor& cursor);

    std::uint32_t cursors_max_;
    std::map<std::string, Cursor, std::less<>> cursors_;
    std::set<Cursor*, Earlier> idle_;
    std::set<Cursor*, Earlier> lapsed_;
    std::set<Cursor*, Needier> needs_;  // all that have not lapsed
    std::vector<Cursor*> changed_;
    std::vector<std::string> forgotten_;
    std::uint64_t numbers_ = 0;
};

}  // namespace scanmq::broker
