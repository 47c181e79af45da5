#include "tests/sim/remote_target.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;
using worker::CallClass;
using worker::ProbeResult;

namespace {

constexpr std::size_t kAtOnce = 100;  // calls it takes; beyond, it says so
constexpr Duration kConnectTimeout = 500ms;

}  // namespace

void RemoteTarget::set(State state, bool healthy) {
    if (state_ != State::well && !outages_.empty() && !outages_.back().ended) {
        outages_.back().ended = world_.now();
    }
    state_ = state;
    healthy_ = healthy || state == State::well;
    world_.trace("target", "state " + std::to_string(static_cast<int>(state)) +
                               (healthy_ ? ", healthy" : ", not healthy"));
    if (state == State::well) return;
    outages_.push_back({state, world_.now()});
    if (state == State::dead) reset_all();
    if (state == State::silent) under_way_.clear();
}

void RemoteTarget::reset_all() {
    auto lost = std::exchange(under_way_, {});
    for (auto& [number, call] : lost) {
        world_.after(network(), [reply = std::move(call.reply)] {
            reply({CallClass::no_connection, true, {}, {}});
        });
    }
}

void RemoteTarget::fault(Duration length) {
    if (healing_) return;
    set(kFaults[world_.rng.below(kFaults.size())], world_.chance(0.5));
    world_.after(length, [this, mine = ++fault_] {
        if (mine == fault_) set(State::well);
    });
}

void RemoteTarget::heal() {
    healing_ = true;
    ++fault_;
    if (state_ != State::well) set(State::well);
    // What hangs would hang for ever.
    reset_all();
}

std::uint64_t RemoteTarget::call(std::string payload, std::string result, Reply reply) {
    const std::uint64_t number = ++number_;
    under_way_.emplace(number, UnderWay{std::move(payload), std::move(result), std::move(reply)});
    world_.after(network(), [this, number] { arrive(number); });
    return number;
}

void RemoteTarget::end(std::uint64_t call, const Answer& answer) {
    const auto found = under_way_.find(call);
    if (found == under_way_.end()) return;
    Reply reply = std::move(found->second.reply);
    under_way_.erase(found);
    world_.after(network(), [reply = std::move(reply), answer] { reply(answer); });
}

void RemoteTarget::arrive(std::uint64_t call) {
    const auto found = under_way_.find(call);
    if (found == under_way_.end()) return;
    if (state_ != State::well) {
        ++outages_.back().requests;
        outages_.back().last_request = world_.now();
    }
    switch (state_) {
        case State::dead:
            return end(call, {CallClass::no_connection, false, {}, {}});
        case State::silent: {
            Reply reply = std::move(found->second.reply);
            under_way_.erase(found);
            world_.after(kConnectTimeout, [reply = std::move(reply)] {
                reply({CallClass::no_connection, false, {}, {}});
            });
            return;
        }
        case State::throttling:
            return end(call, {CallClass::throttled, true, world_.between(0ms, 3s), {}});
        case State::errors:
            return end(call, {CallClass::retryable, true, {}, {}});
        case State::garbage:
            return end(call, {CallClass::bad_response, true, {}, {}});
        case State::well:
        case State::slow:
            break;
    }
    if (under_way_.size() > kAtOnce) return end(call, {CallClass::throttled, true, 200ms, {}});
    const Behaviour behaviour = behaviour_of(found->second.payload);
    if (behaviour == Behaviour::wedges && !healing_) return;  // until the worker loses patience
    Duration takes = world_.chance(0.1) ? world_.between(10ms, 300ms) : world_.between(500us, 20ms);
    if (behaviour == Behaviour::slow && !healing_) takes = world_.between(1s, 4s);
    if (state_ == State::slow) takes += 5s;
    world_.after(takes, [this, call] { finish(call); });
}

void RemoteTarget::finish(std::uint64_t call) {
    const auto found = under_way_.find(call);
    if (found == under_way_.end()) return;
    const std::string& payload = found->second.payload;
    const std::uint64_t before = work_.count_run(payload);
    switch (behaviour_of(payload)) {
        case Behaviour::fails_once:
            if (before > 0) break;
            [[fallthrough]];
        case Behaviour::fails_always:
            return end(call, {CallClass::retryable, true, {}, {}});
        case Behaviour::rejected:
            return end(call, {CallClass::final_error, true, {}, {}});
        case Behaviour::poison:
            if (state_ != State::well) return end(call, {CallClass::retryable, true, {}, {}});
            set(State::dead);
            world_.after(world_.between(50ms, 300ms), [this, mine = ++fault_] {
                if (mine == fault_) set(State::well);
            });
            return;
        default:
            break;
    }
    if (state_ == State::well && !outages_.empty() && !outages_.back().first_ok_after) {
        outages_.back().first_ok_after = world_.now();
    }
    end(call, {CallClass::ok, true, {}, found->second.result});
}

void RemoteTarget::probe(std::function<void(ProbeResult)> reply) {
    if (state_ == State::silent) return;
    ProbeResult answer = healthy_ ? ProbeResult::good : ProbeResult::bad;
    if (state_ == State::dead) answer = ProbeResult::unreachable;
    world_.after(network() + network(), [reply = std::move(reply), answer] { reply(answer); });
}

}  // namespace scanmq::sim
