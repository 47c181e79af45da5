#include "broker/server/memory_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1U << 20;

// What so many connections can make ZeroMQ hold, with a frame being read on each.
std::uint64_t received_at_most(const PipeShare& share, std::size_t connections) {
    const auto frames = static_cast<std::uint64_t>(marks(share, connections).receive) + 1;
    return connections * frames * share.frame_in_bytes;
}
std::uint64_t sent_at_most(const PipeShare& share, std::size_t connections) {
    const auto frames = static_cast<std::uint64_t>(marks(share, connections).send);
    return connections * frames * share.frame_out_bytes;
}

TEST(MemoryOptions, MarksKeepAnyNumberOfConnectionsWithinTheirShare) {
    for (const std::uint64_t budget : {128 * kMiB, 200 * kMiB, 1024 * kMiB, 64 * 1024 * kMiB}) {
        const MemoryPlan plan = MemoryPlan::of(budget);
        for (const PipeShare& share : {main_pipes(plan), blob_pipes(plan)}) {
            const std::uint64_t most = connections_max(share);
            ASSERT_GE(most, 2U);
            for (std::uint64_t n = 1; n <= most; n += 1 + n / 5) {
                EXPECT_LE(received_at_most(share, n), share.receive_bytes) << n;
                EXPECT_LE(sent_at_most(share, n), share.send_bytes) << n;
            }
            EXPECT_LE(received_at_most(share, most), share.receive_bytes);
            EXPECT_LE(sent_at_most(share, most), share.send_bytes);
        }
    }
}

TEST(MemoryOptions, MarksFallInSteps) {
    const PipeShare share = main_pipes(MemoryPlan::of(8'192 * kMiB));
    EXPECT_EQ(marks(share, 0), marks(share, kConnectionsFew));
    EXPECT_EQ(marks(share, 9), marks(share, 16));
    EXPECT_LT(marks(share, 9).receive, marks(share, 8).receive);
    EXPECT_GE(marks(share, 8).receive, 64) << "with less, frames of one job each are slow";
    EXPECT_GE(marks(share, 1'000'000).receive, 1);
}

TEST(MemoryOptions, TooManySessionsAreRefusedNamingBothOptions) {
    ServerOptions options;
    options.memory_max = 200 * kMiB;
    options.sessions_max = 1'000;
    const auto fits = fit_to_memory(options);
    ASSERT_FALSE(fits.ok());
    EXPECT_THAT(fits.error().sentence, HasSubstr("--sessions-max 1000"));
    EXPECT_THAT(fits.error().sentence, HasSubstr("--memory-max 209715200"));
}

TEST(MemoryOptions, LeftOpenAsManySessionsAsFit) {
    ServerOptions options;
    options.memory_max = 200 * kMiB;
    ASSERT_TRUE(fit_to_memory(options).ok());
    const std::uint32_t fit = options.core.sessions_max;
    EXPECT_GE(fit, 4U);
    options.sessions_max = fit;
    EXPECT_TRUE(fit_to_memory(options).ok());
    options.sessions_max = fit + 1;
    EXPECT_FALSE(fit_to_memory(options).ok());
    options = {};
    options.memory_max = 256 * 1024 * kMiB;
    ASSERT_TRUE(fit_to_memory(options).ok());
    EXPECT_EQ(options.core.sessions_max, 1'024U);
}

TEST(MemoryOptions, BuffersAndWindowsFitTheirShares) {
    ServerOptions options;
    options.memory_max = 200 * kMiB;
    ASSERT_TRUE(fit_to_memory(options).ok());
    const MemoryPlan& plan = options.core.memory;
    EXPECT_EQ(plan.bytes_max, 200 * kMiB);
    EXPECT_LE(options.store.checkpoint_bytes, plan.checkpoint / 2);
    EXPECT_LE(options.store.payload_bytes, plan.traffic / 4);
    EXPECT_LT(options.outgoing_bytes_max, plan.outgoing);
    EXPECT_LE(options.blob_core.put_bytes_max, plan.blobs);
    EXPECT_EQ(options.core.blob_bytes_max, options.blob_core.blob_bytes_max);
    EXPECT_LE(options.core.blob_bytes_max, plan.blobs);
    options.durability = "memory";
    ASSERT_TRUE(fit_to_memory(options).ok());
    EXPECT_LE(options.blobs.bytes_max, plan.blobs);
}

TEST(MemoryOptions, ByDefaultHalfOfTheMachine) {
    ServerOptions options;
    ASSERT_TRUE(fit_to_memory(options).ok());
    EXPECT_EQ(options.memory_max, default_memory_bytes());
    EXPECT_GE(options.memory_max, MemoryPlan::kBytesMin);
}

TEST(MemoryOptions, TooLittleMemoryIsRefused) {
    ServerOptions options;
    options.memory_max = 1 * kMiB;
    const auto checked = check(options);
    ASSERT_FALSE(checked.ok());
    EXPECT_THAT(checked.error().sentence, HasSubstr("--memory-max"));
}

}  // namespace
}  // namespace scanmq::broker
