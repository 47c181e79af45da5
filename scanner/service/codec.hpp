#pragma once
// Codec: requests and results as JSON text or msgpack, one schema (docs/SCAN_REQUEST.md).
//
// Decoding: tells JSON from msgpack by itself, refuses unknown and duplicate keys, wrong types,
//           trailing bytes, NaN, nesting past kDepthMax and more than kElementsMax values, and
//           never throws.
// Encoding: NaN as null; numbers keep every bit.
// Threads:  pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::service {

enum class Encoding : std::uint8_t { json, msgpack };

inline constexpr std::size_t kDepthMax = 16;
inline constexpr std::size_t kElementsMax = 4'000'000;

[[nodiscard]] std::string encode(const ScanRequest& request, Encoding encoding);
[[nodiscard]] std::string encode(const ScanResult& result, Encoding encoding);
// A JSON array of spreads, for documents that carry nothing else of a result.
[[nodiscard]] std::string encode_spreads(const std::vector<Spread>& spreads);

// Errors: malformed; invalid_request, naming the field and the nearest known key. The values are
//         checked by make_plan(), which this calls: a request that decodes can be scanned.
[[nodiscard]] Result<ScanRequest, Error> decode_request(ByteView bytes);
// Errors: malformed, invalid_result.
[[nodiscard]] Result<ScanResult, Error> decode_result(ByteView bytes);

}  // namespace scanmq::service
