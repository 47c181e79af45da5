// Filters of whole spreads: each keeps exactly the spreads whose shown figure is within its bounds.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

using market::Right;
using strategy::Side;

ScanResult scanned(const market::PricedChain& chain, const ScanRequest& request) {
    auto result = scan(chain, request);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *std::move(result) : ScanResult{};
}

double largest_touch(const Spread& spread) {
    double out = kMissing;
    for (const SpreadLeg& leg : spread.legs) {
        if (leg.side == Side::short_leg && !(out >= leg.p_touch)) out = leg.p_touch;
    }
    return out;
}

struct Figure {
    const char* filter;
    std::function<double(const Spread&)> of;
};

std::vector<Figure> figures() {
    const auto field = [](double Spread::*member) {
        return [member](const Spread& spread) { return spread.*member; };
    };
    const auto greek = [](double ShownGreeks::*member) {
        return [member](const Spread& spread) { return spread.greeks.*member; };
    };
    return {{"annual_return", field(&Spread::annual_return)},
            {"breakeven_distance", field(&Spread::breakeven_distance)},
            {"credit_width", [](const Spread& s) { return -s.net_price / s.width; }},
            {"ev", field(&Spread::ev)},
            {"ev_risk", [](const Spread& s) { return s.ev / s.risk; }},
            {"iv_edge", field(&Spread::iv_edge)},
            {"margin", field(&Spread::buying_power)},
            {"margin_efficiency", [](const Spread& s) { return s.gain / s.margin; }},
            {"max_risk", field(&Spread::risk)},
            {"net_delta", greek(&ShownGreeks::delta)},
            {"net_gamma", greek(&ShownGreeks::gamma)},
            {"net_price", field(&Spread::net_price)},
            {"p_half_at_expiry", field(&Spread::p_half_at_expiry)},
            {"p_max_loss", field(&Spread::p_max_loss)},
            {"p_touch", largest_touch},
            {"pop", field(&Spread::pop)},
            {"return_per_day", field(&Spread::return_per_day)},
            {"rho", greek(&ShownGreeks::rho_point)},
            {"risk_reward", [](const Spread& s) { return s.gain / s.risk; }},
            {"theta", greek(&ShownGreeks::theta_day)},
            {"vega", greek(&ShownGreeks::vega_point)}};
}

TEST(SpreadFilters, KeepExactlyWhatIsWithinBounds) {
    Rng rng(71);
    const market::PricedChain chain = testing::random_chain(rng, {.expiries = 3, .strikes = 9});
    for (const char* name : {"bull_put", "iron_condor", "short_strangle", "call_calendar"}) {
        ScanRequest request;
        request.strategies = {name};
        request.limit = kLimitMax;
        const ScanResult whole = scanned(chain, request);
        ASSERT_LT(whole.spreads.size(), kLimitMax);
        ASSERT_GT(whole.spreads.size(), 3U) << name;
        for (const Figure& figure : figures()) {
            std::vector<double> values;
            for (const Spread& spread : whole.spreads) {
                const double value = figure.of(spread);
                if (!std::isnan(value)) values.push_back(value);
            }
            std::ranges::sort(values);
            const double low = values.empty() ? 0.0 : values[values.size() / 4] - 1e-9;
            const double high = values.empty() ? 0.0 : values[values.size() * 3 / 4] + 1e-9;
            std::vector<Spread> wanted;
            std::uint64_t missing = 0;
            for (const Spread& spread : whole.spreads) {
                const double value = figure.of(spread);
                if (std::isnan(value)) ++missing;
                if (value >= low && value <= high) wanted.push_back(spread);
            }
            request.filters = {{figure.filter, {{"min", low}, {"max", high}}}};
            const ScanResult kept = scanned(chain, request);
            EXPECT_EQ(encode_spreads(kept.spreads), encode_spreads(wanted))
                << name << " " << figure.filter;
            const FilterCount& count = kept.counts.filters.at(0);
            EXPECT_EQ(count.evaluated, whole.counts.ranked) << name << " " << figure.filter;
            EXPECT_EQ(count.removed, whole.counts.ranked - wanted.size())
                << name << " " << figure.filter;
            EXPECT_EQ(count.missing, missing) << name << " " << figure.filter;
        }
    }
}

TEST(SpreadFilters, DeltaNeutralIsOfTheMagnitude) {
    Rng rng(72);
    const market::PricedChain chain = testing::random_chain(rng, {});
    ScanRequest request;
    request.strategies = {"iron_condor"};
    request.limit = 500;
    request.filters = {{"delta_neutral", {{"max", 0.05}}}};
    const std::vector<Spread> spreads = scanned(chain, request).spreads;
    EXPECT_FALSE(spreads.empty());
    bool negative = false;
    for (const Spread& spread : spreads) {
        EXPECT_LE(std::fabs(spread.greeks.delta), 0.05);
        negative = negative || spread.greeks.delta < 0.0;
    }
    EXPECT_TRUE(negative);
}

TEST(SpreadFilters, QuoteSkewNeedsTimesOfAllLegs) {
    testing::PricedChainBuilder builder("TST");
    builder.expiry({.root = "TST"});
    for (const double strike : {90.0, 95.0, 100.0}) {
        builder.quote(
            {Right::put, strike, 0.5 + (strike - 90.0) * 0.15, 0.6 + (strike - 90.0) * 0.15, 0.22});
    }
    market::PricedChain chain = builder.build();
    auto timed = std::make_shared<market::Chain>(*chain.chain);
    timed->as_of = 1'000'000;
    timed->quoted = {990'000, 995'000, 0};
    ScanRequest request;
    request.strategies = {"bull_put"};
    request.filters = {{"quote_skew", {{"max", 5.0}}}};
    EXPECT_EQ(scanned(chain, request).counts.filters[0].missing, 3U) << "no times at all";
    chain.chain = timed;
    const ScanResult result = scanned(chain, request);
    ASSERT_EQ(result.spreads.size(), 1U);
    EXPECT_EQ(result.spreads[0].legs[1].strike, 95.0);
    EXPECT_EQ(result.counts.filters[0].missing, 2U);
    request.filters = {{"quote_skew", {{"max", 4.9}}}};
    EXPECT_TRUE(scanned(chain, request).spreads.empty());
    request.filters = {{"quote_age", {{"max", 5.0}}}};
    EXPECT_TRUE(scanned(chain, request).spreads.empty());
    request.filters = {{"quote_age", {{"max", 10.0}}}};
    EXPECT_EQ(scanned(chain, request).spreads.size(), 1U);
}

TEST(ExpiryFilters, EventsSettlementAndTheLaterExpiry) {
    Rng rng(73);
    market::PricedChain chain = testing::random_chain(rng, {.expiries = 2, .strikes = 8});
    auto quotes = std::make_shared<market::Chain>(*chain.chain);
    quotes->as_of = 1'000;
    quotes->expiries[0].moment = 10'000;
    quotes->expiries[1].moment = 20'000;
    quotes->expiries[1].settlement = market::Settlement::am;
    chain.chain = quotes;
    for (market::ExpiryMarket& each : chain.expiries) each.tradable = true;
    ScanRequest request;
    request.strategies = {"bull_put"};
    request.limit = 1'000;
    const auto dates = [&] {
        std::vector<int> out;
        for (const Spread& spread : scanned(chain, request).spreads) {
            if (std::ranges::find(out, spread.legs[0].expiry) == out.end()) {
                out.push_back(spread.legs[0].expiry);
            }
        }
        std::ranges::sort(out);
        return out;
    };
    const int first = quotes->expiries[0].date;
    const int second = quotes->expiries[1].date;
    EXPECT_EQ(dates(), (std::vector<int>{first, second}));
    request.filters = {{"settlement", {{"at", std::string("am")}}}};
    EXPECT_EQ(dates(), std::vector<int>{second});
    // Nobody said when earnings are: that is not none.
    request.filters = {{"earnings", {{"before_expiry", false}}}};
    EXPECT_TRUE(dates().empty());
    request.filters = {{"earnings", {{"unknown", std::string("pass")}}}};
    EXPECT_EQ(dates().size(), 2U);
    request.filters = {{"earnings", {{"before_expiry", false}}}};
    request.events = {{"RND", 15'000, EventKind::earnings, true},
                      {"OTHER", 5'000, EventKind::earnings, true},
                      {"RND", 500, EventKind::earnings, true}};  // past
    EXPECT_EQ(dates(), std::vector<int>{first});
    // What is not confirmed may come sooner: it proves nothing of the time before it.
    request.events[0].confirmed = false;
    EXPECT_TRUE(dates().empty());
    request.filters = {{"earnings", {{"before_expiry", true}}}};
    EXPECT_EQ(dates(), std::vector<int>{second});
    request.filters = {{"ex_dividend", {{"before_expiry", false}}}};
    EXPECT_TRUE(dates().empty());
    request.dividends = {{"RND", 20'000, 0.5}};
    EXPECT_EQ(dates(), std::vector<int>{first});

    request = {};
    request.strategies = {"call_calendar"};
    request.limit = 1'000;
    EXPECT_FALSE(scanned(chain, request).spreads.empty());
    request.filters = {{"back_dte", {{"max", chain.expiries[1].dte - 1.0}}}};
    EXPECT_TRUE(scanned(chain, request).spreads.empty());
    request.filters = {{"back_dte", {{"max", chain.expiries[1].dte + 0.0}}},
                       {"dte", {{"max", chain.expiries[0].dte + 0.0}}}};
    EXPECT_FALSE(scanned(chain, request).spreads.empty())
        << "the nearer expiry's days do not bound the later one's";
}

}  // namespace
}  // namespace scanmq::service
