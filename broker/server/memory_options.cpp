#include "broker/server/memory_options.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>

namespace scanmq::broker {

namespace {

// A frame that ZeroMQ is still reading, beside those that wait.
constexpr std::uint64_t kReading = 1;
constexpr std::uint64_t kMarkLeast = 1;

std::uint64_t cgroup_limit() {
    std::FILE* file = std::fopen("/sys/fs/cgroup/memory.max", "r");
    if (file == nullptr) return 0;
    unsigned long long limit = 0;
    const int read = std::fscanf(file, "%llu", &limit);  // "max": no limit
    std::fclose(file);
    return read == 1 ? limit : 0;
}

int mark(std::uint64_t share, std::uint64_t frame, std::size_t connections) {
    const std::uint64_t more = share / 2 / frame / connections;
    return static_cast<int>(std::min<std::uint64_t>(kMarkLeast + more, kMarkMax));
}

}  // namespace

std::uint64_t default_memory_bytes() {
    auto bytes = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                 static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    if (const std::uint64_t limit = cgroup_limit(); limit != 0) bytes = std::min(bytes, limit);
    return std::max(bytes / 4 * 3, MemoryPlan::kBytesMin);
}

PipeShare main_pipes(const MemoryPlan& plan) {
    return {plan.receive_pipes, plan.send_pipes, 2 * protocol::kLimits.frame_bytes_max,
            protocol::kLimits.frame_bytes_max};
}

PipeShare blob_pipes(const MemoryPlan& plan) {
    return {plan.blob_pipes, plan.blob_send_pipes, 2 * kBlobFrameBytesMax, kBlobFrameBytesMax};
}

PipeMarks marks(const PipeShare& share, std::size_t connections) {
    // In steps, so that they seldom change.
    const std::size_t reckoned = std::bit_ceil(std::max(connections, kConnectionsFew));
    return {mark(share.send_bytes, share.frame_out_bytes, reckoned),
            mark(share.receive_bytes, share.frame_in_bytes, reckoned)};
}

std::uint64_t connections_max(const PipeShare& share) {
    return std::min(share.receive_bytes / 2 / share.frame_in_bytes / (kMarkLeast + kReading),
                    share.send_bytes / 2 / share.frame_out_bytes / kMarkLeast);
}

Result<void, ServerError> fit_to_memory(ServerOptions& options) {
    if (options.memory_max == 0) options.memory_max = default_memory_bytes();
    const MemoryPlan plan = MemoryPlan::of(options.memory_max);
    const std::uint64_t fit =
        std::min(connections_max(main_pipes(plan)), connections_max(blob_pipes(plan)));
    const bool chosen = options.sessions_max != 0;
    if (chosen && options.sessions_max > fit) {
        return fail(
            ServerError{"--sessions-max " + std::to_string(options.sessions_max) +
                        " does not fit --memory-max " + std::to_string(options.memory_max) +
                        ": with the least that ZeroMQ holds for each, " + std::to_string(fit) +
                        " sessions do. Allow fewer sessions, or more memory: about " +
                        std::to_string(options.memory_max / std::max<std::uint64_t>(fit, 1) *
                                       options.sessions_max) +
                        " bytes"});
    }
    // Left open, it is the core's own limit, or what fits.
    options.core.sessions_max =
        chosen
            ? options.sessions_max
            : static_cast<std::uint32_t>(std::min<std::uint64_t>(fit, options.core.sessions_max));
    options.core.memory = plan;
    const auto at_most = [](auto& value, std::uint64_t most) {
        value = static_cast<std::remove_reference_t<decltype(value)>>(
            std::min<std::uint64_t>(value, most));
    };
    at_most(options.core.id_window_jobs, plan.traffic / 8 / MemoryBudget::kIdBytes);
    at_most(options.core.blob_bytes_max, plan.blobs);
    options.blob_core.blob_bytes_max = options.core.blob_bytes_max;
    if (options.durability == "memory") {
        at_most(options.blobs.bytes_max, plan.blobs);
    } else {
        options.blob_core.put_bytes_max = plan.blobs;
    }
    at_most(options.store.payload_bytes, plan.traffic / 4);
    // LMDB holds what it is about to write beside what the checkpoint read.
    at_most(options.store.checkpoint_bytes, plan.checkpoint / 2);
    at_most(options.store.log_buffer_bytes, plan.log_buffer / 2);
    at_most(options.outgoing_bytes_max, plan.outgoing / 4 * 3);
    return {};
}

}  // namespace scanmq::broker
