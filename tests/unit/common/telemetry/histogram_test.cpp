#include "common/telemetry/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/base/rng.hpp"

namespace scanmq::telemetry {
namespace {

TEST(Histogram, EmptyIsAllZero) {
    const Histogram histogram;
    EXPECT_EQ(histogram.count(), 0U);
    EXPECT_EQ(histogram.min(), Duration{0});
    EXPECT_EQ(histogram.max(), Duration{0});
    EXPECT_EQ(histogram.percentile(0.5), Duration{0});
}

TEST(Histogram, SmallValuesAreExact) {
    Histogram histogram;
    for (int i = 1; i <= 100; ++i) histogram.record(Duration{i});
    EXPECT_EQ(histogram.percentile(0.5), Duration{50});
    EXPECT_EQ(histogram.percentile(0.99), Duration{99});
    EXPECT_EQ(histogram.percentile(1.0), Duration{100});
    EXPECT_EQ(histogram.percentile(0.0), Duration{1});
    EXPECT_EQ(histogram.min(), Duration{1});
}

// Against sorting, over nine decades: never below the true value and at most 0.8 % above it.
TEST(Histogram, PercentilesStayWithinBucketWidth) {
    Rng rng(7);
    Histogram histogram;
    std::vector<std::int64_t> values;
    for (int i = 0; i < 20'000; ++i) {
        values.push_back(static_cast<std::int64_t>(std::exp(rng.uniform() * std::log(1e12))));
        histogram.record(Duration{values.back()});
    }
    std::sort(values.begin(), values.end());
    for (const double fraction : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto rank = static_cast<std::size_t>(std::ceil(fraction * 20'000.0));
        const double exact = static_cast<double>(values[rank - 1]);
        const double told = static_cast<double>(histogram.percentile(fraction).count());
        EXPECT_GE(told, exact) << fraction;
        EXPECT_LE(told, exact * 1.008) << fraction;
    }
    EXPECT_EQ(histogram.max().count(), values.back());
    EXPECT_EQ(histogram.min().count(), values.front());
}

TEST(Histogram, OutOfRangeValuesAreClamped) {
    Histogram histogram;
    histogram.record(Duration{-5});
    histogram.record(std::chrono::hours(1000));
    EXPECT_EQ(histogram.count(), 2U);
    EXPECT_EQ(histogram.min(), Duration{0});
    EXPECT_EQ(histogram.max(), Histogram::kMaxValue);
    EXPECT_EQ(histogram.percentile(1.0), Histogram::kMaxValue);
}

TEST(Histogram, PowersOfTwoKeepTheirOrder) {
    Duration last{-1};
    for (int bit = 0; bit < 42; ++bit) {
        for (const std::int64_t offset : {-1, 0, 1}) {
            Histogram histogram;
            const Duration value{(std::int64_t{1} << bit) + offset};
            histogram.record(value);
            EXPECT_EQ(histogram.percentile(0.5), value);
            histogram.record(Histogram::kMaxValue);  // so that max() does not cap the edge
            EXPECT_GE(histogram.percentile(0.5), std::max(value, Duration{0}));
            EXPECT_GE(histogram.percentile(0.5), std::min(last, value));
            last = histogram.percentile(0.5);
        }
    }
}

TEST(Histogram, MergeEqualsRecordingTogether) {
    Rng rng(3);
    Histogram a;
    Histogram b;
    Histogram both;
    for (int i = 0; i < 5'000; ++i) {
        const Duration value{static_cast<std::int64_t>(rng.below(1U << 30U))};
        (i % 3 == 0 ? a : b).record(value);
        both.record(value);
    }
    a.merge(b);
    EXPECT_EQ(a.encode(), both.encode());
}

TEST(Histogram, EncodedTextMergesBack) {
    Histogram written;
    written.record(Duration{12});
    written.record(Duration{1'000'000});
    written.record(Duration{1'000'000});
    Histogram read;
    read.record(Duration{5});
    ASSERT_TRUE(read.merge_encoded(written.encode()));
    EXPECT_EQ(read.count(), 4U);
    EXPECT_EQ(read.min(), Duration{5});
    EXPECT_EQ(read.max(), Duration{1'000'000});
    Histogram untouched;
    ASSERT_TRUE(untouched.merge_encoded(Histogram{}.encode()));
    EXPECT_EQ(untouched.count(), 0U);
}

TEST(Histogram, MalformedTextChangesNothing) {
    for (const char* text : {"", "1", "1 x", "1 2 3", "1 2 3:", "1 2 999999:1", "1 2 -3:1",
                             "1 2 3:4x", "-1 2 3:4", "1 99999999999999999 3:4"}) {
        Histogram histogram;
        histogram.record(Duration{9});
        EXPECT_FALSE(histogram.merge_encoded(text)) << text;
        EXPECT_EQ(histogram.count(), 1U) << text;
    }
}

}  // namespace
}  // namespace scanmq::telemetry
