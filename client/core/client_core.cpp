#include "client/core/client_core.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::client {

using protocol::ErrorCode;

namespace {

constexpr std::uint32_t kPriorityMax = 9;

Error invalid(ErrorCode code, std::string sentence) {
    return {ErrorKind::invalid, code, std::move(sentence)};
}

const Error closed_error{ErrorKind::closed, ErrorCode::none, "the client was closed"};

// Why the job's options are outside their ranges.
std::optional<std::string> problem_of_options(const Job& job, const protocol::Limits& limits) {
    if (job.priority > kPriorityMax) {
        return "priority is " + std::to_string(job.priority) + "; it goes from 0 to 9";
    }
    if (job.delay < Duration{} || job.deadline < Duration{}) {
        return "delay and deadline must not be negative";
    }
    if (job.conflate_key.size() > limits.name_bytes_max) {
        return "conflate_key has at most name_bytes_max bytes; take a shorter one";
    }
    if (job.flow.size() > limits.name_bytes_max) {
        return "flow has at most name_bytes_max bytes; take a shorter one";
    }
    if (job.inputs.size() / ContentId::kSize + job.aliases.size() > limits.inputs_per_job_max) {
        return "inputs and aliases together are at most inputs_per_job_max";
    }
    for (const std::string& alias : job.aliases) {
        if (alias.empty() || alias.size() > limits.name_bytes_max) {
            return "an alias has 1 to name_bytes_max bytes";
        }
    }
    return std::nullopt;
}

std::size_t buffered_bytes(const Job& job, bool blob) {
    const auto options = options_of(job);
    return job.payload.size() + job.subject.size() + job.inputs.size() +
           (blob ? ContentId::kSize : 0) + encoded_bytes_max(options.get());
}

}  // namespace

ClientCore::ClientCore(const CoreOptions& options)
    : options_(options),
      outbox_(options.roles),
      session_(options.session, outbox_),
      requests_(options.requests_max, outbox_),
      blobs_(options.blob_chunks_ahead, options.blob_accepts, outbox_),
      ids_(options.seed) {}

ClientCore::~ClientCore() = default;

void ClientCore::start(Now now, Effects& effects) {
    outbox_.bind(effects);
    session_.start(now);
}

void ClientCore::set_writable(Socket socket, bool writable) noexcept {
    (socket == Socket::main ? main_writable_ : blob_writable_) = writable;
}

void ClientCore::close(Effects& effects) {
    if (closed_) return;
    closed_ = true;
    outbox_.bind(effects);
    requests_.fail_all(closed_error);
    blobs_.fail_all(closed_error);
    for (const auto& reader : readers_) {
        reader->stop();
        outbox_.notify(SubscriptionChanged{reader->id()});
    }
    session_.close();
    outbox_.notify(SessionChanged{});
}

std::size_t ClientCore::link_of(std::string_view queue, const BatchSettings& batches) {
    for (std::size_t i = 0; i < links_.size(); ++i) {
        if (links_[i]->queue() == queue) return i;
    }
    links_.push_back(std::make_unique<SubmitLink>(std::string(queue), batches, book_, outbox_));
    return links_.size() - 1;
}

std::uint32_t ClientCore::add_producer(std::string_view queue, const ProducerSettings& settings,
                                       const BatchSettings& batches) {
    return book_.add(settings, link_of(queue, batches));
}

void ClientCore::remove_producer(std::uint32_t producer) {
    book_.remove(producer);
    links_[book_.link(producer)]->drop_abandoned();
}

Result<void> ClientCore::check_rules(std::uint32_t producer, const Job& job) const {
    const protocol::Limits& limits = session_.limits();
    if (closed_) return fail(closed_error);
    if (!links_[book_.link(producer)]->valid_name()) {
        return fail(invalid(ErrorCode::bad_name,
                            "a queue's name is 1 to 64 of letters, digits, '_', '-', '.', ':'"));
    }
    if (!protocol::valid_subject(job.subject, limits)) {
        return fail(invalid(ErrorCode::bad_subject,
                            "a subject is tokens of printable characters other than '*', '>' and "
                            "blank, separated by dots"));
    }
    if (job.inputs.size() % ContentId::kSize != 0 ||
        job.inputs.size() / ContentId::kSize > limits.inputs_per_job_max) {
        return fail(invalid(ErrorCode::over_limit,
                            "inputs are content ids of 32 bytes, at most inputs_per_job_max"));
    }
    if (job.payload.size() > limits.blob_bytes_max) {
        return fail(
            invalid(ErrorCode::item_too_large, "the payload is larger than blob_bytes_max"));
    }
    if (auto problem = problem_of_options(job, limits)) {
        return fail(invalid(ErrorCode::bad_option, std::move(*problem)));
    }
    return {};
}

Result<void> ClientCore::check(std::uint32_t producer, const Job& job,
                               const ContentId* content) const {
    if (auto checked = check_rules(producer, job); !checked) return checked;
    if (!book_.room(producer, buffered_bytes(job, content != nullptr))) {
        return fail(Error{ErrorKind::buffer_full, ErrorCode::none,
                          "the producer's buffer is full: wait for answers"});
    }
    return {};
}

Result<Ticket> ClientCore::submit(std::uint32_t producer, const Job& job, const ContentId* content,
                                  Now now, Effects& effects) {
    if (auto checked = check(producer, job, content); !checked) {
        return fail(std::move(checked).error());
    }
    outbox_.bind(effects);
    return take(producer, job, content, false, now);
}

Result<Ticket> ClientCore::restore(std::uint32_t producer, const Job& job, const ContentId* content,
                                   Now now, Effects& effects) {
    if (auto checked = check_rules(producer, job); !checked) {
        return fail(std::move(checked).error());
    }
    outbox_.bind(effects);
    return take(producer, job, content, !job.id.is_zero(), now);
}

Ticket ClientCore::take(std::uint32_t producer, const Job& job, const ContentId* content,
                        bool sent_before, Now now) {
    SubmitLink& link = *links_[book_.link(producer)];
    StoredJob stored = link.store(job, content);
    stored.producer = producer;
    stored.sent_before = sent_before;
    stored.ticket = book_.take(producer, stored.buffered_bytes());
    if (content != nullptr) {
        put_payload(stored, book_.link(producer), now);
    } else {
        link.wait(stored, now);
    }
    return stored.ticket;
}

ProducerStats ClientCore::producer_stats(std::uint32_t producer) const {
    ProducerStats out = book_.stats(producer);
    out.held = links_[book_.link(producer)]->held();
    return out;
}

void ClientCore::put_payload(StoredJob job, std::size_t link, Now now) {
    ++job.puts;
    BlobPutJob put;
    put.request = ++last_transfer_;
    put.id = *ContentId::from_bytes(job.content());
    put.bytes = job.payload();
    put.type = protocol::BlobType::body;
    held_.emplace(put.request, Held{link, job});
    blobs_.put(std::move(put));
    if (session_.open()) blobs_.pump(blob_writable_, now);
}

// Takes the notices of puts that carried a job's payload out of the effects: the job goes on.
void ClientCore::collect_puts(std::size_t notices_from, Now now) {
    std::vector<Notice>& notices = outbox_.notices();
    for (std::size_t i = notices_from; i < notices.size();) {
        auto* done = std::get_if<PutDone>(&notices[i]);
        if (done != nullptr && !held_.contains(done->request)) --transfers_;
        if (std::holds_alternative<GetDone>(notices[i])) --transfers_;
        const auto held = done == nullptr ? held_.end() : held_.find(done->request);
        if (held == held_.end()) {
            ++i;
            continue;
        }
        SubmitLink& link = *links_[held->second.link];
        if (done->result.ok()) {
            link.wait(held->second.job, now);
        } else {
            link.refuse(held->second.job, done->result.error().code,
                        "its payload could not be put: " + done->result.error().sentence);
        }
        held_.erase(held);
        notices.erase(notices.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

void ClientCore::flush(std::uint32_t producer, Now now, Effects& effects) {
    outbox_.bind(effects);
    if (!session_.open() || !main_writable_) return;
    SubmitLink& link = *links_[book_.link(producer)];
    link.pump(session_.limits(), acked_seq(), ids_, now, true);
    pump(now);
}

Result<std::uint64_t> ClientCore::subscribe(const StreamOptions& options, Effects& effects) {
    if (closed_) return fail(closed_error);
    if (readers_.size() >= options_.subscriptions_max) {
        return fail(invalid(ErrorCode::over_limit, "this client has subscriptions_max already"));
    }
    if (options.durable_name.size() > session_.limits().name_bytes_max) {
        return fail(invalid(ErrorCode::bad_name,
                            "a durable name has at most name_bytes_max bytes; take a shorter one"));
    }
    for (const auto& reader : readers_) {
        if (!options.durable_name.empty() && reader->holds(options.queue, options.durable_name)) {
            return fail(invalid(ErrorCode::subscription_exists,
                                "this client reads " + options.queue + " as '" +
                                    options.durable_name + "' already; take another name"));
        }
    }
    outbox_.bind(effects);
    readers_.push_back(std::make_unique<StreamReader>(++last_subscription_, options, outbox_));
    if (session_.open()) readers_.back()->start();
    return last_subscription_;
}

void ClientCore::unsubscribe(std::uint64_t subscription, Effects& effects, bool known) {
    outbox_.bind(effects);
    const auto found = std::find_if(readers_.begin(), readers_.end(),
                                    [&](const auto& r) { return r->id() == subscription; });
    if (found == readers_.end()) return;
    if (!closed_ && !known) (*found)->stop();
    readers_.erase(found);
}

std::uint64_t ClientCore::forget(std::uint64_t subscription, Time deadline, Effects& effects) {
    StreamReader* found = reader(subscription);
    if (closed_ || found == nullptr) return 0;
    outbox_.bind(effects);
    // After its SUBSCRIBE, in this session and in later ones: RequestTable sees to that.
    return requests_.add(protocol::Unsubscribe{subscription, true}, deadline, session_.open());
}

StreamReader* ClientCore::reader(std::uint64_t subscription) const {
    for (const auto& reader : readers_) {
        if (reader->id() == subscription) return reader.get();
    }
    return nullptr;
}

void ClientCore::consumed(const EntriesArrived& entries, const StreamPosition& position,
                          Effects& effects) {
    outbox_.bind(effects);
    StreamReader* found = reader(entries.subscription);
    if (found != nullptr)
        found->consumed({entries.items, entries.bytes, 0, std::nullopt}, position);
}

void ClientCore::done_with(std::uint64_t subscription, const StreamPosition& position, Now now,
                           Effects& effects) {
    outbox_.bind(effects);
    StreamReader* found = reader(subscription);
    if (found != nullptr && !closed_) found->done_with(position, now.time);
}

Result<void> ClientCore::ack(std::uint64_t subscription, std::uint64_t next_offset, Now now,
                             Effects& effects) {
    if (closed_) return fail(closed_error);
    outbox_.bind(effects);
    StreamReader* found = reader(subscription);
    if (found == nullptr || !found->durable()) {
        return fail(invalid(ErrorCode::unknown_subscription,
                            "only a durable subscription is acknowledged: give it a name"));
    }
    const StreamPosition& handed_out = found->info().position;
    if (next_offset > handed_out.next_offset) {
        return fail(invalid(ErrorCode::bad_offset, "offset " + std::to_string(next_offset) +
                                                       " lies beyond what was handed out, " +
                                                       std::to_string(handed_out.next_offset)));
    }
    found->ack({handed_out.incarnation, next_offset}, now.time);
    return {};
}

const SubscriptionInfo* ClientCore::subscription(std::uint64_t subscription) const {
    const StreamReader* found = reader(subscription);
    return found == nullptr ? nullptr : &found->info();
}

std::uint64_t ClientCore::request(protocol::Message message, Time deadline, Effects& effects) {
    if (closed_) return 0;
    outbox_.bind(effects);
    return requests_.add(std::move(message), deadline, session_.open());
}

std::uint64_t ClientCore::put_blob(const BlobPutJob& put, Now now, Effects& effects) {
    if (closed_ || transfers_ >= options_.requests_max) return 0;
    outbox_.bind(effects);
    ++transfers_;
    BlobPutJob numbered = put;
    numbered.request = ++last_transfer_;
    blobs_.put(std::move(numbered));
    pump(now);
    return last_transfer_;
}

std::uint64_t ClientCore::get_blob(const ContentId& id, Time deadline, Now now, Effects& effects) {
    if (closed_ || transfers_ >= options_.requests_max) return 0;
    outbox_.bind(effects);
    ++transfers_;
    blobs_.get(++last_transfer_, id, deadline);
    pump(now);
    return last_transfer_;
}

void ClientCore::ping(Effects& effects) {
    outbox_.bind(effects);
    if (session_.open()) session_.ping();
}

void ClientCore::forget_blob(std::uint64_t request) {
    if (blobs_.forget(request)) --transfers_;
}

CoreStats ClientCore::stats() const {
    CoreStats out = stats_;
    for (const auto& link : links_) {
        out.resubmitted += link->resubmitted();
        out.holds += link->holds();
    }
    return out;
}

const SubmitLink* ClientCore::link(std::string_view queue) const {
    for (const auto& link : links_) {
        if (link->queue() == queue) return link.get();
    }
    return nullptr;
}

}  // namespace scanmq::client
