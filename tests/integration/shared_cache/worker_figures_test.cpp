// What a worker's own results did, as its HEARTBEATs tell the broker.

#include <gtest/gtest.h>

#include "tests/integration/shared_cache/side.hpp"

namespace scanmq::tests {
namespace {

TEST(WorkerFigures, AreShownOfEachWorkerAndOfAll) {
    Side side("memory");
    const auto all = payloads("scan", 20);
    const auto computed = side.run(all);
    side.forget_own();
    EXPECT_EQ(side.run(all), computed);
    side.wait_for("workers", "cache_hits", "20");
    EXPECT_EQ(side.row("workers", "", "cache_misses"), "20");
    EXPECT_EQ(side.row("workers", "", "cache_results"), "20");
    EXPECT_EQ(side.row("workers", "", "shared_hits"), "0") << "it shares no tier";
    EXPECT_EQ(side.row("cache", "", "tier", 1), "workers");
    EXPECT_EQ(side.row("cache", "", "hits", 1), "20");
    EXPECT_EQ(side.row("cache", "", "workers", 1), "1");
    EXPECT_EQ(side.row("cache", "", "misses"), "40") << "each job is one look-up of the broker";
}

}  // namespace
}  // namespace scanmq::tests
