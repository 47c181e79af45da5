#include "client/core/request_table.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace scanmq::client {

using protocol::ErrorCode;
using protocol::Message;

namespace {

// The payload stays the caller's until it has its answer.
Message copy(const protocol::StandingSet& from) {
    protocol::StandingSet out;
    out.name = from.name;
    out.queue = from.queue;
    out.subject = from.subject;
    out.payload = from.payload;
    out.aliases = from.aliases;
    out.min_interval_ms = from.min_interval_ms;
    if (from.options) out.options = std::make_unique<protocol::JobOptions>(*from.options);
    return out;
}

// Requests hold strings of their own, so a second sending is a copy. Only these kinds are requests.
Message copy(const Message& message) {
    if (const auto* m = std::get_if<protocol::StandingSet>(&message)) return copy(*m);
    if (const auto* m = std::get_if<protocol::StandingDrop>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::Query>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::GroupOpen>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::GroupSeal>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::GroupQuery>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::QueueCreate>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::QueueAlter>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::FlowSet>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::QueueVersion>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::QueueDelete>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::QueueControl>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::Cancel>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::DeadLetters>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::AliasSet>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::Backup>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::CacheGet>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::CacheDrop>(&message)) return *m;
    if (const auto* m = std::get_if<protocol::Unsubscribe>(&message)) return *m;
    SCANMQ_ASSERT(false);
}

bool after_subscriptions(const Message& message) {
    return std::holds_alternative<protocol::Unsubscribe>(message);
}

}  // namespace

std::uint64_t RequestTable::add(Message message, Time deadline, bool open) {
    if (rows_.size() >= requests_max_) return 0;
    Row row{++last_id_, 0, false, deadline, std::move(message)};
    if (open) row.seq = outbox_.main(copy(row.message));
    rows_.push_back(std::move(row));
    return last_id_;
}

void RequestTable::forget(std::uint64_t id) {
    std::erase_if(rows_, [id](const Row& row) { return row.id == id; });
}

void RequestTable::opened() {
    for (Row& row : rows_) {
        if (!after_subscriptions(row.message)) row.seq = outbox_.main(copy(row.message));
    }
}

void RequestTable::opened_after_subscriptions() {
    for (Row& row : rows_) {
        if (after_subscriptions(row.message)) row.seq = outbox_.main(copy(row.message));
    }
}

void RequestTable::lost() {
    for (Row& row : rows_) {
        if (row.seq != 0) row.repeated = true;
        row.seq = 0;
    }
}

void RequestTable::expire(Time now) {
    for (std::size_t i = rows_.size(); i-- > 0;) {
        if (now < rows_[i].deadline) continue;
        done(rows_.begin() + static_cast<std::ptrdiff_t>(i),
             fail(Error{ErrorKind::timed_out, ErrorCode::none,
                        "the broker did not answer in time; the request may still take effect"}));
    }
}

void RequestTable::fail_all(const Error& error) {
    while (!rows_.empty()) done(rows_.end() - 1, fail(error));
}

std::vector<RequestTable::Row>::iterator RequestTable::by_seq(std::uint64_t seq) {
    return std::find_if(rows_.begin(), rows_.end(),
                        [seq](const Row& row) { return row.seq != 0 && row.seq == seq; });
}

void RequestTable::done(std::vector<Row>::iterator row, Result<Message> reply) {
    outbox_.notify(RequestDone{row->id, std::move(reply), row->repeated});
    rows_.erase(row);
}

bool RequestTable::on_reply(std::uint64_t re, const Message& reply) {
    const auto row = by_seq(re);
    if (row == rows_.end()) return false;
    if (const auto* ok = std::get_if<protocol::Ok>(&reply)) {
        done(row, Message{*ok});
    } else if (const auto* state = std::get_if<protocol::GroupState>(&reply)) {
        done(row, Message{*state});
    } else if (const auto* answer = std::get_if<protocol::Answer>(&reply)) {
        done(row, Message{*answer});
    } else if (const auto* cancelled = std::get_if<protocol::Cancelled>(&reply)) {
        done(row, Message{*cancelled});
    } else if (const auto* dead = std::get_if<protocol::DeadDone>(&reply)) {
        done(row, Message{*dead});
    } else if (const auto* backup = std::get_if<protocol::BackupDone>(&reply)) {
        done(row, Message{*backup});
    } else if (const auto* values = std::get_if<protocol::CacheValues>(&reply)) {
        done(row, Message{*values});
    } else if (const auto* dropped = std::get_if<protocol::CacheDropped>(&reply)) {
        done(row, Message{*dropped});
    }
    return true;
}

bool RequestTable::on_error(const protocol::Error& error) {
    const auto row = by_seq(error.re);
    if (row == rows_.end()) return false;
    if (error.code == ErrorCode::shutting_down) {
        row->seq = 0;  // asked again in the next session
        return true;
    }
    if (row->repeated) {
        const auto ask_state = [&](const std::string& queue, const Id128& group) {
            row->message = protocol::GroupQuery{queue, group};
            row->seq = outbox_.main(copy(row->message));
        };
        const auto* open = std::get_if<protocol::GroupOpen>(&row->message);
        const auto* seal = std::get_if<protocol::GroupSeal>(&row->message);
        if (open != nullptr && error.code == ErrorCode::group_exists) {
            ask_state(std::string(open->queue), open->group);
            return true;
        }
        if (seal != nullptr && error.code == ErrorCode::group_sealed) {
            ask_state(std::string(seal->queue), seal->group);
            return true;
        }
        if (std::holds_alternative<protocol::QueueDelete>(row->message) &&
            error.code == ErrorCode::unknown_queue) {
            done(row, Message{protocol::Ok{error.re}});
            return true;
        }
    }
    std::string sentence = error.sentence;
    if (row->repeated && std::holds_alternative<protocol::Backup>(row->message)) {
        sentence += " (asked twice, as the session was lost: the first may have made it)";
    }
    done(row, fail(Error{ErrorKind::refused, error.code, std::move(sentence)}));
    return true;
}

Time RequestTable::next_deadline() const noexcept {
    Time next = Time::max();
    for (const Row& row : rows_) next = std::min(next, row.deadline);
    return next;
}

}  // namespace scanmq::client
