#include "broker/core/publisher.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/planted_bug.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;
using protocol::StartFrom;

namespace {

struct Refusal {
    ErrorCode code{};
    std::string sentence;
};

// The offset a subscription starts from.
Result<std::uint64_t, Refusal> start_offset(const protocol::Subscribe& message,
                                            const Stream& stream) {
    switch (message.from) {
        case StartFrom::latest:
            return stream.next();
        case StartFrom::earliest:
            return stream.first();
        case StartFrom::time:
            return fail(Refusal{ErrorCode::unsupported, "from time"});
        case StartFrom::offset:
            break;
    }
    if (!message.incarnation.is_zero() && message.incarnation != stream.incarnation()) {
        return fail(Refusal{ErrorCode::stream_reset,
                            "the stream began anew as " + stream.incarnation().hex() +
                                "; its offsets are others: subscribe from earliest or latest"});
    }
    if (message.offset > stream.next()) {
        return fail(Refusal{ErrorCode::bad_offset, "offset " + std::to_string(message.offset) +
                                                       " lies beyond the stream's end at " +
                                                       std::to_string(stream.next())});
    }
    return message.offset;
}

}  // namespace

void Publisher::subscribe(Session& session, const protocol::Header& header,
                          const protocol::Subscribe& message) {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state_->refuse(session, header.seq, Kind::subscribe, code, std::move(sentence));
    };
    if (session.subscriptions.contains(message.subscription)) {
        return refuse(ErrorCode::subscription_exists, "subscription " +
                                                          std::to_string(message.subscription) +
                                                          " is open; take another number");
    }
    if (session.subscriptions.size() >= state_->options.subscriptions_per_session_max) {
        return refuse(ErrorCode::over_limit,
                      "subscriptions_per_session_max is " +
                          std::to_string(state_->options.subscriptions_per_session_max));
    }
    if (!message.durable_name.empty()) {
        return refuse(ErrorCode::unsupported,
                      "durable_name: durable subscriptions; leave it empty");
    }
    if (!protocol::valid_pattern(message.pattern)) {
        return refuse(
            ErrorCode::bad_pattern,
            "a pattern is tokens separated by dots, '*' for one token, a last '>' for the rest");
    }
    Queue* const queue = state_->find_queue(message.queue);
    if (queue == nullptr) {
        return refuse(ErrorCode::unknown_queue,
                      "no queue '" + message.queue + "'; create it first");
    }
    auto start = start_offset(message, queue->stream);
    if (!start) {
        Refusal refusal = std::move(start).error();
        return refuse(refusal.code, std::move(refusal.sentence));
    }
    auto subscription = std::make_unique<Subscription>(
        Subscription::Start{message.subscription, header.seq, session.slot, queue->number,
                            message.pattern, *start, message.limit});
    queue->subscriptions.push_back(subscription.get());
    session.subscriptions.emplace(message.subscription, std::move(subscription));
    state_->counters.add(Counter::subscriptions_opened);
    state_->publish(*queue);
    state_->send(session,
                 protocol::Subscribed{header.seq, message.subscription, queue->stream.incarnation(),
                                      queue->stream.first(), queue->stream.next(), *start},
                 true);
}

void Publisher::unsubscribe(Session& session, const protocol::Header& header,
                            const protocol::Unsubscribe& message) {
    const auto it = session.subscriptions.find(message.subscription);
    if (it == session.subscriptions.end()) {
        return state_->refuse(
            session, header.seq, Kind::unsubscribe, ErrorCode::unknown_subscription,
            "no subscription " + std::to_string(message.subscription) + " in this session");
    }
    std::erase(state_->queue(it->second->queue()).subscriptions, it->second.get());
    session.subscriptions.erase(it);
    state_->counters.add(Counter::subscriptions_ended);
    state_->send(session, protocol::Ok{header.seq}, true);
}

void Publisher::raise_limit(Session& session, const protocol::Header& header,
                            const protocol::CreditGrant& message) {
    const auto it = session.subscriptions.find(message.subscription);
    if (it == session.subscriptions.end()) {
        return state_->refuse(
            session, header.seq, Kind::credit, ErrorCode::unknown_subscription,
            "no subscription " + std::to_string(message.subscription) + " in this session");
    }
    if (it->second->raise_limit(message.limit)) state_->publish(state_->queue(it->second->queue()));
}

void Publisher::publish() {
    for (const auto& queue : state_->queues) {
        if (!queue || !queue->publish) continue;
        queue->publish = false;
        for (Subscription* subscription : queue->subscriptions) {
            if (publish_one(*queue, *subscription)) {
                queue->publish = true;
                state_->unfinished = true;
            }
        }
    }
}

bool Publisher::publish_one(Queue& queue, Subscription& subscription) {
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
        bytes -= std::min(bytes, frame_bytes - std::min(frame_bytes, budget.encoded_bytes));
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

void Publisher::drop(Session& session) {
    for (const auto& [number, subscription] : session.subscriptions) {
        std::erase(state_->queue(subscription->queue()).subscriptions, subscription.get());
        state_->counters.add(Counter::subscriptions_ended);
    }
    session.subscriptions.clear();
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
}

}  // namespace scanmq::broker
