#include "client/core/submit_link.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::client {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::Verdict;

namespace {
constexpr std::uint8_t kPutsMax = 3;  // a body's blob that was dropped meanwhile is put again
constexpr std::size_t kSpareMax = 64;
constexpr std::size_t kEnvelopeElements = 16;

// msgpack elements of one job in a frame.
std::size_t elements_of(const protocol::JobOptions* options) {
    constexpr std::size_t kPlain = 7;  // the record, its fields, a body that is a blob
    constexpr std::size_t kOptions = 20;
    return options == nullptr ? kPlain : kPlain + kOptions + options->aliases.size();
}
}  // namespace

SubmitLink::SubmitLink(std::string queue, const BatchSettings& batches, ProducerBook& book,
                       Outbox& outbox)
    : queue_(std::move(queue)),
      valid_name_(protocol::valid_queue_name(queue_)),
      batches_(batches),
      book_(book),
      outbox_(outbox) {
    batches_.items_max = std::max(batches_.items_max, 1U);
    batches_.frames_ahead = std::max(batches_.frames_ahead, 1U);
}

std::uint64_t SubmitLink::cost(const StoredJob& job) const noexcept {
    return overhead_ + (job.blob ? 0U : job.payload_bytes);
}

bool SubmitLink::fits(const StoredJob& job) const noexcept {
    return credit_.affords({1, cost(job)});
}

void SubmitLink::wait(StoredJob job, Now now) {
    if (book_.abandoned(job)) {
        book_.drop(job);
        arena_.release(job);
        return;
    }
    const std::uint64_t bytes = cost(job);
    count_submission(now, bytes);
    waiting_cost_ += bytes;
    refused_ = false;
    waiting_.push_back(job);
}

void SubmitLink::refuse(const StoredJob& job, ErrorCode code, std::string_view sentence) {
    book_.answer(job, {{}, {}, Verdict::refused, {}, code, sentence}, false);
    arena_.release(job);
}

void SubmitLink::drop_abandoned() {
    std::erase_if(waiting_, [this](const StoredJob& job) {
        if (!book_.abandoned(job)) return false;
        waiting_cost_ -= cost(job);
        book_.drop(job);
        arena_.release(job);
        return true;
    });
}

void SubmitLink::pump(const protocol::Limits& limits, std::uint64_t acked_seq, UuidV7& ids, Now now,
                      bool force) {
    overhead_ = limits.item_overhead_bytes;
    if (now.time < hold_until_) return;
    hold_until_ = {};
    while (!waiting_.empty()) {
        if (!force && in_flight_.size() >= batches_.frames_ahead) {
            // The broker is busy with what it has: only a full batch is worth another frame.
            const Credit available = credit_.available();
            const bool credit =
                available.items >= batches_.items_max || available.bytes >= batches_.bytes_max;
            if (!batch_waits() || !credit) return;
        }
        if (!send_batch(limits, acked_seq, ids, now)) return;
    }
}

bool SubmitLink::send_batch(const protocol::Limits& limits, std::uint64_t acked_seq, UuidV7& ids,
                            Now now) {
    if (!fits(waiting_.front())) return false;
    Batch batch;
    if (!spare_.empty()) {
        batch.jobs = std::move(spare_.back());
        spare_.pop_back();
    }
    const Id128 group = waiting_.front().group;
    const std::size_t items_max = std::min(batches_.items_max, limits.items_per_frame_max);
    protocol::Submit submit{queue_, group, acked_seq, {}};
    submit.jobs.reserve(std::min(waiting_.size(), items_max));
    std::size_t frame_bytes = protocol::kEnvelopeBytesMax;
    std::size_t elements = kEnvelopeElements;
    while (!waiting_.empty() && submit.jobs.size() < items_max) {
        StoredJob& job = waiting_.front();
        const protocol::JobOptions* options = arena_.options(job);
        const std::size_t bytes = protocol::kItemFixedBytesMax + job.subject_bytes +
                                  job.inputs_bytes + job.options_bytes +
                                  (job.blob ? 0 : job.payload_bytes);
        const bool first = submit.jobs.empty();
        if (job.group != group || !fits(job)) break;
        if (!first && (frame_bytes + bytes > batches_.bytes_max ||
                       frame_bytes + bytes > limits.frame_bytes_max ||
                       elements + elements_of(options) > limits.elements_max)) {
            break;
        }
        frame_bytes += bytes;
        elements += elements_of(options);
        if (job.id.is_zero()) {
            job.id = ids.next(now.wall);
            if (book_.journaled(job.producer)) {
                outbox_.stamp({job.producer, job.ticket, job.id});
            }
        }
        const protocol::Body body = job.blob ? protocol::Body{job.content(), job.payload_bytes}
                                             : protocol::Body{job.payload(), 0};
        submit.jobs.push_back(
            {job.id, job.subject(), body, job.inputs(),
             options == nullptr ? nullptr : std::make_unique<protocol::JobOptions>(*options)});
        credit_.send({1, cost(job)});
        waiting_cost_ -= cost(job);
        if (job.sent_before) ++resubmitted_;
        book_.sent(job);
        batch.jobs.push_back(job);
        waiting_.pop_front();
    }
    book_.count_frame(batch.jobs.front().producer);
    batch.seq = outbox_.main(std::move(submit));
    in_flight_.push_back(std::move(batch));
    return true;
}

bool SubmitLink::on_accepted(const protocol::Accepted& accepted,
                             std::vector<StoredJob>& put_again) {
    const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                    [&](const Batch& b) { return b.seq == accepted.re; });
    if (found == in_flight_.end()) return false;
    // An answer from before RECLAIMED tells a limit that was given back.
    if (accepted.re > reclaimed_seq_) raise(accepted.limit);
    std::vector<StoredJob> jobs = std::move(found->jobs);
    in_flight_.erase(found);
    std::vector<const protocol::JobVerdict*> verdicts;
    if (!accepted.exceptions.empty()) {
        verdicts.resize(jobs.size(), nullptr);
        for (const protocol::JobVerdict& verdict : accepted.exceptions) {
            if (verdict.index < jobs.size()) verdicts[verdict.index] = &verdict;
        }
    }
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        answer_one(jobs[i], verdicts.empty() ? nullptr : verdicts[i], put_again);
    }
    jobs.clear();
    if (spare_.size() < kSpareMax) spare_.push_back(std::move(jobs));
    return true;
}

void SubmitLink::answer_one(const StoredJob& job, const protocol::JobVerdict* verdict,
                            std::vector<StoredJob>& put_again) {
    if (verdict == nullptr) {
        book_.answer(job, {{}, {}, Verdict::accepted, {}, {}, {}}, true);
        arena_.release(job);
        return;
    }
    if (verdict->code == ErrorCode::unknown_snapshot && job.blob && job.puts < kPutsMax) {
        book_.unsent(job);
        put_again.push_back(job);
        return;
    }
    book_.answer(job, {{}, {}, verdict->verdict, verdict->state, verdict->code, verdict->sentence},
                 true);
    arena_.release(job);
}

void SubmitLink::answer_all(Batch& batch, ErrorCode code, std::string_view sentence) {
    for (const StoredJob& job : batch.jobs) {
        book_.answer(job, {{}, {}, Verdict::refused, {}, code, sentence}, true);
        arena_.release(job);
    }
}

void SubmitLink::refuse_waiting(const protocol::Error& error) {
    refused_ = true;
    while (!waiting_.empty()) {
        refuse(waiting_.front(), error.code, error.sentence);
        waiting_.pop_front();
    }
    waiting_cost_ = 0;
}

void SubmitLink::refuse_unsent(const protocol::Error& error) {
    const auto kept = std::stable_partition(waiting_.begin(), waiting_.end(),
                                            [](const StoredJob& job) { return job.sent_before; });
    for (auto job = kept; job != waiting_.end(); ++job) {
        waiting_cost_ -= cost(*job);
        refuse(*job, error.code, error.sentence);
    }
    waiting_.erase(kept, waiting_.end());
    refused_ = waiting_.empty();
}

bool SubmitLink::on_error(const protocol::Error& error, Now now) {
    if (error.re == want_seq_ && want_seq_ != 0) return on_want_error(error, now);
    const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                    [&](const Batch& b) { return b.seq == error.re; });
    if (found == in_flight_.end()) return false;
    // When the broker stops, the session ends soon: the jobs stay for the next one.
    if (error.code == ErrorCode::shutting_down) return true;
    Batch batch = std::move(*found);
    in_flight_.erase(found);
    if (error.code == ErrorCode::store_full) {
        take_back(batch.jobs);
        hold(error.code, now);
        return true;
    }
    if (error.code == ErrorCode::over_credit) {
        // None was taken, and this side keeps its limits: the queue is another one, made anew under
        // the same name. Asked from nothing, it takes them.
        if (error.re > reclaimed_seq_) forget_credit();
        const auto again = std::stable_partition(batch.jobs.begin(), batch.jobs.end(),
                                                 [](const StoredJob& job) { return job.refused; });
        std::vector<StoredJob> jobs(again, batch.jobs.end());
        batch.jobs.erase(again, batch.jobs.end());
        answer_all(batch, error.code, error.sentence);
        for (StoredJob& job : jobs) job.refused = true;
        take_back(jobs);
        return true;
    }
    answer_all(batch, error.code, error.sentence);
    if (error.code == ErrorCode::unknown_queue && error.re > reclaimed_seq_) forget_credit();
    return true;
}

void SubmitLink::take_back(std::span<const StoredJob> jobs) {
    for (auto job = jobs.rbegin(); job != jobs.rend(); ++job) {
        book_.unsent(*job);
        waiting_cost_ += cost(*job);
        waiting_.push_front(*job);
    }
}

bool SubmitLink::on_want_error(const protocol::Error& error, Now now) {
    switch (error.code) {
        case ErrorCode::shutting_down:
            return true;
        case ErrorCode::store_full:
            want_seq_ = 0;
            want_answered_ = true;
            hold(error.code, now);
            if (returning_) {
                // The WANT before is still in force: a grant may be on its way.
                returning_ = false;
                return_again_ = return_asked_;
            }
            return true;
        case ErrorCode::queue_draining:
        case ErrorCode::queue_full:
            // The counts go on: the queue is the same one when it is resumed.
            want_seq_ = 0;
            want_answered_ = true;
            refuse_unsent(error);
            // To learn what became of the rest takes credit: later.
            if (!waiting_.empty()) hold(error.code, now);
            return true;
        case ErrorCode::item_too_large:
            want_answered_ = true;
            if (!want_exact_) {
                must_be_exact_ = true;  // then the broker tells which item it means
            } else if (!waiting_.empty()) {
                waiting_cost_ -= cost(waiting_.front());
                refuse(waiting_.front(), error.code, error.sentence);
                waiting_.pop_front();
            }
            return true;
        case ErrorCode::over_credit:
            // The queue was deleted and made anew meanwhile: counts begin from nothing there.
            if (want_sent_ == Credit{}) refuse_waiting(error);
            forget_credit();
            return true;
        default:
            refuse_waiting(error);
            forget_credit();
            return true;
    }
}

void SubmitLink::hold(ErrorCode code, Now now) {
    // Answers to frames sent before the pause began say nothing new.
    if (now.time < hold_until_) return;
    ++holds_;
    held_ = code;
    hold_until_ = now.time + hold_for_;
    hold_for_ = std::min(hold_for_ * 2, kHoldMax);
}

void SubmitLink::release_hold() noexcept {
    held_ = ErrorCode::none;
    hold_until_ = {};
    hold_for_ = kHoldMin;
}

// The queue is gone, or another one of its name is there: it knows nothing of what was sent and
// granted.
void SubmitLink::forget_credit() {
    credit_.reset();
    window_ = {};
    reclaimed_seq_ = outbox_.last_seq(Socket::main);
    want_seq_ = 0;
    want_sent_ = {};
    want_answered_ = true;
    want_exact_ = false;
    must_be_exact_ = false;
    returning_ = false;
    return_again_ = false;
}

void SubmitLink::lost() {
    for (auto batch = in_flight_.rbegin(); batch != in_flight_.rend(); ++batch) {
        for (StoredJob& job : batch->jobs) job.sent_before = true;
        take_back(batch->jobs);
    }
    in_flight_.clear();
    forget_credit();
    release_hold();
    reclaimed_seq_ = 0;
}

}  // namespace scanmq::client
