#include "worker/scanners/embedded_scanner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <vector>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/pricing/black.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::worker {
namespace {

using testing::HasSubstr;

// One expiry, 30 days out, European, priced at one volatility, quoted a nickel wide.
std::string snapshot_of(const std::string& symbol, double forward) {
    constexpr double kYears = 30.0 / 365.0;
    market::ChainBuilder builder;
    const std::uint16_t expiry = builder.expiry(symbol, 20240119, market::Settlement::pm);
    for (double strike = forward - 50; strike <= forward + 50; strike += 5) {
        for (const auto right : {market::Right::call, market::Right::put}) {
            const double mid = pricing::black_price({forward, strike, 0.2, kYears, 1.0}, right);
            market::ChainBuilder::Row row;
            row.strike = strike;
            row.bid = std::max(0.0, mid - 0.025);
            row.ask = mid + 0.025;
            row.volume = 100;
            row.open_interest = 1000;
            row.expiry = expiry;
            row.right = right;
            builder.add(row);
        }
    }
    market::Chain head;
    head.symbol = symbol;
    head.source = "test";
    head.as_of_date = 20231220;
    head.as_of = market::new_york_moment(head.as_of_date, market::kCloseMinute);
    std::uint64_t duplicates = 0;
    return market::encode_snapshot(builder.finish(std::move(head), duplicates));
}

std::shared_ptr<Input> input_of(std::string bytes) {
    auto input = std::make_shared<Input>(content_id(bytes));
    input->fill(std::move(bytes));
    return input;
}

class EmbeddedScannerTest : public testing::Test {
  protected:
    Outcome run(std::string_view payload) const {
        Task task;
        task.payload = payload;
        task.inputs = inputs;
        task.cancel = &cancel;
        Outcome out;
        scanner.run(task, out);
        return out;
    }

    EmbeddedScanner scanner;
    std::vector<std::shared_ptr<Input>> inputs{input_of(snapshot_of("ABC", 500))};
    std::atomic<bool> cancel{false};
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
