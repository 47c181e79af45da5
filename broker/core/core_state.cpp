#include "broker/core/core_state.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::broker {

using protocol::ErrorCode;

Queue::Queue(std::uint16_t n, std::string text, const QueueSettings& values,
             const BrokerOptions& options, const JobTable& table, const Id128& incarnation)
    : number(n),
      name(std::move(text)),
      credit({{options.submit_window_items, options.submit_window_bytes},
              options.reclaim_idle,
              protocol::kLimits.item_overhead_bytes}),
      ids({options.id_window_jobs, options.id_window_ttl}, table),
      groups({options.groups_per_queue_max, options.group_ttl, options.id_window_ttl}),
      stream(incarnation) {
    apply(values);
}

void Queue::apply(const QueueSettings& values) {
    settings = values;
    credit.set_room({values.max_jobs, values.max_bytes});
}

CoreState::CoreState(const BrokerOptions& broker_options, BlobTable& blob_table)
    : options(broker_options),
      blobs(blob_table),
      rng(broker_options.seed),
      sessions(broker_options.seed ^ 0x5e5510115ULL),
      bodies(blob_table) {}

Queue* CoreState::find_queue(std::string_view name) const {
    const auto it = names_.find(name);
    if (it == names_.end()) return nullptr;
    Queue* const found = queues[it->second].get();
    return found->deleting ? nullptr : found;
}

Queue& CoreState::add_queue(const std::string& name, const QueueSettings& settings) {
    const auto free = std::find(queues.begin(), queues.end(), nullptr);
    const auto number = static_cast<std::uint16_t>(free - queues.begin());
    if (free == queues.end()) queues.emplace_back();
    queues[number] =
        std::make_unique<Queue>(number, name, settings, options, table, random_id(rng));
    names_.emplace(name, number);
    for (Session* session : sessions.list()) {
        if (session->worker) session->worker->set_serves(number, name);
    }
    return *queues[number];
}

void CoreState::remove_queue(Queue& queue) {
    names_.erase(queue.name);
    queues[queue.number].reset();
}

void CoreState::activate(Queue& queue) {
    if (queue.active || queue.deleting) return;
    queue.active = true;
    active.push_back(&queue);
}

Send& CoreState::send(Session& session, protocol::Message&& message, bool after_commit) {
    Send& out = effects->sends.emplace_back();
    out.to = session.connection;
    out.header = {protocol::kBroker, session.id, ++session.frames_sent};
    out.message = std::move(message);
    out.after_commit = after_commit;
    return out;
}

void CoreState::refuse(Session& session, std::uint64_t re, protocol::Kind kind, ErrorCode code,
                       std::string sentence) {
    counters.error(code);
    send(session, protocol::Error{re, kind, code, std::move(sentence)});
}

void CoreState::refuse(ConnectionId connection, std::uint64_t re, protocol::Kind kind,
                       ErrorCode code, std::string sentence) {
    counters.error(code);
    Send& out = effects->sends.emplace_back();
    out.to = connection;
    out.message = protocol::Error{re, kind, code, std::move(sentence)};
}

void CoreState::touch(Queue& queue) {
    touched_.push_back(&queue);
    queue.changes.reserve(queue.commit_size);
}

void CoreState::commit() {
    for (Queue* queue : touched_) {
        CommitRecord& record = effects->commits.emplace_back();
        record.queue = queue->name;
        record.epoch = options.epoch;
        record.previous = queue->commit_sequence;
        record.sequence = ++queue->commit_sequence;
        // A little more than the last time, so that a batch of steady size never grows its vector.
        queue->commit_size =
            std::min<std::size_t>(queue->changes.size() + queue->changes.size() / 8, 65'536);
        record.changes = std::exchange(queue->changes, {});
    }
    touched_.clear();
}

Slot CoreState::hold_inputs(ByteView inputs_bytes) {
    const Slot slot = inputs.intern(inputs_bytes);
    if (slot != kNoSlot && inputs.references(slot) == 1) {
        for (std::size_t i = 0; i + ContentId::kSize <= inputs_bytes.size();
             i += ContentId::kSize) {
            blobs.pin(*ContentId::from_bytes(inputs_bytes.substr(i, ContentId::kSize)), now);
        }
    }
    return slot;
}

void CoreState::release_inputs(Slot slot) {
    if (!inputs.release(slot)) return;
    const std::string_view all = inputs.text(slot);  // good until collect()
    for (std::size_t i = 0; i + ContentId::kSize <= all.size(); i += ContentId::kSize) {
        blobs.unpin(*ContentId::from_bytes(all.substr(i, ContentId::kSize)), now);
    }
}

WallMillis CoreState::wall_millis() const noexcept {
    return options.wall_offset_ms +
           std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

}  // namespace scanmq::broker
