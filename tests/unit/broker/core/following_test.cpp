// BrokerCore: pure jobs beyond what one execution takes: they wait for its result.

#include "broker/core/ending.hpp"
#include "broker/core/group_handler.hpp"
#include "broker/core/placing.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/restorer.hpp"
#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

constexpr std::uint64_t kMost = kJobsPerExecutionMax;

class FollowingTest : public CoreTest {
  protected:
    explicit FollowingTest(const protocol::Settings& settings = {{"pure", 1}, {"retry_base_ms", 0}},
                           const BrokerOptions& options = {})
        : CoreTest(settings, options) {}
    // How many of the entries since the last call have that outcome.
    std::size_t ended_as(FinalOutcome outcome) {
        std::size_t n = 0;
        for (const End& one : ends()) n += one.outcome == outcome ? 1 : 0;
        return n;
    }
    void expect_nothing_left() {
        EXPECT_EQ(queue_row("used_bytes"), 0U);
        EXPECT_EQ(queue_row("following"), 0U);
        EXPECT_EQ(queue_row("waiting") + queue_row("running") + queue_row("delayed"), 0U);
    }
};

TEST_F(FollowingTest, AStampedeIsOneScan) {
    std::vector<Peer*> workers;
    for (int i = 0; i < 4; ++i) workers.push_back(&worker("w" + std::to_string(i)));
    const auto& verdicts = offer(job_range(1, 10'000)).exceptions;
    ASSERT_EQ(verdicts.size(), 9'999U);
    for (const auto& one : verdicts) EXPECT_EQ(one.verdict, Verdict::coalesced);
    EXPECT_EQ(queue_row("running") + queue_row("waiting"), 1U);
    EXPECT_EQ(queue_row("following"), 9U);
    EXPECT_EQ(queue_row("coalesced"), 9'999U);
    std::size_t scans = 0;
    for (Peer* w : workers) {
        scans += given(*w).size();
        if (!counters.empty()) answer(*w, counters, AttemptOutcome::done);
    }
    EXPECT_EQ(scans, 1U);
    EXPECT_EQ(h.core.counter("attempts_started"), 1U);
    EXPECT_EQ(ended_as(FinalOutcome::done), 10'000U);
    EXPECT_EQ(h.core.counter("followers_made"), 9U);
    EXPECT_EQ(h.core.counter("followers_ended"), 9U);
    for (const auto& ended : changed<change::Ended>()) {
        EXPECT_LE(ended.jobs.size(), kMost);
        EXPECT_TRUE(ended.over);
        EXPECT_EQ(ended.body.body.bytes, "result");
    }
    EXPECT_EQ(h.handles.size(), 1U) << "the result, once; no payload";
    expect_nothing_left();
    EXPECT_EQ(verdict(job(20'000)), Verdict::accepted) << "no version is known: nothing is kept";
}

TEST_F(FollowingTest, WhatComesWhileItRunsFollowsTooAndIsToldThatItRuns) {
    Peer& w = worker();
    accept(job_range(1, kMost));
    given(w);
    const auto& verdicts = offer(job_range(5'000, 2)).exceptions;
    ASSERT_EQ(verdicts.size(), 2U);
    EXPECT_EQ(verdicts[0].state, JobState::running);
    EXPECT_EQ(verdicts[1].state, JobState::running);
    EXPECT_EQ(job_row(5'000, "state"), "queued");
    EXPECT_EQ(job_row(5'001, "jobs"), "2") << "they share an execution";
    EXPECT_EQ(job_row(5'001, "behind"), job_id(1).hex());
    h.op().send(protocol::Query{"explain", "q/" + job_id(5'001).hex()});
    const auto& rows = h.op().next<protocol::Answer>().rows;
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(value(rows[0], "reason"), "attached");
    EXPECT_EQ(value(rows[1], "reason"), "following");
    EXPECT_EQ(value(rows[2], "reason"), "running");
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost + 2);
}

TEST_F(FollowingTest, WhenItDiesTheNextOneRuns) {
    alter({{"max_attempts", 2}});
    Peer& w = worker();
    accept(job_range(1, 3 * kMost));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(given(w), Numbers{1});
        answer(w, counters, AttemptOutcome::failed, "no");
    }
    EXPECT_EQ(ended_as(FinalOutcome::dead), kMost);
    EXPECT_EQ(queue_row("dead_letters"), 1U);
    EXPECT_EQ(given(w), Numbers{kMost + 1}) << "with attempts of its own";
    EXPECT_EQ(queue_row("following"), 1U);
    answer(w, counters, AttemptOutcome::failed, "no");
    EXPECT_EQ(given(w), Numbers{kMost + 1});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), 2 * kMost);
    EXPECT_EQ(h.core.counter("followers_led"), 1U);
    EXPECT_EQ(h.core.counter("followers_ended"), 1U);
    expect_nothing_left();
}

TEST_F(FollowingTest, ARefusalIsOfItsOwnJobsOnly) {
    Peer& w = worker();
    accept(job_range(1, kMost + 1));
    given(w);
    answer(w, counters, AttemptOutcome::rejected, "no");
    EXPECT_EQ(ended_as(FinalOutcome::rejected), kMost);
    EXPECT_EQ(given(w), Numbers{kMost + 1});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), 1U);
    expect_nothing_left();
}

TEST_F(FollowingTest, WhenAllItsJobsAreCancelledTheNextOneRuns) {
    Peer& w = worker();
    accept(job_range(1, 2 * kMost + 1));
    given(w);
    Numbers all;
    for (std::uint64_t n = 1; n <= kMost; ++n) all.push_back(n);
    cancel(all);
    EXPECT_EQ(ended_as(FinalOutcome::cancelled), kMost);
    EXPECT_EQ(revoked(w), counters);
    EXPECT_EQ(given(w), Numbers{kMost + 1});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost + 1);
    expect_nothing_left();
}

TEST_F(FollowingTest, JobsThatFollowAreCancelledOneByOne) {
    Peer& w = worker();
    accept(job_range(1, kMost + 2));
    given(w);
    EXPECT_EQ(cancel({kMost + 1}), Numbers{static_cast<std::uint64_t>(JobState::running)});
    EXPECT_EQ(end().number, kMost + 1);
    EXPECT_EQ(queue_row("following"), 1U);
    cancel({kMost + 2});
    EXPECT_EQ(end().number, kMost + 2);
    EXPECT_EQ(queue_row("following"), 0U);
    // The full one is known again: what comes now follows it.
    EXPECT_EQ(verdict(job(9'000)), Verdict::coalesced);
    EXPECT_EQ(queue_row("following"), 1U);
    cancel({7});
    EXPECT_EQ(verdict(job(9'001)), Verdict::coalesced) << "a full one is not joined again";
    EXPECT_EQ(job_row(9'001, "jobs"), "2");
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost - 1 + 2);
    EXPECT_EQ(h.core.counter("attempts_started"), 1U);
    expect_nothing_left();
}

TEST_F(FollowingTest, OneInTheMiddleMayLeave) {
    Peer& w = worker();
    accept(job_range(1, 3 * kMost + 1));
    given(w);
    Numbers second;
    for (std::uint64_t n = kMost + 1; n <= 2 * kMost; ++n) second.push_back(n);
    cancel(second);
    EXPECT_EQ(ended_as(FinalOutcome::cancelled), kMost);
    EXPECT_EQ(queue_row("following"), 2U);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), 2 * kMost + 1);
    expect_nothing_left();
}

TEST_F(FollowingTest, TheHighestPriorityIsThatOfAllWhoWait) {
    Peer& w = worker("w", {0, 0});
    const auto low = [](std::uint64_t n) { return job_with(n, {.priority = 2}); };
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 1; n <= kMost + 1; ++n) list.push_back(low(n));
    accept(std::move(list));
    accept(5'000, {.priority = 5}, "other");
    EXPECT_EQ(job_row(1, "ahead"), "1");
    accept(jobs(job_with(6'000, {.priority = 9})));
    EXPECT_EQ(job_row(1, "ahead"), "0") << "lifted by one that follows";
    cancel({6'000});
    EXPECT_EQ(job_row(1, "ahead"), "1");
    accept(jobs(job_with(6'001, {.priority = 9})));
    grant(w, {1, 1'000});
    EXPECT_EQ(given(w), Numbers{1});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost + 2);
}

TEST_F(FollowingTest, TheEarliestStartIsThatOfAllWhoWait) {
    Peer& w = worker();
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 1; n <= kMost; ++n) list.push_back(job_with(n, {.delay_ms = 60'000}));
    accept(std::move(list));
    accept(jobs(job_with(5'000, {.delay_ms = 90'000})));
    EXPECT_EQ(job_row(1, "due_ms"), "60000");
    accept(jobs(job_with(5'001, {.delay_ms = 30'000})));
    EXPECT_EQ(job_row(1, "due_ms"), "30000");
    cancel({5'001});
    EXPECT_EQ(job_row(1, "due_ms"), "60000");
    EXPECT_EQ(given(w), Numbers{});
    accept(jobs(job(5'002)));
    EXPECT_EQ(given(w), Numbers{1}) << "at once";
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost + 2);
}

TEST_F(FollowingTest, WhenTheLeaderLeavesTheOthersWaitForTheirStart) {
    Peer& w = worker();
    control(protocol::QueueAction::pause);
    std::vector<protocol::Job> list = job_range(1, kMost);
    list.push_back(job_with(5'000, {.delay_ms = 10'000}));
    accept(std::move(list));
    Numbers all;
    for (std::uint64_t n = 1; n <= kMost; ++n) all.push_back(n);
    cancel(all);
    control(protocol::QueueAction::resume);
    EXPECT_EQ(queue_row("delayed"), 1U);
    EXPECT_EQ(given(w), Numbers{});
    pass(10s, {&w});
    EXPECT_EQ(given(w), Numbers{5'000});
}

TEST_F(FollowingTest, DeadlinesAreEachJobsOwn) {
    Peer& w = worker();
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 1; n <= kMost; ++n) list.push_back(job_with(n, {.deadline_ms = 5'000}));
    list.push_back(job_with(5'000, {.deadline_ms = 1'000}));
    list.push_back(job_with(5'001, {.deadline_ms = 1'000, .flags = JobOptions::kFinishLate}));
    list.push_back(job_with(5'002, {.deadline_ms = 9'000}));
    control(protocol::QueueAction::pause);
    accept(std::move(list));
    control(protocol::QueueAction::resume);
    auto& deliver = w.next<protocol::Deliver>();
    ASSERT_EQ(deliver.attempts.size(), 1U);
    EXPECT_EQ(deliver.attempts[0].deadline_ms, 0U) << "some that follow may want it later";
    counters = {deliver.attempts[0].counter};
    pass(1s, {&w});
    EXPECT_EQ(end(), (End{5'000, FinalOutcome::expired, ErrorCode::deadline_passed,
                          "its deadline passed while it ran"}));
    pass(4s, {&w});
    EXPECT_EQ(ended_as(FinalOutcome::expired), kMost);
    EXPECT_EQ(revoked(w), counters) << "it was the leader's";
    EXPECT_EQ(given(w).size(), 1U);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), 2U);
    expect_nothing_left();
}

TEST_F(FollowingTest, ANewerJobOfItsKeyTakesThePlaceOfOneThatFollows) {
    Peer& w = worker();
    accept(job_range(1, kMost));
    given(w);
    accept(5'000, {.conflate_key = "k"});
    accept(5'001, {.conflate_key = "k"}, "other");
    EXPECT_EQ(end().outcome, FinalOutcome::superseded);
    EXPECT_EQ(queue_row("following"), 0U);
    accept(5'002, {.conflate_key = "m"});
    accept(5'003, {.conflate_key = "m"});
    EXPECT_EQ(end().number, 5'002U);
    EXPECT_EQ(queue_row("following"), 1U);
}

TEST_F(FollowingTest, APurgeEndsWhatFollowsWhatRuns) {
    Peer& w = worker();
    accept(job_range(1, 3 * kMost));
    given(w);
    control(protocol::QueueAction::purge);
    h.tick();
    EXPECT_EQ(ended_as(FinalOutcome::cancelled), 2 * kMost);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost);
    expect_nothing_left();
}

TEST_F(FollowingTest, AQueueGoesWithAllThatFollows) {
    Peer& w = worker();
    accept(job_range(1, 3 * kMost));
    given(w);
    h.op().send(protocol::QueueDelete{"q", true});
    h.tick();
    h.op().next<protocol::Ok>();
    EXPECT_EQ(revoked(w), counters);
    EXPECT_TRUE(h.handles.empty());
}

TEST_F(FollowingTest, ALostWorkersAttemptIsMadeAgainAndTheyWaitForThat) {
    Peer& w = worker("w");
    accept(job_range(1, kMost + 1));
    given(w);
    heartbeat(w, counters);
    lose(w);
    EXPECT_EQ(queue_row("following"), 1U);
    Peer& v = worker("v");
    EXPECT_EQ(given(v), Numbers{1});
    answer(v, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost + 1);
}

TEST_F(FollowingTest, ALaterVersionIsNotWaitedFor) {
    Peer& w = of_version("w");
    accept(job_range(1, kMost + 1));
    given(w);
    const Numbers first = counters;
    h.op().send(protocol::QueueVersion{"q", "2"});
    h.op().next<protocol::Ok>();
    EXPECT_EQ(verdict(job(5'000)), Verdict::accepted);
    EXPECT_EQ(queue_row("following"), 1U);
    answer(w, first, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), kMost + 1) << "as all that was accepted with it";
    EXPECT_EQ(queue_row("waiting"), 1U);
}

TEST_F(FollowingTest, TheResultIsKeptAndAnswersLaterJobs) {
    Peer& w = of_version("w");
    accept(job_range(1, 2 * kMost));
    given(w);
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(verdict(job(5'000)), Verdict::cached);
    // It can be read as long as the newest of its entries is there.
    alter({{"stream_max_bytes", 200}});
    h.tick();
    EXPECT_EQ(verdict(job(5'001)), Verdict::cached);
}

TEST_F(FollowingTest, FreshJobsFollowWhatIsRunForOneOfThem) {
    Peer& w = of_version("w");
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 1; n <= 3 * kMost; ++n) {
        list.push_back(job_with(n, {.flags = JobOptions::kFresh}));
    }
    accept(std::move(list));
    auto& deliver = w.next<protocol::Deliver>();
    ASSERT_EQ(deliver.attempts.size(), 1U);
    EXPECT_TRUE(deliver.attempts[0].fingerprint.empty()) << "it has to be run";
    EXPECT_EQ(queue_row("following"), 2U);
    w.send(done({deliver.attempts[0].counter}, AttemptOutcome::done));
    EXPECT_EQ(ended_as(FinalOutcome::done), 3 * kMost);
}

TEST_F(FollowingTest, AFreshJobDoesNotFollowWhatAWorkerMayKnow) {
    Peer& w = of_version("w");
    accept(job_range(1, kMost + 1));
    EXPECT_EQ(given(w), Numbers{1});
    EXPECT_EQ(verdict(job_with(5'000, {.flags = JobOptions::kFresh})), Verdict::accepted);
    EXPECT_EQ(given(w), Numbers{5'000});
    EXPECT_EQ(queue_row("following"), 1U);
}

TEST_F(FollowingTest, AFreshJobThatFollowsWhatWaitsMakesItFresh) {
    Peer& w = worker("w", {0, 0}, {1, "1", {}, {}});
    accept(job_range(1, kMost));
    EXPECT_EQ(verdict(job_with(5'000, {.flags = JobOptions::kFresh})), Verdict::coalesced);
    grant(w, kPlenty);
    auto& deliver = w.next<protocol::Deliver>();
    EXPECT_TRUE(deliver.attempts.at(0).fingerprint.empty());
}

class SharedFollowingTest : public FollowingTest {
  protected:
    SharedFollowingTest() : FollowingTest({{"pure", 1}}, shared_tier()) {}
};

TEST_F(SharedFollowingTest, WhatIsLookedForIsAskedForOnceAndEndsAll) {
    Peer& w = of_version("w");
    accept(job_range(1, 2 * kMost));
    ASSERT_EQ(h.asks.size(), 1U);
    EXPECT_EQ(queue_row("looking"), 1U);
    EXPECT_EQ(queue_row("following"), 1U);
    h.answer_cache(h.asks[0].look_up, "of the tier");
    EXPECT_EQ(ended_as(FinalOutcome::done), 2 * kMost);
    EXPECT_EQ(given(w), Numbers{});
    expect_nothing_left();
}

TEST_F(SharedFollowingTest, WhatIsMadeGoesIntoTheTierOnce) {
    Peer& w = of_version("w");
    accept(job_range(1, 4 * kMost));
    h.answer_cache(h.asks[0].look_up, "");
    EXPECT_EQ(given(w), Numbers{1});
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ended_as(FinalOutcome::done), 4 * kMost);
    EXPECT_EQ(h.keeps.size(), 1U);
}

class LosslessFollowingTest : public FollowingTest {
  protected:
    LosslessFollowingTest()
        : FollowingTest({{"pure", 1},
                         {"stream_max_bytes", 640'000},
                         {"max_result_bytes", 1'000},
                         {"lossless", 1}}) {}
};

TEST_F(LosslessFollowingTest, WhatDoesNotFitWaitsAndRunsLater) {
    Peer& desk = h.subscriber("desk");
    desk.send(
        protocol::Subscribe{1, "q", ">", protocol::StartFrom::earliest, 0, {}, "desk", kPlenty});
    producer->send(protocol::Want{"q", {}, {}});
    producer->send(protocol::Reclaimed{"q", {}});
    producer->send(protocol::Want{"q", {}, {900, 900 * 71}});
    Peer& w = worker();
    accept(job_range(1, 900));
    const std::uint64_t followers = queue_row("following");
    EXPECT_GE(followers, 7U) << "so many jobs as fit at a time";
    std::size_t scans = 0;
    std::size_t ended = 0;
    std::uint64_t acked = 0;
    while (ended < 900 && scans < 20) {
        while (!given(w).empty()) {
            ++scans;
            w.send(done(counters, AttemptOutcome::done, {}, std::string(1'000, 'r')));
            ended += ended_as(FinalOutcome::done);
        }
        EXPECT_LE(queue_row("stream_bytes") + queue_row("stream_reserved_bytes"), 640'000U);
        acked = queue_row("stream_next");
        desk.send(protocol::Ack{1, acked});
        h.tick();
    }
    EXPECT_EQ(ended, 900U);
    EXPECT_GT(scans, 1U);
    EXPECT_LT(scans, followers) << "most ended with the result of another";
    expect_nothing_left();
}

TEST(FollowingRestoreTest, AfterARestartTheyFollowAgain) {
    BlobTable blobs{{}};
    BrokerOptions options;
    options.epoch = 8;
    CoreState state(options, blobs);
    Effects effects;
    state.now = Time{1h};
    state.effects = &effects;
    StreamWriter writer(state);
    Leases leases(state);
    Publisher publisher(state);
    GroupHandler groups(state, writer);
    Ending ending(state, writer, leases);
    Restorer restorer(state, {leases, writer, groups, publisher});
    QueueRow row;
    row.name = "q";
    row.next_execution = 10;
    ASSERT_TRUE(restorer.queue(1, row));
    const auto add = [&](std::uint64_t number, std::uint8_t priority, std::uint8_t flags,
                         const RunRow* run, const Id128& retry_of = {}) {
        ExecutionRow execution;
        JobRow& job = execution.jobs.emplace_back();
        job.id = job_id(number);
        job.priority = priority;
        job.flags = flags;
        job.retry_of = retry_of;
        execution.fingerprint = content_id("work");
        const auto done = restorer.execution(1, number, execution, run,
                                             BodyHandle{static_cast<std::uint32_t>(number)});
        EXPECT_TRUE(done) << (done ? "" : done.error());
        Queue& queue = *state.find_queue("q");
        return state.table.jobs[queue.ids.find(job_id(number)).job].execution;
    };
    const Slot leader = add(1, 3, 0, nullptr);
    const Slot second = add(2, 7, 0, nullptr);
    const Slot retry = add(3, 5, 0, nullptr, job_id(99));
    const Slot fresh = add(4, 5, protocol::JobOptions::kFresh, nullptr);
    RunRow failed;
    failed.failures = 1;
    const Slot ran = add(5, 5, 0, &failed);
    const Slot third = add(6, 5, 0, nullptr);
    restorer.finish();
    Queue& queue = *state.find_queue("q");
    const auto state_of = [&](Slot slot) { return state.table.executions[slot].state; };
    EXPECT_EQ(state_of(leader), ExecutionState::waiting);
    EXPECT_EQ(state.table.executions[leader].priority, 7) << "the highest of all who wait";
    EXPECT_EQ(state.table.leader_of(second), leader);
    EXPECT_EQ(state_of(retry), ExecutionState::waiting);
    EXPECT_EQ(state_of(fresh), ExecutionState::waiting);
    EXPECT_EQ(state_of(ran), ExecutionState::waiting) << "it was run once";
    EXPECT_EQ(state.table.leader_of(third), leader);
    EXPECT_EQ(queue.followers.size(), 2U);
    EXPECT_EQ(queue.fingerprints.find(state.table, content_id("work")), third);
    // One entry each, with the leader's result.
    ending.end(leader, {protocol::FinalOutcome::done, protocol::ErrorCode::none, kNoSlot, {77}, 6});
    EXPECT_EQ(queue.ended_as(protocol::FinalOutcome::done), 3U);
    EXPECT_EQ(queue.stream.next(), 3U);
    EXPECT_EQ(queue.followers.size(), 0U);
    EXPECT_EQ(queue.room.size(), 3U);
    state.effects = nullptr;
}

}  // namespace
}  // namespace scanmq::broker
