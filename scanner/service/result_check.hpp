#pragma once
// A look at bytes that are said to be a result.
//
// Threads: pure function.

#include <string>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

namespace scanmq::service {

// Whether the bytes can be a result in msgpack: one whole map with text for keys, "spreads" among them,
// nothing after it, nested no deeper than kDepthMax. Much cheaper than decode_result(): it neither
// allocates nor looks at values. Error: a sentence.
[[nodiscard]] Result<void, std::string> check_result(ByteView bytes);

}  // namespace scanmq::service
