// BrokerCore: streams, subscriptions, groups and queues.

#include "tests/unit/broker/core/streams_fixture.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::AttemptOutcome;
using protocol::Credit;
using protocol::EntryKind;
using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::GroupPhase;
using protocol::StartFrom;

TEST_F(StreamsTest, StartsFromLatestEarliestOrAnOffset) {
    for (std::uint64_t i = 1; i <= 4; ++i) run(i);
    const auto latest = subscribe(1, ">", StartFrom::latest);
    EXPECT_EQ(latest.first_offset, 0U);
    EXPECT_EQ(latest.next_offset, 4U);
    EXPECT_EQ(latest.start_offset, 4U);
    EXPECT_EQ(offsets(1), Offsets{});
    subscribe(2, ">", StartFrom::earliest);
    EXPECT_EQ(offsets(2), (Offsets{0, 1, 2, 3}));
    EXPECT_EQ(subscribe(3, ">", StartFrom::offset, kPlenty, 2, latest.incarnation).start_offset,
              2U);
    EXPECT_EQ(offsets(3), (Offsets{2, 3}));
    run(5);
    EXPECT_EQ(offsets(1), Offsets{4});
}

TEST_F(StreamsTest, EachRefusalOfASubscribeHasItsCode) {
    run(1);
    EXPECT_EQ(refused({1, "nope", ">", {}, 0, {}, "", kPlenty}), ErrorCode::unknown_queue);
    EXPECT_EQ(refused({1, "q", "a.>.b", {}, 0, {}, "", kPlenty}), ErrorCode::bad_pattern);
    EXPECT_EQ(refused({1, "q", "", {}, 0, {}, "", kPlenty}), ErrorCode::bad_pattern);
    EXPECT_EQ(refused({1, "q", ">", {}, 0, {}, "a\nb", kPlenty}), ErrorCode::bad_name);
    EXPECT_EQ(refused({1, "q", ">", StartFrom::offset, 0, job_id(1), "", kPlenty}),
              ErrorCode::stream_reset);
    EXPECT_EQ(refused({1, "q", ">", StartFrom::offset, 2, {}, "", kPlenty}), ErrorCode::bad_offset);
    subscribe(1, ">", StartFrom::offset, kPlenty, 1);
    EXPECT_EQ(refused({1, "q", ">", {}, 0, {}, "", kPlenty}), ErrorCode::subscription_exists);
    for (std::uint64_t i = 2; i <= 64; ++i) subscribe(i, ">", StartFrom::latest);
    EXPECT_EQ(refused({65, "q", ">", {}, 0, {}, "", kPlenty}), ErrorCode::over_limit);
    subscriber->send(protocol::Unsubscribe{99});
    EXPECT_EQ(subscriber->error(), ErrorCode::unknown_subscription);
    subscriber->send(protocol::CreditGrant{protocol::Link::results, "", 99, kPlenty});
    EXPECT_EQ(subscriber->error(), ErrorCode::unknown_subscription);
}

TEST_F(StreamsTest, PatternsChooseEntriesAndProgressIsTold) {
    subscribe(1, "SPY.>", StartFrom::latest);
    for (std::uint64_t i = 1; i <= 3; ++i) run(i, "QQQ.vertical");
    EXPECT_EQ(subscriber->count<protocol::Results>(), 0U);
    subscriber->send(protocol::Heartbeat{});
    EXPECT_EQ(offsets(), Offsets{});
    EXPECT_EQ(next_offset, 3U) << "where to resume, though nothing matched";
    run(4, "SPY.vertical");
    EXPECT_EQ(offsets(), Offsets{3});
    EXPECT_EQ(next_offset, 4U);
    subscriber->send(protocol::Heartbeat{});
    EXPECT_EQ(subscriber->inbox.size(), 0U) << "nothing new to tell";
}

TEST_F(StreamsTest, ASlowSubscriberWaitsInTheStream) {
    subscribe(1, ">", StartFrom::latest, {2, 1'000});
    for (std::uint64_t i = 1; i <= 5; ++i) run(i);
    EXPECT_EQ(offsets(), (Offsets{0, 1}));
    subscriber->send(protocol::CreditGrant{protocol::Link::results, "", 1, {3, 1'000}});
    EXPECT_EQ(offsets(), Offsets{2});
    subscriber->send(protocol::CreditGrant{protocol::Link::results, "", 1, {100, 3 * 70 + 69}});
    EXPECT_EQ(offsets(), (Offsets{3, 4})) << "bytes do not fall either";
}

TEST_F(StreamsTest, WhatIsGoneIsAGap) {
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_bytes", 3 * 70}}});
    subscribe(1, ">", StartFrom::latest, {1, 1'000});
    for (std::uint64_t i = 1; i <= 8; ++i) run(i);
    EXPECT_EQ(offsets(), Offsets{0});
    EXPECT_TRUE(gaps.empty()) << "no gap before there is credit";
    EXPECT_EQ(h.row("queues", "q", "stream_first"), 5U);
    EXPECT_EQ(h.row("queues", "q", "stream_bytes"), 210U);
    subscriber->send(protocol::CreditGrant{protocol::Link::results, "", 1, {10, 1'000}});
    EXPECT_EQ(offsets(), (Offsets{5, 6, 7}));
    EXPECT_EQ(gaps, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 5}}));
    EXPECT_EQ(h.handles.size(), 3U) << "bodies of dropped entries went back";
    // A late subscriber that knows an old offset gets the gap, too.
    EXPECT_EQ(subscribe(2, ">", StartFrom::offset, kPlenty, 2).first_offset, 5U);
    EXPECT_EQ(offsets(2), (Offsets{5, 6, 7}));
    EXPECT_EQ(gaps.back(), (std::pair<std::uint64_t, std::uint64_t>{2, 5}));
}

TEST_F(StreamsTest, AResultLargerThanTheStreamIsStillSent) {
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_bytes", 100}}});
    subscribe(1, ">", StartFrom::latest);
    run(1, "SPY", std::string(5'000, 'x'));
    EXPECT_EQ(offsets(), Offsets{0});
}

TEST_F(StreamsTest, SentencesCountTowardsWhatIsKept) {
    submit_one(1);
    const std::string sentence(500, 's');
    worker->send(done({1}, AttemptOutcome::rejected, {}, "", sentence));
    EXPECT_EQ(h.row("queues", "q", "stream_bytes"), 564U);
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_bytes", 600}}});
    worker->inbox.clear();
    run(2);
    EXPECT_EQ(h.row("queues", "q", "stream_bytes"), 70U);
}

TEST_F(StreamsTest, ALongCatchUpGoesInSlicesAndFrames) {
    for (std::uint64_t first = 1; first <= 40'000; first += 4'000) {
        producer->send(submit("q", job_range(first, 4'000)));
        while (worker->count<protocol::Deliver>() > 0) {
            std::vector<std::uint64_t> counters;
            for (const auto& a : worker->next<protocol::Deliver>().attempts)
                counters.push_back(a.counter);
            worker->send(done(counters, AttemptOutcome::done));
        }
        worker->kept.clear();
        producer->inbox.clear();
    }
    subscriber->send(protocol::Subscribe{1, "q", ">", StartFrom::earliest, 0, {}, "", kPlenty});
    const std::size_t at_once = offsets().size();
    EXPECT_LT(at_once, 40'000U);
    EXPECT_EQ(*h.core.next_deadline(), h.now);
    h.tick();
    EXPECT_EQ(at_once + offsets().size(), 40'000U);
    EXPECT_EQ(next_offset, 40'000U);
    EXPECT_GT(*h.core.next_deadline(), h.now);
}

TEST_F(StreamsTest, UnsubscribeEndsIt) {
    subscribe(1, ">", StartFrom::latest);
    subscriber->send(protocol::Unsubscribe{1});
    subscriber->next<protocol::Ok>();
    run(1);
    EXPECT_EQ(subscriber->inbox.size(), 0U);
    subscribe(1, ">", StartFrom::earliest);
    EXPECT_EQ(offsets(), Offsets{0});
}

TEST_F(StreamsTest, ASubscribersEndLeavesTheStreamAlone) {
    subscribe(1, ">", StartFrom::latest);
    h.disconnect(*subscriber);
    run(1);
    EXPECT_TRUE(subscriber->hello());
    subscribe(1, ">", StartFrom::earliest);
    EXPECT_EQ(offsets(), Offsets{0});
}

TEST_F(StreamsTest, AGroupCompletesOnceInTheCommitOfItsLastJob) {
    subscribe(1, "no.match", StartFrom::latest);
    const Id128 group = job_id(500);
    producer->send(protocol::GroupOpen{"q", group});
    EXPECT_EQ(producer->next<protocol::GroupState>().phase, GroupPhase::open);
    submit_one(1, "SPY", group);
    submit_one(2, "SPY", group);
    finish();
    producer->send(protocol::GroupSeal{"q", group, 2});
    const auto& sealed = producer->next<protocol::GroupState>();
    EXPECT_EQ(sealed.phase, GroupPhase::sealed);
    EXPECT_EQ(sealed.submitted, 2U);
    EXPECT_EQ(sealed.finished, 1U);
    h.changes.clear();
    finish("", AttemptOutcome::rejected);
    ASSERT_EQ(h.changes.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<change::Ended>(h.changes[0]));
    ASSERT_TRUE(std::holds_alternative<change::GroupEnded>(h.changes[1]));
    EXPECT_EQ(std::get<change::GroupEnded>(h.changes[1]).offset,
              std::get<change::Ended>(h.changes[0]).first_offset + 1);
    const auto& results = subscriber->next<protocol::Results>();
    ASSERT_EQ(results.entries.size(), 1U);
    EXPECT_EQ(results.entries[0].kind, EntryKind::group);
    EXPECT_EQ(results.entries[0].id, group);
    EXPECT_EQ(results.entries[0].subject, "");
    EXPECT_EQ(results.entries[0].body.bytes,
              std::string("\x93\x03\x02\x92\x92\x01\x01\x92\x02\x01"));
    producer->send(protocol::GroupQuery{"q", group});
    const auto& state = producer->next<protocol::GroupState>();
    EXPECT_EQ(state.phase, GroupPhase::complete);
    EXPECT_EQ(state.outcomes, (std::vector<std::pair<FinalOutcome, std::uint64_t>>{
                                  {FinalOutcome::done, 1}, {FinalOutcome::rejected, 1}}));
    EXPECT_EQ(h.core.counter("groups_completed"), 1U);
    subscribe(2, "SPY", StartFrom::earliest);
    const auto& all = subscriber->next<protocol::Results>();
    ASSERT_EQ(all.entries.size(), 3U);
    EXPECT_EQ(all.entries[0].group, group);
}

TEST_F(StreamsTest, EachRefusalOfAGroupHasItsCode) {
    const Id128 group = job_id(500);
    const auto refusal = [&](protocol::Message message) {
        producer->send(std::move(message));
        return producer->error();
    };
    EXPECT_EQ(refusal(protocol::GroupOpen{"nope", group}), ErrorCode::unknown_queue);
    EXPECT_EQ(refusal(protocol::GroupOpen{"q", {}}), ErrorCode::malformed);
    EXPECT_EQ(refusal(protocol::GroupSeal{"q", group, 0}), ErrorCode::unknown_group);
    EXPECT_EQ(refusal(protocol::GroupQuery{"q", group}), ErrorCode::unknown_group);
    EXPECT_EQ(refusal(protocol::GroupOpen{"q", group}), ErrorCode::none);
    EXPECT_EQ(refusal(protocol::GroupOpen{"q", group}), ErrorCode::group_exists);
    submit_one(1, "SPY", group);
    EXPECT_EQ(refusal(protocol::GroupSeal{"q", group, 0}), ErrorCode::group_count);
    EXPECT_EQ(refusal(protocol::GroupSeal{"q", group, 1}), ErrorCode::none);
    EXPECT_EQ(refusal(protocol::GroupSeal{"q", group, 1}), ErrorCode::group_sealed);
    producer->send(submit("q", jobs(job(1, "SPY"), job(2)), group));
    const auto& accepted = producer->next<protocol::Accepted>();
    ASSERT_EQ(accepted.exceptions.size(), 2U);
    EXPECT_EQ(accepted.exceptions[0].verdict, protocol::Verdict::duplicate);
    EXPECT_EQ(accepted.exceptions[1].code, ErrorCode::group_sealed);
}

TEST_F(StreamsTest, AnUnsealedGroupEndsIncomplete) {
    const Id128 group = job_id(500);
    subscribe(1, ">", StartFrom::latest);
    producer->send(protocol::GroupOpen{"q", group});
    h.advance(24h);
    EXPECT_EQ(h.core.counter("groups_incomplete"), 1U);
    Peer& other = h.producer("other");
    other.send(protocol::GroupQuery{"q", group});
    EXPECT_EQ(other.next<protocol::GroupState>().phase, GroupPhase::incomplete);
    other.send(protocol::Want{"q", {}, {10, 1'000}});
    other.send(submit("q", jobs(job(1)), group));
    EXPECT_EQ(other.next<protocol::Accepted>().exceptions.at(0).code, ErrorCode::id_too_old);
    protocol::Job young = job(1);
    young.id = job_id(1, 24LL * 3'600'000 + 3'600'000);
    other.send(submit("q", jobs(std::move(young)), group));
    EXPECT_EQ(other.next<protocol::Accepted>().exceptions.at(0).code, ErrorCode::group_sealed);
}

TEST_F(StreamsTest, QueuesAreCreatedOnceAndAltered) {
    Peer& op = h.op();
    const auto answer = [&](protocol::Message message) {
        op.send(std::move(message));
        if (op.count<protocol::Ok>() > 0) {
            EXPECT_TRUE(op.inbox.front().after_commit);
            op.next<protocol::Ok>();
        }
        return op.error();
    };
    EXPECT_EQ(answer(protocol::QueueCreate{"q", {}}), ErrorCode::none) << "the settings it has";
    EXPECT_EQ(answer(protocol::QueueCreate{"q", {{"max_jobs", 5}}}), ErrorCode::queue_exists);
    EXPECT_EQ(answer(protocol::QueueCreate{"q r", {}}), ErrorCode::bad_name);
    EXPECT_EQ(answer(protocol::QueueCreate{"", {}}), ErrorCode::bad_name);
    EXPECT_EQ(answer(protocol::QueueCreate{"r", {{"max_job", 5}}}), ErrorCode::bad_setting);
    EXPECT_EQ(answer(protocol::QueueAlter{"r", {}}), ErrorCode::unknown_queue);
    EXPECT_EQ(answer(protocol::QueueAlter{"q", {{"max_attempts", 0}}}), ErrorCode::bad_setting);
    EXPECT_EQ(answer(protocol::QueueAlter{"q", {{"max_attempts", 1}}}), ErrorCode::none);
    EXPECT_EQ(h.row("queues", "q", "max_attempts"), 1U);
    EXPECT_EQ(answer(protocol::QueueDelete{"r", false}), ErrorCode::unknown_queue);
    for (int i = 0; i < 255; ++i)
        EXPECT_EQ(answer(protocol::QueueCreate{"x" + std::to_string(i), {}}), ErrorCode::none);
    EXPECT_EQ(answer(protocol::QueueCreate{"one.more", {}}), ErrorCode::over_limit);
    submit_one(1);
    finish("", AttemptOutcome::failed);
    EXPECT_EQ(h.core.counter("jobs_dead"), 1U) << "max_attempts is 1 now";
}

TEST_F(StreamsTest, AQueueWithLiveJobsIsDeletedOnlyByForce) {
    subscribe(1, ">", StartFrom::latest);
    const std::uint64_t subscribe_seq = subscriber->seq;
    const Id128 group = job_id(500);
    producer->send(protocol::GroupOpen{"q", group});
    producer->send(submit("q", job_range(1, 2), group));
    producer->send(protocol::GroupSeal{"q", group, 2});
    worker->inbox.clear();
    Peer& op = h.op();
    op.send(protocol::QueueDelete{"q", false});
    EXPECT_EQ(op.error(), ErrorCode::queue_in_use);
    op.send(protocol::QueueDelete{"q", true});
    op.next<protocol::Ok>();
    const auto& results = subscriber->next<protocol::Results>();
    ASSERT_EQ(results.entries.size(), 3U);
    EXPECT_EQ(results.entries[0].outcome, FinalOutcome::cancelled);
    EXPECT_EQ(results.entries[2].kind, EntryKind::group);
    const auto& ended = subscriber->next<protocol::Error>();
    EXPECT_EQ(ended.code, ErrorCode::unknown_queue);
    EXPECT_EQ(ended.re, subscribe_seq);
    EXPECT_EQ(ended.re_kind, protocol::Kind::subscribe);
    EXPECT_TRUE(h.handles.empty());
    worker->send(done({1, 2}, AttemptOutcome::done));
    EXPECT_EQ(worker->error(), ErrorCode::none) << "it was told to stop: its answer is due";
    producer->send(submit("q", jobs(job(3))));
    EXPECT_EQ(producer->error(), ErrorCode::unknown_queue);
    subscriber->send(protocol::CreditGrant{protocol::Link::results, "", 1, {1, 1}});
    EXPECT_EQ(subscriber->error(), ErrorCode::unknown_subscription);
    // The name is free; the new queue has a stream of its own.
    h.create_queue("q");
    EXPECT_EQ(subscribe(1, ">", StartFrom::earliest).next_offset, 0U);
    producer->send(protocol::Want{"q", {}, {10, 1'000}});
    run(3);
    EXPECT_EQ(offsets(), Offsets{0});
}

TEST_F(StreamsTest, AFullQueueIsDeletedInSlices) {
    worker->send(protocol::Bye{});
    for (std::uint64_t first = 1; first <= 40'000; first += 4'000) {
        producer->send(submit("q", job_range(first, 4'000)));
        producer->inbox.clear();
    }
    Peer& op = h.op();
    op.send(protocol::QueueDelete{"q", true});
    EXPECT_EQ(op.count<protocol::Ok>(), 0U);
    op.send(protocol::QueueCreate{"q", {}});
    EXPECT_EQ(op.error(), ErrorCode::queue_in_use);
    h.tick();
    op.next<protocol::Ok>();
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(h.core.counter("jobs_cancelled"), 40'000U);
}

}  // namespace
}  // namespace scanmq::broker
