#include "broker/core/id_window.hpp"

#include <gtest/gtest.h>

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;
using testing::job_id;

class IdWindowTest : public ::testing::Test {
  protected:
    Slot add(IdWindow& window, std::uint64_t number) {
        const Slot slot = table.jobs.allocate();
        table.jobs[slot].id = job_id(number);
        table.jobs[slot].digest = number * 10;
        window.add_live(slot);
        return slot;
    }
    void finish(IdWindow& window, Slot slot) {
        window.finish(slot, now);
        table.jobs.free(slot);
    }
    JobTable table;
    Time now{1h};
};

TEST_F(IdWindowTest, KnowsLiveAndFinishedIdsWithTheirDigest) {
    IdWindow window({10, 10min}, table);
    const Slot slot = add(window, 5);
    EXPECT_FALSE(window.find(job_id(6)).found);
    EXPECT_EQ(window.find(job_id(5)).job, slot);
    EXPECT_FALSE(window.find(job_id(5)).finished);
    finish(window, slot);
    const auto known = window.find(job_id(5));
    EXPECT_TRUE(known.found);
    EXPECT_TRUE(known.finished);
    EXPECT_EQ(known.digest, 50U);
    EXPECT_EQ(window.live(), 0U);
    EXPECT_EQ(window.finished(), 1U);
}

TEST_F(IdWindowTest, ForgetsTheOldestFinishedWhenFull) {
    IdWindow window({3, 10min}, table);
    for (std::uint64_t i = 1; i <= 5; ++i) finish(window, add(window, i));
    EXPECT_FALSE(window.find(job_id(2)).found);
    EXPECT_TRUE(window.find(job_id(3)).found);
    EXPECT_EQ(window.finished(), 3U);
}

TEST_F(IdWindowTest, ForgetsFinishedAfterTheirTimeInSlices) {
    IdWindow window({100, 10min}, table);
    for (std::uint64_t i = 1; i <= 6; ++i) {
        finish(window, add(window, i));
        now += 1min;
    }
    const Slot live = add(window, 7);
    now += 10min;
    EXPECT_EQ(window.expire(now, 4), 4U);
    EXPECT_EQ(window.expire(now, 4), 2U);
    EXPECT_EQ(window.finished(), 0U);
    EXPECT_EQ(window.find(job_id(7)).job, live);
}

TEST_F(IdWindowTest, RemembersNothingWhenTheWindowIsZero) {
    IdWindow window({0, 10min}, table);
    finish(window, add(window, 1));
    EXPECT_FALSE(window.find(job_id(1)).found);
    EXPECT_EQ(window.live(), 0U);
}

}  // namespace
}  // namespace scanmq::broker
