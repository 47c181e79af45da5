#include "broker/core/broker_core.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/alias_handler.hpp"
#include "broker/core/cache_handler.hpp"
#include "broker/core/core_state.hpp"
#include "broker/core/ending.hpp"
#include "broker/core/flow_handler.hpp"
#include "broker/core/group_handler.hpp"
#include "broker/core/job_control.hpp"
#include "broker/core/kind_roles.hpp"
#include "broker/core/leases.hpp"
#include "broker/core/placing.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/query_handler.hpp"
#include "broker/core/queue_handler.hpp"
#include "broker/core/restorer.hpp"
#include "broker/core/runner.hpp"
#include "broker/core/session_handler.hpp"
#include "broker/core/standing_handler.hpp"
#include "broker/core/stream_writer.hpp"
#include "broker/core/submit_handler.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;

namespace {
constexpr std::size_t kExpireSlice = 16'384;
// Ids and groups are forgotten at most this often: an idle broker need not wake for each.
constexpr Duration kExpireEvery = std::chrono::milliseconds(250);

BrokerOptions checked(BrokerOptions options) {
    // A queue's number has 16 bits.
    options.queues_max = std::min<std::uint32_t>(options.queues_max, 65'535);
    // An alias's history is told as one change.
    options.alias_history_max = std::min<std::uint32_t>(options.alias_history_max, 1'024);
    options.jobs_per_execution_max =
        std::clamp<std::uint32_t>(options.jobs_per_execution_max, 1, kJobsPerExecutionMax);
    return options;
}

}  // namespace

class BrokerCore::Impl {
  public:
    Impl(const BrokerOptions& options, BlobTable& blobs, BodySource& bodies)
        : state(checked(options), blobs), standing(state, submits, bodies) {}

    void begin(Time now, Effects& effects) {
        if (state.started == Time{}) state.started = now;
        state.now = now;
        state.effects = &effects;
        state.count_memory();
        stand_still();
        // What was cut short goes on now, whatever made this call.
        if (std::exchange(state.unfinished, false)) state.schedule(now);
        state.subjects.collect();
        state.inputs.collect();
        state.texts.collect();
    }
    // What every call ends with: work that events made possible, then the commits.
    void finish() {
        if (state.due <= state.now) due();
        if (state.look_ups.next_deadline() <= state.now) caches.give_up_late();
        queues.step();
        state.count_memory();
        standing.step();
        submits.serve();
        runner.dispatch();
        leases.tell_revoked();
        publisher.publish();
        writer.trim();
        aliases.tell_gone();
        state.commit();
        queues.sweep();
        state.schedule(std::min(leases.next_overdue(), leases.next_abandoned()));
        state.effects = nullptr;
        called = state.now;
        // What is overdue is due now: only what comes after this call tells of a standstill.
        expected = std::max(next_deadline().value_or(Time::max()), state.now);
    }

    void apply(const FrameEvent& event);
    void apply(const BadFrameEvent& event);
    void apply(const DisconnectEvent& event) { sessions.disconnected(event.from); }
    void apply(const BackupEvent& event);
    void apply(const CacheEvent& event) { caches.answered(event); }
    // The broker's own loop did not run although something was due: nobody is blamed for that time.
    void stand_still();
    // What the clock brings, but for judging who is silent.
    void due();
    [[nodiscard]] std::optional<Time> next_deadline() const;

    CoreState state;
    StreamWriter writer{state};
    Leases leases{state};
    Ending ending{state, writer, leases};
    Runner runner{state, leases, ending};
    Publisher publisher{state};
    SubmitHandler submits{state, ending};
    JobControl control{state, ending, submits};
    GroupHandler groups{state, writer};
    QueueHandler queues{state, {leases, ending, control, publisher, writer}};
    SessionHandler sessions{state, leases, runner, publisher};
    AliasHandler aliases{state};
    StandingHandler standing;
    FlowHandler flows{state};
    CacheHandler caches{state, ending};
    QueryHandler queries{state};
    Restorer restorer{state, {leases, writer, groups, publisher}};
    bool stopping = false;
    Time called{};                // the last call
    Time expected = Time::max();  // when the next call was due at the latest

  private:
    void refuse(const FrameEvent& event, Session* session, ErrorCode code, std::string sentence);
    void route(Session& session, const FrameEvent& event);

    // One overload for each kind a peer may send.
    void on(Session& s, const FrameEvent&, const protocol::Heartbeat& m) {
        sessions.heartbeat(s, m);
    }
    void on(Session& s, const FrameEvent&, const protocol::Bye&) { sessions.bye(s); }
    void on(Session&, const FrameEvent&, const protocol::Error&) {}
    void on(Session& s, const FrameEvent& e, const protocol::CreditGrant& m);
    void on(Session& s, const FrameEvent& e, const protocol::Want& m) {
        submits.want(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Reclaimed& m) {
        submits.reclaimed(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Reclaim& m);
    void on(Session& s, const FrameEvent& e, const protocol::Submit& m) {
        submits.submit(s, e.frame->header, m, e.bodies);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Done& m) {
        runner.done(s, e.frame->header, m, e.bodies);
    }
    void on(Session& s, const FrameEvent&, const protocol::Progress& m) { runner.progress(s, m); }
    void on(Session& s, const FrameEvent& e, const protocol::Cancel& m) {
        control.cancel(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::QueueControl& m) {
        control.control(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::DeadLetters& m) {
        control.dead_letters(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Subscribe& m) {
        publisher.subscribe(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Unsubscribe& m) {
        publisher.unsubscribe(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Ack& m) {
        publisher.ack(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::AliasSet& m) {
        aliases.set(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::StandingSet& m) {
        standing.set(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::StandingDrop& m) {
        standing.drop(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::FlowSet& m) {
        flows.set(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::CacheGet& m) {
        caches.get(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::CachePut& m) {
        caches.put(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::CacheDrop& m) {
        caches.drop(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::GroupOpen& m) {
        groups.open(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::GroupSeal& m) {
        groups.seal(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::GroupQuery& m) {
        groups.query(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::QueueCreate& m) {
        queues.create(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::QueueAlter& m) {
        queues.alter(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::QueueDelete& m) {
        queues.remove(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::QueueVersion& m) {
        queues.set_version(s, e.frame->header, m);
    }
    void on(Session& s, const FrameEvent& e, const protocol::Backup& m);
    void on(Session& s, const FrameEvent& e, const protocol::Query& m) {
        queries.answer(state, s, e.frame->header, m);
    }
};

void BrokerCore::Impl::refuse(const FrameEvent& event, Session* session, ErrorCode code,
                              std::string sentence) {
    for (const BodyIn& body : event.bodies) state.release(body.handle);
    const std::uint64_t seq = event.frame->header.seq;
    const Kind kind = kind_of(event.frame->message);
    if (session != nullptr) {
        state.refuse(*session, seq, kind, code, std::move(sentence));
    } else {
        state.refuse(event.from, seq, kind, code, std::move(sentence));
    }
}

void BrokerCore::Impl::apply(const FrameEvent& event) {
    state.counters.add(Counter::frames_received);
    const protocol::Header& header = event.frame->header;
    if (stopping) {
        return refuse(event, nullptr, ErrorCode::shutting_down,
                      "the broker is stopping; reconnect");
    }
    if (const auto* hello = std::get_if<protocol::Hello>(&event.frame->message)) {
        return sessions.hello(event.from, header, *hello);
    }
    Session* const session = state.sessions.by_connection(event.from);
    if (session == nullptr || session->id != header.session) {
        state.counters.add(Counter::frames_stale_session);
        return refuse(event, nullptr, ErrorCode::unknown_session,
                      "this connection has no session of that number; HELLO again");
    }
    state.sessions.heard(*session, state.now);
    if (header.roles != session->roles) {
        return refuse(event, session, ErrorCode::malformed,
                      "roles is " + std::to_string(header.roles) +
                          ", in this session's HELLO it was " + std::to_string(session->roles));
    }
    route(*session, event);
}

void BrokerCore::Impl::route(Session& session, const FrameEvent& event) {
    std::visit(
        [&](const auto& message) {
            constexpr protocol::Roles kRoles = roles_of<std::decay_t<decltype(message)>>();
            if constexpr (kRoles == 0) {
                refuse(event, &session, ErrorCode::unknown_kind,
                       "peers do not send this kind on the main socket");
            } else if ((session.roles & kRoles) == 0) {
                refuse(event, &session, ErrorCode::not_permitted,
                       "the session's roles do not allow this; HELLO with the role");
            } else {
                on(session, event, message);
            }
        },
        event.frame->message);
}

void BrokerCore::Impl::on(Session& session, const FrameEvent& event,
                          const protocol::CreditGrant& message) {
    if (message.link == protocol::Link::deliver && session.worker) {
        runner.raise_limit(session, message.limit);
    } else if (message.link == protocol::Link::results &&
               (session.roles & protocol::kSubscriber) != 0) {
        publisher.raise_limit(session, event.frame->header, message);
    } else {
        refuse(event, &session, ErrorCode::not_permitted,
               "a worker grants credit on link deliver, a subscriber on link results");
    }
}

void BrokerCore::Impl::on(Session& session, const FrameEvent& event,
                          const protocol::Reclaim& message) {
    if (!message.queue.empty()) {
        return refuse(event, &session, ErrorCode::malformed,
                      "a worker's RECLAIM is of its deliver link: leave queue empty");
    }
    runner.give_back(session);
}

void BrokerCore::Impl::on(Session& session, const FrameEvent& event,
                          const protocol::Backup& message) {
    if (!state.options.records) {
        return refuse(event, &session, ErrorCode::backup_failed,
                      "the broker keeps its state in memory only: start it with --durability sync");
    }
    if (!protocol::valid_queue_name(message.name) || message.name.starts_with('.')) {
        return refuse(event, &session, ErrorCode::bad_name,
                      "a backup's name is letters, digits, '_', '-', '.', ':', not beginning with "
                      "a dot");
    }
    state.effects->backups.push_back({session.id, event.frame->header.seq, message.name});
}

void BrokerCore::Impl::apply(const BackupEvent& event) {
    Session* const session = state.sessions.by_id(event.session);
    if (session == nullptr) return;
    if (event.problem.empty()) {
        state.send(*session, protocol::BackupDone{event.re, event.path, event.bytes});
    } else {
        state.refuse(*session, event.re, Kind::backup, ErrorCode::backup_failed, event.problem);
    }
}

void BrokerCore::Impl::apply(const BadFrameEvent& event) {
    state.counters.add(Counter::frames_received);
    state.counters.add(Counter::frames_bad);
    const protocol::DecodeError& error = *event.error;
    Session* const session = state.sessions.by_connection(event.from);
    // Where no session could be read, it is the connection's.
    const bool known = session != nullptr &&
                       (error.header.session == session->id || error.header.session.value == 0);
    if (known && !stopping) {
        state.sessions.heard(*session, state.now);
        state.refuse(*session, error.header.seq, error.kind, error.code, error.sentence);
    } else {
        state.refuse(event.from, error.header.seq, error.kind, error.code, error.sentence);
    }
}

void BrokerCore::Impl::stand_still() {
    if (expected == Time::max() || state.now - expected < state.options.heartbeat) return;
    // It may have begun right after the last call: from there on nothing was heard.
    const Duration gap = state.now - called;
    state.sessions.extend(gap);
    leases.extend(gap);
    state.counters.add(Counter::suspensions);
    expected = Time::max();
}

void BrokerCore::Impl::due() {
    state.due = Time::max();
    control.step();
    if (runner.expire(kExpireSlice)) state.unfinished = true;
    Time lazy = Time::max();
    const bool ids_crowded = state.held.ids > state.memory.ids_max();
    const std::uint64_t ids_part =
        state.memory.ids_max() / std::max<std::size_t>(state.queues.size(), 1);
    for (const auto& queue : state.queues) {
        if (!queue || queue->deleting) continue;
        std::size_t forgotten = queue->ids.expire(state.now, kExpireSlice);
        if (ids_crowded) forgotten += queue->ids.shrink(ids_part, kExpireSlice - forgotten);
        state.counters.add(Counter::ids_forgotten, forgotten);
        if (forgotten > 0) state.touch(*queue);
        if (forgotten == kExpireSlice) state.unfinished = true;
        groups.expire(*queue, kExpireSlice);
        lazy = std::min(lazy, publisher.expire(*queue));
        lazy = std::min(lazy, writer.expire(*queue));
        if (queue->ids.finished() > 0) lazy = std::min(lazy, queue->ids.next_expiry());
        lazy = std::min(lazy, queue->groups.next_expiry());
    }
    lazy = std::min(lazy, caches.expire());
    if (lazy != Time::max()) state.schedule(std::max(lazy, state.now + kExpireEvery));
    if (state.unfinished) state.schedule(state.now);
    state.schedule(control.next_due());
}

BrokerCore::BrokerCore(const BrokerOptions& options, BlobTable& blobs, BodySource& bodies)
    : impl_(std::make_unique<Impl>(options, blobs, bodies)) {}

BrokerCore::~BrokerCore() = default;

void BrokerCore::handle(std::span<const Event> events, Time now, Effects& effects) {
    impl_->begin(now, effects);
    for (const Event& event : events) {
        std::visit([&](const auto& e) { impl_->apply(e); }, event);
    }
    if (!impl_->stopping) {
        impl_->finish();
    } else {
        impl_->state.effects = nullptr;
    }
}

void BrokerCore::tick(Time now, Effects& effects) {
    if (impl_->stopping) return;
    impl_->begin(now, effects);
    impl_->sessions.close_silent();
    impl_->finish();
}

std::optional<Time> BrokerCore::Impl::next_deadline() const {
    if (stopping) return std::nullopt;
    if (state.unfinished) return state.now;
    Time next = state.due;
    if (const Session* const silent = state.sessions.longest_silent()) {
        next = std::min(next, silent->heard + state.options.dead_after);
    }
    if (next == Time::max()) return std::nullopt;
    return next;
}

std::optional<Time> BrokerCore::next_deadline() const { return impl_->next_deadline(); }

void BrokerCore::set_store_full(bool full) { impl_->state.store_full = full; }

void BrokerCore::set_memory(std::uint64_t body_bytes, std::uint64_t outgoing_bytes) {
    impl_->state.held.body_bytes = body_bytes;
    impl_->state.held.outgoing_bytes = outgoing_bytes;
}

bool BrokerCore::set_resident(std::uint64_t bytes, bool trimmed) {
    impl_->state.memory.resident(bytes, trimmed);
    return impl_->state.memory.wants_trim();
}

bool BrokerCore::memory_held() const {
    const CoreState& state = impl_->state;
    if (!state.memory.limited()) return false;
    if (state.memory.grants_held() || state.memory.outgoing_held() || state.dispatch_held) {
        return true;
    }
    // Below the mark, but with less left than who waits for credit could use.
    return std::any_of(state.queues.begin(), state.queues.end(), [](const auto& queue) {
        return queue != nullptr && queue->credit.starving();
    });
}

void BrokerCore::set_slow(ConnectionId connection, bool slow) {
    Session* const session = impl_->state.sessions.by_connection(connection);
    if (session == nullptr || session->slow == slow) return;
    session->slow = slow;
    if (session->worker) {
        session->worker->slow = slow;
        impl_->state.workers.update(*session->worker);
    }
    if (slow) return;
    for (const auto& [number, subscription] : session->subscriptions) {
        impl_->state.publish(impl_->state.queue(subscription->queue()));
    }
    // Something to send may be there already.
    impl_->state.unfinished = true;
}

Restorer& BrokerCore::restore(Time now) {
    impl_->state.now = now;
    return impl_->restorer;
}

void BrokerCore::restored(std::uint64_t sequence, PartitionId last_partition) {
    impl_->state.restore_broker(sequence, last_partition);
    impl_->restorer.finish();
}

void BrokerCore::ensure_queue(const std::string& queue, const protocol::Settings& settings,
                              Time now, Effects& effects) {
    impl_->begin(now, effects);
    impl_->queues.ensure(queue, settings);
    impl_->finish();
}

void BrokerCore::shut_down(Time now, Effects& effects) {
    impl_->begin(now, effects);
    impl_->sessions.say_shutting_down();
    impl_->state.effects = nullptr;
    impl_->stopping = true;
}

bool BrokerCore::session_open(protocol::SessionId session) const {
    return impl_->state.sessions.by_id(session) != nullptr;
}

void BrokerCore::set_gauges(Gauges gauges) { impl_->queries.set_gauges(std::move(gauges)); }

std::uint64_t BrokerCore::counter(std::string_view name) const {
    return impl_->state.counters.value(name);
}

}  // namespace scanmq::broker
