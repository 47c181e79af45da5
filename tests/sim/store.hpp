#pragma once
// Store: what a simulated broker keeps its commits in.
//
// Role:    between BrokerNode and an engine: MemoryStore, which ends with the process, and
//          DurableStore, which does its work in steps of virtual time and loses in a crash what was
//          not synced.

#include <cstdint>
#include <memory>
#include <optional>

#include "broker/core/broker_core.hpp"
#include "broker/store/body_store.hpp"
#include "broker/store/commit_log.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

class Store {
  public:
    virtual ~Store() = default;

    [[nodiscard]] virtual broker::CommitLog& log() = 0;
    [[nodiscard]] virtual bool survives() const = 0;
    // Of this start of the broker: rises, and is stored before the broker says anything.
    [[nodiscard]] virtual std::uint64_t epoch() const = 0;
    // `wake` is called when the broker should look at durable() and error().
    virtual void start(std::function<void()> wake) = 0;
    // Gives a new core what was kept. False: nothing was, or it could not be read (`problem`).
    [[nodiscard]] virtual bool recover(broker::BrokerCore& core, broker::BodyStore& bodies,
                                       Time now, std::string& problem) = 0;
    // The process is gone; what was not synced may be lost.
    virtual void crash() = 0;
    // Faults of the disk.
    virtual void slow(Duration /*length*/) {}
    virtual void fill(Duration /*length*/) {}
    virtual void fail_sync() {}
    virtual void heal() {}
};

[[nodiscard]] std::unique_ptr<Store> make_memory_store();

}  // namespace scanmq::sim
