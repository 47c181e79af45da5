// BrokerCore: queues that are late, whose scanner fails or whose workers stand still serve older results.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class DegradedTest : public CoreTest {
  protected:
    DegradedTest()
        : CoreTest({{"pure", 1},
                    {"degraded_ms", 60'000},
                    {"shed_target_ms", 1'000},
                    {"max_attempts", 3},
                    {"retry_base_ms", 0}}) {
        w = &of_version("w");
        for (int i = 0; i < 2; ++i) ids.push_back(h.put_blob("chain " + std::to_string(i)));
        move(0);
    }
    void move(std::size_t to) {
        producer->send(protocol::AliasSet{"SPY@latest", ids[to]});
        producer->next<protocol::Ok>();
    }
    static protocol::Job about(std::uint64_t number, std::string_view payload = "payload",
                               std::uint32_t flags = 0) {
        protocol::Job out = job_with(number, {.flags = flags}, payload);
        out.options->aliases = {"SPY@latest"};
        return out;
    }
    // Its request has a result, and its inputs moved since.
    void make_older(std::uint64_t number, std::string_view payload = "payload") {
        move(0);
        accept(jobs(about(number, payload)));
        given(*w);
        w->send(done(counters, AttemptOutcome::done, {}, "older"));
        EXPECT_EQ(end().number, number);
        move(1);
    }
    // So many attempts fail, of jobs without a request.
    void fail(std::uint64_t attempts) {
        for (std::uint64_t i = 0; i < attempts;) {
            if (given(*w).empty()) {
                ++failing;
                accept(jobs(job(10'000 + failing, "S", "failing " + std::to_string(failing))));
                given(*w);
            }
            i += counters.size();
            answer(*w, counters, AttemptOutcome::failed, "no");
        }
        ends();
    }

    Peer* w = nullptr;
    std::vector<ContentId> ids;
    std::uint64_t failing = 0;
};

TEST_F(DegradedTest, WhereAJobWouldEndDeadItsOlderResultIsServed) {
    make_older(1);
    pass(5s, {w});
    EXPECT_EQ(verdict(about(2)), Verdict::accepted);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(given(*w), Numbers{2}) << "all its attempts are made";
        answer(*w, counters, AttemptOutcome::failed, "no");
    }
    EXPECT_EQ(end(), (End{2, FinalOutcome::done, ErrorCode::stale,
                          "5000 ms old: of its request's inputs before the newest, whose scan "
                          "failed for good"}));
    EXPECT_EQ(changed<change::Ended>().back().body.body.bytes, "older");
    EXPECT_FALSE(changed<change::Ended>().back().dead_letter);
    EXPECT_EQ(queue_row("dead_letters"), 0U);
    EXPECT_EQ(queue_row("stale"), 1U);
    EXPECT_EQ(h.core.counter("dead_averted"), 1U);
    EXPECT_EQ(queue_row("used_bytes"), 0U);
    EXPECT_EQ(verdict(about(3)), Verdict::accepted) << "it is no answer to the newest inputs";
}

TEST_F(DegradedTest, SoItIsWhenItsWorkersAreLost) {
    alter({{"max_crashes", 1}});
    make_older(1);
    EXPECT_EQ(verdict(about(2)), Verdict::accepted);
    given(*w);
    heartbeat(*w, counters);
    lose(*w);
    EXPECT_EQ(end().code, ErrorCode::stale);
}

TEST_F(DegradedTest, NotWhenTheOlderResultIsTooOldOrTheQueueDoesNotAllowIt) {
    make_older(1);
    pass(61s, {w});
    accept(jobs(about(2)));
    for (int i = 0; i < 3; ++i) {
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "no");
    }
    EXPECT_EQ(end().outcome, FinalOutcome::dead);
    make_older(3, "another");
    alter({{"degraded_ms", 0}});
    accept(jobs(about(4, "another")));
    for (int i = 0; i < 3; ++i) {
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "no");
    }
    EXPECT_EQ(end().outcome, FinalOutcome::dead);
}

TEST_F(DegradedTest, AFreshJobAndOneOfNoSuchRequestAreDeadWithAllOfTheirExecution) {
    make_older(1);
    accept(jobs(about(2)));
    // The same work, but what the alias names was asked for by its id.
    protocol::Job exact = job_with(3, {});
    const std::string chain(ids[1].view());
    exact.inputs = chain;
    EXPECT_EQ(verdict(std::move(exact)), Verdict::coalesced);
    for (int i = 0; i < 3; ++i) {
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "no");
    }
    for (const End& one : ends()) EXPECT_EQ(one.outcome, FinalOutcome::dead);
    pass(11s, {w});
    accept(jobs(about(4, "payload", JobOptions::kFresh)));
    for (int i = 0; i < 3; ++i) {
        given(*w);
        answer(*w, counters, AttemptOutcome::failed, "no");
    }
    EXPECT_EQ(end().outcome, FinalOutcome::dead);
}

TEST_F(DegradedTest, AQueueFailsAfterFiveAttemptsInARow) {
    make_older(1);
    fail(4);
    EXPECT_EQ(verdict(about(2, "payload")), Verdict::accepted) << "four";
    given(*w);
    answer(*w, counters, AttemptOutcome::done);
    ends();
    move(0);
    make_older(3, "another");
    fail(5);
    EXPECT_EQ(verdict(about(4, "another")), Verdict::cached);
    EXPECT_EQ(end().code, ErrorCode::stale);
    EXPECT_EQ(verdict(about(5, "another", JobOptions::kFresh)), Verdict::accepted);
    given(*w);
    answer(*w, counters, AttemptOutcome::rejected, "no");
    ends();
    make_older(6, "a third");
    EXPECT_EQ(verdict(about(7, "a third")), Verdict::accepted) << "a refusal is an answer, too";
}

TEST_F(DegradedTest, AfterTenSecondsItIsTriedAgain) {
    make_older(1);
    fail(5);
    pass(10s, {w});
    EXPECT_EQ(verdict(about(2)), Verdict::cached);
    pass(1s, {w});
    given(*w);
    EXPECT_EQ(verdict(about(3)), Verdict::accepted);
    EXPECT_EQ(given(*w), Numbers{3});
    answer(*w, counters, AttemptOutcome::failed, "still");
    EXPECT_EQ(verdict(about(4)), Verdict::cached) << "it fails again";
}

TEST_F(DegradedTest, WorkersThatStandStillMakeItLate) {
    Peer& stuck = *w;
    make_older(1);
    // It has room for one attempt, and never ends it.
    stuck.send(protocol::Reclaim{""});
    stuck.send(protocol::CreditGrant{protocol::Link::deliver,
                                     "",
                                     0,
                                     {stuck.next<protocol::Reclaimed>().sent.items + 1, 1U << 30}});
    accept(jobs(job(50, "S", "long")));
    EXPECT_EQ(given(stuck), Numbers{50});
    accept(jobs(job(51, "S", "waits")));
    EXPECT_EQ(verdict(about(2)), Verdict::accepted) << "one waits, but not for long";
    pass(1'001ms, {&stuck});
    EXPECT_EQ(verdict(about(3)), Verdict::cached) << "nothing was delivered for shed_target_ms";
    EXPECT_EQ(end().code, ErrorCode::stale);
    answer(stuck, counters, AttemptOutcome::done);
    grant(stuck, kPlenty);
    ends();
    given(stuck);
    answer(stuck, counters, AttemptOutcome::done);
    ends();
    make_older(4, "another");
    EXPECT_EQ(verdict(about(5, "another")), Verdict::accepted) << "it is late no more";
}

TEST_F(DegradedTest, WhatWasLateBeforeItsQueueWasEmptyDoesNotCount) {
    make_older(1);
    w->send(protocol::Reclaim{""});
    const Credit sent = w->next<protocol::Reclaimed>().sent;
    accept(jobs(job(50, "S", "waits")));
    pass(3s, {w});
    w->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {sent.items + 1, 1U << 30}});
    EXPECT_EQ(given(*w), Numbers{50});
    EXPECT_EQ(queue_row("wait_ms"), 3'000U);
    pass(10s, {w});
    accept(jobs(job(51, "S", "waits, too")));
    EXPECT_EQ(verdict(about(2)), Verdict::accepted);
}

TEST_F(DegradedTest, WhenTheLastWorkerIsGoneJobsAreServedAlthoughOneWaits) {
    make_older(1);
    accept(jobs(about(2)));
    given(*w);
    heartbeat(*w, counters);
    lose(*w);
    EXPECT_EQ(verdict(about(3)), Verdict::cached);
    EXPECT_EQ(end().code, ErrorCode::stale);
}

TEST_F(DegradedTest, AFullRefreshIsNotMadeASecondTime) {
    alter({{"stale_ms", 60'000}});
    make_older(1);
    std::vector<protocol::Job> list;
    for (std::uint64_t n = 2; n < 3'000; ++n) list.push_back(about(n));
    offer(std::move(list));
    const auto all = ends();
    ASSERT_EQ(all.size(), 1U) << "the others wait for the refresh";
    EXPECT_EQ(all[0].code, ErrorCode::stale);
    EXPECT_EQ(h.core.counter("refreshes"), 1U);
    EXPECT_EQ(given(*w).size(), 1U);
    answer(*w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2'998U);
    EXPECT_EQ(h.core.counter("attempts_started"), 2U);
}

}  // namespace
}  // namespace scanmq::broker
