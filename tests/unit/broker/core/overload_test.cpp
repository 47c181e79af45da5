// BrokerCore: what a queue without room does, as docs/PROTOCOL.md, section 8, "Overload", has it.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

constexpr std::uint64_t kReject = 1;
constexpr std::uint64_t kShed = 2;

class RejectTest : public CoreTest {
  protected:
    RejectTest() : CoreTest({{"max_jobs", 10}, {"overload", kReject}}) {}
    // What the producer was granted by its WANT; the code it was refused with.
    std::pair<std::uint64_t, ErrorCode> want(Peer& peer, Credit sent, Credit more) {
        peer.send(protocol::Want{"q", sent, more});
        std::uint64_t limit = 0;
        while (peer.count<protocol::CreditGrant>() > 0) {
            limit = peer.next<protocol::CreditGrant>().limit.items;
        }
        return {limit, peer.error()};
    }
};

TEST_F(RejectTest, AWantThatFindsNoRoomIsOver) {
    accept(job_range(1, 10));
    Peer& other = h.producer("other");
    EXPECT_EQ(want(other, {}, {1, 100}), std::pair(std::uint64_t{0}, ErrorCode::queue_full));
    EXPECT_EQ(h.core.counter("queue_full_refusals"), 1U);
    EXPECT_EQ(queue_row("producers_waiting"), 0U);
    // Room comes: nobody waits for it.
    cancel({1, 2, 3});
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 0U);
    EXPECT_EQ(want(other, {}, {2, 200}).first, 2U);
}

TEST_F(RejectTest, PartialRoomIsGrantedAndTheRestIsOver) {
    accept(job_range(1, 7));
    Peer& other = h.producer("other");
    // The first one holds the three that are left of its grant.
    EXPECT_EQ(want(other, {}, {5, 500}).second, ErrorCode::queue_full);
    cancel({1, 2});
    EXPECT_EQ(want(other, {}, {5, 500}), std::pair(std::uint64_t{2}, ErrorCode::none));
    cancel({3});
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 0U)
        << "the other three were not asked for again";
    EXPECT_EQ(want(other, {}, {5, 500}), std::pair(std::uint64_t{3}, ErrorCode::none));
    EXPECT_EQ(want(other, {}, {5, 500}), std::pair(std::uint64_t{0}, ErrorCode::none))
        << "it has some already";
}

TEST_F(RejectTest, IdleProducersAreAskedForTheirCredit) {
    // The fixture's producer holds all ten.
    pass(1s);
    Peer& other = h.producer("other");
    EXPECT_EQ(want(other, {}, {1, 100}).second, ErrorCode::queue_full);
    EXPECT_EQ(producer->count<protocol::Reclaim>(), 1U);
    producer->send(protocol::Reclaimed{"q", {}});
    EXPECT_EQ(want(other, {}, {1, 100}).first, 1U);
}

TEST_F(RejectTest, BlockLetsItWait) {
    alter({{"overload", 0}});
    accept(job_range(1, 10));
    Peer& other = h.producer("other");
    EXPECT_EQ(want(other, {}, {1, 100}), std::pair(std::uint64_t{0}, ErrorCode::none));
    EXPECT_EQ(queue_row("producers_waiting"), 1U);
    EXPECT_EQ(h.core.counter("wants_held"), 1U) << "the fixture's found ten places";
    cancel({1});
    EXPECT_EQ(other.next<protocol::CreditGrant>().limit.items, 1U);
}

class ShedTest : public CoreTest {
  protected:
    ShedTest() : CoreTest({{"overload", kShed}, {"shed_target_ms", 500}}) {}

    // So many sheddable jobs from that number on.
    void sheddable(std::uint64_t first, std::uint64_t count, Options options = {}) {
        options.flags |= JobOptions::kSheddable;
        std::vector<protocol::Job> list;
        for (std::uint64_t i = first; i < first + count; ++i) {
            list.push_back(job_with(i, options, text(std::to_string(i))));
        }
        accept(std::move(list));
    }
    // The worker takes one job every `step` for so long, and answers it.
    void work(Peer& w, Duration by, Duration step = 10ms) {
        for (const Time end = h.now + by; h.now < end;) {
            pass(step, {&w});
            grant(w, {++taken, 1U << 30});
            given(w);
            if (!counters.empty()) answer(w, counters, AttemptOutcome::done);
        }
    }
    std::uint64_t count(const std::vector<End>& all, FinalOutcome outcome) {
        return static_cast<std::uint64_t>(std::count_if(
            all.begin(), all.end(), [&](const End& one) { return one.outcome == outcome; }));
    }
    // Payloads are views.
    std::string_view text(std::string payload) { return texts.emplace_back(std::move(payload)); }

    std::deque<std::string> texts;
    std::uint64_t taken = 0;
};

TEST_F(ShedTest, WhatComesInTimeIsDelivered) {
    Peer& w = worker("worker", {0, 0});
    sheddable(1, 40);
    work(w, 400ms);
    EXPECT_EQ(count(ends(), FinalOutcome::done), 40U);
    EXPECT_EQ(h.core.counter("jobs_shed"), 0U);
}

TEST_F(ShedTest, JobsThatWaitedTooLongEndShedAndSayHowLong) {
    Peer& w = worker("worker", {0, 0});
    sheddable(1, 300);
    pass(2s, {&w});
    EXPECT_TRUE(ends().empty()) << "nothing has its turn without a worker that takes it";
    work(w, 1s);
    const auto all = ends();
    const std::uint64_t shed = count(all, FinalOutcome::shed);
    EXPECT_GT(shed, 10U);
    EXPECT_LT(shed, 40U);
    const auto one = std::find_if(all.begin(), all.end(),
                                  [](const End& e) { return e.outcome == FinalOutcome::shed; });
    EXPECT_EQ(one->code, ErrorCode::overloaded);
    EXPECT_EQ(one->sentence,
              "it waited 2110 ms; for 100 ms all that came up waited longer than shed_target_ms, "
              "500");
    EXPECT_EQ(h.core.counter("jobs_shed"), shed);
    EXPECT_EQ(queue_row("shed"), shed);
    EXPECT_GE(queue_row("wait_ms"), 2'500U);
    // Its place is free again, its id remembered.
    EXPECT_EQ(queue_row("waiting") + all.size(), 300U);
    const auto& again = offer(jobs(
        job_with(one->number, {.flags = JobOptions::kSheddable}, std::to_string(one->number))));
    EXPECT_EQ(again.exceptions.at(0).state, JobState::finished);
}

TEST_F(ShedTest, OnlyWhatIsMarkedIsShed) {
    Peer& w = worker("worker", {0, 0});
    for (std::uint64_t i = 0; i < 100; ++i) {
        accept(jobs(job(1 + 2 * i)));
        sheddable(2 + 2 * i, 1);
    }
    pass(2s, {&w});
    work(w, 1s);
    const auto all = ends();
    EXPECT_GT(count(all, FinalOutcome::shed), 5U);
    for (const End& one : all) {
        if (one.outcome == FinalOutcome::shed) {
            EXPECT_EQ(one.number % 2, 0U);
        }
    }
}

TEST_F(ShedTest, PlainJobsThatWaitedLongTellThatTheQueueIsLate) {
    Peer& w = worker("worker", {0, 0});
    accept(job_range(1, 30));
    pass(2s, {&w});
    work(w, 290ms);
    sheddable(100, 1);
    h.now += 600ms;
    work(w, 30ms);
    EXPECT_EQ(h.core.counter("jobs_shed"), 1U) << "the plain ones were late for long enough";
}

TEST_F(ShedTest, AJobPastItsDeadlineEndsExpired) {
    Peer& w = worker("worker", {0, 0});
    sheddable(1, 50, {.deadline_ms = 1'500});
    sheddable(51, 50);
    pass(2s, {&w});
    work(w, 500ms);
    for (const End& one : ends()) {
        EXPECT_EQ(one.outcome == FinalOutcome::expired, one.number <= 50) << one.number;
    }
}

TEST_F(ShedTest, AnExecutionGoesOnlyWhenAllItsJobsMay) {
    alter({{"pure", 1}});
    Peer& w = worker("worker", {0, 0});
    for (std::uint64_t i = 0; i < 50; ++i) {
        const std::string_view one = text(std::to_string(i));
        const std::string_view both = text("s" + std::to_string(i));
        accept(jobs(job_with(1 + 4 * i, {.flags = JobOptions::kSheddable}, one),
                    job_with(2 + 4 * i, {}, one)));
        accept(jobs(job_with(3 + 4 * i, {.flags = JobOptions::kSheddable}, both),
                    job_with(4 + 4 * i, {.flags = JobOptions::kSheddable}, both)));
    }
    pass(2s, {&w});
    work(w, 1s);
    std::set<std::uint64_t> shed;
    for (const End& one : ends()) {
        if (one.outcome == FinalOutcome::shed) shed.insert(one.number);
    }
    EXPECT_GT(shed.size(), 10U);
    for (const std::uint64_t number : shed) {
        EXPECT_GE((number - 1) % 4, 2U) << "the other one of its execution may not be shed";
        EXPECT_TRUE(shed.contains(number % 4 == 3 ? number + 1 : number - 1)) << "both, or none";
    }
}

TEST_F(ShedTest, ADelayIsNoWaiting) {
    Peer& w = worker("worker", {0, 0});
    sheddable(1, 100, {.delay_ms = 5'000});
    pass(5s, {&w});
    work(w, 400ms);
    EXPECT_EQ(h.core.counter("jobs_shed"), 0U);
}

TEST_F(ShedTest, LowerPriorityWaitsFirst) {
    alter({{"low_share", 1'000}});
    Peer& w = worker("worker", {0, 0});
    sheddable(1'000, 100, {.priority = 2});
    for (std::uint64_t i = 0; i < 200; ++i) {
        sheddable(1 + i, 1, {.priority = 8});
        work(w, 10ms);
    }
    EXPECT_EQ(h.core.counter("jobs_shed"), 0U) << "what comes up is in time";
    EXPECT_EQ(queue_row("waiting"), 100U);
    work(w, 300ms);
    EXPECT_GT(h.core.counter("jobs_shed"), 0U) << "now they come up, and are late";
    EXPECT_GE(queue_row("wait_low_ms"), 2'000U);
}

TEST_F(ShedTest, OtherQueuesDoNotShed) {
    alter({{"overload", 0}});
    Peer& w = worker("worker", {0, 0});
    sheddable(1, 100);
    pass(3s, {&w});
    work(w, 500ms);
    EXPECT_EQ(h.core.counter("jobs_shed"), 0U);
    EXPECT_GE(queue_row("wait_ms"), 3'000U) << "the row tells of it all the same";
}

TEST_F(ShedTest, ShedJobsOfAGroupCountInIt) {
    Peer& w = worker("worker", {0, 0});
    producer->send(protocol::GroupOpen{"q", job_id(900)});
    std::vector<protocol::Job> list;
    for (std::uint64_t i = 1; i <= 60; ++i) {
        list.push_back(job_with(i, {.flags = JobOptions::kSheddable}));
    }
    accept(std::move(list), job_id(900));
    producer->send(protocol::GroupSeal{"q", job_id(900), 60});
    producer->inbox.clear();
    pass(2s, {&w});
    work(w, 1s);
    producer->send(protocol::GroupQuery{"q", job_id(900)});
    const auto& group = producer->next<protocol::GroupState>();
    EXPECT_EQ(group.phase, protocol::GroupPhase::complete);
    const auto shed = std::find_if(group.outcomes.begin(), group.outcomes.end(),
                                   [](const auto& o) { return o.first == FinalOutcome::shed; });
    ASSERT_NE(shed, group.outcomes.end());
    EXPECT_EQ(shed->second, h.core.counter("jobs_shed"));
}

TEST_F(ShedTest, ARetriedDeadLetterIsSheddableAsItWas) {
    alter({{"max_attempts", 1}});
    Peer& w = worker("worker", {0, 0});
    sheddable(1, 1);
    grant(w, {++taken, 1U << 30});
    given(w);
    answer(w, counters, AttemptOutcome::failed, "no");
    ends();
    accept(job_range(100, 30));
    h.op().send(protocol::DeadLetters{"q", protocol::DeadAction::retry, {}});
    const Id128 again = h.op().next<protocol::DeadDone>().jobs.at(0).retry;
    pass(3s, {&w});
    work(w, 500ms);
    const auto all = ends();
    EXPECT_EQ(count(all, FinalOutcome::shed), 1U);
    EXPECT_EQ(all.back().number, number_of(again));
}

}  // namespace
}  // namespace scanmq::broker
