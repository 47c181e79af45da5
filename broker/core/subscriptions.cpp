// Publisher: SUBSCRIBE, UNSUBSCRIBE, ACK and CREDIT; durable subscriptions and how they end.

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/core/names.hpp"
#include "broker/core/publisher.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;
using protocol::StartFrom;
using protocol::SubscriptionStatus;

namespace {

struct Refusal {
    ErrorCode code{};
    std::string sentence;
};

// What stands against it, wherever it starts.
std::optional<Refusal> check(const CoreState& state, const Session& session,
                             const protocol::Subscribe& message) {
    if (session.subscriptions.contains(message.subscription)) {
        return Refusal{ErrorCode::subscription_exists, "subscription " +
                                                           std::to_string(message.subscription) +
                                                           " is open; take another number"};
    }
    const std::uint32_t most = state.options.subscriptions_per_session_max;
    if (session.subscriptions.size() >= most) {
        return Refusal{ErrorCode::over_limit,
                       "subscriptions_per_session_max is " + std::to_string(most)};
    }
    if (!message.durable_name.empty() && !printable_name(message.durable_name)) {
        return Refusal{ErrorCode::bad_name, name_rule("a durable name")};
    }
    if (!protocol::valid_pattern(message.pattern)) {
        return Refusal{
            ErrorCode::bad_pattern,
            "a pattern is tokens separated by dots, '*' for one token, a last '>' for the rest"};
    }
    if (state.find_queue(message.queue) == nullptr) {
        return Refusal{ErrorCode::unknown_queue,
                       "no queue '" + message.queue + "'; create it first"};
    }
    return std::nullopt;
}

// The offset a subscription starts from, unless it resumes at a cursor.
Result<std::uint64_t, Refusal> start_offset(const protocol::Subscribe& message,
                                            const Stream& stream) {
    constexpr auto kWallMax = std::uint64_t{std::numeric_limits<WallMillis>::max()};
    switch (message.from) {
        case StartFrom::latest:
            return stream.next();
        case StartFrom::earliest:
            return stream.first();
        case StartFrom::time:
            return stream.first_since(static_cast<WallMillis>(std::min(message.offset, kWallMax)));
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

SubscriptionStatus status_of(const Cursor* cursor) noexcept {
    if (cursor == nullptr) return SubscriptionStatus::created;
    return cursor->lapsed ? SubscriptionStatus::lapsed : SubscriptionStatus::resumed;
}

}  // namespace

void Publisher::subscribe(Session& session, const protocol::Header& header,
                          const protocol::Subscribe& message) {
    const auto refuse = [&](Refusal refusal) {
        state_->refuse(session, header.seq, Kind::subscribe, refusal.code,
                       std::move(refusal.sentence));
    };
    if (auto refusal = check(*state_, session, message)) return refuse(*std::move(refusal));
    Queue& queue = *state_->find_queue(message.queue);
    const std::string& name = message.durable_name;
    Cursor* cursor = name.empty() ? nullptr : queue.cursors.find(name);
    const SubscriptionStatus status = status_of(cursor);

    std::uint64_t start = 0;
    if (status == SubscriptionStatus::resumed) {
        // Only a log that lost its end can leave a cursor beyond it.
        start = std::min(cursor->next_offset, queue.stream.next());
    } else {
        auto offset = start_offset(message, queue.stream);
        if (!offset) return refuse(std::move(offset).error());
        start = *offset;
    }
    if (!name.empty() && cursor == nullptr) {
        const std::size_t lapsed = queue.cursors.lapsed();
        const auto created = queue.cursors.create(name);
        if (!created) {
            return refuse(
                {created.error(), "cursors_per_queue_max is " +
                                      std::to_string(state_->options.cursors_per_queue_max) +
                                      "; forget some"});
        }
        state_->counters.add(Counter::cursors_forgotten, lapsed - queue.cursors.lapsed());
        cursor = *created;
    }
    if (cursor != nullptr && cursor->holder != nullptr) take_over(*cursor);

    auto subscription = std::make_unique<Subscription>(
        Subscription::Start{message.subscription, header.seq, session.slot, queue.number,
                            message.pattern, start, message.limit, cursor});
    if (cursor != nullptr) {
        queue.cursors.hold(*cursor, *subscription, message.pattern, start);
        state_->touch(queue);
        queue.trim = true;  // another pattern may need less
    }
    queue.subscriptions.push_back(subscription.get());
    session.subscriptions.emplace(message.subscription, std::move(subscription));
    state_->counters.add(Counter::subscriptions_opened);
    if (status == SubscriptionStatus::resumed) {
        state_->counters.add(Counter::subscriptions_resumed);
    }
    state_->publish(queue);
    state_->send(session,
                 protocol::Subscribed{header.seq, message.subscription, queue.stream.incarnation(),
                                      queue.stream.first(), queue.stream.next(), start, status},
                 true);
}

void Publisher::take_over(const Cursor& cursor) {
    Subscription& former = *cursor.holder;
    Session& session = *state_->sessions.by_slot(former.session());
    state_->counters.add(Counter::subscriptions_taken);
    state_->refuse(session, former.request(), Kind::subscribe, ErrorCode::subscription_taken,
                   "another subscriber took '" + cursor.name + "' over; subscription " +
                       std::to_string(former.number()) + " ended");
    // Behind the entries that were sent to it.
    state_->effects->sends.back().after_commit = true;
    end(session, former);
}

void Publisher::end(Session& session, Subscription& subscription) {
    Queue& queue = state_->queue(subscription.queue());
    if (Cursor* const cursor = subscription.cursor()) {
        queue.cursors.leave(*cursor, state_->now);
        state_->touch(queue);
        state_->schedule(state_->now +
                         std::chrono::milliseconds(queue.settings.subscription_ttl_ms));
    }
    std::erase(queue.subscriptions, &subscription);
    state_->counters.add(Counter::subscriptions_ended);
    session.subscriptions.erase(subscription.number());
}

Subscription* Publisher::find(Session& session, const protocol::Header& header, Kind kind,
                              std::uint64_t number) {
    const auto it = session.subscriptions.find(number);
    if (it != session.subscriptions.end()) return it->second.get();
    state_->refuse(session, header.seq, kind, ErrorCode::unknown_subscription,
                   "no subscription " + std::to_string(number) + " in this session");
    return nullptr;
}

void Publisher::unsubscribe(Session& session, const protocol::Header& header,
                            const protocol::Unsubscribe& message) {
    Subscription* const subscription =
        find(session, header, Kind::unsubscribe, message.subscription);
    if (subscription == nullptr) return;
    Queue& queue = state_->queue(subscription->queue());
    Cursor* const cursor = subscription->cursor();
    end(session, *subscription);
    if (cursor != nullptr && message.forget) {
        queue.cursors.forget(*cursor);
        queue.trim = true;
        state_->counters.add(Counter::cursors_forgotten);
    }
    state_->send(session, protocol::Ok{header.seq}, true);
}

void Publisher::ack(Session& session, const protocol::Header& header,
                    const protocol::Ack& message) {
    const Subscription* const subscription = find(session, header, Kind::ack, message.subscription);
    if (subscription == nullptr) return;
    Cursor* const cursor = subscription->cursor();
    // What it was told is what it was sent.
    if (cursor == nullptr || message.next_offset < cursor->next_offset ||
        message.next_offset > subscription->told()) {
        state_->counters.add(Counter::acks_ignored);
        return;
    }
    state_->counters.add(Counter::acks);
    Queue& queue = state_->queue(subscription->queue());
    if (queue.cursors.move(*cursor, message.next_offset)) {
        state_->touch(queue);
        queue.trim = true;
    }
}

void Publisher::raise_limit(Session& session, const protocol::Header& header,
                            const protocol::CreditGrant& message) {
    Subscription* const subscription = find(session, header, Kind::credit, message.subscription);
    if (subscription == nullptr) return;
    if (subscription->raise_limit(message.limit)) {
        state_->publish(state_->queue(subscription->queue()));
    }
}

void Publisher::drop(Session& session) {
    while (!session.subscriptions.empty()) end(session, *session.subscriptions.begin()->second);
}

Time Publisher::expire(Queue& queue) {
    const Duration ttl = std::chrono::milliseconds(queue.settings.subscription_ttl_ms);
    const CursorTable::Expired expired = queue.cursors.expire(state_->now, ttl, kLapseMax);
    if (expired.lapsed + expired.forgotten > 0) {
        state_->touch(queue);
        queue.trim = true;
        state_->counters.add(Counter::subscriptions_lapsed, expired.lapsed);
        state_->counters.add(Counter::cursors_forgotten, expired.forgotten);
    }
    const Time next = queue.cursors.next_expiry(ttl);
    if (next <= state_->now) state_->unfinished = true;
    return next;
}

void Publisher::restore(Queue& queue, std::string_view name, const CursorRow& row) {
    // A session had it: it begins to wait now. A clock that was set back must not make it wait longer.
    const Time used = row.used == 0 ? state_->now : state_->time_at(row.used);
    queue.cursors.restore(name, row, std::min(used, state_->now));
    state_->schedule(state_->now);
}

}  // namespace scanmq::broker
