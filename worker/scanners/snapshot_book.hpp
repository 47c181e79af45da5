#pragma once
// SnapshotBook: what a process is taken to keep of the snapshots it was sent.
//
// Role:     one per process: who sends it a snapshot only once has to know what it has.
// Threads:  plain value.
// Limits:   bytes_max, or the bytes of one plan if they are more; what was used longest ago goes first.

#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/id.hpp"

namespace scanmq::worker {

struct SnapshotUse {
    ContentId id;
    std::uint64_t bytes{};
};

struct SnapshotPlan {
    std::vector<ContentId> forget;
    std::vector<ContentId> send;  // each once
};

class SnapshotBook {
  public:
    explicit SnapshotBook(std::uint64_t bytes_max = 0) : bytes_max_(bytes_max) {}

    // What has to be said before a scan of these; from then on it is taken as said.
    [[nodiscard]] SnapshotPlan use(std::span<const SnapshotUse> inputs);
    // How many bytes of these it has.
    [[nodiscard]] std::uint64_t known_bytes(std::span<const SnapshotUse> inputs) const;
    void clear();

    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    std::uint64_t bytes_max_;
    std::uint64_t bytes_ = 0;
    std::list<SnapshotUse> order_;  // the latest used first
    std::unordered_map<ContentId, std::list<SnapshotUse>::iterator> entries_;
};

}  // namespace scanmq::worker
