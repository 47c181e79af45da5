// BrokerCore: the queries job and explain.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

class JobQueryTest : public CoreTest {
  protected:
    JobQueryTest() : CoreTest({{"retry_base_ms", 60'000}, {"retry_cap_ms", 60'000}}) {}
    // The reasons why it does not run, in order.
    std::vector<std::string> explain(std::uint64_t number) {
        h.op().send(protocol::Query{"explain", "q/" + job_id(number).hex()});
        std::vector<std::string> out;
        for (const auto& row : h.op().next<protocol::Answer>().rows) {
            out.push_back(value(row, "reason"));
            EXPECT_FALSE(value(row, "sentence").empty());
        }
        return out;
    }
    ErrorCode refusal(const std::string& topic, const std::string& key) {
        producer->send(protocol::Query{topic, key});
        return producer->error();
    }
    using Reasons = std::vector<std::string>;
};

TEST_F(JobQueryTest, ARowSaysWhereAJobIs) {
    Peer& w = worker("w one", {1, 10'000});
    accept(1);
    accept(2, {.deadline_ms = 9'000});
    accept(3, {.priority = 9, .delay_ms = 5'000});
    given(w);
    h.advance(1s);
    EXPECT_EQ(job_row(1, "state"), "running");
    EXPECT_EQ(job_row(1, "queue"), "q");
    EXPECT_EQ(job_row(1, "id"), job_id(1).hex());
    EXPECT_EQ(job_row(1, "subject"), "SPY.vertical");
    EXPECT_EQ(job_row(1, "priority"), "5");
    EXPECT_EQ(job_row(1, "execution"), job_id(1).hex());
    EXPECT_EQ(job_row(1, "jobs"), "1");
    EXPECT_EQ(job_row(1, "worker"), "w one");
    EXPECT_EQ(job_row(1, "running_ms"), "1000");
    EXPECT_EQ(job_row(1, "attempt"), "7.1");
    EXPECT_EQ(job_row(2, "state"), "queued");
    EXPECT_EQ(job_row(2, "ahead"), "0");
    EXPECT_EQ(job_row(2, "deadline_ms"), "8000");
    EXPECT_EQ(job_row(3, "state"), "delayed");
    EXPECT_EQ(job_row(3, "due_ms"), "4000");
    answer(w, {1}, AttemptOutcome::done);
    EXPECT_EQ(job_row(1, "state"), "finished");
    EXPECT_EQ(job_row(99, "state"), "unknown_job");
}

TEST_F(JobQueryTest, AGroupIsNamed) {
    producer->send(protocol::GroupOpen{"q", job_id(500)});
    accept(jobs(job(1)), job_id(500));
    EXPECT_EQ(job_row(1, "group"), job_id(500).hex());
}

TEST_F(JobQueryTest, BadKeysAreRefused) {
    for (const auto* topic : {"job", "explain"}) {
        EXPECT_EQ(refusal(topic, "q/" + job_id(1).hex()), ErrorCode::unknown_job);
        EXPECT_EQ(refusal(topic, "r/" + job_id(1).hex()), ErrorCode::unknown_queue);
        EXPECT_EQ(refusal(topic, "q"), ErrorCode::malformed);
        EXPECT_EQ(refusal(topic, "q/"), ErrorCode::malformed);
        EXPECT_EQ(refusal(topic, "q/xyz"), ErrorCode::malformed);
        EXPECT_EQ(refusal(topic, "q/" + job_id(1).hex() + "0"), ErrorCode::malformed);
        EXPECT_EQ(refusal(topic, ""), ErrorCode::unknown_queue);
    }
    EXPECT_EQ(refusal("jobs", ""), ErrorCode::unknown_topic);
}

TEST_F(JobQueryTest, ExplainsThatNobodyServesTheQueue) {
    accept(1);
    EXPECT_EQ(explain(1), Reasons{"no_workers"});
    worker("other", kPlenty, {1, "", {"r"}, {}});
    EXPECT_EQ(explain(1), Reasons{"no_workers"});
}

TEST_F(JobQueryTest, ExplainsCreditInItemsAndInBytes) {
    Peer& w = worker("w", {1, 10'000});
    accept(job_range(1, 2));
    given(w);
    EXPECT_EQ(explain(1), Reasons{"running"});
    EXPECT_EQ(explain(2), Reasons{"no_credit"});
    grant(w, {2, 100});
    const std::string large(20'000, 'x');
    cancel({2});
    accept(3, {}, large);
    grant(w, {9, 10'000});
    EXPECT_EQ(explain(3), Reasons{"no_credit"}) << "not in bytes";
}

TEST_F(JobQueryTest, ExplainsWhoIsAhead) {
    accept(job_range(1, 3));
    accept(4, {.priority = 0});
    EXPECT_EQ(explain(1), Reasons{"no_workers"});
    EXPECT_EQ(explain(4), (Reasons{"behind", "no_workers"}));
    EXPECT_EQ(job_row(4, "ahead"), "3");
}

TEST_F(JobQueryTest, ExplainsPauseAndDelay) {
    worker();
    control(QueueAction::pause);
    accept(1);
    accept(2, {.delay_ms = 1'000});
    EXPECT_EQ(explain(1), Reasons{"paused"});
    EXPECT_EQ(explain(2), (Reasons{"paused", "delayed"}));
    control(QueueAction::resume);
    EXPECT_EQ(explain(2), Reasons{"delayed"});
}

TEST_F(JobQueryTest, ExplainsRetries) {
    Peer& w = worker();
    accept(1);
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(explain(1), Reasons{"delayed"});
}

TEST_F(JobQueryTest, ExplainsVersions) {
    worker("a", {0, 0}, {1, "1", {}, {}}).send(protocol::Heartbeat{});
    worker("b", kPlenty, {1, "2", {}, {}});
    accept(1, {.flags = JobOptions::kPure});
    EXPECT_EQ(explain(1), Reasons{"no_credit"}) << "a has the version";
    lose(h.worker({1, "3", {}, {}}, "c"));
}

TEST_F(JobQueryTest, ExplainsThatNoWorkerHasTheVersion) {
    Peer& a = worker("a", {0, 0}, {1, "1", {}, {}});
    worker("b", kPlenty, {1, "2", {}, {}});
    worker("c", kPlenty, {1, "3", {}, {}});
    accept(1, {.flags = JobOptions::kPure});
    a.send(protocol::Bye{});
    EXPECT_EQ(explain(1), Reasons{"no_version"});
}

TEST_F(JobQueryTest, ExplainsSharedExecutionsAndAlone) {
    Peer& w = worker("w", {1, 10'000});
    accept(1, {.flags = JobOptions::kPure});
    given(w);
    accept(2, {.flags = JobOptions::kPure});
    EXPECT_EQ(explain(2), (Reasons{"attached", "running"}));
    heartbeat(w, counters);
    lose(w);
    EXPECT_EQ(explain(1), (Reasons{"alone", "no_workers"}));
    EXPECT_EQ(explain(2), (Reasons{"attached", "alone", "no_workers"}));
    Peer& v = worker("v", {2, 10'000});
    EXPECT_EQ(given(v), Numbers{1});
    accept(3);
    EXPECT_EQ(explain(3), Reasons{"no_credit"}) << "its only worker is kept for what runs alone";
    answer(v, counters, AttemptOutcome::done);
    EXPECT_EQ(explain(1), Reasons{"finished"});
    EXPECT_EQ(job_row(3, "state"), "running");
}

TEST_F(JobQueryTest, ADetachedWorkerIsNone) {
    Peer& w = worker("w", {2, 10'000});
    accept(1);
    given(w);
    h.disconnect(w);
    accept(2);
    EXPECT_EQ(explain(2), Reasons{"no_workers"});
    EXPECT_EQ(explain(1), Reasons{"running"}) << "it may come back";
}

TEST_F(JobQueryTest, ManyDeadLettersAreCutWithTheirNumber) {
    alter({{"max_attempts", 1}});
    Peer& w = worker();
    for (std::uint64_t first = 1; first <= 5'000; first += 1'000) {
        accept(job_range(first, 1'000));
        given(w);
        answer(w, counters, AttemptOutcome::failed, "no");
    }
    h.op().send(protocol::Query{"dead", "q"});
    const auto& rows = h.op().next<protocol::Answer>().rows;
    ASSERT_LE(rows.size(), 4'096U);
    EXPECT_EQ(value(rows.back(), "truncated"), std::to_string(5'001 - rows.size()));
}

}  // namespace
}  // namespace scanmq::broker
