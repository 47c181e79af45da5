#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "scanner/market/priced_chain.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/market/smile_arbitrage.hpp"
#include "scanner/pricing/normal.hpp"
#include "scanner/strategy/distribution.hpp"
#include "support.hpp"

namespace scanmq::market {
namespace {

using pricing::IvStatus;
using testing::price;
using testing::quantile;

// A European chain whose quotes are Black's values plus and minus half a spread.
struct Truth {
    double spot = 100.0;
    double rate = 0.045;
    double yield = 0.012;
    double volatility = 0.22;
    double half_spread = 0.02;
    std::vector<YearMonthDay> dates{20240621, 20240719, 20240920, 20250117, 20250620};
    ExerciseStyle style = ExerciseStyle::european;

    [[nodiscard]] double years(YearMonthDay date) const {
        return static_cast<double>(new_york_moment(date, kCloseMinute) - as_of()) / 365.0 /
               kMillisPerDay;
    }
    [[nodiscard]] static WallMillis as_of() { return testing::model_chain_moment(); }
    [[nodiscard]] double forward(YearMonthDay date) const {
        return spot * std::exp((rate - yield) * years(date));
    }
    [[nodiscard]] Chain chain() const {
        return testing::model_chain(
            style, spot, dates, half_spread, [this](YearMonthDay date, double strike, Right right) {
                return pricing::black_price(
                    {forward(date), strike, volatility, years(date), std::exp(-rate * years(date))},
                    right);
            });
    }
};

TEST(PriceChain, RecoversCurveForwardAndVolatility) {
    const Truth truth;
    const auto priced = price(truth.chain());
    EXPECT_NEAR(priced.rate, truth.rate, 2e-4);
    EXPECT_EQ(priced.rate_source, RateSource::fitted);
    for (std::size_t e = 0; e < truth.dates.size(); ++e) {
        const auto& market = priced.expiries[e];
        EXPECT_NEAR(market.years, truth.years(truth.dates[e]), 1e-12);
        EXPECT_NEAR(market.forward, truth.forward(truth.dates[e]), 0.01) << e;
        EXPECT_NEAR(market.discount, std::exp(-truth.rate * market.years), 3e-4) << e;
        EXPECT_NEAR(market.spot, market.forward * market.discount, 1e-12);
        EXPECT_NEAR(market.atm_volatility, truth.volatility, 5e-4) << e;
        EXPECT_TRUE(market.tradable);
        EXPECT_EQ(market.problem, "");
    }
    EXPECT_EQ(priced.expiries[0].dte, 11);
    EXPECT_EQ(priced.expiries[4].dte, 375);
}

// Delta e^(-qT) N(d1) and theta r V - (r - q) S delta - ..., with the yield that the forward implies: as
// for American chains, whose exercise is worth nothing far from expiry and without yield and rate.
TEST(PriceChain, GreeksHaveTheImpliedYield) {
    Truth truth;
    truth.yield = 0.03;
    const auto priced = price(truth.chain());
    EXPECT_EQ(priced.rate_source, RateSource::fitted);
    const Chain& chain = *priced.chain;
    std::size_t seen = 0;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const auto& market = priced.expiries[chain.expiry[i]];
        if (priced.iv_status[i] != IvStatus::ok) continue;
        ++seen;
        EXPECT_NEAR(market.yield, std::log(priced.spot / market.spot) / market.years, 1e-12);
        const auto expected = pricing::bsm_greeks(
            {priced.spot, chain.strike[i], market.rate, market.yield, market.years, priced.iv[i]},
            chain.right[i]);
        ASSERT_NEAR(priced.greeks[i].delta, expected.delta, 1e-12) << i;
        ASSERT_NEAR(priced.greeks[i].theta, expected.theta, 1e-9) << i;
        ASSERT_NEAR(priced.greeks[i].price, 0.5 * (chain.bid[i] + chain.ask[i]), 1e-9) << i;
    }
    EXPECT_GT(seen, 150U);
    EXPECT_NEAR(priced.expiries.back().yield, 0.03, 0.002);
    // The call far in the money is one unit of the spot less what it pays until then.
    const auto& last = chain.expiries.back();
    const auto& market = priced.expiries.back();
    EXPECT_NEAR(priced.greeks[last.call_begin].delta, std::exp(-market.yield * market.years), 0.05);
    EXPECT_LT(priced.greeks[last.call_begin].delta, std::exp(-market.yield * market.years));
}

TEST(PriceChain, VolatilityIndicesHaveAForwardOfTheirOwn) {
    Truth truth;
    auto chain = truth.chain();
    for (auto& expiry : chain.expiries) expiry.root = "VIX";
    const auto priced = price(std::move(chain));
    for (const auto& market : priced.expiries) {
        EXPECT_TRUE(market.has_own_spot);
        EXPECT_EQ(european_terms(priced, market).spot, market.spot);
        EXPECT_EQ(european_terms(priced, market).yield, 0.0);
    }
}

TEST(PriceChain, IvAndGreeksReproduceTheMid) {
    const Truth truth;
    const auto priced = price(truth.chain());
    std::size_t ok = 0;
    for (std::size_t i = 0; i < priced.chain->size(); ++i) {
        if (priced.iv_status[i] != IvStatus::ok) {
            EXPECT_TRUE(std::isnan(priced.iv[i])) << i;
            continue;
        }
        ++ok;
        const double mid = 0.5 * (priced.chain->bid[i] + priced.chain->ask[i]);
        EXPECT_NEAR(priced.greeks[i].price, mid, 1e-9) << i;
        const double sign = priced.chain->right[i] == Right::call ? 1 : -1;
        EXPECT_GE(priced.greeks[i].delta * sign, 0) << i;
        EXPECT_LE(priced.greeks[i].delta * sign, 1) << i;
    }
    EXPECT_GT(ok, priced.chain->size() / 2);
}

// A quote that tells no volatility does not take its spreads' Greeks away.
TEST(PriceChain, AQuoteWithoutAVolatilityHasGreeksAtTheSmiles) {
    const Truth truth;
    const auto priced = price(truth.chain());
    std::size_t told = 0;
    for (std::uint32_t e = 0; e < priced.expiries.size(); ++e) {
        const auto& market = priced.expiries[e];
        const auto& expiry = priced.chain->expiries[e];
        for (auto i = expiry.call_begin; i < expiry.end; ++i) {
            if (priced.iv_status[i] == IvStatus::ok) continue;
            const double volatility = greeks_volatility(priced, e, i);
            if (!market.tradable) {
                EXPECT_TRUE(std::isnan(volatility));
                EXPECT_TRUE(std::isnan(priced.greeks[i].delta));
                continue;
            }
            ++told;
            const double k = std::log(priced.chain->strike[i] / market.forward);
            EXPECT_DOUBLE_EQ(volatility, market.smile.volatility(k, market.years));
            const double value = pricing::black_price({market.forward, priced.chain->strike[i],
                                                       volatility, market.years, market.discount},
                                                      priced.chain->right[i]);
            EXPECT_NEAR(priced.greeks[i].price, value, 1e-9) << i;
            EXPECT_GE(priced.greeks[i].vega, 0.0);
        }
    }
    EXPECT_GT(told, 10U);
}

TEST(PriceChain, FlatQuotesGiveAFlatSmileAndItsMoves) {
    const Truth truth;
    const auto priced = price(truth.chain());
    for (const auto& market : priced.expiries) {
        EXPECT_EQ(market.smile_report.status, SmileStatus::fitted);
        EXPECT_TRUE(market.smile_report.arbitrage_free);
        EXPECT_TRUE(market.smile_report.calendar_free);
        EXPECT_FALSE(market.smile_report.atm_variance_falls);
        EXPECT_LT(market.smile_report.rms_error, 2e-3);
        EXPECT_NEAR(market.skew, 0.0, 2e-3);
        const double deviation = truth.volatility * std::sqrt(market.years);
        EXPECT_NEAR(market.move_1sd, priced.spot * deviation, 0.005 * priced.spot * deviation);
        // A straddle is worth 0.8 deviations at the money, and 2 (2 N(v/2) - 1) F D exactly.
        const double straddle = 2.0 * (2.0 * pricing::normal_cdf(0.5 * deviation) - 1.0);
        EXPECT_NEAR(market.move_straddle, 0.85 * straddle * market.forward * market.discount,
                    0.06 * market.move_straddle);
    }
}

TEST(PriceChain, TwoStrikesGiveAFlatSmile) {
    Chain head;
    head.symbol = "XYZ";
    head.as_of = Truth::as_of();
    head.as_of_date = 20240610;
    ChainBuilder builder;
    for (const double strike : {95.0, 105.0}) {
        for (const auto right : {Right::call, Right::put}) {
            ChainBuilder::Row row;
            row.strike = strike;
            row.right = right;
            const bool in = (right == Right::call) == (strike < 100);
            row.bid = in ? 6.0 : 1.0;
            row.ask = row.bid + 0.1;
            row.expiry = builder.expiry("XYZ", 20240719, Settlement::pm);
            builder.add(row);
        }
    }
    std::uint64_t duplicates = 0;
    const auto priced = price(builder.finish(head, duplicates));
    const auto& market = priced.expiries.at(0);
    EXPECT_EQ(market.smile_report.status, SmileStatus::few_quotes);
    EXPECT_TRUE(market.smile_report.arbitrage_free);
    EXPECT_GT(market.atm_volatility, 0.05);
    EXPECT_EQ(market.smile.b, 0.0);
    EXPECT_NEAR(market.smile.volatility(0.3, market.years), market.atm_volatility, 1e-12);
    EXPECT_TRUE(std::isnan(market.skew));
    EXPECT_TRUE(std::isnan(market.move_straddle)) << "no strike is at the money";
    EXPECT_GT(market.move_1sd, 0);
}

TEST(PriceChain, FallingVarianceIsFlagged) {
    Truth near;
    near.dates = {20240621};
    near.volatility = 0.60;
    Truth far;
    far.dates = {20240628};
    far.volatility = 0.20;
    auto chain = near.chain();
    const auto later = far.chain();
    // The near expiry's rows, then the far one's.
    const auto rows = static_cast<std::uint32_t>(chain.size());
    auto expiry = later.expiries[0];
    expiry.call_begin += rows;
    expiry.put_begin += rows;
    expiry.end += rows;
    chain.expiries.push_back(expiry);
    const auto append = [](auto& to, const auto& from) {
        to.insert(to.end(), from.begin(), from.end());
    };
    append(chain.strike, later.strike);
    append(chain.bid, later.bid);
    append(chain.ask, later.ask);
    append(chain.last, later.last);
    append(chain.vendor_iv, later.vendor_iv);
    append(chain.vendor_delta, later.vendor_delta);
    append(chain.volume, later.volume);
    append(chain.open_interest, later.open_interest);
    append(chain.right, later.right);
    chain.expiry.resize(chain.strike.size(), 1);
    const auto priced = price(std::move(chain));
    EXPECT_TRUE(priced.expiries[0].smile_report.calendar_free) << "there is none before it";
    EXPECT_TRUE(priced.expiries[1].smile_report.atm_variance_falls);
    EXPECT_FALSE(priced.expiries[1].smile_report.calendar_free);
    const double fall = 0.36 * priced.expiries[0].years - 0.04 * priced.expiries[1].years;
    EXPECT_NEAR(priced.expiries[1].smile_report.calendar_gap, fall, 0.1 * fall);
}

TEST(PriceChain, CurveIsJointNotASlopePerExpiry) {
    // Quotes of the nearest expiry whose parity slope is far off: the joint curve hardly moves.
    const Truth truth;
    auto chain = truth.chain();
    const auto& first = chain.expiries[0];
    for (std::size_t i = first.call_begin; i < first.put_begin; ++i) {
        const double tilt = 0.004 * (chain.strike[i] - truth.spot);
        chain.bid[i] = std::max(0.0, chain.bid[i] + tilt);
        chain.ask[i] = std::max(0.01, chain.ask[i] + tilt);
    }
    const auto priced = price(std::move(chain));
    EXPECT_NEAR(priced.expiries[0].rate, truth.rate, 0.004);
    EXPECT_NEAR(priced.expiries[2].rate, truth.rate, 0.001);
    EXPECT_NEAR(priced.rate, truth.rate, 5e-4);
}

TEST(PriceChain, RateCanBeGiven) {
    const auto priced = price(Truth{}.chain(), {.rate = 0.03});
    EXPECT_EQ(priced.rate_source, RateSource::given);
    EXPECT_EQ(priced.rate, 0.03);
    for (const auto& market : priced.expiries) EXPECT_NEAR(market.rate, 0.03, 1e-15);
}

TEST(PriceChain, ClockCanBeGiven) {
    const auto later = new_york_moment(20240621, 12 * 60);
    const auto priced = price(Truth{}.chain(), {.as_of = later});
    EXPECT_EQ(priced.expiries[0].dte, 0);
    EXPECT_NEAR(priced.expiries[0].years, 4.0 / 24 / 365, 1e-12);
    const auto expired = price(Truth{}.chain(), {.as_of = new_york_moment(20240621, kCloseMinute)});
    EXPECT_FALSE(expired.expiries[0].tradable);
    EXPECT_EQ(expired.expiries[0].problem, "expired");
    EXPECT_EQ(expired.iv_status[0], IvStatus::expired);
}

TEST(PriceChain, StaleSpotIsReplacedByParity) {
    Truth truth;
    truth.yield = 0;
    auto chain = truth.chain();
    chain.spot = 99.9;  // 10 bp off
    const auto stale = price(chain);
    EXPECT_TRUE(stale.spot_is_implied);
    EXPECT_NEAR(stale.spot, 100.0, 0.01);
    chain.spot = 100.03;  // 3 bp
    const auto close = price(chain);
    EXPECT_FALSE(close.spot_is_implied);
    EXPECT_EQ(close.spot, 100.03);
    chain.spot = kMissing;
    EXPECT_TRUE(price(chain).spot_is_implied);
}

TEST(PriceChain, EachQuoteHasItsStatus) {
    auto chain = Truth{}.chain();
    const std::size_t call = chain.expiries[0].call_begin + 12;  // strike 100
    chain.bid[call - 1] = 0;
    chain.ask[call] = 0;
    chain.bid[call + 1] = chain.ask[call + 1] + 0.01;
    chain.bid[call + 2] = kMissing;
    chain.bid[call + 3] = 60;
    chain.ask[call + 3] = 61;
    const std::size_t deep = chain.expiries[0].call_begin;  // strike 70
    chain.bid[deep] = 20;
    chain.ask[deep] = 21;
    const std::size_t put = chain.expiries[0].put_begin;
    chain.bid[put] = chain.ask[put] = 75;
    const auto priced = price(std::move(chain));
    EXPECT_EQ(priced.iv_status[call - 1], IvStatus::no_bid);
    EXPECT_EQ(priced.iv_status[call], IvStatus::no_ask);
    EXPECT_EQ(priced.iv_status[call + 1], IvStatus::crossed);
    EXPECT_EQ(priced.iv_status[call + 2], IvStatus::no_bid);
    EXPECT_EQ(priced.iv_status[call - 2], IvStatus::ok);
    EXPECT_EQ(priced.iv_status[deep], IvStatus::below_intrinsic);
    EXPECT_EQ(priced.iv_status[put], IvStatus::above_max);
    EXPECT_NEAR(priced.expiries[0].forward, Truth{}.forward(20240621), 0.02)
        << "bad quotes do not move it";
}

TEST(PriceChain, ExpiryWithoutPairsHasNoForward) {
    auto chain = Truth{}.chain();
    const auto& last = chain.expiries.back();
    for (std::size_t i = last.put_begin; i < last.end; ++i) chain.bid[i] = 0;
    const auto priced = price(std::move(chain));
    const auto& market = priced.expiries.back();
    EXPECT_TRUE(std::isnan(market.forward));
    EXPECT_TRUE(std::isnan(market.atm_volatility));
    EXPECT_NE(market.problem, "");
    EXPECT_NEAR(market.rate, Truth{}.rate, 1e-3) << "the curve still reaches it";
    EXPECT_EQ(priced.iv_status[priced.chain->expiries.back().call_begin], IvStatus::no_forward);
}

TEST(PriceChain, AmSettledRootIsNotTradableAfterThePreviousClose) {
    Chain head;
    head.symbol = "SPX";
    head.source = "test";
    head.as_of = new_york_moment(20230914, 16 * 60 + 31);
    head.as_of_date = 20230914;
    ChainBuilder builder;
    for (const auto* root : {"SPX", "SPXW"}) {
        ChainBuilder::Row row;
        row.strike = 4500;
        row.bid = 10;
        row.ask = 11;
        row.expiry =
            builder.expiry(root, 20230915, root[3] == 'W' ? Settlement::pm : Settlement::am);
        builder.add(row);
    }
    std::uint64_t duplicates = 0;
    const Chain chain = builder.finish(head, duplicates);
    const auto priced = price(chain);
    EXPECT_FALSE(priced.expiries[0].tradable);
    EXPECT_GT(priced.expiries[0].years, 0);
    EXPECT_EQ(priced.expiries[0].problem, "past its last trade");
    EXPECT_EQ(priced.iv_status[0], IvStatus::not_tradable);
    EXPECT_TRUE(priced.expiries[1].tradable);
    EXPECT_TRUE(
        price(chain, {.as_of = new_york_moment(20230914, kCloseMinute)}).expiries[0].tradable);
}

TEST(PriceChain, EmptyChainIsPriced) {
    Chain chain;
    chain.symbol = "NIL";
    chain.as_of = Truth::as_of();
    chain.as_of_date = 20240610;
    const auto priced = price(chain);
    EXPECT_TRUE(priced.expiries.empty());
    EXPECT_EQ(priced.rate, 0.0);
    EXPECT_TRUE(std::isnan(priced.spot));
}

// ---- agreement with vendors, on real quotes ----

bool out_of_the_money(const Chain& chain, std::size_t i, double forward) {
    return chain.right[i] == (chain.strike[i] >= forward ? Right::call : Right::put);
}

TEST(VendorAgreement, CboeSpxVolatilityAndDelta) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto priced = price(std::move(report->chains.at(0)));
    const Chain& chain = *priced.chain;
    EXPECT_TRUE(priced.spot_is_implied);
    EXPECT_NEAR(priced.spot, 4510.5, 1.5);
    EXPECT_GT(priced.rate, 0.05);
    EXPECT_LT(priced.rate, 0.06);

    std::vector<double> near;
    std::vector<double> middle;
    std::vector<double> delta;      // ours without the yield, as Cboe shows it
    std::vector<double> own_delta;  // ours as it is
    std::size_t untradable = 0;
    for (std::size_t e = 0; e < chain.expiries.size(); ++e) {
        const auto& expiry = chain.expiries[e];
        const auto& market = priced.expiries[e];
        if (!market.tradable) {
            ++untradable;
            EXPECT_TRUE(expiry.date == 20230914 ||
                        (expiry.root == "SPX" && expiry.date == 20230915));
            continue;
        }
        EXPECT_EQ(market.problem, "") << expiry.root << expiry.date;
        EXPECT_GT(market.atm_volatility, 0.07) << expiry.root << expiry.date;
        EXPECT_LT(market.atm_volatility, 0.22) << expiry.root << expiry.date;
        for (std::size_t i = expiry.call_begin; i < expiry.end; ++i) {
            if (priced.iv_status[i] != IvStatus::ok || std::isnan(chain.vendor_iv[i]) ||
                !out_of_the_money(chain, i, market.forward) ||
                std::fabs(std::log(chain.strike[i] / market.forward)) >= 0.15) {
                continue;
            }
            const double difference = std::fabs(priced.iv[i] - chain.vendor_iv[i]);
            if (market.years > 0.05 && market.years < 1.1) {
                middle.push_back(difference);
                const double ours = priced.greeks[i].delta;
                const double carry = std::exp(market.yield * market.years);
                delta.push_back(std::fabs(ours * carry - chain.vendor_delta[i]));
                own_delta.push_back(std::fabs(ours - chain.vendor_delta[i]));
            }
            if (std::fabs(market.years - 0.016) < 0.001) near.push_back(difference);
        }
    }
    EXPECT_EQ(untradable, 2U);
    EXPECT_GT(middle.size(), 4000U);
    EXPECT_LE(quantile(middle, 0.9), 0.0008);
    EXPECT_LE(quantile(near, 0.9), 0.0015);
    EXPECT_LE(quantile(delta, 0.9), 0.002);
    EXPECT_LE(quantile(own_delta, 0.9), 0.004);
    RecordProperty("own_delta_p90", std::to_string(quantile(own_delta, 0.9)));
    RecordProperty("iv_p90", std::to_string(quantile(middle, 0.9)));
    RecordProperty("iv_p90_near", std::to_string(quantile(near, 0.9)));
    RecordProperty("delta_p90", std::to_string(quantile(delta, 0.9)));
}

TEST(VendorAgreement, SmilesOfTheSpxFileHaveNoButterfliesAndFitTheQuotes) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "cboe_spx_2023-09-14_quotedata.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const auto priced = price(std::move(report->chains.at(0)));
    std::size_t fitted = 0;
    std::vector<double> misses;
    for (const auto& market : priced.expiries) {
        if (!market.tradable) continue;
        ++fitted;
        const auto status = market.smile_report.status;
        ASSERT_TRUE(status == SmileStatus::fitted || status == SmileStatus::repaired);
        EXPECT_TRUE(market.smile_report.arbitrage_free);
        EXPECT_GT(market.smile_report.quotes_used, 40U);
        EXPECT_LT(market.smile_report.rms_error, 0.005) << market.dte;
        if (market.dte > 4 && market.dte < 200) misses.push_back(market.smile_report.rms_error);
        EXPECT_GT(market.skew, 0.004) << market.dte;
        EXPECT_NEAR(market.move_straddle / market.move_1sd, 0.68, 0.03) << market.dte;
        // Density and distribution, far beyond the quotes.
        const strategy::Distribution distribution(market.forward, market.smile);
        double below = 0;
        for (double k = -4.0; k <= 4.0; k += 0.0005) {
            ASSERT_GE(butterfly_density(market.smile, k), 0) << market.dte << " days, " << k;
            const double next = distribution.below(market.forward * std::exp(k));
            ASSERT_GE(next, below - 1e-15) << market.dte << " days, " << k;
            below = next;
        }
        EXPECT_NEAR(distribution.below(1e-3), 0.0, 1e-6);
        EXPECT_NEAR(below, 1.0, 1e-6);
    }
    EXPECT_EQ(fitted, 57U);
    EXPECT_LE(quantile(misses, 0.5), 0.0008);
    EXPECT_LE(quantile(misses, 1.0), 0.002);
}

TEST(VendorAgreement, IvolatilitySpxWithItsOwnForward) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "ivolatility_spx_2011-01-03_07.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    const Chain& chain = report->chains.at(0);
    // The file's forward per (root, date); the chain does not carry it.
    std::map<std::pair<std::string, YearMonthDay>, double> forwards;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        std::istringstream row(line);
        std::vector<std::string> fields;
        for (std::string field; std::getline(row, field, ',');) fields.push_back(field);
        if (fields.size() < 19 || fields[3] != "01/03/2011") continue;
        const auto& date = fields[6];
        forwards[{fields[5].substr(0, fields[5].find(' ')),
                  make_date(std::stoi(date.substr(6)), std::stoi(date),
                            std::stoi(date.substr(3)))}] = std::stod(fields[18]);
    }
    constexpr double kRate = 0.003;
    std::vector<double> differences;
    for (const auto& expiry : chain.expiries) {
        const double years =
            static_cast<double>(expiry.moment - chain.as_of) / 365.0 / kMillisPerDay;
        if (years <= 0.1 || years >= 1.0) continue;
        const double forward = forwards.at({expiry.root, expiry.date});
        for (std::size_t i = expiry.call_begin; i < expiry.end; ++i) {
            if (std::isnan(chain.vendor_iv[i]) || !(chain.bid[i] > 0) ||
                !out_of_the_money(chain, i, forward) ||
                std::fabs(std::log(chain.strike[i] / forward)) >= 0.15) {
                continue;
            }
            const auto implied = pricing::implied_volatility(
                0.5 * (chain.bid[i] + chain.ask[i]), forward, chain.strike[i], years,
                std::exp(-kRate * years), chain.right[i]);
            ASSERT_EQ(implied.status, IvStatus::ok);
            differences.push_back(std::fabs(implied.volatility - chain.vendor_iv[i]));
        }
    }
    EXPECT_GT(differences.size(), 200U);
    EXPECT_LE(quantile(differences, 0.9), 0.001);
    RecordProperty("iv_p90", std::to_string(quantile(differences, 0.9)));
    RecordProperty("iv_max", std::to_string(quantile(differences, 1.0)));
}

TEST(VendorAgreement, IvolatilityForwardAndRateFromParity) {
    SCANMQ_NEEDS_VENDOR_FILE(path, "ivolatility_spx_2011-01-03_07.csv");
    auto report = read_chain_file(path);
    ASSERT_TRUE(report.ok()) << report.error().message;
    for (auto& chain : report->chains) {
        const auto priced = price(std::move(chain));
        EXPECT_GT(priced.rate, 0.0) << priced.chain->as_of_date;
        EXPECT_LT(priced.rate, 0.01) << priced.chain->as_of_date;
        EXPECT_NEAR(priced.spot, priced.chain->spot, 0.003 * priced.spot);
    }
}

}  // namespace
}  // namespace scanmq::market
