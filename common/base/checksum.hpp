#pragma once
// Checksum: 16 bytes that tell damage, not malice.

#include "common/base/id.hpp"

namespace scanmq {

using Checksum = FixedBytes<16, struct ChecksumTag>;

}  // namespace scanmq
