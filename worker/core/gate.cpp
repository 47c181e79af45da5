// WorkerCore's way of giving back what would wait too long here: a remote target is away, or scans
// turned out longer than the window thought.
#include <algorithm>

#include "worker/core/worker_core.hpp"

namespace scanmq::worker {

void WorkerCore::on_gate(const GateEvent& event, Effects& effects) {
    const bool was_shut = shut();
    gate_reasons_.emplace_back(event.reason);
    gate_ = event;
    gate_->reason = gate_reasons_.back();
    const bool runs = event.mode == GateMode::open || event.mode == GateMode::trial;
    if (runs) credit_.set_slots(event.slots, event.mode == GateMode::open);
    credit_due_ = true;
    if (!shut()) return;
    if (!was_shut) ++counters_.gate_shut;
    return_shut(effects);
}

void WorkerCore::return_shut(Effects& effects) {
    ready_.clear();
    attempts_.for_each([&](AttemptId id, HeldAttempt& attempt) {
        if (attempt.state != AttemptState::ready && attempt.state != AttemptState::fetching) return;
        if (phase_ != Phase::open) {
            // Kept for the session that adopts it, which then gives it back.
            if (attempt.state == AttemptState::ready) ready_.push_back(id);
            return;
        }
        ++counters_.gate_returned;
        hand_back(id, effects, gate_->code, gate_->reason);
    });
    if (credit_.unused() > 0) reclaim_due_ = true;
}

// What waits behind scans that take longer than those before could run elsewhere, and so could what
// the broker may still send on the old window's credit.
void WorkerCore::return_surplus(Time now, Effects& effects) {
    surplus_checked_ = now;
    if (phase_ != Phase::open || draining_ || shut()) return;
    const std::size_t running = attempts_.running().size() - orphans_;
    const std::uint32_t window = credit_.items(orphans_, running_for(now));
    const std::size_t keep = window > running ? window - running : 0;
    while (ready_.size() > keep) {
        const AttemptId id = ready_.back();
        ready_.pop_back();
        ++counters_.surplus_returned;
        hand_back(id, effects);
    }
    // Started one ahead of its thread.
    if (!gate_ && running > std::max<std::size_t>(window, options_.threads)) {
        for (const AttemptId id : attempts_.running()) {
            if (!attempts_.at(id).orphan) effects.recalls.push_back(id);
        }
    }
    if (running > 0 && credit_.worth_reclaiming(window)) reclaim_due_ = true;
}

// It goes out before the outcomes of its batch: the broker must not send those back at once.
void WorkerCore::reclaim(Effects& effects) {
    reclaim_due_ = false;
    if (!reclaims_ || credit_.reclaiming() || credit_.unused() == 0) return;
    ++counters_.reclaims;
    send(protocol::Reclaim{}, effects);
    credit_.ask_back();
}

void WorkerCore::on_reclaimed(const protocol::Reclaimed& reclaimed, Time now, Effects& effects) {
    if (!credit_.reclaimed(reclaimed.sent)) {
        ++counters_.bad_frames;
        effects.notes.push_back(
            {NoteLevel::error, "the broker says that it had sent " +
                                   std::to_string(reclaimed.sent.items) +
                                   " attempts, which is not what came: beginning anew"});
        return reconnect(now, effects);
    }
    credit_due_ = true;
}

// A broker that does not know RECLAIM from workers: what it sends meanwhile is answered one by one.
void WorkerCore::on_reclaim_refused() {
    reclaims_ = false;
    credit_.keep();
    credit_due_ = true;
}

// A scan under way for so long is a sign that the window is too large; before, it may be a hiccup.
Time WorkerCore::surplus_deadline(Time oldest) const noexcept {
    if (draining_ || shut() || options_.run_on_loop) return Time::max();
    const bool ahead = attempts_.running().size() > options_.threads && !gate_;
    if (!ahead && ready_.empty() && credit_.unused() == 0) return Time::max();
    return std::max(oldest, surplus_checked_) + kSurplusAfter;
}

}  // namespace scanmq::worker
