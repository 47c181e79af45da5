#include "broker/core/publisher.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/planted_bug.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;
void Publisher::publish() {
    // Entries wait in their streams until the slow peers took what is theirs.
    if (state_->memory.outgoing_held()) return;
    const std::uint64_t room = state_->memory.outgoing_room();
    pass_bytes_ = 0;
    for (const auto& queue : state_->queues) {
        if (!queue || !queue->publish) continue;
        if (pass_bytes_ >= room) {
            state_->unfinished = true;
            return;
        }
        queue->publish = false;
        for (Subscription* subscription : queue->subscriptions) {
            if (state_->sessions.by_slot(subscription->session())->slow) continue;
            if (pass_bytes_ >= room || publish_one(*queue, *subscription)) {
                queue->publish = true;
                state_->unfinished = true;
            }
        }
    }
}

bool Publisher::publish_one(Queue& queue, Subscription& subscription) {
    // A lossless stream moves a cursor over what does not match, and lets it go.
    if (const Cursor* const cursor = subscription.cursor()) {
        subscription.skip_to(cursor->next_offset);
    }
    std::uint64_t scanned = kScanMax;
    std::uint64_t bytes = kBytesMax;
    while (subscription.runnable(queue.stream)) {
        if (scanned == 0 || bytes == 0) return true;
        const std::uint64_t frame_bytes = state_->options.batch_bytes - protocol::kEnvelopeBytesMax;
        Subscription::Budget budget{scanned, protocol::kLimits.items_per_frame_max, frame_bytes};
        batch_.gap.reset();
        batch_.offsets.clear();
        subscription.collect(queue.stream, state_->subjects, state_->texts, budget, batch_);
        scanned = budget.scanned;
        const std::uint64_t used = frame_bytes - std::min(frame_bytes, budget.encoded_bytes);
        bytes -= std::min(bytes, used);
        pass_bytes_ += used;
        if (!batch_.offsets.empty() || batch_.gap ||
            subscription.next() - subscription.told() >= kTellEvery) {
            send_batch(queue, subscription);
        }
    }
    return false;
}

void Publisher::send_batch(Queue& queue, Subscription& subscription) {
    Session& session = *state_->sessions.by_slot(subscription.session());
    protocol::Results results;
    results.subscription = subscription.number();
    results.next_offset = subscription.next();
    results.gap = batch_.gap;
    results.entries.reserve(batch_.offsets.size());
    std::vector<BodyHandle> bodies;
    bodies.reserve(batch_.offsets.size());
    for (const std::uint64_t offset : batch_.offsets) {
        const StreamEntry& from = queue.stream.at(offset);
        protocol::Entry& entry = results.entries.emplace_back();
        entry.offset = offset;
        entry.kind = from.kind;
        entry.id = from.id;
        entry.subject = state_->subjects.text(from.subject);
        entry.outcome = from.outcome;
        entry.code = from.code;
        if (from.kind == protocol::EntryKind::group) {
            entry.body.bytes = state_->texts.text(from.text);
        } else {
            entry.sentence = state_->texts.text(from.text);
        }
        if (from.group != kNoSlot) entry.group = *Id128::from_bytes(state_->texts.text(from.group));
        bodies.push_back(from.body);
    }
    state_->counters.add(Counter::entries_sent, batch_.offsets.size());
    if (batch_.gap) state_->counters.add(Counter::gaps_sent);
    subscription.tell();
    state_->send(session, std::move(results), !planted(PlantedBug::publishes_early)).bodies =
        std::move(bodies);
}

void Publisher::tell_progress(Session& session) {
    batch_.gap.reset();
    batch_.offsets.clear();
    for (const auto& [number, subscription] : session.subscriptions) {
        if (subscription->told() < subscription->next()) {
            send_batch(state_->queue(subscription->queue()), *subscription);
        }
    }
}

void Publisher::end_all(Queue& queue) {
    for (Subscription* subscription : queue.subscriptions) {
        while (publish_one(queue, *subscription)) {
        }
        Session& session = *state_->sessions.by_slot(subscription->session());
        state_->refuse(session, subscription->request(), Kind::subscribe, ErrorCode::unknown_queue,
                       "queue '" + queue.name + "' was deleted; subscription " +
                           std::to_string(subscription->number()) + " ended");
        // Behind the entries that end the stream.
        state_->effects->sends.back().after_commit = true;
        state_->counters.add(Counter::subscriptions_ended);
        session.subscriptions.erase(subscription->number());
    }
    queue.subscriptions.clear();
    queue.cursors.clear();
}

}  // namespace scanmq::broker
