#include "scanner/api/scan_call.hpp"

#include <gmock/gmock.h>

#include "scanner/api/filters.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ScanCall call_of(ByteView body) {
    auto call = read_scan(body);
    EXPECT_TRUE(call.ok()) << call.error().sentence;
    return call.ok() ? std::move(call).value() : ScanCall{};
}
Error refusal(ByteView body) {
    const auto call = read_scan(body);
    EXPECT_FALSE(call.ok()) << body;
    return call.ok() ? Error{} : call.error();
}

TEST(ScanCall, ReadsWhatClientsSend) {
    const ScanCall call = call_of(R"({
        "symbol": "spy", "limit": 7, "sort_by": "score",
        "filters": [
            {"type": "delta", "params": {"min_delta": 0.1, "max_delta": 0.3, "absolute": true}},
            {"type": "dte", "params": {"min_dte": 20, "max_dte": 60}},
            {"type": "liquidity", "params": {"min_volume": 10, "min_open_interest": 100,
                                             "max_bid_ask_spread": 0.5}},
            {"type": "theta", "params": {"min": 0}},
            {"type": "vega", "params": {"max": 0.1}},
            {"type": "iv", "params": {"min": 0.1, "max": 0.9}},
            {"type": "spread_width", "params": {"max": 10}},
            {"type": "probability_profit", "params": {"min": 0.5}}]})");
    EXPECT_THAT(call.symbols, ElementsAre("SPY"));
    EXPECT_EQ(call.request.symbol, "");
    EXPECT_EQ(call.request.limit, 7U);
    const std::vector<filter::FilterSpec> wanted = {
        {"delta", {{"min", 0.1}, {"max", 0.3}, {"absolute", true}}},
        {"dte", {{"min", 20.0}, {"max", 60.0}}},
        {"liquidity", {{"min_volume", 10.0}, {"min_open_interest", 100.0}, {"max_spread", 0.5}}},
        {"theta", {{"min", 0.0}}},
        {"vega", {{"max", 0.1}}},
        {"iv", {{"min", 0.1}, {"max", 0.9}}},
        {"width", {{"max", 10.0}}},
        {"pop", {{"min", 0.5}}},
    };
    EXPECT_EQ(call.request.filters, wanted);
    EXPECT_THAT(call.request.strategies,
                ElementsAre("bear_call", "bear_put", "bull_call", "bull_put"));
    EXPECT_EQ(call.sort, SortBy::score);
    EXPECT_FALSE(call.request.weights.has_value());
}

TEST(ScanCall, TakesNullsAndEmptyFiltersAsAbsent) {
    const ScanCall call = call_of(
        R"({"symbol": "A", "filters": [{"type": "delta", "params": {"min": null, "max": 0.3}},
            {"type": "dte", "params": {}}, {"type": "iv"}, {"type": "iv_percentile", "params": null}],
            "limit": null, "sort_by": null})");
    ASSERT_EQ(call.request.filters.size(), 1U);
    EXPECT_EQ(call.request.filters[0].params.size(), 1U);
    EXPECT_EQ(call.request.limit, service::kLimitDefault);
    EXPECT_TRUE(call_of(R"({"symbol": "A", "filters": null})").request.filters.empty());
}

TEST(ScanCall, SortsThatTheEngineCanRankByDo) {
    const ScanCall call = call_of(R"({"symbol": "A", "sort_by": "probability_profit"})");
    ASSERT_TRUE(call.request.weights.has_value());
    EXPECT_EQ((*call.request.weights)[score::Component::probability], 1.0);
    EXPECT_EQ((*call.request.weights)[score::Component::delta], 0.0);
    EXPECT_EQ(call.shown, *score::preset("balanced"));
    const ScanCall other =
        call_of(R"({"symbol": "A", "sort_by": "risk_reward", "preset": "aggressive"})");
    EXPECT_EQ((*other.request.weights)[score::Component::risk_reward], 1.0);
    EXPECT_EQ(other.shown, *score::preset("aggressive"));
    EXPECT_FALSE(call_of(R"({"symbol": "A", "sort_by": "max_loss"})").request.weights.has_value());
}

TEST(ScanCall, PassesTheEnginesOwnFieldsOn) {
    const ScanCall call = call_of(
        R"({"symbol": "A", "strategy": "bull_put", "fill": "mid", "rate": 0.05,
            "as_of_ms": 1700000000000, "fee_per_contract": 0, "preset": "conservative"})");
    EXPECT_THAT(call.request.strategies, ElementsAre("bull_put"));
    EXPECT_EQ(call.request.fill.toward_mid, 1.0);
    EXPECT_EQ(call.request.rate, 0.05);
    EXPECT_EQ(call.request.as_of, 1'700'000'000'000);
    EXPECT_EQ(call.request.preset, "conservative");
    // What a gateway hands to workers is what the engine would read.
    const auto again =
        service::decode_request(service::encode(call.request, service::Encoding::msgpack));
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->strategies, call.request.strategies);
}

struct Refusal {
    const char* body;
    const char* code;
    const char* field;
    const char* sentence;  // part of it
};

class ScanCallRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(ScanCallRefusals, NameTheFieldAndTheNearestWord) {
    const Error error = refusal(GetParam().body);
    EXPECT_EQ(error.status, 400);
    EXPECT_EQ(error.code, GetParam().code);
    EXPECT_EQ(error.field, GetParam().field);
    EXPECT_THAT(error.sentence, HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    All, ScanCallRefusals,
    testing::Values(
        Refusal{"", "malformed", "", "JSON map"}, Refusal{"[1]", "malformed", "", "JSON map"},
        Refusal{"{\"symbol\":", "malformed", "", "syntax error"},
        Refusal{"\x81\xa6symbol\xa1\x41", "malformed", "", "JSON map"},
        Refusal{"{}", "missing_field", "symbol", "\"symbol\""},
        Refusal{R"({"symbol": 3})", "bad_value", "symbol", "ticker"},
        Refusal{R"({"symbol": ""})", "bad_value", "symbol", "ticker"},
        Refusal{R"({"symbol": "A", "limitt": 3})", "unknown_field", "limitt", "\"limit\""},
        Refusal{R"({"symbol": "A", "symbols": ["B"]})", "unknown_field", "symbols", "\"symbol\""},
        Refusal{R"({"symbol": "A", "limit": 0})", "bad_value", "limit", "1 to 10000"},
        Refusal{R"({"symbol": "A", "limit": "x"})", "bad_value", "limit", "whole number"},
        Refusal{R"({"symbol": "A", "sort_by": "scor"})", "bad_value", "sort_by", "\"score\""},
        Refusal{R"({"symbol": "A", "sort_by": 4})", "bad_value", "sort_by", "did you mean"},
        Refusal{R"({"symbol": "A", "strategy": "iron_condor"})", "too_many_legs", "strategy",
                "/v1/jobs"},
        Refusal{R"({"symbol": "A", "strategies": ["bull_put", "jade_lizard"]})", "too_many_legs",
                "strategies", "3 legs"},
        Refusal{R"({"symbol": "A", "strategies": ["bul_put"]})", "unknown_strategy", "strategies",
                "\"bull_put\""},
        Refusal{R"({"symbol": "A", "strategies": [3]})", "bad_value", "strategies", "names"},
        Refusal{R"({"symbol": "A", "filters": {}})", "bad_value", "filters", "a list"},
        Refusal{R"({"symbol": "A", "filters": [3]})", "bad_value", "filters[0]", "a map"},
        Refusal{R"({"symbol": "A", "filters": [{"type": "dleta"}]})", "unknown_filter",
                "filters[0].type", "\"delta\""},
        Refusal{R"({"symbol": "A", "filters": [{"kind": "delta"}]})", "unknown_field",
                "filters[0].kind", "did you mean"},
        Refusal{R"({"symbol": "A", "filters": [{"params": {}}]})", "bad_value", "filters[0].type",
                "name of a filter"},
        Refusal{R"({"symbol": "A", "filters": [{"type": "dte", "params": {"mim": 1}}]})",
                "unknown_parameter", "filters[0].params.mim", "\"min\""},
        Refusal{R"({"symbol": "A", "filters": [{"type": "dte", "params": {"min": "x"}}]})",
                "bad_value", "filters[0].params.min", "a number"},
        Refusal{R"({"symbol": "A", "filters": [{"type": "dte", "params": {"min": 9, "max": 1}}]})",
                "bad_value", "filters[0].params", "min 9 above max 1"},
        Refusal{
            R"({"symbol": "A", "filters": [{"type": "dte", "params": {"min": 1, "min_dte": 2}}]})",
            "duplicate", "filters[0].params.min_dte", "another name"},
        Refusal{R"({"symbol": "A", "filters": [{"type": "dte", "params": {"min": 1}},
                   {"type": "dte", "params": {"max": 2}}]})",
                "duplicate", "filters[1]", "given twice"},
        Refusal{R"({"symbol": "A", "filters": [{"type": "delta",
                   "params": {"min": -0.5, "absolute": true}}]})",
                "bad_value", "filters[0].params", "negative"},
        Refusal{
            R"({"symbol": "A", "filters": [{"type": "iv_percentile", "params": {"min": 0.3}}]})",
            "filter_unavailable", "filters[0].type", "leave it out"}));

TEST(BatchCall, ReadsSymbols) {
    const auto call = read_batch(R"({"symbols": ["a", "B"], "limit": 3})");
    ASSERT_TRUE(call.ok());
    EXPECT_THAT(call->symbols, ElementsAre("A", "B"));
    EXPECT_EQ(read_batch(R"({"symbols": []})").error().field, "symbols");
    EXPECT_EQ(read_batch(R"({"symbols": ["A", 3]})").error().field, "symbols[1]");
    EXPECT_EQ(read_batch(R"({"symbols": ["A", "a"]})").error().code, "duplicate");
    EXPECT_EQ(read_batch(R"({"symbol": "A"})").error().code, "unknown_field");
    EXPECT_EQ(read_batch(R"({})").error().code, "missing_field");
}

TEST(Filters, EveryAvailableTypeIsTheEngines) {
    for (const FilterType& type : filter_types()) {
        if (type.engine.empty()) continue;
        bool known = false;
        for (const filter::FilterInfo& info : filter::catalogue()) {
            if (info.type != type.engine) continue;
            known = true;
            for (const FilterParam& param : type.params) {
                const bool there = std::ranges::any_of(info.params, [&](const auto& each) {
                    return each.name == param.engine && each.kind == param.kind;
                });
                EXPECT_TRUE(there) << type.name << "." << param.name;
            }
        }
        EXPECT_TRUE(known) << type.name;
    }
}

TEST(Filters, PresetsAreValid) {
    for (const FilterPreset& preset : filter_presets()) {
        const std::string body =
            R"({"symbol": "A", "filters": )" + std::string(preset.filters) + "}";
        EXPECT_TRUE(read_scan(body).ok()) << preset.name;
        EXPECT_THAT(presets_document(), HasSubstr("\"name\":\"" + std::string(preset.name) + "\""));
    }
    EXPECT_THAT(filters_document(), HasSubstr(R"("available":false)"));
}

TEST(Filters, ValidationTellsAllThatIsWrong) {
    const auto good = validate_document(R"({"filters": [{"type": "dte", "params": {"min": 3}}]})");
    EXPECT_EQ(*good, R"({"errors":[],"valid":true})");
    const auto bad = validate_document(
        R"({"filters": [{"type": "dtee"}, {"type": "iv"}, {"type": "dte", "params": {"a": 1}}]})");
    EXPECT_THAT(*bad, HasSubstr(R"("index":0)"));
    EXPECT_THAT(*bad, HasSubstr(R"("index":2)"));
    EXPECT_THAT(*bad, testing::Not(HasSubstr(R"("index":1)")));
    EXPECT_THAT(*bad, HasSubstr(R"("valid":false)"));
    EXPECT_EQ(validate_document("{}").error().code, "missing_field");
    EXPECT_EQ(validate_document("x").error().code, "malformed");
}

}  // namespace
}  // namespace scanmq::api
