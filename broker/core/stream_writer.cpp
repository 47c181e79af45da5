#include "broker/core/stream_writer.hpp"

#include <algorithm>

#include "broker/core/planted_bug.hpp"
#include "broker/core/stream_hold.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

namespace {

constexpr Duration kLookAgain = std::chrono::seconds(5);

}  // namespace

void StreamWriter::append(Queue& queue, const StreamEntry& entry) {
    if (queue.stream.size() == 0 && queue.settings.stream_max_age_ms != 0) {
        state_->schedule(state_->now + std::chrono::milliseconds(queue.settings.stream_max_age_ms));
    }
    queue.stream.append(entry, state_->wall_millis(), state_->texts.text(entry.text).size());
    state_->counters.add(Counter::entries_appended);
    state_->publish(queue);
    queue.trim = true;
}

void StreamWriter::append_completion(Queue& queue, Slot group_slot, std::uint64_t own_bytes) {
    const Group& group = queue.groups[group_slot];
    const bool complete = group.phase == protocol::GroupPhase::complete;
    state_->counters.add(complete ? Counter::groups_completed : Counter::groups_incomplete);
    StreamEntry entry;
    entry.id = group.id;
    entry.kind = protocol::EntryKind::group;
    entry.outcome = complete ? protocol::FinalOutcome::done : protocol::FinalOutcome::expired;
    const std::string body = completion_body(group);
    state_->change(
        queue,
        change::GroupEnded{group.id, group.phase, state_->wall_millis(), queue.stream.next(), body},
        0, own_bytes);
    entry.text = state_->texts.intern(body);
    entry.group = group.text;
    state_->texts.retain(group.text);
    entry.bytes = static_cast<std::uint32_t>(body.size() + protocol::kLimits.item_overhead_bytes) &
                  0x7fffffff;
    append(queue, entry);
}

void StreamWriter::trim() {
    for (const auto& queue : state_->queues) {
        if (!queue || !queue->trim) continue;
        queue->trim = false;
        if (lossless(*queue)) {
            trim_lossless(*queue);
        } else if (too_large(*queue)) {
            trim(*queue);
        }
    }
}

void StreamWriter::trim(Queue& queue) {
    state_->touch(queue);
    std::size_t budget = kSlice;
    do {
        drop_oldest(queue);
    } while (--budget > 0 && too_large(queue));
    if (budget == 0 && too_large(queue)) queue.trim = state_->unfinished = true;
}

void StreamWriter::trim_lossless(Queue& queue) {
    const std::uint64_t first = queue.stream.first();
    std::size_t budget = kSlice;
    if (queue.held_since != Time{}) find_needed(queue, budget);
    const auto crowded = [&] { return stream_room(queue).crowded() || memory_short(queue); };
    while (queue.stream.size() > 1 && crowded() && droppable(queue, budget)) {
        drop_oldest(queue);
        --budget;
    }
    if (queue.stream.first() != first) state_->touch(queue);
    if (budget == 0) queue.trim = state_->unfinished = true;
    resume(*state_, queue);
}

bool StreamWriter::droppable(Queue& queue, std::size_t& budget) {
    if (!lossless(queue) || planted(PlantedBug::drops_unread)) return budget > 0;
    if (queue.stream.first() >= queue.cursors.needed_from()) find_needed(queue, budget);
    return budget > 0 && queue.stream.first() < queue.cursors.needed_from();
}

void StreamWriter::find_needed(Queue& queue, std::size_t& budget) {
    const Stream& stream = queue.stream;
    const auto needs = [&](const Cursor& cursor, const StreamEntry& entry) {
        return entry.kind == protocol::EntryKind::group ||
               protocol::subject_matches(cursor.pattern, state_->subjects.text(entry.subject));
    };
    while (budget > 0) {
        Cursor* const cursor = queue.cursors.neediest();
        if (cursor == nullptr) return;
        std::uint64_t at = std::max(cursor->needed_from(), stream.first());
        for (; budget > 0 && at < stream.next() && !needs(*cursor, stream.at(at)); ++at) --budget;
        if (at == cursor->needed_from()) return;
        // Not of one that lost entries, before the stream was made lossless: it is told its gap.
        if (cursor->next_offset < stream.first()) {
            queue.cursors.skip(*cursor, at);
        } else {
            queue.cursors.move(*cursor, at);
            state_->touch(queue);
        }
    }
}

Time StreamWriter::expire(Queue& queue) {
    const auto age = static_cast<WallMillis>(queue.settings.stream_max_age_ms);
    if (age == 0) return Time::max();
    const Stream& stream = queue.stream;
    const WallMillis oldest = state_->wall_millis() - age;
    std::size_t budget = kSlice;
    const std::uint64_t first = stream.first();
    const auto too_old = [&] {
        return stream.size() > 0 && stream.time_of(stream.first()) <= oldest;
    };
    while (too_old() && droppable(queue, budget)) {
        drop_oldest(queue);
        --budget;
    }
    if (stream.first() != first) {
        state_->touch(queue);
        state_->counters.add(Counter::entries_aged, stream.first() - first);
        queue.trim = true;
    }
    if (budget == 0) state_->unfinished = true;
    if (stream.size() == 0) return Time::max();
    // What is not acknowledged yet is looked at again from time to time.
    if (budget > 0 && too_old()) return state_->now + kLookAgain;
    return state_->time_at(stream.time_of(stream.first()) + age);
}

void StreamWriter::drop_oldest(Queue& queue) {
    const Slot text = queue.stream.at(queue.stream.first()).text;
    const StreamEntry entry = queue.stream.drop_oldest(state_->texts.text(text).size());
    state_->subjects.release(entry.subject);
    state_->texts.release(entry.text);
    state_->texts.release(entry.group);
    state_->release(entry.body, entry.body_is_blob);
    state_->counters.add(Counter::entries_dropped);
}

void StreamWriter::drop(Queue& queue, std::uint64_t count) {
    for (; count > 0 && queue.stream.size() > 0; --count) drop_oldest(queue);
}

void StreamWriter::begin_at(Queue& queue, std::uint64_t first, const Id128& incarnation) {
    queue.stream.begin_at(first, incarnation);
    queue.told_first = first;
}

bool StreamWriter::restore(Queue& queue, std::uint64_t offset, const EntryRow& row,
                           BodyHandle body) {
    if (offset != queue.stream.next()) return false;
    const bool shared =
        body.value != 0 && queue.stream.size() > 0 && queue.stream.at(offset - 1).body == body;
    StreamEntry entry;
    entry.id = row.id;
    entry.subject = state_->subjects.intern(row.subject);
    const std::uint64_t inline_bytes = row.body.body.is_blob() ? 0 : row.body.body.bytes.size();
    if (row.kind == protocol::EntryKind::group) {
        SCANMQ_ASSERT(body.value == 0);
        entry.text = state_->texts.intern(row.body.body.bytes);
        entry.group = state_->texts.intern(row.id.view());
    } else {
        entry.text = state_->texts.intern(row.sentence);
        if (!row.group.is_zero()) entry.group = state_->texts.intern(row.group.view());
    }
    entry.body = body;
    if (shared) {
        entry.body_is_blob = queue.stream.at(offset - 1).body_is_blob;
        state_->bodies.share(body);
    } else if (body.value != 0 && row.body.body.is_blob()) {
        const auto id = ContentId::from_bytes(row.body.body.bytes);
        // Gone from the store: the entry stays, and BLOB_GET says so.
        entry.body_is_blob = id && state_->blobs.find(*id) != nullptr;
        if (entry.body_is_blob) {
            state_->bodies.pin(body, *id, state_->now);
        } else {
            state_->counters.add(Counter::restored_without_blob);
        }
    }
    entry.bytes = static_cast<std::uint32_t>(inline_bytes + protocol::kLimits.item_overhead_bytes) &
                  0x7fffffff;
    entry.code = row.code;
    entry.kind = row.kind;
    entry.outcome = row.outcome;
    // A clock that was set back must not keep entries for ever.
    const WallMillis at = std::min(row.appended, state_->wall_millis());
    queue.stream.append(entry, at, state_->texts.text(entry.text).size());
    state_->schedule(state_->now);
    return true;
}

}  // namespace scanmq::broker
