#include "broker/core/cache_handler.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/core/result_keeping.hpp"
#include "broker/core/stream_hold.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::Kind;

namespace {

// Of what is kept, looked at in one call; and how often.
constexpr std::size_t kExpireSlice = 4'096;
constexpr Duration kExpireEvery = std::chrono::seconds(1);

std::uint64_t millis(Duration duration) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms < 0 ? 0 : static_cast<std::uint64_t>(ms);
}

}  // namespace

void CacheHandler::answered(const CacheEvent& event) {
    const Slot slot = state_->look_ups.take(event.look_up);
    if (slot == kNoSlot) {
        state_->counters.add(Counter::cache_ignored);
        return state_->release(event.body);
    }
    state_->looked_up(slot);
    Queue& queue = state_->queue(state_->table.executions[slot].queue);
    const Duration ttl = std::chrono::milliseconds(queue.settings.cache_ttl_ms) - event.age;
    const bool fits =
        !lossless(queue) || stream_room(queue).delivery_fits(state_->table.jobs_of(slot));
    const bool usable =
        event.found && event.bytes <= queue.settings.max_result_bytes && fits && ttl > Duration{};
    if (!usable) {
        state_->release(event.body);
        return missed(slot);
    }
    const std::uint64_t jobs = state_->table.jobs_of(slot);
    queue.cached += jobs;
    state_->counters.add(Counter::jobs_cached, jobs);
    const CachedResult result{event.body,        event.bytes,         false,
                              queue.partition(), queue.stream.next(), state_->now - event.age};
    // What keeps it is there before the entries are, which may be dropped at once.
    keep(*state_, queue, *state_->table.find_extra(slot), state_->table.executions[slot].number,
         result, ttl);
    ending_->end(slot,
                 {FinalOutcome::done, ErrorCode::none, kNoSlot, event.body, event.bytes, false});
}

void CacheHandler::missed(Slot slot) {
    ExecutionRecord& execution = state_->table.executions[slot];
    Queue& queue = state_->queue(execution.queue);
    execution.state = ready_state(execution);
    queue.room.add(state_->table, slot);
    state_->activate(queue);
}

void CacheHandler::give_up_late() {
    for (Slot slot = state_->look_ups.take_late(state_->now); slot != kNoSlot;
         slot = state_->look_ups.take_late(state_->now)) {
        state_->counters.add(Counter::cache_late);
        state_->looked_up(slot);
        missed(slot);
    }
    state_->schedule(state_->look_ups.next_deadline());
}

Time CacheHandler::expire() {
    if (state_->results.stats().count == 0) return Time::max();
    state_->results.expire(state_->now, kExpireSlice, *state_->effects);
    return state_->now + kExpireEvery;
}

void CacheHandler::get(Session& session, const protocol::Header& header,
                       const protocol::CacheGet& message) {
    const Queue* const queue =
        state_->require_queue(session, header, Kind::cache_get, message.queue);
    if (queue == nullptr) return;
    protocol::CacheValues answer{header.seq, {}};
    std::vector<BodyHandle> bodies;
    std::uint64_t bytes = protocol::kEnvelopeBytesMax;
    for (const ContentId& key : message.keys) {
        const CachedResult* const found =
            state_->results.find(key, place_of(*queue), state_->now, *state_->effects);
        if (found == nullptr) continue;
        bytes += found->inline_bytes + protocol::kItemFixedBytesMax + ContentId::kSize;
        if (bytes > protocol::kLimits.frame_bytes_max) break;
        answer.values.push_back({key, millis(state_->now - found->made), {}, 0});
        bodies.push_back(found->body);
    }
    Send& out = state_->send(session, std::move(answer), true);
    out.bodies = std::move(bodies);
}

void CacheHandler::drop(Session& session, const protocol::Header& header,
                        const protocol::CacheDrop& message) {
    std::uint64_t dropped = 0;
    ResultCache& results = state_->results;
    if (!message.queue.empty() || !message.keys.empty()) {
        const Queue* const queue =
            state_->require_queue(session, header, Kind::cache_drop, message.queue);
        if (queue == nullptr) return;
        if (message.keys.empty()) {
            dropped = results.drop_all(queue->partition(), state_->now, *state_->effects);
        }
        for (const ContentId& key : message.keys) {
            dropped += results.drop(key, state_->now, *state_->effects);
            if (state_->options.cache_shared) state_->effects->cache_drops.push_back(key);
        }
    } else {
        dropped = results.drop_all(state_->now, *state_->effects);
    }
    state_->send(session, protocol::CacheDropped{header.seq, dropped});
}

protocol::Row CacheHandler::own_tier(const CoreState& state) {
    const ResultCache& results = state.results;
    const cache::MemoryCacheStats& stats = results.stats();
    return {{"tier", std::string("memory")},
            {"results", stats.count},
            {"bytes", stats.bytes},
            {"bytes_max", results.bytes_max()},
            {"hits", stats.hits - results.unreadable()},
            {"misses", stats.misses + results.unreadable()},
            {"hit_age_ms", static_cast<std::uint64_t>(results.mean_hit_age() * 1e3)},
            {"stale", state.counters.value(Counter::jobs_stale)},
            {"coalesced", state.counters.value(Counter::jobs_coalesced)},
            {"expired", stats.expired},
            {"evicted", stats.evicted},
            {"too_large", stats.rejected},
            {"unreadable", results.unreadable()},
            {"looking", std::uint64_t{state.look_ups.size()}}};
}

std::vector<protocol::Row> CacheHandler::cached(const CoreState& state, const Queue& queue,
                                                std::uint64_t& left_out) {
    std::vector<protocol::Row> rows;
    state.results.for_each(
        [&](const ContentId& key, const CachedResult& result, std::uint64_t bytes, Time expires) {
            if (result.partition != queue.partition()) return;
            if (rows.size() == kRowsMax) {
                ++left_out;
                return;
            }
            rows.push_back({{"fingerprint", key.hex()},
                            {"bytes", bytes - ResultCache::kOverheadBytes},
                            {"age_ms", millis(state.now - result.made)},
                            {"left_ms", millis(expires - state.now)}});
        });
    return rows;
}

}  // namespace scanmq::broker
