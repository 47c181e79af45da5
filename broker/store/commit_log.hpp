#pragma once
// CommitLog: where the core's commit records go, and when they are safe.
//
// Role:      the shell appends the records of a batch and holds back what relies on them until
//            durable() has reached the position that append() gave.
// Engines:   MemoryLog (durable at once, forgets at exit). An engine may be a local file or a
//            remote stream: nothing above this interface may assume either, nor that durability
//            comes at once.
// Threads:   broker loop only; an engine with threads of its own calls `wake` from them.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "broker/core/events.hpp"
#include "common/base/result.hpp"

namespace scanmq::broker {

class BodyStore;

// Rises with every append; 0: nothing was appended.
using LogPosition = std::uint64_t;

struct LogError {
    std::string sentence;  // what failed and what to do; the broker stops on it
};

class CommitLog {
  public:
    virtual ~CommitLog() = default;

    // Takes the records of one batch, in order; bodies that they name are read from `bodies` before it
    // returns. Never waits for the storage. The position of the last record.
    [[nodiscard]] virtual Result<LogPosition, LogError> append(
        std::span<const CommitRecord> records, const BodyStore& bodies) = 0;

    // Everything up to here would survive a crash (as far as the engine promises).
    [[nodiscard]] virtual LogPosition durable() const = 0;

    // Called whenever durable() has risen outside of append(), from any thread. Set once, before the first
    // append.
    virtual void set_wake(std::function<void()> wake) = 0;
};

}  // namespace scanmq::broker
