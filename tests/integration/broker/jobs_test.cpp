// Jobs over real sockets, frame by frame: submit, deliver, done, results.

#include <gmock/gmock.h>

#include "tests/integration/broker/harness.hpp"

namespace scanmq::broker {
namespace {

using protocol::kOperator;
using protocol::kProducer;
using protocol::kSubscriber;
using protocol::kWorker;

class Jobs : public testing::Test {
  protected:
    static ServerOptions options() {
        ServerOptions out;
        out.queues = {"scans"};
        return out;
    }
    Id128 job_id() { return ids.next(SystemClock().wall_millis()); }
    protocol::Submit submit(const std::vector<std::string>& payloads) {
        protocol::Submit out;
        out.queue = "scans";
        for (const std::string& payload : payloads) {
            protocol::Job& job = out.jobs.emplace_back();
            job.id = job_id();
            job.subject = "SPY.vertical";
            job.payload.bytes = payload;
        }
        return out;
    }
    void want(Peer& producer, std::uint64_t items, std::uint64_t bytes = 1U << 20) {
        producer.send(protocol::Want{"scans", {}, {items, bytes}});
        const auto* grant = producer.expect<protocol::CreditGrant>();
        ASSERT_NE(grant, nullptr);
        EXPECT_GE(grant->limit.items, items);
    }
    void subscribe(Peer& subscriber) {
        protocol::Subscribe subscribe;
        subscribe.subscription = 1;
        subscribe.queue = "scans";
        subscribe.pattern = "SPY.>";
        subscribe.from = protocol::StartFrom::earliest;
        subscribe.limit = {1000, 1U << 20};
        subscriber.send(subscribe);
        ASSERT_NE(subscriber.expect<protocol::Subscribed>(), nullptr);
    }
    void grant(Peer& worker, std::uint64_t items) {
        worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {items, 1U << 20}});
    }

    TestBroker broker{options()};
    transport::Context context;
    UuidV7 ids{7};
};

TEST_F(Jobs, GoFromProducerOverWorkerToSubscriber) {
    Peer producer(context, broker.endpoint(), kProducer);
    Peer worker(context, broker.endpoint(), kWorker);
    Peer subscriber(context, broker.endpoint(), kSubscriber);
    const protocol::Welcome welcome = producer.hello("desk");
    EXPECT_EQ(welcome.blob_endpoint, broker.blob_endpoint());
    EXPECT_GT(welcome.epoch, 0U);
    worker.hello("worker", protocol::WorkerInfo{2, "1", {}});
    subscriber.hello("screen");
    subscribe(subscriber);
    grant(worker, 10);
    want(producer, 3);

    producer.send(submit({"one", "two", ""}));
    const auto* accepted = producer.expect<protocol::Accepted>();
    ASSERT_NE(accepted, nullptr);
    EXPECT_EQ(accepted->jobs, 3U);
    EXPECT_TRUE(accepted->exceptions.empty());

    const auto* deliver = worker.expect<protocol::Deliver>();
    ASSERT_NE(deliver, nullptr);
    EXPECT_EQ(deliver->epoch, welcome.epoch);
    ASSERT_EQ(deliver->attempts.size(), 3U);
    EXPECT_EQ(deliver->attempts[0].payload.bytes, "one");
    EXPECT_EQ(deliver->attempts[1].payload.bytes, "two");
    EXPECT_EQ(deliver->attempts[2].payload.bytes, "");
    EXPECT_EQ(deliver->attempts[0].subject, "SPY.vertical");

    protocol::Done done;
    done.epoch = deliver->epoch;
    done.limit = {20, 1U << 20};
    const std::vector<std::string> results = {"result of one", "result of two", "and of three"};
    for (std::size_t i = 0; i < 3; ++i) {
        done.outcomes.push_back({deliver->attempts[i].counter,
                                 protocol::AttemptOutcome::done,
                                 {results[i], 0},
                                 {},
                                 {}});
    }
    worker.send(done);
    std::vector<std::string> seen;
    while (seen.size() < 3) {
        const auto* entries = subscriber.expect<protocol::Results>();
        ASSERT_NE(entries, nullptr);
        for (const protocol::Entry& entry : entries->entries) {
            EXPECT_EQ(entry.offset, seen.size());
            EXPECT_EQ(entry.outcome, protocol::FinalOutcome::done);
            seen.emplace_back(entry.body.bytes);
        }
    }
    EXPECT_EQ(seen, results);
    EXPECT_EQ(producer.counter("jobs_done"), 3U);
    EXPECT_TRUE(broker.stop());
}

TEST_F(Jobs, LargeBatchesGoThroughWhole) {
    constexpr std::size_t kJobs = 4000;
    Peer producer(context, broker.endpoint(), kProducer);
    Peer worker(context, broker.endpoint(), kWorker);
    producer.hello();
    worker.hello("worker", protocol::WorkerInfo{2, "1", {}});
    grant(worker, kJobs);
    want(producer, kJobs, 8U << 20);
    producer.send(submit(std::vector<std::string>(kJobs, std::string(180, 'p'))));
    ASSERT_NE(producer.expect<protocol::Accepted>(), nullptr);
    std::size_t attempts = 0;
    while (attempts < kJobs) {
        const auto* deliver = worker.expect<protocol::Deliver>();
        ASSERT_NE(deliver, nullptr);
        for (const protocol::Attempt& attempt : deliver->attempts) {
            ASSERT_EQ(attempt.payload.bytes, std::string(180, 'p'));
        }
        attempts += deliver->attempts.size();
    }
    EXPECT_EQ(attempts, kJobs);
}

TEST_F(Jobs, SameIdWithOtherContentIsAConflictAndTheSameIsADuplicate) {
    Peer producer(context, broker.endpoint(), kProducer);
    producer.hello();
    want(producer, 10);
    const std::vector<std::string> payloads{"payload"};  // the jobs' views borrow from it
    protocol::Submit one = submit(payloads);
    producer.send(one);
    ASSERT_NE(producer.expect<protocol::Accepted>(), nullptr);
    producer.send(one);
    const auto* again = producer.expect<protocol::Accepted>();
    ASSERT_NE(again, nullptr);
    ASSERT_EQ(again->exceptions.size(), 1U);
    EXPECT_EQ(again->exceptions[0].verdict, protocol::Verdict::duplicate);
    one.jobs[0].payload.bytes = "other payload";
    producer.send(one);
    const auto* conflict = producer.expect<protocol::Accepted>();
    ASSERT_NE(conflict, nullptr);
    ASSERT_EQ(conflict->exceptions.size(), 1U);
    EXPECT_EQ(conflict->exceptions[0].code, protocol::ErrorCode::id_conflict);
}

TEST_F(Jobs, WorkerThatGoesAwaySilentlyLosesItsAttempts) {
    ServerOptions impatient = options();
    impatient.core.heartbeat = std::chrono::milliseconds(250);
    impatient.core.dead_after = std::chrono::milliseconds(1000);
    const TestBroker quick(impatient);
    Peer producer(context, quick.endpoint(), kProducer);
    producer.hello();
    want(producer, 1);
    {
        Peer worker(context, quick.endpoint(), kWorker);
        worker.hello("first", protocol::WorkerInfo{1, "1", {}});
        grant(worker, 1);
        producer.send(submit({"payload"}));
        ASSERT_NE(producer.expect<protocol::Accepted>(), nullptr);
        ASSERT_NE(worker.expect<protocol::Deliver>(), nullptr);
    }
    Peer second(context, quick.endpoint(), kWorker);
    second.hello("second", protocol::WorkerInfo{1, "1", {}});
    grant(second, 1);
    // Heartbeats keep this session; the other falls silent and is closed.
    const protocol::Frame* frame = nullptr;
    const Time end = std::chrono::steady_clock::now() + kDeadline;
    bool delivered = false;
    while (!delivered && std::chrono::steady_clock::now() < end) {
        second.send(protocol::Heartbeat{1, 0, {}});
        producer.send(protocol::Heartbeat{1, 0, {}});
        ASSERT_NE(producer.next(), nullptr);
        ASSERT_NE(frame = second.next(), nullptr);
        delivered = std::holds_alternative<protocol::Deliver>(frame->message);
        transport::wait({&second.dealer()}, std::chrono::milliseconds(100));
    }
    EXPECT_TRUE(delivered);
}

TEST_F(Jobs, BrokerRowTellsWhoAndHowLarge) {
    Peer peer(context, broker.endpoint(), kOperator);
    peer.hello();
    peer.send(protocol::Query{"broker", ""});
    const auto* answer = peer.expect<protocol::Answer>();
    ASSERT_NE(answer, nullptr);
    ASSERT_EQ(answer->rows.size(), 1U);
    std::uint64_t rss = 0;
    for (const auto& [name, value] : answer->rows[0]) {
        if (name == "rss_bytes") rss = std::get<std::uint64_t>(value);
    }
    EXPECT_GT(rss, 1U << 20);
}

}  // namespace
}  // namespace scanmq::broker
