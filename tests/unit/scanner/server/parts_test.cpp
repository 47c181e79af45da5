// The small parts of the scan service: faults, settings, metrics, the table of scans.

#include <gmock/gmock.h>

#include "scanner/server/batch_table.hpp"
#include "scanner/server/fault.hpp"
#include "scanner/server/metrics.hpp"
#include "scanner/server/settings.hpp"

namespace scanmq::scand {
namespace {

using testing::HasSubstr;

TEST(Fault, ReadsWhatItWrites) {
    for (const char* text : {"none", "slow:5s", "slow:250ms", "status:500", "garbage"}) {
        const auto fault = parse_fault(text);
        ASSERT_TRUE(fault.ok()) << fault.error();
        EXPECT_EQ(to_text(*fault), text);
        EXPECT_EQ(fault->any(), std::string_view(text) != "none");
    }
    EXPECT_EQ(parse_fault("status:503\n")->status, 503);
}

TEST(Fault, RefusesWhatThereIsNot) {
    for (const char* text : {"slow", "slow:", "slow:5", "slow:2h", "slow:0", "status:200",
                             "status:x", "trash", "garbage!"}) {
        const auto fault = parse_fault(text);
        ASSERT_FALSE(fault.ok()) << text;
        EXPECT_THAT(fault.error(), HasSubstr("slow:DURATION"));
    }
}

TEST(Settings, FollowFromEachOther) {
    Settings settings;
    settings.threads = 3;
    settings.fault_text = "status:500";
    ASSERT_TRUE(complete(settings).ok());
    EXPECT_EQ(settings.concurrency, 3U);
    EXPECT_EQ(settings.fault.status, 500);
    settings.concurrency = 4;
    EXPECT_THAT(complete(settings).error(), HasSubstr("--threads"));
}

TEST(Settings, BeyondLoopbackNeedsInsecure) {
    for (const char* address : {"0.0.0.0:8702", "192.168.1.1:0", "[::]:8702", "nonsense"}) {
        Settings settings;
        settings.http = address;
        EXPECT_THAT(complete(settings).error(), HasSubstr("--insecure")) << address;
        settings.insecure = true;
        EXPECT_TRUE(complete(settings).ok());
    }
    for (const char* address : {"127.0.0.1:0", "localhost:8702", "[::1]:8702"}) {
        Settings settings;
        settings.http = address;
        EXPECT_TRUE(complete(settings).ok()) << address;
    }
}

TEST(Metrics, AreWrittenBothWays) {
    const std::vector<Metric> metrics = {{"a_total", {}, "An A", 3},
                                         {"b", "quantile=\"0.5\"", "A B", 0.25},
                                         {"b", "quantile=\"0.9\"", "A B", 0.5}};
    EXPECT_EQ(prometheus_text(metrics),
              "# HELP scanmq_scanner_a_total An A\n# TYPE scanmq_scanner_a_total counter\n"
              "scanmq_scanner_a_total 3\n"
              "# HELP scanmq_scanner_b A B\n# TYPE scanmq_scanner_b summary\n"
              "scanmq_scanner_b{quantile=\"0.5\"} 0.25\nscanmq_scanner_b{quantile=\"0.9\"} 0.5\n");
    EXPECT_EQ(metrics_document(metrics), R"({"a_total":3,"b_0.5":0.25,"b_0.9":0.5})");
}

TEST(BatchTable, ForgetsTheOldestFinished) {
    BatchTable table(2, 100);
    const auto scan = [&](const char* id, std::size_t bytes) {
        auto out = std::make_shared<TrackedScan>();
        out->id = id;
        out->spreads = std::string(bytes, 'x');
        table.add(out);
        return out;
    };
    const auto running = scan("running", 0);
    table.keep(scan("a", 10));
    table.keep(scan("b", 10));
    EXPECT_NE(table.find("a"), nullptr);
    table.keep(scan("c", 10));  // a third
    EXPECT_EQ(table.find("a"), nullptr);
    EXPECT_EQ(table.bytes(), 20U);
    table.keep(scan("d", 95));  // too many bytes
    EXPECT_EQ(table.find("b"), nullptr);
    EXPECT_EQ(table.find("c"), nullptr);
    EXPECT_NE(table.find("d"), nullptr);
    EXPECT_EQ(table.find("running"), running);
    EXPECT_EQ(table.evictions(), 3U);
    table.forget(running);
    EXPECT_EQ(table.find("running"), nullptr);
}

}  // namespace
}  // namespace scanmq::scand
