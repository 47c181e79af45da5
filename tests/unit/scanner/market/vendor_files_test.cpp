// The real files of the formats other than Cboe's and iVolatility's: what is in them, values looked up
// by hand, and the vendors' Greeks against ours.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/pricing/black.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

std::size_t row_of(const Chain& chain, YearMonthDay date, double strike, Right right) {
    for (std::size_t i = 0; i < chain.size(); ++i) {
        if (chain.strike[i] == strike && chain.right[i] == right &&
            chain.expiries[chain.expiry[i]].date == date) {
            return i;
        }
    }
    ADD_FAILURE() << "no contract " << date << ' ' << strike;
    return 0;
}

ReadReport read_file(const std::string& path) {
    auto report = read_chain_file(path);
    EXPECT_TRUE(report.ok()) << report.error().message;
    return report.ok() ? std::move(report).value() : ReadReport{};
}

double quantile(std::vector<double> values, double q) {
    std::sort(values.begin(), values.end());
    return values.empty()
               ? kMissing
               : values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

TEST(VendorFiles, LeanSnapshot) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "lean_goog_2015-12-24_1300et_snapshot.csv");
    const auto report = read_file(path);
    ASSERT_EQ(report.chains.size(), 1U);
    const Chain& chain = report.chains[0];
    EXPECT_EQ(chain.symbol, "GOOG") << "from the file's name";
    EXPECT_EQ(chain.source, "lean_csv");
    EXPECT_EQ(chain.style, ExerciseStyle::american);
    EXPECT_EQ(chain.size(), 2192U);
    EXPECT_EQ(chain.expiries.size(), 12U);
    EXPECT_EQ(chain.as_of, new_york_moment(20151224, 13 * 60)) << "the newest quote's";
    EXPECT_TRUE(std::isnan(chain.spot));
    EXPECT_EQ(report.skipped.total(), 0U);
    EXPECT_EQ(report.flagged[Reason::one_sided], 347U);
    EXPECT_EQ(report.flagged[Reason::locked], 7U);
    EXPECT_EQ(report.flagged[Reason::stale], 25U) << "older than a quarter of an hour";
    EXPECT_EQ(report.flagged[Reason::crossed], 0U);

    const auto call = row_of(chain, 20151224, 740, Right::call);
    EXPECT_EQ(chain.bid[call], 7.3);
    EXPECT_EQ(chain.ask[call], 9.1);
    EXPECT_EQ(chain.open_interest[call], 330U);
    EXPECT_EQ(chain.volume[call], kNoCount);
    EXPECT_EQ(chain.quoted[call], new_york_moment(20151224, 12 * 60 + 59));
    const auto put = row_of(chain, 20151224, 590, Right::put);
    EXPECT_TRUE(std::isnan(chain.bid[put]));
    EXPECT_EQ(chain.ask[put], 0.5);
    const auto decoded = decode_snapshot(encode_snapshot(chain));
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(decoded->quoted, chain.quoted);
}

TEST(VendorFiles, StaleAndOneSidedQuotesLeaveWhenAskedTo) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "lean_goog_2015-12-24_1300et_snapshot.csv");
    ReadOptions options;
    options.quality.drop.insert(Reason::stale);
    options.quality.drop.insert(Reason::one_sided);
    const auto report = read_chain_file(path, options);
    ASSERT_TRUE(report.ok());
    const Chain& chain = report->chains.at(0);
    EXPECT_EQ(report->skipped[Reason::one_sided], 347U);
    EXPECT_EQ(report->skipped.total() + chain.size(), 2192U);
    EXPECT_EQ(report->contracts, chain.size());
    EXPECT_EQ(chain.quoted.size(), chain.size());
    for (std::size_t i = 0; i < chain.size(); ++i) {
        ASSERT_GT(chain.bid[i], 0.0);
        ASSERT_GE(chain.quoted[i], chain.as_of - 15 * kMillisPerMinute);
    }
    EXPECT_TRUE(decode_snapshot(encode_snapshot(chain)).ok());
}

TEST(VendorFiles, OptionlabHasFiveColumnsAndNoSpot) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "optionlab_msft_2021-11-22.csv");
    const auto report = read_file(path);
    const Chain& chain = report.chains.at(0);
    EXPECT_EQ(chain.symbol, "MSFT");
    EXPECT_EQ(chain.style, ExerciseStyle::american);
    EXPECT_EQ(report.rows, 1995U);
    EXPECT_EQ(report.skipped.total(), 42U);
    EXPECT_EQ(report.skipped[Reason::out_of_line], 42U);
    EXPECT_EQ(chain.size(), 1953U);
    EXPECT_EQ(chain.expiries.size(), 17U);
    EXPECT_EQ(chain.as_of, new_york_moment(20211122, kCloseMinute));
    EXPECT_TRUE(std::isnan(chain.spot));
    EXPECT_TRUE(chain.quoted.empty());
    EXPECT_TRUE(chain.vendor.gamma.empty());
    const auto call = row_of(chain, 20211231, 270, Right::call);
    EXPECT_EQ(chain.bid[call], 71.3);
    EXPECT_EQ(chain.ask[call], 74.6);
    EXPECT_EQ(report.flagged[Reason::one_sided], 84U);
}

bool has(const Chain& chain, YearMonthDay date, double strike, Right right) {
    for (std::size_t i = 0; i < chain.size(); ++i) {
        if (chain.strike[i] == strike && chain.right[i] == right &&
            chain.expiries[chain.expiry[i]].date == date) {
            return true;
        }
    }
    return false;
}

// The file has runs of old quotes: the puts at 425 to 440 of 2022-09-16 are bid about 145 while the one at
// 420 is 85.10 to 85.70 and the one at 460 120.60 to 121.65.
TEST(VendorFiles, OldQuotesLeaveAndTheirNeighboursStay) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "optionlab_msft_2021-11-22.csv");
    const auto report = read_file(path);
    const Chain& chain = report.chains.at(0);
    EXPECT_EQ(report.skipped[Reason::out_of_line], report.skipped.total());
    for (const double strike : {390.0, 425.0, 430.0, 435.0, 440.0}) {
        EXPECT_FALSE(has(chain, 20220916, strike, Right::put)) << strike;
    }
    for (const double strike : {385.0, 395.0, 400.0, 415.0, 420.0, 460.0, 500.0}) {
        EXPECT_TRUE(has(chain, 20220916, strike, Right::put)) << strike;
    }
    EXPECT_FALSE(has(chain, 20220916, 450.0, Right::put))
        << "3.50 above the line from 420 to 460: a butterfly for nothing";
    EXPECT_FALSE(has(chain, 20220916, 95.0, Right::call))
        << "asked 210.65, the one at 100 bid 241.70";
    EXPECT_TRUE(has(chain, 20220916, 90.0, Right::call));
    EXPECT_TRUE(has(chain, 20220916, 100.0, Right::call));
    EXPECT_FALSE(has(chain, 20220617, 420.0, Right::put)) << "one of a run of rising old quotes";
    EXPECT_TRUE(has(chain, 20220617, 410.0, Right::put));
    // Whatever two puts or two calls are left of an expiry, the dearer one cannot be had for less than the
    // other sells at, nor the cheaper one together with the strikes' difference.
    for (const auto& expiry : chain.expiries) {
        const auto check = [&](std::size_t begin, std::size_t end, bool calls) {
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t j = i + 1; j < end; ++j) {
                    const std::size_t dear = calls ? i : j;
                    const std::size_t cheap = calls ? j : i;
                    const double width = chain.strike[j] - chain.strike[i];
                    if (chain.ask[dear] > 0) {
                        ASSERT_LE(chain.bid[cheap], chain.ask[dear] + 1e-6) << chain.strike[i];
                    }
                    if (chain.ask[cheap] > 0 && chain.bid[dear] > 0) {
                        ASSERT_LE(chain.bid[dear] - chain.ask[cheap], 1.02 * width + 1e-6)
                            << chain.strike[i];
                    }
                }
            }
        };
        check(expiry.call_begin, expiry.put_begin, true);
        check(expiry.put_begin, expiry.end, false);
    }
}

// What is not out of line stays: no quote of the other files contradicts its neighbours.
TEST(VendorFiles, NoOtherFileHasQuotesOutOfLine) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "tda_msft_2021-05-17.json");
    for (const char* name :
         {"cboe_spx_2023-09-14_quotedata.csv", "cboe_tsla_2023-11-10_quotedata_fr.csv",
          "hod_l3_spx_2017_subset.csv", "ivolatility_spx_2011-01-03_07.csv",
          "lean_goog_2015-12-24_1300et_snapshot.csv", "tda_msft_2021-05-17.json"}) {
        const auto file = std::filesystem::path(path).parent_path() / name;
        EXPECT_EQ(read_file(file.string()).skipped[Reason::out_of_line], 0U) << name;
    }
}

TEST(VendorFiles, BrokerJsonInOurUnits) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "tda_msft_2021-05-17.json");
    const auto report = read_file(path);
    const Chain& chain = report.chains.at(0);
    EXPECT_EQ(chain.symbol, "MSFT");
    EXPECT_EQ(chain.source, "tda_json");
    EXPECT_EQ(chain.size(), 380U);
    EXPECT_EQ(chain.expiries.size(), 19U);
    EXPECT_EQ(chain.spot, 245.375);
    EXPECT_DOUBLE_EQ(chain.vendor_rate, 0.001);
    EXPECT_EQ(chain.as_of_date, 20210517);
    EXPECT_NEAR(static_cast<double>(chain.as_of - new_york_moment(20210517, kCloseMinute)), 0,
                60'000);
    EXPECT_EQ(report.flagged[Reason::stale], 0U);

    const auto put = row_of(chain, 20230616, 245, Right::put);
    EXPECT_EQ(chain.bid[put], 36.5);
    EXPECT_EQ(chain.ask[put], 39.9);
    EXPECT_EQ(chain.last[put], 38.0);
    EXPECT_DOUBLE_EQ(chain.vendor_iv[put], 0.27006);
    EXPECT_EQ(chain.vendor_delta[put], -0.423);
    EXPECT_EQ(chain.vendor.gamma[put], 0.004);
    EXPECT_DOUBLE_EQ(chain.vendor.theta[put], -0.025 * 365);
    EXPECT_DOUBLE_EQ(chain.vendor.vega[put], 137.9);
    EXPECT_DOUBLE_EQ(chain.vendor.rho[put], -295.0);
    EXPECT_EQ(chain.volume[put], 1U);
    EXPECT_EQ(chain.open_interest[put], 138U);
    EXPECT_EQ(chain.quoted[put], 1621281583518);

    const auto none = row_of(chain, 20210521, 257.5, Right::put);
    EXPECT_TRUE(std::isnan(chain.vendor_iv[none])) << "\"NaN\" in the file";
    EXPECT_TRUE(std::isnan(chain.vendor_delta[none]));
    EXPECT_TRUE(std::isnan(chain.vendor.theta[none]));
    EXPECT_EQ(std::count_if(chain.vendor_iv.begin(), chain.vendor_iv.end(),
                            [](double iv) { return std::isnan(iv); }),
              6);
}

TEST(VendorFiles, HistoricalL3GivesAChainPerDay) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "hod_l3_spx_2017_subset.csv");
    const auto report = read_file(path);
    EXPECT_EQ(report.rows, 392U);
    EXPECT_EQ(report.contracts, 392U);
    ASSERT_EQ(report.chains.size(), 96U);
    const Chain& chain = report.chains[0];
    EXPECT_EQ(chain.symbol, "SPX");
    EXPECT_EQ(chain.style, ExerciseStyle::european);
    EXPECT_EQ(chain.as_of, new_york_moment(20170103, kCloseMinute));
    EXPECT_EQ(chain.spot, 2257.83);
    ASSERT_EQ(chain.expiries.size(), 1U);
    EXPECT_EQ(chain.expiries[0].settlement, Settlement::am);
    const auto call = row_of(chain, 20170317, 300, Right::call);
    EXPECT_EQ(chain.bid[call], 1945.3);
    EXPECT_EQ(chain.ask[call], 1950.1);
    EXPECT_EQ(chain.last[call], 1848.1);
    EXPECT_EQ(chain.vendor_iv[call], 0.1844);
    EXPECT_EQ(chain.vendor_delta[call], 0.9967);
    EXPECT_EQ(chain.vendor.theta[call], 34.053000000000004) << "per year as it stands";
    EXPECT_TRUE(chain.vendor.rho.empty());
    EXPECT_EQ(report.flagged[Reason::one_sided], 91U);
}

struct GreekDifferences {
    std::vector<double> delta, gamma, vega, theta, rho;
};

// Black-Scholes-Merton at the vendor's volatility, on its spot and its forward. The vendor counts whole
// days in some files.
void compare(const Chain& chain, std::size_t i, double rate, double years, double forward,
             GreekDifferences& out) {
    const double yield = rate - std::log(forward / chain.spot) / years;
    const auto ours = pricing::bsm_greeks(
        pricing::BsmInputs{chain.spot, chain.strike[i], rate, yield, years, chain.vendor_iv[i]},
        chain.right[i]);
    const auto relative = [](double a, double b) { return std::fabs(a / b - 1); };
    out.delta.push_back(std::fabs(ours.delta - chain.vendor_delta[i]));
    if (chain.vendor.gamma[i] > 0) out.gamma.push_back(relative(ours.gamma, chain.vendor.gamma[i]));
    out.vega.push_back(relative(ours.vega, chain.vendor.vega[i]));
    if (chain.vendor.theta[i] != 0)
        out.theta.push_back(relative(ours.theta, chain.vendor.theta[i]));
    if (!chain.vendor.rho.empty()) out.rho.push_back(relative(ours.rho, chain.vendor.rho[i]));
}

// Measured: medians 0.0003 (delta), 0.14 %, 0.19 %, 0.43 %, 0.21 %; nine in ten below 0.0021, 0.47 %,
// 0.46 %, 3.5 % (theta has six digits per day), 0.46 %.
TEST(VendorAgreement, IvolatilityGreeks) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "ivolatility_spx_2011-01-03_07.csv");
    GreekDifferences found;
    for (const auto& chain : read_file(path).chains) {
        for (std::size_t i = 0; i < chain.size(); ++i) {
            const auto& expiry = chain.expiries[chain.expiry[i]];
            const double years =
                static_cast<double>(expiry.moment - chain.as_of) / (365.0 * 86'400'000.0);
            if (std::isnan(chain.vendor_iv[i]) || years < 0.1 || years > 1) continue;
            compare(chain, i, 0.003, years, expiry.vendor_forward, found);
        }
    }
    EXPECT_GT(found.delta.size(), 4000U);
    EXPECT_LE(quantile(found.delta, 0.9), 0.003);
    EXPECT_LE(quantile(found.gamma, 0.9), 0.006);
    EXPECT_LE(quantile(found.vega, 0.9), 0.006);
    EXPECT_LE(quantile(found.theta, 0.5), 0.006);
    EXPECT_LE(quantile(found.theta, 0.9), 0.05);
    EXPECT_LE(quantile(found.rho, 0.9), 0.006);
}

// The file has the lowest strikes only. Its volatilities are of a curve, not of its quotes (0.25 where
// the quotes of a put at 1650 say 0.29), so that Greeks are compared at the vendor's own volatility, with
// its rate, which its deep calls give away (1.02 % to 1.19 %). What dividends it took is not in the file:
// none are taken here, and so far from the money that moves vega and theta by some per cent. Measured:
// delta within 0.001, nine in ten vegas within 9.4 %, thetas within 12.8 %; a wrong unit would be a
// factor of 100 or 365.
TEST(VendorAgreement, HistoricalL3Greeks) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "hod_l3_spx_2017_subset.csv");
    GreekDifferences found;
    std::size_t calls = 0;
    for (const auto& chain : read_file(path).chains) {
        for (std::size_t i = 0; i < chain.size(); ++i) {
            const auto& expiry = chain.expiries[chain.expiry[i]];
            const double years = days_between(chain.as_of_date, expiry.date) / 365.0;
            if (chain.right[i] == Right::put && chain.vendor.vega[i] > 0.1) {
                compare(chain, i, 0.0116, years, chain.spot * std::exp(0.0116 * years), found);
            }
            // A call that is as good as the underlying: theta is -r K e^(-rT).
            if (chain.vendor_delta[i] == 1.0 && chain.vendor.theta[i] < 0) {
                ++calls;
                EXPECT_NEAR(-chain.vendor.theta[i] / chain.strike[i], 0.011, 0.0015);
            }
        }
    }
    EXPECT_GT(calls, 50U);
    EXPECT_GT(found.vega.size(), 30U);
    EXPECT_LE(quantile(found.delta, 1.0), 0.0012);
    EXPECT_LE(quantile(found.vega, 0.9), 0.11);
    EXPECT_LE(quantile(found.theta, 0.9), 0.15);
    RecordProperty("vega_p90", std::to_string(quantile(found.vega, 0.9)));
    RecordProperty("theta_p90", std::to_string(quantile(found.theta, 0.9)));
    RecordProperty("rows", std::to_string(found.vega.size()));
}

TEST(VendorFiles, AWholeFolderIsRead) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "tda_msft_2021-05-17.json");
    const auto report = read_chains(std::filesystem::path(path).parent_path().string());
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_GE(report->files, 7U);
    EXPECT_TRUE(report->files_failed.empty());
    for (const auto& chain : report->chains) {
        ASSERT_TRUE(decode_snapshot(encode_snapshot(chain)).ok()) << chain.source;
    }
}

}  // namespace
}  // namespace scanmq::market
