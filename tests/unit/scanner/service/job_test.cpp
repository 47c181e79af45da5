#include "scanner/service/job.hpp"

#include <gmock/gmock.h>
#include <pthread.h>

#include <ctime>
#include <thread>

#include "scanner/market/sample_market.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::service {
namespace {

using ::testing::HasSubstr;

class JobTest : public ::testing::Test {
  protected:
    // Sample chains, as snapshots.
    void open(std::size_t count, const market::SampleMarketOptions& options) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string bytes = market::encode_snapshot(market::sample_chain(options, i));
            opened.push_back(open_snapshot(bytes));
            chains.push_back({content_id(bytes), opened.back().chain.get()});
        }
    }
    Job job(ByteView payload) {
        return {payload, std::nullopt, chains.size(),
                [this](std::size_t i) -> Result<JobChain, std::string> { return chains[i]; }};
    }

    std::vector<OpenedSnapshot> opened;
    std::vector<JobChain> chains;
};

TEST_F(JobTest, ClockIsTheRequestsThenTheJobsThenTheChains) {
    open(1, {.expiries = 1, .strikes_max = 9});
    const std::int64_t as_of_ns = 1'718'200'000'000'999'999;
    Job mine = job("{}");
    EXPECT_EQ(decode_result(*run_job(mine, {}))->as_of, chains[0].chain->chain->as_of);
    mine.as_of_ns = as_of_ns;
    EXPECT_EQ(decode_result(*run_job(mine, {}))->as_of, 1'718'200'000'000);
    mine.payload = R"({"as_of_ms": 1718200000777})";
    EXPECT_EQ(decode_result(*run_job(mine, {}))->as_of, 1'718'200'000'777);
    mine.payload = "{}";
    mine.as_of_ns = 3;
    EXPECT_THAT(run_job(mine, {}).error().message, HasSubstr("as_of_ns"));
}

TEST_F(JobTest, TellsProgressAndStopsWhenCancelled) {
    open(2, {.expiries = 2, .strikes_max = 9});
    std::atomic<bool> cancel{false};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> total{0};
    std::atomic<const char*> note{""};
    const ScanHooks hooks{.cancel = &cancel, .done = &done, .total = &total, .note = &note};
    ASSERT_TRUE(run_job(job("{}"), hooks).ok());
    EXPECT_EQ(done, total);
    EXPECT_EQ(total, 2U * 2U * strategy::default_strategy_names().size());
    EXPECT_STREQ(note, "scanning");
    cancel = true;
    EXPECT_EQ(run_job(job("{}"), hooks).error().code, ErrorCode::cancelled);
}

double processor_seconds(clockid_t clock) {
    timespec spent{};
    ::clock_gettime(clock, &spent);
    return static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec);
}

// In processor time of the thread that scans, so that it holds on a busy machine.
TEST_F(JobTest, PricingOfItsOwnEndsWhenCancelled) {
    auto chain = std::make_shared<market::Chain>(
        market::sample_chain({.expiries = market::kSampleExpiriesMax, .strikes_max = 150}, 0));
    chain->style = market::ExerciseStyle::american;
    ScanRequest request;
    request.as_of = chain->as_of;
    const double start = processor_seconds(CLOCK_THREAD_CPUTIME_ID);
    const market::PricedChain priced =
        market::price_chain(chain, pricing_options(request, chain->symbol));
    const double whole = processor_seconds(CLOCK_THREAD_CPUTIME_ID) - start;
    const JobChain one{{}, &priced};

    std::atomic<bool> cancel{false};
    clockid_t clock{};
    ASSERT_EQ(::pthread_getcpuclockid(::pthread_self(), &clock), 0);
    const double begun = processor_seconds(clock);
    std::jthread canceller([&] {
        while (processor_seconds(clock) - begun < 0.1 * whole) std::this_thread::yield();
        cancel = true;
    });
    const auto result = scan_chains(request, std::span(&one, 1), {.cancel = &cancel});
    const double spent = processor_seconds(clock) - begun;
    canceller.join();
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
    EXPECT_LT(spent, 0.7 * whole);
}

TEST_F(JobTest, WantsInputsThatCanBeRead) {
    EXPECT_THAT(run_job(job("{}"), {}).error().message, HasSubstr("names no snapshot"));
    open(1, {.expiries = 1, .strikes_max = 9});
    Job broken = job("{}");
    broken.open = [](std::size_t) -> Result<JobChain, std::string> {
        return fail(std::string("snapshot x: cut short"));
    };
    EXPECT_THAT(run_job(broken, {}).error().message, HasSubstr("cut short"));
    EXPECT_EQ(open_snapshot("no snapshot").chain, nullptr);
    EXPECT_FALSE(open_snapshot("no snapshot").problem.empty());
}

// More spreads than are held at once are merged on the way, to the same bytes.
TEST_F(JobTest, MergingOnTheWayChangesNothing) {
    open(9, {.expiries = 4, .strikes_max = 60});
    ScanRequest request;
    request.limit = kLimitMax;
    const auto merged = scan_chains(request, chains, {});
    ASSERT_TRUE(merged.ok());
    std::vector<ScanResult> parts;
    std::size_t spreads = 0;
    for (const JobChain& each : chains) {
        auto part = scan(*each.chain, request);
        ASSERT_TRUE(part.ok());
        part->snapshot = each.id.hex();
        spreads += part->spreads.size();
        parts.push_back(std::move(part).value());
    }
    ASSERT_GT(spreads, 60'000U);
    const ScanResult wanted = merge_results(std::move(parts), request.limit);
    EXPECT_EQ(encode(*merged, Encoding::msgpack), encode(wanted, Encoding::msgpack));
}

}  // namespace
}  // namespace scanmq::service
