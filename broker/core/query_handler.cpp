#include "broker/core/query_handler.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/cache_handler.hpp"
#include "broker/core/flow_handler.hpp"
#include "broker/core/millis.hpp"
#include "broker/core/stream_hold.hpp"
#include "broker/core/worker_caches.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::Kind;
using protocol::Row;

namespace {

// An upper bound of a row's encoded size, and the msgpack elements it has.
std::pair<std::uint64_t, std::uint64_t> size_of(const Row& row) {
    constexpr std::uint64_t kHeadMax = 9;
    std::uint64_t bytes = kHeadMax;
    for (const auto& [key, value] : row) {
        bytes += key.size() + 2 * kHeadMax;
        if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size();
    }
    return {bytes, 1 + 2 * row.size()};
}

}  // namespace

void cut_rows(std::vector<Row>& rows, std::uint64_t never_made) {
    constexpr std::uint64_t kReserve = 1'024;  // the envelope and the row that says what is missing
    std::uint64_t bytes = kReserve;
    std::uint64_t elements = 32;
    std::size_t kept = 0;
    for (; kept < rows.size(); ++kept) {
        const auto [row_bytes, row_elements] = size_of(rows[kept]);
        bytes += row_bytes;
        elements += row_elements;
        if (bytes > protocol::kLimits.frame_bytes_max || elements > protocol::kLimits.elements_max)
            break;
    }
    if (rows.size() + (never_made > 0 ? 1 : 0) > protocol::kLimits.items_per_frame_max) {
        kept = std::min<std::size_t>(kept, protocol::kLimits.items_per_frame_max - 1);
    }
    if (kept == rows.size() && never_made == 0) return;
    const std::uint64_t left_out = rows.size() - kept + never_made;
    rows.resize(kept);
    rows.push_back({{"truncated", left_out}});
}

void QueryHandler::answer(CoreState& state, Session& session, const protocol::Header& header,
                          const protocol::Query& message) const {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state.refuse(session, header.seq, Kind::query, code, std::move(sentence));
    };
    if (state.memory.outgoing_held()) {
        state.counters.add(Counter::memory_refusals);
        return refuse(ErrorCode::memory_full,
                      "frames for slow peers fill their share of memory-max; ask again later");
    }
    Rows rows;
    std::uint64_t left_out = 0;
    const bool by_queue = message.topic == "queues" || message.topic == "subscriptions" ||
                          message.topic == "flows" || message.topic == "cached";
    if (by_queue && !message.key.empty() && state_->find_queue(message.key) == nullptr) {
        return state.refuse(session, header.seq, Kind::query, ErrorCode::unknown_queue,
                            "no queue '" + message.key + "'");
    }
    if (message.topic == "broker") {
        rows = broker();
    } else if (message.topic == "counters") {
        rows = counters();
    } else if (message.topic == "queues") {
        rows = queues(message.key);
    } else if (message.topic == "workers") {
        rows = workers();
    } else if (message.topic == "sessions") {
        rows = sessions();
    } else if (message.topic == "snapshots") {
        rows = snapshots();
    } else if (message.topic == "subscriptions") {
        rows = subscriptions(message.key, left_out);
    } else if (message.topic == "aliases") {
        rows = aliases(left_out);
    } else if (message.topic == "standing") {
        rows = standing(left_out);
    } else if (message.topic == "flows") {
        if (message.key.empty()) {
            return refuse(ErrorCode::unknown_queue, "the key of topic flows is a queue");
        }
        rows = FlowHandler::rows(*state_->find_queue(message.key), left_out);
    } else if (message.topic == "cache") {
        rows = cache();
    } else if (message.topic == "cached") {
        if (message.key.empty()) {
            return refuse(ErrorCode::unknown_queue, "the key of topic cached is a queue");
        }
        rows = CacheHandler::cached(*state_, *state_->find_queue(message.key), left_out);
    } else if (message.topic == "store") {
        rows = store();
    } else if (JobQuery::knows(message.topic)) {
        auto found = jobs_.rows(message.topic, message.key);
        if (!found) return refuse(found.error().code, found.error().sentence);
        rows = std::move(found).value();
    } else {
        return refuse(ErrorCode::unknown_topic,
                      "no topic '" + message.topic +
                          "'; there are broker, counters, queues, workers, sessions, snapshots, "
                          "subscriptions, aliases, standing, flows, cache, cached, job, explain, "
                          "dead, dead_letter, "
                          "store");
    }
    cut_rows(rows, left_out);
    state.send(session, protocol::Answer{header.seq, message.topic, std::move(rows)}, true);
}

QueryHandler::Rows QueryHandler::broker() const {
    Row row{
        {"name", state_->options.name},
        {"version", state_->options.version},
        {"epoch", state_->options.epoch},
        {"uptime_ms", millis(state_->now - state_->started)},
        {"sessions", std::uint64_t{state_->sessions.size()}},
        {"queues",
         static_cast<std::uint64_t>(std::count_if(state_->queues.begin(), state_->queues.end(),
                                                  [](const auto& q) { return q != nullptr; }))},
    };
    if (state_->memory.limited()) {
        row.emplace_back("memory_max", state_->memory.plan().bytes_max);
        row.emplace_back("memory_counted", state_->memory.counted());
        row.emplace_back("memory_granted", state_->memory.pool().granted);
        row.emplace_back("memory_held", std::uint64_t{state_->memory.grants_held()});
    }
    for (const auto& [name, value] : gauges_.broker) row.emplace_back(name, value);
    return {std::move(row)};
}

QueryHandler::Rows QueryHandler::counters() const {
    Rows rows;
    auto list = state_->counters.list();
    list.insert(list.end(), gauges_.counters.begin(), gauges_.counters.end());
    for (auto& [name, value] : list) rows.push_back({{"name", std::move(name)}, {"value", value}});
    return rows;
}

QueryHandler::Rows QueryHandler::queues(const std::string& key) const {
    Rows rows;
    for (const auto& queue : state_->queues) {
        if (!queue || queue->deleting || (!key.empty() && queue->name != key)) continue;
        Row row{{"queue", queue->name},
                {"state", std::string(queue->draining ? "draining"
                                      : queue->paused ? "paused"
                                                      : "open")}};
        for (const QueueSetting& setting : kQueueSettings) {
            row.emplace_back(std::string(setting.name), queue->settings.*(setting.value));
        }
        const std::vector<BrokerCore::Gauge> gauges{
            {"waiting", queue->room.waiting()},
            {"delayed", queue->room.delayed()},
            {"looking", queue->looking},
            {"following", queue->followers.size()},
            {"running", queue->running},
            {"granted_jobs", queue->credit.granted().items},
            {"granted_bytes", queue->credit.granted().bytes},
            {"used_bytes", queue->credit.used().bytes},
            {"submitted", queue->submitted},
            {"done", queue->ended_as(FinalOutcome::done)},
            {"rejected", queue->ended_as(FinalOutcome::rejected)},
            {"dead", queue->ended_as(FinalOutcome::dead)},
            {"cancelled", queue->ended_as(FinalOutcome::cancelled)},
            {"expired", queue->ended_as(FinalOutcome::expired)},
            {"superseded", queue->ended_as(FinalOutcome::superseded)},
            {"shed", queue->ended_as(FinalOutcome::shed)},
            {"coalesced", queue->coalesced},
            {"cached", queue->cached},
            {"stale", queue->stale},
            {"dead_letters", queue->dead.size()},
            {"groups", queue->groups.size()},
            {"flows", queue->room.flows().size()},
            {"subscriptions", subscription_count(*queue)},
            {"stream_first", queue->stream.first()},
            {"stream_next", queue->stream.next()},
            {"stream_bytes", queue->stream.bytes()},
            {"stream_reserved_bytes", lossless(*queue) ? stream_room(*queue).reserved() : 0},
            {"held_ms", queue->held_since == Time{} ? 0 : millis(state_->now - queue->held_since)},
            {"wait_ms", millis(queue->waited)},
            {"wait_low_ms", millis(queue->waited_low)},
            {"producers_waiting", queue->credit.waiting()},
            {"version_pinned", queue->version_pinned ? 1U : 0U},
        };
        for (const auto& [name, value] : gauges) row.emplace_back(name, value);
        row.emplace_back("scanner_version", queue->scanner_version);
        row.emplace_back("incarnation", queue->stream.incarnation().hex());
        rows.push_back(std::move(row));
    }
    return rows;
}

QueryHandler::Rows QueryHandler::workers() const {
    Rows rows;
    for (const Session* session : state_->sessions.list()) {
        if (!session->worker) continue;
        const Worker& worker = *session->worker;
        rows.push_back({{"name", session->name},
                        {"session", session->id.value},
                        {"threads", std::uint64_t{worker.info.threads}},
                        {"scanner_version", worker.info.scanner_version},
                        {"running", std::uint64_t{worker.running.size()}},
                        {"alone", std::uint64_t{worker.exclusive}},
                        {"credit_items", worker.credit.available().items},
                        {"delivered", worker.delivered},
                        {"done", worker.done},
                        {"failed", worker.failed}});
        add_cache_figures(worker, rows.back());
    }
    return rows;
}

QueryHandler::Rows QueryHandler::sessions() const {
    Rows rows;
    for (const Session* session : state_->sessions.list()) {
        rows.push_back({{"name", session->name},
                        {"session", session->id.value},
                        {"roles", std::uint64_t{session->roles}},
                        {"agent", session->agent},
                        {"heard_ms", millis(state_->now - session->heard)},
                        {"subscriptions", std::uint64_t{session->subscriptions.size()}}});
    }
    return rows;
}

QueryHandler::Rows QueryHandler::cache() const {
    Rows rows{CacheHandler::own_tier(*state_)};
    if (state_->options.cache_peers) rows.push_back(CacheHandler::peers(*state_));
    for (const auto& [tier, gauges] : gauges_.tiers) {
        Row row{{"tier", tier}};
        for (const auto& [name, value] : gauges) row.emplace_back(name, value);
        rows.push_back(std::move(row));
    }
    rows.push_back(worker_tier(*state_));
    rows.push_back(CacheHandler::jobs(*state_));
    return rows;
}

QueryHandler::Rows QueryHandler::store() const {
    Row row{{"durability", gauges_.durability}};
    for (const auto& [name, value] : gauges_.store) row.emplace_back(name, value);
    row.emplace_back("store_full", std::uint64_t{state_->store_full});
    return {std::move(row)};
}

QueryHandler::Rows QueryHandler::snapshots() const {
    Rows rows;
    std::vector<const BlobRecord*> blobs = state_->blobs.list();
    std::erase_if(blobs,
                  [](const BlobRecord* b) { return b->type != protocol::BlobType::snapshot; });
    std::sort(blobs.begin(), blobs.end(), [](const BlobRecord* a, const BlobRecord* b) {
        return a->label != b->label ? a->label < b->label : a->id < b->id;
    });
    for (const BlobRecord* blob : blobs) {
        rows.push_back({{"id", blob->id.hex()},
                        {"label", blob->label},
                        {"bytes", blob->bytes},
                        {"stored_bytes", blob->held_bytes()},
                        {"encoding", std::string(protocol::to_string(blob->encoding))},
                        {"pins", std::uint64_t{blob->pins}},
                        {"age_ms", millis(state_->now - blob->used)}});
    }
    return rows;
}

}  // namespace scanmq::broker
