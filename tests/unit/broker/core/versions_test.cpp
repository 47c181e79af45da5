// BrokerCore: scanner versions: which a queue takes up, and who gets its pure executions.

#include "broker/core/group_handler.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/restorer.hpp"
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
    ErrorCode move(const std::string& to, Peer* by = nullptr) {
        Peer& peer = by == nullptr ? h.op() : *by;
        peer.send(protocol::QueueVersion{"q", to});
        if (peer.count<protocol::Ok>() == 0) return peer.error();
        EXPECT_TRUE(peer.inbox.back().after_commit);
        peer.next<protocol::Ok>();
        return ErrorCode::none;
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

TEST_F(VersionsTest, AnOperatorMovesTheQueueWhileBothVersionsAreThere) {
    Peer& a = of_version("a", "1");
    Peer& b = of_version("b", "2");
    accept(jobs(job(1, "SPY.vertical", "first")));
    EXPECT_EQ(given(a), Numbers{1}) << "a was there first";
    const Numbers first = counters;
    EXPECT_EQ(move("2"), ErrorCode::none);
    EXPECT_EQ(version(), "2");
    EXPECT_EQ(queue_row("version_pinned"), 1U);
    // What runs goes on, and is not joined: its result is of version 1.
    EXPECT_TRUE(offer(jobs(job(2, "SPY.vertical", "first"))).exceptions.empty());
    EXPECT_EQ(given(b), Numbers{2});
    answer(a, first, AttemptOutcome::done);
    EXPECT_EQ(ends().at(0).number, 1U);
    accept(job_range(10, 5));
    EXPECT_EQ(given(a), Numbers{});
    EXPECT_EQ(given(b).size(), 1U) << "they are of one payload";
}

TEST_F(VersionsTest, WhatWaitsGoesToWorkersOfTheVersionThatTheQueueIsMovedTo) {
    Peer& a = of_version("a", "1", {0, 0});
    Peer& b = of_version("b", "2");
    accept(jobs(job(1)));
    EXPECT_EQ(given(b), Numbers{});
    EXPECT_EQ(move("2"), ErrorCode::none);
    EXPECT_EQ(given(b), Numbers{1}) << "at once";
    EXPECT_EQ(move("1"), ErrorCode::none);
    EXPECT_TRUE(offer(jobs(job(2))).exceptions.empty()) << "its result is of version 2";
    grant(a, kPlenty);
    EXPECT_EQ(given(a), Numbers{2});
}

TEST_F(VersionsTest, AVersionThatNobodyHasIsWaitedFor) {
    Peer& a = of_version("a", "1");
    EXPECT_EQ(move("2"), ErrorCode::none);
    accept(jobs(job(1)));
    EXPECT_EQ(given(a), Numbers{});
    h.op().send(protocol::Query{"explain", "q/" + job_id(1).hex()});
    EXPECT_EQ(value(h.op().next<protocol::Answer>().rows.at(0), "reason"), "no_version");
    Peer& b = of_version("b", "2");
    EXPECT_EQ(given(b), Numbers{1});
}

TEST_F(VersionsTest, WhatAnOperatorSetStaysUntilItIsToFollowAgain) {
    Peer& a = of_version("a", "1");
    forget_changes();
    EXPECT_EQ(move("1"), ErrorCode::none) << "it is, and stays";
    EXPECT_EQ(changed<change::VersionPinned>().size(), 1U);
    EXPECT_TRUE(changed<change::QueueMarked>().empty());
    a.send(protocol::Bye{});
    of_version("b", "2");
    EXPECT_EQ(version(), "1");
    forget_changes();
    EXPECT_EQ(move(""), ErrorCode::none);
    EXPECT_EQ(version(), "2");
    EXPECT_EQ(queue_row("version_pinned"), 0U);
    ASSERT_EQ(changed<change::VersionPinned>().size(), 1U);
    EXPECT_FALSE(changed<change::VersionPinned>()[0].pinned);
    EXPECT_EQ(changed<change::QueueMarked>().at(0).scanner_version, "2");
    forget_changes();
    EXPECT_EQ(move(""), ErrorCode::none);
    EXPECT_TRUE(h.changes.empty());
}

TEST_F(VersionsTest, OnlyOperatorsMoveQueuesThatThereAre) {
    EXPECT_EQ(move("1", producer), ErrorCode::not_permitted);
    EXPECT_EQ(move("1", &of_version("a", "2")), ErrorCode::not_permitted);
    EXPECT_EQ(version(), "2");
    h.op().send(protocol::QueueVersion{"r", "1"});
    EXPECT_EQ(h.op().error(), ErrorCode::unknown_queue);
}

TEST_F(VersionsTest, ARestartKeepsWhatWasSetAndWhatWasAcceptedUnderIt) {
    BlobTable blobs{{}};
    BrokerOptions options;
    options.epoch = 8;
    CoreState state(options, blobs);
    Effects effects;
    state.now = h.now;
    state.effects = &effects;
    StreamWriter writer(state);
    Leases leases(state);
    Publisher publisher(state);
    GroupHandler groups(state, writer);
    Restorer restorer(state, {leases, writer, groups, publisher});
    QueueRow row;
    row.name = "q";
    row.next_execution = 3;
    row.scanner_version = "2";
    row.version_pinned = true;
    row.version_since = 2;
    ASSERT_TRUE(restorer.queue(1, row));
    const auto fingerprint = content_id("work");
    for (std::uint64_t number = 1; number <= 2; ++number) {
        ExecutionRow execution;
        execution.jobs.emplace_back().id = job_id(number);
        execution.fingerprint = fingerprint;
        ASSERT_TRUE(restorer.execution(1, number, execution, nullptr,
                                       BodyHandle{static_cast<std::uint32_t>(number)}));
    }
    Queue& queue = *state.find_queue("q");
    EXPECT_TRUE(queue.version_pinned);
    EXPECT_EQ(queue.scanner_version, "2");
    const Slot shared = queue.fingerprints.find(state.table, fingerprint);
    ASSERT_NE(shared, kNoSlot);
    EXPECT_EQ(state.table.executions[shared].number, 2U) << "the other is of an earlier version";
    EXPECT_EQ(state.table.find_extra(shared)->version_stamp, queue.version_stamp);
    ExecutionRow died;
    died.jobs.emplace_back().id = job_id(3);
    died.fingerprint = fingerprint;
    ASSERT_TRUE(restorer.dead(1, 0, DeadRow{}, died, BodyHandle{3}));
    EXPECT_EQ(queue.dead.find(job_id(3))->fingerprint, fingerprint) << "its retry is pure again";
    state.effects = nullptr;
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
    EXPECT_EQ(queue_row("waiting"), 1U);
    EXPECT_EQ(queue_row("following"), 1U);
    EXPECT_EQ(given(b), Numbers{});
    grant(a, kPlenty);
    EXPECT_EQ(given(a).size(), 1U);
    answer(a, counters, AttemptOutcome::rejected, "no");
    EXPECT_EQ(given(b), Numbers{});
    EXPECT_EQ(given(a).size(), 1U) << "the one that followed";
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
