#pragma once
// WorkerCall: a job as workers hand it to the scan service, in msgpack: [request bin, inputs [hash bin...],
//             as_of_ns or nil].
//
// Errors:  a sentence. Bytes of a peer are checked before use; nothing is allocated but for the inputs.
// Limits:  kInputsMax; one array, no nesting beyond its inputs.
// Threads: pure functions.
// See:     docs/HTTP_API.md#workers

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"

namespace scanmq::api {

inline constexpr std::size_t kInputsMax = 64;

struct WorkerCall {
    ByteView request;  // of the bytes that were decoded: a job's payload
    std::vector<ContentId> inputs;
    std::optional<std::int64_t> as_of_ns;
};

[[nodiscard]] std::string encode_worker_call(ByteView request, std::span<const ContentId> inputs,
                                             std::optional<std::int64_t> as_of_ns);
[[nodiscard]] Result<WorkerCall, std::string> decode_worker_call(ByteView bytes);

}  // namespace scanmq::api
