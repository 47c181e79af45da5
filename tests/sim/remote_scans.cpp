#include "tests/sim/remote_scans.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;
using namespace worker;

namespace {

RemoteOptions remote_options(std::uint64_t seed) {
    RemoteOptions options;
    options.target = "http://target";
    options.call_timeout = 5s;
    options.attempt_timeout = 20s;
    options.seed = seed;
    return options;
}

std::unique_ptr<Limiter> limiter_of(Rng rng) {
    LimiterOptions options = remote_limiter_options();
    if (rng.below(3) == 0) options.concurrency = ConcurrencyKind::aimd;
    if (rng.below(4) == 0) {
        options.rate = rng.below(2) == 0 ? RateKind::token_bucket : RateKind::sliding_window;
        options.rate_per_s = 200.0;
    }
    return std::move(make_limiter(options)).value();
}

}  // namespace

RemoteScans::RemoteScans(World& world, RemoteTarget& target, std::uint64_t seed,
                         std::function<void()> wake)
    : world_(world),
      target_(target),
      calls_(remote_options(seed), limiter_of(Rng(seed))),
      wake_(std::move(wake)),
      gate_(calls_.gate()) {}

void RemoteScans::submit(AttemptId attempt, const std::string& payload, std::string result,
                         Time now) {
    payloads_[attempt.slot] = payload;
    results_[attempt.slot] = std::move(result);
    CallRequest request;
    request.attempt = attempt;
    request.job = std::hash<std::string>{}(payload);
    request.bytes = payload.size();
    calls_.submit(request, now, effects_);
    carry_out();
}

void RemoteScans::cancel(AttemptId attempt, Time now) {
    calls_.cancel(attempt, now, effects_);
    carry_out();
}

void RemoteScans::turn(Time now) {
    for (auto& [exchange, answer] : std::exchange(inbox_->answers, {})) {
        const auto found = exchanges_.find(exchange);
        if (found == exchanges_.end()) continue;  // aborted meanwhile
        bodies_[found->second.attempt.slot] = answer.body;
        exchanges_.erase(found);
        CallResult result{answer.what, answer.sent, answer.retry_after, "as its fault is"};
        calls_.on_result(exchange, result, now, effects_);
        carry_out();
    }
    for (const auto& [number, result] : std::exchange(inbox_->probes, {})) {
        calls_.on_probe(number, result, now, effects_);
        carry_out();
    }
    if (const auto due = calls_.next_deadline(); due && *due <= now) {
        calls_.tick(now, effects_);
        carry_out();
    }
}

void RemoteScans::carry_out() {
    for (const ExchangeId id : effects_.aborts) {
        target_.abort(exchanges_.at(id).call);
        exchanges_.erase(id);
    }
    if (!effects_.sends.empty() && calls_.breaker().state() == CircuitBreaker::State::open) {
        world_.fail("a call is sent while the breaker is open");
    }
    for (const SendCall& send : effects_.sends) {
        const auto reply = [inbox = std::weak_ptr(inbox_), wake = wake_,
                            id = send.exchange](const RemoteTarget::Answer& answer) {
            if (const auto open = inbox.lock()) {
                open->answers.emplace_back(id, answer);
                wake();
            }
        };
        exchanges_[send.exchange] = {
            target_.call(payloads_.at(send.attempt.slot), results_.at(send.attempt.slot), reply),
            send.attempt};
    }
    if (effects_.probe) {
        target_.probe([inbox = std::weak_ptr(inbox_), wake = wake_,
                       number = *effects_.probe](ProbeResult result) {
            if (const auto open = inbox.lock()) {
                open->probes.emplace_back(number, result);
                wake();
            }
        });
    }
    for (FinishCall& done : effects_.finishes) {
        const std::uint32_t slot = done.attempt.slot;
        if (payloads_.erase(slot) == 0) world_.fail("a call ended twice");
        ended_.push_back({std::move(done), std::move(bodies_[slot])});
        bodies_.erase(slot);
    }
    if (effects_.gate) gate_ = effects_.gate;
    for (const Note& note : effects_.notes) world_.trace("remote", note.sentence);
    effects_.clear();
}

}  // namespace scanmq::sim
