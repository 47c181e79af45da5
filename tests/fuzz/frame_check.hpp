#pragma once
// What the decoder promises for any bytes: it never throws, a refusal has a code and a sentence,
// and a frame it accepts encodes to bytes that decode to the same message again.

#include <string>

#include "common/protocol/codec.hpp"

namespace scanmq::tests {

inline bool frame_keeps_promises(ByteView bytes) {
    protocol::Decoder decoder;
    auto first = decoder.decode(bytes);
    if (!first.ok())
        return first.error().code != protocol::ErrorCode::none && !first.error().sentence.empty();
    std::string encoded;
    protocol::encode(first->header, first->message, encoded);
    protocol::Decoder again;
    auto second = again.decode(encoded);
    if (!second.ok()) return false;
    std::string twice;
    protocol::encode(second->header, second->message, twice);
    return twice == encoded;
}

}  // namespace scanmq::tests
