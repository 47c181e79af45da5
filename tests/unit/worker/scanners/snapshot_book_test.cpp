#include "worker/scanners/snapshot_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const ContentId kA = content_id("a");
const ContentId kB = content_id("b");
const ContentId kC = content_id("c");

std::vector<SnapshotUse> uses(std::vector<std::pair<ContentId, std::uint64_t>> of) {
    std::vector<SnapshotUse> out;
    for (const auto& [id, bytes] : of) out.push_back({id, bytes});
    return out;
}

TEST(SnapshotBook, SendsEachOnce) {
    SnapshotBook book(100);
    EXPECT_THAT(book.use(uses({{kA, 10}, {kB, 20}, {kA, 10}})).send, ElementsAre(kA, kB));
    EXPECT_THAT(book.use(uses({{kB, 20}, {kC, 30}})).send, ElementsAre(kC));
    EXPECT_THAT(book.use(uses({{kA, 10}})).send, IsEmpty());
    EXPECT_EQ(book.bytes(), 60U);
    EXPECT_EQ(book.known_bytes(uses({{kA, 10}, {kC, 30}, {content_id("d"), 5}})), 40U);
}

TEST(SnapshotBook, ForgetsWhatWasUsedLongestAgo) {
    SnapshotBook book(50);
    static_cast<void>(book.use(uses({{kA, 20}})));
    static_cast<void>(book.use(uses({{kB, 20}})));
    static_cast<void>(book.use(uses({{kA, 20}})));
    const SnapshotPlan plan = book.use(uses({{kC, 20}}));
    EXPECT_THAT(plan.forget, ElementsAre(kB));
    EXPECT_THAT(plan.send, ElementsAre(kC));
    EXPECT_THAT(book.use(uses({{kB, 20}})).send, ElementsAre(kB));
}

TEST(SnapshotBook, OneJobsInputsStayWhateverTheirSize) {
    SnapshotBook book(10);
    static_cast<void>(book.use(uses({{kC, 5}})));
    const SnapshotPlan plan = book.use(uses({{kA, 20}, {kB, 20}, {kA, 20}}));
    EXPECT_THAT(plan.forget, ElementsAre(kC));
    EXPECT_EQ(book.bytes(), 40U);
    EXPECT_THAT(book.use(uses({{kB, 20}})).forget, ElementsAre(kA));
    EXPECT_EQ(book.bytes(), 20U);
}

TEST(SnapshotBook, ClearedKnowsNothing) {
    SnapshotBook book(100);
    static_cast<void>(book.use(uses({{kA, 10}})));
    book.clear();
    EXPECT_EQ(book.bytes(), 0U);
    EXPECT_THAT(book.use(uses({{kA, 10}})).send, ElementsAre(kA));
}

}  // namespace
}  // namespace scanmq::worker
