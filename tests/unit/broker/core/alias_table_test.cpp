// AliasTable by itself: moves, what groups of a former generation see, pins, limits.

#include "broker/core/alias_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

using protocol::ErrorCode;

class AliasTableTest : public ::testing::Test {
  protected:
    explicit AliasTableTest(AliasTable::Options options = {5, 3}) : aliases(options, blobs) {
        for (int i = 0; i < 10; ++i) {
            BlobRecord record;
            record.id = content_id("blob " + std::to_string(i));
            record.bytes = 10;
            std::vector<ContentId> dropped;
            EXPECT_TRUE(blobs.reserve(record, now, dropped).ok());
            blobs.stored(record.id, now);
            ids.push_back(record.id);
        }
    }
    bool set(const std::string& alias, const ContentId& id) {
        const auto moved = aliases.set(alias, id, now);
        EXPECT_TRUE(moved.ok());
        return moved.ok() && *moved;
    }
    // What it names, as a place in ids; -1: nothing.
    int seen(const std::string& alias, std::optional<std::uint64_t> generation = {}) {
        const ContentId* const id =
            aliases.resolve(alias, generation.value_or(aliases.generation()));
        if (id == nullptr) return -1;
        return static_cast<int>(std::find(ids.begin(), ids.end(), *id) - ids.begin());
    }
    std::uint32_t pins(std::size_t i) { return blobs.find(ids[i])->pins; }
    std::uint64_t hold() {
        aliases.hold(aliases.generation());
        return aliases.generation();
    }

    BlobTable blobs{{}};
    AliasTable aliases;
    std::vector<ContentId> ids;
    Time now{std::chrono::hours(1)};
};

TEST_F(AliasTableTest, AMoveRaisesTheGenerationAndMovesThePin) {
    EXPECT_TRUE(set("SPY@latest", ids[0]));
    EXPECT_EQ(aliases.generation(), 1U);
    EXPECT_FALSE(set("SPY@latest", ids[0])) << "it is there already";
    EXPECT_EQ(aliases.generation(), 1U);
    EXPECT_EQ(pins(0), 1U);
    EXPECT_TRUE(set("SPY@latest", ids[1]));
    EXPECT_EQ(aliases.generation(), 2U);
    EXPECT_EQ(seen("SPY@latest"), 1);
    EXPECT_EQ(pins(0), 0U);
    EXPECT_EQ(pins(1), 1U);
    EXPECT_EQ(seen("QQQ@latest"), -1);
}

TEST_F(AliasTableTest, AZeroIdRemovesIt) {
    set("a", ids[0]);
    EXPECT_TRUE(set("a", {}));
    EXPECT_EQ(seen("a"), -1);
    EXPECT_EQ(pins(0), 0U);
    EXPECT_EQ(aliases.find("a"), nullptr);
    EXPECT_EQ(aliases.take_gone(), std::vector<std::string>{"a"});
    EXPECT_FALSE(set("a", {})) << "removing it twice changes nothing";
    EXPECT_EQ(aliases.generation(), 2U);
}

TEST_F(AliasTableTest, RefusesWhatIsNotStoredAndTooMany) {
    EXPECT_EQ(aliases.set("a", content_id("elsewhere"), now).error(), ErrorCode::unknown_blob);
    EXPECT_EQ(aliases.find("a"), nullptr);
    for (int i = 0; i < 5; ++i) set(std::to_string(i), ids[0]);
    EXPECT_EQ(aliases.set("a", ids[0], now).error(), ErrorCode::over_limit);
    EXPECT_TRUE(set("0", ids[1])) << "those that are there still move";
    EXPECT_EQ(pins(0), 4U);
}

TEST_F(AliasTableTest, AHolderSeesAllAsTheyWere) {
    set("a", ids[0]);
    set("b", ids[1]);
    const auto before = hold();
    set("a", ids[2]);
    set("b", {});
    set("c", ids[3]);
    EXPECT_EQ(seen("a", before), 0);
    EXPECT_EQ(seen("b", before), 1);
    EXPECT_EQ(seen("c", before), -1) << "it was not there yet";
    EXPECT_EQ(seen("a"), 2);
    EXPECT_EQ(seen("b"), -1);
    EXPECT_EQ(pins(0), 1U);
    aliases.release(before, now);
    EXPECT_EQ(pins(0), 0U);
    EXPECT_EQ(pins(1), 0U);
    EXPECT_EQ(pins(2), 1U);
    EXPECT_EQ(aliases.take_gone(), std::vector<std::string>{"b"});
}

TEST_F(AliasTableTest, HistoryGoesWithTheLastWhoNeedsIt) {
    set("a", ids[0]);
    const auto first = hold();
    const auto second = hold();
    set("other", ids[9]);
    const auto third = hold();
    set("a", ids[1]);
    aliases.release(third, now);
    aliases.release(first, now);
    EXPECT_EQ(seen("a", second), 0);
    EXPECT_EQ(pins(0), 1U);
    aliases.release(second, now);
    EXPECT_EQ(pins(0), 0U);
    EXPECT_TRUE(aliases.find("a")->history.empty());
}

TEST_F(AliasTableTest, BeyondItsMostTheOldestHistoryGoesFirst) {
    std::vector<std::uint64_t> held;
    for (std::size_t i = 0; i < 6; ++i) {
        set("a", ids[i]);
        held.push_back(hold());
    }
    EXPECT_EQ(seen("a", held[0]), -1);
    EXPECT_EQ(seen("a", held[1]), -1);
    EXPECT_EQ(seen("a", held[2]), 2);
    EXPECT_EQ(pins(1), 0U);
    EXPECT_EQ(aliases.history_dropped(), 2U);
    for (const auto generation : held) aliases.release(generation, now);
    EXPECT_EQ(seen("a"), 5);
    EXPECT_TRUE(aliases.find("a")->history.empty());
}

TEST_F(AliasTableTest, RowsComeBackWithTheHistoryThatIsHeld) {
    const auto missing = content_id("elsewhere");
    EXPECT_EQ(
        aliases.restore("a", {ids[4], 9, {{ids[1], 2, 5}, {ids[2], 5, 8}, {ids[3], 8, 9}}}, now),
        0U);
    EXPECT_EQ(aliases.restore("lost", {missing, 3, {}}, now), 1U);
    EXPECT_EQ(aliases.restore("removed", {{}, 7, {{ids[5], 6, 7}}}, now), 0U);
    aliases.hold(6);
    aliases.settle(now);
    EXPECT_EQ(aliases.generation(), 9U);
    EXPECT_EQ(seen("a"), 4);
    EXPECT_EQ(seen("a", 6), 2);
    EXPECT_EQ(seen("removed", 6), 5);
    EXPECT_EQ(seen("removed"), -1);
    EXPECT_EQ(pins(1), 0U);
    EXPECT_EQ(pins(3), 0U);
    EXPECT_EQ(aliases.take_gone(), std::vector<std::string>{"lost"});
    aliases.release(6, now);
    EXPECT_EQ(pins(2), 0U);
    EXPECT_EQ(pins(4), 1U);
    EXPECT_EQ(aliases.take_gone(), std::vector<std::string>{"removed"});
    EXPECT_EQ(aliases.size(), 1U);
}

TEST_F(AliasTableTest, AGenerationOfAGroupIsNeverGivenTwice) {
    aliases.hold(12);  // a group that was open before the restart; the alias it saw is gone
    aliases.settle(now);
    set("a", ids[0]);
    EXPECT_EQ(aliases.generation(), 13U);
    EXPECT_EQ(seen("a", 12), -1);
}

class AliasModelTest : public AliasTableTest {
  protected:
    AliasModelTest() : AliasTableTest({100, 1'000}) {}
};

TEST_F(AliasModelTest, AgreesWithATableThatForgetsNothing) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Rng rng(seed);
        // The aliases at each generation that was ever held.
        std::map<std::uint64_t, std::map<std::string, int>> at;
        std::multimap<std::uint64_t, int> held;
        std::map<std::string, int> current;
        for (const auto& [name, alias] : aliases.all()) {
            if (!alias.id.is_zero()) current[name] = seen(name);
        }
        for (int step = 0; step < 600; ++step) {
            switch (rng.below(5)) {
                case 0:
                    at[hold()] = current;
                    held.emplace(aliases.generation(), 0);
                    break;
                case 1: {
                    if (held.empty()) break;
                    auto one = held.begin();
                    std::advance(one, static_cast<long>(rng.below(held.size())));
                    aliases.release(one->first, now);
                    held.erase(one);
                    break;
                }
                default: {
                    const std::string name = std::to_string(rng.below(6));
                    const auto to = rng.below(7);
                    set(name, to == 6 ? ContentId{} : ids[to]);
                    if (to == 6) {
                        current.erase(name);
                    } else {
                        current[name] = static_cast<int>(to);
                    }
                }
            }
            for (const auto& [generation, unused] : held) {
                for (int i = 0; i < 6; ++i) {
                    const auto& then = at[generation];
                    const auto it = then.find(std::to_string(i));
                    ASSERT_EQ(seen(std::to_string(i), generation),
                              it == then.end() ? -1 : it->second);
                }
            }
        }
        while (!held.empty()) {
            aliases.release(held.begin()->first, now);
            held.erase(held.begin());
        }
        std::uint32_t pinned = 0;
        for (std::size_t i = 0; i < ids.size(); ++i) pinned += pins(i);
        ASSERT_EQ(pinned, current.size()) << "history that nobody needs";
        ASSERT_EQ(aliases.all().size(), current.size());
    }
}

}  // namespace
}  // namespace scanmq::broker
