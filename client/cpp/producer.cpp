#include "client/cpp/producer.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "client/cpp/client.hpp"
#include "client/cpp/client_impl.hpp"

namespace scanmq::client {

namespace {
// While full batches wait for credit, how many jobs are taken between two looks at the socket.
constexpr std::uint32_t kJobsPerLook = 64;
}  // namespace

Producer::Producer(Client& client, std::string_view queue, ProducerOptions options)
    : client_(client), queue_(queue), look_after_(std::min(kJobsPerLook, options.batch_items_max)) {
    const auto held = client_.impl().lock();
    id_ = client_.impl().core().add_producer(
        queue,
        {options.buffer_items_max, options.buffer_bytes_max, static_cast<bool>(options.on_answers)},
        {options.batch_items_max, options.batch_bytes_max, options.frames_ahead});
    client_.impl().attach_producer(id_, std::move(options.on_answers));
}

Producer::~Producer() {
    auto held = client_.impl().lock();
    client_.impl().detach_producer(held, id_);
    client_.impl().core().remove_producer(id_);
}

Result<Ticket> Producer::submit(const Job& job, Duration timeout) {
    Client::Impl& impl = client_.impl();
    std::optional<ContentId> content;
    if (job.payload.size() > impl.inline_bytes_max()) content = content_id(job.payload);
    const ContentId* as_blob = content ? &*content : nullptr;

    auto held = impl.lock();
    auto taken = impl.core().submit(id_, job, as_blob, impl.now(), impl.effects());
    const auto full = [&] { return !taken && taken.error().kind == ErrorKind::buffer_full; };
    if (full() && timeout > Duration::zero()) {
        const auto waited = impl.wait(held, impl.deadline(timeout), [&] {
            taken = impl.core().submit(id_, job, as_blob, impl.now(), impl.effects());
            return !full();
        });
        if (waited != Client::Impl::Waited::done && waited != Client::Impl::Waited::timed_out) {
            return fail(impl.why(waited, "submitting"));
        }
    }
    if (!taken) return taken;
    impl.commit();
    impl.wake();
    if (!impl.threaded() && ++since_look_ >= look_after_ && impl.core().batch_waits(id_)) {
        since_look_ = 0;
        impl.drive(held);
    }
    return taken;
}

void Producer::flush() {
    Client::Impl& impl = client_.impl();
    const auto held = impl.lock();
    impl.core().flush(id_, impl.now(), impl.effects());
    impl.commit();
}

Result<void> Producer::drain(Duration timeout) {
    Client::Impl& impl = client_.impl();
    auto held = impl.lock();
    const auto waited = impl.wait(held, impl.deadline(timeout), [&] {
        const ProducerStats& stats = impl.core().producer_stats(id_);
        return stats.waiting + stats.unanswered == 0;
    });
    if (waited == Client::Impl::Waited::done) return {};
    return fail(impl.why(waited, "draining"));
}

ProducerStats Producer::stats() const {
    const auto held = client_.impl().lock();
    return client_.impl().core().producer_stats(id_);
}

}  // namespace scanmq::client
