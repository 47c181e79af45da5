#include "common/base/rng.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace scanmq {
namespace {

TEST(Rng, SameSeedSameNumbers) {
    Rng a(42);
    Rng b(42);
    Rng c(43);
    EXPECT_EQ(a.next(), b.next());
    EXPECT_NE(a.next(), c.next());
}

TEST(Rng, BelowStaysBelowAndCoversAll) {
    Rng rng(7);
    int seen[5] = {};
    for (int i = 0; i < 1000; ++i) ++seen[rng.below(5)];
    for (const int count : seen) EXPECT_GT(count, 120);
}

TEST(Rng, NormalHasItsMoments) {
    Rng rng(9);
    double sum = 0;
    double squares = 0;
    constexpr int kDraws = 100'000;
    for (int i = 0; i < kDraws; ++i) {
        const double x = rng.normal();
        sum += x;
        squares += x * x;
    }
    EXPECT_NEAR(sum / kDraws, 0.0, 0.02);
    EXPECT_NEAR(squares / kDraws, 1.0, 0.03);
}

}  // namespace
}  // namespace scanmq
