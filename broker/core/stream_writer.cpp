#include "broker/core/stream_writer.hpp"

namespace scanmq::broker {

void StreamWriter::append(Queue& queue, const StreamEntry& entry) {
    queue.stream.append(entry, state_->texts.text(entry.text).size());
    state_->counters.add(Counter::entries_appended);
    state_->publish(queue);
    while (queue.stream.bytes() > queue.settings.stream_max_bytes && queue.stream.size() > 1) {
        drop_oldest(queue);
    }
}

void StreamWriter::append_completion(Queue& queue, Slot group_slot) {
    const Group& group = queue.groups[group_slot];
    const bool complete = group.phase == protocol::GroupPhase::complete;
    state_->counters.add(complete ? Counter::groups_completed : Counter::groups_incomplete);
    StreamEntry entry;
    entry.id = group.id;
    entry.kind = protocol::EntryKind::group;
    entry.outcome = complete ? protocol::FinalOutcome::done : protocol::FinalOutcome::expired;
    const std::string body = completion_body(group);
    state_->change(queue, change::GroupEnded{group.id, group.phase, state_->wall_millis(),
                                             queue.stream.next(), body});
    entry.text = state_->texts.intern(body);
    entry.group = group.text;
    state_->texts.retain(group.text);
    entry.bytes = static_cast<std::uint32_t>(body.size() + protocol::kLimits.item_overhead_bytes) &
                  0x7fffffff;
    append(queue, entry);
}

void StreamWriter::restore(Queue& queue, const EntryRow& row, BodyHandle body, bool is_blob) {
    StreamEntry entry;
    entry.id = row.id;
    entry.subject = state_->subjects.intern(row.subject);
    entry.kind = row.kind;
    entry.outcome = row.outcome;
    entry.code = row.code;
    entry.body = body;
    entry.body_is_blob = is_blob;
    const bool group = row.kind == protocol::EntryKind::group;
    // A group's body is text; a job's is the shell's.
    entry.text = state_->texts.intern(group ? row.body.body.bytes : row.sentence);
    const std::uint64_t inline_bytes = is_blob ? 0 : row.body.body.bytes.size();
    entry.bytes = static_cast<std::uint32_t>(inline_bytes + protocol::kLimits.item_overhead_bytes) &
                  0x7fffffff;
    if (!row.group.is_zero()) entry.group = state_->texts.intern(row.group.view());
    queue.stream.append(entry, state_->texts.text(entry.text).size());
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

}  // namespace scanmq::broker
