#pragma once
// Store: what a simulated broker keeps its commits in.
//
// Role:    between BrokerNode and an engine: MemoryStore, which ends with the process, and
//          DurableStore, which does its work in steps of virtual time and loses in a crash what was
//          not synced. The part of broker/server/storage.hpp.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/core/broker_core.hpp"
#include "broker/store/body_store.hpp"
#include "broker/store/commit_log.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

class Store {
  public:
    virtual ~Store() = default;

    [[nodiscard]] virtual bool survives() const = 0;
    // Opens and recovers what is there. False: the disk does not allow it now, try again later.
    // `wake` is called when the broker should look at log().durable() and log().error().
    [[nodiscard]] virtual bool start(std::function<void()> wake) = 0;
    // The process is gone; what was not synced may be lost.
    virtual void crash() = 0;

    // Preconditions of the others: started.
    [[nodiscard]] virtual broker::CommitLog& log() = 0;
    // Of this start of the broker: rises, and is stored before the broker says anything.
    [[nodiscard]] virtual std::uint64_t epoch() const = 0;
    // Gives a new core what was kept.
    virtual void restore(broker::BrokerCore& core, broker::BodyStore& bodies, Time now) = 0;
    // Records were appended: there is work for the disk.
    virtual void appended() {}
    // At the beginning of each turn: checkpoints that were made let bodies go cold.
    virtual void look_after(broker::BodyStore& /*bodies*/) {}
    [[nodiscard]] virtual bool full() const { return false; }

    // Faults of the disk.
    virtual void slow(Duration /*length*/) {}
    virtual void fill(Duration /*length*/) {}
    virtual void fail_sync() {}
    virtual void heal() {}
};

[[nodiscard]] std::unique_ptr<Store> make_memory_store();
[[nodiscard]] std::unique_ptr<Store> make_durable_store(World& world, const Options& options);

}  // namespace scanmq::sim
