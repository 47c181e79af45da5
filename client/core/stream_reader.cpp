#include "client/core/stream_reader.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::client {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::StartFrom;

namespace {

std::uint64_t cost(const protocol::Entry& entry, const protocol::Limits& limits) noexcept {
    return limits.item_overhead_bytes + (entry.body.is_blob() ? 0 : entry.body.bytes.size());
}

}  // namespace

StreamReader::StreamReader(std::uint64_t id, StreamOptions options, Outbox& outbox)
    : id_(id), options_(std::move(options)), outbox_(outbox) {
    const protocol::Limits& limits = protocol::kLimits;
    options_.credit_items = std::max(options_.credit_items, 1U);
    options_.credit_bytes = std::max<std::uint64_t>(
        options_.credit_bytes, std::uint64_t{limits.inline_bytes_max} + limits.item_overhead_bytes);
    info_.position = {options_.incarnation, options_.offset};
}

void StreamReader::start() {
    if (info_.state == SubscriptionState::failed || info_.state == SubscriptionState::closed)
        return;
    credit_.reset();
    credit_.raise(room());
    protocol::Subscribe subscribe{id_,
                                  options_.queue,
                                  options_.pattern,
                                  options_.from,
                                  options_.offset,
                                  options_.incarnation,
                                  options_.durable_name,
                                  credit_.limit()};
    if (known_) {
        subscribe.from = StartFrom::offset;
        subscribe.offset = next_offset_;
        subscribe.incarnation = incarnation_;
    }
    subscribe_seq_ = outbox_.main(std::move(subscribe));
}

Credit StreamReader::room() const noexcept {
    return excess(Credit{options_.credit_items, options_.credit_bytes}, unconsumed_);
}

void StreamReader::lost() {
    subscribe_seq_ = 0;
    if (info_.state == SubscriptionState::active) info_.state = SubscriptionState::starting;
}

void StreamReader::stop() {
    if (info_.state == SubscriptionState::active && ackable() > info_.acknowledged) {
        outbox_.main(protocol::Ack{id_, ackable()});
    }
    if (subscribe_seq_ != 0) outbox_.main(protocol::Unsubscribe{id_});
    subscribe_seq_ = 0;
    info_.state = SubscriptionState::closed;
}

bool StreamReader::on_subscribed(const protocol::Subscribed& subscribed, Time now) {
    if (subscribe_seq_ == 0 || subscribed.re != subscribe_seq_) return false;
    if (known_ && subscribed.incarnation != incarnation_) {
        // A durable name that outlived its stream: the offsets are others now.
        ++info_.resets;
        if (options_.on_reset == ResetPolicy::stop) {
            outbox_.main(protocol::Unsubscribe{id_});
            return fail_with(ErrorCode::stream_reset,
                             "the stream of " + options_.queue +
                                 " began anew; subscribe again from earliest or latest");
        }
        known_ = false;
    }
    if (!known_) {
        incarnation_ = subscribed.incarnation;
        next_offset_ = subscribed.start_offset;
        done_ = 0;
        info_.position = {incarnation_, next_offset_};
    } else if (durable()) {
        next_offset_ = std::max(next_offset_, subscribed.start_offset);
    } else {
        next_offset_ = subscribed.start_offset;
    }
    known_ = true;
    sent_to_ = subscribed.start_offset;
    ack_after_ = now;
    info_.state = SubscriptionState::active;
    info_.first_offset = subscribed.first_offset;
    info_.end_offset = subscribed.next_offset;
    info_.status = subscribed.status;
    info_.acknowledged = subscribed.start_offset;
    return true;
}

bool StreamReader::fail_with(ErrorCode code, std::string sentence) {
    subscribe_seq_ = 0;
    info_.state = SubscriptionState::failed;
    info_.code = code;
    info_.sentence = std::move(sentence);
    return true;
}

bool StreamReader::on_error(const protocol::Error& error) {
    if (error.code == ErrorCode::shutting_down) return false;  // tried again in the next session
    if (error.code == ErrorCode::stream_reset) {
        ++info_.resets;
        if (options_.on_reset != ResetPolicy::stop) {
            options_.from = options_.on_reset == ResetPolicy::earliest ? StartFrom::earliest
                                                                       : StartFrom::latest;
            options_.offset = 0;
            options_.incarnation = {};
            known_ = false;
            info_.state = SubscriptionState::starting;
            start();
            return true;
        }
    }
    return fail_with(error.code, error.sentence);
}

std::optional<StreamReader::Taken> StreamReader::on_results(const protocol::Results& results,
                                                            const protocol::Limits& limits) {
    if (info_.state != SubscriptionState::active) return std::nullopt;
    Credit size{results.entries.size(), 0};
    for (const protocol::Entry& entry : results.entries) size.bytes += cost(entry, limits);
    if (!credit_.receive(size)) {
        // A defect of the broker's: what it sent is not taken, and comes again under a new count.
        outbox_.main(protocol::Error{0, protocol::Kind::results, ErrorCode::over_credit,
                                     "more entries or bytes than were granted"});
        outbox_.main(protocol::Unsubscribe{id_});
        info_.state = SubscriptionState::starting;
        start();
        return std::nullopt;
    }
    Taken taken;
    for (const protocol::Entry& entry : results.entries) {
        if (entry.offset < next_offset_) {
            ++taken.skipped;
            continue;
        }
        taken.items += 1;
        taken.bytes += cost(entry, limits);
    }
    if (results.gap && results.gap->to > next_offset_) {
        taken.gap = protocol::Gap{std::max(results.gap->from, next_offset_), results.gap->to};
    }
    unconsumed_.items += taken.items;
    unconsumed_.bytes += taken.bytes;
    next_offset_ = std::max(next_offset_, results.next_offset);
    sent_to_ = std::max(sent_to_, results.next_offset);
    if (taken.skipped > 0) refill();
    return taken;
}

std::uint64_t StreamReader::ackable() const noexcept {
    return durable() ? std::max(info_.acknowledged, std::min(done_, sent_to_)) : info_.acknowledged;
}

void StreamReader::done_with(const StreamPosition& position, Time now) {
    if (durable() && options_.auto_ack) ack(position, now);
}

void StreamReader::ack(const StreamPosition& position, Time now) {
    if (position.incarnation == incarnation_) done_ = std::max(done_, position.next_offset);
    send_ack(now);
}

void StreamReader::send_ack(Time now) {
    if (info_.state != SubscriptionState::active || now < ack_after_) return;
    const std::uint64_t to = ackable();
    if (to <= info_.acknowledged) return;
    info_.acknowledged = to;
    ack_after_ = now + kAckPause;
    outbox_.main(protocol::Ack{id_, to});
}

Time StreamReader::next_deadline() const noexcept {
    if (info_.state != SubscriptionState::active || ackable() <= info_.acknowledged) {
        return Time::max();
    }
    return ack_after_;
}

bool StreamReader::holds(std::string_view queue, std::string_view durable_name) const noexcept {
    return options_.queue == queue && options_.durable_name == durable_name &&
           info_.state != SubscriptionState::failed && info_.state != SubscriptionState::closed;
}

void StreamReader::consumed(const Taken& taken, const StreamPosition& position) {
    unconsumed_.items -= std::min(unconsumed_.items, taken.items);
    unconsumed_.bytes -= std::min(unconsumed_.bytes, taken.bytes);
    // What a cursor brings again, or was left of a stream that is gone, does not move it back.
    const bool same = position.incarnation == info_.position.incarnation;
    if (same ? position.next_offset > info_.position.next_offset
             : position.incarnation == incarnation_) {
        info_.position = position;
    }
    if (subscribe_seq_ != 0 && info_.state == SubscriptionState::active) refill();
}

void StreamReader::refill() {
    const Credit more = excess(plus(credit_.received(), room()), credit_.limit());
    if (!any(more)) return;
    const Credit unused = credit_.unused();
    if (unused.items * 4 > options_.credit_items && unused.bytes * 4 > options_.credit_bytes)
        return;
    // In steps worth a frame, unless nothing is left whose handing out would bring the next.
    const bool worth =
        more.items * 8 >= options_.credit_items || more.bytes * 8 >= options_.credit_bytes;
    if (!worth && unconsumed_.items > 0) return;
    credit_.raise(plus(credit_.limit(), more));
    outbox_.main(protocol::CreditGrant{protocol::Link::results, {}, id_, credit_.limit()});
}

}  // namespace scanmq::client
