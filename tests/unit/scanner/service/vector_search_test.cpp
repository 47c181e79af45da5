// The scan with vectors and pruning against brute force on the scalar path: the same lists, byte for byte.

#include <gtest/gtest.h>

#include <string>

#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

ScanResult scanned(const market::PricedChain& chain, const ScanRequest& request,
                   const ScanControl& control = {}) {
    auto result = scan(chain, request, control);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *std::move(result) : ScanResult{};
}

// The document without its counts.
std::string lists_of(ScanResult result) {
    result.counts = {};
    return encode(result, Encoding::json);
}

ScanRequest random_request(Rng& rng) {
    const char* const names[] = {
        "bull_put",    "bear_call",           "iron_condor",
        "call_condor", "reverse_iron_condor", "put_condor",
        "bull_call",   "iron_butterfly",      "call_broken_wing_butterfly"};
    ScanRequest request;
    for (const char* name : names) {
        if (rng.below(3) == 0) request.strategies.emplace_back(name);
    }
    if (request.strategies.empty()) request.strategies = {"iron_condor"};
    request.preset = rng.below(2) == 0 ? "aggressive" : "conservative";
    request.limit = 1 + static_cast<std::uint32_t>(rng.below(60));
    request.fill.toward_mid = rng.below(2) == 0 ? 0.0 : 1.0;
    constexpr BestPer kPer[] = {BestPer::spread, BestPer::symbol, BestPer::expiry,
                                BestPer::short_strikes};
    request.best_per = kPer[rng.below(4)];
    if (rng.below(2) == 0) request.filters.push_back({"width", {{"max", 10.0}}});
    if (rng.below(3) == 0) request.filters.push_back({"pop", {{"min", 0.4}, {"max", 0.9}}});
    if (rng.below(3) == 0) request.filters.push_back({"theta", {{"min", -0.02}}});
    if (rng.below(3) == 0) request.filters.push_back({"ev", {{"min", -0.4}}});
    if (rng.below(4) == 0) request.filters.push_back({"risk_reward", {{"min", 0.1}}});
    if (rng.below(4) == 0) request.filters.push_back({"credit_width", {{"min", 0.1}}});
    if (rng.below(4) == 0) request.filters.push_back({"margin", {{"max", 8.0}}});
    if (rng.below(4) == 0) request.filters.push_back({"return_per_day", {{"min", 0.001}}});
    return request;
}

TEST(VectorSearch, KeepsWhatBruteForceKeeps) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Rng rng(seed);
        auto chain = scanmq::testing::random_chain(
            rng, {.expiries = 3, .strikes = 14, .strike_step = 2.0, .noise = 0.005});
        for (auto& expiry : chain.expiries) {
            const double w = expiry.atm_volatility * expiry.atm_volatility * expiry.years;
            expiry.smile = {.a = 0.9 * w, .b = 0.5 * w, .rho = -0.4, .m = 0.0, .s = 0.2};
        }
        ScanRequest request = random_request(rng);
        const ScanResult brute = scanned(chain, request, {.brute_force = true});
        const ScanResult found = scanned(chain, request);
        EXPECT_EQ(lists_of(brute), lists_of(found)) << seed;
        EXPECT_EQ(brute.counts.candidates, found.counts.candidates) << seed;
        EXPECT_EQ(brute.counts.arbitrage_quote, found.counts.arbitrage_quote) << seed;
        request.exact_count = true;
        EXPECT_EQ(encode(brute, Encoding::json), encode(scanned(chain, request), Encoding::json))
            << seed;
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(VectorSearch, StepsAreCountedWhenLanesWereSearched) {
    Rng rng(7);
    const auto chain = scanmq::testing::random_chain(rng, {.expiries = 4});
    ScanRequest request;
    request.strategies = {"bull_put", "iron_condor", "call_calendar", "short_put"};
    std::atomic<std::uint64_t> steps{0};
    (void)scanned(chain, request, {.cancel = nullptr, .steps = &steps});
    EXPECT_EQ(scan_steps(*chain.chain, request), steps.load());
}

TEST(VectorSearch, StopsWhenCancelled) {
    Rng rng(8);
    const auto chain = scanmq::testing::random_chain(rng, {});
    ScanRequest request;
    request.strategies = {"iron_condor"};
    const std::atomic<bool> cancel{true};
    const auto result = scan(chain, request, ScanControl{.cancel = &cancel});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(ErrorCode::cancelled, result.error().code);
}

}  // namespace
}  // namespace scanmq::service
