#pragma once
// Snapshots: the blobs that jobs read: which there are, and what of them the broker has on its disk.
//
// Role:    stands in for the blob socket and the blob files; the broker's BlobTable decides what stays.
// Threads: one.

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "broker/core/blob_table.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

class Snapshots {
  public:
    Snapshots(World& world, const std::uint32_t& count) : world_(world), count_(count) {}

    [[nodiscard]] static ContentId id(std::uint64_t number) {
        ContentId out;
        for (std::size_t i = 0; i < 8; ++i)
            out.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
        out.bytes[ContentId::kSize - 1] = 1;
        return out;
    }
    [[nodiscard]] ContentId any() { return id(world_.rng.below(count_)); }
    // A client puts it. False: the broker has no room, or is not there.
    bool put(const ContentId& id) { return put_ && put_(id); }
    void set_put(std::function<bool(const ContentId&)> put) { put_ = std::move(put); }

    // What is on the disk.
    std::map<ContentId, broker::BlobRecord> disk;

  private:
    World& world_;
    const std::uint32_t& count_;
    std::function<bool(const ContentId&)> put_;
};

}  // namespace scanmq::sim
