// ArrivalTimes: exact for what is new, coarse for what is old, never too early.

#include "broker/core/arrival_times.hpp"

#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;

constexpr Time kUnknown = Time::max();

TEST(ArrivalTimes, TellsWhenABatchCame) {
    ArrivalTimes times;
    EXPECT_EQ(times.of(1, kUnknown), kUnknown);
    times.note(11, Time{1s});
    times.note(21, Time{2s});
    times.note(21, Time{3s});
    EXPECT_EQ(times.of(1, kUnknown), Time{1s});
    EXPECT_EQ(times.of(10, kUnknown), Time{1s});
    EXPECT_EQ(times.of(11, kUnknown), Time{2s});
    EXPECT_EQ(times.of(20, kUnknown), Time{2s}) << "nothing came with the third";
    EXPECT_EQ(times.of(21, kUnknown), kUnknown);
}

TEST(ArrivalTimes, BatchesOfOneMomentAreOneSample) {
    ArrivalTimes times;
    for (std::uint64_t i = 1; i <= 100'000; ++i) times.note(i + 1, Time{5s});
    times.note(100'002, Time{6s});
    EXPECT_EQ(times.of(1, kUnknown), Time{5s});
    EXPECT_EQ(times.of(100'000, kUnknown), Time{5s});
    EXPECT_EQ(times.of(100'001, kUnknown), Time{6s});
}

TEST(ArrivalTimes, IsNeverTooEarlyAndCloseEnough) {
    ArrivalTimes times;
    constexpr std::uint64_t kCount = 200'000;
    // One each ms.
    const auto came = [](std::uint64_t number) { return Time{std::chrono::milliseconds(number)}; };
    for (std::uint64_t i = 1; i <= kCount; ++i) times.note(i + 1, came(i));
    const Time now = came(kCount);
    for (std::uint64_t i = 1; i <= kCount; i += 37) {
        const Time told = times.of(i, kUnknown);
        ASSERT_GE(told, came(i)) << i;
        const Duration error = told - came(i);
        ASSERT_LE(error, (now - came(i)) / ArrivalTimes::kCoarse) << i;
    }
    EXPECT_EQ(times.of(kCount, kUnknown), now);
}

}  // namespace
}  // namespace scanmq::broker
