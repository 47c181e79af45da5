// One result on every machine: whole scans, from quotes to the bytes that are sent, on each instruction set
// and with each of the C library's versions of its functions.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/market/sample_market.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/each_target.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::service {
namespace {

std::vector<std::string> all_strategies() {
    std::vector<std::string> out;
    for (const std::string_view name : strategy::strategy_names()) out.emplace_back(name);
    return out;
}

// A chain without prices, and the scans of it.
struct Case {
    std::string name;
    market::Chain chain;
    std::vector<ScanRequest> requests;
};

ScanRequest verticals() {
    ScanRequest out;
    out.filters = {{"width", {{"max", 100.0}}}, {"liquidity", {{"min_bid", 0.01}}}};
    return out;
}
ScanRequest condors(double dte_max) {
    ScanRequest out;
    out.strategies = {"iron_condor", "reverse_iron_condor"};
    out.limit = 100;
    out.filters = {{"width", {{"max", 50.0}}},
                   {"liquidity", {{"min_bid", 0.01}}},
                   {"dte", {{"min", 0.0}, {"max", dte_max}}}};
    return out;
}
ScanRequest everything_near_the_money() {
    ScanRequest out;
    out.strategies = all_strategies();
    out.best_per = BestPer::short_strikes;
    out.filters = {{"strikes", {{"max", 3.0}}},
                   {"dte", {{"min", 1.0}, {"max", 45.0}}},
                   {"back_dte", {{"max", 80.0}}}};
    return out;
}

// Their later legs are American where the chain is.
ScanRequest calendars() {
    ScanRequest out;
    out.strategies = {"call_calendar", "put_calendar", "double_calendar", "call_diagonal",
                      "put_diagonal"};
    out.limit = 100;
    out.filters = {{"strikes", {{"max", 1.0}}},
                   {"dte", {{"min", 1.0}, {"max", 20.0}}},
                   {"back_dte", {{"max", 40.0}}}};
    return out;
}

// Any quotes, with a right to early exercise: European values with noise.
market::Chain american_sample() {
    market::SampleMarketOptions options;
    options.expiries = 3;
    options.strikes_max = 15;
    auto chain = market::sample_chain(options, 0);
    chain.style = market::ExerciseStyle::american;
    return chain;
}

std::vector<Case> made_up() {
    std::vector<Case> out;
    market::SampleMarketOptions options;
    options.expiries = 4;
    options.strikes_max = 30;
    out.push_back({"European",
                   market::sample_chain(options, 1),
                   {verticals(), condors(60.0), everything_near_the_money()}});
    auto with_dividend = everything_near_the_money();
    out.push_back({"American", american_sample(), {verticals(), everything_near_the_money()}});
    with_dividend.dividends = {{"", out.back().chain.as_of + 20LL * 86'400'000, 0.35}};
    with_dividend.strategies = {"bull_put", "call_calendar", "covered_call"};
    out.push_back({"American with a dividend", american_sample(), {with_dividend}});
    return out;
}

// Real quotes.
std::vector<Case> real(const std::string& path, std::vector<ScanRequest> requests) {
    std::vector<Case> out;
    auto report = market::read_chain_file(path);
    EXPECT_TRUE(report.ok());
    if (report) out.push_back({path, std::move(report->chains.at(0)), std::move(requests)});
    return out;
}

// The results' bytes, one scan after the other. All requests of a case price the chain alike.
std::string run(const Case& tested) {
    std::string out;
    const auto priced =
        market::price_chain(std::make_shared<const market::Chain>(tested.chain),
                            pricing_options(tested.requests.at(0), tested.chain.symbol));
    for (const ScanRequest& request : tested.requests) {
        const auto result = scan(priced, request);
        EXPECT_TRUE(result.ok()) << tested.name << ": " << result.error().message;
        if (!result.ok()) return {};
        EXPECT_FALSE(result->spreads.empty()) << tested.name;
        out += encode(*result, Encoding::json);
        out += '\n';
    }
    return out;
}

// Where two texts part, with what is around.
std::string difference(const std::string& a, const std::string& b) {
    std::size_t at = 0;
    while (at < std::min(a.size(), b.size()) && a[at] == b[at]) ++at;
    const std::size_t from = at < 80 ? 0 : at - 80;
    return a.substr(from, 160) + "\n" + b.substr(from, 160);
}

void expect_same_on_every_target(const std::vector<Case>& cases) {
    for (const Case& tested : cases) {
        std::string first;
        for (const std::int64_t target : tests::supported_targets()) {
            tests::use_target(target);
            const std::string bytes = run(tested);
            tests::use_target(0);
            ASSERT_GT(bytes.size(), 1000U);
            if (first.empty()) first = bytes;
            EXPECT_TRUE(bytes == first) << tested.name << " on " << hwy::TargetName(target) << ":\n"
                                        << difference(bytes, first);
        }
    }
}

TEST(SameBits, MadeUpChainsOnEveryInstructionSet) { expect_same_on_every_target(made_up()); }

TEST(SameBits, SpxOnEveryInstructionSet) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
    expect_same_on_every_target(real(path, {verticals(), condors(8.0)}));
}

TEST(SameBits, GoogleOnEveryInstructionSet) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "lean_goog_2015-12-24_1300et_snapshot.csv");
    auto near = everything_near_the_money();
    near.filters[0].params["max"] = 2.0;
    near.filters[1].params["max"] = 20.0;
    near.filters[2].params["max"] = 40.0;
    expect_same_on_every_target(real(path, {verticals(), near, calendars()}));
}

constexpr const char* kOutFile = "SCANMQ_SAME_BITS_OUT";

// Of what the C library's exp gives here, not ours.
std::string hash_of_exp() {
    std::string bytes;
    for (int i = -4'000; i < 4'000; ++i) {
        const double value = std::exp(i * 0.01234567);
        bytes.append(static_cast<const char*>(static_cast<const void*>(&value)), sizeof value);
    }
    return content_id(bytes).hex() + "\n";
}

// Only as a child of the test below.
TEST(SameBits, WrittenToAFile) {
    const char* path = std::getenv(kOutFile);
    if (path == nullptr) GTEST_SKIP() << "the next test runs this one in a child";
    std::FILE* file = std::fopen(path, "wb");
    ASSERT_NE(file, nullptr);
    std::vector<std::string> all{hash_of_exp()};
    for (const Case& tested : made_up()) all.push_back(run(tested));
    for (const std::string& bytes : all) {
        EXPECT_EQ(std::fwrite(bytes.data(), 1, bytes.size(), file), bytes.size());
    }
    std::fclose(file);
}

// glibc has its functions twice, with FMA and without; the tunable makes it choose as on a machine that has
// neither FMA nor AVX2.
TEST(SameBits, WithTheCLibraryOfAnOldMachine) {
    const auto path = std::filesystem::temp_directory_path() /
                      ("scanmq-same-bits-" + std::to_string(::getpid()) + ".txt");
    const auto program = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string command =
        "GLIBC_TUNABLES=glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2,-AVX512F " + std::string(kOutFile) + "=" +
        path.string() + " '" + program +
        "' --gtest_filter=SameBits.WrittenToAFile --gtest_brief=1 > /dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);  // NOLINT(cert-env33-c): our own program
    std::string here;
    for (const Case& tested : made_up()) here += run(tested);
    std::string there(std::filesystem::file_size(path), '\0');
    std::FILE* file = std::fopen(path.c_str(), "rb");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(std::fread(there.data(), 1, there.size(), file), there.size());
    std::fclose(file);
    std::filesystem::remove(path);
    const std::string exp_there = there.substr(0, hash_of_exp().size());
    there.erase(0, exp_there.size());
    EXPECT_TRUE(here == there) << difference(here, there);
    if (exp_there == hash_of_exp()) {
        GTEST_SKIP()
            << "this shows nothing here: the C library's exp is the same for an old machine";
    }
}

}  // namespace
}  // namespace scanmq::service
