// BrokerCore: priorities and the share of the lower ones.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class PrioritiesTest : public CoreTest {
  protected:
    PrioritiesTest() : CoreTest({{"low_share", 4}, {"retry_base_ms", 0}}) {}
    // The priorities of the next deliveries, one at a time.
    std::string deliveries(Peer& w, int count) {
        std::string out;
        for (int i = 0; i < count; ++i) {
            grant(w, {++granted, 1U << 30});
            for (const std::uint64_t n : given(w)) out += std::to_string(n / 1'000);
        }
        return out;
    }
    // So many jobs of that priority, numbered by it.
    void add(std::uint64_t priority, std::uint64_t count) {
        std::vector<protocol::Job> list;
        for (std::uint64_t i = 0; i < count; ++i) {
            list.push_back(job_with(1'000 * priority + next[priority]++,
                                    {.priority = static_cast<std::uint32_t>(priority)}));
        }
        accept(std::move(list));
    }
    std::array<std::uint64_t, 10> next{};
    std::uint64_t granted = 0;
};

TEST_F(PrioritiesTest, HigherGoFirstAndFirstInFirstOutWithin) {
    Peer& w = worker("w", {0, 0});
    accept(1, {.priority = 0});
    accept(2, {.priority = 9});
    accept(3);  // 5
    accept(jobs(job(4)));
    accept(5, {.priority = 9});
    alter({{"low_share", 10'000}});
    grant(w, kPlenty);
    EXPECT_EQ(given(w), (Numbers{2, 5, 3, 4, 1}));
}

TEST_F(PrioritiesTest, OneOfSoManyDeliveriesGoesToALowerLevelThatWaits) {
    Peer& w = worker("w", {0, 0});
    add(9, 20);
    add(2, 20);
    EXPECT_EQ(deliveries(w, 16), "9992999299929992");
}

TEST_F(PrioritiesTest, TheLowerLevelsTakeTurns) {
    Peer& w = worker("w", {0, 0});
    add(9, 40);
    for (const std::uint64_t p : {7, 4, 1}) add(p, 5);
    EXPECT_EQ(deliveries(w, 24), "999799949991999799949991");
}

TEST_F(PrioritiesTest, AStreamOfHighJobsDoesNotStarveTheLowest) {
    Peer& w = worker("w", {0, 0});
    add(0, 3);
    std::string all;
    for (int i = 0; i < 16; ++i) {
        add(9, 1);
        add(8, 1);
        all += deliveries(w, 1);
    }
    EXPECT_GE(std::count(all.begin(), all.end(), '0'), 1);
    EXPECT_EQ(std::count(all.begin(), all.end(), '9'), 12) << all;
}

TEST_F(PrioritiesTest, AShareIsOfDeliveriesNotOfTriesWithoutCredit) {
    Peer& w = worker("w", {0, 0});
    add(9, 8);
    add(1, 8);
    for (int i = 0; i < 10; ++i) grant(w, {granted, 1U << 30});
    EXPECT_EQ(deliveries(w, 8), "99919991");
}

TEST_F(PrioritiesTest, WithASingleLevelNothingIsLost) {
    Peer& w = worker("w", {0, 0});
    add(3, 9);
    EXPECT_EQ(deliveries(w, 9), "333333333");
    EXPECT_EQ(queue_row("waiting"), 0U);
}

TEST_F(PrioritiesTest, ReturnedGoesToTheFrontOfItsLevel) {
    Peer& w = worker("w", {0, 0});
    add(9, 1);
    add(5, 3);
    EXPECT_EQ(deliveries(w, 2), "95");
    answer(w, {1, 2}, AttemptOutcome::returned);
    grant(w, {++granted, 1U << 30});
    EXPECT_EQ(given(w), Numbers{9'000});
    grant(w, {granted += 3, 1U << 30});
    EXPECT_EQ(given(w), (Numbers{5'000, 5'001, 5'002}));
}

TEST_F(PrioritiesTest, APriorityOutOfRangeIsRefused) {
    for (const std::uint32_t priority : {10U, 15U, 16U, 255U, 256U, 0xffffffffU}) {
        EXPECT_EQ(refused(job_with(1, {.priority = priority})), ErrorCode::bad_option) << priority;
    }
    EXPECT_EQ(h.core.counter("refused_bad_option"), 6U);
    accept(1, {.priority = 9});
    accept(2, {.priority = 0});
    EXPECT_EQ(job_row(1, "priority"), "9");
    EXPECT_EQ(job_row(2, "priority"), "0");
}

}  // namespace
}  // namespace scanmq::broker
