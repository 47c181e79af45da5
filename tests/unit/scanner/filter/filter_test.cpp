#include "scanner/filter/filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "scanner/market/chain.hpp"

namespace scanmq::filter {
namespace {

using strategy::Side;
using ::testing::HasSubstr;

constexpr double kNone = market::kMissing;

FilterSet compiled(const FilterSpec& spec) {
    auto set = compile({&spec, 1});
    EXPECT_TRUE(set.ok()) << set.error().message;
    return set.ok() ? *std::move(set) : FilterSet{};
}

Error refused(const std::vector<FilterSpec>& specs) {
    const auto set = compile(specs);
    EXPECT_FALSE(set.ok());
    return set.ok() ? Error{} : set.error();
}

LegQuote quote() {
    return {
        .bid = 1.00, .ask = 1.20, .delta = -0.25, .iv = 0.22, .volume = 40, .open_interest = 400};
}

Verdict verdict(const FilterSpec& spec, const LegQuote& leg) {
    const FilterSet set = compiled(spec);
    return set.legs.at(0).check(leg);
}

TEST(DeltaFilter, ComparesMagnitudeUnlessABoundIsNegative) {
    EXPECT_EQ(verdict({"delta", {{"min", 0.20}, {"max", 0.30}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"delta", {{"min", -0.30}, {"max", -0.20}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"delta", {{"min", 0.20}, {"absolute", false}}}, quote()), Verdict::fail);
    LegQuote call = quote();
    call.delta = 0.25;
    EXPECT_EQ(verdict({"delta", {{"min", -0.30}, {"max", -0.20}}}, call), Verdict::fail);
}

TEST(DeltaFilter, BoundsAreInclusiveAndMissingIsMissing) {
    EXPECT_EQ(verdict({"delta", {{"min", 0.25}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"delta", {{"max", 0.25}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"delta", {{"max", 0.2499}}}, quote()), Verdict::fail);
    LegQuote leg = quote();
    leg.delta = kNone;
    EXPECT_EQ(verdict({"delta", {{"max", 1.0}}}, leg), Verdict::missing);
}

TEST(DeltaFilter, AppliesToShortLegsUnlessToldOtherwise) {
    const FilterSet by_default = compiled({"delta", {{"min", 0.1}}});
    EXPECT_TRUE(by_default.legs[0].applies_to(Side::short_leg));
    EXPECT_FALSE(by_default.legs[0].applies_to(Side::long_leg));
    const FilterSet on_long = compiled({"delta", {{"min", 0.1}, {"legs", std::string("long")}}});
    EXPECT_FALSE(on_long.legs[0].applies_to(Side::short_leg));
    EXPECT_TRUE(on_long.legs[0].applies_to(Side::long_leg));
}

TEST(IvFilter, AppliesToAllLegs) {
    const FilterSet set = compiled({"iv", {{"min", 0.22}, {"max", 0.30}}});
    EXPECT_TRUE(set.legs[0].applies_to(Side::short_leg));
    EXPECT_TRUE(set.legs[0].applies_to(Side::long_leg));
    EXPECT_EQ(set.legs[0].check(quote()), Verdict::pass);
    LegQuote leg = quote();
    leg.iv = 0.31;
    EXPECT_EQ(set.legs[0].check(leg), Verdict::fail);
    leg.iv = kNone;
    EXPECT_EQ(set.legs[0].check(leg), Verdict::missing);
}

TEST(LiquidityFilter, EachBoundAtItsEdge) {
    EXPECT_EQ(verdict({"liquidity", {{"min_volume", 40.0}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"min_volume", 41.0}}}, quote()), Verdict::fail);
    EXPECT_EQ(verdict({"liquidity", {{"min_open_interest", 400.0}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"min_open_interest", 401.0}}}, quote()), Verdict::fail);
    EXPECT_EQ(verdict({"liquidity", {{"min_volume_oi", 0.1}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"min_volume_oi", 0.11}}}, quote()), Verdict::fail);
    EXPECT_EQ(verdict({"liquidity", {{"max_spread", 0.2}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"max_spread", 0.19}}}, quote()), Verdict::fail);
    EXPECT_EQ(verdict({"liquidity", {{"max_spread_ratio", 0.19}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"max_spread_ratio", 0.18}}}, quote()), Verdict::fail);
    EXPECT_EQ(verdict({"liquidity", {{"min_bid", 1.0}}}, quote()), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"min_bid", 1.01}}}, quote()), Verdict::fail);
}

TEST(LiquidityFilter, DifferencesOfDecimalPricesMeetTheirBound) {
    LegQuote leg = quote();
    leg.bid = 0.95;
    leg.ask = 1.05;  // the doubles differ by a little more than 0.10
    EXPECT_EQ(verdict({"liquidity", {{"max_spread", 0.10}}}, leg), Verdict::pass);
    EXPECT_EQ(verdict({"liquidity", {{"max_spread_ratio", 0.10}}}, leg), Verdict::pass);
}

TEST(LiquidityFilter, MissingValuesFailWhereTheyAreAskedFor) {
    LegQuote leg = quote();
    leg.volume = market::kNoCount;
    EXPECT_EQ(verdict({"liquidity", {{"min_volume", 0.0}}}, leg), Verdict::missing);
    EXPECT_EQ(verdict({"liquidity", {{"min_volume_oi", 0.0}}}, leg), Verdict::missing);
    EXPECT_EQ(verdict({"liquidity", {{"min_open_interest", 1.0}}}, leg), Verdict::pass);
    leg.open_interest = 0;
    leg.volume = 5;
    EXPECT_EQ(verdict({"liquidity", {{"min_volume_oi", 0.0}}}, leg), Verdict::missing)
        << "no ratio to an open interest of zero";
    leg.ask = kNone;
    EXPECT_EQ(verdict({"liquidity", {{"max_spread", 9.0}}}, leg), Verdict::missing);
    EXPECT_EQ(verdict({"liquidity", {{"max_spread", 9.0}, {"min_bid", 2.0}}}, leg), Verdict::fail);
}

TEST(RangeFilters, AreKeptApart) {
    const std::vector<FilterSpec> specs = {{"width", {{"max", 10.0}}},
                                           {"dte", {{"min", 7.0}, {"max", 60.0}}},
                                           {"pop", {{"min", 0.6}}}};
    const auto set = compile(specs);
    ASSERT_TRUE(set.ok());
    EXPECT_EQ(set->width->spec, 0U);
    EXPECT_TRUE(set->width->bounds.contains(10.0));
    EXPECT_TRUE(set->width->bounds.contains(0.0));
    EXPECT_FALSE(set->width->bounds.contains(10.01));
    ASSERT_EQ(set->expiries.size(), 1U);
    EXPECT_EQ(set->expiries[0].spec, 1U);
    EXPECT_EQ(set->expiries[0].check({.dte = 7.0}), Verdict::pass);
    EXPECT_EQ(set->expiries[0].check({.dte = 6.0}), Verdict::fail);
    ASSERT_EQ(set->spreads.size(), 1U);
    EXPECT_EQ(set->spreads[0].spec, 2U);
    EXPECT_EQ(set->spreads[0].metric, SpreadMetric::pop);
    EXPECT_TRUE(set->legs.empty());
}

TEST(FilterErrors, NameTheNearestKnownOne) {
    Error error = refused({{"detla", {{"min", 0.1}}}});
    EXPECT_EQ(error.code, ErrorCode::unknown_filter);
    EXPECT_THAT(error.message, HasSubstr("\"delta\""));
    error = refused({{"liquidity", {{"min_open_intrest", 1.0}}}});
    EXPECT_EQ(error.code, ErrorCode::unknown_parameter);
    EXPECT_THAT(error.message, HasSubstr("\"min_open_interest\""));
}

TEST(FilterErrors, ValuesOfTheWrongKind) {
    for (const FilterSpec& spec : std::vector<FilterSpec>{
             {"dte", {{"min", std::string("7")}}},
             {"dte", {{"min", kNone}}},
             {"dte", {{"min", 30.0}, {"max", 7.0}}},
             {"dte", {}},
             {"delta", {{"min", 0.1}, {"legs", std::string("both")}}},
             {"delta", {{"min", 0.1}, {"absolute", 1.0}}},
             {"delta", {{"min", -0.1}, {"absolute", true}}},
         }) {
        EXPECT_EQ(refused({spec}).code, ErrorCode::bad_value) << spec.type;
    }
}

TEST(FilterErrors, RangesOnceLegFiltersAsOftenAsWanted) {
    EXPECT_EQ(refused({{"dte", {{"min", 1.0}}}, {"dte", {{"max", 9.0}}}}).code,
              ErrorCode::duplicate);
    const std::vector<FilterSpec> two = {{"delta", {{"max", 0.3}}},
                                         {"delta", {{"min", 0.1}, {"legs", std::string("long")}}}};
    EXPECT_TRUE(compile(two).ok());
    EXPECT_EQ(refused(std::vector<FilterSpec>(kFiltersMax + 1, two[0])).code, ErrorCode::too_many);
}

TEST(FilterCatalogue, EveryFilterCompilesWithItsFirstParameter) {
    std::vector<std::string_view> types;
    for (const FilterInfo& info : catalogue()) {
        const ParamInfo& first = info.params.front();
        ParamValue value = 0.5;
        if (first.kind == ParamKind::flag) value = true;
        if (first.kind == ParamKind::choice) value = std::string(first.choices.front());
        const FilterSpec spec{std::string(info.type), {{std::string(first.name), value}}};
        EXPECT_TRUE(compile({&spec, 1}).ok()) << info.type;
        EXPECT_FALSE(info.meaning.empty());
        types.push_back(info.type);
    }
    EXPECT_TRUE(std::ranges::is_sorted(types));
    EXPECT_GE(types.size(), 38U);
}

// Days to expiry first, cheap figures of a spread before dear ones, whatever order they are given in.
TEST(FilterCatalogue, RunInAFixedOrder) {
    const std::vector<FilterSpec> specs = {
        {"ev", {{"min", 0.0}}},    {"pop", {{"min", 0.5}}},
        {"theta", {{"min", 0.0}}}, {"settlement", {{"at", std::string("pm")}}},
        {"dte", {{"max", 60.0}}},  {"back_dte", {{"max", 90.0}}}};
    const auto set = compile(specs);
    ASSERT_TRUE(set.ok()) << set.error().message;
    ASSERT_EQ(set->spreads.size(), 3U);
    EXPECT_EQ(set->spreads[0].metric, SpreadMetric::theta);
    EXPECT_EQ(set->spreads[1].metric, SpreadMetric::pop);
    EXPECT_EQ(set->spreads[2].metric, SpreadMetric::ev);
    ASSERT_EQ(set->expiries.size(), 2U);
    EXPECT_EQ(set->expiries[0].metric, ExpiryMetric::dte);
    EXPECT_TRUE(set->back.has_value());
}

TEST(EventFilter, UnknownIsNotNone) {
    const auto filter = [](std::map<std::string, ParamValue> params) {
        return compiled({"earnings", std::move(params)}).expiries.at(0);
    };
    const ExpiryFilter none = filter({{"before_expiry", false}});
    EXPECT_EQ(none.check({.earnings = Known::no}), Verdict::pass);
    EXPECT_EQ(none.check({.earnings = Known::yes}), Verdict::fail);
    EXPECT_EQ(none.check({.earnings = Known::unknown}), Verdict::missing);
    const ExpiryFilter lenient = filter({{"unknown", std::string("pass")}});
    EXPECT_EQ(lenient.check({.earnings = Known::unknown}), Verdict::pass);
    EXPECT_EQ(lenient.check({.earnings = Known::yes}), Verdict::fail);
    const ExpiryFilter wanted = filter({{"before_expiry", true}});
    EXPECT_EQ(wanted.check({.earnings = Known::yes}), Verdict::pass);
    EXPECT_EQ(wanted.check({.earnings = Known::no}), Verdict::fail);
    EXPECT_EQ(refused({{"earnings", {{"unknown", std::string("maybe")}}}}).code,
              ErrorCode::bad_value);
}

TEST(LegFigures, WithinBoundsOrMissing) {
    LegQuote leg = quote();
    leg.moneyness = 0.95;
    leg.over_hv = 0.02;
    leg.age = 30.0;
    leg.from_money = 5.0;
    EXPECT_EQ(verdict({"moneyness", {{"min", 0.95}, {"max", 1.0}}}, leg), Verdict::pass);
    EXPECT_EQ(verdict({"moneyness", {{"max", 0.94}}}, leg), Verdict::fail);
    EXPECT_EQ(verdict({"iv_hv", {{"min", 0.02}}}, leg), Verdict::pass);
    EXPECT_EQ(verdict({"iv_hv", {{"min", 0.02}}}, quote()), Verdict::missing);
    EXPECT_EQ(verdict({"quote_age", {{"max", 30.0}}}, leg), Verdict::pass);
    EXPECT_EQ(verdict({"quote_age", {{"max", 29.0}}}, leg), Verdict::fail);
    EXPECT_EQ(verdict({"quote_age", {{"max", 29.0}}}, quote()), Verdict::missing);
    EXPECT_EQ(verdict({"strikes", {{"max", 5.0}}}, leg), Verdict::pass);
    EXPECT_EQ(verdict({"strikes", {{"max", 4.0}}}, leg), Verdict::fail);
}

TEST(QuoteFilter, LockedZeroAndImpossibleQuotes) {
    LegQuote leg = quote();
    EXPECT_EQ(verdict({"quote", {{"locked", false}, {"zero_bid", false}}}, leg), Verdict::pass);
    leg.ask = leg.bid;
    EXPECT_EQ(verdict({"quote", {{"locked", false}}}, leg), Verdict::fail);
    EXPECT_EQ(verdict({"quote", {{"zero_bid", false}}}, leg), Verdict::pass);
    leg.bid = 0.0;
    EXPECT_EQ(verdict({"quote", {{"zero_bid", false}}}, leg), Verdict::fail);
    leg.outside_bounds = true;
    EXPECT_EQ(verdict({"quote", {{"arbitrage", false}}}, leg), Verdict::fail);
    EXPECT_EQ(verdict({"quote", {{"locked", true}}}, leg), Verdict::pass);
}

}  // namespace
}  // namespace scanmq::filter
