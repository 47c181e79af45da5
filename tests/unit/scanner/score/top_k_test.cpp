#include "scanner/score/top_k.hpp"

#include <gtest/gtest.h>

#include "common/base/rng.hpp"

namespace scanmq::score {
namespace {

struct Item {
    int value;
    int id;
    friend bool operator==(const Item&, const Item&) = default;
};

bool better(const Item& a, const Item& b) {
    return a.value != b.value ? a.value > b.value : a.id < b.id;
}

TEST(TopK, EqualsASortWhateverTheOrderOfArrival) {
    Rng rng(3);
    for (int round = 0; round < 300; ++round) {
        std::vector<Item> items(rng.below(60));
        for (std::size_t i = 0; i < items.size(); ++i) {
            items[i] = {static_cast<int>(rng.below(8)), static_cast<int>(i)};  // many ties
        }
        const std::size_t k = rng.below(70);
        std::vector<Item> expected = items;
        std::sort(expected.begin(), expected.end(), better);
        expected.resize(std::min(k, expected.size()));

        std::shuffle(items.begin(), items.end(), rng);
        TopK<Item, bool (*)(const Item&, const Item&)> top(k, better);
        for (const Item& item : items) top.offer(item);
        EXPECT_EQ(top.take(), expected) << "round " << round;
    }
}

TEST(TopK, WorstIsTheKth) {
    TopK<Item, bool (*)(const Item&, const Item&)> top(2, better);
    top.offer({5, 0});
    EXPECT_FALSE(top.full());
    top.offer({9, 1});
    ASSERT_TRUE(top.full());
    EXPECT_EQ(top.worst(), (Item{5, 0}));
    top.offer({7, 2});
    EXPECT_EQ(top.worst(), (Item{7, 2}));
}

}  // namespace
}  // namespace scanmq::score
