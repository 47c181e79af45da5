#pragma once
// SubmitCredit: the room of one queue and the submit links that were granted places in it.
//
// Role:      one per queue; the broker's half of the submit link (docs/PROTOCOL.md, section 7).
// Threads:   broker loop only.
// Invariant: used + granted never passes the room (max_jobs, max_bytes), unless the room was made
//            smaller afterwards: then nothing is granted until it fits again.
// Fairness:  the room goes to the links that wait by turns, first to the one whose jobs and unused
//            grants take up the least of it: links that always want more come to hold equal parts,
//            and wait for each other's jobs no longer than room / service rate. Whose turn has come
//            keeps it until there is room for its next item, so smaller ones cannot starve it.

#include <chrono>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "broker/core/slab.hpp"
#include "common/base/time.hpp"
#include "common/protocol/credit.hpp"
#include "common/protocol/limits.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

// Memory that all queues' grants come out of, beside the room of each.
struct GrantPool {
    std::uint64_t room = ~std::uint64_t{0};
    std::uint64_t granted = 0;     // and unused
    std::uint64_t taken = 0;       // came since the room was last judged
    std::uint64_t item_bytes = 0;  // what an item takes beside its credit bytes
    [[nodiscard]] std::uint64_t cost(protocol::Credit size) const noexcept {
        return size.bytes + size.items * item_bytes;
    }
    [[nodiscard]] std::uint64_t free() const noexcept {
        return protocol::excess(room, granted + taken);
    }
};

class SubmitCredit {
  public:
    using Credit = protocol::Credit;
    struct Options {
        Credit window{16'384, 16U << 20};  // most that is granted at once
        Duration reclaim_idle = std::chrono::milliseconds(100);
        std::uint64_t item_bytes_min = protocol::kLimits.item_overhead_bytes;
    };
    enum class WantResult : std::uint8_t { ok, over_credit, item_too_large };
    struct Grant {
        Slot session = kNoSlot;
        Credit limit;  // absolute, to be told
    };

    // `pool` outlives this.
    explicit SubmitCredit(const Options& options, GrantPool* pool = nullptr)
        : options_(options), pool_(pool) {}
    ~SubmitCredit() { unreserve(granted_); }
    SubmitCredit(const SubmitCredit&) = delete;
    SubmitCredit& operator=(const SubmitCredit&) = delete;

    void set_room(Credit room) noexcept { room_ = room; }

    // WANT: replaces the link's former one. serve() grants. item_too_large: an item of it can never fit.
    [[nodiscard]] WantResult want(Slot session, Credit sent, Credit want, Time now);
    // A SUBMIT of so many items and bytes came. False: more than granted, nothing is changed. The items'
    // places are free again; occupy() takes one for each that is accepted.
    [[nodiscard]] bool take(Slot session, Credit size, Time now);
    // Whom that link's jobs are put down to, for occupy() and vacate(): it stays valid, beyond the
    // session too, as long as one of them has a place. kNoSlot: nobody, as for jobs of before a restart.
    [[nodiscard]] Slot holder(Slot session) const;
    void occupy(Slot holder, std::uint64_t bytes) noexcept;
    void vacate(Slot holder, std::uint64_t bytes) noexcept;
    // RECLAIMED: what the link has not used is free again.
    void reclaimed(Slot session, Credit sent);
    // The session closed: its link and its unused grants go.
    void drop(Slot session);

    // Grants what room allows to links that wait; appends one grant for each whose limit rose.
    void serve(Time now, std::vector<Grant>& grants);
    // True when a link waits and no room is left for it.
    [[nodiscard]] bool starving() const noexcept { return !waiting_.empty(); }
    // Links that wait.
    [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_.size(); }
    // Links to ask for unused credit: they have some, another one starves or the caller wants room,
    // and they were quiet for reclaim_idle. Each is named once until it answers. Returns when to ask
    // again, Time::max(): not.
    [[nodiscard]] Time reclaim(Time now, std::vector<Slot>& sessions, bool is_wanted = false);

    [[nodiscard]] Credit limit(Slot session) const;
    [[nodiscard]] Credit used() const noexcept { return used_; }
    [[nodiscard]] Credit granted() const noexcept { return granted_; }
    // What is neither used nor granted.
    [[nodiscard]] Credit free_room() const noexcept;

  private:
    // Of the links that wait, so many are compared, those first that wait longest.
    static constexpr std::size_t kComparedMax = 16;

    struct Holder {
        Slot next = kNoSlot;       // of the slab
        std::uint64_t places = 0;  // taken by its jobs
        bool linked = false;
    };
    struct Link {
        protocol::CreditReceiver credit;
        Slot holder = kNoSlot;
        Credit wanted;  // absolute: what may have come by the last WANT
        Credit unit;    // of one item of that WANT, on average
        bool exact = false;
        bool waiting = false;
        bool asked = false;  // RECLAIM was said
        Time used;           // last grant, SUBMIT or WANT
    };

    [[nodiscard]] Credit target(const Link& link) const noexcept;
    [[nodiscard]] Credit grantable(const Link& link) const noexcept;
    void enqueue(Slot session, Link& link);
    // Brings the link whose turn it is to the head of those that wait.
    void choose_head();
    [[nodiscard]] std::uint64_t places_of(const Link& link) const noexcept;
    void reserve(Credit size) noexcept;
    void unreserve(Credit size) noexcept;

    Options options_;
    Credit room_;
    Credit used_;
    Credit granted_;  // sum of what is unused
    GrantPool* pool_ = nullptr;
    std::unordered_map<Slot, Link> links_;
    Slab<Holder, 8> holders_;
    std::deque<Slot> waiting_;
    bool head_keeps_turn_ = false;
};

}  // namespace scanmq::broker
