#include "worker/core/worker_core.hpp"

#include <algorithm>
#include <type_traits>

namespace scanmq::worker {

namespace {

CreditWindow::Options window_options(const WorkerOptions& options) {
    CreditWindow::Options window;
    window.threads = options.threads;
    window.items_max = options.window_max;
    window.always_full = options.run_on_loop;
    // The largest inline body must fit, or it could never be delivered.
    window.bytes =
        std::max<std::uint64_t>(options.window_bytes, protocol::kLimits.inline_bytes_max +
                                                          protocol::kLimits.item_overhead_bytes);
    return window;
}

}  // namespace

WorkerCore::WorkerCore(const WorkerOptions& options, Time now)
    : options_(options), rng_(options.seed), created_(now), credit_(window_options(options)) {
    options_.threads = std::max(1U, options_.threads);
    back_off(now);
}

void WorkerCore::handle(std::span<const Event> events, Time now, Effects& effects) {
    attempts_.recycle();
    while (gate_reasons_.size() > 1) gate_reasons_.pop_front();
    for (const Event& event : events) {
        if (phase_ == Phase::stopped) return;
        std::visit(
            [&](const auto& e) {
                using E = std::decay_t<decltype(e)>;
                if constexpr (std::is_same_v<E, ConnectedEvent>) on_connected(now, effects);
                if constexpr (std::is_same_v<E, DisconnectedEvent>) on_disconnected(now, effects);
                if constexpr (std::is_same_v<E, FrameEvent>) on_frame(*e.frame, now, effects);
                if constexpr (std::is_same_v<E, BadFrameEvent>)
                    on_bad_frame(*e.error, now, effects);
                if constexpr (std::is_same_v<E, InputsEvent>) on_inputs(e, effects);
                if constexpr (std::is_same_v<E, FinishedEvent>) on_finished(e, effects);
                if constexpr (std::is_same_v<E, StoredEvent>) on_stored(e, effects);
                if constexpr (std::is_same_v<E, ProgressEvent>) on_progress(e);
                if constexpr (std::is_same_v<E, GateEvent>) on_gate(e, effects);
                if constexpr (std::is_same_v<E, DrainEvent>) on_drain(now, effects);
            },
            event);
    }
    settle(now, effects);
}

void WorkerCore::settle(Time now, Effects& effects) {
    if (phase_ == Phase::stopped) return;
    start_ready(now, effects);
    flush(now, effects);
    if (draining_) leave_when_drained(now, effects);
}

void WorkerCore::tick(Time now, Effects& effects) {
    attempts_.recycle();
    if (phase_ == Phase::stopped) return;
    if (draining_ && now >= drain_deadline_) {
        const std::string sentence =
            "drain timeout: left while " + std::to_string(attempts_.held()) + " attempts were held";
        if (drained_.code == 0) return stop(kExitAborted, sentence, effects);
        return stop(drained_.code, drained_.sentence + "; " + sentence, effects);
    }
    tick_session(now, effects);
    if (phase_ == Phase::open) tick_running(now, effects);
    settle(now, effects);
}

std::optional<Time> WorkerCore::next_deadline() const {
    if (phase_ == Phase::stopped) return std::nullopt;
    Time due = session_deadline();
    if (phase_ == Phase::open) due = std::min(due, running_deadline());
    if (draining_) due = std::min(due, drain_deadline_);
    if (drained_until_) due = std::min(due, *drained_until_);
    return due;
}

void WorkerCore::send(protocol::Message message, Effects& effects) {
    const protocol::Header header{protocol::kWorker, session_, ++seq_};
    effects.sends.push_back({header, std::move(message)});
}

// Leaves while attempts are held: BYE, so that they run elsewhere at once, not when silence is
// noticed.
void WorkerCore::abandon(std::string sentence, Effects& effects) {
    if (phase_ == Phase::open) {
        send(protocol::Bye{protocol::ErrorCode::shutting_down, sentence}, effects);
    }
    stop(kExitAborted, std::move(sentence), effects);
}

void WorkerCore::stop(int code, std::string sentence, Effects& effects) {
    for (const AttemptId id : attempts_.running()) effects.cancels.push_back(id);
    phase_ = Phase::stopped;
    effects.exit = Exit{code, std::move(sentence)};
}

}  // namespace scanmq::worker
