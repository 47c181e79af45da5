#pragma once
// BlobStore: the bytes of blobs, in memory, by content id.
//
// Role:      owned by the broker's shell; obeys BlobCore, knows no rules. How much may be held is
//            BlobTable's.
// Threads:   broker loop; but the bytes of a completely written blob do not move or change until
//            drop(), so that another thread may read what view() gave.

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {

class BlobStore {
  public:
    // Makes room, uninitialised; what was there of this id is dropped.
    void begin(const ContentId& id, std::uint64_t bytes);
    // Precondition: begun, and within its size.
    void write(const ContentId& id, std::uint64_t offset, ByteView bytes);
    // Nothing happens when it is not there.
    void drop(const ContentId& id);

    // Empty when it is not there. Lives until drop() or begin() of the same id.
    [[nodiscard]] ByteView view(const ContentId& id) const;
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    struct Blob {
        std::unique_ptr<char[]> data;
        std::uint64_t bytes{};
    };
    std::unordered_map<ContentId, Blob> blobs_;
    std::uint64_t bytes_ = 0;
};

}  // namespace scanmq::broker
