#include "worker/scanners/embedded_scanner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/snapshots.hpp"

namespace scanmq::worker {
namespace {

using scanmq::testing::snapshot_of;
using ::testing::HasSubstr;

std::shared_ptr<Input> input_of(std::string bytes) {
    auto input = std::make_shared<Input>(content_id(bytes));
    input->fill(std::move(bytes));
    return input;
}

class EmbeddedScannerTest : public ::testing::Test {
  protected:
    Outcome run(std::string_view payload) {
        Task task;
        task.payload = payload;
        task.inputs = inputs;
        task.cancel = &cancel;
        task.as_of_ns = as_of_ns;
        task.progress = &progress;
        Outcome out;
        scanner.run(task, out);
        return out;
    }

    EmbeddedScanner scanner;
    std::vector<std::shared_ptr<Input>> inputs{input_of(snapshot_of("ABC", 500))};
    std::atomic<bool> cancel{false};
    std::optional<std::int64_t> as_of_ns;
    Progress progress;
};

TEST_F(EmbeddedScannerTest, ScansAChain) {
    const Outcome out = run(R"({"limit": 5})");
    ASSERT_EQ(out.status, ScanStatus::done) << out.sentence;
    const auto result = service::decode_result(out.body);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->symbol, "ABC");
    EXPECT_EQ(result->snapshot, inputs[0]->id().hex());
    EXPECT_EQ(result->engine, scanner.version());
    EXPECT_EQ(result->spreads.size(), 5U);
}

TEST_F(EmbeddedScannerTest, SeveralChainsAreMerged) {
    inputs.push_back(input_of(snapshot_of("XYZ", 900)));
    const Outcome out = run(R"({"limit": 40})");
    ASSERT_EQ(out.status, ScanStatus::done) << out.sentence;
    const auto result = service::decode_result(out.body);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->spreads.size(), 40U);
    EXPECT_EQ(result->sources.size(), 2U);
}

TEST_F(EmbeddedScannerTest, OwnRatePricesTheChainAnew) {
    const Outcome out = run(R"({"limit": 1, "rate": 0.07})");
    ASSERT_EQ(out.status, ScanStatus::done) << out.sentence;
    const auto result = service::decode_result(out.body);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->assumptions.rate_is_input);
    const auto shared = service::decode_result(run(R"({"limit": 1})").body);
    EXPECT_FALSE(shared->assumptions.rate_is_input) << "the shared chain keeps its own";
}

TEST_F(EmbeddedScannerTest, UnreadableRequestIsRejectedWithTheEnginesSentence) {
    const Outcome out = run(R"({"limt": 5})");
    EXPECT_EQ(out.status, ScanStatus::rejected);
    EXPECT_THAT(out.sentence, HasSubstr("limit")) << "the nearest key is named";
    EXPECT_TRUE(out.body.empty());
    EXPECT_EQ(run("").status, ScanStatus::rejected);
    EXPECT_EQ(run(std::string(100, '\xc1')).status, ScanStatus::rejected);
}

TEST_F(EmbeddedScannerTest, RequestForAnotherSymbolIsRejected) {
    const Outcome out = run(R"({"symbol": "QQQ"})");
    EXPECT_EQ(out.status, ScanStatus::rejected);
    EXPECT_THAT(out.sentence, HasSubstr("QQQ"));
}

TEST_F(EmbeddedScannerTest, CorruptSnapshotIsRejectedByName) {
    std::string bytes = snapshot_of("ABC", 500);
    bytes.resize(bytes.size() / 2);
    inputs = {input_of(bytes)};
    const Outcome out = run("{}");
    EXPECT_EQ(out.status, ScanStatus::rejected);
    EXPECT_THAT(out.sentence, HasSubstr(content_id(bytes).hex()));
}

TEST_F(EmbeddedScannerTest, JobWithoutASnapshotIsRejected) {
    inputs.clear();
    const Outcome out = run("{}");
    EXPECT_EQ(out.status, ScanStatus::rejected);
    EXPECT_THAT(out.sentence, HasSubstr("inputs"));
}

TEST_F(EmbeddedScannerTest, CancelledRunEndsEarly) {
    cancel = true;
    EXPECT_EQ(run("{}").status, ScanStatus::failed);
}

TEST_F(EmbeddedScannerTest, JobsPricingClockIsUsedWhereTheRequestHasNone) {
    const auto own = service::decode_result(run(R"({"limit": 1})").body);
    ASSERT_TRUE(own.ok());
    constexpr WallMillis kHour = 3'600'000;
    as_of_ns = (own->as_of - kHour) * 1'000'000 + 999'999;
    const auto job = service::decode_result(run(R"({"limit": 1})").body);
    ASSERT_TRUE(job.ok());
    EXPECT_EQ(job->as_of, own->as_of - kHour) << "whole milliseconds, rounded down";
    const std::string request =
        R"({"limit": 1, "as_of_ms": )" + std::to_string(own->as_of - 2 * kHour) + "}";
    const auto named = service::decode_result(run(request).body);
    ASSERT_TRUE(named.ok());
    EXPECT_EQ(named->as_of, own->as_of - 2 * kHour) << "the request's own wins";
}

TEST_F(EmbeddedScannerTest, ImpossiblePricingClockIsRejected) {
    as_of_ns = -1;
    const Outcome out = run("{}");
    EXPECT_EQ(out.status, ScanStatus::rejected);
    EXPECT_THAT(out.sentence, HasSubstr("as_of_ns"));
}

TEST_F(EmbeddedScannerTest, ProgressReachesItsTotalOverAllChains) {
    ASSERT_EQ(run("{}").status, ScanStatus::done);
    const std::uint64_t one = progress.total;
    EXPECT_GT(one, 0U);
    EXPECT_EQ(progress.done, one);
    progress.reset();
    inputs.push_back(input_of(snapshot_of("XYZ", 900)));
    ASSERT_EQ(run("{}").status, ScanStatus::done);
    EXPECT_EQ(progress.total, 2 * one);
    EXPECT_EQ(progress.done, 2 * one);
    EXPECT_STREQ(progress.note, "scanning");
}

TEST_F(EmbeddedScannerTest, ThreadsShareOneChain) {
    std::vector<Outcome> outcomes(8);
    std::latch ready(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        threads.emplace_back([&, i] {
            ready.arrive_and_wait();
            outcomes[i] = run(R"({"limit": 5})");
        });
    }
    for (std::thread& thread : threads) thread.join();
    for (const Outcome& outcome : outcomes) {
        EXPECT_EQ(outcome.status, ScanStatus::done);
        EXPECT_EQ(outcome.storage, outcomes[0].storage);
    }
}

}  // namespace
}  // namespace scanmq::worker
