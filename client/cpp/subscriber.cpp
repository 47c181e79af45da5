#include "client/cpp/subscriber.hpp"

#include <utility>

#include "client/cpp/client.hpp"
#include "client/cpp/client_impl.hpp"

namespace scanmq::client {

struct Subscriber::Received::Frame {
    std::unique_ptr<Incoming> incoming;
};

Subscriber::Received::Received() = default;
Subscriber::Received::~Received() = default;
Subscriber::Received::Received(Received&&) noexcept = default;
Subscriber::Received& Subscriber::Received::operator=(Received&&) noexcept = default;

Subscriber::Subscriber(Client& client, SubscriberOptions options) : client_(client) {
    Client::Impl& impl = client_.impl();
    const auto held = impl.lock();
    auto id = impl.core().subscribe(options, impl.effects());
    if (!id) {
        refused_ = std::move(id).error();
        return;
    }
    id_ = *id;
    impl.attach_reader(id_, options);
    impl.commit();
}

Subscriber::~Subscriber() {
    Client::Impl& impl = client_.impl();
    auto held = impl.lock();
    if (id_ == 0) return;
    if (Client::Impl::Reader* reader = impl.reader(id_)) impl.settle(id_, *reader);
    impl.detach_reader(held, id_);
    impl.core().unsubscribe(id_, impl.effects());
    impl.commit();
}

SubscriptionInfo Subscriber::info_locked() const {
    const SubscriptionInfo* info = client_.impl().core().subscription(id_);
    if (info != nullptr) return *info;
    SubscriptionInfo out;
    out.state =
        refused_.kind == ErrorKind::closed ? SubscriptionState::closed : SubscriptionState::failed;
    out.code = refused_.code;
    out.sentence = refused_.sentence;
    return out;
}

SubscriptionInfo Subscriber::info() const {
    const auto held = client_.impl().lock();
    return info_locked();
}

Result<void> Subscriber::ack(std::uint64_t next_offset) {
    Client::Impl& impl = client_.impl();
    const auto held = impl.lock();
    auto acked = impl.core().ack(id_, next_offset, impl.now(), impl.effects());
    impl.commit();
    impl.wake_for_deadline();
    return acked;
}

namespace {
bool ended(const SubscriptionInfo& info) {
    return info.state == SubscriptionState::failed || info.state == SubscriptionState::closed;
}

Error failure(const SubscriptionInfo& info) {
    if (info.state == SubscriptionState::closed) {
        return {ErrorKind::closed, protocol::ErrorCode::none, "the client was closed"};
    }
    return {ErrorKind::refused, info.code, info.sentence};
}
}  // namespace

Result<void> Subscriber::wait_active(Duration timeout) {
    Client::Impl& impl = client_.impl();
    auto held = impl.lock();
    SubscriptionInfo info;
    const auto waited = impl.wait(held, impl.deadline(timeout), [&] {
        info = info_locked();
        return info.state == SubscriptionState::active || ended(info);
    });
    if (waited != Client::Impl::Waited::done) return fail(impl.why(waited, "subscribing"));
    if (ended(info)) return fail(failure(info));
    return {};
}

Result<std::optional<Subscriber::Received>> Subscriber::receive(Duration timeout) {
    using Waited = Client::Impl::Waited;
    Client::Impl& impl = client_.impl();
    auto held = impl.lock();
    const auto state = [&] { return info_locked(); };
    Client::Impl::Reader* reader = impl.reader(id_);
    if (reader == nullptr) return fail(failure(state()));
    impl.settle(id_, *reader);
    impl.commit();
    const Waited waited = impl.wait(held, impl.deadline(timeout), [&] {
        impl.skip_progress(id_, *reader);
        const SubscriptionInfo* info = impl.core().subscription(id_);
        return !reader->queue.empty() || info == nullptr || ended(*info);
    });
    if (!reader->queue.empty()) {
        Received out;
        Client::Impl::Entries entries = std::move(reader->queue.front());
        reader->queue.pop_front();
        out.batch_ = Client::Impl::batch_of(entries.arrived, *entries.frame);
        out.frame_ = std::make_unique<Received::Frame>(Received::Frame{std::move(entries.frame)});
        if (!impl.closed()) {
            reader->handed = out.batch_.position;
            impl.core().consumed(entries.arrived, out.batch_.position, impl.effects());
            impl.commit();
        }
        return std::optional<Received>(std::move(out));
    }
    if (waited == Waited::timed_out) return std::optional<Received>();
    if (waited == Waited::done) return fail(failure(state()));
    return fail(impl.why(waited, "receiving"));
}

}  // namespace scanmq::client
