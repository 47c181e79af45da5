#include <gtest/gtest.h>

#include "client/cli/bench_role.hpp"

namespace scanmq::cli {
namespace {

TEST(BenchLines, SentReportRoundTrips) {
    const SentReport report{
        .jobs = 12, .refused = 1, .first_ns = 5, .last_ns = 9, .late_max_ns = 3};
    const auto read = decode_sent(encode(report));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->jobs, 12U);
    EXPECT_EQ(read->refused, 1U);
    EXPECT_EQ(read->first_ns, 5);
    EXPECT_EQ(read->last_ns, 9);
    EXPECT_EQ(read->late_max_ns, 3);
    EXPECT_FALSE(decode_sent("sent 1 2 3"));
    EXPECT_FALSE(decode_sent("ready"));
    EXPECT_FALSE(decode_sent(""));
}

TEST(BenchLines, SeenReportRoundTripsWithItsHistogram) {
    SeenReport report;
    report.jobs = 2;
    report.lost = 3;
    report.duplicated = 4;
    report.failed = 5;
    report.foreign = 6;
    report.first_ns = 7;
    report.last_ns = 8;
    report.latency.record(Duration{1'000});
    report.latency.record(Duration{9'000'000});
    const auto read = decode_seen(encode(report));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->jobs, 2U);
    EXPECT_EQ(read->lost, 3U);
    EXPECT_EQ(read->duplicated, 4U);
    EXPECT_EQ(read->failed, 5U);
    EXPECT_EQ(read->foreign, 6U);
    EXPECT_EQ(read->latency.encode(), report.latency.encode());
    EXPECT_FALSE(decode_seen("seen 1 2 3 4 5 6 7"));
    EXPECT_FALSE(decode_seen("seen 1 2 3 4 5 6 7 nonsense"));
}

TEST(BenchLines, ArgumentsAreReadBack) {
    RoleOptions written;
    written.role = "producer";
    written.brokers = {"tcp://127.0.0.1:1", "tcp://127.0.0.1:2"};
    written.queue = "q";
    written.run = 99;
    written.index = 1;
    written.producers = 2;
    written.payload_bytes = 333;
    written.batch = 7;
    written.warm_up = 5;
    written.rate = 12.5;
    written.seconds = 0.25;
    written.jobs = 1'000;
    written.patience = std::chrono::milliseconds(1500);
    std::vector<std::string> arguments = arguments_of(written);
    ASSERT_EQ(arguments.front(), "bench-role");
    arguments.erase(arguments.begin());
    RoleOptions read;
    config::Options declared("scanmq bench-role", "");
    declare(declared, read);
    const auto parsed = declared.parse(arguments, {});
    ASSERT_TRUE(parsed) << parsed.error().sentence;
    EXPECT_EQ(arguments_of(read), arguments_of(written));
    EXPECT_EQ(read.brokers, written.brokers);
    EXPECT_EQ(read.rate, 12.5);
}

}  // namespace
}  // namespace scanmq::cli
