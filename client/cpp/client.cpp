#include "client/cpp/client.hpp"

#include <algorithm>
#include <utility>

#include "client/cpp/client_impl.hpp"

namespace scanmq::client {

using protocol::ErrorCode;

namespace {

Result<void> only_ok(Result<protocol::Message> reply) {
    if (!reply) return fail(std::move(reply).error());
    return {};
}

Result<protocol::GroupState> group_state(Result<protocol::Message> reply) {
    if (!reply) return fail(std::move(reply).error());
    if (auto* state = std::get_if<protocol::GroupState>(&*reply)) return std::move(*state);
    return fail(Error{ErrorKind::refused, ErrorCode::none, "the answer is not a group's state"});
}

Error unexpected(std::string_view wanted) {
    return {ErrorKind::refused, ErrorCode::none,
            "the broker's answer is not " + std::string(wanted) + "; is it of another version?"};
}

}  // namespace

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() { impl_->close(); }

Result<std::unique_ptr<Client>> Client::open(const ClientOptions& options) {
    if (options.brokers.empty()) {
        return fail(Error{ErrorKind::invalid, ErrorCode::none, "no broker was named"});
    }
    if (options.name.size() > protocol::kLimits.name_bytes_max) {
        return fail(
            Error{ErrorKind::invalid, ErrorCode::bad_name, "the client's name is too long"});
    }
    auto impl = std::make_unique<Impl>(options);
    if (auto problem = impl->start()) {
        return fail(Error{ErrorKind::transport, ErrorCode::none, std::move(*problem)});
    }
    return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Result<void> Client::wait_open(Duration timeout) {
    auto held = impl_->lock();
    const auto waited =
        impl_->wait(held, impl_->deadline(timeout), [&] { return impl_->core().session().open; });
    if (waited == Impl::Waited::done) return {};
    return fail(impl_->why(waited, "opening a session"));
}

SessionInfo Client::session() const {
    const auto held = impl_->lock();
    return impl_->core().session();
}

ClientStats Client::stats() const {
    const auto held = impl_->lock();
    return impl_->stats();
}

protocol::Limits Client::limits() const {
    const auto held = impl_->lock();
    return impl_->core().limits();
}

std::size_t Client::poll(Duration timeout) { return impl_->poll(timeout); }
void Client::interrupt() noexcept { impl_->interrupt(); }
void Client::close() { impl_->close(); }

Id128 Client::new_id() {
    const auto held = impl_->lock();
    return impl_->core().new_id(impl_->now());
}

Result<void> Client::create_queue(std::string_view queue, const protocol::Settings& settings,
                                  Duration timeout) {
    return only_ok(impl_->request(protocol::QueueCreate{std::string(queue), settings}, timeout));
}

Result<void> Client::alter_queue(std::string_view queue, const protocol::Settings& settings,
                                 Duration timeout) {
    return only_ok(impl_->request(protocol::QueueAlter{std::string(queue), settings}, timeout));
}

Result<void> Client::delete_queue(std::string_view queue, bool force, Duration timeout) {
    return only_ok(impl_->request(protocol::QueueDelete{std::string(queue), force}, timeout));
}

Result<void> Client::set_flow(std::string_view queue, std::string_view flow,
                              const protocol::Settings& limits, Duration timeout) {
    return only_ok(
        impl_->request(protocol::FlowSet{std::string(queue), std::string(flow), limits}, timeout));
}

Result<void> Client::set_queue_version(std::string_view queue, std::string_view scanner_version,
                                       Duration timeout) {
    return only_ok(impl_->request(
        protocol::QueueVersion{std::string(queue), std::string(scanner_version)}, timeout));
}

Result<void> Client::control_queue(std::string_view queue, protocol::QueueAction action,
                                   Duration timeout) {
    return only_ok(impl_->request(protocol::QueueControl{std::string(queue), action}, timeout));
}

Result<CancelAnswer> Client::cancel(std::string_view queue, std::span<const Id128> jobs,
                                    Duration timeout) {
    CancelAnswer out;
    const std::size_t frame = limits().items_per_frame_max;
    while (!jobs.empty()) {
        const auto some = jobs.first(std::min(jobs.size(), frame));
        jobs = jobs.subspan(some.size());
        bool repeated = false;
        auto reply = impl_->request(
            protocol::Cancel{std::string(queue), {some.begin(), some.end()}}, timeout, &repeated);
        if (!reply) return fail(std::move(reply).error());
        const auto* cancelled = std::get_if<protocol::Cancelled>(&*reply);
        if (cancelled == nullptr || cancelled->states.size() != some.size()) {
            return fail(unexpected("a state for each job"));
        }
        out.states.insert(out.states.end(), cancelled->states.begin(), cancelled->states.end());
        out.repeated = out.repeated || repeated;
    }
    return out;
}

Result<DeadAnswer> Client::dead_letters(std::string_view queue, protocol::DeadAction action,
                                        std::span<const Id128> jobs, Duration timeout) {
    if (jobs.size() > limits().items_per_frame_max) {
        return fail(Error{ErrorKind::invalid, ErrorCode::over_limit,
                          "one request names at most items_per_frame_max dead letters"});
    }
    DeadAnswer out;
    auto reply = impl_->request(
        protocol::DeadLetters{std::string(queue), action, {jobs.begin(), jobs.end()}}, timeout,
        &out.repeated);
    if (!reply) return fail(std::move(reply).error());
    auto* done = std::get_if<protocol::DeadDone>(&*reply);
    if (done == nullptr) return fail(unexpected("dead letters"));
    out.jobs = std::move(done->jobs);
    return out;
}

Result<void> Client::set_alias(std::string_view alias, const ContentId& id, Duration timeout) {
    return only_ok(impl_->request(protocol::AliasSet{std::string(alias), id}, timeout));
}

Result<protocol::BackupDone> Client::backup(std::string_view name, Duration timeout) {
    auto reply = impl_->request(protocol::Backup{std::string(name)}, timeout);
    if (!reply) return fail(std::move(reply).error());
    if (auto* done = std::get_if<protocol::BackupDone>(&*reply)) return std::move(*done);
    return fail(unexpected("where the backup is"));
}

Result<std::vector<protocol::CacheValues::One>> Client::cache_get(std::string_view queue,
                                                                  std::span<const ContentId> keys,
                                                                  Duration timeout) {
    auto reply =
        impl_->request(protocol::CacheGet{std::string(queue), {keys.begin(), keys.end()}}, timeout);
    if (!reply) return fail(std::move(reply).error());
    if (auto* values = std::get_if<protocol::CacheValues>(&*reply)) {
        return std::move(values->values);
    }
    return fail(unexpected("results"));
}

Result<protocol::CacheDropped> Client::cache_drop(std::string_view queue,
                                                  std::span<const ContentId> keys,
                                                  Duration timeout) {
    auto reply = impl_->request(protocol::CacheDrop{std::string(queue), {keys.begin(), keys.end()}},
                                timeout);
    if (!reply) return fail(std::move(reply).error());
    if (const auto* dropped = std::get_if<protocol::CacheDropped>(&*reply)) return *dropped;
    return fail(unexpected("how many were dropped"));
}

Result<void> Client::forget_subscription(std::string_view queue, std::string_view durable_name,
                                         Duration timeout) {
    if (durable_name.empty()) {
        return fail(Error{ErrorKind::invalid, ErrorCode::bad_name,
                          "a durable subscription has a name: say which"});
    }
    StreamOptions options;
    options.queue = queue;
    options.durable_name = durable_name;
    options.auto_ack = false;
    options.on_reset = ResetPolicy::latest;
    options.credit_items = 1;
    return impl_->forget(options, timeout);
}

Result<std::vector<protocol::Row>> Client::query(std::string_view topic, std::string_view key,
                                                 Duration timeout) {
    auto reply = impl_->request(protocol::Query{std::string(topic), std::string(key)}, timeout);
    if (!reply) return fail(std::move(reply).error());
    if (auto* answer = std::get_if<protocol::Answer>(&*reply)) return std::move(answer->rows);
    return fail(Error{ErrorKind::refused, ErrorCode::none, "the answer holds no rows"});
}

Result<Id128> Client::open_group(std::string_view queue, Duration timeout) {
    const Id128 group = new_id();
    auto state =
        group_state(impl_->request(protocol::GroupOpen{std::string(queue), group}, timeout));
    if (!state) return fail(std::move(state).error());
    return group;
}

Result<protocol::GroupState> Client::seal_group(std::string_view queue, const Id128& group,
                                                std::uint64_t count, Duration timeout) {
    return group_state(
        impl_->request(protocol::GroupSeal{std::string(queue), group, count}, timeout));
}

Result<protocol::GroupState> Client::query_group(std::string_view queue, const Id128& group,
                                                 Duration timeout) {
    return group_state(impl_->request(protocol::GroupQuery{std::string(queue), group}, timeout));
}

Result<ContentId> Client::put_blob(ByteView bytes, protocol::BlobType type, std::string_view label,
                                   Duration timeout) {
    const BlobToPut one[] = {{bytes, type, label}};
    auto ids = impl_->put_blobs(one, timeout);
    if (!ids) return fail(std::move(ids).error());
    return ids->front();
}

Result<std::vector<ContentId>> Client::put_blobs(std::span<const BlobToPut> blobs,
                                                 Duration timeout) {
    return impl_->put_blobs(blobs, timeout);
}

Result<Blob> Client::get_blob(const ContentId& id, Duration timeout) {
    return impl_->get_blob(id, timeout);
}

Result<std::string> Client::fetch_body(const protocol::Body& body, Duration timeout) {
    if (!body.is_blob()) return std::string(body.bytes);
    const auto id = ContentId::from_bytes(body.bytes);
    if (!id) {
        return fail(Error{ErrorKind::invalid, ErrorCode::malformed, "the body names no blob"});
    }
    auto blob = get_blob(*id, timeout);
    if (!blob) return fail(std::move(blob).error());
    return std::move(blob->bytes);
}

}  // namespace scanmq::client
