#pragma once
// Which results of a queue answer later jobs, and where its stream stands for those that are kept.
//
// Role:      one rule for admission, the end of an execution, deliveries and the shared tier.
// Threads:   broker loop only.
// See:       docs/PROTOCOL.md, section 8, "Cache"

#include <algorithm>

#include "broker/core/core_state.hpp"
#include "broker/core/planted_bug.hpp"

namespace scanmq::broker {

// Whether results of its pure jobs answer later ones.
[[nodiscard]] inline bool keeps_results(const Queue& queue) noexcept {
    return queue.settings.cache_ttl_ms > 0 && !queue.scanner_version.empty();
}

// Whether this execution's does: it is pure, and was accepted under the queue's scanner version.
[[nodiscard]] inline bool keeps_result(const Queue& queue, const ExecutionExtra& extra) noexcept {
    return keeps_results(queue) && !extra.fingerprint.is_zero() &&
           extra.version_stamp == queue.version_stamp;
}

[[nodiscard]] inline StreamPlace place_of(const Queue& queue) noexcept {
    return {queue.partition(), queue.stream.first()};
}

// The request's newest result, when it is no older than that. nullptr: there is none.
[[nodiscard]] inline CachedResult* older_result(CoreState& state, const Queue& queue,
                                                const ContentId& request, std::uint64_t most_ms) {
    const auto newest = state.results.newest(request, state.now);
    if (!newest) return nullptr;
    CachedResult* const found =
        state.results.find(*newest, place_of(queue), state.now, *state.effects);
    const bool fits =
        found != nullptr && (planted(PlantedBug::serves_too_old) ||
                             state.now - found->made <= std::chrono::milliseconds(most_ms));
    return fits ? found : nullptr;
}

// Keeps the result of an execution that has this extra and number, as its request's newest, too.
inline void keep(CoreState& state, const Queue& queue, const ExecutionExtra& extra,
                 std::uint64_t execution, const CachedResult& result, Duration ttl) {
    if (!state.results.enabled()) return;
    state.results.keep(extra.fingerprint, result, result.inline_bytes, ttl, state.now,
                       *state.effects);
    if (extra.request.is_zero()) return;
    const auto most = std::max(queue.settings.stale_ms, queue.settings.degraded_ms);
    state.results.note_newest(extra.request, extra.fingerprint, execution,
                              std::chrono::milliseconds(most), state.now);
}

}  // namespace scanmq::broker
