#include "broker/core/submit_credit.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <vector>

#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;
using protocol::Credit;
using Want = SubmitCredit::WantResult;

constexpr Slot kA = 1;
constexpr Slot kB = 2;

class SubmitCreditTest : public ::testing::Test {
  protected:
    explicit SubmitCreditTest() : credit({{100, 10'000}, 100ms, 1}) {
        credit.set_room({150, 50'000});
    }

    std::map<Slot, Credit> serve() {
        std::vector<SubmitCredit::Grant> grants;
        credit.serve(now, grants);
        std::map<Slot, Credit> out;
        for (const auto& grant : grants) {
            EXPECT_TRUE(out.emplace(grant.session, grant.limit).second)
                << "granted twice in one call";
        }
        return out;
    }
    std::vector<Slot> reclaim() {
        std::vector<Slot> sessions;
        next_reclaim = credit.reclaim(now, sessions);
        return sessions;
    }
    SubmitCredit credit;
    Time now{1h};
    Time next_reclaim;
};

TEST_F(SubmitCreditTest, WithoutWantNothingIsGranted) {
    EXPECT_TRUE(serve().empty());
    EXPECT_FALSE(credit.take(kA, {1, 10}, now));
    EXPECT_EQ(credit.granted(), Credit{});
}

TEST_F(SubmitCreditTest, GrantsWhatIsWantedUpToTheWindow) {
    EXPECT_EQ(credit.want(kA, {}, {10, 1'000}, now), Want::ok);
    EXPECT_EQ(serve().at(kA), (Credit{10, 1'000}));
    EXPECT_EQ(credit.want(kB, {}, {1'000, 100'000}, now), Want::ok);
    EXPECT_EQ(serve().at(kB), (Credit{100, 10'000}));
    EXPECT_EQ(credit.granted(), (Credit{110, 11'000}));
}

TEST_F(SubmitCreditTest, TheWindowMovesOnWithWhatIsSent) {
    EXPECT_EQ(credit.want(kA, {}, {120, 12'000}, now), Want::ok);
    serve();
    EXPECT_TRUE(credit.take(kA, {60, 6'000}, now));
    EXPECT_EQ(serve().at(kA), (Credit{120, 12'000}));  // all it wanted, no more
    EXPECT_TRUE(credit.take(kA, {60, 6'000}, now));
    EXPECT_TRUE(serve().empty());
}

TEST_F(SubmitCreditTest, MoreThanGrantedIsNotTakenAtAll) {
    EXPECT_EQ(credit.want(kA, {}, {10, 1'000}, now), Want::ok);
    serve();
    EXPECT_FALSE(credit.take(kA, {11, 10}, now));
    EXPECT_FALSE(credit.take(kA, {1, 1'001}, now));
    EXPECT_TRUE(credit.take(kA, {10, 1'000}, now));
    EXPECT_FALSE(credit.take(kA, {1, 0}, now));
    EXPECT_EQ(credit.granted(), Credit{});
}

TEST_F(SubmitCreditTest, WaitsForRoomAndIsServedWhenItIsThere) {
    EXPECT_EQ(credit.want(kA, {}, {100, 10'000}, now), Want::ok);
    serve();
    EXPECT_TRUE(credit.take(kA, {100, 10'000}, now));
    for (int i = 0; i < 100; ++i) credit.occupy(kNoSlot, 100);
    EXPECT_EQ(credit.want(kB, {}, {80, 800}, now), Want::ok);
    EXPECT_EQ(serve().at(kB).items, 50U);
    EXPECT_TRUE(credit.starving());
    for (int i = 0; i < 7; ++i) credit.vacate(kNoSlot, 100);
    EXPECT_EQ(serve().at(kB).items, 57U);
    for (int i = 0; i < 93; ++i) credit.vacate(kNoSlot, 100);
    EXPECT_EQ(serve().at(kB), (Credit{80, 800}));
    EXPECT_FALSE(credit.starving());
}

TEST_F(SubmitCreditTest, WaitingLinksTakeTurns) {
    for (int i = 0; i < 150; ++i) credit.occupy(kNoSlot, 10);
    EXPECT_EQ(credit.want(kA, {}, {50, 500}, now), Want::ok);
    EXPECT_EQ(credit.want(kB, {}, {50, 500}, now), Want::ok);
    EXPECT_TRUE(serve().empty());
    std::map<Slot, int> turns;
    for (int i = 0; i < 10; ++i) {
        credit.vacate(kNoSlot, 10);
        const auto grants = serve();
        ASSERT_EQ(grants.size(), 1U);
        ++turns[grants.begin()->first];
    }
    EXPECT_EQ(turns[kA], 5);
    EXPECT_EQ(turns[kB], 5);
}

// B found most of the room taken by A. As A's jobs end, the room goes to B until both have as much.
TEST_F(SubmitCreditTest, RoomGoesToWhoHoldsTheLeastOfIt) {
    std::map<Slot, std::uint64_t> sent;
    std::map<Slot, std::deque<Slot>> live;
    const auto use_grants = [&] {
        for (const auto& [who, limit] : serve()) {
            while (sent[who] < limit.items) {
                ASSERT_TRUE(credit.take(who, {1, 1}, now));
                ++sent[who];
                live[who].push_back(credit.holder(who));
                credit.occupy(live[who].back(), 1);
            }
        }
    };
    const auto want_more = [&](Slot who) {
        EXPECT_EQ(credit.want(who, {sent[who], sent[who]}, {50, 50}, now), Want::ok);
    };
    for (int i = 0; i < 3; ++i) {
        want_more(kA);
        use_grants();
    }
    EXPECT_EQ(live[kA].size(), 150U);
    want_more(kA);
    for (int i = 0; i < 300; ++i) {
        want_more(kB);
        // Both are served alike, as long as they have anything.
        Slot who = i % 2 == 0 ? kA : kB;
        if (live[who].empty()) who = kA;
        credit.vacate(live[who].front(), 1);
        live[who].pop_front();
        use_grants();
        want_more(who);
    }
    EXPECT_NEAR(static_cast<double>(live[kA].size()), 75.0, 1.0);
    EXPECT_NEAR(static_cast<double>(live[kB].size()), 75.0, 1.0);
}

TEST_F(SubmitCreditTest, JobsOutliveTheLinkTheyCameBy) {
    EXPECT_EQ(credit.want(kA, {}, {2, 2}, now), Want::ok);
    serve();
    EXPECT_TRUE(credit.take(kA, {2, 2}, now));
    const Slot former = credit.holder(kA);
    credit.occupy(former, 1);
    credit.occupy(former, 1);
    credit.drop(kA);
    EXPECT_EQ(credit.holder(kA), kNoSlot);
    EXPECT_EQ(credit.want(kA, {}, {2, 2}, now), Want::ok);
    EXPECT_NE(credit.holder(kA), former);
    credit.vacate(former, 1);
    credit.vacate(former, 1);
    EXPECT_EQ(credit.used(), Credit{});
}

TEST_F(SubmitCreditTest, ALargeItemIsGrantedExactlyWhenThereIsThatMuchRoom) {
    for (int i = 0; i < 10; ++i) credit.occupy(kNoSlot, 3'000);
    EXPECT_EQ(credit.want(kA, {}, {1, 25'000}, now), Want::ok);
    EXPECT_TRUE(serve().empty());
    // A small one behind it must not take the room away.
    EXPECT_EQ(credit.want(kB, {}, {10, 1'000}, now), Want::ok);
    EXPECT_TRUE(serve().empty());
    for (int i = 0; i < 2; ++i) credit.vacate(kNoSlot, 3'000);
    const auto grants = serve();
    EXPECT_EQ(grants.at(kA), (Credit{1, 25'000}));
    EXPECT_EQ(grants.at(kB), (Credit{10, 1'000}));
}

TEST_F(SubmitCreditTest, AnItemThatCanNeverFitIsRefused) {
    EXPECT_EQ(credit.want(kA, {}, {1, 50'001}, now), Want::item_too_large);
    EXPECT_EQ(credit.want(kA, {}, {2, 200'000}, now), Want::item_too_large);
    EXPECT_EQ(credit.want(kA, {}, {1, 50'000}, now), Want::ok);
}

TEST_F(SubmitCreditTest, AWantThatCountsMoreThanWasGrantedIsOverCredit) {
    EXPECT_EQ(credit.want(kA, {1, 10}, {1, 10}, now), Want::over_credit);
}

TEST_F(SubmitCreditTest, WhatTheSenderCountsAsSentIsNotReserved) {
    EXPECT_EQ(credit.want(kA, {}, {10, 1'000}, now), Want::ok);
    serve();
    EXPECT_EQ(credit.want(kA, {4, 400}, {0, 0}, now), Want::ok);
    EXPECT_EQ(credit.granted(), (Credit{6, 600}));
}

TEST_F(SubmitCreditTest, ASessionThatGoesGivesItsGrantsBack) {
    EXPECT_EQ(credit.want(kA, {}, {100, 10'000}, now), Want::ok);
    serve();
    EXPECT_TRUE(credit.take(kA, {30, 3'000}, now));
    credit.drop(kA);
    EXPECT_EQ(credit.granted(), Credit{});
    EXPECT_EQ(credit.free_room(), (Credit{150, 50'000}));
}

TEST_F(SubmitCreditTest, QuietHoldersAreAskedForUnusedCreditOnce) {
    EXPECT_EQ(credit.want(kA, {}, {100, 10'000}, now), Want::ok);
    serve();
    EXPECT_TRUE(credit.take(kA, {10, 1'000}, now));
    for (int i = 0; i < 60; ++i) credit.occupy(kNoSlot, 10);
    serve();
    EXPECT_EQ(credit.want(kB, {}, {50, 5'000}, now), Want::ok);
    serve();
    EXPECT_TRUE(reclaim().empty());
    EXPECT_EQ(next_reclaim, now + 100ms);
    now += 100ms;
    EXPECT_EQ(reclaim(), std::vector<Slot>{kA});
    EXPECT_TRUE(reclaim().empty());
    // A SUBMIT that was on its way counts.
    EXPECT_TRUE(credit.take(kA, {5, 500}, now));
    credit.reclaimed(kA, {15, 1'500});
    EXPECT_EQ(serve().at(kB), (Credit{50, 5'000}));
    EXPECT_FALSE(credit.starving() && credit.free_room().items > 1);
}

TEST_F(SubmitCreditTest, AWantWithoutItemsOrBytesDoesNoHarm) {
    EXPECT_EQ(credit.want(kA, {}, {0, 9'000}, now), Want::ok);
    EXPECT_TRUE(serve().empty());
    EXPECT_FALSE(credit.starving());
    SubmitCredit link({{100, 10'000}, 100ms});
    link.set_room({50, 50'000});
    EXPECT_EQ(link.want(kA, {}, {100, 0}, now), Want::ok);
    std::vector<SubmitCredit::Grant> grants;
    link.serve(now, grants);
    EXPECT_EQ(grants.at(0).limit, (Credit{50, 3'200})) << "no bytes without places for them";
}

TEST_F(SubmitCreditTest, AWantThatNoLongerFitsDoesNotStopTheOthers) {
    for (int i = 0; i < 10; ++i) credit.occupy(kNoSlot, 4'900);
    EXPECT_EQ(credit.want(kA, {}, {1, 20'000}, now), Want::ok);
    EXPECT_TRUE(serve().empty());
    credit.set_room({150, 15'000});
    for (int i = 0; i < 10; ++i) credit.vacate(kNoSlot, 4'900);
    EXPECT_EQ(credit.want(kB, {}, {5, 500}, now), Want::ok);
    EXPECT_EQ(serve().count(kB), 1U);
}

TEST_F(SubmitCreditTest, HugeNumbersDoNotWrap) {
    const std::uint64_t huge = ~std::uint64_t{0};
    EXPECT_EQ(credit.want(kA, {}, {huge, huge}, now), Want::ok);
    EXPECT_EQ(serve().at(kA), (Credit{100, 10'000}));
    EXPECT_FALSE(credit.take(kA, {huge, huge}, now));
    EXPECT_TRUE(credit.take(kA, {50, 5'000}, now));
    EXPECT_EQ(serve().at(kA), (Credit{150, 15'000}));
}

// Whatever producers do, used and granted together stay within the room, no SUBMIT beyond its limit
// is taken, and in the end everybody who wants something gets it.
TEST_F(SubmitCreditTest, GrantsNeverPassTheRoomUnderRandomOperations) {
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        Rng rng(seed);
        SubmitCredit link({{100, 10'000}, 100ms, 1});
        const Credit room{1 + rng.below(300), 5'000 + rng.below(40'000)};
        link.set_room(room);
        struct Sender {
            Credit sent;
            bool asked = false;
        };
        std::map<Slot, Sender> senders;
        std::vector<std::pair<Slot, std::uint64_t>> live;  // holder, bytes
        for (int step = 0; step < 3'000; ++step) {
            now += std::chrono::milliseconds(rng.below(30));
            const Slot who = static_cast<Slot>(1 + rng.below(5));
            Sender& sender = senders[who];
            const Credit limit = link.limit(who);
            switch (rng.below(7)) {
                case 0:
                case 1:
                    (void)link.want(who, sender.sent, {rng.below(300), rng.below(60'000)}, now);
                    break;
                case 2:
                case 3: {
                    const Credit size{rng.below(60), rng.below(8'000)};
                    const bool within = sender.sent.items + size.items <= limit.items &&
                                        sender.sent.bytes + size.bytes <= limit.bytes;
                    ASSERT_EQ(link.take(who, size, now), within);
                    if (!within) break;
                    sender.sent = {sender.sent.items + size.items, sender.sent.bytes + size.bytes};
                    for (std::uint64_t i = 0; i < size.items; ++i) {
                        const std::uint64_t bytes = i == 0 ? size.bytes : 0;
                        link.occupy(link.holder(who), bytes);
                        live.emplace_back(link.holder(who), bytes);
                    }
                    break;
                }
                case 4:
                    while (!live.empty() && rng.below(8) != 0) {
                        link.vacate(live.back().first, live.back().second);
                        live.pop_back();
                    }
                    break;
                case 5:
                    if (sender.asked) {
                        link.reclaimed(who, sender.sent);
                        sender.asked = false;
                    }
                    break;
                case 6:
                    if (rng.below(10) == 0) {
                        link.drop(who);
                        senders.erase(who);
                    }
            }
            std::vector<SubmitCredit::Grant> grants;
            link.serve(now, grants);
            for (const auto& grant : grants) ASSERT_EQ(grant.limit, link.limit(grant.session));
            std::vector<Slot> asked;
            (void)link.reclaim(now, asked);
            for (const Slot session : asked) senders[session].asked = true;
            Credit outstanding;
            for (const auto& [session, one] : senders) {
                const Credit at = link.limit(session);
                outstanding.items += at.items - one.sent.items;
                outstanding.bytes += at.bytes - one.sent.bytes;
            }
            ASSERT_EQ(outstanding, link.granted()) << "seed " << seed << " step " << step;
            ASSERT_LE(link.used().items + link.granted().items, room.items) << "seed " << seed;
            ASSERT_LE(link.used().bytes + link.granted().bytes, room.bytes) << "seed " << seed;
        }
    }
}

// Producers that hold parts of the room each, none of them enough for its next item, do not block
// each other for ever.
TEST_F(SubmitCreditTest, HeldPartsAreReclaimedUntilALargeItemPasses) {
    for (int i = 0; i < 100; ++i) credit.occupy(kNoSlot, 0);
    EXPECT_EQ(credit.want(kA, {}, {40, 9'000}, now), Want::ok);
    serve();
    EXPECT_EQ(credit.want(kB, {}, {1, 45'000}, now), Want::ok);
    EXPECT_TRUE(serve().empty());
    now += 1s;
    EXPECT_EQ(reclaim(), std::vector<Slot>{kA});
    credit.reclaimed(kA, {});
    const auto grants = serve();
    EXPECT_EQ(grants.at(kB), (Credit{1, 45'000}));
    EXPECT_TRUE(credit.starving());  // A's WANT stands behind it
    EXPECT_TRUE(credit.take(kB, {1, 45'000}, now));
    credit.occupy(kNoSlot, 45'000);
    credit.vacate(kNoSlot, 45'000);
    EXPECT_EQ(serve().at(kA), (Credit{40, 9'000}));
}

}  // namespace
}  // namespace scanmq::broker
