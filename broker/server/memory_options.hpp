#pragma once
// What follows from --memory-max: ZeroMQ's marks, and the options that have to fit it.
//
// Role:   arithmetic only, but for default_memory_bytes(), which asks the system.
// Marks:  ZeroMQ counts messages, so that a connection is reckoned with its largest frames: twice the
//         frame limit on its way in (beyond, ZeroMQ closes it), the frame limit on its way out. Half a
//         share is for the least that every connection may hold, the other half is divided by the
//         connections there are. Connections that never say HELLO count like all others.
// See:    broker/core/memory_budget.hpp; docs/OPERATIONS.md, "Memory"

#include <cstddef>
#include <cstdint>

#include "broker/server/server_options.hpp"
#include "common/transport/socket.hpp"

namespace scanmq::broker {

// Half of what the machine has, or its control group.
[[nodiscard]] std::uint64_t default_memory_bytes();

// What one socket's connections may hold in ZeroMQ.
struct PipeShare {
    std::uint64_t receive_bytes = 0;
    std::uint64_t send_bytes = 0;
    std::uint64_t frame_in_bytes = 0;  // largest frames
    std::uint64_t frame_out_bytes = 0;
};
struct PipeMarks {
    int send = 1;
    int receive = 1;
    friend bool operator==(const PipeMarks&, const PipeMarks&) = default;
};
// So few connections make no difference.
inline constexpr std::size_t kConnectionsFew = 8;
inline constexpr int kMarkMax = 1000;
// On the blob socket: a chunk and what is around it.
inline constexpr std::uint32_t kBlobFrameBytesMax = protocol::kLimits.chunk_bytes + 4096;

[[nodiscard]] PipeShare main_pipes(const MemoryPlan& plan);
[[nodiscard]] PipeShare blob_pipes(const MemoryPlan& plan);
// For each of so many connections. They fall as connections come.
[[nodiscard]] PipeMarks marks(const PipeShare& share, std::size_t connections);
// So many connections fit with the lowest marks.
[[nodiscard]] std::uint64_t connections_max(const PipeShare& share);

// Sets options.core.memory and all that has to fit it: sessions_max when it was left open, windows,
// buffers. Error: sessions_max is more than fits; it names both options.
[[nodiscard]] Result<void, ServerError> fit_to_memory(ServerOptions& options);

}  // namespace scanmq::broker
