#pragma once
// Desk: between HTTP requests and the broker: submits, tracks, waits, looks results up.
//
// Role:      owned by the gateway; the routes work through it. Decisions about waiting and keeping are
//            JobBook's, about subscriptions WatchTable's; the desk carries them out over BrokerLink.
// Threads:   the gateway's loop. Callbacks run on it, never inside the call that took them.
// Limits:    DeskOptions; each has a counter.
// See:       docs/HTTP_API.md

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/http/broker_link.hpp"
#include "broker/http/desk_options.hpp"
#include "broker/http/job_book.hpp"
#include "broker/http/problem.hpp"
#include "broker/http/watch_table.hpp"
#include "common/http/responder.hpp"

namespace scanmq::gateway {

struct DeskCounts {
    std::uint64_t lookups{};
    std::uint64_t lookups_found{};
    std::uint64_t lookups_refused{};  // lookups_max
    std::uint64_t watches_refused{};  // watches_max
    std::uint64_t fetches{};
    std::uint64_t fetches_failed{};
    std::uint64_t entries{};  // seen
    std::uint64_t gaps{};     // entries that were gone before they were read
};

class Desk {
  public:
    template <class T>
    using Answer = Result<T, Problem>;
    using OnQueue = std::function<void(std::optional<Problem>)>;
    // The track is null when it was forgotten meanwhile.
    using OnWake = std::function<void(WakeReason, const Id128&, const Track*)>;
    using OnRows = std::function<void(Answer<std::vector<protocol::Row>>)>;
    using OnStates = std::function<void(Answer<std::vector<protocol::JobState>>)>;
    using OnGroup = std::function<void(Answer<protocol::GroupState>)>;
    // Entries of the pattern, in order; `complete`: all that the stream keeps were seen.
    struct Found {
        std::vector<std::pair<std::string, Ended>> entries;  // subject, how it ended
        bool complete = false;
        std::optional<Problem> problem;
    };
    using OnFound = std::function<void(Found)>;

    Desk(boost::asio::io_context& loop, DeskOptions options);
    ~Desk();
    Desk(const Desk&) = delete;
    Desk& operator=(const Desk&) = delete;

    [[nodiscard]] client::Result<void> start();
    // Wakes everybody who waits, with no_room and no track; then ends the session.
    void stop();
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

    // Calls back once the queue is known to exist; `create`: makes it, for pure jobs. Problem: 404
    // naming the nearest.
    void with_queue(const std::string& queue, bool create, OnQueue then);

    // Submits the job and tracks it. Precondition: its queue is known, its id set and not tracked.
    [[nodiscard]] std::optional<Problem> submit(NewJob track, const client::Job& job);
    // Tracks a batch whose jobs follow.
    [[nodiscard]] std::optional<Problem> begin_batch(NewJob batch, std::uint32_t symbols,
                                                     std::uint32_t limit);
    // Counts a job of a batch that could not be submitted.
    void refuse_member(const Id128& batch, const std::string& symbol, const Problem& why);

    // Calls back when the tracked job ended, or after `patience` (see JobBook::wait), unless the
    // client goes away before. Precondition: it is tracked and has not ended.
    [[nodiscard]] std::optional<Problem> wait(const Id128& id, Duration patience,
                                              const http::Responder& client, OnWake on_wake);
    [[nodiscard]] const Track* find(const Id128& id) const { return book_.find(id); }
    void touch(const Id128& id) { book_.touch(id, now()); }
    // Keeps what a search has found.
    void keep(NewJob track, Ended ended);

    void cancel(const std::string& queue, const std::vector<Id128>& jobs,
                const OnStates& on_states);
    void query(std::string topic, std::string key, OnRows on_rows);
    void group(protocol::Message request, OnGroup on_group);
    // Reads the stream from the time in `id` on, at most `entries_max` entries of that pattern;
    // `of_job`: that job's only.
    void look_up(const std::string& queue, std::string pattern, const Id128& id, bool of_job,
                 std::size_t entries_max, OnFound on_found);

    [[nodiscard]] BrokerLink& link() noexcept { return link_; }
    [[nodiscard]] const BrokerLink& link() const noexcept { return link_; }
    [[nodiscard]] const JobBook& book() const noexcept { return book_; }
    [[nodiscard]] const DeskCounts& counts() const noexcept { return counts_; }
    [[nodiscard]] std::size_t watches() const noexcept { return watches_.size(); }
    [[nodiscard]] const DeskOptions& options() const noexcept { return options_; }
    [[nodiscard]] static Time now() { return std::chrono::steady_clock::now(); }

  private:
    struct Lookup {
        std::size_t entries_max{};
        std::optional<Id128> job;  // whose entry alone counts
        Found found;
        OnFound on_found;
        Time deadline{};
        Time next_ping = Time::max();  // once it is under way
        std::uint64_t end_offset{};    // of the stream when the search began
        std::size_t fetching{};
        bool ended = false;  // but for what is being fetched
    };
    struct Fetch {
        ContentId content;
        std::function<void(client::Result<std::string>)> on_body;
    };

    void obey();
    void on_answers(std::span<const client::JobAnswer> answers);
    void on_entries(std::uint64_t subscription, const client::EntryBatch& batch);
    void on_changed(std::uint64_t subscription, const client::SubscriptionInfo& info);
    void take(const protocol::Entry& entry);
    void end(const Id128& id, Ended ended);
    [[nodiscard]] std::optional<Problem> watch(const WatchTable::Key& key);
    void search(std::uint64_t subscription, const client::EntryBatch& batch);
    void add_found(std::uint64_t subscription, std::string subject, Ended ended);
    void ping_lookups(Time at);
    void end_lookup(std::uint64_t subscription, bool complete);
    void finish_lookup(std::uint64_t subscription);
    void fetch(const protocol::Body& body,
               std::function<void(client::Result<std::string>)> on_body);
    void next_fetch();
    void unknown_queue(const std::string& queue, const OnQueue& then);
    void look();
    void arm();

    const DeskOptions options_;
    boost::asio::io_context& loop_;
    JobBook book_;
    BookEffects effects_;
    WatchTable watches_;
    std::set<std::string> queues_;  // known to exist
    std::unordered_map<Waiter, OnWake> waiters_;
    Waiter last_waiter_ = 0;
    std::map<std::uint64_t, Lookup> lookups_;  // by subscription
    std::set<Id128> fetching_;
    std::deque<Fetch> fetches_;
    std::uint32_t fetches_running_ = 0;
    boost::asio::steady_timer timer_;
    Time armed_ = Time::max();
    DeskCounts counts_;
    bool stopping_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // for callbacks that outlive this
    BrokerLink link_;  // last: its callbacks use the rest
};

}  // namespace scanmq::gateway
