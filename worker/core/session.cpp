// WorkerCore's session with the broker: greeting, heartbeats, losing it, leaving it.
#include <algorithm>

#include "worker/core/worker_core.hpp"

namespace scanmq::worker {

namespace {

using protocol::ErrorCode;
using protocol::Kind;

constexpr Duration kBackOffFirst = std::chrono::milliseconds(500);  // a far broker's handshake fits
constexpr Duration kBackOffMax = std::chrono::seconds(5);
constexpr Duration kHeartbeatMin = std::chrono::milliseconds(10);

// Answers to a HELLO that no later HELLO can change.
bool is_final(ErrorCode code) noexcept {
    return code == ErrorCode::bad_name || code == ErrorCode::unsupported_version ||
           code == ErrorCode::not_permitted || code == ErrorCode::malformed ||
           code == ErrorCode::over_limit || code == ErrorCode::unknown_kind;
}

std::string describe(ErrorCode code, const std::string& sentence) {
    return std::string(protocol::to_string(code)) + ": " + sentence;
}

void take_limit(const protocol::Welcome& welcome, std::string_view name, std::uint32_t& limit) {
    for (const auto& [key, value] : welcome.limits) {
        if (key != name) continue;
        // Ours are what this build can handle; the broker may only ask for less, and not for
        // nothing.
        limit = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(value, 1, limit));
    }
}

Duration max_run_of(const protocol::Welcome& welcome) {
    constexpr std::uint64_t kLongest = 365ULL * 24 * 60 * 60 * 1000;  // no overflow further on
    for (const auto& [key, value] : welcome.limits) {
        if (key == "max_run_ms") {
            return std::chrono::milliseconds(std::clamp<std::uint64_t>(value, 1, kLongest));
        }
    }
    return kMaxRunDefault;
}

}  // namespace

void WorkerCore::on_connected(Time now, Effects& effects) {
    if (phase_ == Phase::open) end_session(effects);
    hello(now, effects);
}

void WorkerCore::on_disconnected(Time now, Effects& effects) {
    if (phase_ == Phase::offline) return;
    if (phase_ == Phase::open) {
        end_session(effects);
        effects.notes.push_back({NoteLevel::warning, "the connection to the broker broke"});
    }
    phase_ = Phase::offline;
    back_off(now);
}

void WorkerCore::hello(Time now, Effects& effects) {
    phase_ = Phase::greeting;
    session_ = {};
    seq_ = 0;
    greeted_ = now;
    protocol::Hello hello;
    hello.name = options_.name;
    hello.instance = options_.instance;
    hello.resume = resume_;
    hello.agent = options_.agent;
    hello.worker = protocol::WorkerInfo{options_.threads, options_.scanner_version, options_.queues,
                                        held_attempts()};
    send(std::move(hello), effects);
    seq_ = 0;
}

void WorkerCore::on_frame(const protocol::Frame& frame, Time now, Effects& effects) {
    const auto* welcome = std::get_if<protocol::Welcome>(&frame.message);
    const auto* error = std::get_if<protocol::Error>(&frame.message);
    const bool ours = session_.value != 0 && frame.header.session == session_;
    const bool expected = phase_ == Phase::greeting
                              ? welcome != nullptr || error != nullptr
                              : phase_ == Phase::open && (ours || error != nullptr);
    if (!expected || (error != nullptr && frame.header.session.value != 0 && !ours)) {
        ++counters_.foreign_frames;
        return;
    }
    heard_ = now;
    if (error != nullptr) return on_error(*error, now, effects);
    if (welcome != nullptr) {
        if (phase_ == Phase::greeting) on_welcome(*welcome, now, effects);
        return;
    }
    if (const auto* deliver = std::get_if<protocol::Deliver>(&frame.message)) {
        return on_deliver(frame.header, *deliver, effects);
    }
    if (const auto* heartbeat = std::get_if<protocol::Heartbeat>(&frame.message)) {
        return on_heartbeat(*heartbeat, now, effects);
    }
    if (const auto* reclaimed = std::get_if<protocol::Reclaimed>(&frame.message)) {
        return on_reclaimed(*reclaimed, now, effects);
    }
    if (const auto* revoke = std::get_if<protocol::Revoke>(&frame.message)) {
        return on_revoke(*revoke, effects);
    }
    if (const auto* bye = std::get_if<protocol::Bye>(&frame.message))
        return on_bye(*bye, now, effects);
    if (std::holds_alternative<protocol::Ok>(frame.message)) return;
    ++counters_.bad_frames;
    const Kind kind = protocol::kind_of(frame.message);
    refuse(frame.header, kind, ErrorCode::unknown_kind,
           std::string(protocol::to_string(kind)) + " is not for workers", effects);
}

void WorkerCore::on_welcome(const protocol::Welcome& welcome, Time now, Effects& effects) {
    phase_ = Phase::open;
    session_ = welcome.session;
    epoch_ = welcome.epoch;
    resume_ = welcome.resume;
    blob_endpoint_ = welcome.blob_endpoint;
    heartbeat_ = std::max<Duration>(kHeartbeatMin, std::chrono::milliseconds(welcome.heartbeat_ms));
    dead_after_ =
        std::max<Duration>(2 * heartbeat_, std::chrono::milliseconds(welcome.dead_after_ms));
    limits_ = protocol::kLimits;
    take_limit(welcome, "frame_bytes_max", limits_.frame_bytes_max);
    take_limit(welcome, "inline_bytes_max", limits_.inline_bytes_max);
    take_limit(welcome, "items_per_frame_max", limits_.items_per_frame_max);
    take_limit(welcome, "sentence_bytes_max", limits_.sentence_bytes_max);
    take_limit(welcome, "chunk_bytes", limits_.chunk_bytes);
    take_limit(welcome, "blob_bytes_max", limits_.blob_bytes_max);
    max_run_ = max_run_of(welcome);
    back_off_ = {};
    ping_ = 0;
    next_heartbeat_ = now + heartbeat_;
    ++counters_.sessions;
    credit_.restart();
    credit_.add_round_trip(now - greeted_);
    credit_due_ = true;
    reclaim_due_ = false;
    reclaims_ = true;
    cache_before_ = cache_told_;
    effects.notes.push_back({NoteLevel::info, "session " + std::to_string(session_.value) +
                                                  " opened, broker epoch " +
                                                  std::to_string(epoch_)});
    adopt(welcome.adopted, effects);
    if (shut()) return_shut(effects);
}

void WorkerCore::on_heartbeat(const protocol::Heartbeat& heartbeat, Time now, Effects& effects) {
    if (ping_ != 0 && heartbeat.pong == ping_) {
        credit_.add_round_trip(now - pinged_);
        credit_due_ = true;
        ping_ = 0;
    }
    if (heartbeat.ping != 0) send_heartbeat(0, heartbeat.ping, effects);
}

void WorkerCore::on_bye(const protocol::Bye& bye, Time now, Effects& effects) {
    end_session(effects);
    effects.notes.push_back(
        {NoteLevel::warning, "the broker closed the session: " + describe(bye.code, bye.sentence)});
    if (bye.code == ErrorCode::session_timed_out) {
        hello(now, effects);
    } else {
        phase_ = Phase::offline;
        back_off(now);
    }
}

void WorkerCore::on_error(const protocol::Error& error, Time now, Effects& effects) {
    ++counters_.errors;
    const std::string why = describe(error.code, error.sentence);
    if (phase_ == Phase::greeting) {
        if (error.re_kind != Kind::hello) return;  // the answer to a frame of the session before
        if (is_final(error.code)) {
            stop(kExitRefused, "the broker refused this worker: " + why, effects);
            return;
        }
        effects.notes.push_back({NoteLevel::warning, "the broker refused HELLO: " + why});
        phase_ = Phase::offline;
        back_off(now);
        return;
    }
    switch (error.code) {
        case ErrorCode::unknown_session:
            effects.notes.push_back({NoteLevel::warning, "the broker lost the session: " + why});
            end_session(effects);
            hello(now, effects);
            return;
        case ErrorCode::stale_attempt:
            ++counters_.stale_answers;
            return;
        default:
            break;
    }
    if (error.re_kind == Kind::reclaim) return on_reclaim_refused();
    effects.notes.push_back(
        {NoteLevel::error,
         "the broker refused " + std::string(protocol::to_string(error.re_kind)) + ", " + why});
    if (error.re_kind == Kind::done || error.re_kind == Kind::credit) {
        // Outcomes or a grant the broker did not take: the two sides no longer agree. Begin anew.
        reconnect(now, effects);
    }
}

void WorkerCore::on_bad_frame(const protocol::DecodeError& error, Time now, Effects& effects) {
    ++counters_.bad_frames;
    if (phase_ == Phase::open) heard_ = now;
    if (error.kind != Kind::error)
        refuse(error.header, error.kind, error.code, error.sentence, effects);
}

// An ERROR never answers an ERROR, and nothing but HELLO is said before WELCOME.
void WorkerCore::refuse(const protocol::Header& header, Kind kind, ErrorCode code,
                        std::string sentence, Effects& effects) {
    effects.notes.push_back({NoteLevel::error, "refused a frame: " + describe(code, sentence)});
    if (phase_ != Phase::open) return;
    if (sentence.size() > limits_.sentence_bytes_max) sentence.resize(limits_.sentence_bytes_max);
    send(protocol::Error{header.seq, kind, code, std::move(sentence)}, effects);
}

void WorkerCore::on_drain(Time now, Effects& effects) {
    if (draining_) {
        abandon(
            "asked twice: left while " + std::to_string(attempts_.held()) + " attempts were held",
            effects);
        return;
    }
    drain(now, effects);
    effects.notes.push_back(
        {NoteLevel::info, "draining: " + std::to_string(attempts_.running().size() - orphans_) +
                              " attempts still run"});
}

void WorkerCore::drain(Time now, Effects& effects) {
    draining_ = true;
    drain_deadline_ = now + options_.drain_timeout;
    return_unstarted(effects);
}

// What is kept for a session to come is waited for, too, but not for long: a broker that is just
// starting again adopts it, where leaving would count as a crash; one that was stopped does not.
void WorkerCore::leave_when_drained(Time now, Effects& effects) {
    if (phase_ == Phase::open) drained_until_.reset();
    if (attempts_.held() > orphans_) {
        if (phase_ == Phase::open) return;
        if (!drained_until_) drained_until_ = now + options_.hello_timeout;
        if (now < *drained_until_) return;
        effects.notes.push_back(
            {NoteLevel::warning, "no broker came back for " +
                                     std::to_string(attempts_.held() - orphans_) +
                                     " attempts: they will run again"});
    }
    if (phase_ == Phase::open) send(protocol::Bye{ErrorCode::none, drained_.sentence}, effects);
    stop(drained_.code, drained_.sentence, effects);
}

void WorkerCore::send_heartbeat(std::uint64_t ping, std::uint64_t pong, Effects& effects) {
    protocol::Heartbeat heartbeat{ping, pong, {}};
    if (ping != 0) {
        for (const AttemptId id : attempts_.running()) {
            const HeldAttempt& attempt = attempts_.at(id);
            if (attempt.orphan) continue;
            heartbeat.running.push_back(attempt.token);
            if (heartbeat.running.size() == limits_.items_per_frame_max) break;
        }
        if (cache_) heartbeat.cache = cache_since_session();
    }
    send(std::move(heartbeat), effects);
}

protocol::CacheFigures WorkerCore::cache_since_session() {
    protocol::CacheFigures out = *cache_;
    cache_told_ = out;
    for (std::size_t i = 0; i < protocol::kCacheCounters; ++i) {
        const auto counter = protocol::kCacheFigures[i].second;
        out.*counter -= cache_before_.*counter;
    }
    return out;
}

void WorkerCore::back_off(Time now) {
    back_off_ = back_off_ == Duration{} ? kBackOffFirst : std::min(kBackOffMax, back_off_ * 2);
    const double jitter = 0.8 + 0.4 * rng_.uniform();
    retry_at_ =
        now + Duration(static_cast<Duration::rep>(static_cast<double>(back_off_.count()) * jitter));
}

void WorkerCore::reconnect(Time now, Effects& effects) {
    if (phase_ == Phase::open) end_session(effects);
    phase_ = Phase::offline;
    ++counters_.reconnects;
    effects.reconnect = true;
    back_off(now);
}

void WorkerCore::tick_session(Time now, Effects& effects) {
    const bool never = counters_.sessions == 0 && options_.connect_timeout > Duration{};
    if (never && now >= created_ + options_.connect_timeout) {
        stop(kExitNoBroker, "no broker could be reached within the connect timeout", effects);
        return;
    }
    switch (phase_) {
        case Phase::offline:
            if (now < retry_at_) return;
            effects.notes.push_back({NoteLevel::warning, "no broker yet, connecting anew"});
            reconnect(now, effects);
            return;
        case Phase::greeting:
            if (now < greeted_ + options_.hello_timeout) return;
            effects.notes.push_back(
                {NoteLevel::warning, "the broker did not answer HELLO, connecting anew"});
            reconnect(now, effects);
            return;
        case Phase::open:
            if (now >= heard_ + dead_after_) {
                effects.notes.push_back(
                    {NoteLevel::warning, "the broker is silent, connecting anew"});
                reconnect(now, effects);
                return;
            }
            if (now >= next_heartbeat_) {
                next_heartbeat_ = now + heartbeat_;
                ping_ = ++pings_;
                pinged_ = now;
                send_heartbeat(ping_, 0, effects);
                return_surplus(now, effects);
            }
            return;
        case Phase::stopped:
            return;
    }
}

Time WorkerCore::session_deadline() const {
    Time due = Time::max();
    switch (phase_) {
        case Phase::offline:
            due = retry_at_;
            break;
        case Phase::greeting:
            due = greeted_ + options_.hello_timeout;
            break;
        case Phase::open:
            due = std::min(next_heartbeat_, heard_ + dead_after_);
            break;
        case Phase::stopped:
            break;
    }
    if (counters_.sessions == 0 && options_.connect_timeout > Duration{}) {
        due = std::min(due, created_ + options_.connect_timeout);
    }
    return due;
}

}  // namespace scanmq::worker
