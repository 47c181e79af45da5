// BrokerCore under a seeded random life that uses everything jobs can do at once. After every step
// the journal, replayed into a simple model, and the broker's own rows have to agree; in the end
// every accepted job has exactly one entry and nothing is left over.

#include <algorithm>

#include "tests/unit/broker/core/core_test.hpp"
#include "tests/unit/broker/core/replay_model.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::DeadAction;
using protocol::QueueAction;

class Life {
  public:
    explicit Life(std::uint64_t seed) : rng_(seed), h_(options(seed)) {
        for (const auto* name : kQueues) {
            h_.create_queue(name, {{"max_jobs", 40 + rng_.below(60)},
                                   {"max_attempts", 1 + rng_.below(4)},
                                   {"max_crashes", 1 + rng_.below(3)},
                                   {"retry_base_ms", rng_.below(3) * 100},
                                   {"retry_cap_ms", 800},
                                   {"dead_max", rng_.below(20)},
                                   {"low_share", 2 + rng_.below(5)},
                                   {"pure", rng_.below(2)}});
        }
        chain_ = h_.put_blob("chain");
        blob_ = h_.put_blob("a payload that is a blob", protocol::BlobType::body);
        producer_ = &h_.producer();
        subscriber_ = &h_.subscriber();
        for (std::uint64_t q = 0; q < kQueues.size(); ++q) {
            subscriber_->send(protocol::Subscribe{q, kQueues[q], ">", {}, 0, {}, "", kPlenty});
        }
        for (int i = 0; i < 4; ++i) {
            workers_.push_back({&h_.peer(protocol::kWorker, "worker " + std::to_string(i))});
            hello(workers_.back(), false);
        }
    }

    void run(int steps) {
        for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
            SCOPED_TRACE("step " + std::to_string(step));
            h_.now += std::chrono::milliseconds(rng_.below(120));
            tier();
            act();
            settle();
        }
    }
    // Faults stop: everything has to end.
    void heal() {
        healed_ = true;
        for (const auto* name : kQueues) {
            operate(protocol::QueueControl{name, QueueAction::resume});
        }
        seal_groups();
        for (Worker& worker : workers_) hello(worker, true);  // all of one version
        for (int round = 0; round < 300 && !::testing::Test::HasFailure(); ++round) {
            SCOPED_TRACE("healing " + std::to_string(round));
            h_.now += 200ms;
            for (Worker& worker : workers_) work(worker);
            settle();
        }
    }
    void check() {
        if (::testing::Test::HasFailure()) return;
        EXPECT_GT(accepted_.size(), 100U);
        EXPECT_TRUE(h_.core.session_open(subscriber_->session));
        for (const Id128& id : accepted_) ASSERT_EQ(ended_[id], 1) << where(id);
        EXPECT_EQ(ended_.size(), accepted_.size()) << "an entry of what was never accepted";
        EXPECT_EQ(groups_ended_, groups_opened_);
        for (PartitionId p = 1; p <= kQueues.size(); ++p) {
            EXPECT_TRUE(model_.at(p).executions.empty());
            EXPECT_TRUE(model_.at(p).groups.empty());
        }
        for (const auto* name : kQueues) {
            operate(protocol::DeadLetters{name, DeadAction::drop, {}});
            EXPECT_EQ(h_.row("queues", name, "dead_letters"), 0U);
        }
        EXPECT_EQ(h_.pins(chain_), 0U);
        for (const auto* name : kQueues) operate(protocol::QueueDelete{name, false});
        h_.tick();
        EXPECT_EQ(h_.row("broker", "", "queues"), 0U);
        EXPECT_EQ(h_.pins(blob_), 0U);
        EXPECT_TRUE(h_.handles.empty()) << h_.handles.size() << " bodies were never released";
    }
    void count(std::map<std::string, std::uint64_t>& seen) const {
        for (const auto* name : {"jobs_done",
                                 "jobs_rejected",
                                 "jobs_cancelled",
                                 "jobs_dead",
                                 "jobs_expired",
                                 "jobs_superseded",
                                 "jobs_coalesced",
                                 "jobs_duplicate",
                                 "attempts_lost",
                                 "attempts_revoked",
                                 "attempts_overdue",
                                 "attempts_adopted",
                                 "attempts_stale",
                                 "attempts_returned",
                                 "attempts_failed",
                                 "dead_letters_retried",
                                 "dead_letters_dropped",
                                 "dead_letters_pushed_out",
                                 "suspensions",
                                 "jobs_cached",
                                 "cache_late",
                                 "cache_ignored",
                                 "cache_skipped",
                                 "followers_made",
                                 "followers_ended",
                                 "followers_led",
                                 "refused_queue_draining",
                                 "groups_completed",
                                 "sessions_timed_out"}) {
            seen[name] += h_.core.counter(name);
        }
    }

  private:
    std::string where(const Id128& id) {
        std::string out = id.hex();
        for (const auto* queue : kQueues) {
            for (const auto* topic : {"job", "explain"}) {
                h_.op().send(protocol::Query{topic, std::string(queue) + "/" + id.hex()});
                if (h_.op().count<protocol::Answer>() == 0) continue;
                for (const auto& row : h_.op().next<protocol::Answer>().rows) {
                    for (const auto& [name, value] : row) {
                        out += "\n" + name + ": ";
                        if (const auto* text = std::get_if<std::string>(&value)) out += *text;
                        if (const auto* n = std::get_if<std::uint64_t>(&value)) {
                            out += std::to_string(*n);
                        }
                    }
                }
            }
        }
        return out;
    }
    static constexpr std::array<const char*, 2> kQueues{"a", "b"};
    struct Worker {
        Peer* peer;
        struct Attempt {
            std::uint64_t counter;
            bool started = false;
        };
        std::vector<Attempt> held = {};
        Credit received = {};
        Credit limit = {};
        bool silent = false;
        std::string version = "1";
        std::vector<std::uint64_t> forgotten = {};  // no longer its own
    };
    struct Known {
        std::uint64_t number;
        WallMillis made;
        std::size_t queue;
        Id128 id;
    };

    static BrokerOptions options(std::uint64_t seed) {
        BrokerOptions o;
        o.seed = seed;
        o.submit_window_items = 30;
        o.reclaim_idle = 300ms;
        o.max_run = 4s;
        o.cache_shared = seed % 2 == 0;
        o.cache_wait = 100ms;
        o.look_ups_max = 8;
        if (seed % 3 != 0) o.jobs_per_execution_max = static_cast<std::uint32_t>(seed % 3);
        return o;
    }
    template <class M>
    void operate(M message) {
        h_.op().send(std::move(message));
        read_operator();
    }
    [[nodiscard]] WallMillis wall() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(h_.now.time_since_epoch())
            .count();
    }

    // A tier that answers late, twice, for nobody, or not at all.
    void tier() {
        std::vector<CacheAsk> asks;
        asks.swap(h_.asks);
        for (const CacheAsk& ask : asks) {
            const std::uint64_t dice = rng_.below(10);
            if (dice == 0) continue;
            if (dice == 1) {
                h_.asks.push_back(ask);
                continue;
            }
            h_.answer_cache(ask.look_up, dice < 5 ? "from the tier" : "");
            if (dice == 2) h_.answer_cache(ask.look_up, "again");
        }
        if (rng_.below(50) == 0) h_.answer_cache(rng_.below(1'000), "for nobody");
    }
    void act() {
        const std::uint64_t dice = rng_.below(100);
        Worker& worker = workers_[rng_.below(workers_.size())];
        const std::string queue = kQueues[rng_.below(kQueues.size())];
        if (dice < 35) {
            produce(rng_.below(kQueues.size()));
        } else if (dice < 65) {
            work(worker);
        } else if (dice < 72) {
            cancel(queue);
        } else if (dice < 76) {
            const std::uint64_t action = rng_.below(12);
            operate(protocol::QueueControl{queue, action == 0   ? QueueAction::purge
                                                  : action == 1 ? QueueAction::pause
                                                  : action == 2 ? QueueAction::drain
                                                                : QueueAction::resume});
        } else if (dice < 80) {
            operate(protocol::DeadLetters{
                queue, rng_.below(3) == 0 ? DeadAction::drop : DeadAction::retry, {}});
        } else if (dice < 90) {
            fault(worker);
        } else if (dice < 92) {
            group(rng_.below(kQueues.size()));
        } else if (dice < 93) {
            operate(protocol::QueueAlter{queue,
                                         {{"max_attempts", 1 + rng_.below(4)},
                                          {"pure", rng_.below(2)},
                                          {"low_share", 2 + rng_.below(5)}}});
        } else if (dice < 94) {
            h_.now += std::chrono::seconds(rng_.below(60));  // it stood still
        }
    }

    // ---- producer

    std::string_view payload(std::uint64_t number) {
        // Few different ones: pure jobs of them share executions.
        return texts_.emplace_back("payload " + std::to_string(number % 7) +
                                   std::string(number % 5 * 40, 'x'));
    }
    protocol::Job make(const Known& known) {
        // All of it follows from the number: a job that is submitted again is the same.
        Rng rng(known.number);
        protocol::Job one = job(known.number, "SPY.a", payload(known.number));
        one.id = known.id;
        if (rng.below(2) == 0) one.inputs = chain_.view();
        if (rng.below(8) == 0) one.payload = {blob_.view(), 24};
        if (rng.below(4) == 0) return one;
        one.options = std::make_unique<JobOptions>();
        JobOptions& o = *one.options;
        o.priority = static_cast<std::uint32_t>(rng.below(10));
        if (rng.below(4) == 0) o.delay_ms = rng.below(1'500);
        if (rng.below(4) == 0) o.deadline_ms = 1 + rng.below(6'000);
        if (rng.below(4) == 0) o.conflate_key = "key " + std::to_string(rng.below(3));
        if (rng.below(6) == 0) o.as_of_ns = static_cast<std::int64_t>(rng.below(2));
        const std::uint64_t kind = rng.below(4);
        if (kind == 0) o.flags |= JobOptions::kPure;
        if (kind == 1) o.flags |= JobOptions::kNotPure;
        if (rng.below(3) == 0) o.flags |= JobOptions::kFinishLate;
        return one;
    }
    void produce(std::size_t q) {
        auto& [sent, limit] = links_[q];
        if (rng_.below(3) == 0) {
            producer_->send(
                protocol::Want{kQueues[q], sent, {1 + rng_.below(40), rng_.below(9'000)}});
            return read_producer();
        }
        std::vector<Known> batch;
        std::vector<protocol::Job> list;
        for (std::uint64_t n = rng_.below(12); n > 0; --n) {
            Known known{++numbers_, wall(), q, {}};
            known.id = job_id(known.number, known.made);
            if (rng_.below(10) == 0 && !recent_.empty()) {
                const Known& old = recent_[rng_.below(recent_.size())];
                if (old.queue == q && wall() - old.made < 60'000) known = old;
            }
            protocol::Job one = make(known);
            const std::uint64_t bytes = 64 + (one.payload.is_blob() ? 0 : one.payload.bytes.size());
            if (sent.items + 1 > limit.items || sent.bytes + bytes > limit.bytes) break;
            sent = {sent.items + 1, sent.bytes + bytes};
            list.push_back(std::move(one));
            batch.push_back(known);
            recent_.push_back(known);
            if (recent_.size() > 50) recent_.erase(recent_.begin());
        }
        if (list.empty()) return;
        Group* into = groups_[q].open && rng_.below(3) == 0 ? &groups_[q] : nullptr;
        open_[producer_->seq + 1] = {q, batch, into != nullptr};
        producer_->send(submit(kQueues[q], std::move(list), into == nullptr ? Id128{} : into->id));
        read_producer();
    }
    void read_producer() {
        while (!producer_->inbox.empty()) {
            Received frame = std::move(producer_->inbox.front());
            producer_->inbox.pop_front();
            if (auto* accepted = std::get_if<protocol::Accepted>(&frame.message)) {
                const Batch batch = open_.at(accepted->re);
                open_.erase(accepted->re);
                links_[batch.queue].second = accepted->limit;
                std::vector<bool> taken(batch.jobs.size(), true);
                for (const auto& e : accepted->exceptions) {
                    if (e.verdict == Verdict::coalesced || e.verdict == Verdict::cached) continue;
                    taken[e.index] = false;
                    if (e.verdict != Verdict::duplicate) {
                        EXPECT_EQ(e.code, ErrorCode::queue_draining) << e.sentence;
                    }
                }
                for (std::size_t i = 0; i < taken.size(); ++i) {
                    if (!taken[i]) continue;
                    EXPECT_TRUE(accepted_.insert(batch.jobs[i].id).second);
                    if (batch.in_group) ++groups_[batch.queue].count;
                }
                for (const auto& e : accepted->exceptions) {
                    EXPECT_TRUE(e.verdict != Verdict::duplicate ||
                                accepted_.contains(batch.jobs[e.index].id));
                }
            } else if (auto* credit = std::get_if<protocol::CreditGrant>(&frame.message)) {
                links_[credit->queue == kQueues[0] ? 0 : 1].second = credit->limit;
            } else if (auto* reclaim = std::get_if<protocol::Reclaim>(&frame.message)) {
                auto& [sent, limit] = links_[reclaim->queue == kQueues[0] ? 0 : 1];
                limit = sent;
                producer_->send(protocol::Reclaimed{reclaim->queue, sent});
            } else if (auto* error = std::get_if<protocol::Error>(&frame.message)) {
                EXPECT_EQ(error->code, ErrorCode::queue_draining) << error->sentence;
            }
        }
    }
    void cancel(const std::string& queue) {
        protocol::Cancel message{queue, {}};
        for (std::uint64_t n = rng_.below(4); n > 0 && !recent_.empty(); --n) {
            message.jobs.push_back(recent_[rng_.below(recent_.size())].id);
        }
        producer_->send(std::move(message));
        read_producer();
    }
    void group(std::size_t q) {
        if (groups_[q].open) {
            producer_->send(protocol::GroupSeal{kQueues[q], groups_[q].id, groups_[q].count});
            groups_[q].open = false;
        } else {
            groups_[q] = {job_id(++numbers_, wall()), 0, true};
            ++groups_opened_;
            producer_->send(protocol::GroupOpen{kQueues[q], groups_[q].id});
        }
        read_producer();
    }
    void seal_groups() {
        for (std::size_t q = 0; q < kQueues.size(); ++q) {
            if (groups_[q].open) group(q);
        }
    }

    // ---- workers

    void hello(Worker& worker, bool new_process) {
        if (new_process) {
            worker.peer->instance.bytes[15] =
                static_cast<std::uint8_t>(worker.peer->instance.bytes[15] + 1);
            worker.held.clear();
            worker.version = !healed_ && rng_.below(5) == 0 ? "2" : "1";
        }
        protocol::WorkerInfo info{1, worker.version, {}, {}};
        for (const auto& attempt : worker.held) {
            if (healed_ || rng_.below(5) != 0) {
                info.held.push_back({{7, attempt.counter}, attempt.started});
            }
        }
        ASSERT_TRUE(worker.peer->hello(std::move(info)));
        const auto& adopted = worker.peer->adopted;
        std::erase_if(worker.held, [&](const auto& attempt) {
            const bool goes_on = std::any_of(
                adopted.begin(), adopted.end(),
                [&](const protocol::Token& token) { return token.counter == attempt.counter; });
            if (!goes_on) worker.forgotten.push_back(attempt.counter);
            return !goes_on;
        });
        EXPECT_EQ(adopted.size(), worker.held.size());
        worker.received = worker.limit = {};
        worker.silent = false;
    }
    void fault(Worker& worker) {
        switch (rng_.below(7)) {
            case 0:  // a new connection of the same process
                h_.disconnect(*worker.peer);
                settle();
                return hello(worker, false);
            case 1:  // the same connection
                return hello(worker, false);
            case 2:  // it died and is back, before the broker noticed
                h_.disconnect(*worker.peer);
                return hello(worker, true);
            case 3:  // on the same connection, as another process
                return hello(worker, true);
            case 4:
                worker.silent = true;
                return;
            case 5:
                worker.peer->send(protocol::Bye{});
                return hello(worker, true);
            default:
                heartbeat(worker);
        }
    }
    void heartbeat(Worker& worker) {
        protocol::Heartbeat message;
        for (auto& attempt : worker.held) {
            attempt.started = attempt.started || rng_.below(3) == 0;
            if (attempt.started) message.running.push_back({7, attempt.counter});
        }
        worker.peer->post(std::move(message));
    }
    void work(Worker& worker) {
        read(worker);
        if (worker.silent && !healed_) return;
        protocol::Done message;
        message.epoch = 7;
        std::vector<Worker::Attempt> kept;
        for (const auto& attempt : worker.held) {
            if (!healed_ && rng_.below(3) == 0) {
                kept.push_back(attempt);
                continue;
            }
            protocol::Outcome& outcome = message.outcomes.emplace_back();
            outcome.counter = attempt.counter;
            const std::uint64_t dice = healed_ ? 0 : rng_.below(10);
            outcome.outcome = dice < 5    ? AttemptOutcome::done
                              : dice == 5 ? AttemptOutcome::rejected
                              : dice == 6 ? AttemptOutcome::returned
                                          : AttemptOutcome::failed;
            if (outcome.outcome == AttemptOutcome::done) outcome.body.bytes = "result";
            outcome.sentence = texts_.emplace_back("sentence " + std::to_string(dice));
        }
        worker.held = std::move(kept);
        if (!worker.forgotten.empty() && rng_.below(4) == 0) {
            // An answer that comes too late.
            message.outcomes.emplace_back().counter = worker.forgotten.back();
            message.outcomes.back().outcome = AttemptOutcome::done;
            message.outcomes.back().body.bytes = "late";
            worker.forgotten.pop_back();
        }
        const std::uint64_t more = healed_ ? 10 : rng_.below(6);
        worker.limit.items = std::max(worker.limit.items, worker.received.items + more);
        worker.limit.bytes += more * 200;
        message.limit = worker.limit;
        worker.peer->send(std::move(message));
        read(worker);
    }
    void read(Worker& worker) {
        bool greet = false;
        while (!worker.peer->inbox.empty()) {
            Received frame = std::move(worker.peer->inbox.front());
            worker.peer->inbox.pop_front();
            if (auto* deliver = std::get_if<protocol::Deliver>(&frame.message)) {
                for (const auto& attempt : deliver->attempts) {
                    worker.held.push_back({attempt.counter});
                    ++worker.received.items;
                }
                EXPECT_LE(worker.received.items, worker.limit.items) << "over credit";
            } else if (auto* revoke = std::get_if<protocol::Revoke>(&frame.message)) {
                for (const protocol::Token& token : revoke->tokens) {
                    EXPECT_EQ(
                        std::count_if(worker.held.begin(), worker.held.end(),
                                      [&](const auto& a) { return a.counter == token.counter; }),
                        1)
                        << "revoked what it does not have";
                }
            } else if (auto* error = std::get_if<protocol::Error>(&frame.message)) {
                if (error->code == ErrorCode::stale_attempt) continue;
                EXPECT_EQ(error->code, ErrorCode::unknown_session) << error->sentence;
                greet = true;
            } else if (std::holds_alternative<protocol::Bye>(frame.message)) {
                greet = true;
            }
        }
        if (greet) hello(worker, rng_.below(2) == 0);
    }

    // ---- everybody

    void settle() {
        for (Worker& worker : workers_) {
            if (!worker.silent || healed_) heartbeat(worker);
        }
        producer_->post(protocol::Heartbeat{});
        subscriber_->post(protocol::Heartbeat{});
        h_.op().post(protocol::Heartbeat{});
        h_.flush();
        h_.tick();
        for (Worker& worker : workers_) {
            if (!worker.silent || healed_) read(worker);
        }
        read_producer();
        read_results();
        h_.tick();
        replay();
        compare();
    }
    void read_operator() {
        while (!h_.op().inbox.empty()) {
            Received frame = std::move(h_.op().inbox.front());
            h_.op().inbox.pop_front();
            if (auto* done = std::get_if<protocol::DeadDone>(&frame.message)) {
                for (const auto& one : done->jobs) {
                    if (!one.retry.is_zero()) accepted_.insert(one.retry);
                }
            } else if (auto* error = std::get_if<protocol::Error>(&frame.message)) {
                EXPECT_TRUE(error->code == ErrorCode::queue_full ||
                            error->code == ErrorCode::queue_draining)
                    << error->sentence;
            }
        }
    }
    void read_results() {
        while (!subscriber_->inbox.empty()) {
            const Received frame = std::move(subscriber_->inbox.front());
            subscriber_->inbox.pop_front();
            const auto* results = std::get_if<protocol::Results>(&frame.message);
            if (results == nullptr) continue;
            for (const auto& entry : results->entries) {
                EXPECT_EQ(entry.offset, offsets_[results->subscription]++);
                if (entry.kind == protocol::EntryKind::group) {
                    ++groups_ended_;
                } else {
                    ++ended_[entry.id];
                }
            }
        }
    }
    void replay() {
        for (std::size_t i = 0; i < h_.changes.size(); ++i) {
            model_.apply(h_.partitions[i], h_.changes[i]);
        }
        h_.changes.clear();
        h_.partitions.clear();
        h_.records.clear();
    }
    void compare() {
        h_.op().send(protocol::Query{"queues", ""});
        const auto& rows = h_.op().next<protocol::Answer>().rows;
        EXPECT_TRUE(h_.changes.empty()) << "something could have been done before the query";
        replay();
        model_.check_alone();
        ASSERT_EQ(rows.size(), kQueues.size());
        for (std::size_t q = 0; q < kQueues.size(); ++q) {
            const auto number = [&](const std::string& column) {
                for (const auto& [name, value] : rows[q]) {
                    if (name == column) return std::get<std::uint64_t>(value);
                }
                ADD_FAILURE() << column;
                return std::uint64_t{0};
            };
            const auto& model = model_.at(static_cast<PartitionId>(q + 1));
            std::uint64_t bytes = 0;
            std::uint64_t running = 0;
            for (const auto& [id, execution] : model.executions) {
                running += execution.live != 0 ? 1 : 0;
                for (const auto& [job, job_bytes] : execution.jobs) bytes += job_bytes;
            }
            EXPECT_EQ(number("running"), running);
            EXPECT_EQ(number("waiting") + number("delayed") + number("looking") +
                          number("following") + running,
                      model.executions.size());
            EXPECT_EQ(number("used_bytes"), bytes);
            EXPECT_EQ(number("dead_letters"), model.dead.size());
            EXPECT_EQ(number("stream_next"), model.stream_next);
        }
        h_.op().send(protocol::Query{"workers", ""});
        for (const auto& row : h_.op().next<protocol::Answer>().rows) {
            std::map<std::string, std::uint64_t> values;
            for (const auto& [name, value] : row) {
                if (const auto* n = std::get_if<std::uint64_t>(&value)) values[name] = *n;
            }
            if (values["alone"] == 1) {
                EXPECT_EQ(values["running"], 1U);
            }
        }
    }

    struct Group {
        Id128 id;
        std::uint64_t count = 0;
        bool open = false;
    };
    struct Batch {
        std::size_t queue = 0;
        std::vector<Known> jobs;
        bool in_group = false;
    };

    Rng rng_;
    Harness h_;
    ReplayModel model_;
    ContentId chain_, blob_;
    Peer* producer_ = nullptr;
    Peer* subscriber_ = nullptr;
    std::vector<Worker> workers_;
    std::array<std::pair<Credit, Credit>, 2> links_{};  // sent, limit
    std::map<std::uint64_t, Batch> open_;               // by seq
    std::array<Group, 2> groups_{};
    std::array<std::uint64_t, 2> offsets_{};
    std::vector<Known> recent_;
    std::deque<std::string> texts_;
    std::uint64_t numbers_ = 0;
    std::uint64_t groups_opened_ = 0;
    std::uint64_t groups_ended_ = 0;
    std::set<Id128> accepted_;
    std::map<Id128, int> ended_;
    bool healed_ = false;
};

TEST(BrokerCoreJobLife, EveryJobEndsOnceAndTheJournalTellsAll) {
    std::map<std::string, std::uint64_t> seen;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Life life(seed);
        life.run(1'000);
        life.heal();
        life.check();
        if (::testing::Test::HasFailure()) return;
        life.count(seen);
    }
    for (const auto& [name, count] : seen) EXPECT_GT(count, 0U) << name << " never happened";
}

}  // namespace
}  // namespace scanmq::broker
