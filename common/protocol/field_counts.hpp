#pragma once
// How many fields a frame of each kind has after the envelope; private to the encoder.
//
// See: docs/PROTOCOL.md, section 3

#include <cstddef>

#include "common/protocol/kinds.hpp"

namespace scanmq::protocol {

[[nodiscard]] std::size_t field_count(Kind kind);

}  // namespace scanmq::protocol
