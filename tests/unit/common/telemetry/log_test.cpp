#include "common/telemetry/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace scanmq::telemetry {
namespace {

TEST(Log, LinesAtTheLevelGoToStderr) {
    testing::internal::CaptureStderr();
    ASSERT_TRUE(start_logging({"info", false}).ok());
    spdlog::debug("hidden line");
    spdlog::info("visible line {}", 7);
    stop_logging();
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_THAT(text, testing::HasSubstr("info visible line 7"));
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("hidden")));
}

TEST(Log, AsynchronousLinesAreWrittenBeforeStopReturns) {
    testing::internal::CaptureStderr();
    ASSERT_TRUE(start_logging({"debug", true}).ok());
    spdlog::debug("queued line");
    stop_logging();
    EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("queued line"));
}

TEST(Log, LateLinesAreDroppedQuietly) {
    ASSERT_TRUE(start_logging({}).ok());
    stop_logging();
    spdlog::info("nobody hears this");
    EXPECT_TRUE(start_logging({}).ok());
    stop_logging();
}

TEST(Log, UnknownLevelIsRefused) {
    const auto started = start_logging({"loud", false});
    ASSERT_FALSE(started.ok());
    EXPECT_THAT(started.error(), testing::HasSubstr("choose trace"));
}

}  // namespace
}  // namespace scanmq::telemetry
