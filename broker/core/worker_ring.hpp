#pragma once
// WorkerRing: the workers that have credit, in the order in which they get the next attempt.
//
// Threads:   broker loop only. Borrows: the workers, which leave() before they go.
// Invariant: a worker is in the ring exactly while its credit in items is not used up and nothing
//            keeps it out of it (exclusive, detached, reserved).
// Fairness:  those with nothing to do come first, in the order they became idle; then those with a
//            thread to spare; then the others; round robin among each.
// Locality:  who holds the inputs goes before the one whose turn it is, unless work that could begin
//            at once would wait, or it is busier than that one by more than kBusierMax.

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/held_inputs.hpp"
#include "broker/core/job_table.hpp"
#include "common/protocol/credit.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

struct Worker {
    Slot session = kNoSlot;
    protocol::WorkerInfo info;
    protocol::CreditSender credit;
    RunningList running;
    // It is taken to begin attempts in the order of their delivery, one a thread: so many have begun,
    // and this is the first of the others.
    std::uint32_t begun = 0;
    Slot not_begun = kNoSlot;
    std::uint64_t delivered = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    Time heartbeat{};                             // the last one
    std::optional<protocol::CacheFigures> cache;  // as of then; none: it keeps no results
    bool exclusive = false;                       // an attempt runs alone here
    bool detached = false;   // its connection is gone; it may come back under another session
    bool slow = false;       // its outgoing queue is nearly full
    bool gave_back = false;  // it asked its credit back, and told no limit since
    std::set<protocol::Token> revoked;      // taken back; their answers are still to come
    std::vector<protocol::Token> revoking;  // of those, what it has not been told yet
    HeldList held;                          // HeldInputs' of it

    // An attempt of that size.
    [[nodiscard]] bool affords(std::uint64_t bytes) const noexcept {
        return credit.affords({1, bytes});
    }
    // By number of queue; kept by set_serves().
    [[nodiscard]] bool serves(std::uint16_t queue) const noexcept {
        return info.queues.empty() || (queue < serves_.size() && serves_[queue]);
    }
    // Whether it may get an execution of that queue, `versioned` ones only with the queue's version.
    [[nodiscard]] bool takes(std::uint16_t queue, bool versioned) const noexcept {
        return serves(queue) && (!versioned || (queue < current_.size() && current_[queue]));
    }
    // Whether a thread is free for one more.
    [[nodiscard]] bool has_thread() const noexcept {
        return running.empty() || running.size() < info.threads;
    }
    // A queue of this number and name came to be.
    void set_serves(std::uint16_t queue, const std::string& name);
    // The queue's scanner version is, or is not, this worker's.
    void set_current(std::uint16_t queue, bool current);

    // The DELIVER being filled for it in the dispatch under way.
    struct Batch {
        std::uint64_t pass = 0;
        std::uint16_t queue = 0;
        std::size_t send = 0;
        std::uint64_t encoded_bytes = 0;
        std::uint32_t attempts = 0;
        std::vector<change::Started::One> started;  // not yet in the journal
    } batch;

  private:
    friend class WorkerRing;
    enum class Place : std::uint8_t { idle, free, full, none };
    Worker* before_ = nullptr;
    Worker* after_ = nullptr;
    Place place_ = Place::none;
    std::vector<bool> serves_;
    std::vector<bool> current_;
};

class WorkerRing {
  public:
    // So many attempts more than another one a worker may have because it holds the inputs.
    static constexpr std::uint32_t kBusierMax = 4;

    // Puts the worker where its credit and its work say. To be called after either changed; a worker that
    // just got an attempt goes to the back.
    void update(Worker& worker);
    // Before the worker goes, too. What it holds is forgotten: it comes back as another one.
    void leave(Worker& worker) noexcept;
    // The worker whose turn it is for an attempt of that size; nullptr: none has credit for it.
    [[nodiscard]] Worker* pick(std::uint16_t queue, std::uint64_t bytes,
                               bool versioned) const noexcept;
    // The same for one that needs inputs, InternTable::hash of them; 0: none.
    [[nodiscard]] Worker* pick(std::uint16_t queue, std::uint64_t bytes, bool versioned,
                               std::uint64_t inputs) const;
    // It gets an attempt that needs them. True: it holds them already.
    bool give(Worker& worker, std::uint64_t inputs) { return held_.give(worker, inputs); }
    // Some worker could get an attempt.
    [[nodiscard]] bool any() const noexcept {
        return lists_[0].first != nullptr || lists_[1].first != nullptr ||
               lists_[2].first != nullptr || reserved_ != nullptr;
    }

    // One worker may be kept out of the ring until it has nothing left, for what runs alone.
    // Precondition: none is.
    void reserve(Worker& worker) noexcept;
    void release_reserved();
    [[nodiscard]] Worker* reserved() const noexcept { return reserved_; }

  private:
    struct List {
        Worker* first = nullptr;
        Worker* last = nullptr;
    };
    void append(Worker::Place place, Worker& worker) noexcept;
    void unlink(Worker& worker) noexcept;

    [[nodiscard]] List& list(Worker::Place place) noexcept {
        return lists_[static_cast<std::size_t>(place)];
    }
    // What one more would have before it: beside it, while threads are free; ahead of it, when not.
    [[nodiscard]] static std::uint32_t load(const Worker& worker) noexcept;

    std::array<List, 3> lists_;  // by place
    HeldInputs held_;
    Worker* reserved_ = nullptr;
};

}  // namespace scanmq::broker
