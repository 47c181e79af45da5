#include "broker/core/cache_handler.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/core/millis.hpp"
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
// An age or time that a peer tells counts as no more: a year.
constexpr std::uint64_t kAgeMsMax = 366ULL * 24 * 3'600 * 1'000;

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
    // While it was asked for, the queue's scanner version may have moved.
    const bool usable = event.found && event.bytes <= queue.settings.max_result_bytes && fits &&
                        ttl > Duration{} && keeps_result(queue, *state_->table.find_extra(slot));
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
    if (state_->results.stats().count == 0 && state_->peers.stats().count == 0) return Time::max();
    state_->results.expire(state_->now, kExpireSlice, *state_->effects);
    state_->peers.expire(state_->now, kExpireSlice);
    return state_->now + kExpireEvery;
}

// CACHE_VALUES that is being made.
struct CacheHandler::Reply {
    protocol::CacheValues values;
    std::vector<BodyHandle> bodies;
    std::uint64_t bytes = protocol::kEnvelopeBytesMax;
    bool own = false;  // results of this broker, which may not be durable yet

    bool fits(std::uint64_t body_bytes) {
        bytes += body_bytes + protocol::kItemFixedBytesMax + ContentId::kSize;
        return bytes <= protocol::kLimits.frame_bytes_max;
    }
};

bool CacheHandler::add_own(const ContentId& key, const Queue& queue, Reply& reply) {
    const CachedResult* const found =
        state_->results.find(key, place_of(queue), state_->now, *state_->effects);
    if (found == nullptr) return true;
    if (!reply.fits(found->inline_bytes)) return false;
    const Duration age = state_->now - found->made;
    const Duration left = std::chrono::milliseconds(queue.settings.cache_ttl_ms) - age;
    reply.values.values.push_back({key, millis(age), {}, 0, millis(left), {}});
    reply.bodies.push_back(found->body);
    reply.own = true;
    return true;
}

bool CacheHandler::add_peers(const ContentId& key, Reply& reply) {
    const PeerResult* const found = state_->peers.find(key, state_->now);
    if (found == nullptr) return true;
    if (!reply.fits(found->bytes.size())) return false;
    reply.values.values.push_back({key, millis(state_->now - found->made), found->bytes, 0,
                                   millis(found->expires - state_->now), found->check});
    reply.bodies.emplace_back();
    return true;
}

void CacheHandler::get(Session& session, const protocol::Header& header,
                       const protocol::CacheGet& message) {
    const Queue* queue = nullptr;
    if (!message.queue.empty()) {
        queue = state_->require_queue(session, header, Kind::cache_get, message.queue);
        if (queue == nullptr) return;
    }
    if (state_->memory.outgoing_held()) {
        state_->counters.add(Counter::memory_refusals);
        return state_->refuse(
            session, header.seq, Kind::cache_get, ErrorCode::memory_full,
            "frames for slow peers fill their share of memory-max; ask again later");
    }
    Reply reply;
    reply.values.re = header.seq;
    const Queue* near =
        nullptr;  // the last one found: results that are asked for together are of one queue
    for (const ContentId& key : message.keys) {
        const Queue* of = queue;
        if (of == nullptr) {
            const auto partition = state_->results.partition_of(key, state_->now);
            if (partition && (near == nullptr || near->partition() != *partition)) {
                near = state_->queue_of(*partition);
            }
            if (partition) of = near;
        }
        const std::size_t before = reply.bodies.size();
        bool fits = of == nullptr || add_own(key, *of, reply);
        // Only what is here: who asks is not sent on to the tier that this broker asks itself.
        if (fits && queue == nullptr && reply.bodies.size() == before) {
            fits = add_peers(key, reply);
        }
        if (!fits) break;
        ++reply.values.looked;
    }
    Send& out = state_->send(session, std::move(reply.values), reply.own);
    out.bodies = std::move(reply.bodies);
}

void CacheHandler::put(Session& session, const protocol::Header& header,
                       const protocol::CachePut& message) {
    std::uint64_t kept = 0;
    for (const protocol::CachePut::One& one : message.values) {
        PeerResult result{
            std::string(one.bytes), one.check,
            state_->now - std::chrono::milliseconds(std::min(one.age_ms, kAgeMsMax)),
            state_->now + std::chrono::milliseconds(std::min(one.left_ms, kAgeMsMax))};
        if (state_->peers.keep(one.key, std::move(result), state_->now)) ++kept;
    }
    if (kept > 0) state_->schedule(state_->now + kExpireEvery);
    state_->send(session, protocol::CacheKept{header.seq, kept});
}

void CacheHandler::drop(Session& session, const protocol::Header& header,
                        const protocol::CacheDrop& message) {
    const bool operates = (session.roles & protocol::kOperator) != 0;
    if (!operates && (message.keys.empty() || !message.queue.empty())) {
        return state_->refuse(session, header.seq, Kind::cache_drop, ErrorCode::not_permitted,
                              "a session of role cache drops by keys, without a queue");
    }
    std::uint64_t dropped = 0;
    std::uint64_t asked = 0;
    ResultCache& results = state_->results;
    const Queue* queue = nullptr;
    if (!message.queue.empty()) {
        queue = state_->require_queue(session, header, Kind::cache_drop, message.queue);
        if (queue == nullptr) return;
    }
    for (const ContentId& key : message.keys) {
        // One result, wherever it is kept.
        dropped += results.drop(key, state_->now, *state_->effects) | state_->peers.drop(key);
        // What a peer drops here goes no further, as what it asks for does not.
        if (!operates || !state_->options.cache_shared) continue;
        state_->effects->cache_drops.push_back(key);
        ++asked;
    }
    if (message.keys.empty() && queue != nullptr) {
        dropped = results.drop_all(queue->partition(), state_->now, *state_->effects);
    } else if (message.keys.empty()) {
        dropped = results.drop_all(state_->now, *state_->effects) + state_->peers.drop_all();
    }
    state_->send(session, protocol::CacheDropped{header.seq, dropped, asked});
}

protocol::Row CacheHandler::peers(const CoreState& state) {
    const cache::MemoryCacheStats& stats = state.peers.stats();
    return {{"tier", std::string("peers")}, {"results", stats.count},
            {"bytes", stats.bytes},         {"bytes_max", state.peers.bytes_max()},
            {"hits", stats.hits},           {"misses", stats.misses},
            {"kept", stats.puts},           {"expired", stats.expired},
            {"evicted", stats.evicted},     {"too_large", stats.rejected}};
}

protocol::Row CacheHandler::own_tier(const CoreState& state) {
    const ResultCache& results = state.results;
    const cache::MemoryCacheStats& stats = results.stats();
    return {{"tier", std::string("memory")},
            {"results", stats.count},
            {"bytes", stats.bytes},
            {"bytes_max", results.bytes_max()},
            {"hits", results.hits()},
            {"misses", results.misses()},
            {"hit_age_ms", static_cast<std::uint64_t>(results.mean_hit_age() * 1e3)},
            {"expired", stats.expired},
            {"evicted", stats.evicted},
            {"too_large", stats.rejected},
            {"unreadable", results.unreadable()}};
}

protocol::Row CacheHandler::jobs(const CoreState& state) {
    const Counters& counters = state.counters;
    return {{"tier", std::string("jobs")},
            {"cached", counters.value(Counter::jobs_cached)},
            {"stale", counters.value(Counter::jobs_stale)},
            {"coalesced", counters.value(Counter::jobs_coalesced)},
            {"refreshes", counters.value(Counter::refreshes)},
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
