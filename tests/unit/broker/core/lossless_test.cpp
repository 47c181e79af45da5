// BrokerCore: lossless streams, as docs/PROTOCOL.md, section 9, has them: what is kept, the chain from
// a stuck subscriber to the producers, and that it cannot lock itself.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::StartFrom;

constexpr std::uint64_t kRoom = 64'000;
constexpr std::uint64_t kResult = 1'000;
// Of what is cut off a result's reservation when its entry comes: 64 of its place, 1,000 and 512.
constexpr std::uint64_t kReserved = kResult + 512;

class LosslessTest : public CoreTest {
  protected:
    explicit LosslessTest(std::uint64_t lossless = 1)
        : CoreTest({{"stream_max_bytes", kRoom},
                    {"max_result_bytes", kResult},
                    {"subscription_ttl_ms", 60'000},
                    {"lossless", lossless}}) {
        // What the fixture asked for takes half of the room: back with it.
        producer->send(protocol::Want{"q", {}, {}});
        producer->send(protocol::Reclaimed{"q", {}});
        desk = &h.subscriber("desk");
    }
    const protocol::Subscribed& durable(const std::string& pattern = ">",
                                        const std::string& name = "desk", std::uint64_t number = 1,
                                        StartFrom from = StartFrom::earliest) {
        desk->send(protocol::Subscribe{number, "q", pattern, from, 0, {}, name, kPlenty});
        return desk->next<protocol::Subscribed>();
    }
    void ack(std::uint64_t offset, std::uint64_t number = 1) {
        desk->send(protocol::Ack{number, offset});
        h.tick();
    }
    // The producer asks for room for so many jobs more, and submits as many as it is granted; how many.
    std::uint64_t submit_up_to(std::uint64_t count) {
        const std::uint64_t before = sent.items;
        while (sent.items - before < count) {
            const std::uint64_t want = count - (sent.items - before);
            producer->send(protocol::Want{"q", sent, {want, want * 64}});
            while (producer->count<protocol::CreditGrant>() > 0) {
                limit = producer->next<protocol::CreditGrant>().limit;
            }
            const std::uint64_t many =
                std::min<std::uint64_t>({want, limit.items - sent.items, 4'000});
            if (many == 0) break;
            std::vector<protocol::Job> list;
            for (std::uint64_t i = 0; i < many; ++i) {
                list.push_back(job(++last, subject, ""));
            }
            producer->send(submit("q", std::move(list)));
            const auto& answer = producer->next<protocol::Accepted>();
            EXPECT_TRUE(answer.exceptions.empty());
            limit = answer.limit;
            sent.items += many;
            sent.bytes += many * 64;
        }
        producer->send(protocol::Want{"q", sent, {}});
        producer->send(protocol::Reclaimed{"q", sent});
        limit = sent;
        return sent.items - before;
    }
    // The worker answers all it has, and what it is given then, until it is given no more; how many.
    std::uint64_t work(Peer& w) {
        std::uint64_t all = 0;
        for (;;) {
            h.tick();
            given(w);
            if (counters.empty()) return all;
            all += counters.size();
            w.send(done(counters, AttemptOutcome::done, kPlenty, result));
        }
    }
    void expect_within_room(std::uint64_t more = 0) {
        EXPECT_LE(queue_row("stream_bytes") + queue_row("stream_reserved_bytes"), kRoom + more);
    }
    std::string explain(std::uint64_t job) {
        h.op().send(protocol::Query{"explain", "q/" + job_id(job).hex()});
        for (const auto& row : h.op().next<protocol::Answer>().rows) {
            if (value(row, "reason") == "stream_full") return value(row, "sentence");
        }
        return "";
    }
    // Every offset that "desk" got since the last call, and whether it was told a gap.
    Numbers got(std::uint64_t subscription = 1) {
        Numbers out;
        for (const Received& r : desk->inbox) {
            const auto* results = std::get_if<protocol::Results>(&r.message);
            if (results == nullptr || results->subscription != subscription) continue;
            gap = gap || results->gap.has_value();
            for (const auto& entry : results->entries) out.push_back(entry.offset);
        }
        desk->inbox.clear();
        return out;
    }

    Peer* desk = nullptr;
    Credit sent;
    Credit limit;
    std::uint64_t last = 0;  // job
    std::string_view subject = "SPY";
    std::string result = std::string(kResult, 'r');
    bool gap = false;
};

TEST_F(LosslessTest, TheChainHoldsWorkersThenProducersAndGoesOnByItself) {
    durable();
    Peer& w = worker();
    std::uint64_t finished = 0;
    std::uint64_t accepted = 0;
    for (int round = 0; round < 100; ++round) {
        accepted += submit_up_to(20);
        finished += work(w);
        expect_within_room();
    }
    EXPECT_GT(finished, 40U);
    EXPECT_LT(finished, kRoom / kResult);
    EXPECT_GT(accepted, finished + 50) << "producers go on a little longer";
    EXPECT_LT(accepted, kRoom / 64);
    EXPECT_EQ(queue_row("waiting"), accepted - finished);
    EXPECT_EQ(submit_up_to(1), 0U);
    EXPECT_GE(h.core.counter("queues_held"), 1U);
    pass(5s, {&w, desk});
    EXPECT_GE(queue_row("held_ms"), 5'000U);
    const std::uint64_t bytes = queue_row("stream_bytes");
    pass(60s, {&w, desk});
    EXPECT_EQ(queue_row("stream_bytes"), bytes) << "memory stays flat";

    // The cursor moves: all goes on, a part at a time.
    const std::uint64_t half = finished / 2;
    ack(half);
    const std::uint64_t more = work(w);
    EXPECT_GT(more, 0U);
    EXPECT_LT(more, accepted - finished);
    finished += more;
    expect_within_room();
    for (int i = 0; i < 100 && finished < accepted; ++i) {
        ack(queue_row("stream_next"));
        finished += work(w);
        expect_within_room();
    }
    EXPECT_EQ(finished, accepted);
    EXPECT_EQ(queue_row("held_ms"), 0U);
    EXPECT_EQ(submit_up_to(20), 20U);
    EXPECT_FALSE(gap);
    const Numbers all = got();
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
    EXPECT_EQ(all.size(), finished);
}

TEST_F(LosslessTest, AProducerThatWaitsIsGrantedWhenTheCursorMoves) {
    durable();
    Peer& w = worker();
    while (submit_up_to(50) == 50) work(w);
    producer->send(protocol::Want{"q", sent, {10, 640}});
    EXPECT_EQ(producer->count<protocol::CreditGrant>(), 0U);
    EXPECT_EQ(queue_row("producers_waiting"), 1U);
    ack(queue_row("stream_next"));
    EXPECT_EQ(producer->count<protocol::CreditGrant>(), 1U);
}

TEST_F(LosslessTest, InAQueueThatRejectsAProducerIsToldSo) {
    alter({{"overload", 1}});
    durable();
    Peer& w = worker();
    while (submit_up_to(50) == 50) work(w);
    producer->inbox.clear();
    producer->send(protocol::Want{"q", sent, {10, 640}});
    EXPECT_EQ(producer->error(), ErrorCode::queue_full);
}

TEST_F(LosslessTest, ExplainNamesTheSlowestSubscription) {
    durable(">", "quick", 1);
    durable(">", "slow", 2);
    Peer& w = worker();
    while (submit_up_to(50) == 50) work(w);
    ack(30, 1);
    ack(7, 2);
    work(w);
    const std::string sentence = explain(last);
    EXPECT_NE(sentence.find("'slow' has not acknowledged offset 7"), std::string::npos) << sentence;
    h.disconnect(*desk);
    EXPECT_TRUE(desk->hello());
    EXPECT_NE(explain(last).find("has no session"), std::string::npos);
}

TEST_F(LosslessTest, WhatAPatternDoesNotMatchCountsAsAcknowledged) {
    subject = "QQQ";
    durable("SPY.>");
    Peer& w = worker();
    std::uint64_t finished = 0;
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(submit_up_to(50), 50U);
        finished += work(w);
    }
    EXPECT_EQ(finished, 1'000U);
    EXPECT_GT(queue_row("stream_first"), 900U);
    EXPECT_LE(queue_row("stream_bytes"), kRoom);
    EXPECT_TRUE(got().empty());
    EXPECT_FALSE(gap) << "nothing of it was lost to that one";
}

TEST_F(LosslessTest, OneEntryThatMatchesIsKeptAmongManyThatDoNot) {
    subject = "QQQ";
    durable("SPY");
    Peer& w = worker();
    submit_up_to(10);
    work(w);
    subject = "SPY";
    submit_up_to(1);
    work(w);
    subject = "QQQ";
    while (submit_up_to(50) == 50) work(w);
    EXPECT_EQ(queue_row("stream_first"), 10U) << "those before it may go";
    EXPECT_EQ(got(), Numbers{10});
    ack(11);
    work(w);
    EXPECT_GT(queue_row("stream_first"), 11U);
    EXPECT_EQ(submit_up_to(50), 50U);
}

TEST_F(LosslessTest, EntriesThatNeedNoWorkerUseTheirPlaces) {
    durable();
    Peer& w = worker();
    producer->send(protocol::GroupOpen{"q", job_id(5'000)});
    while (submit_up_to(50) == 50) work(w);
    const std::uint64_t waits = queue_row("waiting");
    ASSERT_GT(waits, 20U);
    // Cancelled, purged, and a group's end: all at once, with no room for anything.
    Numbers some;
    for (std::uint64_t i = last; i > last - 10; --i) some.push_back(i);
    cancel(some);
    producer->send(protocol::GroupSeal{"q", job_id(5'000), 0});
    expect_within_room(11 * 192);
    control(protocol::QueueAction::purge);
    h.tick();
    EXPECT_EQ(queue_row("waiting"), 0U);
    EXPECT_EQ(queue_row("cancelled"), waits);
    EXPECT_EQ(queue_row("stream_reserved_bytes"), 0U);
    EXPECT_LE(queue_row("stream_bytes"), kRoom + (waits + 1) * 192);
    EXPECT_EQ(queue_row("stream_first"), 0U) << "all of it is still owed";
    ack(queue_row("stream_next"));
    EXPECT_EQ(submit_up_to(50), 50U);
    EXPECT_EQ(work(w), 50U);
}

TEST_F(LosslessTest, WhatRunsMayEndInAnyWayWhileItHolds) {
    alter({{"max_attempts", 1}});
    durable();
    Peer& w = worker();
    while (submit_up_to(50) == 50) {
        h.tick();
        given(w);
        Numbers third[3];
        for (std::size_t i = 0; i < counters.size(); ++i) third[i % 3].push_back(counters[i]);
        if (counters.empty()) break;
        w.send(done(third[0], AttemptOutcome::done, kPlenty, result));
        w.send(done(third[1], AttemptOutcome::rejected, kPlenty, std::string(5'000, 'x'),
                    std::string(512, 's')));
        w.send(done(third[2], AttemptOutcome::failed, kPlenty, "", std::string(512, 's')));
        expect_within_room();
    }
    EXPECT_GT(queue_row("rejected"), 0U);
    EXPECT_GT(queue_row("dead"), 0U);
    EXPECT_GT(queue_row("waiting"), 0U);
}

TEST_F(LosslessTest, ALapsedOrForgottenSubscriptionHoldsNothing) {
    durable(">", "lapses", 1);
    durable(">", "is forgotten", 2);
    Peer& w = worker();
    while (submit_up_to(50) == 50) work(w);
    EXPECT_EQ(work(w), 0U);
    desk->send(protocol::Unsubscribe{2, true});
    EXPECT_EQ(work(w), 0U) << "the other one still needs it";
    desk->send(protocol::Unsubscribe{1, false});
    EXPECT_EQ(work(w), 0U) << "its name is kept";
    pass(61s, {&w, desk});
    EXPECT_GT(work(w), 0U);
    EXPECT_EQ(submit_up_to(50), 50U);
}

TEST_F(LosslessTest, WithoutDurableSubscriptionsTheOldestGo) {
    Peer& w = worker();
    std::uint64_t finished = 0;
    for (int i = 0; i < 40; ++i) {
        EXPECT_EQ(submit_up_to(50), 50U);
        finished += work(w);
    }
    EXPECT_EQ(finished, 2'000U);
    EXPECT_GT(queue_row("stream_first"), 1'900U);
    EXPECT_LE(queue_row("stream_bytes"), kRoom);
}

TEST_F(LosslessTest, AgeTakesNothingThatIsNotAcknowledged) {
    alter({{"stream_max_age_ms", 1'000}});
    durable();
    Peer& w = worker();
    submit_up_to(20);
    work(w);
    pass(10s, {&w, desk});
    EXPECT_EQ(queue_row("stream_first"), 0U);
    ack(5);
    pass(10s, {&w, desk});
    EXPECT_EQ(queue_row("stream_first"), 5U);
    EXPECT_EQ(h.core.counter("entries_aged"), 5U);
    ack(20);
    pass(10s, {&w, desk});
    EXPECT_EQ(queue_row("stream_first"), 20U);
}

TEST_F(LosslessTest, TurningItOffLetsTheOldestGoAndTellsTheGap) {
    durable();
    Peer& w = worker();
    while (submit_up_to(50) == 50) work(w);
    h.disconnect(*desk);
    alter({{"lossless", 0}, {"stream_max_bytes", 5'000}});
    work(w);
    EXPECT_EQ(queue_row("waiting"), 0U);
    EXPECT_EQ(queue_row("stream_reserved_bytes"), 0U);
    EXPECT_EQ(submit_up_to(50), 50U);
    ASSERT_TRUE(desk->hello());
    durable();
    got();
    EXPECT_TRUE(gap);
}

TEST_F(LosslessTest, TurnedOnLaterItKeepsFromThenOn) {
    alter({{"lossless", 0}});
    durable();
    Peer& w = worker();
    for (int i = 0; i < 5; ++i) {
        submit_up_to(40);
        work(w);
    }
    const std::uint64_t first = queue_row("stream_first");
    EXPECT_GT(first, 0U);
    alter({{"lossless", 1}});
    EXPECT_LT(submit_up_to(40), 40U) << "its window is full of what is not acknowledged";
    EXPECT_EQ(work(w), 0U);
    EXPECT_EQ(queue_row("stream_first"), first);
    ack(queue_row("stream_next"));
    EXPECT_GT(work(w), 0U);
    EXPECT_EQ(submit_up_to(40), 40U);
    EXPECT_EQ(work(w), 40U);
}

TEST_F(LosslessTest, MoreRoomLetsItGoOnLessHoldsIt) {
    durable();
    Peer& w = worker();
    while (submit_up_to(50) == 50) work(w);
    alter({{"stream_max_bytes", 2 * kRoom}});
    EXPECT_GT(work(w), 20U);
    alter({{"stream_max_bytes", 1'000}});
    submit_up_to(50);
    EXPECT_EQ(work(w), 0U);
    EXPECT_EQ(queue_row("stream_first"), 0U) << "nothing of it is lost";
    // However small the room: one at a time, each acknowledged.
    const std::uint64_t waits = queue_row("waiting");
    for (std::uint64_t i = 0; i < waits; ++i) {
        ack(queue_row("stream_next"));
        EXPECT_EQ(work(w), 1U);
    }
    EXPECT_EQ(queue_row("waiting"), 0U);
}

TEST_F(LosslessTest, JobsOfOneExecutionEachReserveTheirEntry) {
    alter({{"pure", 1}});
    durable();
    Peer& w = worker("worker", {1, 1U << 20});
    producer->send(protocol::Want{"q", {}, {400, 400 * 70}});
    // A quarter of the room: ten of them share an execution, the next ones follow it.
    for (std::uint64_t i = 1; i <= 25; ++i) accept(i, {}, "same");
    EXPECT_EQ(queue_row("running"), 1U);
    EXPECT_EQ(queue_row("following"), 2U);
    EXPECT_EQ(job_row(1, "jobs"), std::to_string(kRoom / 4 / kReserved));
    EXPECT_LE(queue_row("stream_reserved_bytes"), kRoom);
    const Numbers one = given(w);
    ASSERT_EQ(one.size(), 1U);
    w.send(done(counters, AttemptOutcome::done, {1, 1U << 20}, result));
    EXPECT_EQ(queue_row("done"), 25U) << "those that follow had room, too";
    expect_within_room();
    EXPECT_EQ(queue_row("coalesced"), 25U - 1);
}

TEST_F(LosslessTest, AJobJoinsWhatRunsOnlyWithRoomForItsEntry) {
    alter({{"pure", 1}});
    durable();
    Peer& w = worker();
    // All of the room that deliveries may take.
    producer->send(protocol::Want{"q", {}, {400, 400 * 70}});
    for (std::uint64_t i = 1; i <= 40; ++i)
        accept(i, {},
               std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN").substr(i - 1, 1));
    const std::uint64_t running = queue_row("running");
    EXPECT_GE(running, 20U);
    EXPECT_LT(running, 40U);
    accept(100, {}, "a");
    EXPECT_EQ(queue_row("following"), 1U) << "it waits for the result";
    EXPECT_EQ(queue_row("waiting"), 40U - running);
    expect_within_room();
    // With room, it joins.
    given(w);
    w.send(done({counters.back()}, AttemptOutcome::done, kPlenty, "r"));
    given(w);
    ack(1);
    EXPECT_EQ(queue_row("stream_first"), 0U) << "the newest entry stays";
}

class WindowTest : public LosslessTest {
  protected:
    WindowTest() : LosslessTest(0) {}
};

TEST_F(WindowTest, AStuckSubscriberHarmsNobodyAndIsToldItsGap) {
    durable(">", "stuck");
    got();
    h.disconnect(*desk);
    Peer& w = worker();
    std::uint64_t finished = 0;
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(submit_up_to(50), 50U);
        finished += work(w);
    }
    EXPECT_EQ(finished, 1'000U);
    EXPECT_EQ(h.core.counter("queues_held"), 0U);
    EXPECT_LE(queue_row("stream_bytes"), kRoom);
    EXPECT_EQ(ends().size(), 1'000U) << "another subscriber misses nothing";
    ASSERT_TRUE(desk->hello());
    durable(">", "stuck");
    const Numbers rest = got();
    EXPECT_TRUE(gap);
    EXPECT_EQ(rest.front(), queue_row("stream_first"));
    EXPECT_EQ(rest.back(), 999U);
}

}  // namespace
}  // namespace scanmq::broker
