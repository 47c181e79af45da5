#pragma once
// ContentHasher: the ContentId of bytes that come in pieces.
//
// Use:      update() for each piece in order, then finish() once; the same id as content_id() of
//           them all.
// Threads:  one.

#include <array>
#include <cstddef>

#include "common/base/id.hpp"

namespace scanmq {

class ContentHasher {
  public:
    ContentHasher();
    void update(ByteView piece);
    [[nodiscard]] ContentId finish();

  private:
    alignas(64) std::array<std::byte, 384> state_;  // libsodium's, kept out of this header
};

}  // namespace scanmq
