// QueryHandler: topics subscriptions, aliases and standing.

#include <algorithm>

#include "broker/core/millis.hpp"
#include "broker/core/query_handler.hpp"

namespace scanmq::broker {

using protocol::Row;

namespace {

// More rows than that are counted, not made: there may be millions.
constexpr std::size_t kRowsMax = protocol::kLimits.items_per_frame_max;

// A row's text has at most sentence_bytes_max bytes.
std::string joined(const std::vector<std::string>& names) {
    constexpr std::string_view kMore = " ...";
    constexpr std::size_t kMost = protocol::kLimits.sentence_bytes_max - kMore.size();
    std::string out;
    for (const std::string& name : names) {
        if (out.size() + 2 + name.size() > kMost) return out.append(kMore);
        if (!out.empty()) out += ", ";
        out += name;
    }
    return out;
}

struct Standing {
    std::string name;
    std::uint64_t session = 0;
    std::string pattern;
    std::uint64_t cursor = 0;
    std::uint64_t told = 0;
    std::uint64_t lapses_ms = 0;
};

Row row_of(const Queue& queue, Standing s) {
    const std::uint64_t next = queue.stream.next();
    return {{"queue", queue.name},
            {"name", std::move(s.name)},
            {"session", s.session},
            {"pattern", std::move(s.pattern)},
            {"cursor", s.cursor},
            {"behind", next - std::min(s.cursor, next)},
            {"unacked", s.told - std::min(s.cursor, s.told)},
            {"lapses_ms", s.lapses_ms}};
}

}  // namespace

std::uint64_t subscription_count(const Queue& queue) {
    return queue.subscriptions.size() + queue.cursors.idle();
}

QueryHandler::Rows QueryHandler::subscriptions(const std::string& key,
                                               std::uint64_t& left_out) const {
    Rows rows;
    const auto add = [&](const Queue& queue, auto&& make) {
        if (rows.size() >= kRowsMax) {
            ++left_out;
        } else {
            rows.push_back(row_of(queue, make()));
        }
    };
    for (const auto& queue : state_->queues) {
        if (!queue || queue->deleting || (!key.empty() && queue->name != key)) continue;
        const std::uint64_t ttl = queue->settings.subscription_ttl_ms;
        const auto session_of = [&](const Subscription& subscription) {
            return state_->sessions.by_slot(subscription.session())->id.value;
        };
        for (const auto& [name, cursor] : queue->cursors.all()) {
            if (cursor.lapsed) continue;
            add(*queue, [&, &c = cursor] {
                if (c.holder == nullptr) {
                    const std::uint64_t idle = millis(state_->now - c.since);
                    return Standing{c.name,        0,
                                    c.pattern,     c.next_offset,
                                    c.next_offset, ttl - std::min(idle, ttl)};
                }
                return Standing{c.name,        session_of(*c.holder), c.pattern,
                                c.next_offset, c.holder->told(),      ttl};
            });
        }
        for (const Subscription* const one : queue->subscriptions) {
            if (one->cursor() != nullptr) continue;
            add(*queue, [&] {
                return Standing{{}, session_of(*one), one->pattern(), one->told(), one->told(), 0};
            });
        }
    }
    return rows;
}

QueryHandler::Rows QueryHandler::standing(std::uint64_t& left_out) const {
    Rows rows;
    for (const auto& [name, scan] : state_->standing.all()) {
        if (rows.size() >= kRowsMax) {
            left_out = state_->standing.size() - rows.size();
            break;
        }
        Row row{{"name", name},
                {"queue", scan.job.queue},
                {"subject", scan.job.subject},
                {"aliases", joined(scan.job.aliases)},
                {"min_interval_ms", scan.job.min_interval_ms},
                {"runs", scan.runs}};
        if (scan.last_run != Time{}) {
            row.emplace_back("last_run_ms", millis(state_->now - scan.last_run));
        }
        row.emplace_back("pending", std::uint64_t{scan.is_pending()});
        row.emplace_back("skipped", scan.skipped);
        row.emplace_back("last_error", scan.problem);
        rows.push_back(std::move(row));
    }
    return rows;
}

QueryHandler::Rows QueryHandler::aliases(std::uint64_t& left_out) const {
    Rows rows;
    for (const auto& [name, alias] : state_->aliases.all()) {
        if (alias.id.is_zero()) continue;
        if (rows.size() >= kRowsMax) {
            left_out = state_->aliases.size() - rows.size();
            break;
        }
        rows.push_back({{"alias", name}, {"id", alias.id.hex()}, {"generation", alias.generation}});
    }
    return rows;
}

}  // namespace scanmq::broker
