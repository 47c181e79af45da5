#include "broker/core/session_handler.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/millis.hpp"
#include "broker/core/worker_caches.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;

namespace {

bool printable_name(std::string_view name) {
    return !name.empty() && name.size() <= protocol::kLimits.name_bytes_max &&
           std::none_of(name.begin(), name.end(),
                        [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

// Section 4 of docs/PROTOCOL.md, then what this broker adds.
std::vector<std::pair<std::string, std::uint64_t>> announced_limits(const BrokerOptions& options) {
    const protocol::Limits& l = protocol::kLimits;
    return {
        {"frame_bytes_max", l.frame_bytes_max},
        {"elements_max", l.elements_max},
        {"depth_max", l.depth_max},
        {"map_keys_max", l.map_keys_max},
        {"inline_bytes_max", l.inline_bytes_max},
        {"name_bytes_max", l.name_bytes_max},
        {"queue_bytes_max", l.queue_bytes_max},
        {"subject_bytes_max", l.subject_bytes_max},
        {"sentence_bytes_max", l.sentence_bytes_max},
        {"items_per_frame_max", l.items_per_frame_max},
        {"inputs_per_job_max", l.inputs_per_job_max},
        {"chunk_bytes", l.chunk_bytes},
        {"blob_bytes_max", options.blob_bytes_max},
        {"blob_puts_per_session_max", l.blob_puts_per_session_max},
        {"blob_gets_per_session_max", l.blob_gets_per_session_max},
        {"blob_encodings", protocol::kTakesZstd},
        {"item_overhead_bytes", l.item_overhead_bytes},
        {"sessions_max", options.sessions_max},
        {"queues_max", options.queues_max},
        {"subscriptions_per_session_max", options.subscriptions_per_session_max},
        {"groups_per_queue_max", options.groups_per_queue_max},
        {"submit_window_items", options.submit_window_items},
        {"submit_window_bytes", options.submit_window_bytes},
        {"id_window_jobs", options.id_window_jobs},
        {"id_window_ms", millis(options.id_window_ttl)},
        {"max_run_ms", millis(options.max_run)},
        {"adopt_window_ms", millis(options.adopt_window)},
    };
}

}  // namespace

bool SessionHandler::acceptable(ConnectionId from, const protocol::Header& header,
                                const protocol::Hello& message) {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state_->refuse(from, header.seq, Kind::hello, code, std::move(sentence));
        return false;
    };
    if (header.roles == 0 || (header.roles & ~protocol::kAllRoles) != 0) {
        return refuse(ErrorCode::malformed,
                      "roles is " + std::to_string(header.roles) +
                          "; it must be a sum of 1 producer, 2 worker, 4 subscriber, 8 operator, "
                          "16 cache");
    }
    if (!message.instance.is_zero() && message.instance == state_->options.cache_instance) {
        return refuse(ErrorCode::not_permitted,
                      "this is the broker that asks: its --cache has to name another one");
    }
    if ((header.roles & protocol::kCache) != 0 && !state_->options.cache_peers) {
        return refuse(ErrorCode::not_permitted,
                      "this broker keeps no results of other brokers: start it with "
                      "--cache-peers on if all who reach it are trusted");
    }
    if (!printable_name(message.name)) {
        return refuse(ErrorCode::bad_name, "a peer's name has 1 to " +
                                               std::to_string(protocol::kLimits.name_bytes_max) +
                                               " bytes and no control characters");
    }
    if (message.worker && message.worker->queues.size() > state_->options.queues_max) {
        return refuse(ErrorCode::over_limit, "a worker names at most queues_max queues, " +
                                                 std::to_string(state_->options.queues_max));
    }
    return true;
}

void SessionHandler::hello(ConnectionId from, const protocol::Header& header,
                           const protocol::Hello& message) {
    if (!acceptable(from, header, message)) return;
    const bool works = (header.roles & protocol::kWorker) != 0;
    // The same process on a new connection takes up what it held; on the same one it began anew.
    std::vector<protocol::Token> adopted;
    Session* former = state_->sessions.by_instance(message.name, message.instance);
    if (Session* const other = state_->sessions.by_connection(from);
        other != nullptr && other != former) {
        state_->counters.add(Counter::sessions_replaced);
        close(*other, Close::lost);
    }
    if (former == nullptr && state_->sessions.size() >= state_->options.sessions_max) {
        return state_->refuse(from, header.seq, Kind::hello, ErrorCode::too_many_sessions,
                              "sessions_max is " + std::to_string(state_->options.sessions_max) +
                                  "; close some, or raise it");
    }
    // Those that take work away, or look after the broker, are what makes room.
    constexpr protocol::Roles kHelpful =
        protocol::kWorker | protocol::kSubscriber | protocol::kOperator | protocol::kCache;
    if (former == nullptr && (header.roles & kHelpful) == 0 && state_->memory.sessions_held()) {
        state_->counters.add(Counter::memory_refusals);
        return state_->refuse(from, header.seq, Kind::hello, ErrorCode::memory_full,
                              "memory-max is " + std::to_string(state_->memory.plan().bytes_max) +
                                  " bytes and nearly used up; wait, or raise it");
    }
    if (former != nullptr) {
        state_->counters.add(Counter::sessions_replaced);
        state_->sessions.release_names(*former);
    }
    Session& session = state_->sessions.open(from, message.name, message.instance, state_->now);
    session.roles = header.roles;
    session.agent = message.agent;
    if (message.clock_ms != 0) session.behind_ms = state_->wall_millis() - message.clock_ms;
    if (works) {
        open_worker(session, message);
        static const std::vector<protocol::WorkerInfo::Held> kNone;
        const auto& held = message.worker ? message.worker->held : kNone;
        if (former == nullptr || former->worker) adopted = runner_->adopt(former, session, held);
    }
    if (former != nullptr) close(*former, Close::lost);
    if (works) state_->follow_versions();
    state_->counters.add(Counter::sessions_opened);
    welcome(session, header, std::move(adopted));
}

void SessionHandler::open_worker(Session& session, const protocol::Hello& message) {
    session.worker = std::make_unique<Worker>();
    session.worker->session = session.slot;
    session.worker->heartbeat = state_->now;
    if (message.worker) session.worker->info = *message.worker;
    session.worker->info.held.clear();
    for (const auto& queue : state_->queues) {
        if (!queue) continue;
        session.worker->set_serves(queue->number, queue->name);
        session.worker->set_current(queue->number,
                                    session.worker->info.scanner_version == queue->scanner_version);
    }
}

void SessionHandler::welcome(Session& session, const protocol::Header& header,
                             std::vector<protocol::Token> adopted) {
    protocol::Welcome welcome;
    welcome.re = header.seq;
    welcome.session = session.id;
    welcome.epoch = state_->options.epoch;
    welcome.heartbeat_ms = static_cast<std::uint32_t>(millis(state_->options.heartbeat));
    welcome.dead_after_ms = static_cast<std::uint32_t>(millis(state_->options.dead_after));
    welcome.blob_endpoint = state_->options.blob_endpoint;
    welcome.clock_ms = state_->wall_millis();
    welcome.limits = announced_limits(state_->options);
    welcome.adopted = std::move(adopted);
    state_->send(session, std::move(welcome));
}

void SessionHandler::heartbeat(Session& session, const protocol::Heartbeat& message) {
    if (message.ping != 0) state_->send(session, protocol::Heartbeat{0, message.ping, {}});
    if (session.worker) {
        leases_->heard(session, message.running);
        if (message.cache) note_worker_cache(*state_, *session.worker, *message.cache);
    }
    publisher_->tell_progress(session);
}

void SessionHandler::bye(Session& session) { close(session, Close::left); }

void SessionHandler::disconnected(ConnectionId from) {
    Session* const session = state_->sessions.by_connection(from);
    if (session == nullptr) return;
    // A worker may come back on another connection and go on: its silence decides.
    if (session->worker && !session->worker->running.empty()) {
        session->worker->detached = true;
        state_->workers.leave(*session->worker);
        return;
    }
    close(*session, Close::lost);
}

void SessionHandler::close(Session& session, Close why) {
    const bool worked = session.worker != nullptr;
    if (worked) runner_->lose(session, why == Close::lost);
    publisher_->drop(session);
    for (const auto& queue : state_->queues) {
        if (queue) queue->credit.drop(session.slot);
    }
    state_->counters.add(Counter::sessions_closed);
    state_->sessions.close(session);
    if (worked) state_->follow_versions();
}

void SessionHandler::close_silent() {
    while (Session* const session = state_->sessions.longest_silent()) {
        if (state_->now - session->heard < state_->options.dead_after) return;
        state_->counters.add(Counter::sessions_timed_out);
        state_->send(*session,
                     protocol::Bye{ErrorCode::session_timed_out,
                                   "nothing was heard for " +
                                       std::to_string(millis(state_->options.dead_after)) +
                                       " ms; HELLO again"});
        close(*session, Close::lost);
    }
}

void SessionHandler::say_shutting_down() {
    for (Session* const session : state_->sessions.list()) {
        state_->send(*session,
                     protocol::Bye{ErrorCode::shutting_down, "the broker is stopping; reconnect"});
    }
}

}  // namespace scanmq::broker
