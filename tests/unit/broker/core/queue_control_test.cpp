// BrokerCore: pause, resume, drain, purge; and what a deletion does to jobs.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

class QueueControlTest : public CoreTest {
  protected:
    QueueControlTest() : CoreTest({{"retry_base_ms", 0}}) {}
    std::string state() {
        h.op().send(protocol::Query{"queues", "q"});
        return value(h.op().next<protocol::Answer>().rows.at(0), "state");
    }
};

TEST_F(QueueControlTest, PauseStopsDeliveriesAndWhatRunsGoesOn) {
    Peer& w = worker();
    accept(1);
    given(w);
    control(QueueAction::pause);
    EXPECT_EQ(state(), "paused");
    accept(2);
    EXPECT_EQ(given(w), Numbers{});
    answer(w, {1}, AttemptOutcome::failed, "no");
    EXPECT_EQ(given(w), Numbers{});
    control(QueueAction::pause);
    control(QueueAction::resume);
    EXPECT_EQ(state(), "open");
    EXPECT_EQ(given(w), (Numbers{1, 2}));
}

TEST_F(QueueControlTest, MarksAreJournalled) {
    for (const QueueAction action : {QueueAction::pause, QueueAction::drain, QueueAction::resume}) {
        forget_changes();
        control(action);
        const auto marked = changed<change::QueueMarked>();
        ASSERT_EQ(marked.size(), 1U);
        EXPECT_EQ(marked[0].paused, action != QueueAction::resume);
        EXPECT_EQ(marked[0].draining, action == QueueAction::drain);
        EXPECT_EQ(h.partitions[0], 1U);
    }
}

TEST_F(QueueControlTest, AnswersWaitForTheCommit) {
    h.op().send(protocol::QueueControl{"q", QueueAction::pause});
    ASSERT_EQ(h.op().count<protocol::Ok>(), 1U);
    for (const Received& frame : h.op().inbox) EXPECT_TRUE(frame.after_commit);
    h.op().next<protocol::Ok>();
}

TEST_F(QueueControlTest, ADrainingQueueRefusesJobsWithinCreditAndFinishesTheOthers) {
    Peer& w = worker("w", {1, 10'000});
    accept(job_range(1, 2));
    control(QueueAction::drain);
    EXPECT_EQ(state(), "draining");
    EXPECT_EQ(refused(job(3)), ErrorCode::queue_draining);
    EXPECT_EQ(h.core.counter("refused_queue_draining"), 1U);
    // What is known, or wrong in another way, is told first.
    const auto& duplicate = offer(jobs(job(1)));
    EXPECT_EQ(duplicate.exceptions.at(0).verdict, Verdict::duplicate);
    EXPECT_EQ(refused(job(4, "bad subject")), ErrorCode::bad_subject);
    given(w);
    w.send(done({1}, AttemptOutcome::failed, kPlenty));
    EXPECT_EQ(given(w), (Numbers{1, 2}));
    answer(w, counters, AttemptOutcome::done);
    EXPECT_EQ(ends().size(), 2U);
    control(QueueAction::resume);
    accept(3);
}

TEST_F(QueueControlTest, ADrainingQueueGrantsNothingNew) {
    Peer& other = h.producer("other");
    control(QueueAction::drain);
    other.send(protocol::Want{"q", {}, {10, 10'000}});
    EXPECT_EQ(other.error(), ErrorCode::queue_draining);
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 0U);
    other.send(protocol::Want{"q", {}, {0, 0}});
    EXPECT_EQ(other.error(), ErrorCode::none) << "wanting nothing is fine";
    const std::uint64_t granted = queue_row("granted_jobs");
    EXPECT_GT(granted, 0U) << "what was granted before";
    EXPECT_EQ(refused(job(1)), ErrorCode::queue_draining);
    EXPECT_EQ(queue_row("granted_jobs"), granted - 1) << "its place is free again";
    EXPECT_EQ(queue_row("used_bytes"), 0U);
}

TEST_F(QueueControlTest, AWantThatWaitedForRoomIsMetAfterTheDrain) {
    h.create_queue("r", {{"max_jobs", 1}});
    producer->send(protocol::Want{"r", {}, {1, 1'000}});
    producer->send(submit("r", jobs(job(1))));
    Peer& other = h.producer("other");
    other.send(protocol::Want{"r", {}, {1, 1'000}});
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 0U);
    h.op().send(protocol::QueueControl{"r", QueueAction::drain});
    producer->send(protocol::Cancel{"r", {job_id(1)}});
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 0U);
    h.op().send(protocol::QueueControl{"r", QueueAction::resume});
    EXPECT_EQ(other.count<protocol::CreditGrant>(), 1U);
}

TEST_F(QueueControlTest, PurgeEndsAllThatWaitsWhereverItWaits) {
    Peer& w = worker("w", {2, 10'000});
    accept(job_range(1, 3));
    EXPECT_EQ(given(w), (Numbers{1, 2}));
    accept(4, {.delay_ms = 60'000});
    accept(5, {.priority = 9});
    accept(6, {.deadline_ms = 60'000, .conflate_key = "k"});
    accept(7, {.flags = JobOptions::kPure}, "shared");
    accept(8, {.flags = JobOptions::kPure}, "shared");
    forget_changes();
    control(QueueAction::purge);
    const auto all = ends();
    ASSERT_EQ(all.size(), 6U);
    for (const End& one : all) {
        EXPECT_EQ(one.outcome, FinalOutcome::cancelled);
        EXPECT_EQ(one.code, ErrorCode::purged);
        EXPECT_EQ(one.sentence, "the queue was purged");
    }
    EXPECT_EQ(changed<change::Ended>().size(), 5U);
    EXPECT_EQ(queue_row("waiting") + queue_row("delayed"), 0U);
    EXPECT_EQ(queue_row("running"), 2U);
    EXPECT_EQ(state(), "open");
    accept(9);
    EXPECT_EQ(queue_row("waiting"), 1U) << "only what was there";
}

TEST_F(QueueControlTest, APurgeInSlicesSparesWhatComesMeanwhile) {
    for (std::uint64_t first = 1; first <= 10'000; first += 2'500) accept(job_range(first, 2'500));
    h.op().post(protocol::QueueControl{"q", QueueAction::purge});
    h.flush();
    EXPECT_EQ(h.core.counter("jobs_cancelled"), 4'096U);
    EXPECT_LE(*h.core.next_deadline(), h.now);
    accept(20'001, {.priority = 9});
    accept(20'002, {.delay_ms = 1'000});
    accept(20'003, {.priority = 0});
    EXPECT_GE(h.core.counter("jobs_cancelled"), 2 * 4'096U) << "each call takes it further";
    h.tick();
    EXPECT_EQ(h.core.counter("jobs_cancelled"), 10'000U);
    EXPECT_EQ(queue_row("waiting"), 2U);
    EXPECT_EQ(queue_row("delayed"), 1U);
    EXPECT_GT(*h.core.next_deadline(), h.now);
}

TEST_F(QueueControlTest, APurgedQueueCompletesItsGroups) {
    const Id128 group = job_id(500);
    producer->send(protocol::GroupOpen{"q", group});
    accept(job_range(1, 3), group);
    producer->send(protocol::GroupSeal{"q", group, 3});
    control(QueueAction::purge);
    EXPECT_EQ(changed<change::GroupEnded>().size(), 1U);
    EXPECT_EQ(h.core.counter("groups_completed"), 1U);
}

TEST_F(QueueControlTest, DeletingByForceEndsJobsWhereverTheyAre) {
    Peer& w = worker("w", {1, 10'000});
    accept(job_range(1, 2));
    given(w);
    accept(3, {.delay_ms = 1'000});
    accept(4, {.deadline_ms = 1'000});
    forget_changes();
    h.op().send(protocol::QueueDelete{"q", true});
    h.op().next<protocol::Ok>();
    EXPECT_EQ(revoked(w), Numbers{1});
    const auto ended = changed<change::Ended>();
    ASSERT_EQ(ended.size(), 4U);
    for (const auto& one : ended) {
        EXPECT_EQ(one.outcome, FinalOutcome::cancelled);
        EXPECT_EQ(one.code, ErrorCode::purged);
        EXPECT_EQ(one.sentence, "the queue was deleted");
    }
    EXPECT_TRUE(std::holds_alternative<change::QueueDeleted>(h.changes.back()));
    EXPECT_TRUE(h.handles.empty());
    h.advance(5s);
    EXPECT_EQ(h.core.counter("jobs_cancelled"), 4U);
}

TEST_F(QueueControlTest, WhatAQueueDidStandsBeforeItsDeletion) {
    // In one batch with changes of partition 0 before: records are replayed in their order.
    accept(job_range(1, 2));
    forget_changes();
    h.op().post(protocol::QueueCreate{"other", {}});
    producer->post(submit("q", jobs(job(3))));
    h.op().post(protocol::QueueDelete{"q", true});
    h.op().post(protocol::QueueCreate{"third", {}});
    h.flush();
    h.tick();
    std::size_t deleted = h.changes.size();
    for (std::size_t i = 0; i < h.changes.size(); ++i) {
        if (std::holds_alternative<change::QueueDeleted>(h.changes[i])) deleted = i;
    }
    ASSERT_LT(deleted, h.changes.size());
    for (std::size_t i = deleted; i < h.changes.size(); ++i) {
        EXPECT_NE(h.partitions[i], 1U) << "a change of what is gone";
    }
    EXPECT_EQ(changed<change::Ended>().size(), 3U);
    EXPECT_EQ(changed<change::QueueCreated>().size(), 2U);
}

TEST_F(QueueControlTest, UnknownQueuesAndWrongRolesAreRefused) {
    h.op().send(protocol::QueueControl{"nowhere", QueueAction::pause});
    EXPECT_EQ(h.op().error(), ErrorCode::unknown_queue);
    Peer& w = worker();
    for (Peer* peer : {producer, subscriber, &w}) {
        peer->send(protocol::QueueControl{"q", QueueAction::pause});
        EXPECT_EQ(peer->error(), ErrorCode::not_permitted);
    }
    EXPECT_EQ(state(), "open");
    EXPECT_EQ(h.core.counter("error_not_permitted"), 3U);
}

TEST_F(QueueControlTest, OptionsOfALaterVersionAreRefusedByName) {
    const auto refused_for = [&](auto set) {
        protocol::Job one = job(1);
        one.options = std::make_unique<JobOptions>();
        set(*one.options);
        const auto& answer = offer(jobs(std::move(one)));
        EXPECT_EQ(answer.exceptions.at(0).code, ErrorCode::unsupported);
        return answer.exceptions.at(0).sentence;
    };
    EXPECT_NE(refused_for([](auto& o) {
                  o.headers = {{"a", "b"}};
              }).find("headers"),
              std::string::npos);
    EXPECT_NE(refused_for([](auto& o) { o.flags = 32; }).find("flags"), std::string::npos);
    EXPECT_NE(refused_for([](auto& o) { o.unknown_key = 17; }).find("option"), std::string::npos);
    // Unsupported before bad.
    refused_for([](auto& o) {
        o.headers = {{"a", "b"}};
        o.delay_ms = ~0ULL;
    });
    EXPECT_EQ(h.core.counter("refused_unsupported"), 4U);
    EXPECT_EQ(h.core.counter("jobs_refused"), 4U);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(queue_row("used_bytes"), 0U);
}

}  // namespace
}  // namespace scanmq::broker
