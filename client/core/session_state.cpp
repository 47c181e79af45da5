#include "client/core/session_state.hpp"

#include <algorithm>
#include <array>

#include "common/base/assert.hpp"

namespace scanmq::client {
namespace {

using protocol::ErrorCode;

struct LimitName {
    std::string_view name;
    std::uint32_t protocol::Limits::*field;
};

constexpr std::array kLimitNames{
    LimitName{"frame_bytes_max", &protocol::Limits::frame_bytes_max},
    LimitName{"elements_max", &protocol::Limits::elements_max},
    LimitName{"name_bytes_max", &protocol::Limits::name_bytes_max},
    LimitName{"inline_bytes_max", &protocol::Limits::inline_bytes_max},
    LimitName{"subject_bytes_max", &protocol::Limits::subject_bytes_max},
    LimitName{"items_per_frame_max", &protocol::Limits::items_per_frame_max},
    LimitName{"inputs_per_job_max", &protocol::Limits::inputs_per_job_max},
    LimitName{"chunk_bytes", &protocol::Limits::chunk_bytes},
    LimitName{"blob_bytes_max", &protocol::Limits::blob_bytes_max},
    LimitName{"blob_puts_per_session_max", &protocol::Limits::blob_puts_per_session_max},
    LimitName{"blob_gets_per_session_max", &protocol::Limits::blob_gets_per_session_max},
    LimitName{"blob_encodings", &protocol::Limits::blob_encodings},
    LimitName{"item_overhead_bytes", &protocol::Limits::item_overhead_bytes},
};

}  // namespace

SessionState::SessionState(SessionOptions options, Outbox& outbox)
    : options_(std::move(options)), outbox_(outbox) {
    SCANMQ_ASSERT(!options_.brokers.empty());
}

void SessionState::start(Now now) {
    last_tick_ = now.time;
    connect(0, now);
}

void SessionState::connect(std::size_t broker, Now now) {
    broker_ = broker;
    connected_ = false;
    phase_ = Phase::connecting;
    attempt_until_ = now.time + options_.connect_timeout;
    info_.broker = options_.brokers[broker_];
    outbox_.reset(Socket::main);
    outbox_.act(Connect{Socket::main, info_.broker});
}

void SessionState::hello(Now now) {
    phase_ = Phase::greeting;
    attempt_until_ = now.time + options_.connect_timeout;
    hello_seq_ = outbox_.main(protocol::Hello{options_.name, options_.instance, resume_, now.wall,
                                              options_.agent, std::nullopt});
}

SessionState::Change SessionState::connected(Now now) {
    if (phase_ == Phase::closed) return Change::none;
    const Change change = end(ErrorCode::none, "the connection was lost");
    connected_ = true;
    outbox_.act(DropQueued{Socket::main});
    outbox_.reset(Socket::main);
    hello(now);
    return change;
}

SessionState::Change SessionState::end(ErrorCode code, std::string sentence) {
    if (phase_ != Phase::open) return Change::none;
    phase_ = Phase::connecting;
    info_.open = false;
    info_.session = {};
    info_.last_code = code;
    info_.last_sentence = std::move(sentence);
    outbox_.set_session({});
    outbox_.act(DropQueued{Socket::main});
    outbox_.act(DropQueued{Socket::blob});
    return Change::lost;
}

void SessionState::adopt(const protocol::Welcome& welcome) {
    limits_ = {};
    for (const auto& [name, value] : welcome.limits) {
        for (const LimitName& known : kLimitNames) {
            if (name == known.name) {
                limits_.*known.field = static_cast<std::uint32_t>(
                    std::clamp<std::uint64_t>(value, 1, std::uint64_t{1} << 31));
            }
        }
    }
    resume_ = welcome.resume;
    blob_endpoint_ = welcome.blob_endpoint;
    // A broker that names nonsense must not make the client spin.
    heartbeat_ = std::chrono::milliseconds(std::clamp(welcome.heartbeat_ms, 10U, 600'000U));
    dead_after_ =
        std::max<Duration>(std::chrono::milliseconds(welcome.dead_after_ms), heartbeat_ * 2);
}

SessionState::Change SessionState::on_welcome(const protocol::Welcome& welcome, Now now) {
    if (!is_hello(welcome.re) || welcome.session.value == 0) return Change::none;
    adopt(welcome);
    phase_ = Phase::open;
    backoff_ = kBackoffMin;
    info_.open = true;
    info_.session = welcome.session;
    info_.epoch = welcome.epoch;
    outbox_.set_session(welcome.session);
    heard_ = now.time;
    last_tick_ = now.time;
    next_heartbeat_ = now.time + heartbeat_;
    return Change::opened;
}

void SessionState::wait_before_hello(Now now) {
    phase_ = Phase::connecting;
    attempt_until_ = now.time + backoff_;
    backoff_ = std::min(backoff_ * 2, kBackoffMax);
}

SessionState::Change SessionState::on_bye(const protocol::Bye& bye, Now now) {
    const Change change = end(bye.code, bye.sentence);
    if (change != Change::lost) return change;
    if (bye.code == ErrorCode::session_timed_out || bye.code == ErrorCode::unknown_session) {
        hello(now);
    } else {
        wait_before_hello(now);
    }
    return change;
}

SessionState::Change SessionState::on_error(const protocol::Error& error, Now now) {
    if (is_hello(error.re)) {
        info_.last_code = error.code;
        info_.last_sentence = error.sentence;
        wait_before_hello(now);
        return Change::none;
    }
    if (error.code != ErrorCode::unknown_session) return Change::none;
    const Change change = end(error.code, error.sentence);
    if (change == Change::lost) hello(now);
    return change;
}

SessionState::Change SessionState::renew(Now now) {
    const Change change = end(ErrorCode::none, "the connection for blobs was lost");
    if (change == Change::lost) hello(now);
    return change;
}

std::uint64_t SessionState::ping() {
    outbox_.main(protocol::Heartbeat{++ping_, 0, {}});
    return ping_;
}

SessionState::Change SessionState::tick(Now now) {
    // After a pause of this process what the broker said meanwhile is still unread: judge later.
    if (now.time - last_tick_ > heartbeat_) heard_ = std::max(heard_, now.time - heartbeat_);
    last_tick_ = now.time;
    switch (phase_) {
        case Phase::idle:
        case Phase::closed:
            return Change::none;
        case Phase::connecting:
            if (now.time < attempt_until_) return Change::none;
            if (options_.brokers.size() > 1) {
                next_broker(now);
            } else if (connected_) {
                hello(now);
            } else {
                attempt_until_ = now.time + options_.connect_timeout;
            }
            return Change::none;
        case Phase::greeting:
            if (now.time < attempt_until_) return Change::none;
            info_.last_code = ErrorCode::none;
            info_.last_sentence = "HELLO was not answered";
            next_broker(now);
            return Change::none;
        case Phase::open:
            break;
    }
    if (now.time - heard_ >= dead_after_) {
        const Change change = end(ErrorCode::none, "nothing was heard from the broker");
        next_broker(now);
        return change;
    }
    if (now.time >= next_heartbeat_) {
        ping();
        next_heartbeat_ = now.time + heartbeat_;
    }
    return Change::none;
}

Time SessionState::next_deadline() const noexcept {
    switch (phase_) {
        case Phase::idle:
        case Phase::closed:
            return Time::max();
        case Phase::connecting:
        case Phase::greeting:
            return attempt_until_;
        case Phase::open:
            return std::min(next_heartbeat_, heard_ + dead_after_);
    }
    return Time::max();
}

void SessionState::close() {
    if (open()) outbox_.main(protocol::Bye{ErrorCode::none, "closed by the client"});
    phase_ = Phase::closed;
    info_.open = false;
}

}  // namespace scanmq::client
