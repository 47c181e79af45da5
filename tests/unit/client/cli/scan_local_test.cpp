#include <gtest/gtest.h>

#include "client/cli/scan_run.hpp"
#include "scanner/service/request.hpp"

namespace scanmq::cli {
namespace {

LocalScan until(Time end) {
    LocalScan options;
    options.end = end;
    options.keep_chains = true;
    return options;
}

TEST(ScanLocally, EveryChainGivesAResult) {
    const Time far = std::chrono::steady_clock::now() + std::chrono::hours(24);
    const ScanReport report = scan_locally({}, sample_inputs(3, 7), until(far));
    EXPECT_EQ(report.results.size(), 3U);
    EXPECT_EQ(report.chains.size(), 3U);
    EXPECT_EQ(report.latency.count(), 3U);
    EXPECT_TRUE(report.failures.empty());
    EXPECT_FALSE(report.timed_out);
}

TEST(ScanLocally, WhenTheTimeIsUpNoChainIsPricedAndEachIsNamed) {
    const ScanReport report = scan_locally({}, sample_inputs(3, 7), until(Time{}));
    EXPECT_TRUE(report.results.empty());
    EXPECT_EQ(report.latency.count(), 0U);
    ASSERT_EQ(report.failures.size(), 3U);
    for (const ScanFailure& failure : report.failures) {
        EXPECT_EQ(failure.outcome, "unfinished");
        EXPECT_EQ(failure.code, "cancelled");
    }
    EXPECT_NE(report.failures[0].label, report.failures[1].label);
    EXPECT_TRUE(report.timed_out);
    for (const auto& chain : report.chains) EXPECT_NE(chain, nullptr);
}

}  // namespace
}  // namespace scanmq::cli
