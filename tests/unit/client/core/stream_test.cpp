#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::StartFrom;

constexpr std::uint64_t kOverhead = protocol::kLimits.item_overhead_bytes;

class ClientStream : public testing::Test {
  protected:
    std::uint64_t subscribe(StreamOptions options = {}) {
        options.queue = "q";
        auto id = rig.core.subscribe(options, rig.effects);
        rig.settle();
        return *id;
    }
    void confirm(std::uint64_t id, std::uint64_t start, std::uint64_t first = 0) {
        const auto frame = rig.take<protocol::Subscribe>();
        ASSERT_TRUE(frame);
        rig.feed(protocol::Subscribed{frame->frame.header.seq, id, incarnation, first, start + 10,
                                      start});
    }
    // n entries from the offset `from`, each with a body of `bytes`.
    void results(std::uint64_t id, std::uint64_t from, std::uint64_t n, std::size_t bytes = 10,
                 std::optional<protocol::Gap> gap = {}) {
        const std::string body(bytes, 'r');
        protocol::Results out{id, from + n, gap, {}};
        for (std::uint64_t i = 0; i < n; ++i) {
            protocol::Entry entry;
            entry.offset = from + i;
            entry.kind = protocol::EntryKind::job;
            entry.outcome = protocol::FinalOutcome::done;
            entry.body.bytes = body;
            out.entries.push_back(entry);
        }
        rig.feed(std::move(out));
    }
    void consume_all() {
        for (const EntriesArrived& entries : rig.take_notices<EntriesArrived>()) {
            rig.core.consumed(entries, {entries.incarnation, 0}, rig.effects);
        }
        rig.settle();
    }

    CoreRig rig;
    Id128 incarnation = [] {
        Id128 out;
        out.bytes[0] = 5;
        return out;
    }();
};

TEST_F(ClientStream, SubscribesWhenTheSessionOpensAndTellsWhereItStarts) {
    StreamOptions options;
    options.from = StartFrom::earliest;
    options.pattern = "a.*";
    const auto id = subscribe(options);
    EXPECT_TRUE(rig.sent.empty());
    rig.open();
    ASSERT_EQ(rig.count<protocol::Subscribe>(), 1U);
    confirm(id, 40, 40);
    const SubscriptionInfo* info = rig.core.subscription(id);
    EXPECT_EQ(info->state, SubscriptionState::active);
    EXPECT_EQ(info->position.next_offset, 40U);
    EXPECT_EQ(info->position.incarnation, incarnation);
    EXPECT_EQ(info->first_offset, 40U);
    EXPECT_EQ(info->end_offset, 50U);
    EXPECT_EQ(rig.take_notices<SubscriptionChanged>().size(), 1U);
}

TEST_F(ClientStream, GrantsAgainWhenThreeQuartersAreUsedAndHandedOut) {
    StreamOptions options;
    options.credit_items = 100;
    options.credit_bytes = 1U << 20;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 0);
    results(id, 0, 74);
    consume_all();
    EXPECT_EQ(rig.count<protocol::CreditGrant>(), 0U);
    results(id, 74, 1);
    EXPECT_EQ(rig.count<protocol::CreditGrant>(), 0U);  // not handed out yet
    consume_all();
    const auto grant = rig.take<protocol::CreditGrant>();
    ASSERT_TRUE(grant);
    const auto& message = rig.message<protocol::CreditGrant>(grant);
    EXPECT_EQ(message.link, protocol::Link::results);
    EXPECT_EQ(message.subscription, id);
    EXPECT_EQ(message.limit, (Credit{175, (1U << 20) + 75 * (10 + kOverhead)}));
}

TEST_F(ClientStream, BytesAloneBringANewGrant) {
    StreamOptions options;
    options.credit_items = 1'000'000;
    options.credit_bytes = 400'000;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 0);
    results(id, 0, 1, 250'000);
    consume_all();
    EXPECT_EQ(rig.count<protocol::CreditGrant>(), 0U);
    results(id, 1, 1, 60'000);
    consume_all();
    EXPECT_EQ(rig.count<protocol::CreditGrant>(), 1U);
}

TEST_F(ClientStream, GoesOnAtTheNextOffsetWithWhatIsStillToBeHandedOutOffItsCredit) {
    StreamOptions options;
    options.credit_items = 100;
    options.credit_bytes = 1U << 20;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 7);
    results(id, 7, 30);
    rig.connected();
    rig.greet();
    EXPECT_EQ(rig.core.subscription(id)->state, SubscriptionState::starting);
    const auto again = rig.take<protocol::Subscribe>();
    ASSERT_TRUE(again);
    const auto& message = rig.message<protocol::Subscribe>(again);
    EXPECT_EQ(message.from, StartFrom::offset);
    EXPECT_EQ(message.offset, 37U);
    EXPECT_EQ(message.incarnation, incarnation);
    EXPECT_EQ(message.limit, (Credit{70, (1U << 20) - 30 * (10 + kOverhead)}));
    rig.feed(protocol::Subscribed{again->frame.header.seq, id, incarnation, 0, 40, 37});
    EXPECT_EQ(rig.core.subscription(id)->state, SubscriptionState::active);
    EXPECT_EQ(rig.core.subscription(id)->position.next_offset, 7U);
}

TEST_F(ClientStream, AGapIsHandedOutWithItsEntries) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 5);
    results(id, 20, 2, 10, protocol::Gap{5, 20});
    const auto arrived = rig.take_notices<EntriesArrived>();
    ASSERT_EQ(arrived.size(), 1U);
    EXPECT_EQ(arrived[0].items, 2U);
}

TEST_F(ClientStream, AnotherIncarnationStopsItUnlessToldOtherwise) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 5);
    rig.connected();
    rig.greet();
    rig.error(rig.take<protocol::Subscribe>(), ErrorCode::stream_reset, "another stream");
    const SubscriptionInfo* info = rig.core.subscription(id);
    EXPECT_EQ(info->state, SubscriptionState::failed);
    EXPECT_EQ(info->code, ErrorCode::stream_reset);
    EXPECT_EQ(info->resets, 1U);
    rig.connected();
    rig.greet();
    EXPECT_EQ(rig.count<protocol::Subscribe>(), 0U);
}

TEST_F(ClientStream, AnotherIncarnationIsReadFromItsStartWhenToldSo) {
    StreamOptions options;
    options.on_reset = ResetPolicy::earliest;
    const auto id = subscribe(options);
    rig.open();
    confirm(id, 5);
    rig.connected();
    rig.greet();
    rig.error(rig.take<protocol::Subscribe>(), ErrorCode::stream_reset);
    const auto anew = rig.take<protocol::Subscribe>();
    ASSERT_TRUE(anew);
    EXPECT_EQ(rig.message<protocol::Subscribe>(anew).from, StartFrom::earliest);
    EXPECT_TRUE(rig.message<protocol::Subscribe>(anew).incarnation.is_zero());
    Id128 other;
    other.bytes[0] = 6;
    rig.feed(protocol::Subscribed{anew->frame.header.seq, id, other, 0, 3, 0});
    EXPECT_EQ(rig.core.subscription(id)->position.incarnation, other);
    EXPECT_EQ(rig.core.subscription(id)->resets, 1U);
}

TEST_F(ClientStream, ARefusedSubscriptionTellsCodeAndSentence) {
    const auto id = subscribe();
    rig.open();
    rig.error(rig.take<protocol::Subscribe>(), ErrorCode::bad_pattern, "no such pattern");
    EXPECT_EQ(rig.core.subscription(id)->state, SubscriptionState::failed);
    EXPECT_EQ(rig.core.subscription(id)->code, ErrorCode::bad_pattern);
    EXPECT_EQ(rig.core.subscription(id)->sentence, "no such pattern");
}

TEST_F(ClientStream, UnsubscribesAndDropsWhatStillComes) {
    const auto id = subscribe();
    rig.open();
    confirm(id, 0);
    rig.core.unsubscribe(id, rig.effects);
    rig.settle();
    ASSERT_TRUE(rig.take<protocol::Unsubscribe>());
    results(id, 0, 3);
    EXPECT_TRUE(rig.take_notices<EntriesArrived>().empty());
    EXPECT_EQ(rig.core.subscription(id), nullptr);
}

TEST_F(ClientStream, TheNumberOfSubscriptionsIsBounded) {
    CoreOptions options = rig_options();
    options.subscriptions_max = 1;
    CoreRig small(options);
    StreamOptions stream;
    stream.queue = "q";
    ASSERT_TRUE(small.core.subscribe(stream, small.effects).ok());
    const auto refused = small.core.subscribe(stream, small.effects);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::over_limit);
}

}  // namespace
}  // namespace scanmq::client
