// BrokerCore: aliases, as docs/PROTOCOL.md, section 9, has them.

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::ErrorCode;

BrokerOptions few_aliases() {
    BrokerOptions options;
    options.aliases_max = 2;
    options.alias_history_max = 1;
    return options;
}

class AliasesTest : public ::testing::Test {
  protected:
    AliasesTest() : h(few_aliases()) {
        h.create_queue("q");
        producer = &h.producer();
        first = h.put_blob("first");
        second = h.put_blob("second");
        third = h.put_blob("third");
    }
    ErrorCode set(const std::string& alias, const ContentId& id) {
        producer->send(protocol::AliasSet{alias, id});
        if (producer->count<protocol::Ok>() > 0) {
            EXPECT_TRUE(producer->inbox.front().after_commit);
            producer->next<protocol::Ok>();
        }
        return producer->error();
    }
    void open(std::uint64_t group) {
        producer->send(protocol::GroupOpen{"q", job_id(group)});
        producer->next<protocol::GroupState>();
    }
    void seal(std::uint64_t group) {
        producer->send(protocol::GroupSeal{"q", job_id(group), 0});
        producer->next<protocol::GroupState>();
    }
    template <class Change>
    std::vector<Change> journal() {
        std::vector<Change> out;
        for (const change::Any& any : h.changes) {
            if (const auto* one = std::get_if<Change>(&any)) out.push_back(*one);
        }
        h.changes.clear();
        return out;
    }
    Harness h;
    Peer* producer = nullptr;
    ContentId first, second, third;
};

TEST_F(AliasesTest, AnAliasMovesAndPinsWhatItNames) {
    EXPECT_EQ(set("SPY@latest", first), ErrorCode::none);
    EXPECT_EQ(h.pins(first), 1U);
    EXPECT_EQ(set("SPY@latest", second), ErrorCode::none);
    EXPECT_EQ(h.pins(first), 0U);
    EXPECT_EQ(h.pins(second), 1U);
    const auto moves = journal<change::AliasMoved>();
    ASSERT_EQ(moves.size(), 2U);
    EXPECT_EQ(moves[1].alias, "SPY@latest");
    EXPECT_EQ(moves[1].id, second);
    EXPECT_EQ(moves[1].generation, moves[0].generation + 1);
    EXPECT_TRUE(moves[1].history.empty());
    EXPECT_EQ(set("SPY@latest", second), ErrorCode::none);
    EXPECT_TRUE(journal<change::AliasMoved>().empty()) << "it did not move";
    EXPECT_EQ(h.core.counter("aliases_moved"), 2U);
    h.op().send(protocol::Query{"aliases", ""});
    EXPECT_EQ(h.op().next<protocol::Answer>().rows,
              (std::vector<protocol::Row>{
                  {{"alias", "SPY@latest"}, {"id", second.hex()}, {"generation", 2U}}}));
}

TEST_F(AliasesTest, AZeroHashRemovesIt) {
    set("a", first);
    h.changes.clear();
    EXPECT_EQ(set("a", {}), ErrorCode::none);
    const auto moves = journal<change::AliasMoved>();
    ASSERT_EQ(moves.size(), 1U);
    EXPECT_TRUE(moves[0].id.is_zero());
    EXPECT_EQ(h.pins(first), 0U);
    EXPECT_EQ(set("a", {}), ErrorCode::none) << "again: it is so";
    EXPECT_TRUE(journal<change::AliasMoved>().empty());
    h.op().send(protocol::Query{"aliases", ""});
    EXPECT_TRUE(h.op().next<protocol::Answer>().rows.empty());
}

TEST_F(AliasesTest, RemovedAndSetAgainInOneBatchItIsThere) {
    set("a", first);
    h.changes.clear();
    producer->post(protocol::AliasSet{"a", {}});
    producer->post(protocol::AliasSet{"a", second});
    h.flush();
    EXPECT_EQ(journal<change::AliasMoved>().back().id, second);
}

TEST_F(AliasesTest, EachRefusalHasItsCode) {
    EXPECT_EQ(set("", first), ErrorCode::bad_name);
    EXPECT_EQ(set("a\tb", first), ErrorCode::bad_name);
    EXPECT_EQ(set("a", content_id("elsewhere")), ErrorCode::unknown_blob);
    EXPECT_EQ(set("a", first), ErrorCode::none);
    EXPECT_EQ(set("b", first), ErrorCode::none);
    EXPECT_EQ(set("c", first), ErrorCode::over_limit);
    EXPECT_EQ(h.core.counter("error_over_limit"), 1U);
    Peer& subscriber = h.subscriber();
    subscriber.send(protocol::AliasSet{"a", first});
    EXPECT_EQ(subscriber.error(), ErrorCode::not_permitted);
    h.op().send(protocol::AliasSet{"a", second});
    h.op().next<protocol::Ok>();
}

TEST_F(AliasesTest, AGroupOpensAtTheGenerationOfNow) {
    set("a", first);
    open(1);
    set("a", second);
    open(2);
    const auto opened = journal<change::GroupOpened>();
    ASSERT_EQ(opened.size(), 2U);
    EXPECT_EQ(opened[0].generation, 1U);
    EXPECT_EQ(opened[1].generation, 2U);
}

TEST_F(AliasesTest, HistoryIsKeptAndJournalledWhileAGroupIsOpen) {
    set("a", first);
    open(1);
    set("a", second);
    EXPECT_EQ(h.pins(first), 1U) << "group 1 may still ask for it";
    const auto moves = journal<change::AliasMoved>();
    ASSERT_EQ(moves.size(), 2U);
    ASSERT_EQ(moves[1].history.size(), 1U);
    EXPECT_EQ(moves[1].history[0].id, first);
    EXPECT_EQ(moves[1].history[0].generation, 1U);
    EXPECT_EQ(moves[1].history[0].until, 2U);
    open(2);
    set("a", third);
    EXPECT_EQ(h.pins(first), 0U) << "alias_history_max is 1";
    EXPECT_EQ(h.pins(second), 1U);
    EXPECT_EQ(h.core.counter("alias_versions_dropped"), 1U);
    seal(1);
    EXPECT_EQ(h.pins(second), 1U);
    seal(2);
    EXPECT_EQ(h.pins(second), 0U);
    EXPECT_EQ(h.pins(third), 1U);
}

TEST_F(AliasesTest, ARemovedOnesRowGoesWithTheLastGroup) {
    set("a", first);
    open(1);
    set("a", {});
    EXPECT_EQ(journal<change::AliasMoved>().back().history.size(), 1U);
    seal(1);
    const auto gone = journal<change::AliasMoved>();
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_TRUE(gone[0].id.is_zero());
    EXPECT_TRUE(gone[0].history.empty());
    EXPECT_EQ(h.pins(first), 0U);
}

TEST_F(AliasesTest, GroupsThatEndOtherwiseLetGo) {
    set("a", first);
    open(1);
    set("a", second);
    h.advance(24h);  // group 1 ends incomplete
    EXPECT_EQ(h.pins(first), 0U);
    ASSERT_TRUE(producer->hello());
    open(2);
    set("a", first);
    EXPECT_EQ(h.pins(second), 1U);
    h.op().send(protocol::QueueDelete{"q", true});
    h.op().next<protocol::Ok>();
    EXPECT_EQ(h.pins(second), 0U);
}

}  // namespace
}  // namespace scanmq::broker
