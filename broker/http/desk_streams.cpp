// Desk's half that reads streams: entries of jobs under way, searches, large results.

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "broker/http/desk.hpp"

namespace scanmq::gateway {

using protocol::ErrorCode;

namespace {

// Between two questions how far a search has come.
constexpr Duration kPingInterval = std::chrono::milliseconds(50);
// A job's entry cannot be older than its id; clocks of clients that draw ids may differ a little.
constexpr std::uint64_t kIdSlackMs = 60'000;

Ended ended_of(const protocol::Entry& entry) {
    Ended out;
    out.outcome = entry.outcome;
    out.code = entry.code;
    out.sentence = entry.sentence;
    out.group = entry.group;
    if (!entry.body.is_blob()) out.body = entry.body.bytes;
    return out;
}

void set_body(Ended& ended, client::Result<std::string> body) {
    if (body) {
        ended.body = std::move(*body);
        return;
    }
    ended.code = body.error().code == ErrorCode::none ? ErrorCode::unknown_blob : body.error().code;
    ended.sentence = "its result could not be fetched: " + body.error().sentence;
}

// When the id was drawn, as UUIDv7 says it; 0: it is none.
std::uint64_t millis_of(const Id128& id) {
    if ((id.bytes[6] >> 4) != 7) return 0;
    std::uint64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i) ms = (ms << 8) | id.bytes[i];
    return ms;
}

}  // namespace

void Desk::on_entries(std::uint64_t subscription, const client::EntryBatch& batch) {
    if (lookups_.contains(subscription)) return search(subscription, batch);
    if (batch.gap) ++counts_.gaps;
    for (const protocol::Entry& entry : batch.entries) take(entry);
}

void Desk::take(const protocol::Entry& entry) {
    ++counts_.entries;
    if (entry.kind != protocol::EntryKind::job) return;
    const Track* track = book_.find(entry.id);
    if (track == nullptr || track->stage == Stage::ended || fetching_.contains(entry.id)) return;
    Ended ended = ended_of(entry);
    if (!entry.body.is_blob()) return end(entry.id, std::move(ended));
    fetching_.insert(entry.id);
    auto held = std::make_shared<Ended>(std::move(ended));
    fetch(entry.body, [this, id = entry.id, held](client::Result<std::string> body) {
        fetching_.erase(id);
        set_body(*held, std::move(body));
        end(id, std::move(*held));
    });
}

void Desk::on_changed(std::uint64_t subscription, const client::SubscriptionInfo& info) {
    const auto found = lookups_.find(subscription);
    if (found != lookups_.end()) {
        Lookup& lookup = found->second;
        if (lookup.ended) return;
        if (info.state == client::SubscriptionState::failed) {
            lookup.found.problem = problem_of(info.code, info.sentence);
            end_lookup(subscription, false);
        } else if (info.state == client::SubscriptionState::active) {
            lookup.end_offset = info.end_offset;
            if (info.position.next_offset >= info.end_offset) return end_lookup(subscription, true);
            // Where nothing matches, only a ping tells how far it has come.
            lookup.next_ping = now() + kPingInterval;
            link_.ping();
            arm();
        }
        return;
    }
    if (info.state != client::SubscriptionState::failed) return;
    // The queue was deleted, most likely. Whoever waits learns from a time-out and a question.
    const WatchTable::Key key = watches_.drop(subscription);
    queues_.erase(key.first);
    link_.unsubscribe(subscription);
}

void Desk::look_up(const std::string& queue, std::string pattern, const Id128& id, bool of_job,
                   std::size_t entries_max, OnFound on_found) {
    const auto refuse = [&](Problem problem) {
        Found found;
        found.problem = std::move(problem);
        boost::asio::post(loop_, [on_found = std::move(on_found), found]() { on_found(found); });
    };
    if (lookups_.size() >= options_.lookups_max) {
        ++counts_.lookups_refused;
        return refuse({503, "lookups_max", "too many searches for results are under way; ask again",
                       std::chrono::seconds(1)});
    }
    client::StreamOptions options;
    options.queue = queue;
    options.pattern = std::move(pattern);
    const std::uint64_t ms = millis_of(id);
    options.from = ms > kIdSlackMs ? protocol::StartFrom::time : protocol::StartFrom::earliest;
    options.offset = ms > kIdSlackMs ? ms - kIdSlackMs : 0;
    options.credit_items = 1024;
    options.credit_bytes = 2U << 20;
    auto subscription = link_.subscribe(options);
    if (!subscription) return refuse(problem_of(subscription.error()));
    ++counts_.lookups;
    Lookup& lookup = lookups_[*subscription];
    lookup.entries_max = entries_max;
    if (of_job) lookup.job = id;
    lookup.on_found = std::move(on_found);
    lookup.deadline = now() + options_.lookup_timeout;
    lookup.end_offset = ~std::uint64_t{0};
    arm();
}

void Desk::search(std::uint64_t subscription, const client::EntryBatch& batch) {
    for (const protocol::Entry& entry : batch.entries) {
        const auto now_is = lookups_.find(subscription);
        if (now_is == lookups_.end() || now_is->second.ended) return;
        if (entry.kind != protocol::EntryKind::job) continue;
        if (now_is->second.job && entry.id != *now_is->second.job) continue;
        Ended ended = ended_of(entry);
        std::string subject(entry.subject);
        if (entry.body.is_blob()) {
            ++now_is->second.fetching;
            auto held = std::make_shared<Ended>(std::move(ended));
            fetch(entry.body,
                  [this, subscription, subject, held](client::Result<std::string> body) {
                      const auto found = lookups_.find(subscription);
                      if (found == lookups_.end()) return;
                      --found->second.fetching;
                      set_body(*held, std::move(body));
                      add_found(subscription, subject, std::move(*held));
                  });
        } else {
            add_found(subscription, std::move(subject), std::move(ended));
        }
    }
    const auto still = lookups_.find(subscription);
    if (still != lookups_.end() && !still->second.ended &&
        batch.position.next_offset >= still->second.end_offset) {
        end_lookup(subscription, true);
    }
}

void Desk::add_found(std::uint64_t subscription, std::string subject, Ended ended) {
    Lookup& lookup = lookups_.at(subscription);
    lookup.found.entries.emplace_back(std::move(subject), std::move(ended));
    if (lookup.ended) return finish_lookup(subscription);
    if (lookup.found.entries.size() + lookup.fetching >= lookup.entries_max) {
        end_lookup(subscription, true);
    }
}

void Desk::ping_lookups(Time at) {
    bool due = false;
    for (auto& [subscription, lookup] : lookups_) {
        if (lookup.ended || lookup.next_ping > at) continue;
        lookup.next_ping = at + kPingInterval;
        due = true;
    }
    if (due) link_.ping();
}

void Desk::end_lookup(std::uint64_t subscription, bool complete) {
    Lookup& lookup = lookups_.at(subscription);
    lookup.ended = true;
    lookup.found.complete = complete;
    link_.unsubscribe(subscription);
    finish_lookup(subscription);
}

void Desk::finish_lookup(std::uint64_t subscription) {
    const auto found = lookups_.find(subscription);
    if (found->second.fetching > 0) return;
    Lookup done = std::move(found->second);
    lookups_.erase(found);
    if (!done.found.entries.empty()) ++counts_.lookups_found;
    boost::asio::post(loop_, [done = std::make_shared<Lookup>(std::move(done))] {
        done->on_found(std::move(done->found));
    });
}

void Desk::fetch(const protocol::Body& body,
                 std::function<void(client::Result<std::string>)> on_body) {
    fetches_.push_back({*ContentId::from_bytes(body.bytes), std::move(on_body)});
    next_fetch();
}

// A few at a time: results may be large, and all of them are held while they come.
void Desk::next_fetch() {
    while (fetches_running_ < options_.fetches_max && !fetches_.empty()) {
        Fetch next = std::move(fetches_.front());
        fetches_.pop_front();
        ++fetches_running_;
        ++counts_.fetches;
        link_.get_blob(next.content, options_.fetch_timeout,
                       [this, on_body = std::move(next.on_body)](client::Result<std::string> body) {
                           --fetches_running_;
                           if (!body) ++counts_.fetches_failed;
                           on_body(std::move(body));
                           next_fetch();
                       });
    }
}

}  // namespace scanmq::gateway
