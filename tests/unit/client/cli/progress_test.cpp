#include "client/cli/progress.hpp"

#include <gtest/gtest.h>

namespace scanmq::cli {
namespace {

TEST(Progress, LineTellsShareAndRate) {
    EXPECT_EQ(Progress::line(12, 30, 1, std::chrono::seconds(4)),
              "[############------------------] 12/30 jobs  40 %  1 failed  3.0 jobs/s");
    EXPECT_EQ(Progress::line(0, 0, 0, Duration{0}),
              "[------------------------------] 0/0 jobs  0 %  0.0 jobs/s");
    EXPECT_EQ(Progress::line(5, 5, 0, std::chrono::seconds(1)),
              "[##############################] 5/5 jobs  100 %  5.0 jobs/s");
}

TEST(Progress, WritesALineAtEachTenthWhereThereIsNoTerminal) {
    testing::internal::CaptureStderr();
    {
        Progress progress(Progress::Mode::lines);
        for (std::uint64_t done = 0; done <= 100; ++done) {
            progress.update(done, 100, 0, Time{} + std::chrono::seconds(1 + done));
        }
    }
    const std::string written = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 10);
    EXPECT_EQ(written.find('\r'), std::string::npos);
}

TEST(Progress, OffWritesNothing) {
    testing::internal::CaptureStderr();
    Progress progress(Progress::Mode::off);
    progress.update(1, 2, 0, Time{} + std::chrono::seconds(1));
    progress.finish();
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace scanmq::cli
