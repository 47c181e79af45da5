// StandingTable: when a scan is due after a move, in virtual time.

#include "broker/core/standing_table.hpp"

#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;
using State = StandingScan::State;

StandingJob job(std::vector<std::string> aliases, std::uint64_t min_interval_ms = 0,
                const std::string& queue = "q") {
    StandingJob out;
    out.queue = queue;
    out.subject = "desk";
    out.payload = "payload";
    out.aliases = std::move(aliases);
    out.min_interval_ms = min_interval_ms;
    return out;
}

class StandingTableTest : public ::testing::Test {
  protected:
    StandingScan& set(const std::string& name, StandingJob what) {
        return table.set(name, std::move(what), 1, now);
    }
    // One that has run just now, as of generation 1.
    StandingScan& set_and_run(const std::string& name, StandingJob what) {
        StandingScan& scan = set(name, std::move(what));
        table.ran(scan, 1, now);
        return scan;
    }
    // The names of what is due now, which run.
    std::vector<std::string> run_due() {
        std::vector<std::string> out;
        while (StandingScan* const scan = table.due(now)) {
            out.push_back(scan->name);
            table.ran(*scan, ++generation, now);
        }
        return out;
    }
    using Names = std::vector<std::string>;
    StandingTable table;
    Time now{1h};
    std::uint64_t generation = 1;
};

TEST_F(StandingTableTest, ItIsDueWhenItIsSetAndWhenAnAliasOfItMoves) {
    set("a", job({"SPY"}));
    set("b", job({"QQQ", "SPY"}));
    EXPECT_EQ(run_due(), (Names{"a", "b"}));
    EXPECT_FALSE(table.any_pending());
    table.moved("IWM", now);
    EXPECT_EQ(table.next_due(), Time::max());
    table.moved("QQQ", now);
    EXPECT_EQ(run_due(), Names{"b"});
    table.moved("SPY", now);
    EXPECT_EQ(run_due(), (Names{"a", "b"}));
    EXPECT_EQ(table.find("b")->runs, 3U);
}

TEST_F(StandingTableTest, MovesWhileItIsDueLeadToOneRun) {
    set_and_run("a", job({"SPY", "QQQ"}));
    EXPECT_EQ(table.moved("SPY", now), 0U);
    EXPECT_EQ(table.moved("QQQ", now), 1U);
    EXPECT_EQ(table.moved("SPY", now), 1U);
    EXPECT_EQ(run_due(), Names{"a"});
    EXPECT_EQ(table.find("a")->skipped, 2U);
}

TEST_F(StandingTableTest, TheIntervalKeepsTheNewestMoveForItsEnd) {
    set_and_run("a", job({"SPY"}, 1'000));
    now += 300ms;
    table.moved("SPY", now);
    EXPECT_EQ(table.next_due(), now + 700ms);
    EXPECT_EQ(run_due(), Names{});
    now += 600ms;
    table.moved("SPY", now);
    EXPECT_EQ(table.next_due(), now + 100ms) << "a move does not put it off";
    now += 100ms;
    EXPECT_EQ(run_due(), Names{"a"});
    now += 5s;
    table.moved("SPY", now);
    EXPECT_EQ(run_due(), Names{"a"}) << "at once, after a pause";
}

TEST_F(StandingTableTest, WhatIsHeldWaitsByQueueInTheOrderItWasSet) {
    StandingScan& b = set("b", job({"SPY"}, 0, "q1"));
    StandingScan& a = set("a", job({"SPY"}, 0, "q1"));
    StandingScan& c = set("c", job({"SPY"}, 0, "q2"));
    for (StandingScan* const one : {&a, &b, &c}) table.hold(*one, "no room");
    EXPECT_EQ(table.next_due(), Time::max());
    EXPECT_TRUE(table.any_pending());
    EXPECT_EQ(table.held_queues(), (Names{"q1", "q2"}));
    EXPECT_EQ(table.held("q1"), &b);
    EXPECT_EQ(table.moved("SPY", now), 3U) << "it is pending already";
    table.ran(b, 2, now);
    EXPECT_EQ(table.held("q1"), &a);
    table.drop(a);
    EXPECT_EQ(table.held("q1"), nullptr);
    EXPECT_EQ(table.held_queues(), Names{"q2"});
    EXPECT_EQ(c.problem, "no room");
    table.ran(c, 2, now);
    EXPECT_EQ(c.problem, "");
    EXPECT_FALSE(table.any_pending());
}

TEST_F(StandingTableTest, WhatGaveUpIsDueWithTheNextMove) {
    StandingScan& a = set("a", job({"SPY"}));
    table.give_up(a, "no alias");
    EXPECT_FALSE(table.any_pending());
    EXPECT_EQ(a.problem, "no alias");
    table.moved("SPY", now);
    EXPECT_EQ(run_due(), Names{"a"});
}

TEST_F(StandingTableTest, SettingItAgainReplacesItAndKeepsItsRate) {
    set_and_run("a", job({"SPY"}, 1'000));
    now += 100ms;
    StandingJob other = job({"QQQ", "QQQ"}, 1'000);
    other.payload = "another one";
    set("a", other);
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(table.bytes(), other.payload.size());
    EXPECT_EQ(table.next_due(), now + 900ms);
    EXPECT_EQ(table.find("a")->generation, 0U) << "this one has not run";
    now += 1s;
    EXPECT_EQ(run_due(), Names{"a"});
    EXPECT_EQ(table.moved("SPY", now), 0U);
    EXPECT_FALSE(table.any_pending());
    table.drop(*table.find("a"));
    EXPECT_EQ(table.bytes(), 0U);
    EXPECT_EQ(table.moved("QQQ", now), 0U);
    EXPECT_EQ(table.find("a"), nullptr);
}

TEST_F(StandingTableTest, AfterARestartWhatMovedSinceItsLastRunIsDue) {
    BlobTable blobs{{}};
    AliasTable aliases{{}, blobs};
    const auto blob = [&](const std::string& bytes) {
        BlobRecord record;
        record.id = content_id(bytes);
        record.bytes = bytes.size();
        std::vector<ContentId> dropped;
        EXPECT_TRUE(blobs.reserve(record, now, dropped));
        blobs.stored(record.id, now);
        return record.id;
    };
    aliases.restore("SPY", {blob("one"), 7, {}}, now);
    aliases.restore("QQQ", {blob("two"), 5, {}}, now);
    const auto restored = [&](const std::string& name, const std::string& alias,
                              std::uint64_t seen) {
        StandingScan scan;
        scan.name = name;
        scan.job = job({alias}, 1'000);
        scan.generation = seen;
        scan.last_run = now - 400ms;
        table.restore(std::move(scan));
    };
    restored("missed one", "SPY", 6);
    restored("saw all", "QQQ", 6);
    restored("was set and did not run", "QQQ", 0);
    restored("waits for its alias", "IWM", 0);
    table.settle(aliases, now);
    EXPECT_EQ(table.next_due(), now + 600ms) << "the rate is kept across restarts";
    now += 600ms;
    EXPECT_EQ(run_due(), (Names{"missed one", "was set and did not run"}));
}

}  // namespace
}  // namespace scanmq::broker
