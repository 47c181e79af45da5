// BrokerCore: durable subscriptions, as docs/PROTOCOL.md, section 9, has them.

#include "tests/unit/broker/core/streams_fixture.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::Credit;
using protocol::ErrorCode;
using protocol::StartFrom;
using protocol::SubscriptionStatus;

BrokerOptions few_cursors() {
    BrokerOptions options;
    options.cursors_per_queue_max = 2;
    return options;
}

class DurableTest : public StreamsTest {
  protected:
    DurableTest() : StreamsTest(few_cursors(), {{"subscription_ttl_ms", 60'000}}) {}

    const protocol::Subscribed& durable(Peer& peer, std::uint64_t number,
                                        const std::string& name = "desk",
                                        StartFrom from = StartFrom::earliest,
                                        const std::string& pattern = ">", Credit limit = kPlenty) {
        peer.send(protocol::Subscribe{number, "q", pattern, from, 0, {}, name, limit});
        return peer.next<protocol::Subscribed>();
    }
    const protocol::Subscribed& durable(std::uint64_t number = 1) {
        return durable(*subscriber, number);
    }
    void ack(std::uint64_t offset, std::uint64_t number = 1) {
        subscriber->send(protocol::Ack{number, offset});
    }
    void reconnect() {
        h.disconnect(*subscriber);
        EXPECT_TRUE(subscriber->hello());
    }
    // What was journalled of cursors since the last call.
    std::vector<std::string> journal() {
        std::vector<std::string> out;
        for (const change::Any& any : h.changes) {
            if (const auto* set = std::get_if<change::CursorSet>(&any)) {
                out.push_back(
                    std::string(set->name) + " " + std::to_string(set->cursor.next_offset) + " " +
                    std::string(set->cursor.pattern) + (set->cursor.used == 0 ? " held" : " idle") +
                    (set->cursor.lapsed ? " lapsed" : ""));
            } else if (const auto* gone = std::get_if<change::CursorForgotten>(&any)) {
                out.push_back("no " + std::string(gone->name));
            }
        }
        h.changes.clear();
        return out;
    }
    using Journal = std::vector<std::string>;
};

TEST_F(DurableTest, ANewNameStartsAsFromSays) {
    run(1);
    run(2);
    const auto& latest = durable(*subscriber, 1, "a", StartFrom::latest);
    EXPECT_EQ(latest.status, SubscriptionStatus::created);
    EXPECT_EQ(latest.start_offset, 2U);
    EXPECT_EQ(offsets(1), Offsets{});
    EXPECT_EQ(durable(*subscriber, 2, "b").start_offset, 0U);
    EXPECT_EQ(offsets(2), (Offsets{0, 1}));
}

TEST_F(DurableTest, ResumesAtItsCursorWhateverFromSays) {
    for (std::uint64_t i = 1; i <= 4; ++i) run(i);
    durable();
    EXPECT_EQ(offsets(), (Offsets{0, 1, 2, 3}));
    ack(3);
    reconnect();
    const auto& again = durable(*subscriber, 7, "desk", StartFrom::latest, "SPY");
    EXPECT_EQ(again.status, SubscriptionStatus::resumed);
    EXPECT_EQ(again.start_offset, 3U);
    EXPECT_EQ(offsets(7), Offsets{3}) << "sent before, but not done with";
    EXPECT_EQ(h.core.counter("subscriptions_resumed"), 1U);
    // Not even an offset of a stream that is no more stands against it.
    reconnect();
    subscriber->send(
        protocol::Subscribe{1, "q", ">", StartFrom::offset, 99, job_id(5), "desk", kPlenty});
    EXPECT_EQ(subscriber->next<protocol::Subscribed>().start_offset, 3U);
}

TEST_F(DurableTest, AnAckOutOfRangeChangesNothing) {
    for (std::uint64_t i = 1; i <= 5; ++i) run(i);
    durable(*subscriber, 1, "desk", StartFrom::earliest, ">", {3, 10'000});
    EXPECT_EQ(offsets(), (Offsets{0, 1, 2}));
    ack(2);
    ack(1);
    ack(4);  // the fourth was not sent
    EXPECT_EQ(h.row("subscriptions", "q", "cursor"), 2U);
    EXPECT_EQ(h.core.counter("acks"), 1U);
    EXPECT_EQ(h.core.counter("acks_ignored"), 2U);
    ack(2);
    EXPECT_EQ(h.core.counter("acks"), 2U) << "saying it twice is no mistake";
    EXPECT_EQ(subscriber->count<protocol::Error>(), 0U);
    subscribe(2, ">", StartFrom::earliest);
    ack(1, 2);
    EXPECT_EQ(h.core.counter("acks_ignored"), 3U) << "not a durable one";
    ack(1, 99);
    EXPECT_EQ(subscriber->error(), ErrorCode::unknown_subscription);
}

TEST_F(DurableTest, WhatDidNotMatchIsAckedOnceItWasTold) {
    durable(*subscriber, 1, "desk", StartFrom::latest, "QQQ");
    for (std::uint64_t i = 1; i <= 3; ++i) run(i);
    ack(3);
    EXPECT_EQ(h.core.counter("acks_ignored"), 1U) << "it cannot know";
    subscriber->send(protocol::Heartbeat{});
    offsets();
    EXPECT_EQ(next_offset, 3U);
    ack(next_offset);
    EXPECT_EQ(h.row("subscriptions", "q", "cursor"), 3U);
}

TEST_F(DurableTest, AnotherSessionTakesItOver) {
    run(1);
    durable();
    const std::uint64_t subscribe_seq = subscriber->seq;
    EXPECT_EQ(offsets(), Offsets{0});
    Peer& other = h.subscriber("other");
    EXPECT_EQ(durable(other, 1).status, SubscriptionStatus::resumed);
    EXPECT_EQ(offsets(1, &other), Offsets{0});
    EXPECT_TRUE(subscriber->inbox.front().after_commit) << "behind what it was sent";
    const auto& taken = subscriber->next<protocol::Error>();
    EXPECT_EQ(taken.code, ErrorCode::subscription_taken);
    EXPECT_EQ(taken.re, subscribe_seq);
    EXPECT_EQ(taken.re_kind, protocol::Kind::subscribe);
    run(2);
    EXPECT_EQ(offsets(), Offsets{});
    EXPECT_EQ(offsets(1, &other), Offsets{1});
    ack(1);
    EXPECT_EQ(subscriber->error(), ErrorCode::unknown_subscription);
    EXPECT_EQ(h.row("subscriptions", "q", "cursor"), 0U);
    EXPECT_EQ(h.core.counter("subscriptions_taken"), 1U);
    // The session whose subscription was taken goes: the name is still the other's.
    h.disconnect(*subscriber);
    run(3);
    EXPECT_EQ(offsets(1, &other), Offsets{2});
}

TEST_F(DurableTest, ASessionMayTakeItOverFromItself) {
    durable(1);
    const std::uint64_t first = subscriber->seq;
    EXPECT_EQ(durable(2).status, SubscriptionStatus::resumed);
    EXPECT_EQ(subscriber->next<protocol::Error>().re, first);
    run(1);
    EXPECT_EQ(offsets(1), Offsets{});
    EXPECT_EQ(subscriber->error(), ErrorCode::none);
}

TEST_F(DurableTest, TwoTakeOversInOneBatchLeaveOne) {
    Peer& other = h.subscriber("other");
    const protocol::Subscribe message{1, "q", ">", StartFrom::earliest, 0, {}, "desk", kPlenty};
    subscriber->post(message);
    other.post(message);
    h.flush();
    EXPECT_EQ(subscriber->next<protocol::Subscribed>().status, SubscriptionStatus::created);
    EXPECT_EQ(subscriber->error(), ErrorCode::subscription_taken);
    EXPECT_EQ(other.next<protocol::Subscribed>().status, SubscriptionStatus::resumed);
    EXPECT_EQ(h.row("queues", "q", "subscriptions"), 1U);
    EXPECT_EQ(journal().back(), "desk 0 > held");
}

TEST_F(DurableTest, ARefusedSubscribeTakesNothing) {
    durable();
    Peer& other = h.subscriber("other");
    other.send(protocol::Subscribe{1, "q", "a.>.b", {}, 0, {}, "desk", kPlenty});
    EXPECT_EQ(other.error(), ErrorCode::bad_pattern);
    other.send(protocol::Subscribe{1, "q", ">", StartFrom::offset, 9, {}, "new", kPlenty});
    EXPECT_EQ(other.error(), ErrorCode::bad_offset);
    EXPECT_EQ(h.row("queues", "q", "subscriptions"), 1U) << "no cursor was made";
    EXPECT_EQ(subscriber->error(), ErrorCode::none);
}

TEST_F(DurableTest, UnsubscribeKeepsTheCursorUnlessForget) {
    run(1);
    durable();
    ack(1);
    subscriber->send(protocol::Unsubscribe{1});
    EXPECT_EQ(subscriber->count<protocol::Ok>(), 1U);
    EXPECT_EQ(durable().start_offset, 1U);
    journal();
    subscriber->send(protocol::Unsubscribe{1, true});
    EXPECT_EQ(journal(), Journal{"no desk"});
    const auto& anew = durable();
    EXPECT_EQ(anew.status, SubscriptionStatus::created);
    EXPECT_EQ(anew.start_offset, 0U);
    EXPECT_EQ(h.core.counter("cursors_forgotten"), 1U);
}

TEST_F(DurableTest, WithoutASessionItLapsesAndTellsSoOnce) {
    run(1);
    run(2);
    durable();
    ack(1);
    subscriber->send(protocol::Unsubscribe{1});
    pass(59s);
    EXPECT_EQ(h.core.counter("subscriptions_lapsed"), 0U);
    journal();
    pass(1s);
    EXPECT_EQ(h.core.counter("subscriptions_lapsed"), 1U);
    EXPECT_EQ(journal(), Journal{"desk 1 > idle lapsed"});
    EXPECT_EQ(h.row("queues", "q", "subscriptions"), 0U);
    const auto& again = durable();
    EXPECT_EQ(again.status, SubscriptionStatus::lapsed);
    EXPECT_EQ(again.start_offset, 0U) << "as `from` says";
    subscriber->send(protocol::Unsubscribe{1});
    EXPECT_EQ(durable().status, SubscriptionStatus::resumed) << "from now on it is known";
}

TEST_F(DurableTest, ALapsedNameIsForgottenATtlLater) {
    durable();
    subscriber->send(protocol::Unsubscribe{1});
    pass(60s);
    journal();
    pass(61s);
    EXPECT_EQ(journal(), Journal{"no desk"});
    EXPECT_EQ(durable().status, SubscriptionStatus::created);
}

TEST_F(DurableTest, WithASessionItNeverLapses) {
    durable();
    pass(10min);
    EXPECT_EQ(h.core.counter("subscriptions_lapsed"), 0U);
    run(1);
    EXPECT_EQ(offsets(), Offsets{0});
    reconnect();
    pass(59s);
    EXPECT_EQ(durable().status, SubscriptionStatus::resumed) << "counted from its session's end";
}

TEST_F(DurableTest, AShorterTtlHoldsForThoseThatWait) {
    durable();
    subscriber->send(protocol::Unsubscribe{1});
    pass(10s);
    h.op().send(protocol::QueueAlter{"q", {{"subscription_ttl_ms", 5'000}}});
    h.tick();
    EXPECT_EQ(h.core.counter("subscriptions_lapsed"), 1U);
}

TEST_F(DurableTest, ACursorWhoseEntriesAreGoneGetsAGap) {
    durable();
    subscriber->send(protocol::Unsubscribe{1});
    h.op().send(protocol::QueueAlter{"q", {{"stream_max_bytes", 2 * 70}}});
    for (std::uint64_t i = 1; i <= 5; ++i) run(i);
    const auto& again = durable();
    EXPECT_EQ(again.start_offset, 0U);
    EXPECT_EQ(again.first_offset, 3U);
    EXPECT_EQ(offsets(), (Offsets{3, 4}));
    EXPECT_EQ(gaps, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{0, 3}}));
    ack(5);
    EXPECT_EQ(h.row("subscriptions", "q", "cursor"), 5U);
}

TEST_F(DurableTest, CursorsPerQueueMaxIsKept) {
    durable(*subscriber, 1, "a");
    durable(*subscriber, 2, "b");
    EXPECT_EQ(refused({3, "q", ">", {}, 0, {}, "c", kPlenty}), ErrorCode::over_limit);
    EXPECT_EQ(h.core.counter("error_over_limit"), 1U);
    h.create_queue("r");
    subscriber->send(protocol::Subscribe{3, "r", ">", {}, 0, {}, "c", kPlenty});
    subscriber->next<protocol::Subscribed>();
    subscriber->send(protocol::Unsubscribe{1});
    pass(60s);
    EXPECT_EQ(durable(*subscriber, 4, "c").status, SubscriptionStatus::created)
        << "a lapsed name makes room";
    EXPECT_EQ(h.core.counter("cursors_forgotten"), 1U);
}

TEST_F(DurableTest, EachChangeIsJournalledOnceABatch) {
    for (std::uint64_t i = 1; i <= 4; ++i) run(i);
    journal();
    durable();
    EXPECT_EQ(journal(), Journal{"desk 0 > held"});
    offsets();
    for (const std::uint64_t offset : {1, 3, 2}) subscriber->post(protocol::Ack{1, offset});
    h.flush();
    EXPECT_EQ(journal(), Journal{"desk 3 > held"});
    ack(3);
    EXPECT_EQ(journal(), Journal{}) << "nothing moved";
    reconnect();
    EXPECT_EQ(journal(), Journal{"desk 3 > idle"});
    durable(*subscriber, 1, "desk", StartFrom::earliest, "SPY");
    EXPECT_EQ(journal(), Journal{"desk 3 SPY held"});
}

TEST_F(DurableTest, ItsQueuesEndIsItsEnd) {
    run(1);
    durable();
    ack(1);
    h.changes.clear();
    subscriber->post(protocol::Ack{1, 1});
    h.op().post(protocol::QueueDelete{"q", false});
    h.flush();
    EXPECT_EQ(subscriber->error(), ErrorCode::unknown_queue);
    ASSERT_EQ(h.changes.size(), 1U) << "nothing of a partition after its end";
    EXPECT_TRUE(std::holds_alternative<change::QueueDeleted>(h.changes[0]));
    h.create_queue("q");
    EXPECT_EQ(durable().status, SubscriptionStatus::created);
}

TEST_F(DurableTest, TheQueryTellsWhoIsHowFar) {
    for (std::uint64_t i = 1; i <= 5; ++i) run(i);
    durable(*subscriber, 1, "b", StartFrom::earliest, "SPY", {4, 10'000});
    ack(1);
    durable(*subscriber, 2, "a", StartFrom::latest);
    subscriber->send(protocol::Unsubscribe{2});
    subscribe(3, "Q.*", StartFrom::latest);
    h.now += 1s;
    Peer& op = h.op();
    op.send(protocol::Query{"subscriptions", ""});
    const auto& rows = op.next<protocol::Answer>().rows;
    const auto session = subscriber->session.value;
    const auto row = [](std::string name, std::uint64_t session_id, std::string pattern,
                        std::uint64_t cursor, std::uint64_t behind, std::uint64_t unacked,
                        std::uint64_t lapses) {
        return protocol::Row{{"queue", "q"},       {"name", name},       {"session", session_id},
                             {"pattern", pattern}, {"cursor", cursor},   {"behind", behind},
                             {"unacked", unacked}, {"lapses_ms", lapses}};
    };
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0], row("a", 0, ">", 5, 0, 0, 59'000));
    EXPECT_EQ(rows[1], row("b", session, "SPY", 1, 4, 3, 60'000));
    EXPECT_EQ(rows[2], row("", session, "Q.*", 5, 0, 0, 0));
    EXPECT_EQ(h.row("queues", "q", "subscriptions"), 3U);
    op.send(protocol::Query{"subscriptions", "nope"});
    EXPECT_EQ(op.error(), ErrorCode::unknown_queue);
}

}  // namespace
}  // namespace scanmq::broker
