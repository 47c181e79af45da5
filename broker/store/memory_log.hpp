#pragma once
// MemoryLog: the `memory` engine of CommitLog. Records are durable as soon as they are appended,
//            for as long as the process lives; it keeps none of them, as there is nothing to
//            recover into.
//
// Checks:  each partition's records chain (epoch, previous, sequence): a gap would make a log that
//          cannot be replayed.
// Threads: broker loop only.

#include <unordered_map>

#include "broker/store/commit_log.hpp"

namespace scanmq::broker {

class MemoryLog final : public CommitLog {
  public:
    [[nodiscard]] Result<LogPosition, LogError> append(std::span<const CommitRecord> records,
                                                       const BodyStore& bodies) override;
    [[nodiscard]] LogPosition durable() const override { return position_; }
    void set_wake(std::function<void()>) override {}
    [[nodiscard]] Result<void, LogError> read(LogPosition, const Visit&) override { return {}; }
    [[nodiscard]] Result<void, LogError> release(LogPosition) override { return {}; }

  private:
    std::unordered_map<PartitionId, std::uint64_t> last_;  // sequence of its last record
    LogPosition position_ = 0;
};

}  // namespace scanmq::broker
