// BrokerCore: attempts: who gets them, how they are answered, and how jobs end.

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::AttemptOutcome;
using protocol::Credit;
using protocol::ErrorCode;
using protocol::FinalOutcome;

class AttemptsTest : public ::testing::Test {
  protected:
    AttemptsTest() {
        // Failed attempts run again at once; delays have tests of their own.
        h.create_queue("q", {{"retry_base_ms", 0}});
        producer = &h.producer();
        producer->send(protocol::Want{"q", {}, {10'000, 10 << 20}});
        subscriber = &h.subscriber();
        subscriber->send(protocol::Subscribe{1, "q", ">", {}, 0, {}, "", kPlenty});
    }
    void submit_jobs(std::uint64_t first, std::uint64_t count) {
        producer->send(submit("q", job_range(first, count)));
        EXPECT_TRUE(producer->next<protocol::Accepted>().exceptions.empty());
    }
    static void grant(Peer& worker, Credit limit) {
        worker.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, limit});
    }
    // Every attempt in the worker's inbox, as job numbers.
    std::vector<std::uint64_t> delivered(Peer& worker) {
        std::vector<std::uint64_t> out;
        counters.clear();
        while (worker.count<protocol::Deliver>() > 0) {
            for (const auto& attempt : worker.next<protocol::Deliver>().attempts) {
                out.push_back(attempt.job.bytes[9] | attempt.job.bytes[10] << 8);
                counters.push_back(attempt.counter);
            }
        }
        return out;
    }
    const protocol::Entry& entry() {
        auto& results = subscriber->next<protocol::Results>();
        EXPECT_EQ(results.entries.size(), 1U);
        return results.entries.at(0);
    }
    using Numbers = std::vector<std::uint64_t>;

    Harness h;
    Peer* producer = nullptr;
    Peer* subscriber = nullptr;
    Numbers counters;  // of the last delivered()
};

TEST_F(AttemptsTest, AJobGoesToAWorkerAndItsResultToTheSubscriber) {
    Peer& worker = h.worker();
    grant(worker, {10, 10'000});
    submit_jobs(1, 1);
    ASSERT_EQ(worker.inbox.size(), 1U);
    EXPECT_FALSE(worker.inbox[0].after_commit) << "dispatch does not wait for the commit";
    EXPECT_EQ(worker.inbox[0].bodies.size(), 1U);
    const auto& deliver = worker.next<protocol::Deliver>();
    EXPECT_EQ(deliver.epoch, 7U);
    EXPECT_EQ(deliver.queue, "q");
    EXPECT_EQ(deliver.attempts[0].job, job_id(1));
    EXPECT_EQ(deliver.attempts[0].subject, "SPY.vertical");
    subscriber->inbox.clear();
    worker.send(done({deliver.attempts[0].counter}, AttemptOutcome::done));
    ASSERT_EQ(subscriber->inbox.size(), 1U);
    EXPECT_TRUE(subscriber->inbox[0].after_commit);
    EXPECT_NE(subscriber->inbox[0].bodies.at(0).value, 0U);
    const auto& e = entry();
    EXPECT_EQ(e.offset, 0U);
    EXPECT_EQ(e.id, job_id(1));
    EXPECT_EQ(e.outcome, FinalOutcome::done);
    EXPECT_EQ(e.subject, "SPY.vertical");
    EXPECT_EQ(h.handles.size(), 1U) << "the payload went back, the result is kept";
}

TEST_F(AttemptsTest, NobodyGetsMoreThanItsCredit) {
    Peer& worker = h.worker();
    submit_jobs(1, 20);
    EXPECT_EQ(worker.inbox.size(), 0U);
    grant(worker, {3, 10'000});
    EXPECT_EQ(delivered(worker), (Numbers{1, 2, 3}));
    grant(worker, {2, 10'000});
    EXPECT_EQ(delivered(worker), Numbers{}) << "limits do not fall";
    grant(worker, {20, 5 * 71});
    EXPECT_EQ(delivered(worker).size(), 17U) << "nor do bytes";
}

TEST_F(AttemptsTest, CreditInBytesStopsDelivery) {
    Peer& worker = h.worker();
    submit_jobs(1, 20);
    grant(worker, {20, 5 * 71 + 70});
    EXPECT_EQ(delivered(worker).size(), 5U);
    worker.send(done({1, 2}, AttemptOutcome::done, {20, 6 * 71}));
    EXPECT_EQ(delivered(worker).size(), 1U);
}

TEST_F(AttemptsTest, WorkersShareAndAnIdleOneIsNext) {
    Peer& a = h.worker({}, "a");
    Peer& b = h.worker({}, "b");
    grant(a, {10, 10'000});
    grant(b, {10, 10'000});
    submit_jobs(1, 4);
    EXPECT_EQ(delivered(a), (Numbers{1, 3}));
    const Numbers of_a = counters;
    EXPECT_EQ(delivered(b), (Numbers{2, 4}));
    b.send(done(counters, AttemptOutcome::done, {12, 10'000}));
    submit_jobs(5, 1);
    EXPECT_EQ(delivered(b), Numbers{5}) << "b is idle, a is not";
}

TEST_F(AttemptsTest, AWorkerGetsOnlyTheQueuesItNamed) {
    h.create_queue("other");
    Peer& worker = h.worker({1, "", {"other", "later"}});
    grant(worker, kPlenty);
    submit_jobs(1, 1);
    EXPECT_EQ(worker.inbox.size(), 0U);
    h.create_queue("later");
    for (const char* name : {"other", "later"}) {
        producer->send(protocol::Want{name, {}, {10, 10'000}});
        producer->send(submit(name, jobs(job(7))));
        EXPECT_EQ(worker.next<protocol::Deliver>().queue, name);
    }
}

TEST_F(AttemptsTest, QueuesTakeTurns) {
    h.create_queue("r");
    producer->send(protocol::Want{"r", {}, {100, 10'000}});
    submit_jobs(1, 10);
    producer->send(submit("r", job_range(101, 10)));
    Peer& worker = h.worker();
    Numbers order;
    for (std::uint64_t i = 1; i <= 6; ++i) {
        grant(worker, {i, 10'000});
        for (const std::uint64_t number : delivered(worker)) order.push_back(number);
    }
    EXPECT_EQ(order, (Numbers{1, 101, 2, 102, 3, 103}));
}

TEST_F(AttemptsTest, BatchesKeepTheirTargetSizeAndALargeJobGoesAlone) {
    Peer& worker = h.worker();
    const std::string large(200'000, 'x');
    for (std::uint64_t i = 1; i <= 3; ++i) producer->send(submit("q", jobs(job(i, "S", large))));
    submit_jobs(10, 1'000);
    grant(worker, kPlenty);
    EXPECT_EQ(worker.count<protocol::Deliver>(), 4U);
    EXPECT_EQ(delivered(worker).size(), 1'003U);
}

TEST_F(AttemptsTest, RejectedEndsAtOnceWithItsCodeAndSentence) {
    Peer& worker = h.worker();
    grant(worker, kPlenty);
    submit_jobs(1, 1);
    worker.send(done({1}, AttemptOutcome::rejected, {}, "", "no such field: strikes"));
    const auto& e = entry();
    EXPECT_EQ(e.outcome, FinalOutcome::rejected);
    EXPECT_EQ(e.code, ErrorCode::bad_payload);
    EXPECT_EQ(e.sentence, "no such field: strikes");
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(AttemptsTest, FailedRunsAgainUpToFiveTimesAndThenIsDead) {
    Peer& worker = h.worker();
    grant(worker, kPlenty);
    submit_jobs(1, 1);
    for (std::uint64_t attempt = 1; attempt <= 5; ++attempt) {
        EXPECT_EQ(delivered(worker), Numbers{1}) << "attempt " << attempt;
        ASSERT_EQ(counters, Numbers{attempt});
        worker.send(
            done(counters, AttemptOutcome::failed, {}, "", "failure " + std::to_string(attempt)));
    }
    EXPECT_EQ(delivered(worker), Numbers{});
    const auto& e = entry();
    EXPECT_EQ(e.outcome, FinalOutcome::dead);
    EXPECT_EQ(e.code, ErrorCode::attempts_exhausted);
    EXPECT_EQ(e.sentence, "failure 5");
    EXPECT_EQ(h.handles.size(), 1U) << "the dead letter keeps its payload";
    EXPECT_EQ(h.row("queues", "q", "dead"), 1U);
}

TEST_F(AttemptsTest, ALostSessionsAttemptsRunElsewhereInTheirOrder) {
    Peer& a = h.worker({}, "a");
    grant(a, kPlenty);
    submit_jobs(1, 3);
    delivered(a);
    submit_jobs(4, 1);
    h.advance(1ms);
    a.send(protocol::Heartbeat{});  // none of them had been started
    Peer& b = h.worker({}, "b");
    grant(b, {2, 10'000});
    h.silence(a, {&b, producer, subscriber});
    EXPECT_EQ(delivered(b), (Numbers{1, 2}));
    b.send(done(counters, AttemptOutcome::done, kPlenty));
    EXPECT_EQ(delivered(b), (Numbers{3, 4}));
    EXPECT_EQ(h.core.counter("attempts_lost"), 4U);
}

TEST_F(AttemptsTest, ReturnedGoesToTheFrontAndChargesNothing) {
    Peer& worker = h.worker();
    grant(worker, {4, 10'000});
    submit_jobs(1, 6);
    EXPECT_EQ(delivered(worker), (Numbers{1, 2, 3, 4}));
    for (int i = 0; i < 10; ++i) {
        const std::uint64_t limit = static_cast<std::uint64_t>(8 + 4 * i);
        worker.send(done(counters, AttemptOutcome::returned, {limit, 1 << 20}, ""));
        EXPECT_EQ(delivered(worker), (Numbers{1, 2, 3, 4})) << "round " << i;
    }
    EXPECT_EQ(h.core.counter("attempts_returned"), 40U);
    // A failure is the first that is charged.
    worker.send(done(counters, AttemptOutcome::failed, {48, 1 << 20}, ""));
    EXPECT_EQ(delivered(worker), (Numbers{1, 2, 3, 4}));
    EXPECT_EQ(h.core.counter("jobs_dead"), 0U);
}

TEST_F(AttemptsTest, AStaleAnswerIsRefusedAndTheRestOfItsFrameCounts) {
    Peer& a = h.worker({}, "a");
    Peer& b = h.worker({}, "b");
    grant(a, {1, 1'000});
    grant(b, {1, 1'000});
    submit_jobs(1, 2);
    delivered(b);
    const Numbers of_b = counters;
    // The other's, one that never was, its own, and its own again.
    a.send(done({of_b[0], 99, 1, 1}, AttemptOutcome::done));
    EXPECT_EQ(a.error(), ErrorCode::stale_attempt);
    EXPECT_EQ(entry().id, job_id(1));
    EXPECT_EQ(h.core.counter("attempts_stale"), 3U);
    EXPECT_EQ(h.core.counter("error_stale_attempt"), 1U);
    EXPECT_EQ(h.row("queues", "q", "running"), 1U);
    // Of another life of the broker.
    auto old = done(of_b, AttemptOutcome::done);
    old.epoch = 6;
    b.send(std::move(old));
    EXPECT_EQ(b.error(), ErrorCode::stale_attempt);
    EXPECT_EQ(h.row("queues", "q", "running"), 1U);
    EXPECT_EQ(h.handles.size(), 2U) << "one result kept, one payload still out";
}

TEST_F(AttemptsTest, AnAnswerAfterTheSessionWasReplacedIsStale) {
    Peer& a = h.worker({}, "a");
    grant(a, kPlenty);
    submit_jobs(1, 1);
    delivered(a);
    const Numbers former = counters;
    EXPECT_TRUE(a.hello());
    grant(a, kPlenty);
    EXPECT_EQ(delivered(a), Numbers{1});
    a.send(done(former, AttemptOutcome::done));
    EXPECT_EQ(a.error(), ErrorCode::stale_attempt);
    a.send(done(counters, AttemptOutcome::done));
    EXPECT_EQ(entry().outcome, FinalOutcome::done);
}

TEST_F(AttemptsTest, AResultOverTheQueuesLimitEndsTheJobRejected) {
    h.op().send(protocol::QueueAlter{"q", {{"max_result_bytes", 5}}});
    Peer& worker = h.worker();
    grant(worker, kPlenty);
    submit_jobs(1, 2);
    worker.send(done({1}, AttemptOutcome::done, {}, "12345"));
    EXPECT_EQ(entry().outcome, FinalOutcome::done);
    worker.send(done({2}, AttemptOutcome::done, {}, "123456"));
    const auto& e = entry();
    EXPECT_EQ(e.outcome, FinalOutcome::rejected);
    EXPECT_EQ(e.code, ErrorCode::item_too_large);
    EXPECT_EQ(h.core.counter("results_too_large"), 1U);
    EXPECT_EQ(h.handles.size(), 1U);
}

TEST_F(AttemptsTest, AResultThatIsABlobIsPinnedByItsEntry) {
    Peer& worker = h.worker();
    grant(worker, kPlenty);
    submit_jobs(1, 1);
    const ContentId blob = h.put_blob("a large result", protocol::BlobType::body);
    const auto answer = [&](const ContentId& id, std::uint64_t counter) {
        protocol::Done message = done({counter}, AttemptOutcome::done);
        message.outcomes[0].body = {id.view(), 14};
        worker.send(std::move(message));
    };
    answer(content_id("unknown"), 1);
    EXPECT_EQ(h.core.counter("results_unknown_blob"), 1U);
    answer(blob, 2);
    EXPECT_EQ(entry().outcome, FinalOutcome::done) << "the attempt before counted as failed";
    EXPECT_EQ(h.pins(blob), 1U);
    h.op().send(protocol::QueueDelete{"q", false});
    EXPECT_EQ(h.pins(blob), 0U);
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(AttemptsTest, AWorkerThatSaysByeLeavesNothingBehind) {
    Peer& worker = h.worker();
    grant(worker, kPlenty);
    submit_jobs(1, 2);
    worker.send(protocol::Bye{});
    EXPECT_EQ(h.row("queues", "q", "waiting"), 2U);
    EXPECT_EQ(h.row("queues", "q", "running"), 0U);
}

}  // namespace
}  // namespace scanmq::broker
