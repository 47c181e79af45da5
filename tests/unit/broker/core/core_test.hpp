#pragma once
// CoreTest: a queue "q", a producer with credit and a subscriber that sees every entry; short words
//           for what job tests do all the time.

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/rows.hpp"
#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker::testing {

using protocol::AttemptOutcome;
using protocol::Credit;
using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::JobOptions;
using protocol::JobState;
using protocol::Verdict;
using Numbers = std::vector<std::uint64_t>;

[[nodiscard]] inline std::uint64_t number_of(const Id128& id) {
    std::uint64_t number = 0;
    for (std::size_t i = 7; i-- > 0;) number = number << 8 | id.bytes[9 + i];
    return number;
}

// A broker that asks a tier for results.
[[nodiscard]] inline BrokerOptions shared_tier(
    std::uint32_t look_ups_max = BrokerOptions{}.look_ups_max) {
    BrokerOptions options;
    options.cache_shared = true;
    options.look_ups_max = look_ups_max;
    return options;
}

// JobOptions that this broker honours, for designated initializers.
struct Options {
    std::uint32_t priority = JobOptions::kDefaultPriority;
    std::uint64_t delay_ms = 0;
    std::uint64_t deadline_ms = 0;
    std::string_view conflate_key = {};
    std::uint32_t flags = 0;
    std::optional<std::int64_t> as_of_ns = {};
    std::string_view flow = {};
};

[[nodiscard]] inline protocol::Job job_with(std::uint64_t number, const Options& options,
                                            std::string_view payload = "payload") {
    protocol::Job out = job(number, "SPY.vertical", payload);
    out.options = std::make_unique<JobOptions>();
    out.options->priority = options.priority;
    out.options->delay_ms = options.delay_ms;
    out.options->deadline_ms = options.deadline_ms;
    out.options->conflate_key = options.conflate_key;
    out.options->flags = options.flags;
    out.options->as_of_ns = options.as_of_ns;
    out.options->flow = options.flow;
    return out;
}

class CoreTest : public ::testing::Test {
  protected:
    explicit CoreTest(const protocol::Settings& settings = {}, const BrokerOptions& options = {})
        : h(options) {
        h.create_queue("q", settings);
        producer = &h.producer();
        producer->send(protocol::Want{"q", {}, {16'000, 16U << 20}});
        producer->inbox.clear();
        subscriber = &h.subscriber();
        subscriber->send(protocol::Subscribe{1, "q", ">", {}, 0, {}, "", kPlenty});
        subscriber->inbox.clear();
        h.changes.clear();
        h.partitions.clear();
    }

    void alter(const protocol::Settings& settings) {
        h.op().send(protocol::QueueAlter{"q", settings});
        h.op().next<protocol::Ok>();
    }
    void control(protocol::QueueAction action) {
        h.op().send(protocol::QueueControl{"q", action});
        h.op().next<protocol::Ok>();
    }
    // The answer to a SUBMIT of these.
    protocol::Accepted& offer(std::vector<protocol::Job> list, Id128 group = {}) {
        producer->send(submit("q", std::move(list), group));
        return producer->next<protocol::Accepted>();
    }
    void accept(std::vector<protocol::Job> list, Id128 group = {}) {
        for (const auto& verdict : offer(std::move(list), group).exceptions) {
            EXPECT_EQ(verdict.verdict, Verdict::coalesced) << verdict.sentence;
        }
    }
    void accept(std::uint64_t number, const Options& options = {},
                std::string_view payload = "payload") {
        accept(jobs(job_with(number, options, payload)));
    }
    // What the job is answered: accepted, or the verdict.
    Verdict verdict(protocol::Job one) {
        const auto& answer = offer(jobs(std::move(one)));
        return answer.exceptions.empty() ? Verdict::accepted : answer.exceptions[0].verdict;
    }
    // The code with which the job is refused.
    ErrorCode refused(protocol::Job one, Id128 group = {}) {
        const auto& answer = offer(jobs(std::move(one)), group);
        if (answer.exceptions.size() != 1) return ErrorCode::none;
        EXPECT_EQ(answer.exceptions[0].verdict, Verdict::refused);
        EXPECT_FALSE(answer.exceptions[0].sentence.empty());
        return answer.exceptions[0].code;
    }

    Peer& worker(const std::string& name = "worker", Credit credit = kPlenty,
                 protocol::WorkerInfo info = {}) {
        Peer& peer = h.worker(std::move(info), name);
        grant(peer, credit);
        return peer;
    }
    // A worker whose scanner is of that version.
    Peer& of_version(const std::string& name, const std::string& scanner = "1",
                     Credit credit = kPlenty, std::vector<std::string> queues = {}) {
        return worker(name, credit, {1, scanner, std::move(queues), {}});
    }
    static void grant(Peer& peer, Credit limit) {
        peer.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, limit});
    }
    // Every attempt in the worker's inbox, as job numbers; the counters are those of the last call.
    Numbers given(Peer& peer) {
        Numbers out;
        counters.clear();
        while (peer.count<protocol::Deliver>() > 0) {
            for (const auto& attempt : peer.next<protocol::Deliver>().attempts) {
                out.push_back(number_of(attempt.job));
                counters.push_back(attempt.counter);
            }
        }
        return out;
    }
    Numbers revoked(Peer& peer) {
        Numbers out;
        while (peer.count<protocol::Revoke>() > 0) {
            for (const auto& token : peer.next<protocol::Revoke>().tokens) {
                EXPECT_EQ(token.epoch, 7U);
                out.push_back(token.counter);
            }
        }
        return out;
    }
    static void answer(Peer& peer, const Numbers& attempts, AttemptOutcome outcome,
                       std::string_view sentence = "") {
        peer.send(
            done(attempts, outcome, {}, outcome == AttemptOutcome::done ? "result" : "", sentence));
    }
    static void heartbeat(Peer& peer, const Numbers& running = {}) {
        protocol::Heartbeat message;
        for (const std::uint64_t counter : running) message.running.push_back({7, counter});
        peer.send(std::move(message));
    }
    static protocol::WorkerInfo::Held held(std::uint64_t counter, bool started,
                                           std::uint64_t epoch = 7) {
        return {{epoch, counter}, started};
    }
    // The worker dies; the broker notices by its silence.
    void lose(Peer& peer, std::initializer_list<Peer*> others = {}) {
        h.disconnect(peer);
        for (int i = 0; i < 20 && h.core.session_open(peer.session); ++i) {
            for (Peer* other : others) other->send(protocol::Heartbeat{});
            keep();
            h.advance(1s);
        }
        EXPECT_FALSE(h.core.session_open(peer.session));
    }
    void keep() {
        producer->send(protocol::Heartbeat{});
        subscriber->send(protocol::Heartbeat{});
        h.op().send(protocol::Heartbeat{});
    }
    // Time goes on, the peers being heard.
    void pass(Duration by, std::initializer_list<Peer*> others = {}) {
        for (Duration left = by; left > Duration{};) {
            const Duration step = std::min<Duration>(left, 2s);
            left -= step;
            h.now += step;
            for (Peer* other : others) other->post(protocol::Heartbeat{});
            producer->post(protocol::Heartbeat{});
            subscriber->post(protocol::Heartbeat{});
            h.op().post(protocol::Heartbeat{});
            h.flush();
            h.tick();
        }
    }

    struct End {
        std::uint64_t number;
        FinalOutcome outcome;
        ErrorCode code;
        std::string sentence;
        friend bool operator==(const End&, const End&) = default;
    };
    // The entries of jobs since the last call, in order.
    std::vector<End> ends() {
        std::vector<End> out;
        while (subscriber->count<protocol::Results>() > 0) {
            for (const auto& e : subscriber->next<protocol::Results>().entries) {
                EXPECT_EQ(e.offset, next_offset++);
                if (e.kind != protocol::EntryKind::job) continue;
                out.push_back({number_of(e.id), e.outcome, e.code, std::string(e.sentence)});
            }
        }
        return out;
    }
    // The one entry since the last call.
    End end() {
        const auto all = ends();
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? End{} : all.front();
    }
    // The changes of that type since the last call of this for it, and their order among all.
    template <class Change>
    std::vector<Change> changed() {
        std::vector<Change> out;
        for (const change::Any& any : h.changes) {
            if (const auto* one = std::get_if<Change>(&any)) out.push_back(*one);
        }
        return out;
    }
    void forget_changes() {
        h.changes.clear();
        h.partitions.clear();
    }
    std::uint64_t queue_row(const std::string& column) { return h.row("queues", "q", column); }
    // A row of topic `job` of that job, as text.
    std::string job_row(std::uint64_t number, const std::string& column) {
        h.op().send(protocol::Query{"job", "q/" + job_id(number).hex()});
        if (h.op().count<protocol::Answer>() == 0) return std::string(to_string(h.op().error()));
        return value(h.op().next<protocol::Answer>().rows.at(0), column);
    }
    static std::string value(const protocol::Row& row, const std::string& column) {
        return tests::column(row, column).value_or("no such column");
    }
    Numbers cancel(const Numbers& numbers) {
        protocol::Cancel message{"q", {}};
        for (const std::uint64_t number : numbers) message.jobs.push_back(job_id(number));
        producer->send(std::move(message));
        Numbers states;
        for (const JobState state : producer->next<protocol::Cancelled>().states) {
            states.push_back(static_cast<std::uint64_t>(state));
        }
        return states;
    }

    Harness h;
    Peer* producer = nullptr;
    Peer* subscriber = nullptr;
    Numbers counters;
    std::uint64_t next_offset = 0;
};

}  // namespace scanmq::broker::testing
