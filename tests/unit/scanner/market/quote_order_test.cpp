#include "scanner/market/quote_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "common/base/rng.hpp"

namespace scanmq::market {
namespace {

using Places = std::vector<std::size_t>;
constexpr double kNoAsk = std::numeric_limits<double>::infinity();

// Worth 40 at 60, falling to 0 at 100: half a point wide.
std::vector<OrderedQuote> fair(std::size_t count) {
    std::vector<OrderedQuote> out;
    for (std::size_t i = 0; i < count; ++i) {
        const double at = 60.0 + 5.0 * static_cast<double>(i);
        const double value = std::max(100.0 - at, 0.0) + 2.0;
        out.push_back({at, value - 0.25, value + 0.25});
    }
    return out;
}

TEST(QuoteOrder, FairQuotesAgree) {
    EXPECT_EQ(out_of_line({}), Places{});
    EXPECT_EQ(out_of_line(fair(1)), Places{});
    EXPECT_EQ(out_of_line(fair(12)), Places{});
}

// Four old quotes side by side agree with each other, and outvote the nearest good one.
TEST(QuoteOrder, ARunOfOldQuotesLeavesWhole) {
    auto quotes = fair(14);
    for (std::size_t i = 4; i < 8; ++i) {
        quotes[i].bid += 30.0;
        quotes[i].ask += 30.0;
    }
    EXPECT_EQ(out_of_line(quotes), (Places{4, 5, 6, 7}));
    quotes = fair(14);
    for (std::size_t i = 1; i < 5; ++i) {
        quotes[i].bid = 1.0;
        quotes[i].ask = 1.5;
    }
    EXPECT_EQ(out_of_line(quotes), (Places{1, 2, 3, 4}));
}

TEST(QuoteOrder, ASteeperFallThanTheStrikesIsOutOfLine) {
    auto quotes = fair(8);
    quotes[3].bid += 4.0;  // in order with both neighbours, 9 above the next at 5 apart
    quotes[3].ask += 4.0;
    EXPECT_EQ(out_of_line(quotes), Places{3});
}

TEST(QuoteOrder, ABulgeBeyondTheSpreadsIsOutOfLine) {
    std::vector<OrderedQuote> quotes;
    for (int i = 0; i < 7; ++i) {
        const double value = 30.0 - 2.0 * i;
        quotes.push_back({100.0 + 5.0 * i, value - 0.1, value + 0.1});
    }
    EXPECT_EQ(out_of_line(quotes), Places{});
    quotes[3].bid += 1.5;
    quotes[3].ask += 1.5;
    EXPECT_EQ(out_of_line(quotes), Places{3});
    quotes[3].bid -= 1.3;  // 0.2 is within what the spreads leave open
    quotes[3].ask -= 1.3;
    EXPECT_EQ(out_of_line(quotes), Places{});
}

TEST(QuoteOrder, WideAndOneSidedQuotesAgreeWithAll) {
    auto quotes = fair(8);
    quotes[2] = {quotes[2].at, 0.0, 100.0};
    quotes[4] = {quotes[4].at, 3.0, kNoAsk};
    quotes[5] = {quotes[5].at, 0.0, quotes[5].ask};
    EXPECT_EQ(out_of_line(quotes), Places{});
}

TEST(QuoteOrder, TheLighterOfTwoLeaves) {
    std::vector<OrderedQuote> quotes{{100.0, 5.0, 5.2, 1}, {105.0, 9.0, 9.2, 2}};
    EXPECT_EQ(out_of_line(quotes), Places{0});
    quotes[0].weight = 3;
    EXPECT_EQ(out_of_line(quotes), Places{1});
}

// Pairs agree when neither is bid over the other's ask, nor by more than the strikes' difference.
bool agree(const OrderedQuote& a, const OrderedQuote& b) {
    return b.bid <= a.ask + 1e-9 && a.bid - b.ask <= kQuoteSlopeMax * (b.at - a.at) + 1e-9;
}

// The heaviest set in which all pairs agree, by going through all sets.
int heaviest(const std::vector<OrderedQuote>& quotes) {
    int best = 0;
    for (unsigned set = 0; set < 1U << quotes.size(); ++set) {
        int weight = 0;
        bool all = true;
        for (std::size_t i = 0; all && i < quotes.size(); ++i) {
            if ((set >> i & 1U) == 0) continue;
            weight += quotes[i].weight;
            for (std::size_t j = 0; all && j < i; ++j) {
                all = (set >> j & 1U) == 0 || agree(quotes[j], quotes[i]);
            }
        }
        if (all) best = std::max(best, weight);
    }
    return best;
}

TEST(QuoteOrder, NoLighterSetWouldDo) {
    Rng rng(7);
    for (int round = 0; round < 300; ++round) {
        std::vector<OrderedQuote> quotes;
        double at = 50.0;
        for (int i = 0; i < 9; ++i) {
            at += 1.0 + static_cast<double>(rng.below(4));
            const double bid = static_cast<double>(rng.below(12));
            quotes.push_back({at, bid, bid + 8.0 * static_cast<double>(rng.below(2)),
                              static_cast<int>(1 + rng.below(2))});
        }
        const auto in = heaviest_in_order(quotes);
        std::vector<OrderedQuote> kept;
        int weight = 0;
        for (std::size_t i = 0; i < quotes.size(); ++i) {
            if (!in[i]) continue;
            for (const auto& other : kept) ASSERT_TRUE(agree(other, quotes[i])) << round;
            kept.push_back(quotes[i]);
            weight += quotes[i].weight;
        }
        EXPECT_EQ(weight, heaviest(quotes)) << round;
    }
}

TEST(QuoteOrder, ManyContradictionsEndSoon) {
    std::vector<OrderedQuote> quotes;
    Rng rng(3);
    for (int i = 0; i < 100'000; ++i) {
        const double bid = static_cast<double>(rng.below(1000));
        quotes.push_back({static_cast<double>(i), bid, bid + 1.0});
    }
    EXPECT_GT(out_of_line(quotes).size(), 10'000U);
}

}  // namespace
}  // namespace scanmq::market
