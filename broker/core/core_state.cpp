#include "broker/core/core_state.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::broker {

using protocol::ErrorCode;

namespace {

// Of a memory budget an eighth at most, as remembered ids have.
std::uint64_t cache_bytes(const BrokerOptions& options, std::uint64_t wanted) {
    constexpr std::uint64_t kPart = 8;
    if (options.memory.bytes_max == 0) return wanted;
    return std::min(wanted, options.memory.traffic / kPart);
}

}  // namespace

Queue::Queue(std::uint16_t n, PartitionId partition, std::string text, const QueueSettings& values,
             const Common& common, const Id128& incarnation)
    : number(n),
      name(std::move(text)),
      credit({{common.options.submit_window_items, common.options.submit_window_bytes},
              common.options.reclaim_idle,
              protocol::kLimits.item_overhead_bytes},
             &common.pool),
      room(common.texts, common.costs, partition),
      ids({common.options.id_window_jobs, common.options.id_window_ttl}, common.table),
      groups({common.options.groups_per_queue_max, common.options.group_ttl,
              common.options.id_window_ttl}),
      stream(incarnation),
      cursors(common.options.cursors_per_queue_max) {
    journal.partition = partition;
    apply(values);
}

void Queue::apply(const QueueSettings& values) {
    settings = values;
    credit.set_room({values.max_jobs, values.max_bytes});
    trim = true;
    held_since = Time{};
    producers_held = false;
}

CoreState::CoreState(const BrokerOptions& broker_options, BlobTable& blob_table)
    : options(broker_options),
      blobs(blob_table),
      memory(broker_options.memory),
      rng(broker_options.seed),
      sessions(broker_options.seed ^ 0x5e5510115ULL),
      aliases({broker_options.aliases_max, broker_options.alias_history_max}, blob_table),
      bodies(blob_table),
      results({cache_bytes(broker_options, broker_options.cache_bytes_max), broker_options.seed,
               !broker_options.records},
              bodies),
      peers(broker_options.cache_peers
                ? cache_bytes(broker_options, broker_options.cache_peer_bytes_max)
                : 0,
            broker_options.seed),
      look_ups(broker_options.look_ups_max) {}

void CoreState::count_memory() {
    if (!memory.limited()) return;
    held.jobs = held.entries = held.ids = held.stream_bytes = 0;
    held.peer_bytes = peers.stats().bytes;
    for (const auto& one : queues) {
        if (!one) continue;
        held.jobs += one->credit.used().items;
        held.entries += one->stream.size();
        held.ids += one->ids.finished();
        held.stream_bytes += stream_memory(*one);
    }
    // due() forgets the oldest.
    if (held.ids > memory.ids_max()) schedule(now);
    const std::uint64_t holds = memory.holds();
    memory.count(held);
    counters.add(Counter::memory_holds, memory.holds() - holds);
}

Queue* CoreState::find_queue(std::string_view name) const {
    const auto it = names_.find(name);
    if (it == names_.end()) return nullptr;
    Queue* const found = queues[it->second].get();
    return found->deleting ? nullptr : found;
}

Queue* CoreState::queue_of(PartitionId partition) const {
    for (const auto& queue : queues) {
        if (queue && queue->partition() == partition)
            return queue->deleting ? nullptr : queue.get();
    }
    return nullptr;
}

Queue* CoreState::require_queue(Session& session, const protocol::Header& header,
                                protocol::Kind kind, std::string_view name) {
    Queue* const queue = find_queue(name);
    if (queue == nullptr) {
        refuse(session, header.seq, kind, ErrorCode::unknown_queue,
               "no queue '" + std::string(name) + "'; create it first");
    }
    return queue;
}

Queue& CoreState::add_queue(const std::string& name, const QueueSettings& settings) {
    return place_queue(++last_partition_, name, settings, random_id(rng));
}

Queue& CoreState::restore_queue(PartitionId partition, const std::string& name,
                                const QueueSettings& settings, const Id128& incarnation) {
    last_partition_ = std::max(last_partition_, partition);
    return place_queue(partition, name, settings, incarnation);
}

Queue& CoreState::place_queue(PartitionId partition, const std::string& name,
                              const QueueSettings& settings, const Id128& incarnation) {
    const auto free = std::find(queues.begin(), queues.end(), nullptr);
    const auto number = static_cast<std::uint16_t>(free - queues.begin());
    if (free == queues.end()) queues.emplace_back();
    queues[number] = std::make_unique<Queue>(
        number, partition, name, settings,
        Queue::Common{options, memory.pool(), table, texts, costs}, incarnation);
    names_.emplace(name, number);
    for (Session* session : sessions.list()) {
        if (session->worker) session->worker->set_serves(number, name);
    }
    mark_current(*queues[number]);
    return *queues[number];
}

void CoreState::mark_current(const Queue& queue) {
    for (Session* session : sessions.list()) {
        if (!session->worker) continue;
        session->worker->set_current(
            queue.number, session->worker->info.scanner_version == queue.scanner_version);
    }
}

void CoreState::follow_version(Queue& queue) {
    if (queue.version_pinned) return;
    const std::string* version = nullptr;
    for (const Session* session : sessions.list()) {
        if (!session->worker || !session->worker->serves(queue.number)) continue;
        const std::string& one = session->worker->info.scanner_version;
        if (version != nullptr && *version != one) return;
        version = &one;
    }
    if (version == nullptr || *version == queue.scanner_version) return;
    set_version(queue, *version);
}

void CoreState::set_version(Queue& queue, std::string version) {
    queue.scanner_version = std::move(version);
    if (++queue.version_stamp == 0) ++queue.version_stamp;
    queue.version_since = queue.next_execution;
    mark_current(queue);
    note_marks(queue);
}

void CoreState::follow_versions() {
    for (const auto& queue : queues) {
        if (queue && !queue->deleting) follow_version(*queue);
    }
}

void CoreState::note_marks(Queue& queue) {
    change(queue, change::QueueMarked{queue.paused, queue.draining, queue.scanner_version});
}

void CoreState::remove_queue(Queue& queue) {
    names_.erase(queue.name);
    results.drop_all(queue.partition(), now, *effects);
    queue.room.flows().drop_names();
    queues[queue.number].reset();
}

void CoreState::activate(Queue& queue) {
    if (queue.active || queue.deleting || queue.paused) return;
    queue.active = true;
    queue.waits_since = now;
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
    // It may tell of what is not durable yet: that a queue is gone, that a stream began anew.
    send(session, protocol::Error{re, kind, code, std::move(sentence)}, true);
}

void CoreState::refuse(ConnectionId connection, std::uint64_t re, protocol::Kind kind,
                       ErrorCode code, std::string sentence) {
    counters.error(code);
    Send& out = effects->sends.emplace_back();
    out.to = connection;
    out.message = protocol::Error{re, kind, code, std::move(sentence)};
}

CommitRecord& CoreState::open_record(Journal& journal, std::uint64_t body_bytes,
                                     std::uint64_t own_bytes) {
    CommitRecord& record = journal.open;
    if (!journal.touched) {
        journal.touched = true;
        touched_.push_back(&journal);
        record.bytes.reserve(journal.size);
    } else if (record.bytes.size() + journal.body_bytes + body_bytes + own_bytes >
               kRecordBytesMax) {
        // The queue may have been created in this batch: that stands before what is in it.
        if (&journal != &broker_journal_ && broker_journal_.touched) close_record(broker_journal_);
        close_record(journal);
        record.bytes.reserve(journal.size);
    }
    journal.body_bytes += body_bytes;
    return record;
}

void CoreState::close_record(Journal& journal) {
    CommitRecord& record = journal.open;
    if (record.bytes.empty()) return;
    record.partition = journal.partition;
    record.epoch = options.epoch;
    record.previous = journal.sequence;
    record.sequence = ++journal.sequence;
    // A little more than the last time, so that a batch of steady size never grows its record.
    journal.size = std::min<std::size_t>(record.bytes.size() + record.bytes.size() / 8, 512U << 10);
    journal.body_bytes = 0;
    effects->commits.push_back(std::exchange(record, {}));
}

void CoreState::note_moves(Queue& queue) {
    if (queue.ids.begin() != queue.told_ids_begin) {
        queue.told_ids_begin = queue.ids.begin();
        change(queue, change::IdsForgotten{queue.told_ids_begin});
    }
    if (queue.cursors.any_changes()) note_cursors(queue);
    // After the cursors: whatever a crash leaves of it, what a lossless stream dropped was acknowledged.
    if (queue.stream.first() != queue.told_first) {
        queue.told_first = queue.stream.first();
        change(queue, change::StreamTrimmed{queue.told_first});
    }
}

void CoreState::note_cursors(Queue& queue) {
    for (const std::string& name : queue.cursors.forgotten()) {
        change(queue, change::CursorForgotten{name});
    }
    for (const Cursor* const cursor : queue.cursors.changed()) {
        const WallMillis used = cursor->holder != nullptr ? 0 : wall_at(cursor->since);
        change(queue,
               change::CursorSet{cursor->name,
                                 {cursor->next_offset, cursor->pattern, used, cursor->lapsed}});
    }
    queue.cursors.clear_changes();
}

void CoreState::change_deleted(Queue& queue) {
    if (!options.records) return;
    if (broker_journal_.touched) close_record(broker_journal_);
    if (queue.journal.touched) {
        close_record(queue.journal);
        queue.journal.touched = false;
        std::erase(touched_, &queue.journal);
    }
    if (queue.touched) {
        queue.touched = false;
        std::erase(touched_queues_, &queue);
    }
    change_broker(change::QueueDeleted{queue.partition()});
}

void CoreState::commit() {
    for (Queue* queue : touched_queues_) {
        // Of a queue that goes, QueueDeleted says it all, and has to be the last word.
        if (!queue->deleting) note_moves(*queue);
        queue->touched = false;
    }
    touched_queues_.clear();
    for (Journal* journal : touched_) {
        close_record(*journal);
        journal->touched = false;
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

WallMillis CoreState::wall_at(Time at) const noexcept {
    return options.wall_offset_ms +
           std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

Time CoreState::time_at(WallMillis wall) const noexcept {
    constexpr WallMillis kMost =
        std::chrono::duration_cast<std::chrono::milliseconds>(Duration::max()).count() / 2;
    return Time(
        std::chrono::milliseconds(std::clamp(wall - options.wall_offset_ms, -kMost, kMost)));
}

WallMillis CoreState::wall_millis() const noexcept { return wall_at(now); }

}  // namespace scanmq::broker
