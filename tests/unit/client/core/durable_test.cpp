// Durable subscriptions: where they start, what they skip, when they acknowledge.

#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::ErrorCode;
using protocol::StartFrom;
using protocol::SubscriptionStatus;

class ClientDurable : public testing::Test {
  protected:
    std::uint64_t subscribe(StreamOptions options = {}) {
        options.queue = "q";
        options.durable_name = "desk";
        auto id = rig.core.subscribe(options, rig.effects);
        rig.settle();
        return *id;
    }
    void confirm(std::uint64_t id, std::uint64_t start,
                 SubscriptionStatus status = SubscriptionStatus::created) {
        const auto frame = rig.take<protocol::Subscribe>();
        ASSERT_TRUE(frame);
        EXPECT_EQ(rig.message<protocol::Subscribe>(frame).durable_name, "desk");
        protocol::Subscribed out{frame->frame.header.seq, id, incarnation, 0, 100, start};
        out.status = status;
        rig.feed(out);
    }
    void results(std::uint64_t id, std::uint64_t from, std::uint64_t n,
                 std::optional<protocol::Gap> gap = {}) {
        protocol::Results out{id, from + n, gap, {}};
        for (std::uint64_t i = 0; i < n; ++i) {
            protocol::Entry entry;
            entry.offset = from + i;
            entry.kind = protocol::EntryKind::job;
            entry.outcome = protocol::FinalOutcome::done;
            entry.body.bytes = "0123456789";
            out.entries.push_back(entry);
        }
        rig.feed(std::move(out));
    }
    // Hands out what arrived, as far as `next_offset`.
    void hand_out(std::uint64_t id, std::uint64_t next_offset, bool done = true) {
        const StreamPosition position{incarnation, next_offset};
        for (const EntriesArrived& entries : rig.take_notices<EntriesArrived>()) {
            rig.core.consumed(entries, position, rig.effects);
        }
        if (done) rig.core.done_with(id, position, rig.now, rig.effects);
        rig.settle();
    }
    // The offset of the next ACK; nullopt: none was sent.
    std::optional<std::uint64_t> acked() {
        const auto ack = rig.take<protocol::Ack>();
        if (!ack) return std::nullopt;
        return rig.message<protocol::Ack>(ack).next_offset;
    }

    CoreRig rig;
    Id128 incarnation = [] {
        Id128 out;
        out.bytes[0] = 5;
        return out;
    }();
};

TEST_F(ClientDurable, TellsWhetherItIsNewResumedOrLapsed) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 7, SubscriptionStatus::resumed);
    EXPECT_EQ(rig.core.subscription(id)->status, SubscriptionStatus::resumed);
    EXPECT_EQ(rig.core.subscription(id)->position.next_offset, 7U);
    EXPECT_EQ(rig.core.subscription(id)->acknowledged, 7U);
    rig.connected();
    rig.greet();
    confirm(id, 7, SubscriptionStatus::lapsed);
    EXPECT_EQ(rig.core.subscription(id)->status, SubscriptionStatus::lapsed);
    EXPECT_EQ(rig.take_notices<SubscriptionChanged>().size(), 2U);
}

TEST_F(ClientDurable, StartsFromATime) {
    StreamOptions options;
    options.from = StartFrom::time;
    options.offset = 1'700'000'000'000;
    subscribe(options);
    rig.open();
    const auto frame = rig.take<protocol::Subscribe>();
    ASSERT_TRUE(frame);
    EXPECT_EQ(rig.message<protocol::Subscribe>(frame).from, StartFrom::time);
    EXPECT_EQ(rig.message<protocol::Subscribe>(frame).offset, 1'700'000'000'000U);
}

TEST_F(ClientDurable, AcknowledgesWhatWasHandledAtOnceThenAtMostEachPause) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 0, 30);
    EXPECT_FALSE(acked());
    hand_out(id, 10);
    EXPECT_EQ(acked(), 10U);
    hand_out(id, 20);
    hand_out(id, 30);
    EXPECT_FALSE(acked());
    EXPECT_EQ(rig.core.next_deadline(), rig.now.time + 200ms);
    rig.advance(199ms);
    EXPECT_FALSE(acked());
    rig.advance(1ms);
    EXPECT_EQ(acked(), 30U);
    EXPECT_EQ(rig.core.subscription(id)->acknowledged, 30U);
    rig.advance(1s);
    EXPECT_FALSE(acked());
}

TEST_F(ClientDurable, WhatWasOnlyHandedOutIsNotAcknowledged) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 0, 10);
    hand_out(id, 10, false);
    rig.advance(1s);
    EXPECT_FALSE(acked());
}

TEST_F(ClientDurable, WithoutAutoAckTheProgramMovesTheCursor) {
    StreamOptions options;
    options.auto_ack = false;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 0);
    results(id, 0, 10);
    hand_out(id, 10);
    rig.advance(1s);
    EXPECT_FALSE(acked());
    ASSERT_TRUE(rig.core.ack(id, 4, rig.now, rig.effects).ok());
    rig.settle();
    EXPECT_EQ(acked(), 4U);
    const auto beyond = rig.core.ack(id, 11, rig.now, rig.effects);
    ASSERT_FALSE(beyond.ok());
    EXPECT_EQ(beyond.error().code, ErrorCode::bad_offset);
    ASSERT_TRUE(rig.core.ack(id, 3, rig.now, rig.effects).ok());  // never back
    rig.advance(1s);
    EXPECT_FALSE(acked());
}

TEST_F(ClientDurable, OnlyADurableSubscriptionIsAcknowledged) {
    StreamOptions options;
    options.queue = "q";
    const auto id = *rig.core.subscribe(options, rig.effects);
    EXPECT_EQ(rig.core.ack(id, 0, rig.now, rig.effects).error().code,
              ErrorCode::unknown_subscription);
}

TEST_F(ClientDurable, TheLastAckLeavesBeforeItUnsubscribes) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 0, 10);
    hand_out(id, 5);
    hand_out(id, 10);
    rig.sent.clear();
    rig.core.unsubscribe(id, rig.effects);
    rig.settle();
    ASSERT_EQ(rig.sent.size(), 2U);
    EXPECT_EQ(std::get<protocol::Ack>(rig.sent[0]->frame.message).next_offset, 10U);
    EXPECT_FALSE(std::get<protocol::Unsubscribe>(rig.sent[1]->frame.message).forget);
}

TEST_F(ClientDurable, TheLastAckLeavesBeforeTheClientSaysBye) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 0, 10);
    hand_out(id, 5);
    hand_out(id, 10);
    rig.sent.clear();
    rig.core.close(rig.effects);
    rig.settle();
    EXPECT_EQ(acked(), 10U);
    EXPECT_EQ(rig.count<protocol::Bye>(), 1U);
}

TEST_F(ClientDurable, AfterAReconnectNothingIsHandedOutTwiceAndTheCursorCatchesUp) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 0, 10);
    hand_out(id, 10);
    EXPECT_EQ(acked(), 10U);  // is lost with the connection
    results(id, 10, 10);
    hand_out(id, 20);
    rig.connected();
    rig.greet();
    confirm(id, 0, SubscriptionStatus::resumed);
    rig.advance(1s);
    EXPECT_FALSE(acked());  // beyond what this session was sent: the broker would ignore it

    results(id, 0, 12);
    auto arrived = rig.take_notices<EntriesArrived>();
    ASSERT_EQ(arrived.size(), 1U);
    EXPECT_EQ(arrived[0].items, 0U);
    EXPECT_EQ(arrived[0].skipped, 12U);
    EXPECT_EQ(acked(), 12U);
    rig.advance(200ms);
    results(id, 12, 10);
    arrived = rig.take_notices<EntriesArrived>();
    ASSERT_EQ(arrived.size(), 1U);
    EXPECT_EQ(arrived[0].skipped, 8U);
    EXPECT_EQ(arrived[0].items, 2U);
    EXPECT_EQ(acked(), 20U);
    EXPECT_EQ(rig.core.subscription(id)->position.next_offset, 20U);
}

TEST_F(ClientDurable, WhatIsSkippedGivesItsCreditBack) {
    StreamOptions options;
    options.credit_items = 10;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 0);
    results(id, 0, 9);
    hand_out(id, 9, false);
    rig.connected();
    rig.greet();
    confirm(id, 0, SubscriptionStatus::resumed);
    rig.sent.clear();
    results(id, 0, 9);
    const auto grant = rig.take<protocol::CreditGrant>();
    ASSERT_TRUE(grant);
    EXPECT_EQ(rig.message<protocol::CreditGrant>(grant).limit.items, 19U);
}

TEST_F(ClientDurable, AGapThatWasToldIsNotToldAgain) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 10, 5, protocol::Gap{0, 10});
    hand_out(id, 15, false);
    rig.connected();
    rig.greet();
    confirm(id, 0, SubscriptionStatus::resumed);
    results(id, 12, 5, protocol::Gap{0, 12});
    auto arrived = rig.take_notices<EntriesArrived>();
    ASSERT_EQ(arrived.size(), 1U);
    EXPECT_FALSE(arrived[0].gap);
    EXPECT_EQ(arrived[0].skipped, 3U);
    results(id, 25, 1, protocol::Gap{16, 25});  // half of it is new
    arrived = rig.take_notices<EntriesArrived>();
    ASSERT_EQ(arrived.size(), 1U);
    ASSERT_TRUE(arrived[0].gap);
    EXPECT_EQ(arrived[0].gap->from, 17U);
    EXPECT_EQ(arrived[0].gap->to, 25U);
}

TEST_F(ClientDurable, TakenByAnotherSessionItEndsAndDoesNotFight) {
    const auto id = subscribe();
    rig.open();
    const auto frame = rig.take<protocol::Subscribe>();
    ASSERT_TRUE(frame);
    rig.feed(protocol::Subscribed{frame->frame.header.seq, id, incarnation, 0, 0, 0});
    rig.error(frame, ErrorCode::subscription_taken, "another session has it");
    const SubscriptionInfo* info = rig.core.subscription(id);
    EXPECT_EQ(info->state, SubscriptionState::failed);
    EXPECT_EQ(info->code, ErrorCode::subscription_taken);
    EXPECT_EQ(info->sentence, "another session has it");
    rig.sent.clear();
    rig.connected();
    rig.greet();
    rig.advance(1s);
    EXPECT_EQ(rig.count<protocol::Subscribe>(), 0U);
    rig.core.unsubscribe(id, rig.effects);
    rig.settle();
    EXPECT_EQ(rig.count<protocol::Unsubscribe>(), 0U);  // it is the other's now
}

TEST_F(ClientDurable, ANameThatOutlivedItsStreamIsAReset) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    results(id, 0, 20);
    hand_out(id, 20);
    rig.connected();
    rig.greet();
    incarnation.bytes[0] = 6;
    confirm(id, 0, SubscriptionStatus::resumed);
    EXPECT_EQ(rig.core.subscription(id)->state, SubscriptionState::failed);
    EXPECT_EQ(rig.core.subscription(id)->code, ErrorCode::stream_reset);
}

TEST_F(ClientDurable, ANewStreamIsReadFromItsStartWhenToldSo) {
    StreamOptions options;
    options.on_reset = ResetPolicy::earliest;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 0);
    results(id, 0, 20);
    hand_out(id, 20);
    (void)acked();
    rig.connected();
    rig.greet();
    incarnation.bytes[0] = 6;
    confirm(id, 0, SubscriptionStatus::lapsed);
    EXPECT_EQ(rig.core.subscription(id)->resets, 1U);
    results(id, 0, 5);
    const auto arrived = rig.take_notices<EntriesArrived>();
    ASSERT_EQ(arrived.size(), 1U);
    EXPECT_EQ(arrived[0].skipped, 0U);
    EXPECT_FALSE(acked());  // what was handled was the old stream's
}

TEST_F(ClientDurable, ANameIsHeldOnceInOneClient) {
    const auto id = subscribe();
    StreamOptions options;
    options.queue = "q";
    options.durable_name = "desk";
    EXPECT_EQ(rig.core.subscribe(options, rig.effects).error().code,
              ErrorCode::subscription_exists);
    options.queue = "r";
    EXPECT_TRUE(rig.core.subscribe(options, rig.effects).ok());
    rig.core.unsubscribe(id, rig.effects);
    options.queue = "q";
    EXPECT_TRUE(rig.core.subscribe(options, rig.effects).ok());
    options.durable_name.assign(1000, 'n');
    EXPECT_EQ(rig.core.subscribe(options, rig.effects).error().code, ErrorCode::bad_name);
}

TEST_F(ClientDurable, ForgettingIsAskedAgainAfterTheSubscriptionIsThereAgain) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    const auto request = rig.core.forget(id, rig.now.time + 5s, rig.effects);
    rig.settle();
    ASSERT_TRUE(rig.take<protocol::Unsubscribe>());
    rig.connected();
    rig.greet();
    ASSERT_EQ(rig.sent.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<protocol::Subscribe>(rig.sent[0]->frame.message));
    const auto& again = rig.sent[1];
    EXPECT_TRUE(std::get<protocol::Unsubscribe>(again->frame.message).forget);
    rig.feed(protocol::Ok{again->frame.header.seq});
    const auto done = rig.take_notices<RequestDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].request, request);
    EXPECT_TRUE(done[0].reply.ok());
}

}  // namespace
}  // namespace scanmq::client
