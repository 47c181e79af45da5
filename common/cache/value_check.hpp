#pragma once
// value_check: the checksum that a result carries on its way through another broker's cache: who put it made
//              it, who gets it compares it.
//
// Role:      BrokerTier's and the broker's; what Envelope is for a store that knows bytes only.
// Covers:    the format of what is checked, the key, the body. It finds damage and mix-ups, not malice.
// See:       docs/PROTOCOL.md, section 8, "Cache"

#include "common/base/bytes.hpp"
#include "common/base/checksum.hpp"
#include "common/base/id.hpp"

namespace scanmq::cache {

[[nodiscard]] Checksum value_check(const ContentId& key, ByteView body);

}  // namespace scanmq::cache
