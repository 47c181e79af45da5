#include "broker/http/job_book.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace scanmq::gateway {

namespace {
constexpr std::uint64_t kKeptOverhead = 512;  // of what ended, beside its body and sentence
}  // namespace

const Track* JobBook::find(const Id128& id) const {
    const auto found = tracks_.find(id);
    return found == tracks_.end() ? nullptr : &found->second;
}

bool JobBook::reserve(std::uint32_t jobs, BookEffects& out) {
    while (tracks_.size() + jobs > limits_.jobs_max) {
        if (!forget_one(out)) {
            ++counts_.jobs_refused;
            return false;
        }
    }
    return true;
}

Track& JobBook::place(NewJob job, Time now) {
    SCANMQ_ASSERT(!tracks_.contains(job.id));
    Track& track = tracks_[job.id];
    track.id = job.id;
    track.kind = job.kind;
    track.queue = std::move(job.queue);
    track.subject = std::move(job.subject);
    track.pattern = std::move(job.pattern);
    track.symbol = std::move(job.symbol);
    track.batch = job.batch;
    track.cancel_when_alone = job.cancel_when_alone;
    track.content = job.content;
    track.call = std::move(job.call);
    track.begun = now;
    ++counts_.added;
    return track;
}

void JobBook::add(NewJob job, Time now, BookEffects& out) {
    Track& track = place(std::move(job), now);
    out.watches_begun.emplace_back(track.queue, track.pattern);
    if (track.kind == Kind::member) {
        const auto batch = tracks_.find(track.batch);
        SCANMQ_ASSERT(batch != tracks_.end());
        batch->second.members.push_back(track.id);
        return;  // a batch waits for its queue's room as long as it takes
    }
    track.submit_by = now + limits_.submit_wait;
    submit_deadlines_.emplace(track.submit_by, track.id);
}

void JobBook::add_batch(NewJob batch, std::uint32_t symbols, std::uint32_t limit, Time now) {
    Track& track = place(std::move(batch), now);
    track.result = std::make_unique<BatchResult>(symbols, limit);
    track.stage = Stage::accepted;
    shelve(track, now);
}

void JobBook::accepted(const Id128& id, protocol::Verdict verdict, Time now, BookEffects& out) {
    const auto found = tracks_.find(id);
    if (found == tracks_.end() || found->second.stage != Stage::submitting) return;
    Track& track = found->second;
    track.stage = Stage::accepted;
    track.verdict = verdict;
    if (track.kind == Kind::member) return count_answer(track.batch, true, out);
    submit_deadlines_.erase({track.submit_by, id});
    if (track.abandoned) {
        ++counts_.cancels;
        out.cancels.emplace_back(track.queue, id);
    }
    // Those that waited for this answer only.
    for (const auto& [waiter, deadline] : std::vector(track.waiters)) {
        if (deadline <= now) time_out(track, waiter, out);
    }
    if (track.waiters.empty()) shelve(track, now);
}

void JobBook::end(const Id128& id, Ended ended, Time now, BookEffects& out) {
    const auto found = tracks_.find(id);
    if (found == tracks_.end() || found->second.stage == Stage::ended) return;
    Track& track = found->second;
    ++counts_.ended;
    if (ended.refused) ++counts_.refused;
    if (track.kind == Kind::member) return end_member(track, ended, now, out);
    if (track.stage == Stage::submitting) {
        submit_deadlines_.erase({track.submit_by, id});
    }
    if (track.kind != Kind::batch) out.watches_ended.emplace_back(track.queue, track.pattern);
    track.ended = std::move(ended);
    close(track, now, out);
}

void JobBook::end_member(Track& member, const Ended& ended, Time now, BookEffects& out) {
    const auto found = tracks_.find(member.batch);
    SCANMQ_ASSERT(found != tracks_.end());
    Track& batch = found->second;
    if (member.stage == Stage::submitting) count_answer(member.batch, !ended.refused, out);
    batch.result->add(member.symbol, ended);
    std::erase(batch.members, member.id);
    out.watches_ended.emplace_back(member.queue, member.pattern);
    tracks_.erase(Id128(member.id));
    after_member(batch, now, out);
}

void JobBook::refuse_member(const Id128& id, std::string_view symbol, std::string_view code,
                            std::string_view sentence, Time now, BookEffects& out) {
    const auto found = tracks_.find(id);
    if (found == tracks_.end() || found->second.stage == Stage::ended) return;
    found->second.result->refuse(symbol, code, sentence);
    count_answer(id, false, out);
    after_member(found->second, now, out);
}

void JobBook::count_answer(const Id128& id, bool taken, BookEffects& out) {
    const auto found = tracks_.find(id);
    if (found == tracks_.end()) return;
    Track& batch = found->second;
    ++batch.answered;
    if (taken) ++batch.taken;
    if (batch.answered == batch.result->symbols()) {
        out.seals.push_back({batch.queue, id, batch.taken});
    }
}

void JobBook::after_member(Track& batch, Time now, BookEffects& out) {
    weigh(batch, batch.result->bytes());
    if (batch.result->complete()) {
        batch.ended.outcome = protocol::FinalOutcome::done;
        close(batch, now, out);
    } else if (batch.shelf_ == Track::Shelf::loose) {
        shelve(batch, now);
    }
}

// Wakes everybody who waits for it and keeps it.
void JobBook::close(Track& track, Time now, BookEffects& out) {
    track.stage = Stage::ended;
    for (const auto& [waiter, deadline] : track.waiters) {
        ++counts_.waits_ended;
        waits_.erase(waiter);
        wait_deadlines_.erase({deadline, waiter});
        out.wakes.push_back({waiter, track.id, WakeReason::ended});
    }
    track.waiters.clear();
    if (track.kind != Kind::batch) {
        weigh(track, track.ended.body.size() + track.ended.sentence.size() + kKeptOverhead);
    }
    shelve(track, now);
}

bool JobBook::wait(const Id128& id, Waiter waiter, Time deadline) {
    if (waits_.size() >= limits_.waits_max) {
        ++counts_.waits_refused;
        return false;
    }
    const auto found = tracks_.find(id);
    SCANMQ_ASSERT(found != tracks_.end() && found->second.stage != Stage::ended);
    unshelve(found->second);
    found->second.waiters.emplace_back(waiter, deadline);
    waits_.emplace(waiter, id);
    wait_deadlines_.emplace(deadline, waiter);
    return true;
}

void JobBook::drop_waiter(Track& track, Waiter waiter) {
    const auto at = std::ranges::find(track.waiters, waiter, &std::pair<Waiter, Time>::first);
    SCANMQ_ASSERT(at != track.waiters.end());
    wait_deadlines_.erase({at->second, waiter});
    track.waiters.erase(at);
    waits_.erase(waiter);
}

void JobBook::time_out(Track& track, Waiter waiter, BookEffects& out) {
    drop_waiter(track, waiter);
    ++counts_.waits_timed_out;
    // Its client learns the id now, and may come back for it.
    track.cancel_when_alone = false;
    out.wakes.push_back({waiter, track.id, WakeReason::timed_out});
}

void JobBook::leave(Waiter waiter, Time now, BookEffects& out) {
    const auto waits = waits_.find(waiter);
    if (waits == waits_.end()) return;
    ++counts_.clients_gone;
    Track& track = tracks_.at(waits->second);
    drop_waiter(track, waiter);
    if (!track.waiters.empty()) return;
    if (track.stage == Stage::submitting) {
        track.abandoned = track.abandoned || track.cancel_when_alone;
        return;
    }
    if (track.cancel_when_alone) {
        ++counts_.cancels;
        out.cancels.emplace_back(track.queue, track.id);
    }
    shelve(track, now);
}

void JobBook::touch(const Id128& id, Time now) {
    const auto found = tracks_.find(id);
    if (found == tracks_.end()) return;
    Track& track = found->second;
    if (track.stage == Stage::submitting) {
        track.abandoned = false;
        submit_deadlines_.erase({track.submit_by, id});
        track.submit_by = now + limits_.submit_wait;
        submit_deadlines_.emplace(track.submit_by, id);
    } else if (track.shelf_ != Track::Shelf::none) {
        shelve(track, now);
    }
}

void JobBook::abandon(const Id128& id) {
    const auto found = tracks_.find(id);
    if (found != tracks_.end() && found->second.stage == Stage::submitting) {
        found->second.abandoned = true;
    }
}

void JobBook::shelve(Track& track, Time now) {
    unshelve(track);
    const bool ended = track.stage == Stage::ended;
    std::list<Id128>& shelf = ended ? kept_ : loose_;
    track.shelf_ = ended ? Track::Shelf::kept : Track::Shelf::loose;
    track.place_ = shelf.insert(shelf.end(), track.id);
    track.shelved_ = now;
}

void JobBook::unshelve(Track& track) {
    if (track.shelf_ == Track::Shelf::kept) kept_.erase(track.place_);
    if (track.shelf_ == Track::Shelf::loose) loose_.erase(track.place_);
    track.shelf_ = Track::Shelf::none;
}

void JobBook::weigh(Track& track, std::uint64_t bytes) {
    kept_bytes_ += bytes - track.bytes_;
    track.bytes_ = bytes;
}

void JobBook::forget(const Id128& id, BookEffects& out) {
    Track& track = tracks_.at(id);
    unshelve(track);
    weigh(track, 0);
    if (track.kind != Kind::batch && track.stage != Stage::ended) {
        out.watches_ended.emplace_back(track.queue, track.pattern);
    }
    for (const Id128& member : track.members) {
        const Track& one = tracks_.at(member);
        out.watches_ended.emplace_back(one.queue, one.pattern);
        tracks_.erase(member);
    }
    tracks_.erase(id);
}

bool JobBook::forget_one(BookEffects& out) {
    if (kept_.empty() && loose_.empty()) return false;
    ++counts_.forgotten;
    forget(Id128(kept_.empty() ? loose_.front() : kept_.front()), out);
    return true;
}

void JobBook::expire(std::list<Id128>& shelf, Time now, BookEffects& out) {
    while (!shelf.empty() && tracks_.at(shelf.front()).shelved_ + limits_.keep_for <= now) {
        ++counts_.expired;
        forget(Id128(shelf.front()), out);
    }
}

void JobBook::tick(Time now, BookEffects& out) {
    while (!submit_deadlines_.empty() && submit_deadlines_.begin()->first <= now) {
        const Id128 id = submit_deadlines_.begin()->second;
        submit_deadlines_.erase(submit_deadlines_.begin());
        Track& track = tracks_.at(id);
        track.abandoned = true;
        ++counts_.no_room;
        while (!track.waiters.empty()) {
            const Waiter waiter = track.waiters.front().first;
            drop_waiter(track, waiter);
            out.wakes.push_back({waiter, id, WakeReason::no_room});
        }
    }
    while (!wait_deadlines_.empty() && wait_deadlines_.begin()->first <= now) {
        const Waiter waiter = wait_deadlines_.begin()->second;
        Track& track = tracks_.at(waits_.at(waiter));
        if (track.stage == Stage::submitting) {  // told when the broker has answered
            wait_deadlines_.erase(wait_deadlines_.begin());
            continue;
        }
        time_out(track, waiter, out);
        if (track.waiters.empty()) shelve(track, now);
    }
}

void JobBook::trim(Time now, BookEffects& out) {
    expire(kept_, now, out);
    expire(loose_, now, out);
    while (kept_bytes_ > limits_.kept_bytes_max && forget_one(out)) {
    }
}

Time JobBook::next_deadline() const {
    Time due = Time::max();
    if (!submit_deadlines_.empty()) due = std::min(due, submit_deadlines_.begin()->first);
    if (!wait_deadlines_.empty()) due = std::min(due, wait_deadlines_.begin()->first);
    for (const std::list<Id128>* shelf : {&kept_, &loose_}) {
        if (shelf->empty()) continue;
        due = std::min(due, tracks_.at(shelf->front()).shelved_ + limits_.keep_for);
    }
    return due;
}

std::vector<Wake> JobBook::waiting() const {
    std::vector<Wake> out;
    for (const auto& [waiter, id] : waits_) out.push_back({waiter, id, WakeReason::timed_out});
    return out;
}

}  // namespace scanmq::gateway
