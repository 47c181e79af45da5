#pragma once
// CommitLog: where the core's commit records go, and when they are safe.
//
// Role:      the shell appends the records of a batch and holds back what relies on them until
//            durable() has reached the position that append() gave. Checkpoints and recovery read
//            it.
// Engines:   MemoryLog (durable at once, forgets at exit), FileLog. An engine may be a local file or
//            a remote stream: nothing above this interface may assume either, nor that durability
//            comes at once.
// Threads:   append() and set_wake() on the broker's loop; durable() and error() on any; read() and
//            release() on the checkpoint's thread, or before the loop starts. `wake` is called from
//            the engine's threads.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "broker/core/record.hpp"
#include "common/base/result.hpp"

namespace scanmq::broker {

class BodyStore;

// Counts records from 1; rises with every append and goes on across restarts. 0: nothing.
using LogPosition = std::uint64_t;

struct LogError {
    std::string sentence;  // what failed and what to do; the broker stops on it
};

// A record as it is read back, bodies in place. Views live until the visit returns.
struct RecordView {
    LogPosition position{};
    PartitionId partition{};
    std::uint64_t epoch{};
    std::uint64_t previous{};
    std::uint64_t sequence{};
    ByteView changes;
};

class CommitLog {
  public:
    using Visit = std::function<Result<void, LogError>(const RecordView&)>;

    virtual ~CommitLog() = default;

    // Takes the records of one batch, in order; bodies that they name are read from `bodies` before
    // it returns. Never waits for the storage. The position of the last record. Precondition: at
    // least one.
    [[nodiscard]] virtual Result<LogPosition, LogError> append(
        std::span<const CommitRecord> records, const BodyStore& bodies) = 0;

    // Everything up to here would survive a crash (as far as the engine promises).
    [[nodiscard]] virtual LogPosition durable() const = 0;
    // A write or sync failed: nothing becomes durable any more, the broker must stop.
    [[nodiscard]] virtual std::optional<LogError> error() const { return std::nullopt; }

    // Called whenever durable() has risen outside of append(), or error() is set; from any thread.
    // Set once, before the first append.
    virtual void set_wake(std::function<void()> wake) = 0;

    // Visits the durable records after `after`, in order, until the end or the first error, which is
    // returned. Error: a record in that range was released, or cannot be read.
    [[nodiscard]] virtual Result<void, LogError> read(LogPosition after, const Visit& visit) = 0;
    // The records up to here are in a checkpoint and will not be read again.
    [[nodiscard]] virtual Result<void, LogError> release(LogPosition up_to) = 0;
};

}  // namespace scanmq::broker
