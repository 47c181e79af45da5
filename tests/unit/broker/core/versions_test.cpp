// BrokerCore: scanner versions: which a queue takes up, and who gets its pure executions.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class VersionsTest : public CoreTest {
  protected:
    VersionsTest() : CoreTest({{"pure", 1}, {"retry_base_ms", 0}, {"cache_ttl_ms", 0}}) {}
    std::string version(const std::string& queue = "q") {
        h.op().send(protocol::Query{"queues", queue});
        return value(h.op().next<protocol::Answer>().rows.at(0), "scanner_version");
    }
    Peer& of_version(const std::string& name, const std::string& scanner, Credit credit = kPlenty,
                     std::vector<std::string> queues = {}) {
        return worker(name, credit, {1, scanner, std::move(queues), {}});
    }
};

TEST_F(VersionsTest, AQueueTakesUpTheVersionOnWhichItsWorkersAgree) {
    EXPECT_EQ(version(), "");
    Peer& a = of_version("a", "1");
    EXPECT_EQ(version(), "1");
    const auto marked = changed<change::QueueMarked>();
    ASSERT_EQ(marked.size(), 1U);
    EXPECT_EQ(marked[0].scanner_version, "1");
    EXPECT_FALSE(marked[0].paused);
    Peer& b = of_version("b", "2");
    EXPECT_EQ(version(), "1") << "they do not agree";
    a.send(protocol::Bye{});
    EXPECT_EQ(version(), "2") << "those that are left do";
    b.send(protocol::Bye{});
    EXPECT_EQ(version(), "2") << "it stays without workers";
    EXPECT_EQ(changed<change::QueueMarked>().size(), 2U);
}

TEST_F(VersionsTest, WorkersOfOtherQueuesHaveNoSay) {
    of_version("a", "1", kPlenty, {"q"});
    of_version("b", "2", kPlenty, {"r"});
    EXPECT_EQ(version(), "1");
}

TEST_F(VersionsTest, ANewQueueHasTheVersionOfItsWorkers) {
    of_version("a", "1");
    forget_changes();
    h.create_queue("r", {{"pure", 1}});
    EXPECT_EQ(version("r"), "1");
    ASSERT_EQ(h.changes.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<change::QueueCreated>(h.changes[0]));
    EXPECT_EQ(std::get<change::QueueMarked>(h.changes[1]).scanner_version, "1");
    EXPECT_EQ(h.partitions[0], 0U);
    EXPECT_EQ(h.partitions[1], std::get<change::QueueCreated>(h.changes[0]).partition);
}

TEST_F(VersionsTest, OnlyWorkersOfTheQueuesVersionGetPureExecutions) {
    Peer& a = of_version("a", "1", {0, 0});
    Peer& b = of_version("b", "2");
    accept(jobs(job(1)));
    EXPECT_EQ(given(b), Numbers{});
    grant(a, kPlenty);
    EXPECT_EQ(given(a), Numbers{1});
    answer(a, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(given(b), Numbers{});
    EXPECT_EQ(given(a), Numbers{1});
}

TEST_F(VersionsTest, JobsThatAreNotPureGoToAny) {
    of_version("a", "1", {0, 0});
    Peer& b = of_version("b", "2");
    accept(1, {.flags = JobOptions::kNotPure});
    EXPECT_EQ(given(b), Numbers{1});
}

TEST_F(VersionsTest, AnotherVersionIsOtherWork) {
    Peer& a = of_version("a", "1", {0, 0});
    accept(jobs(job(1)));
    a.send(protocol::Bye{});
    Peer& b = of_version("b", "2", {0, 0});
    EXPECT_EQ(version(), "2");
    EXPECT_TRUE(offer(jobs(job(2))).exceptions.empty()) << "not coalesced";
    EXPECT_EQ(offer(jobs(job(3))).exceptions.at(0).verdict, Verdict::coalesced);
    grant(b, kPlenty);
    EXPECT_EQ(given(b), (Numbers{1, 2})) << "what waited runs with the version there is";
}

TEST_F(VersionsTest, NobodyJoinsWhatWasAcceptedBeforeTheVersionLeftAndCameBack) {
    Peer& a = of_version("a", "1", {0, 0});
    accept(jobs(job(1)));
    a.send(protocol::Bye{});
    Peer& b = of_version("b", "2", {1, 1'000});
    EXPECT_EQ(given(b), Numbers{1}) << "its result is of version 2";
    h.disconnect(b);
    of_version("c", "1", {0, 0});
    EXPECT_EQ(version(), "2") << "b may come back";
    EXPECT_TRUE(b.hello({1, "1", {}, {{{7, counters.at(0)}, true}}}));
    EXPECT_EQ(b.adopted.size(), 1U);
    EXPECT_EQ(version(), "1");
    EXPECT_TRUE(offer(jobs(job(2))).exceptions.empty()) << "not coalesced";
    EXPECT_EQ(offer(jobs(job(3))).exceptions.at(0).verdict, Verdict::coalesced);
}

TEST_F(VersionsTest, TheRetryOfADeadLetterOfAnEarlierVersionIsNobodysWork) {
    alter({{"max_attempts", 1}});
    Peer& a = of_version("a", "1", {1, 1'000});
    accept(jobs(job(1)));
    given(a);
    answer(a, counters, AttemptOutcome::failed, "no");
    a.send(protocol::Bye{});
    Peer& b = of_version("b", "2", {0, 0});
    h.op().send(protocol::DeadLetters{"q", protocol::DeadAction::retry, {}});
    EXPECT_EQ(h.op().next<protocol::DeadDone>().jobs.size(), 1U);
    b.send(protocol::Bye{});
    Peer& c = of_version("c", "1", {0, 0});
    EXPECT_EQ(version(), "1");
    EXPECT_TRUE(offer(jobs(job(2))).exceptions.empty()) << "not coalesced";
    grant(c, kPlenty);
    EXPECT_EQ(given(c).size(), 2U);
    answer(c, counters, AttemptOutcome::done);
    EXPECT_EQ(queue_row("used_bytes"), 0U);
}

TEST_F(VersionsTest, AFullExecutionStaysWithItsVersion) {
    Peer& a = of_version("a", "1", {0, 0});
    Peer& b = of_version("b", "2");
    accept(job_range(1, 1'025));
    EXPECT_EQ(queue_row("waiting"), 2U);
    EXPECT_EQ(given(b), Numbers{});
    grant(a, kPlenty);
    EXPECT_EQ(given(a).size(), 2U);
}

TEST_F(VersionsTest, TheRetryOfAPureDeadLetterStaysWithItsVersion) {
    alter({{"max_attempts", 1}});
    Peer& a = of_version("a", "1", {1, 1'000});
    Peer& b = of_version("b", "2");
    accept(jobs(job(1)));
    given(a);
    answer(a, counters, AttemptOutcome::failed, "no");
    ends();
    h.op().send(protocol::DeadLetters{"q", protocol::DeadAction::retry, {}});
    EXPECT_EQ(h.op().next<protocol::DeadDone>().jobs.size(), 1U);
    EXPECT_EQ(given(b), Numbers{});
    // It may be joined like any, and leaves nothing behind.
    EXPECT_EQ(offer(jobs(job(2))).exceptions.at(0).verdict, Verdict::coalesced);
    grant(a, kPlenty);
    EXPECT_EQ(given(a).size(), 1U);
    answer(a, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2U);
    EXPECT_TRUE(offer(jobs(job(3))).exceptions.empty());
}

TEST_F(VersionsTest, ARetryBesideALiveExecutionOfTheSameWorkIsItsOwn) {
    alter({{"max_attempts", 1}});
    Peer& a = of_version("a", "1", {1, 1'000});
    accept(jobs(job(1)));
    given(a);
    answer(a, counters, AttemptOutcome::failed, "no");
    accept(jobs(job(2)));
    h.op().send(protocol::DeadLetters{"q", protocol::DeadAction::retry, {}});
    EXPECT_EQ(queue_row("waiting"), 2U);
    EXPECT_EQ(offer(jobs(job(3))).exceptions.at(0).verdict, Verdict::coalesced);
    EXPECT_EQ(job_row(3, "execution"), job_id(2).hex());
    grant(a, kPlenty);
    EXPECT_EQ(given(a).size(), 2U);
    answer(a, counters, AttemptOutcome::done);
    EXPECT_EQ(queue_row("used_bytes"), 0U);
    EXPECT_TRUE(offer(jobs(job(4))).exceptions.empty());
}

TEST_F(VersionsTest, WhatRunsAloneKeepsToTheVersionToo) {
    Peer& a = of_version("a", "1", {1, 1'000});
    accept(jobs(job(1)));
    given(a);
    Peer& b = of_version("b", "2");
    Peer& c = of_version("c", "1", {0, 0});
    heartbeat(a, counters);
    lose(a, {&b, &c});
    EXPECT_EQ(job_row(1, "crashes"), "1");
    EXPECT_EQ(given(b), Numbers{});
    grant(c, {1, 1'000});
    EXPECT_EQ(given(c), Numbers{1});
    accept(2, {.flags = JobOptions::kNotPure});
    EXPECT_EQ(given(b), Numbers{2}) << "b is not kept for what it cannot run";
}

}  // namespace
}  // namespace scanmq::broker
