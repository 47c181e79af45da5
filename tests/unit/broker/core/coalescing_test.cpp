// BrokerCore: pure jobs that share an execution.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class CoalescingTest : public CoreTest {
  protected:
    CoalescingTest() : CoreTest({{"pure", 1}, {"retry_base_ms", 0}}) {}
    // Whether the job joined another's execution; then what that was.
    JobState offered(protocol::Job one) {
        const auto& answer = offer(jobs(std::move(one)));
        if (answer.exceptions.empty()) return JobState::unknown;
        EXPECT_EQ(answer.exceptions[0].verdict, Verdict::coalesced)
            << answer.exceptions[0].sentence;
        EXPECT_EQ(answer.exceptions[0].code, ErrorCode::none);
        return answer.exceptions[0].state;
    }
};

TEST_F(CoalescingTest, TheSameWorkRunsOnceAndEachJobHasItsEntry) {
    Peer& w = worker("w", {1, 1'000});
    EXPECT_EQ(offered(job(1, "SPY.a")), JobState::unknown);
    EXPECT_EQ(offered(job(2, "SPY.b")), JobState::running) << "whatever its subject";
    EXPECT_EQ(given(w), Numbers{1});
    EXPECT_EQ(queue_row("running"), 1U);
    EXPECT_EQ(queue_row("used_bytes"), 142U);
    EXPECT_EQ(queue_row("coalesced"), 1U);
    EXPECT_EQ(h.core.counter("jobs_coalesced"), 1U);
    EXPECT_EQ(h.handles.size(), 1U) << "the second payload went back";
    forget_changes();
    answer(w, counters, AttemptOutcome::done);
    const auto ended = changed<change::Ended>();
    ASSERT_EQ(ended.size(), 1U);
    ASSERT_EQ(ended[0].jobs.size(), 2U);
    EXPECT_EQ(ended[0].jobs[0].subject, "SPY.a");
    EXPECT_EQ(ended[0].jobs[1].subject, "SPY.b");
    EXPECT_EQ(ended[0].first_offset, 0U);
    EXPECT_EQ(ended[0].body.body.bytes, "result") << "once";
    EXPECT_EQ(ends().size(), 2U);
    EXPECT_EQ(offered(job(3)), JobState::unknown)
        << "it ended, and no version is known: nothing is kept";
}

TEST_F(CoalescingTest, AnAttachedJobIsJournalledAsOne) {
    accept(jobs(job(1)));
    forget_changes();
    accept(jobs(job(2)));
    const auto accepted = changed<change::Accepted>();
    ASSERT_EQ(accepted.size(), 1U);
    EXPECT_TRUE(accepted[0].attached);
    EXPECT_EQ(accepted[0].execution, 1U);
    EXPECT_EQ(accepted[0].job.id, job_id(2));
    EXPECT_EQ(accepted[0].job.bytes, 71U);
    EXPECT_EQ(accepted[0].payload.body.bytes, "") << "its execution has it";
}

TEST_F(CoalescingTest, EachPartOfTheWorkTellsExecutionsApart) {
    const ContentId chain = h.put_blob("chain");
    const ContentId other = h.put_blob("other chain");
    const std::string two = std::string(chain.view()) + std::string(other.view());
    const auto with_inputs = [&](std::uint64_t n, std::string_view inputs) {
        protocol::Job out = job(n);
        out.inputs = inputs;
        return out;
    };
    EXPECT_EQ(offered(job(1)), JobState::unknown);
    EXPECT_EQ(offered(job(2, "S", "payloae")), JobState::unknown);
    EXPECT_EQ(offered(with_inputs(3, chain.view())), JobState::unknown);
    EXPECT_EQ(offered(with_inputs(4, other.view())), JobState::unknown);
    EXPECT_EQ(offered(with_inputs(5, two)), JobState::unknown);
    EXPECT_EQ(offered(job_with(6, {.as_of_ns = 0})), JobState::unknown) << "absent is not 0";
    EXPECT_EQ(offered(job_with(7, {.as_of_ns = 1})), JobState::unknown);
    // And what does not: priority, times, keys, the subject.
    EXPECT_EQ(offered(job_with(11, {.priority = 9, .deadline_ms = 9, .conflate_key = "k"})),
              JobState::queued);
    EXPECT_EQ(offered(with_inputs(13, chain.view())), JobState::queued);
    EXPECT_EQ(offered(with_inputs(15, two)), JobState::queued);
    EXPECT_EQ(offered(job_with(16, {.as_of_ns = 0})), JobState::queued);
    EXPECT_EQ(h.pins(chain), 2U);
}

TEST_F(CoalescingTest, QueuesShareNothing) {
    h.create_queue("r", {{"pure", 1}});
    producer->send(protocol::Want{"r", {}, {10, 10'000}});
    accept(jobs(job(1)));
    producer->send(submit("r", jobs(job(2))));
    EXPECT_TRUE(producer->next<protocol::Accepted>().exceptions.empty());
}

TEST_F(CoalescingTest, FlagsSayWhetherAJobIsPure) {
    accept(jobs(job(1)));
    EXPECT_EQ(offered(job_with(2, {.flags = JobOptions::kNotPure})), JobState::unknown);
    EXPECT_EQ(offered(job_with(3, {.flags = JobOptions::kPure})), JobState::queued);
    alter({{"pure", 0}});
    EXPECT_EQ(offered(job(4)), JobState::unknown);
    EXPECT_EQ(offered(job_with(5, {.flags = JobOptions::kPure})), JobState::queued);
    EXPECT_EQ(refused(job_with(6, {.flags = JobOptions::kPure | JobOptions::kNotPure})),
              ErrorCode::bad_option);
    EXPECT_EQ(queue_row("waiting"), 3U);
}

TEST_F(CoalescingTest, JoiningRaisesThePriority) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.priority = 2}, "A");
    accept(2, {.priority = 5}, "B");
    accept(3, {.priority = 7}, "A");
    grant(w, {1, 1'000});
    EXPECT_EQ(given(w), Numbers{1});
    // Its failure leaves it there; once the high one is gone, it falls back.
    answer(w, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(job_row(1, "ahead"), "0");
    cancel({3});
    EXPECT_EQ(job_row(1, "ahead"), "1");
    grant(w, kPlenty);
    EXPECT_EQ(given(w), (Numbers{2, 1}));
}

TEST_F(CoalescingTest, TheEarliestStartCounts) {
    Peer& w = worker();
    accept(1, {.delay_ms = 5'000});
    EXPECT_EQ(offered(job_with(2, {.delay_ms = 1'000})), JobState::queued);
    EXPECT_EQ(offered(job_with(3, {.delay_ms = 9'000})), JobState::queued);
    EXPECT_EQ(job_row(3, "due_ms"), "1000");
    cancel({2});
    EXPECT_EQ(job_row(3, "due_ms"), "5000") << "of those that are left";
    EXPECT_EQ(offered(job(4)), JobState::queued);
    EXPECT_EQ(given(w), Numbers{1}) << "at once";
    EXPECT_EQ(queue_row("delayed"), 0U);
}

TEST_F(CoalescingTest, WhenTheUndelayedJobLeavesTheOthersWaitForTheirStart) {
    Peer& w = worker("w", {0, 0});
    accept(jobs(job(1)));
    accept(2, {.delay_ms = 1'000});
    EXPECT_EQ(queue_row("waiting"), 1U);
    cancel({1});
    EXPECT_EQ(queue_row("waiting"), 0U);
    EXPECT_EQ(queue_row("delayed"), 1U);
    grant(w, kPlenty);
    h.advance(999ms);
    EXPECT_EQ(given(w), Numbers{});
    h.advance(1ms);
    EXPECT_EQ(given(w), Numbers{2});
}

TEST_F(CoalescingTest, ARetryWaitsForTheStartOfTheJobsThatAreLeft) {
    Peer& w = worker();
    accept(jobs(job(1)));
    given(w);
    const Numbers first = counters;
    accept(2, {.delay_ms = 5'000});
    cancel({1});
    forget_changes();
    answer(w, first, AttemptOutcome::failed, "no");
    EXPECT_EQ(changed<change::Released>().at(0).due, 0) << "the retry itself is due at once";
    EXPECT_EQ(job_row(2, "due_ms"), "5000");
    accept(jobs(job(3)));
    EXPECT_EQ(given(w), Numbers{2}) << "3 may start now";
}

TEST_F(CoalescingTest, JoiningDoesNotShortenTheDelayOfARetry) {
    alter({{"retry_base_ms", 10'000}});
    Peer& w = worker();
    accept(jobs(job(1)));
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    const std::string due = job_row(1, "due_ms");
    ASSERT_NE(due, "no such column");
    EXPECT_EQ(offered(job(2)), JobState::queued);
    EXPECT_EQ(job_row(1, "due_ms"), due);
    EXPECT_EQ(given(w), Numbers{});
}

TEST_F(CoalescingTest, JobsOfOneExecutionExpireOneByOne) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.deadline_ms = 1'000});
    accept(2, {.deadline_ms = 2'000});
    accept(jobs(job(3)));
    h.advance(1s);
    EXPECT_EQ(end().number, 1U);
    EXPECT_EQ(job_row(3, "jobs"), "2");
    grant(w, kPlenty);
    given(w);
    h.advance(1s);
    EXPECT_EQ(end().number, 2U);
    EXPECT_EQ(revoked(w), Numbers{});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(end(), (End{3, FinalOutcome::done, ErrorCode::none, ""}));
}

TEST_F(CoalescingTest, ALateJobAmongOthersMayFinishLate) {
    Peer& w = worker();
    accept(1, {.deadline_ms = 1'000});
    accept(2, {.deadline_ms = 1'000, .flags = JobOptions::kFinishLate});
    given(w);
    h.advance(1s);
    EXPECT_EQ(end().number, 1U);
    EXPECT_EQ(revoked(w), Numbers{});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(end().number, 2U);
}

TEST_F(CoalescingTest, AnExecutionHasAtMost1024Jobs) {
    accept(job_range(1, 1'024));
    EXPECT_EQ(queue_row("waiting"), 1U);
    EXPECT_EQ(job_row(1, "jobs"), "1024");
    EXPECT_EQ(offered(job(2'001)), JobState::queued) << "the next execution, which follows it";
    EXPECT_EQ(offered(job(2'002)), JobState::queued);
    cancel({5});
    EXPECT_EQ(offered(job(2'003)), JobState::queued);
    EXPECT_EQ(job_row(2'003, "jobs"), "3") << "a full one is not joined again";
    Peer& w = worker();
    EXPECT_EQ(given(w).size(), 1U);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 1'027U);
    EXPECT_EQ(h.handles.size(), 1U);
    EXPECT_EQ(queue_row("used_bytes"), 0U);
    EXPECT_EQ(offered(job(3'000)), JobState::unknown);
}

TEST_F(CoalescingTest, TheEndOf1024JobsKeepsTheRecordLimitAndIsInOneRecordWithItsGroups) {
    // Long subjects, each job the last of a group of its own, behind so much that the record is
    // nearly full. The harness checks each record's size.
    Peer& w = worker();
    const std::string subject(128, 's');
    const std::string large(230'000, 'x');
    const std::string result(262'144, 'r');
    std::uint64_t n = 0;
    for (const std::size_t fill :
         {0U, 180'000U, 200'000U, 215'000U, 220'000U, 225'000U, 229'000U}) {
        for (const std::size_t result_bytes : {0U, 262'144U}) {
            SCOPED_TRACE(std::to_string(fill) + " and " + std::to_string(result_bytes));
            const std::string payload = "scan " + std::to_string(n);
            for (int i = 0; i < 1'024; ++i) {
                const Id128 group = job_id(1'000'000 + ++n);
                producer->post(protocol::GroupOpen{"q", group});
                producer->post(submit("q", jobs(job(n, subject, payload)), group));
                producer->post(protocol::GroupSeal{"q", group, 1});
            }
            h.flush();
            ASSERT_EQ(given(w).size(), 1U);
            h.records.clear();
            forget_changes();
            for (std::size_t i = 0; i < 4 && fill > 0; ++i) {
                ++n;
                producer->post(submit("q", jobs(job_with(n, {.flags = JobOptions::kNotPure},
                                                         ByteView(large).substr(i, fill)))));
            }
            w.post(
                done(counters, AttemptOutcome::done, {}, ByteView(result).substr(0, result_bytes)));
            h.flush();
            given(w);
            answer(w, counters, AttemptOutcome::done);
            ASSERT_GE(changed<change::Ended>().size(), 1U);
            EXPECT_EQ(changed<change::Ended>()[0].jobs.size(), 1'024U);
            EXPECT_EQ(changed<change::GroupEnded>().size(), 1'024U);
            std::size_t at = 0;
            while (!std::holds_alternative<change::Ended>(h.changes[at])) ++at;
            for (const std::size_t record : h.records) {
                EXPECT_TRUE(record <= at || record > at + 1'024) << "a record begins among them";
            }
            producer->inbox.clear();
            producer->send(protocol::Want{"q", {}, {16'000, 16U << 20}});
        }
    }
}

TEST_F(CoalescingTest, AnExecutionWithACrashMayBeJoined) {
    Peer& w = worker("w", {1, 1'000});
    accept(jobs(job(1)));
    given(w);
    heartbeat(w, counters);
    lose(w);
    EXPECT_EQ(offered(job_with(2, {.priority = 9})), JobState::queued);
    Peer& v = worker("v", {1, 1'000});
    EXPECT_EQ(given(v), Numbers{1});
    EXPECT_EQ(h.row("workers", "", "alone"), 1U);
    answer(v, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2U);
}

TEST_F(CoalescingTest, AllJobsOfADeadExecutionAreDeadWithOneLetter) {
    alter({{"max_attempts", 1}});
    Peer& w = worker();
    accept(job_range(1, 3));
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    for (const End& one : ends()) EXPECT_EQ(one.outcome, FinalOutcome::dead);
    EXPECT_EQ(queue_row("dead"), 3U);
    EXPECT_EQ(queue_row("dead_letters"), 1U);
    EXPECT_EQ(h.row("dead", "q", "jobs"), 3U);
}

TEST_F(CoalescingTest, ADuplicateOfAnAttachedJobHasTheStateOfItsExecution) {
    Peer& w = worker("w", {0, 0});
    accept(job_range(1, 2));
    EXPECT_EQ(offer(jobs(job(2))).exceptions.at(0).state, JobState::queued);
    grant(w, kPlenty);
    const auto& answer = offer(jobs(job(2)));
    EXPECT_EQ(answer.exceptions.at(0).verdict, Verdict::duplicate);
    EXPECT_EQ(answer.exceptions.at(0).state, JobState::running);
}

TEST_F(CoalescingTest, APayloadThatIsABlobIsPinnedOnce) {
    const ContentId blob = h.put_blob("a large payload", protocol::BlobType::body);
    const auto large = [&](std::uint64_t n) {
        protocol::Job out = job(n);
        out.payload = {blob.view(), 15};
        return out;
    };
    accept(jobs(large(1)));
    EXPECT_EQ(offered(large(2)), JobState::queued);
    EXPECT_EQ(offered(job(3, "S", blob.view())), JobState::unknown) << "the same bytes inline";
    EXPECT_EQ(h.pins(blob), 1U);
    cancel({1, 2, 3});
    EXPECT_EQ(h.pins(blob), 0U);
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(CoalescingTest, InputsOutliveTheJobOfTheirFrameThatIsReplaced) {
    const ContentId chain = h.put_blob("chain");
    accept(jobs(job(1, "S", "one")));
    protocol::Job replaced = job_with(2, {.conflate_key = "k"});
    replaced.inputs = chain.view();
    protocol::Job joins = job_with(3, {.conflate_key = "k"}, "one");
    protocol::Job last = job(4, "S", "two");
    last.inputs = chain.view();
    offer(jobs(std::move(replaced), std::move(joins), std::move(last)));
    EXPECT_EQ(queue_row("superseded"), 1U);
    EXPECT_EQ(queue_row("coalesced"), 1U);
    EXPECT_EQ(h.pins(chain), 1U) << "of job 4";
    cancel({4});
    EXPECT_EQ(h.pins(chain), 0U);
}

}  // namespace
}  // namespace scanmq::broker
