#include "broker/core/queue_handler.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/standing_handler.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;

namespace {

std::vector<SettingRow> rows(const QueueSettings& settings) {
    std::vector<SettingRow> out;
    for (const QueueSetting& setting : kQueueSettings) {
        out.push_back({setting.name, settings.*(setting.value)});
    }
    return out;
}

}  // namespace

bool QueueHandler::name_taken(const std::string& name) const {
    return std::any_of(state_->queues.begin(), state_->queues.end(),
                       [&](const auto& queue) { return queue && queue->name == name; });
}

std::size_t QueueHandler::count() const {
    return static_cast<std::size_t>(
        std::count_if(state_->queues.begin(), state_->queues.end(),
                      [](const auto& queue) { return queue != nullptr; }));
}

void QueueHandler::add(const std::string& name, const QueueSettings& settings) {
    Queue& queue = state_->add_queue(name, settings);
    state_->counters.add(Counter::queues_created);
    state_->change_broker(change::QueueCreated{queue.partition(), queue.name,
                                               queue.stream.incarnation(), rows(settings)});
    state_->follow_version(queue);
}

void QueueHandler::create(Session& session, const protocol::Header& header,
                          const protocol::QueueCreate& message) {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state_->refuse(session, header.seq, Kind::queue_create, code, std::move(sentence));
    };
    if (!protocol::valid_queue_name(message.queue)) {
        return refuse(ErrorCode::bad_name, "a queue's name has 1 to " +
                                               std::to_string(protocol::kLimits.queue_bytes_max) +
                                               " letters, digits, '_', '-', '.', ':'");
    }
    auto settings = with_changes(QueueSettings{}, message.settings);
    if (!settings) return refuse(ErrorCode::bad_setting, std::move(settings).error());
    if (const Queue* const known = state_->find_queue(message.queue)) {
        if (known->settings != *settings) {
            return refuse(ErrorCode::queue_exists,
                          "queue '" + message.queue + "' exists with other settings; alter it");
        }
        state_->send(session, protocol::Ok{header.seq}, true);
        return;
    }
    if (name_taken(message.queue)) {
        return refuse(ErrorCode::queue_in_use,
                      "queue '" + message.queue + "' is still being deleted; try again soon");
    }
    if (count() >= state_->options.queues_max) {
        return refuse(ErrorCode::over_limit,
                      "queues_max is " + std::to_string(state_->options.queues_max));
    }
    add(message.queue, *settings);
    state_->send(session, protocol::Ok{header.seq}, true);
}

void QueueHandler::ensure(const std::string& name, const protocol::Settings& settings) {
    if (name_taken(name)) return;
    const auto values = with_changes(QueueSettings{}, settings);
    SCANMQ_ASSERT(values.ok() && protocol::valid_queue_name(name));
    add(name, *values);
}

void QueueHandler::alter(Session& session, const protocol::Header& header,
                         const protocol::QueueAlter& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::queue_alter, message.queue);
    if (queue == nullptr) return;
    auto settings = with_changes(queue->settings, message.settings);
    if (!settings) {
        return state_->refuse(session, header.seq, Kind::queue_alter, ErrorCode::bad_setting,
                              std::move(settings).error());
    }
    queue->apply(*settings);
    state_->schedule(state_->now);  // ages and times to live may have fallen
    state_->counters.add(Counter::queues_altered);
    state_->change_broker(change::QueueAltered{queue->partition(), rows(*settings)});
    state_->send(session, protocol::Ok{header.seq}, true);
}

void QueueHandler::set_version(Session& session, const protocol::Header& header,
                               const protocol::QueueVersion& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::queue_version, message.queue);
    if (queue == nullptr) return;
    const bool pinned = !message.scanner_version.empty();
    if (pinned != queue->version_pinned) {
        queue->version_pinned = pinned;
        state_->change(*queue, change::VersionPinned{pinned});
    }
    if (!pinned) {
        state_->follow_version(*queue);
    } else if (message.scanner_version != queue->scanner_version) {
        state_->set_version(*queue, message.scanner_version);
    }
    state_->activate(*queue);  // another worker may take what none took before
    state_->send(session, protocol::Ok{header.seq}, true);
}

void QueueHandler::remove(Session& session, const protocol::Header& header,
                          const protocol::QueueDelete& message) {
    Queue* const queue = state_->require_queue(session, header, Kind::queue_delete, message.queue);
    if (queue == nullptr) return;
    const std::uint64_t live = queue->room.size() + queue->followers.size() + queue->running;
    if (live > 0 && !message.force) {
        return state_->refuse(session, header.seq, Kind::queue_delete, ErrorCode::queue_in_use,
                              "queue '" + queue->name + "' has " + std::to_string(live) +
                                  " live jobs; drain it, or force");
    }
    queue->deleting = true;
    queue->deleted_by_session = session.id;
    queue->delete_request = header.seq;
    if (queue->active) {
        std::erase(state_->active, queue);
        queue->active = false;
    }
    ++deleting_;
    // Their rows go with the queue's.
    state_->counters.add(Counter::standing_dropped, drop_standing(*state_, *queue));
    cancel_running(*queue);
}

void QueueHandler::cancel_running(Queue& queue) {
    std::vector<Slot> slots;
    for (Slot run = leases_->oldest(); run != kNoSlot; run = state_->table.runs[run].next_by_age) {
        const Slot execution = state_->table.runs[run].execution;
        if (state_->table.executions[execution].queue == queue.number) slots.push_back(execution);
    }
    for (const Slot slot : slots) {
        ending_->end(slot, ending_->how(protocol::FinalOutcome::cancelled, ErrorCode::purged,
                                        "the queue was deleted"));
    }
}

bool QueueHandler::step_one(Queue& queue) {
    if (!control_->purge(queue, ~std::uint64_t{0})) return false;
    publisher_->end_all(queue);
    writer_->drop(queue, kSlice);
    return queue.stream.size() == 0;
}

void QueueHandler::step() {
    if (deleting_ == 0) return;
    for (const auto& queue : state_->queues) {
        if (!queue || !queue->deleting) continue;
        if (!step_one(*queue)) {
            state_->unfinished = true;
            continue;
        }
        while (queue->dead.size() > 0) {
            ending_->drop_dead(*queue, queue->dead.all().begin()->first);
        }
        std::vector<Slot> texts;
        for (const std::uint64_t generation : queue->groups.open_generations()) {
            state_->aliases.release(generation, state_->now);
        }
        queue->groups.clear(texts);
        for (const Slot text : texts) state_->texts.release(text);
        state_->counters.add(Counter::queues_deleted);
        state_->change_deleted(*queue);
        if (Session* const session = state_->sessions.by_id(queue->deleted_by_session)) {
            state_->send(*session, protocol::Ok{queue->delete_request}, true);
        }
        gone_.push_back(queue.get());
    }
}

void QueueHandler::sweep() {
    for (Queue* const queue : gone_) {
        state_->remove_queue(*queue);
        --deleting_;
    }
    gone_.clear();
}

}  // namespace scanmq::broker
