// What becomes of the attempts WorkerCore holds: taken, fetched for, run, answered.
#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>

#include "worker/core/worker_core.hpp"

namespace scanmq::worker {

namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;

// Scans shorter than this are handed to the threads one ahead each: else a thread would idle for
// the two wake-ups between its answer and its next scan.
constexpr Duration kShortService = std::chrono::milliseconds(1);

std::uint64_t credit_bytes(const protocol::Attempt& attempt) {
    return (attempt.payload.is_blob() ? 0 : attempt.payload.bytes.size()) +
           protocol::kLimits.item_overhead_bytes;
}

std::size_t wire_bytes(const protocol::Outcome& outcome) {
    return protocol::kItemFixedBytesMax + outcome.body.bytes.size() + outcome.sentence.size();
}

// At most `max` bytes, not cut within a UTF-8 character.
std::string_view cut(std::string_view sentence, std::size_t max) {
    if (sentence.size() <= max) return sentence;
    while (max > 0 && (static_cast<unsigned char>(sentence[max]) & 0xC0U) == 0x80U) --max;
    return sentence.substr(0, max);
}

}  // namespace

void WorkerCore::on_deliver(const protocol::Header& header, const protocol::Deliver& deliver,
                            Effects& effects) {
    std::uint64_t bytes = 0;
    for (const protocol::Attempt& attempt : deliver.attempts) bytes += credit_bytes(attempt);
    if (!credit_.receive(deliver.attempts.size(), bytes)) {
        ++counters_.over_credit;
        refuse(header, protocol::Kind::deliver, ErrorCode::over_credit,
               "DELIVER of " + std::to_string(deliver.attempts.size()) + " attempts and " +
                   std::to_string(bytes) + " bytes is beyond the limit that this worker announced",
               effects);
        return;
    }
    counters_.delivered += deliver.attempts.size();
    for (const protocol::Attempt& attempt : deliver.attempts) {
        if (draining_ || shut()) {
            credit_.answer(1, credit_bytes(attempt));
            outcomes_.push_back(
                {attempt.counter, AttemptOutcome::returned, {}, ErrorCode::none, {}});
            answered_.push_back({kNobody, deliver.epoch});
            if (!shut()) continue;
            outcomes_.back().code = gate_->code;
            outcomes_.back().sentence = gate_->reason;
            ++counters_.gate_returned;
            continue;
        }
        const AttemptId id = attempts_.add({deliver.epoch, attempt.counter}, credit_bytes(attempt));
        effects.taken.push_back({id, &deliver, &attempt});
        if (attempt.payload.is_blob() || (options_.fetch_inputs && !attempt.inputs.empty())) {
            attempts_.find(id)->state = AttemptState::fetching;
            effects.fetches.push_back(id);
        } else {
            ready_.push_back(id);
        }
    }
}

void WorkerCore::on_inputs(const InputsEvent& event, Effects& effects) {
    HeldAttempt* attempt = attempts_.find(event.attempt);
    if (attempt == nullptr || attempt->state != AttemptState::fetching) return;
    if (event.code == ErrorCode::none) {
        attempt->state = AttemptState::ready;
        ready_.push_back(event.attempt);
        return;
    }
    const AttemptOutcome outcome = event.retry ? AttemptOutcome::failed : AttemptOutcome::rejected;
    // Without a session it is dropped: not held any more, it runs again and is not charged.
    answer(event.attempt, {attempt->token.counter, outcome, {}, event.code, event.sentence},
           AttemptState::free, effects);
}

void WorkerCore::on_finished(const FinishedEvent& event, Effects& effects) {
    HeldAttempt* attempt = attempts_.find(event.attempt);
    if (attempt == nullptr) return;  // told again, and dropped meanwhile
    if (attempt->state != AttemptState::running && attempt->state != AttemptState::finished) return;
    if (attempt->orphan) {
        ++counters_.orphaned_results;
        --orphans_;
        if (attempt->wedged) --wedged_;
        credit_due_ = true;  // a thread is free again
        attempts_.stop_running(event.attempt, AttemptState::ready);
        return release(event.attempt, effects);
    }
    if (attempt->state == AttemptState::running) {
        // A scan that was stopped, or never made, says nothing about how long scans take.
        if (event.cached) {
            ++counters_.cached;
        } else if (!attempt->revoked && event.outcome != AttemptOutcome::returned) {
            credit_.add_service(event.service);
        }
        attempts_.stop_running(event.attempt, AttemptState::finished);
    }
    if (phase_ != Phase::open) return;  // told again when it is adopted
    // Revoked: stopped, or not worth a blob any more.
    const bool large = event.body.size() > limits_.inline_bytes_max;
    if (attempt->revoked && (event.outcome == AttemptOutcome::failed || large)) {
        return hand_back(event.attempt, effects);
    }
    protocol::Outcome outcome{
        attempt->token.counter, event.outcome, {}, event.code, event.sentence};
    if (event.outcome == AttemptOutcome::done) {
        if (event.body.size() > limits_.blob_bytes_max) {
            outcome.outcome = AttemptOutcome::rejected;
            outcome.code = ErrorCode::item_too_large;
            outcome.sentence = "the result is larger than blob_bytes_max: ask for fewer rows";
        } else if (large) {
            attempt->state = AttemptState::storing;
            effects.puts.push_back(event.attempt);
            return;
        } else {
            outcome.body.bytes = event.body;
            const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(event.age);
            outcome.age_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(age.count(), 0));
        }
    }
    answer(event.attempt, outcome, AttemptState::finished, effects);
}

void WorkerCore::on_stored(const StoredEvent& event, Effects& effects) {
    HeldAttempt* attempt = attempts_.find(event.attempt);
    if (attempt == nullptr || attempt->state != AttemptState::storing) return;
    protocol::Outcome outcome{
        attempt->token.counter, AttemptOutcome::done, {}, event.code, event.sentence};
    if (event.code == ErrorCode::none) {
        outcome.body = {event.id.view(), event.size};
    } else {
        outcome.outcome = AttemptOutcome::failed;
    }
    // Should the answer not leave, the blob is put again: the next broker may not have it.
    answer(event.attempt, outcome, AttemptState::storing, effects);
}

// `unsent`: what becomes of it when the answer cannot leave because the session is over; free: it
// is dropped, and so runs again.
void WorkerCore::answer(AttemptId id, const protocol::Outcome& outcome, AttemptState unsent,
                        Effects& effects) {
    HeldAttempt& attempt = *attempts_.find(id);
    if (phase_ != Phase::open) {
        if (unsent == AttemptState::free) return release(id, effects);
        attempt.state = unsent;
        return;
    }
    attempt.state = AttemptState::answered;
    attempt.unsent = unsent;
    outcomes_.push_back(outcome);
    answered_.push_back({id, attempt.token.epoch});
    uncount(attempt);
}

void WorkerCore::hand_back(AttemptId id, Effects& effects, ErrorCode code,
                           std::string_view sentence) {
    const std::uint64_t counter = attempts_.at(id).token.counter;
    answer(id, {counter, AttemptOutcome::returned, {}, code, sentence}, AttemptState::free,
           effects);
}

// It takes up no credit any more.
void WorkerCore::uncount(HeldAttempt& attempt) {
    if (attempt.adopted) {
        --adopted_.items;
        adopted_.bytes -= attempt.bytes;
        credit_due_ = true;
    } else {
        credit_.answer(1, attempt.bytes);
    }
}

void WorkerCore::return_unstarted(Effects& effects) {
    ready_.clear();
    attempts_.for_each([&](AttemptId id, HeldAttempt& attempt) {
        if (attempt.state != AttemptState::ready && attempt.state != AttemptState::fetching) return;
        hand_back(id, effects);
    });
}

std::size_t WorkerCore::start_limit() const noexcept {
    if (gate_) {
        const bool runs = gate_->mode == GateMode::open || gate_->mode == GateMode::trial;
        return runs ? gate_->slots : 0;
    }
    if (options_.run_on_loop) return std::numeric_limits<std::size_t>::max();
    const bool ahead =
        options_.start_ahead && credit_.measured() && credit_.service() < kShortService;
    return ahead ? std::size_t{options_.threads} * 2 : options_.threads;
}

void WorkerCore::start_ready(Time now, Effects& effects) {
    if (phase_ != Phase::open) return;
    const std::size_t limit = start_limit();
    if (attempts_.running().empty()) progress_due_ = now + options_.progress_interval;
    while (!ready_.empty() && attempts_.running().size() < limit) {
        const AttemptId id = ready_.front();
        ready_.pop_front();
        attempts_.start(id, now);
        effects.starts.push_back(id);
    }
}

// How long the oldest scan has been running; on the loop nothing runs between two batches.
Duration WorkerCore::running_for(Time now) const noexcept {
    if (options_.run_on_loop) return {};
    Time oldest = now;
    for (const AttemptId id : attempts_.running()) {
        const HeldAttempt& attempt = attempts_.at(id);
        if (!attempt.orphan) oldest = std::min(oldest, attempt.started);
    }
    return now - oldest;
}

// One DONE for all that ended in this batch, or as many as the limits make of it.
void WorkerCore::flush(Time now, Effects& effects) {
    if (phase_ != Phase::open) return;
    send_reports(effects);
    if (reclaim_due_) reclaim(effects);
    if (outcomes_.empty() && !credit_due_) return;
    credit_due_ = false;
    if (!draining_ && !shut()) credit_.grow(orphans_, running_for(now), adopted_);
    if (outcomes_.empty()) {
        if (!credit_.worth_announcing()) return;
        ++counters_.credit_frames;
        send(protocol::CreditGrant{protocol::Link::deliver, {}, 0, credit_.announce()}, effects);
        return;
    }
    sort_outcomes();
    const protocol::Credit limit = credit_.announce();
    std::size_t begin = 0;
    std::size_t bytes = protocol::kEnvelopeBytesMax;
    for (std::size_t i = 0; i < outcomes_.size(); ++i) {
        count(outcomes_[i].outcome);
        outcomes_[i].sentence = cut(outcomes_[i].sentence, limits_.sentence_bytes_max);
        const std::size_t size = wire_bytes(outcomes_[i]);
        if (i > begin &&
            (bytes + size > limits_.frame_bytes_max || i - begin >= limits_.items_per_frame_max ||
             answered_[i].epoch != answered_[begin].epoch)) {
            send_done(begin, i, limit, effects);
            begin = i;
            bytes = protocol::kEnvelopeBytesMax;
        }
        bytes += size;
    }
    send_done(begin, outcomes_.size(), limit, effects);
    outcomes_.clear();
    for (const Answered& answered : answered_) {
        if (answered.attempt != kNobody) release(answered.attempt, effects);
    }
    answered_.clear();
}

// A DONE has one epoch. But for what was adopted after a broker's restart all are of one already.
void WorkerCore::sort_outcomes() {
    const auto other = [this](const Answered& a) { return a.epoch != answered_.front().epoch; };
    if (std::none_of(answered_.begin(), answered_.end(), other)) return;
    std::vector<std::size_t> order(outcomes_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
        return answered_[a].epoch < answered_[b].epoch;
    });
    std::vector<protocol::Outcome> outcomes;
    std::vector<Answered> answered;
    for (const std::size_t i : order) {
        outcomes.push_back(outcomes_[i]);
        answered.push_back(answered_[i]);
    }
    outcomes_ = std::move(outcomes);
    answered_ = std::move(answered);
}

void WorkerCore::count(AttemptOutcome outcome) {
    switch (outcome) {
        case AttemptOutcome::done:
            ++counters_.done;
            break;
        case AttemptOutcome::failed:
            ++counters_.failed;
            break;
        case AttemptOutcome::rejected:
            ++counters_.rejected;
            break;
        case AttemptOutcome::returned:
            ++counters_.returned;
            break;
        case AttemptOutcome::lost:
            SCANMQ_ASSERT(false);
    }
}

void WorkerCore::send_done(std::size_t begin, std::size_t end, protocol::Credit limit,
                           Effects& effects) {
    protocol::Done done{answered_[begin].epoch, limit, {}};
    if (begin == 0 && end == outcomes_.size()) {
        done.outcomes.swap(outcomes_);
    } else {
        done.outcomes.assign(outcomes_.begin() + static_cast<std::ptrdiff_t>(begin),
                             outcomes_.begin() + static_cast<std::ptrdiff_t>(end));
    }
    ++counters_.done_frames;
    send(std::move(done), effects);
}

}  // namespace scanmq::worker
