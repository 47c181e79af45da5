// StreamRoom: what fits, and that no order of things makes more of it than there is.

#include "broker/core/stream_room.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

StreamRoom room_of(std::uint64_t bytes_max, std::uint64_t max_result_bytes = 64 * kMiB) {
    StreamRoom room;
    room.bytes_max = bytes_max;
    room.result_bytes = StreamRoom::result_bytes_of(max_result_bytes);
    return room;
}

TEST(StreamRoom, AResultIsWhatComesInlineAndItsSentence) {
    EXPECT_EQ(StreamRoom::result_bytes_of(64 * kMiB), 262'144U + 512) << "a larger one is a blob";
    EXPECT_EQ(StreamRoom::result_bytes_of(4'096), 4'096U + 512);
    EXPECT_EQ(StreamRoom::result_bytes_of(0), 512U);
}

TEST(StreamRoom, WithTheDefaultsHundredsRunAtOnceAndAMillionMayWait) {
    StreamRoom room = room_of(256 * kMiB);
    EXPECT_GT(room.jobs_max(), 1'000'000U);
    room.jobs = 1'000'000;
    while (room.delivery_fits(1)) ++room.running_jobs;
    EXPECT_GT(room.running_jobs, 500U);
    EXPECT_LE(room.reserved(), room.bytes_max);
    EXPECT_EQ(room.jobs_per_execution_max(), 255U);
}

TEST(StreamRoom, DeliveriesStopBeforeProducersDo) {
    StreamRoom room = room_of(8 * kMiB, 1'000);
    room.jobs = 1'000;
    for (room.bytes = 0; room.delivery_fits(1); room.bytes += 1'000) {
        ASSERT_GT(room.jobs_max(), room.jobs) << room.bytes;
    }
    EXPECT_GT(room.jobs_max(), room.jobs + 1'000) << "an eighth is left for them";
    for (; room.jobs_max() > room.jobs; ++room.jobs) EXPECT_LE(room.reserved(), room.bytes_max);
    EXPECT_LE(room.bytes + room.reserved(), room.bytes_max);
}

TEST(StreamRoom, WhatWasAcceptedCanRunOnceAllIsAcknowledged) {
    StreamRoom room = room_of(8 * kMiB);
    room.acknowledged = true;
    room.jobs = room.jobs_max();
    EXPECT_EQ(room.reserved(), 4 * kMiB);
    EXPECT_TRUE(room.delivery_fits(room.jobs_per_execution_max()));
}

TEST(StreamRoom, HoweverSmallOneAtATimeFits) {
    for (const std::uint64_t bytes : {0U, 1U, 64U, 1'000U, 262'144U}) {
        StreamRoom room = room_of(bytes);
        room.acknowledged = true;
        EXPECT_GE(room.jobs_max(), 1U) << bytes;
        EXPECT_EQ(room.jobs_per_execution_max(), 1U);
        room.jobs = 5'000;  // from before it was made smaller
        EXPECT_TRUE(room.delivery_fits(1)) << bytes;
        room.running_jobs = 1;
        EXPECT_FALSE(room.delivery_fits(1)) << bytes;
        room.running_jobs = 0;
        room.bytes = 70;
        room.acknowledged = false;
        EXPECT_FALSE(room.delivery_fits(1)) << bytes;
        EXPECT_FALSE(room.more_fits(1)) << bytes;
    }
}

TEST(StreamRoom, GroupsTakeTheirPlaces) {
    StreamRoom room = room_of(128'000, 100);
    const std::uint64_t before = room.jobs_max();
    room.groups = 10;
    EXPECT_EQ(room.jobs_max(), before - 10);
    room.groups = 10'000;
    EXPECT_EQ(room.jobs_max(), 0U);
    room.acknowledged = true;
    EXPECT_EQ(room.jobs_max(), 1U);
}

// Conservation: whatever happens in whatever order, what is kept and what is promised stay within the
// room, but for one result when nothing else was there; and all that was accepted ends.
class Conservation : public ::testing::TestWithParam<std::uint64_t> {
  protected:
    void step();
    void accept() {
        while (room.jobs < room.jobs_max() && waiting.size() < 500) {
            ++room.jobs;
            waiting.push_back(1 + rng.below(room.jobs_per_execution_max()));
            room.jobs += waiting.back() - 1;
            if (room.jobs > room.jobs_max()) {  // those joined it do not have places: one is enough
                room.jobs -= waiting.back() - 1;
                waiting.back() = 1;
            }
        }
    }
    void deliver() {
        while (!waiting.empty() && room.delivery_fits(waiting.back())) {
            if (!room.more_fits(waiting.back())) excess = waiting.back() * room.result_bytes;
            running.push_back(waiting.back());
            room.running_jobs += waiting.back();
            waiting.pop_back();
        }
    }
    void append(std::uint64_t count, std::uint64_t bytes) {
        for (; count > 0; --count) {
            --room.jobs;
            entries.push_back(StreamRoom::kPlaceBytes + bytes);
            room.bytes += entries.back();
        }
        room.acknowledged = false;
    }
    void finish() {
        const std::size_t i = rng.below(running.size());
        const std::uint64_t count = running[i];
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
        room.running_jobs -= count;
        append(count, rng.below(room.result_bytes + 1));
    }
    void trim() {
        while (dropped < acked && room.crowded()) room.bytes -= entries[dropped++];
        room.acknowledged = acked == entries.size();
    }
    void check() {
        ASSERT_LE(room.bytes + room.reserved(), room.bytes_max + excess);
        if (running.empty() && room.bytes + room.reserved() <= room.bytes_max) excess = 0;
    }

    Rng rng{GetParam()};
    StreamRoom room;
    std::vector<std::uint64_t> waiting;  // executions, by their jobs
    std::vector<std::uint64_t> running;
    std::vector<std::uint64_t> entries;
    std::size_t acked = 0;
    std::size_t dropped = 0;
    std::uint64_t excess = 0;
};

void Conservation::step() {
    switch (rng.below(5)) {
        case 0:
            return accept();
        case 1:
            return deliver();
        case 2:
            if (!running.empty()) finish();
            return;
        case 3:  // one that waits is cancelled, or expires
            if (waiting.empty()) return;
            append(waiting.back(), 0);
            waiting.pop_back();
            return;
        default:
            if (rng.below(4) == 0) acked += rng.below(entries.size() - acked + 1);
            return trim();
    }
}

TEST_P(Conservation, NothingPassesTheRoomAndAllThatWasAcceptedEnds) {
    room = room_of(20'000 + rng.below(500'000), rng.below(20'000));
    for (int i = 0; i < 20'000; ++i) {
        step();
        check();
        if (HasFatalFailure()) return;
    }
    // The subscriber is back: all goes on to its end.
    for (int i = 0; i < 20'000 && !(waiting.empty() && running.empty()); ++i) {
        acked = entries.size();
        trim();
        deliver();
        if (!running.empty()) finish();
        check();
    }
    EXPECT_TRUE(waiting.empty());
    EXPECT_TRUE(running.empty());
    EXPECT_EQ(room.jobs, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Conservation, ::testing::Range<std::uint64_t>(1, 40));

}  // namespace
}  // namespace scanmq::broker
