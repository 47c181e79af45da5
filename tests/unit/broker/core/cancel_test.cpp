// BrokerCore: CANCEL, of jobs wherever they are.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class CancelTest : public CoreTest {
  protected:
    CancelTest() : CoreTest({{"retry_base_ms", 0}}) {}
    static constexpr std::uint32_t kPure = JobOptions::kPure;
};

TEST_F(CancelTest, TellsWhatEachWasInOrder) {
    Peer& w = worker("w", {2, 10'000});
    accept(job_range(1, 4));
    EXPECT_EQ(given(w), (Numbers{1, 2}));
    accept(5, {.delay_ms = 1'000});
    answer(w, {2}, AttemptOutcome::done);
    ends();
    EXPECT_EQ(cancel({4, 99, 1, 2, 5, 4}), (Numbers{1, 0, 2, 3, 1, 3}));
    EXPECT_TRUE(producer->kept.back().after_commit);
    const auto all = ends();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0],
              (End{4, FinalOutcome::cancelled, ErrorCode::cancelled, "cancelled by 'producer'"}));
    EXPECT_EQ(all[1].number, 1U);
    EXPECT_EQ(all[2].number, 5U);
    EXPECT_EQ(revoked(w), Numbers{1});
    EXPECT_EQ(queue_row("cancelled"), 3U);
    EXPECT_EQ(queue_row("running") + queue_row("delayed"), 0U);
    EXPECT_EQ(queue_row("used_bytes"), 71U);
}

TEST_F(CancelTest, TheLateAnswerOfARevokedAttemptEndsNothingAndIsNotRefused) {
    Peer& w = worker();
    for (const auto outcome : {AttemptOutcome::done, AttemptOutcome::returned,
                               AttemptOutcome::failed, AttemptOutcome::rejected}) {
        const auto n = 10 + static_cast<std::uint64_t>(outcome);
        accept(n);
        given(w);
        cancel({n});
        EXPECT_EQ(end().outcome, FinalOutcome::cancelled);
        answer(w, counters, outcome, "late");
        EXPECT_EQ(w.error(), ErrorCode::none);
        EXPECT_EQ(ends().size(), 0U);
        answer(w, counters, outcome, "later");
        EXPECT_EQ(w.error(), ErrorCode::stale_attempt);
    }
    EXPECT_EQ(h.core.counter("attempts_revoked"), 4U);
    EXPECT_EQ(h.core.counter("attempts_failed"), 0U);
    EXPECT_EQ(h.handles.size(), 0U);
}

TEST_F(CancelTest, AnswerAndCancelInOneBatchCountInTheirOrder) {
    Peer& w = worker();
    accept(job_range(1, 2));
    given(w);
    producer->post(protocol::Cancel{"q", {job_id(1)}});
    w.post(done({1, 2}, AttemptOutcome::done));
    producer->post(protocol::Cancel{"q", {job_id(2)}});
    h.flush();
    const auto all = ends();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].outcome, FinalOutcome::cancelled);
    EXPECT_EQ(all[1].outcome, FinalOutcome::done);
    EXPECT_EQ(w.error(), ErrorCode::none);
}

TEST_F(CancelTest, TheFirstJobOfASharedExecutionMayGoWhileItRuns) {
    Peer& w = worker();
    for (std::uint64_t n = 1; n <= 3; ++n) accept(n, {.flags = kPure});
    EXPECT_EQ(given(w), Numbers{1});
    forget_changes();
    EXPECT_EQ(cancel({1}), Numbers{2});
    EXPECT_EQ(end().number, 1U);
    const auto left = changed<change::Ended>();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_FALSE(left[0].over);
    EXPECT_EQ(left[0].execution, 1U);
    ASSERT_EQ(left[0].jobs.size(), 1U);
    EXPECT_EQ(left[0].jobs[0].id, job_id(1));
    EXPECT_EQ(revoked(w), Numbers{}) << "others want its result";
    EXPECT_NE(job_row(2, "execution"), job_id(1).hex());
    EXPECT_EQ(job_row(2, "jobs"), "2");
    answer(w, counters, AttemptOutcome::done);
    const auto all = ends();
    ASSERT_EQ(all.size(), 2U);
    for (const End& one : all) EXPECT_EQ(one.outcome, FinalOutcome::done);
    EXPECT_EQ(h.handles.size(), 1U) << "one body for both entries";
}

TEST_F(CancelTest, WhenTheLastJobLeavesTheExecutionIsRevoked) {
    Peer& w = worker();
    for (std::uint64_t n = 1; n <= 3; ++n) accept(n, {.flags = kPure});
    given(w);
    cancel({2, 1});
    EXPECT_EQ(revoked(w), Numbers{});
    forget_changes();
    cancel({3});
    EXPECT_TRUE(changed<change::Ended>().at(0).over);
    EXPECT_EQ(revoked(w), Numbers{1});
    // Nobody joins what was revoked.
    accept(4, {.flags = kPure});
    EXPECT_EQ(given(w), Numbers{4});
    EXPECT_EQ(ends().size(), 3U);
}

TEST_F(CancelTest, ACancelledJobThatIsSubmittedAgainIsADuplicate) {
    accept(1);
    cancel({1});
    const auto& answer = offer(jobs(job(1)));
    ASSERT_EQ(answer.exceptions.size(), 1U);
    EXPECT_EQ(answer.exceptions[0].verdict, Verdict::duplicate);
    EXPECT_EQ(answer.exceptions[0].state, JobState::finished);
}

TEST_F(CancelTest, AWorkersCreditGoesOnAfterARevocation) {
    Peer& w = worker("w", {1, 1'000});
    accept(job_range(1, 2));
    given(w);
    cancel({1});
    EXPECT_EQ(given(w), Numbers{}) << "its credit is absolute";
    w.send(done({1}, AttemptOutcome::returned, {2, 2'000}, ""));
    EXPECT_EQ(given(w), Numbers{2});
}

TEST_F(CancelTest, UnknownQueuesAndWrongRolesAreRefused) {
    producer->send(protocol::Cancel{"nowhere", {job_id(1)}});
    EXPECT_EQ(producer->error(), ErrorCode::unknown_queue);
    Peer& w = worker();
    accept(1);
    given(w);
    for (Peer* peer : {&w, subscriber}) {
        peer->send(protocol::Cancel{"q", {job_id(1)}});
        EXPECT_EQ(peer->error(), ErrorCode::not_permitted);
    }
    EXPECT_EQ(h.core.counter("error_not_permitted"), 2U);
    EXPECT_EQ(h.core.counter("error_unknown_queue"), 1U);
    h.op().send(protocol::Cancel{"q", {job_id(1)}});
    EXPECT_EQ(h.op().next<protocol::Cancelled>().states, std::vector{JobState::running});
    producer->send(protocol::Cancel{"q", {}});
    EXPECT_TRUE(producer->next<protocol::Cancelled>().states.empty());
}

TEST_F(CancelTest, TheLastJobOfAGroupCompletesIt) {
    const Id128 group = job_id(500);
    producer->send(protocol::GroupOpen{"q", group});
    accept(jobs(job(1), job(2)), group);
    producer->send(protocol::GroupSeal{"q", group, 2});
    forget_changes();
    h.records.clear();
    cancel({1, 2});
    ASSERT_EQ(h.changes.size(), 3U);
    EXPECT_EQ(h.records.size(), 1U);
    const auto& ended = std::get<change::GroupEnded>(h.changes[2]);
    EXPECT_EQ(ended.group, group);
    EXPECT_EQ(ended.phase, protocol::GroupPhase::complete);
    EXPECT_EQ(ended.offset, 2U);
    EXPECT_EQ(ends().size(), 2U);
}

TEST_F(CancelTest, JobsOfAFullGroupAreForgottenWithIt) {
    BrokerOptions options;
    options.groups_per_queue_max = 1;
    Harness small(options);
    small.create_queue("q");
    Peer& p = small.producer();
    p.send(protocol::GroupOpen{"q", job_id(1)});
    p.send(protocol::GroupSeal{"q", job_id(1), 0});
    small.changes.clear();
    p.send(protocol::GroupOpen{"q", job_id(2)});
    ASSERT_EQ(small.changes.size(), 2U);
    EXPECT_EQ(std::get<change::GroupForgotten>(small.changes[0]).group, job_id(1));
    EXPECT_EQ(std::get<change::GroupOpened>(small.changes[1]).group, job_id(2));
}

}  // namespace
}  // namespace scanmq::broker
