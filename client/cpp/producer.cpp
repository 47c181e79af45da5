#include "client/cpp/producer.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "client/cpp/client.hpp"
#include "client/cpp/client_impl.hpp"

namespace scanmq::client {

namespace {
// What a job takes in a journal beside its payload and inputs, about.
constexpr std::uint64_t kJobOverhead = 512;
// While full batches wait for credit, how many jobs are taken between two looks at the socket.
constexpr std::uint32_t kJobsPerLook = 64;
}  // namespace

Producer::Producer(Client& client, std::string_view queue, ProducerOptions options)
    : client_(client), queue_(queue), look_after_(std::min(kJobsPerLook, options.batch_items_max)) {
    if (!options.journal.empty()) {
        const std::uint64_t bytes_max =
            2 * options.buffer_bytes_max + std::uint64_t{options.buffer_items_max} * kJobOverhead;
        auto opened = JournalFile::open({options.journal, queue_, options.journal_sync, bytes_max});
        if (opened) {
            journal_ = std::move(opened).value();
        } else {
            refused_ = std::move(opened).error();
        }
    }
    Client::Impl& impl = client_.impl();
    const auto held = impl.lock();
    ProducerSettings settings;
    settings.buffer_items_max = options.buffer_items_max;
    settings.buffer_bytes_max = options.buffer_bytes_max;
    settings.wants_answers = options.on_answers || journal_;
    settings.journaled = journal_ != nullptr;
    id_ = impl.core().add_producer(
        queue, settings, {options.batch_items_max, options.batch_bytes_max, options.frames_ahead});
    impl.attach_producer(id_, std::move(options.on_answers), journal_.get());
    if (!journal_) return;
    if (auto restored = restore(); !restored) refused_ = std::move(restored).error();
    impl.commit();
    impl.wake();
}

Result<std::unique_ptr<Producer>> Producer::open(Client& client, std::string_view queue,
                                                 ProducerOptions options) {
    auto out = std::make_unique<Producer>(client, queue, std::move(options));
    if (out->refused_) return fail(Error(*out->refused_));
    return out;
}

Result<void> Producer::restore() {
    Client::Impl& impl = client_.impl();
    return journal_->restore([&](const Job& job) {
        std::optional<ContentId> content;
        if (job.payload.size() > impl.inline_bytes_max()) content = content_id(job.payload);
        return impl.core().restore(id_, job, content ? &*content : nullptr, impl.now(),
                                   impl.effects());
    });
}

Producer::~Producer() {
    auto held = client_.impl().lock();
    client_.impl().detach_producer(held, id_);
    client_.impl().core().remove_producer(id_);
}

Result<Ticket> Producer::submit_locked(const Job& job, const ContentId* content) {
    if (refused_) return fail(Error(*refused_));
    Client::Impl& impl = client_.impl();
    if (journal_) {
        if (auto checked = impl.core().check(id_, job, content); !checked) {
            return fail(std::move(checked).error());
        }
        const Ticket ticket = impl.core().next_ticket(id_);
        if (auto kept = journal_->append(ticket, job); !kept) {
            return fail(std::move(kept).error());
        }
    }
    return impl.core().submit(id_, job, content, impl.now(), impl.effects());
}

JournalInfo Producer::journal() const {
    const auto held = client_.impl().lock();
    return journal_ ? journal_->info() : JournalInfo{};
}

Result<Ticket> Producer::submit(const Job& job, Duration timeout) {
    Client::Impl& impl = client_.impl();
    std::optional<ContentId> content;
    if (job.payload.size() > impl.inline_bytes_max()) content = content_id(job.payload);
    const ContentId* as_blob = content ? &*content : nullptr;

    auto held = impl.lock();
    auto taken = submit_locked(job, as_blob);
    const auto full = [&] { return !taken && taken.error().kind == ErrorKind::buffer_full; };
    if (full() && timeout > Duration::zero()) {
        const auto waited = impl.wait(held, impl.deadline(timeout), [&] {
            taken = submit_locked(job, as_blob);
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
        const ProducerStats stats = impl.core().producer_stats(id_);
        return stats.waiting + stats.unanswered == 0;
    });
    if (waited == Client::Impl::Waited::done) return {};
    Error error = impl.why(waited, "draining");
    const protocol::ErrorCode held_by = impl.core().producer_stats(id_).held;
    if (error.kind == ErrorKind::timed_out && held_by == protocol::ErrorCode::store_full) {
        error.code = held_by;
        error.sentence += "; the broker's store has no room for more jobs: free space there";
    }
    return fail(std::move(error));
}

ProducerStats Producer::stats() const {
    const auto held = client_.impl().lock();
    return client_.impl().core().producer_stats(id_);
}

}  // namespace scanmq::client
