// Client::Impl's half that hands notices to blocking calls and callbacks.

#include <utility>

#include "client/cpp/client_impl.hpp"
#include "common/base/scheduling.hpp"
#include "common/compress/zstd.hpp"

namespace scanmq::client {

namespace {

std::uint64_t producer_key(std::uint32_t id) { return std::uint64_t{id} * 2 + 1; }
std::uint64_t reader_key(std::uint64_t id) { return id * 2; }

}  // namespace

void Client::Impl::collect(Inbox* inbox) {
    for (Notice& notice : effects_.notices) collect(notice, inbox);
    effects_.notices.clear();
}

void Client::Impl::collect(Notice& notice, Inbox* inbox) {
    if (const auto* answered = std::get_if<JobsAnswered>(&notice)) {
        if (producers_.contains(answered->producer)) {
            calls_.push_back({std::move(notice), nullptr});
        } else {
            keep_answers(*answered);
        }
    } else if (const auto* arrived = std::get_if<EntriesArrived>(&notice)) {
        Reader* to = reader(arrived->subscription);
        if (to == nullptr || inbox == nullptr) return;
        std::unique_ptr<Incoming> frame = std::move(inbox->incoming[arrived->event]);
        if (to->on_batch) {
            calls_.push_back({std::move(notice), std::move(frame)});
        } else {
            // Frames that only tell progress do not pile up.
            if (!to->queue.empty() && tells_progress_only(to->queue.back())) to->queue.pop_back();
            to->queue.push_back({*arrived, std::move(frame)});
        }
    } else if (const auto* changed = std::get_if<SubscriptionChanged>(&notice)) {
        const Reader* to = reader(changed->subscription);
        if (to != nullptr && to->on_change) calls_.push_back({std::move(notice), nullptr});
    } else if (auto* request = std::get_if<RequestDone>(&notice)) {
        const auto waiter = requests_.find(request->request);
        if (waiter != requests_.end()) waiter->second->emplace(std::move(*request));
    } else if (auto* put = std::get_if<PutDone>(&notice)) {
        const auto waiter = puts_.find(put->request);
        if (waiter != puts_.end()) waiter->second->emplace(std::move(put->result));
    } else if (auto* got = std::get_if<GetDone>(&notice)) {
        const auto waiter = gets_.find(got->request);
        if (waiter != gets_.end()) waiter->second->emplace(std::move(got->result));
    } else {
        inline_bytes_max_ = core_.limits().inline_bytes_max;
    }
}

void Client::Impl::dispatch(Lock& lock) {
    dispatching_ = true;
    while (!calls_.empty()) {
        Call next = std::move(calls_.front());
        calls_.pop_front();
        call(lock, next);
        calling_ = 0;
        if (threaded()) changed_.notify_all();
    }
    dispatching_ = false;
}

void Client::Impl::call(Lock& lock, Call& next) {
    if (const auto* answered = std::get_if<JobsAnswered>(&next.notice)) {
        const auto found = producers_.find(answered->producer);
        if (found == producers_.end()) return;
        const auto callback = found->second;
        calling_ = producer_key(answered->producer);
        lock.unlock();
        (*callback)(answered->answers);
        lock.lock();
        keep_answers(*answered);  // a crash before tells them again
    } else if (const auto* arrived = std::get_if<EntriesArrived>(&next.notice)) {
        const auto found = readers_.find(arrived->subscription);
        if (found == readers_.end()) return;
        const auto to = found->second;
        const EntryBatch batch = batch_of(*arrived, *next.frame);
        calling_ = reader_key(arrived->subscription);
        if (!batch.entries.empty() || batch.gap) {
            lock.unlock();
            to->on_batch(batch);
            lock.lock();
        }
        if (closed_) return;
        core_.consumed(*arrived, batch.position, effects_);
        core_.done_with(arrived->subscription, batch.position, now(), effects_);
        perform();
    } else if (const auto* changed = std::get_if<SubscriptionChanged>(&next.notice)) {
        const auto found = readers_.find(changed->subscription);
        const SubscriptionInfo* now_is = core_.subscription(changed->subscription);
        if (found == readers_.end() || now_is == nullptr) return;
        const auto to = found->second;
        const SubscriptionInfo info = *now_is;
        calling_ = reader_key(changed->subscription);
        lock.unlock();
        to->on_change(info);
        lock.lock();
    }
}

EntryBatch Client::Impl::batch_of(const EntriesArrived& arrived, const Incoming& frame) {
    const auto& results = std::get<protocol::Results>(frame.frame.message);
    return {std::span(results.entries).subspan(arrived.skipped),
            arrived.gap,
            {arrived.incarnation, results.next_offset}};
}

bool Client::Impl::tells_progress_only(const Entries& entries) {
    const EntryBatch batch = batch_of(entries.arrived, *entries.frame);
    return batch.entries.empty() && !batch.gap;
}

void Client::Impl::settle(std::uint64_t id, Reader& reader) {
    if (!reader.handed) return;
    if (!closed_) core_.done_with(id, *reader.handed, now(), effects_);
    reader.handed.reset();
    wake_for_deadline();
}

void Client::Impl::keep_answers(const JobsAnswered& answered) {
    const auto found = journals_.find(answered.producer);
    if (found == journals_.end()) return;
    std::vector<Ticket> tickets;
    tickets.reserve(answered.answers.size());
    for (const JobAnswer& answer : answered.answers) tickets.push_back(answer.ticket);
    found->second->answer(tickets);
}

void Client::Impl::skip_progress(std::uint64_t id, Reader& reader) {
    while (!reader.queue.empty() && tells_progress_only(reader.queue.front())) {
        const Entries& first = reader.queue.front();
        if (!closed_) {
            const StreamPosition position = batch_of(first.arrived, *first.frame).position;
            core_.consumed(first.arrived, position, effects_);
            core_.done_with(id, position, now(), effects_);
        }
        reader.queue.pop_front();
    }
}

void Client::Impl::attach_producer(std::uint32_t id, AnswerCallback on_answers,
                                   JournalFile* journal) {
    if (journal != nullptr) journals_[id] = journal;
    if (on_answers) producers_[id] = std::make_shared<AnswerCallback>(std::move(on_answers));
}

void Client::Impl::detach_producer(Lock& lock, std::uint32_t id) {
    producers_.erase(id);
    std::erase_if(calls_, [id](const Call& call) {
        const auto* answered = std::get_if<JobsAnswered>(&call.notice);
        return answered != nullptr && answered->producer == id;
    });
    if (!on_driver()) changed_.wait(lock, [&] { return calling_ != producer_key(id); });
    journals_.erase(id);
}

void Client::Impl::attach_reader(std::uint64_t id, SubscriberOptions& options) {
    auto reader = std::make_shared<Reader>();
    reader->on_batch = std::move(options.on_batch);
    reader->on_change = std::move(options.on_change);
    readers_.emplace(id, std::move(reader));
}

void Client::Impl::detach_reader(Lock& lock, std::uint64_t id) {
    readers_.erase(id);
    if (!on_driver()) changed_.wait(lock, [&] { return calling_ != reader_key(id); });
}

Client::Impl::Reader* Client::Impl::reader(std::uint64_t id) {
    const auto found = readers_.find(id);
    return found == readers_.end() ? nullptr : found->second.get();
}

Result<protocol::Message> Client::Impl::request(protocol::Message message, Duration timeout,
                                                bool* repeated) {
    Lock held(mutex_);
    if (closed_) return fail(why(Waited::closed, {}));
    const Time until = deadline(timeout);
    const std::uint64_t id = core_.request(std::move(message), until, effects_);
    if (id == 0) return fail(too_many());
    std::optional<RequestDone> done;
    requests_.emplace(id, &done);
    commit();
    const Waited waited = wait(held, until, [&] { return done.has_value(); });
    requests_.erase(id);
    if (!done) return fail(why(waited, "the request"));
    if (!done->reply && done->reply.error().kind == ErrorKind::timed_out) {
        return fail(why(Waited::timed_out, "the request"));
    }
    if (repeated != nullptr) *repeated = done->repeated;
    return std::move(done->reply);
}

Result<void> Client::Impl::forget(const StreamOptions& options, Duration timeout) {
    Lock held(mutex_);
    if (closed_) return fail(why(Waited::closed, {}));
    const Time until = deadline(timeout);
    const auto subscribed = core_.subscribe(options, effects_);
    if (!subscribed) return fail(Error(subscribed.error()));
    const std::uint64_t id = core_.forget(*subscribed, until, effects_);
    if (id == 0) {
        core_.unsubscribe(*subscribed, effects_);
        commit();
        return fail(too_many());
    }
    std::optional<RequestDone> done;
    requests_.emplace(id, &done);
    commit();
    const Waited waited = wait(held, until, [&] { return done.has_value(); });
    requests_.erase(id);
    const SubscriptionInfo info = closed_ ? SubscriptionInfo{} : *core_.subscription(*subscribed);
    if (!closed_) core_.unsubscribe(*subscribed, effects_, done && done->reply);
    commit();
    if (info.state == SubscriptionState::failed) {
        return fail(Error{ErrorKind::refused, info.code, info.sentence});
    }
    if (!done || (!done->reply && done->reply.error().kind == ErrorKind::timed_out)) {
        return fail(why(waited, "forgetting the subscription"));
    }
    if (!done->reply) return fail(Error(done->reply.error()));
    return {};
}

Result<std::vector<ContentId>> Client::Impl::put_blobs(std::span<const BlobToPut> blobs,
                                                       Duration timeout) {
    std::vector<BlobPutJob> jobs;
    std::vector<std::optional<std::string>> frames;
    frames.reserve(blobs.size());  // the jobs point into them
    for (const BlobToPut& blob : blobs) {
        jobs.push_back(
            {0, content_id(blob.bytes), blob.bytes, blob.type, std::string(blob.label), {}});
        jobs.back().zstd = blob.zstd;
        give_way();
        if (!blob.zstd.empty()) continue;
        frames.push_back(compress::zstd_if_it_pays(blob.bytes));
        if (frames.back()) jobs.back().zstd = *frames.back();
        give_way();
    }
    Lock held(mutex_);
    if (closed_) return fail(why(Waited::closed, {}));
    for (const BlobToPut& blob : blobs) {
        if (!blob.bytes.empty() && blob.bytes.size() <= core_.limits().blob_bytes_max) continue;
        return fail(Error{ErrorKind::invalid, protocol::ErrorCode::over_limit,
                          "a blob has 1 to blob_bytes_max bytes"});
    }
    const Time until = deadline(timeout);
    std::vector<std::optional<Result<ContentId>>> done(jobs.size());
    std::vector<std::uint64_t> requests;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        jobs[i].deadline = until;
        requests.push_back(core_.put_blob(jobs[i], now(), effects_));
        if (requests.back() == 0) {
            done[i] = Result<ContentId>(fail(too_many()));
        } else {
            puts_.emplace(requests.back(), &done[i]);
        }
    }
    commit();
    const Waited waited = wait(held, until, [&] {
        return std::all_of(done.begin(), done.end(),
                           [](const auto& one) { return one.has_value(); });
    });
    // The bytes are the caller's: nothing of them is under way any more.
    std::vector<ContentId> ids;
    std::optional<Error> error;
    for (std::size_t i = 0; i < done.size(); ++i) {
        puts_.erase(requests[i]);
        if (!done[i]) core_.forget_blob(requests[i]);
        if (done[i] && *done[i]) {
            ids.push_back(**done[i]);
        } else if (!error) {
            error = done[i] ? Error(done[i]->error()) : why(waited, "putting the blob");
        }
    }
    if (error) return fail(std::move(*error));
    return ids;
}

Result<Blob> Client::Impl::decoded(Blob blob, const ContentId& id) {
    if (blob.encoding == protocol::BlobEncoding::raw) return blob;
    auto raw = compress::unzstd(blob.bytes, blob.size);
    if (!raw || content_id(*raw) != id) {
        return fail(Error{ErrorKind::refused, protocol::ErrorCode::blob_mismatch,
                          "the bytes received do not hash to the id"});
    }
    blob.bytes = std::move(*raw);
    blob.encoding = protocol::BlobEncoding::raw;
    return blob;
}

Result<Blob> Client::Impl::get_blob(const ContentId& blob, Duration timeout) {
    Lock held(mutex_);
    if (closed_) return fail(why(Waited::closed, {}));
    const Time until = deadline(timeout);
    const std::uint64_t id = core_.get_blob(blob, until, now(), effects_);
    if (id == 0) return fail(too_many());
    std::optional<Result<BlobFetched>> done;
    gets_.emplace(id, &done);
    commit();
    const Waited waited = wait(held, until, [&] { return done.has_value(); });
    gets_.erase(id);
    if (done) {
        held.unlock();  // decoding takes its time
        return *done ? decoded(std::move(**done), blob) : std::move(*done);
    }
    core_.forget_blob(id);
    return fail(why(waited, "fetching the blob"));
}

Error Client::Impl::too_many() {
    return {ErrorKind::invalid, protocol::ErrorCode::over_limit,
            "requests_max requests are under way: wait for some"};
}

}  // namespace scanmq::client
