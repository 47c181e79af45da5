// American chains: what price_chain makes of quotes that carry a right to early exercise.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "scanner/market/early_exercise.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/pricing/cash_dividends.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

using pricing::IvStatus;
using testing::price;
using testing::quantile;

// A chain whose quotes are American values plus and minus half a spread.
struct Truth {
    double spot = 100.0;
    double rate = 0.045;
    double yield = 0.0;
    double volatility = 0.25;
    double half_spread = 0.01;
    std::vector<YearMonthDay> dates{20240621, 20240719, 20240920, 20250117, 20250620};
    std::vector<CashDividend> dividends;
    bool calls = true;
    double header = 97.0;  // stale

    [[nodiscard]] static WallMillis as_of() { return testing::model_chain_moment(); }
    [[nodiscard]] static double years_to(WallMillis moment) {
        return static_cast<double>(moment - as_of()) / 365.0 / static_cast<double>(kMillisPerDay);
    }
    [[nodiscard]] Chain chain() const {
        std::vector<pricing::CashDividend> paid;
        for (const auto& dividend : dividends) {
            paid.push_back({years_to(dividend.ex_moment), dividend.amount});
        }
        return testing::model_chain(
            ExerciseStyle::american, header, dates, half_spread,
            [&](YearMonthDay date, double strike, Right right) {
                if (right == Right::call && !calls) return kMissing;
                const double years = years_to(new_york_moment(date, close_minute(date)));
                return pricing::american_price({spot, strike, rate, yield, years, volatility}, paid,
                                               right);
            });
    }
};

bool out_of_the_money(const Chain& chain, std::size_t i, double forward) {
    return chain.right[i] == (chain.strike[i] >= forward ? Right::call : Right::put);
}

// How far the out-of-the-money volatilities near the money are from the truth.
double volatility_miss(const PricedChain& priced, double truth) {
    const Chain& chain = *priced.chain;
    double miss = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const double forward = priced.expiries[chain.expiry[i]].forward;
        if (priced.iv_status[i] != IvStatus::ok || !out_of_the_money(chain, i, forward) ||
            std::fabs(std::log(chain.strike[i] / forward)) > 0.15 || chain.bid[i] < 0.2) {
            continue;
        }
        miss = std::max(miss, std::fabs(priced.iv[i] - truth));
        ++count;
    }
    EXPECT_GT(count, 10U);
    return miss;
}

TEST(AmericanChain, SpotRateForwardAndVolatilityComeOutOfTheQuotes) {
    const Truth truth;
    const auto priced = price(truth.chain());
    EXPECT_TRUE(priced.spot_is_implied) << "the header's is stale";
    EXPECT_NEAR(priced.spot, truth.spot, 0.02);
    EXPECT_NEAR(priced.rate, truth.rate, 0.003);
    for (const auto& market : priced.expiries) {
        EXPECT_NEAR(market.forward, truth.spot * std::exp(truth.rate * market.years), 0.05);
        EXPECT_NEAR(market.yield, 0.0, 0.004);
        EXPECT_NEAR(market.atm_volatility, truth.volatility, 0.002);
        EXPECT_TRUE(market.smile_report.arbitrage_free);
    }
    EXPECT_LT(volatility_miss(priced, truth.volatility), 0.003);
}

TEST(AmericanChain, AYieldIsFound) {
    Truth truth;
    truth.yield = 0.06;
    truth.header = 100.0;
    const auto priced = price(truth.chain(), {.rate = truth.rate, .spot = truth.spot});
    EXPECT_FALSE(priced.spot_is_implied);
    EXPECT_EQ(priced.rate_source, RateSource::given);
    for (const auto& market : priced.expiries) {
        EXPECT_NEAR(market.yield, truth.yield, 0.0003 / market.years);
    }
    EXPECT_LT(volatility_miss(priced, truth.volatility), 0.002);
}

TEST(AmericanChain, GreeksAreAmericanAndReproduceTheMid) {
    Truth truth;
    truth.header = 100.0;
    const auto priced = price(truth.chain(), {.rate = truth.rate});
    const Chain& chain = *priced.chain;
    std::size_t ok = 0;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        if (priced.iv_status[i] != IvStatus::ok) {
            EXPECT_TRUE(std::isnan(priced.iv[i]));
            continue;
        }
        ++ok;
        EXPECT_NEAR(priced.greeks[i].price, 0.5 * (chain.bid[i] + chain.ask[i]), 1e-4) << i;
        EXPECT_LE(std::fabs(priced.greeks[i].delta), 1.0 + 1e-9);
        EXPECT_GE(priced.greeks[i].vega, -1e-9);
    }
    EXPECT_GT(ok, chain.size() / 2);
}

TEST(AmericanChain, KnownDividendsMakeSpotAndForwardsAgree) {
    Truth truth;
    truth.dividends = {{new_york_moment(20240614, kOpenMinute), 1.0},
                       {new_york_moment(20240912, kOpenMinute), 1.0},
                       {new_york_moment(20241212, kOpenMinute), 1.0}};
    PricingOptions options;
    options.rate = truth.rate;
    options.dividends = truth.dividends;
    const auto priced = price(truth.chain(), options);
    EXPECT_NEAR(priced.spot, truth.spot, 0.03);
    for (const auto& market : priced.expiries) EXPECT_NEAR(market.yield, 0.0, 0.02) << market.dte;
    EXPECT_LT(volatility_miss(priced, truth.volatility), 0.004);
    // What is past or no amount does not count.
    options.dividends.push_back({Truth::as_of() - 1, 50.0});
    options.dividends.push_back({Truth::as_of() + 1000, kMissing});
    options.dividends.push_back({Truth::as_of() + 1000, -1.0});
    EXPECT_EQ(price(truth.chain(), options).spot, priced.spot);
    // Dividends worth more than the spot leave nothing to price on.
    options.spot = 1.0;
    const auto absurd = price(truth.chain(), options);
    EXPECT_TRUE(std::none_of(absurd.iv_status.begin(), absurd.iv_status.end(),
                             [](IvStatus status) { return status == IvStatus::ok; }));
}

TEST(AmericanChain, ShortQuotesThatSettleNoRateTakeTheForwardsGrowth) {
    Truth truth;
    truth.dates = {20240614, 20240628};
    truth.half_spread = 0.08;
    const auto priced = price(truth.chain());
    EXPECT_GE(priced.rate, 0.0);
    EXPECT_LE(priced.rate, 0.15);
    EXPECT_EQ(priced.rate_source, RateSource::carried);
    truth.dates = {20240614};
    const auto one = price(truth.chain());
    EXPECT_EQ(one.rate, 0.0) << "one forward grows by nothing";
    EXPECT_EQ(one.rate_source, RateSource::assumed);
}

TEST(AmericanChain, TheVendorsRateIsUsedWhereQuotesGiveNone) {
    Truth truth;
    truth.calls = false;
    truth.header = truth.spot;
    auto chain = truth.chain();
    EXPECT_EQ(price(chain).rate_source, RateSource::assumed);
    EXPECT_EQ(price(chain).rate, 0.0);
    chain.vendor_rate = truth.rate;
    const auto priced = price(chain);
    EXPECT_EQ(priced.rate_source, RateSource::vendor);
    EXPECT_EQ(priced.rate, truth.rate);
    EXPECT_NEAR(priced.expiries[4].forward,
                truth.spot * std::exp(truth.rate * priced.expiries[4].years), 1e-9);
    EXPECT_LT(volatility_miss(priced, truth.volatility), 0.003);
    EXPECT_EQ(price(chain, {.rate = 0.01}).rate_source, RateSource::given);
    chain.vendor_rate = 29.0;  // no rate of a market
    EXPECT_EQ(price(chain).rate_source, RateSource::assumed);
    truth.calls = true;
    auto both = truth.chain();
    both.vendor_rate = 0.20;
    EXPECT_EQ(price(both).rate_source, RateSource::fitted) << "parity comes first";
    EXPECT_NEAR(price(both).rate, truth.rate, 0.01);
}

TEST(AmericanChain, ContractsBeyondTheLimitAreLeftUnpriced) {
    Chain head;
    head.symbol = head.source = "XYZ";
    head.as_of = Truth::as_of();
    head.as_of_date = 20240610;
    head.spot = 100.0;
    head.style = ExerciseStyle::american;
    ChainBuilder builder;
    for (const YearMonthDay date : {20240621, 20240719}) {
        const int strikes = date == 20240621 ? 20 : static_cast<int>(kAmericanContractsMax) / 2;
        for (int i = 0; i < strikes; ++i) {
            const double strike = 50.0 + 100.0 * i / strikes;
            for (const auto right : {Right::call, Right::put}) {
                const double inside = right == Right::call ? 100.0 - strike : strike - 100.0;
                ChainBuilder::Row row;
                row.strike = strike;
                row.right = right;
                row.bid = std::max(inside, 0.0) + 1.0;
                row.ask = row.bid + 0.1;
                row.expiry = builder.expiry("XYZ", date, Settlement::pm);
                builder.add(row);
            }
        }
    }
    std::uint64_t duplicates = 0;
    const auto priced = price(builder.finish(std::move(head), duplicates));
    EXPECT_GT(priced.expiries[0].atm_volatility, 0.0);
    EXPECT_TRUE(std::isnan(priced.expiries[1].forward));
    EXPECT_NE(priced.expiries[1].problem.find("50000"), std::string::npos);
    EXPECT_EQ(priced.iv_status.back(), IvStatus::no_forward);
}

TEST(AmericanChain, ACancelledOneEndsWithoutVolatilities) {
    const std::atomic<bool> cancel{true};
    PricingOptions options;
    options.cancel = &cancel;
    const auto priced = price(Truth{}.chain(), options);
    EXPECT_TRUE(
        std::all_of(priced.iv.begin(), priced.iv.end(), [](double iv) { return std::isnan(iv); }));
}

TEST(AmericanChain, ForwardsAreOnTheChainsSpot) {
    for (const auto& market : price(Truth{}.chain()).expiries) EXPECT_FALSE(market.has_own_spot);
}

TEST(AmericanChain, OneSideAloneIsPricedOnTheSpot) {
    Truth truth;
    truth.calls = false;
    truth.header = truth.spot;
    const auto priced = price(truth.chain(), {.rate = truth.rate});
    EXPECT_EQ(priced.spot, truth.spot);
    EXPECT_FALSE(priced.spot_is_implied);
    for (const auto& market : priced.expiries) {
        EXPECT_TRUE(market.forward_is_carried);
        EXPECT_NEAR(market.forward, truth.spot * std::exp(truth.rate * market.years), 1e-9);
        EXPECT_EQ(market.problem, "");
    }
    EXPECT_LT(volatility_miss(priced, truth.volatility), 0.003);
    truth.header = kMissing;
    const auto blind = price(truth.chain());
    EXPECT_TRUE(std::isnan(blind.expiries[0].forward));
    EXPECT_NE(blind.expiries[0].problem, "");
    EXPECT_FALSE(price(truth.chain(), {.spot = 100.0}).expiries[0].problem.size());
}

TEST(AmericanChain, QuotesThatAreNoNumbersGetAStatus) {
    auto chain = Truth{}.chain();
    for (std::size_t i = 0; i < chain.size(); ++i) {
        if (i % 3 == 0) chain.bid[i] = kMissing;
        if (i % 5 == 0) chain.ask[i] = i % 2 == 0 ? kMissing : 1e300;
        if (i % 7 == 0) chain.bid[i] = -1.0;
    }
    const auto priced = price(chain);
    for (std::size_t i = 0; i < chain.size(); ++i) {
        EXPECT_EQ(std::isnan(priced.iv[i]), priced.iv_status[i] != IvStatus::ok) << i;
    }
    for (auto& bid : chain.bid) bid = kMissing;
    const auto none = price(chain);
    EXPECT_NE(none.expiries[0].problem, "");
    EXPECT_TRUE(price(Chain{}).expiries.empty());
}

TEST(AmericanChain, OneStrikeIsPriced) {
    Truth truth;
    truth.dates = {20240719};
    auto whole = truth.chain();
    Chain head;
    head.symbol = "XYZ";
    head.as_of = Truth::as_of();
    head.as_of_date = 20240610;
    head.style = ExerciseStyle::american;
    ChainBuilder builder;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        if (whole.strike[i] != 100.0) continue;
        ChainBuilder::Row row;
        row.strike = 100.0;
        row.right = whole.right[i];
        row.bid = whole.bid[i];
        row.ask = whole.ask[i];
        row.expiry = builder.expiry("XYZ", 20240719, Settlement::pm);
        builder.add(row);
    }
    std::uint64_t duplicates = 0;
    const auto priced = price(builder.finish(std::move(head), duplicates));
    EXPECT_EQ(priced.iv_status.at(0), IvStatus::ok);
    EXPECT_NEAR(priced.iv[0], truth.volatility, 0.02);
    EXPECT_EQ(priced.expiries[0].smile_report.status, SmileStatus::few_quotes);
}

TEST(RateInputs, ACurveIsLinearBetweenItsPointsAndFlatOutside) {
    PricingOptions options;
    options.rate_curve = {{1.0, 0.05}, {0.5, 0.04}, {kMissing, 0.5}, {2.0, kMissing}};
    const auto priced = price(Truth{}.chain(), options);
    EXPECT_EQ(priced.rate_source, RateSource::given);
    EXPECT_EQ(priced.rate, 0.05);
    for (const auto& market : priced.expiries) {
        const double wanted = market.years < 0.5   ? 0.04
                              : market.years > 1.0 ? 0.05
                                                   : 0.04 + 0.02 * (market.years - 0.5);
        EXPECT_NEAR(market.rate, wanted, 1e-12);
    }
}

TEST(EarlyExercise, PresentValueAndImpliedYield) {
    const std::vector<pricing::CashDividend> dividends{{0.25, 1.0}, {0.75, 2.0}};
    EXPECT_NEAR(present_value(dividends, 0.04, 0.5), std::exp(-0.01), 1e-12);
    EXPECT_NEAR(present_value(dividends, 0.04, 1.0), std::exp(-0.01) + 2 * std::exp(-0.03), 1e-12);
    const double paid = present_value(dividends, 0.04, 1.0);
    const double forward = (100.0 - paid) * std::exp(0.04 - 0.013);
    EXPECT_NEAR(implied_yield(forward, {{100.0, 0.04, 0.0, 1.0}, dividends}), 0.013, 1e-12);
    EXPECT_TRUE(std::isnan(implied_yield(forward, {{2.0, 0.04, 0.0, 1.0}, dividends})));
    const std::vector<ForwardPoint> points{{0.5, 100 * std::exp(0.02)},
                                           {1.0, 100 * std::exp(0.04)}};
    EXPECT_NEAR(carry_rate(points), 0.04, 1e-12);
    EXPECT_EQ(carry_rate(std::span(points).first(1)), 0.0);
    const std::vector<ForwardPoint> same{{0.5, 100}, {0.5, 101}};
    EXPECT_EQ(carry_rate(same), 0.0);
}

// ---- agreement with vendors, on real quotes ----

// How far ours are from the vendor's: out of the money, |ln K/F| < 0.15.
struct Misses {
    std::vector<double> iv;
    std::vector<double> delta;
    std::vector<double> gamma;  // relative
    std::vector<double> vega;   // relative
};
Misses vendor_misses(const PricedChain& priced, double years_min, double years_max) {
    const Chain& chain = *priced.chain;
    Misses out;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const auto& market = priced.expiries[chain.expiry[i]];
        if (priced.iv_status[i] != IvStatus::ok || !(chain.vendor_iv[i] > 0) ||
            market.years <= years_min || market.years >= years_max ||
            !out_of_the_money(chain, i, market.forward) ||
            std::fabs(std::log(chain.strike[i] / market.forward)) >= 0.15) {
            continue;
        }
        out.iv.push_back(std::fabs(priced.iv[i] - chain.vendor_iv[i]));
        out.delta.push_back(std::fabs(priced.greeks[i].delta - chain.vendor_delta[i]));
        // Four digits at best.
        if (!chain.vendor.gamma.empty() && chain.vendor.gamma[i] > 0.01) {
            out.gamma.push_back(std::fabs(priced.greeks[i].gamma / chain.vendor.gamma[i] - 1.0));
        }
        if (!chain.vendor.vega.empty() && chain.vendor.vega[i] > 10.0) {
            out.vega.push_back(std::fabs(priced.greeks[i].vega / chain.vendor.vega[i] - 1.0));
        }
    }
    return out;
}
void record(const char* what, const std::vector<double>& misses) {
    ::testing::Test::RecordProperty(std::string(what) + "_p50",
                                    std::to_string(quantile(misses, 0.5)));
    ::testing::Test::RecordProperty(std::string(what) + "_p90",
                                    std::to_string(quantile(misses, 0.9)));
}

// The page is stamped 18:55, its quotes are of the close: with the stamp for a moment the volatilities
// of a week were 0.006 too high (7.00 days taken for 6.88). What is left is the vendor's: at one strike its call
// has a volatility 0.0035 above its put's, which is a spot 0.04 below the one that its own quotes agree on, and
// its gammas and deltas are those of 7.05 days, which is 0.0016.
TEST(VendorAgreement, Tesla) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_tsla_2023-11-10_quotedata_fr.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto priced = price(std::move(report->chains.at(0)));
    EXPECT_GE(priced.rate, 0.0);
    EXPECT_LE(priced.rate, 0.10);
    EXPECT_TRUE(priced.spot_is_implied) << "the header's is from after the close";
    EXPECT_NEAR(priced.spot, 214.7, 0.3);
    EXPECT_EQ(priced.expiries[0].problem, "expired");
    const auto misses = vendor_misses(priced, 0.0, 1.0);
    EXPECT_GT(misses.iv.size(), 40U);
    record("iv", misses.iv);
    record("delta", misses.delta);
    record("gamma", misses.gamma);
    EXPECT_LE(quantile(misses.iv, 0.9), 0.0035);
    EXPECT_LE(quantile(misses.delta, 0.9), 0.005);
    EXPECT_LE(quantile(misses.gamma, 0.9), 0.015);

    const Chain& chain = *priced.chain;
    std::vector<double> theirs;  // call less put of a strike
    std::vector<double> ours;
    for (std::size_t e = 1; e < chain.expiries.size(); ++e) {
        const auto& expiry = chain.expiries[e];
        for (std::size_t c = expiry.call_begin; c < expiry.put_begin; ++c) {
            const std::size_t p = c - expiry.call_begin + expiry.put_begin;
            ASSERT_EQ(chain.strike[c], chain.strike[p]);
            if (std::fabs(std::log(chain.strike[c] / priced.expiries[e].forward)) > 0.04 ||
                !(chain.vendor_iv[c] > 0) || !(chain.vendor_iv[p] > 0)) {
                continue;
            }
            theirs.push_back(chain.vendor_iv[c] - chain.vendor_iv[p]);
            ours.push_back(priced.iv[c] - priced.iv[p]);
        }
    }
    EXPECT_GT(theirs.size(), 10U);
    RecordProperty("call_less_put_theirs", std::to_string(quantile(theirs, 0.5)));
    RecordProperty("call_less_put_ours", std::to_string(quantile(ours, 0.5)));
    EXPECT_GT(quantile(theirs, 0.5), 0.002);
    EXPECT_NEAR(quantile(ours, 0.5), 0.0, 0.001);
}

// The broker's file says 0.1 %: puts alone, so that parity says nothing.
TEST(VendorFiles, TheBrokersRateIsUsed) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "tda_msft_2021-05-17.json");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto priced = price(std::move(report->chains.at(0)));
    EXPECT_EQ(priced.rate_source, RateSource::vendor);
    EXPECT_DOUBLE_EQ(priced.rate, 0.001);
    const auto& last = priced.expiries.back();
    EXPECT_NEAR(last.forward, priced.spot * std::exp(0.001 * last.years), 1e-9);
}

// The broker counts 0.6 of a day more to every expiry than there is: its vega, gamma and volatility
// together say so, vega/(gamma S^2 sigma) = T. At four days that is 7 % of a volatility. On its clock the
// volatilities agree.
TEST(VendorAgreement, MicrosoftOfTheBroker) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "tda_msft_2021-05-17.json");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const Chain chain = std::move(report->chains.at(0));
    PricingOptions options;
    options.rate = 0.001;  // the file's
    // With the later ones ours are below the broker's by up to 0.005: it knows of the next one only.
    options.dividends = {{new_york_moment(20210519, kOpenMinute), 0.56}};
    const auto priced = price(chain, options);
    EXPECT_EQ(priced.spot, 245.375);
    EXPECT_TRUE(priced.expiries[0].forward_is_carried) << "puts alone";
    for (const auto& market : priced.expiries) {
        EXPECT_NE(market.smile_report.status, SmileStatus::none) << market.dte;
    }
    std::vector<double> extra_days;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const double years = priced.expiries[chain.expiry[i]].years;
        if (years > 0.16 || !(chain.vendor.gamma[i] >= 0.02) || !(chain.vendor_iv[i] > 0)) continue;
        const double theirs = chain.vendor.vega[i] / (chain.vendor.gamma[i] * chain.spot *
                                                      chain.spot * chain.vendor_iv[i]);
        extra_days.push_back((theirs - years) * 365.0);
    }
    EXPECT_GT(extra_days.size(), 40U);
    EXPECT_NEAR(quantile(extra_days, 0.5), 0.62, 0.15);
    const auto misses = vendor_misses(priced, 0.01, 1.0);
    EXPECT_GT(misses.iv.size(), 50U);
    record("iv", misses.iv);
    EXPECT_LE(quantile(misses.iv, 0.9), 0.015);

    options.as_of = chain.as_of - static_cast<WallMillis>(0.62 * kMillisPerDay);
    const auto theirs = vendor_misses(price(chain, options), 0.01, 1.0);
    record("iv_on_their_clock", theirs.iv);
    record("delta_on_their_clock", theirs.delta);
    record("gamma_on_their_clock", theirs.gamma);
    record("vega_on_their_clock", theirs.vega);
    RecordProperty("extra_days", std::to_string(quantile(extra_days, 0.5)));
    EXPECT_LE(quantile(theirs.iv, 0.9), 0.0045);
    EXPECT_LE(quantile(theirs.delta, 0.9), 0.003);
    EXPECT_LE(quantile(theirs.gamma, 0.9), 0.035);
    EXPECT_LE(quantile(theirs.vega, 0.9), 0.006);
}

TEST(VendorAgreement, GoogleOnAnEarlyClose) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "lean_goog_2015-12-24_1300et_snapshot.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto priced = price(std::move(report->chains.at(0)));
    const Chain& chain = *priced.chain;
    EXPECT_EQ(chain.expiries[0].date, 20151224);
    EXPECT_EQ(chain.expiries[0].moment, new_york_moment(20151224, 13 * 60));
    EXPECT_EQ(priced.expiries[0].problem, "expired");
    EXPECT_EQ(priced.iv_status[chain.expiries[0].call_begin], IvStatus::expired);
    EXPECT_NEAR(priced.spot, 748.40, 0.75);
    EXPECT_GE(priced.rate, 0.0);
    EXPECT_LE(priced.rate, 0.02);
    for (std::size_t e = 1; e < priced.expiries.size(); ++e) {
        const auto& market = priced.expiries[e];
        EXPECT_GT(market.atm_volatility, 0.12) << chain.expiries[e].date;
        EXPECT_LT(market.atm_volatility, 0.32) << chain.expiries[e].date;
        EXPECT_TRUE(market.smile_report.arbitrage_free);
        EXPECT_LT(market.smile_report.rms_error, 0.01) << chain.expiries[e].date;
    }
    // Calls and puts of one strike agree on the volatility: nothing but early exercise is between them.
    std::vector<double> gaps;
    for (std::size_t e = 1; e < chain.expiries.size(); ++e) {
        const auto& expiry = chain.expiries[e];
        for (std::size_t c = expiry.call_begin; c < expiry.put_begin; ++c) {
            for (std::size_t p = expiry.put_begin; p < expiry.end; ++p) {
                if (chain.strike[p] != chain.strike[c] || std::isnan(priced.iv[c]) ||
                    std::isnan(priced.iv[p]) ||
                    std::fabs(std::log(chain.strike[c] / priced.expiries[e].forward)) > 0.05) {
                    continue;
                }
                gaps.push_back(std::fabs(priced.iv[c] - priced.iv[p]));
            }
        }
    }
    EXPECT_GT(gaps.size(), 100U);
    EXPECT_LE(quantile(gaps, 0.5), 0.004);
}

TEST(VendorAgreement, MicrosoftWithoutASpot) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "optionlab_msft_2021-11-22.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto priced = price(std::move(report->chains.at(0)));
    EXPECT_TRUE(priced.spot_is_implied);
    EXPECT_NEAR(priced.spot, 342.3, 0.3);
    for (const auto& market : priced.expiries) {
        EXPECT_TRUE(market.smile_report.arbitrage_free);
        EXPECT_GT(market.skew, 0.0) << market.dte;
    }
}

}  // namespace
}  // namespace scanmq::market
