// BrokerCore under a seeded random life: producers, workers that crash, fail and hold back,
// subscribers that are slow. In the end every accepted job has exactly one final entry, and nothing
// is left over.

#include <algorithm>
#include <set>

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::AttemptOutcome;
using protocol::Credit;
using protocol::Verdict;

class Simulation {
  public:
    explicit Simulation(std::uint64_t seed) : rng_(seed), h_(options(seed)) {
        for (const auto* name : kQueues) {
            h_.create_queue(
                name, {{"max_jobs", 40 + rng_.below(100)}, {"max_attempts", 1 + rng_.below(5)}});
        }
        chain_ = h_.put_blob("chain");
        for (int i = 0; i < 3; ++i) {
            producers_.push_back({&h_.producer("producer " + std::to_string(i)), {}, {}});
            workers_.push_back({&h_.worker({}, "worker " + std::to_string(i)), {}, {}, {}});
        }
        subscriber_ = &h_.subscriber();
        for (std::uint64_t q = 0; q < kQueues.size(); ++q) subscribe(q);
    }

    void run(int steps) {
        for (int step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
            h_.now += std::chrono::milliseconds(rng_.below(50));
            switch (rng_.below(10)) {
                case 0:
                case 1:
                case 2:
                    produce(producers_[rng_.below(producers_.size())]);
                    break;
                case 3:
                case 4:
                case 5:
                    work(workers_[rng_.below(workers_.size())], false);
                    break;
                case 6:
                    if (rng_.below(6) == 0) crash(workers_[rng_.below(workers_.size())]);
                    break;
                case 7:
                    if (rng_.below(10) == 0) reconnect(producers_[rng_.below(producers_.size())]);
                    break;
                case 8:
                    grow_subscription(rng_.below(kQueues.size()));
                    break;
                default:
                    h_.tick();
            }
            for (Producer& producer : producers_) read(producer);
            for (Worker& worker : workers_) read(worker);
            read_results();
            keep_alive();
        }
    }
    // Faults stop: everything that was accepted has to end.
    void heal() {
        for (int round = 0; round < 400; ++round) {
            h_.now += 200ms;
            for (Worker& worker : workers_) {
                read(worker);
                work(worker, true);
            }
            for (Producer& producer : producers_) {
                read(producer);
                resubmit(producer);
                read(producer);
            }
            for (std::uint64_t q = 0; q < kQueues.size(); ++q) grow_subscription(q);
            read_results();
            keep_alive();
            h_.tick();
        }
    }
    void check() {
        EXPECT_GT(accepted_.size(), 100U);
        EXPECT_EQ(ended_.size(), accepted_.size());
        for (const auto& key : accepted_) EXPECT_TRUE(ended_.contains(key)) << "no final entry";
        for (const auto& [key, count] : ended_) {
            EXPECT_EQ(count, 1) << "final entries";
            EXPECT_TRUE(submitted_.contains(key)) << "an entry of what was never submitted";
        }
        std::uint64_t entries = 0;
        for (const auto* name : kQueues) {
            EXPECT_EQ(h_.row("queues", name, "waiting"), 0U);
            EXPECT_EQ(h_.row("queues", name, "running"), 0U);
            EXPECT_EQ(h_.row("queues", name, "used_bytes"), 0U);
            entries += h_.row("queues", name, "stream_next");
        }
        EXPECT_EQ(entries, accepted_.size());
        EXPECT_EQ(h_.core.counter("jobs_accepted"), accepted_.size());
        for (const auto* name : kQueues) {
            h_.op().send(protocol::DeadLetters{name, protocol::DeadAction::drop, {}});
        }
        EXPECT_EQ(h_.pins(chain_), 0U);
        for (const auto* name : kQueues) {
            h_.op().send(protocol::QueueDelete{name, false});
            h_.op().next<protocol::Ok>();
        }
        EXPECT_TRUE(h_.handles.empty()) << h_.handles.size() << " bodies were never released";
        EXPECT_GT(h_.core.counter("attempts_lost"), 0U);
        EXPECT_GT(h_.core.counter("attempts_returned"), 0U);
        EXPECT_GT(h_.core.counter("jobs_duplicate"), 0U);
    }

  private:
    using Key = std::pair<std::string, Id128>;
    static constexpr std::array<const char*, 2> kQueues{"a", "b"};
    struct Producer {
        Peer* peer;
        std::map<std::string, std::pair<Credit, Credit>> links;  // sent, limit
        std::map<std::uint64_t, std::pair<std::string, std::vector<std::uint64_t>>> open;  // by seq
        std::vector<std::pair<std::string, std::uint64_t>> again = {};  // to be submitted once more
        std::map<std::string, std::uint64_t> reclaimed = {};            // seq of the last RECLAIMED
    };
    struct Worker {
        Peer* peer;
        std::vector<std::uint64_t> held;
        Credit received;
        Credit limit;
    };

    static BrokerOptions options(std::uint64_t seed) {
        BrokerOptions o;
        o.seed = seed;
        o.submit_window_items = 30;
        o.reclaim_idle = 300ms;
        return o;
    }
    std::string payload(std::uint64_t number) { return "payload " + std::to_string(number); }

    void submit_numbers(Producer& producer, const std::string& queue,
                        const std::vector<std::uint64_t>& numbers) {
        std::vector<protocol::Job> list;
        auto& [sent, limit] = producer.links[queue];
        for (const std::uint64_t number : numbers) {
            const std::string& text = texts_.emplace_back(payload(number));
            if (sent.items + 1 > limit.items || sent.bytes + 64 + text.size() > limit.bytes) {
                producer.again.emplace_back(queue, number);
                continue;
            }
            ++sent.items;
            sent.bytes += 64 + text.size();
            protocol::Job one = job(number, number % 3 == 0 ? "SPY" : "QQQ", text);
            if (number % 2 == 0) one.inputs = chain_.view();
            list.push_back(std::move(one));
            producer.open[producer.peer->seq + 1].first = queue;
            producer.open[producer.peer->seq + 1].second.push_back(number);
            submitted_.insert({queue, job_id(number)});
        }
        if (!list.empty()) producer.peer->send(submit(queue, std::move(list)));
    }
    void produce(Producer& producer) {
        read(producer);  // a RECLAIM is answered before anything else is sent
        const std::string queue = kQueues[rng_.below(kQueues.size())];
        const auto& [sent, limit] = producer.links[queue];
        if (rng_.below(3) == 0) {
            producer.peer->send(protocol::Want{queue, sent, {rng_.below(60), rng_.below(6'000)}});
            return;
        }
        std::vector<std::uint64_t> numbers;
        for (std::uint64_t n = rng_.below(10); n > 0 && limit.items > sent.items + numbers.size();
             --n) {
            numbers.push_back(++numbers_);
        }
        submit_numbers(producer, queue, numbers);
    }
    void resubmit(Producer& producer) {
        read(producer);
        if (producer.again.empty()) return;
        auto all = std::move(producer.again);
        producer.again.clear();
        for (const auto* queue : kQueues) {
            std::vector<std::uint64_t> numbers;
            for (const auto& [name, number] : all) {
                if (name == queue) numbers.push_back(number);
            }
            if (numbers.empty()) continue;
            const auto& sent = producer.links[queue].first;
            producer.peer->send(
                protocol::Want{queue, sent, {numbers.size(), numbers.size() * 100}});
            read(producer);
            submit_numbers(producer, queue, numbers);
        }
    }
    void reconnect(Producer& producer) {
        for (const auto& [seq, batch] : producer.open) {
            for (const std::uint64_t number : batch.second)
                producer.again.emplace_back(batch.first, number);
        }
        // Also what was answered: as if the answer had been lost.
        if (numbers_ > 0) producer.again.emplace_back("a", 1 + rng_.below(numbers_));
        producer.open.clear();
        producer.links.clear();
        producer.reclaimed.clear();
        if (rng_.below(2) == 0) h_.disconnect(*producer.peer);
        ASSERT_TRUE(producer.peer->hello());
        resubmit(producer);
    }
    void read(Producer& producer) {
        Peer& peer = *producer.peer;
        while (!peer.inbox.empty()) {
            Received frame = std::move(peer.inbox.front());
            peer.inbox.pop_front();
            if (const auto* accepted = std::get_if<protocol::Accepted>(&frame.message)) {
                const auto batch = std::move(producer.open.at(accepted->re));
                producer.open.erase(accepted->re);
                // An answer from before RECLAIMED tells a limit that was given back.
                if (accepted->re > producer.reclaimed[batch.first]) {
                    producer.links[batch.first].second = accepted->limit;
                }
                ASSERT_EQ(accepted->jobs, batch.second.size());
                for (const auto& e : accepted->exceptions) {
                    // Number 1 .. n of the other queue, submitted "again" there, is new to it.
                    ASSERT_EQ(e.verdict, Verdict::duplicate) << e.sentence;
                }
                for (const std::uint64_t number : batch.second)
                    accepted_.insert({batch.first, job_id(number)});
            } else if (const auto* credit = std::get_if<protocol::CreditGrant>(&frame.message)) {
                producer.links[credit->queue].second = credit->limit;
            } else if (const auto* reclaim = std::get_if<protocol::Reclaim>(&frame.message)) {
                auto& [sent, limit] = producer.links[reclaim->queue];
                limit = sent;
                producer.reclaimed[reclaim->queue] = peer.seq + 1;
                peer.send(protocol::Reclaimed{reclaim->queue, sent});
            } else if (std::holds_alternative<protocol::Error>(frame.message)) {
                const auto& error = std::get<protocol::Error>(frame.message);
                ADD_FAILURE() << to_string(error.code) << ": " << error.sentence;
            }
        }
    }
    void work(Worker& worker, bool healed) {
        protocol::Done message;
        message.epoch = 7;
        std::vector<std::uint64_t> kept;
        for (const std::uint64_t counter : worker.held) {
            if (!healed && rng_.below(3) == 0) {
                kept.push_back(counter);
                continue;
            }
            protocol::Outcome& outcome = message.outcomes.emplace_back();
            outcome.counter = counter;
            const std::uint64_t dice = healed ? 0 : rng_.below(10);
            outcome.outcome = dice < 6    ? AttemptOutcome::done
                              : dice == 6 ? AttemptOutcome::rejected
                              : dice == 7 ? AttemptOutcome::returned
                                          : AttemptOutcome::failed;
            if (outcome.outcome == AttemptOutcome::done) outcome.body.bytes = "result";
            outcome.sentence = "sentence";
        }
        worker.held = std::move(kept);
        worker.limit.items =
            std::max(worker.limit.items, worker.received.items + 1 + rng_.below(20) -
                                             std::min<std::uint64_t>(worker.held.size(), 1));
        worker.limit.bytes =
            std::max(worker.limit.bytes, worker.received.bytes + rng_.below(3'000));
        message.limit = worker.limit;
        worker.peer->send(std::move(message));
    }
    void crash(Worker& worker) {
        if (rng_.below(2) == 0) h_.disconnect(*worker.peer);
        ASSERT_TRUE(worker.peer->hello());
        worker.held.clear();
        worker.received = worker.limit = {};
    }
    void read(Worker& worker) {
        while (!worker.peer->inbox.empty()) {
            const Received frame = std::move(worker.peer->inbox.front());
            worker.peer->inbox.pop_front();
            if (const auto* deliver = std::get_if<protocol::Deliver>(&frame.message)) {
                for (const auto& attempt : deliver->attempts) {
                    ASSERT_TRUE(tokens_.insert(attempt.counter).second) << "a token came twice";
                    worker.held.push_back(attempt.counter);
                    worker.received.items += 1;
                    worker.received.bytes += 64 + payload_size(attempt.job);
                }
                ASSERT_LE(worker.received.items, worker.limit.items);
                ASSERT_LE(worker.received.bytes, worker.limit.bytes);
            } else {
                ASSERT_FALSE(std::holds_alternative<protocol::Error>(frame.message));
            }
        }
    }
    std::uint64_t payload_size(const Id128& id) {
        std::uint64_t number = 0;
        for (std::size_t i = 7; i-- > 0;) number = number << 8 | id.bytes[9 + i];
        return payload(number).size();
    }
    void subscribe(std::uint64_t q) {
        subscriber_->send(protocol::Subscribe{
            q, kQueues[q], ">", protocol::StartFrom::earliest, 0, {}, "", {5, 500}});
        limits_.push_back({5, 500});
        received_.push_back({});
        offsets_.push_back(0);
        subscriber_->next<protocol::Subscribed>();
    }
    void grow_subscription(std::uint64_t q) {
        limits_[q] = {std::max(limits_[q].items, received_[q].items + rng_.below(30)),
                      std::max(limits_[q].bytes, received_[q].bytes + rng_.below(3'000))};
        subscriber_->send(protocol::CreditGrant{protocol::Link::results, "", q, limits_[q]});
    }
    void read_results() {
        while (!subscriber_->inbox.empty()) {
            const Received frame = std::move(subscriber_->inbox.front());
            subscriber_->inbox.pop_front();
            const auto* results = std::get_if<protocol::Results>(&frame.message);
            if (results == nullptr) continue;
            const std::uint64_t q = results->subscription;
            ASSERT_FALSE(results->gap.has_value());
            for (std::size_t i = 0; i < results->entries.size(); ++i) {
                const auto& entry = results->entries[i];
                ASSERT_EQ(entry.offset, offsets_[q]++);
                ++ended_[{kQueues[q], entry.id}];
                received_[q].items += 1;
                received_[q].bytes += 64 + (frame.bodies[i].value == 0 ? 0 : 6);
            }
            ASSERT_EQ(results->next_offset, offsets_[q]);
            ASSERT_LE(received_[q].items, limits_[q].items);
            ASSERT_LE(received_[q].bytes, limits_[q].bytes);
        }
    }
    void keep_alive() {
        for (Producer& producer : producers_) producer.peer->post(protocol::Heartbeat{});
        for (Worker& worker : workers_) worker.peer->post(protocol::Heartbeat{});
        subscriber_->post(protocol::Heartbeat{});
        h_.flush();
    }

    Rng rng_;
    Harness h_;
    ContentId chain_;
    std::vector<Producer> producers_;
    std::vector<Worker> workers_;
    Peer* subscriber_ = nullptr;
    std::vector<Credit> limits_, received_;
    std::vector<std::uint64_t> offsets_;
    std::deque<std::string> texts_;
    std::uint64_t numbers_ = 0;
    std::set<Key> submitted_, accepted_;
    std::map<Key, int> ended_;
    std::set<std::uint64_t> tokens_;
};

TEST(BrokerCoreSimulation, EveryAcceptedJobEndsExactlyOnce) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Simulation simulation(seed);
        simulation.run(1'500);
        simulation.heal();
        simulation.check();
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace scanmq::broker
