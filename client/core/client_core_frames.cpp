// ClientCore's half that takes frames in and sends what they made possible.

#include <algorithm>
#include <utility>

#include "client/core/client_core.hpp"

namespace scanmq::client {

using protocol::ErrorCode;

void ClientCore::handle(std::span<const Event> events, Now now, Effects& effects) {
    outbox_.bind(effects);
    if (closed_) return;
    const std::size_t notices_from = effects.notices.size();
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (const auto* frame = std::get_if<FrameEvent>(&events[i])) {
            on_frame(*frame, i, now);
        } else if (const auto* connected = std::get_if<ConnectedEvent>(&events[i])) {
            if (connected->socket == Socket::main) {
                apply(session_.connected(now), now);
            } else if (blobs_.connected(now)) {
                apply(session_.renew(now), now);
            }
        } else {
            ++stats_.frames_bad;
        }
    }
    collect_puts(notices_from, now);
    pump(now);
    book_.flush(outbox_);
}

void ClientCore::tick(Now now, Effects& effects) {
    outbox_.bind(effects);
    if (closed_) return;
    const std::size_t notices_from = effects.notices.size();
    apply(session_.tick(now), now);
    if (now.time >= requests_.next_deadline()) requests_.expire(now.time);
    if (now.time >= blobs_.next_deadline()) blobs_.tick(now);
    collect_puts(notices_from, now);
    pump(now);
    book_.flush(outbox_);
}

Time ClientCore::next_deadline() const {
    if (closed_) return Time::max();
    Time next =
        std::min({session_.next_deadline(), requests_.next_deadline(), blobs_.next_deadline()});
    if (session_.open()) {
        for (const auto& link : links_) next = std::min(next, link->next_deadline());
        for (const auto& reader : readers_) next = std::min(next, reader->next_deadline());
    }
    return next;
}

void ClientCore::apply(SessionState::Change change, Now now) {
    if (change == SessionState::Change::none) return;
    if (change == SessionState::Change::opened) {
        ++stats_.sessions_opened;
        requests_.opened();
        blobs_.opened(session_.blob_endpoint(), session_.limits(), session_.dead_after(), now);
        for (const auto& reader : readers_) reader->start();
        requests_.opened_after_subscriptions();
    } else {
        requests_.lost();
        blobs_.lost();
        for (const auto& link : links_) link->lost();
        for (const auto& reader : readers_) reader->lost();
    }
    outbox_.notify(SessionChanged{});
}

void ClientCore::on_frame(const FrameEvent& event, std::size_t index, Now now) {
    const protocol::Frame& frame = *event.frame;
    const bool welcome = std::holds_alternative<protocol::Welcome>(frame.message);
    const auto* error = std::get_if<protocol::Error>(&frame.message);
    if (error != nullptr) {
        if (event.socket == Socket::main) session_.heard(now.time);
        on_error(event.socket, *error, now);
        return;
    }
    if (!welcome && (!session_.open() || frame.header.session != outbox_.session())) {
        ++stats_.frames_stale;
        return;
    }
    if (event.socket == Socket::blob) {
        blobs_.on_frame(frame.message, now);
        return;
    }
    session_.heard(now.time);
    on_main(frame, index, now);
}

void ClientCore::on_main(const protocol::Frame& frame, std::size_t index, Now now) {
    const protocol::Message& message = frame.message;
    if (const auto* results = std::get_if<protocol::Results>(&message)) {
        on_results(*results, index);
    } else if (const auto* accepted = std::get_if<protocol::Accepted>(&message)) {
        for (std::size_t i = 0; i < links_.size(); ++i) {
            if (!links_[i]->on_accepted(*accepted, put_again_)) continue;
            for (const StoredJob& job : put_again_) put_payload(job, i, now);
            put_again_.clear();
            break;
        }
    } else if (const auto* credit = std::get_if<protocol::CreditGrant>(&message)) {
        if (credit->link != protocol::Link::submit) return;
        for (const auto& link : links_) {
            if (link->queue() == credit->queue) link->on_credit(credit->limit);
        }
    } else if (const auto* reclaim = std::get_if<protocol::Reclaim>(&message)) {
        for (const auto& link : links_) {
            if (link->queue() == reclaim->queue) begin_return(*link, true, now);
        }
    } else if (const auto* beat = std::get_if<protocol::Heartbeat>(&message)) {
        if (beat->pong != 0) {
            for (const auto& link : links_) link->on_pong(beat->pong);
        }
    } else if (const auto* subscribed = std::get_if<protocol::Subscribed>(&message)) {
        StreamReader* found = reader(subscribed->subscription);
        if (found != nullptr && found->on_subscribed(*subscribed, now.time)) {
            outbox_.notify(SubscriptionChanged{found->id()});
        }
    } else if (const auto* welcome = std::get_if<protocol::Welcome>(&message)) {
        apply(session_.on_welcome(*welcome, now), now);
    } else if (const auto* bye = std::get_if<protocol::Bye>(&message)) {
        apply(session_.on_bye(*bye, now), now);
    } else if (const auto* ok = std::get_if<protocol::Ok>(&message)) {
        requests_.on_reply(ok->re, message);  // UNSUBSCRIBE's OK answers no request
    } else if (const auto* state = std::get_if<protocol::GroupState>(&message)) {
        requests_.on_reply(state->re, message);
    } else if (const auto* answer = std::get_if<protocol::Answer>(&message)) {
        requests_.on_reply(answer->re, message);
    } else if (const auto* cancelled = std::get_if<protocol::Cancelled>(&message)) {
        requests_.on_reply(cancelled->re, message);
    } else if (const auto* dead = std::get_if<protocol::DeadDone>(&message)) {
        requests_.on_reply(dead->re, message);
    } else if (const auto* backup = std::get_if<protocol::BackupDone>(&message)) {
        requests_.on_reply(backup->re, message);
    } else if (const auto* values = std::get_if<protocol::CacheValues>(&message)) {
        requests_.on_reply(values->re, message);
    } else if (const auto* dropped = std::get_if<protocol::CacheDropped>(&message)) {
        requests_.on_reply(dropped->re, message);
    }
}

void ClientCore::on_results(const protocol::Results& results, std::size_t index) {
    StreamReader* found = reader(results.subscription);
    if (found == nullptr) return;
    const auto taken = found->on_results(results, session_.limits());
    if (!taken) return;
    outbox_.notify(EntriesArrived{results.subscription, index, taken->items, taken->bytes,
                                  found->incarnation(), taken->skipped, taken->gap});
}

void ClientCore::on_error(Socket socket, const protocol::Error& error, Now now) {
    if (socket == Socket::blob) {
        // Only what answers a frame of this connection: the session may have been renewed since.
        if (error.code == ErrorCode::unknown_session && blobs_.sent_in_session(error.re)) {
            apply(session_.renew(now), now);
        } else {
            blobs_.on_frame(error, now);
        }
        return;
    }
    if (session_.is_hello(error.re) || error.code == ErrorCode::unknown_session) {
        apply(session_.on_error(error, now), now);
        return;
    }
    for (const auto& link : links_) {
        if (link->on_error(error, now)) return;
    }
    for (const auto& reader : readers_) {
        if (!reader->owns(error.re)) continue;
        if (reader->on_error(error)) outbox_.notify(SubscriptionChanged{reader->id()});
        return;
    }
    if (!requests_.on_error(error)) ++stats_.protocol_errors;
}

void ClientCore::begin_return(SubmitLink& link, bool asked, Now now) {
    if (link.begin_return(asked, now)) link.return_after(session_.ping());
}

std::uint64_t ClientCore::acked_seq() const {
    std::uint64_t acked = outbox_.last_seq(Socket::main);
    for (const auto& link : links_) {
        const std::uint64_t oldest = link->oldest_unanswered();
        if (oldest != 0) acked = std::min(acked, oldest - 1);
    }
    return acked;
}

void ClientCore::pump(Now now) {
    if (!session_.open()) return;
    for (const auto& link : links_) {
        if (main_writable_) link->pump(session_.limits(), acked_seq(), ids_, now, false);
        if (link->ask(session_.limits(), now)) begin_return(*link, false, now);
    }
    for (const auto& reader : readers_) reader->send_ack(now.time);
    blobs_.pump(blob_writable_, now);
}

}  // namespace scanmq::client
