#include "broker/core/group_handler.hpp"

#include <algorithm>

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;

void GroupHandler::open(Session& session, const protocol::Header& header,
                        const protocol::GroupOpen& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::group_open, message.queue);
    if (queue == nullptr) return;
    if (message.group.is_zero()) {
        return state_->refuse(session, header.seq, Kind::group_open, ErrorCode::malformed,
                              "a group needs an id: 16 bytes, a UUIDv7");
    }
    const auto opened = queue->groups.open(message.group, state_->now, forgotten_);
    forget(*queue);
    if (!opened) {
        return state_->refuse(session, header.seq, Kind::group_open, opened.error(),
                              opened.error() == ErrorCode::group_exists
                                  ? "the group was opened already; use a new id"
                                  : "groups_per_queue_max is " +
                                        std::to_string(state_->options.groups_per_queue_max) +
                                        "; let some end");
    }
    Group& group = queue->groups[*opened];
    group.text = state_->texts.intern(message.group.view());
    group.generation = state_->aliases.generation();
    state_->aliases.hold(group.generation);
    state_->counters.add(Counter::groups_opened);
    state_->change(*queue, change::GroupOpened{group.id, state_->wall_millis(), group.generation});
    state_->schedule(queue->groups.next_expiry());
    answer(session, header, *queue, group);
}

void GroupHandler::seal(Session& session, const protocol::Header& header,
                        const protocol::GroupSeal& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::group_seal, message.queue);
    if (queue == nullptr) return;
    const Slot slot = queue->groups.find(message.group);
    const auto sealed = queue->groups.seal(message.group, message.count, state_->now);
    if (!sealed) {
        std::string sentence;
        switch (sealed.error()) {
            case ErrorCode::unknown_group:
                sentence = "the group is not open in this queue; open it first";
                break;
            case ErrorCode::group_sealed:
                sentence = "the group was sealed already, or ended";
                break;
            default:
                sentence = "sealed with " + std::to_string(message.count) + " jobs, but " +
                           std::to_string(queue->groups[slot].submitted) + " were accepted into it";
        }
        return state_->refuse(session, header.seq, Kind::group_seal, sealed.error(),
                              std::move(sentence));
    }
    state_->aliases.release(queue->groups[slot].generation, state_->now);
    state_->change(*queue, change::GroupSealed{message.group, message.count});
    if (*sealed) writer_->append_completion(*queue, slot, CoreState::kFollows);
    state_->schedule(queue->groups.next_expiry());
    answer(session, header, *queue, queue->groups[slot]);
}

void GroupHandler::query(Session& session, const protocol::Header& header,
                         const protocol::GroupQuery& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::group_query, message.queue);
    if (queue == nullptr) return;
    const Slot slot = queue->groups.find(message.group);
    if (slot == kNoSlot) {
        return state_->refuse(session, header.seq, Kind::group_query, ErrorCode::unknown_group,
                              "the group was not opened in this queue, or is forgotten");
    }
    answer(session, header, *queue, queue->groups[slot]);
}

void GroupHandler::answer(Session& session, const protocol::Header& header, const Queue& queue,
                          const Group& group) {
    state_->send(session,
                 protocol::GroupState{header.seq, queue.name, group.id, group.phase, group.count,
                                      group.submitted, group.finished, group.outcome_list()},
                 true);
}

void GroupHandler::expire(Queue& queue, std::size_t budget) {
    std::vector<Slot> incomplete;
    queue.groups.expire(state_->now, budget, incomplete, forgotten_);
    for (const Slot slot : incomplete) {
        state_->aliases.release(queue.groups[slot].generation, state_->now);
        writer_->append_completion(queue, slot);
    }
    forget(queue);
}

void GroupHandler::restore(Queue& queue, const Id128& group, const GroupRow& row) {
    // A clock that was set back must not keep it longer.
    const auto at = [&](WallMillis wall) { return std::min(state_->time_at(wall), state_->now); };
    // One that ended is remembered for a whole window from now on, as ids are.
    const Slot slot = queue.groups.restore(group, row, at(row.opened), state_->now);
    queue.groups[slot].text = state_->texts.intern(group.view());
    if (row.phase == protocol::GroupPhase::open) state_->aliases.hold(row.generation);
    state_->schedule(state_->now);
}

void GroupHandler::forget(Queue& queue) {
    for (const Slot text : forgotten_) {
        state_->change(queue, change::GroupForgotten{*Id128::from_bytes(state_->texts.text(text))});
        state_->texts.release(text);
    }
    forgotten_.clear();
}

}  // namespace scanmq::broker
