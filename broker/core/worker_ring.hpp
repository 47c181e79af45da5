#pragma once
// WorkerRing: the workers that have credit, in the order in which they get the next attempt.
//
// Threads:   broker loop only. Borrows: the workers, which leave() before they go.
// Invariant: a worker is in the ring exactly while its credit in items is not used up.
// Fairness:  those with nothing to do come first, in the order they became idle; then round robin.

#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/job_table.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

struct Worker {
    Slot session = kNoSlot;
    protocol::WorkerInfo info;
    protocol::Credit limit;
    protocol::Credit sent;
    RunningList running;
    std::uint64_t delivered = 0;
    std::uint64_t done = 0;
    std::uint64_t failed = 0;

    [[nodiscard]] std::uint64_t credit_items() const noexcept { return limit.items - sent.items; }
    [[nodiscard]] std::uint64_t credit_bytes() const noexcept { return limit.bytes - sent.bytes; }
    // By number of queue; kept by set_serves().
    [[nodiscard]] bool serves(std::uint16_t queue) const noexcept {
        return info.queues.empty() || (queue < serves_.size() && serves_[queue]);
    }
    // A queue of this number and name came to be.
    void set_serves(std::uint16_t queue, const std::string& name);

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
    enum class Place : std::uint8_t { none, idle, busy };
    Worker* before_ = nullptr;
    Worker* after_ = nullptr;
    Place place_ = Place::none;
    std::vector<bool> serves_;
};

class WorkerRing {
  public:
    // Puts the worker where its credit and its work say. To be called after either changed; a worker that
    // just got an attempt goes to the back.
    void update(Worker& worker);
    void leave(Worker& worker) noexcept;
    // The worker whose turn it is for an attempt of that size; nullptr: none has credit for it.
    [[nodiscard]] Worker* pick(std::uint16_t queue, std::uint64_t bytes) const noexcept;
    [[nodiscard]] bool empty() const noexcept {
        return idle_.first == nullptr && busy_.first == nullptr;
    }

  private:
    struct List {
        Worker* first = nullptr;
        Worker* last = nullptr;
    };
    static void append(List& list, Worker& worker) noexcept;

    List idle_;
    List busy_;
};

}  // namespace scanmq::broker
