#include "scanner/api/answer.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "scanner/api/openapi.hpp"
#include "scanner/service/engine.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::api {
namespace {

using nlohmann::json;
using scanmq::testing::PricedChainBuilder;
using ::testing::UnorderedElementsAre;

market::PricedChain chain() {
    using market::Right;
    return PricedChainBuilder("TST")
        .expiry({.root = "TSTW", .dte = 30, .forward = 100.0, .atm_volatility = 0.20})
        .quote({Right::put, 90.0, 0.45, 0.50, 0.26, 200, 500})
        .quote({Right::put, 95.0, 1.15, 1.25, 0.23, 50, 100})
        .quote({Right::put, 100.0, 2.60, 2.75, 0.21, 70})
        .build();
}

json spreads(const std::string& body) {
    const auto call = read_scan(body);
    EXPECT_TRUE(call.ok()) << call.error().sentence;
    const auto result = service::scan(chain(), call->request);
    EXPECT_TRUE(result.ok()) << result.error().message;
    return json::parse(spreads_document(spreads_list(*result, *call)))["spreads"];
}

std::vector<std::string> keys(const json& map) {
    std::vector<std::string> out;
    for (const auto& item : map.items()) out.push_back(item.key());
    return out;
}

TEST(Spreads, HaveExactlyTheFieldsOfTheContract) {
    const json all = spreads(R"({"symbol": "TST", "strategy": "bull_put",
        "filters": [{"type": "spread_width", "params": {"max": 5}}]})");
    ASSERT_EQ(all.size(), 2U);
    for (const json& spread : all) {
        EXPECT_THAT(keys(spread),
                    UnorderedElementsAre("long_leg", "short_leg", "net_debit", "max_profit",
                                         "max_loss", "breakeven", "probability_profit", "score"));
        for (const char* leg : {"long_leg", "short_leg"}) {
            EXPECT_THAT(keys(spread[leg]),
                        UnorderedElementsAre("symbol", "expiry", "strike", "right", "delta",
                                             "theta", "vega", "iv", "volume", "open_interest",
                                             "bid", "ask", "last"));
        }
    }
    const auto low = std::ranges::find_if(
        all, [](const json& spread) { return spread["long_leg"]["strike"] == 90.0; });
    ASSERT_NE(low, all.end());
    // The figures of Engine.BullPutByHand.
    EXPECT_NEAR((*low)["net_debit"].get<double>(), -0.65, 1e-12);
    EXPECT_NEAR((*low)["max_profit"].get<double>(), 0.637, 1e-12);
    EXPECT_NEAR((*low)["max_loss"].get<double>(), 4.363, 1e-12);
    EXPECT_NEAR((*low)["breakeven"].get<double>(), 94.363, 1e-12);
    EXPECT_NEAR((*low)["probability_profit"].get<double>(), 0.8372556506076252, 1e-12);
    const json& leg = (*low)["short_leg"];
    EXPECT_EQ(leg["symbol"], "TSTW");
    EXPECT_EQ(leg["expiry"], "2026-01-16");
    EXPECT_EQ(leg["right"], "put");
    EXPECT_EQ(leg["volume"], 50);
    EXPECT_NEAR(leg["theta"].get<double>(), -0.029232024136082613, 1e-11);
    EXPECT_TRUE(leg["last"].is_null());
}

TEST(Spreads, CountsThatAreMissingAreNull) {
    const json all = spreads(R"({"symbol": "TST", "strategy": "bear_put"})");
    bool seen = false;
    for (const json& spread : all) {
        if (spread["long_leg"]["strike"] != 100.0) continue;
        EXPECT_TRUE(spread["long_leg"]["open_interest"].is_null());
        seen = true;
    }
    EXPECT_TRUE(seen);
}

// The order that is asked for, and the score of the default weights in every one.
TEST(Spreads, AreInTheOrderAskedFor) {
    struct Order {
        const char* name;
        double (*key)(const json&);
    };
    const Order orders[] = {
        {"score", [](const json& s) { return -s["score"].get<double>(); }},
        {"probability_profit",
         [](const json& s) { return -s["probability_profit"].get<double>(); }},
        {"risk_reward",
         [](const json& s) {
             return -s["max_profit"].get<double>() / s["max_loss"].get<double>();
         }},
        {"max_profit", [](const json& s) { return -s["max_profit"].get<double>(); }},
        {"max_loss", [](const json& s) { return s["max_loss"].get<double>(); }},
        {"net_debit", [](const json& s) { return s["net_debit"].get<double>(); }},
    };
    std::map<double, double> scores;  // by net debit, which is unlike for all
    for (const Order& order : orders) {
        const json all =
            spreads(R"({"symbol": "TST", "sort_by": ")" + std::string(order.name) + "\"}");
        ASSERT_GT(all.size(), 3U);
        for (std::size_t i = 1; i < all.size(); ++i) {
            EXPECT_LE(order.key(all[i - 1]), order.key(all[i]) + 1e-9) << order.name;
        }
        for (const json& spread : all) {
            const double score = spread["score"].get<double>();
            const auto at = scores.emplace(spread["net_debit"].get<double>(), score).first;
            EXPECT_NEAR(at->second, score, 1e-9) << order.name;
        }
    }
}

TEST(Spreads, TheBestByProbabilityAreExact) {
    const json all = spreads(R"({"symbol": "TST", "sort_by": "probability_profit"})");
    const json best = spreads(R"({"symbol": "TST", "sort_by": "probability_profit", "limit": 1})");
    ASSERT_EQ(best.size(), 1U);
    EXPECT_EQ(best[0], all[0]);
}

TEST(Status, TellsStateAndSpreads) {
    ScanStatus status{
        .job_id = "j1", .state = ScanState::running, .symbols = {"A", "B"}, .progress = 0.25};
    EXPECT_EQ(status_document(status),
              R"({"job_id":"j1","status":"running","symbols":["A","B"],"progress":0.25})");
    status.state = ScanState::completed;
    status.progress = 1;
    status.spreads = "[]";
    status.failures.push_back({"B", {404, "unknown_symbol", "no B", ""}});
    const json document = json::parse(status_document(status));
    EXPECT_EQ(document["spreads"], json::array());
    EXPECT_EQ(document["errors"][0]["error"]["code"], "unknown_symbol");
}

TEST(Lines, AreOneJsonEach) {
    for (const std::string& line : {accepted_line("x"), progress_line(1, 2), result_line("[]"),
                                    error_line({504, "deadline_exceeded", "too\nlate", "f"})}) {
        EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
        EXPECT_TRUE(json::parse(line).contains("type")) << line;
    }
}

TEST(Errors, NameCodeSentenceAndField) {
    const json document = json::parse(error_document({400, "bad_value", "say \"x\"", "limit"}));
    EXPECT_EQ(document["error"]["field"], "limit");
    EXPECT_EQ(document["error"]["sentence"], "say \"x\"");
    EXPECT_EQ(error_document({400, "a", "b", ""}), R"({"error":{"code":"a","sentence":"b"}})");
}

// Every reference leads somewhere, every schema is used.
TEST(OpenApi, IsWhole) {
    const std::string text = openapi_document("scans", "1", scan_routes());
    const json document = json::parse(text);
    const json& schemas = document["components"]["schemas"];
    std::size_t at = 0;
    std::set<std::string> used;
    const std::string prefix = "#/components/schemas/";
    while ((at = text.find(prefix, at)) != std::string::npos) {
        at += prefix.size();
        used.insert(text.substr(at, text.find('"', at) - at));
    }
    for (const std::string& name : used) EXPECT_TRUE(schemas.contains(name)) << name;
    for (const auto& item : schemas.items()) EXPECT_TRUE(used.contains(item.key())) << item.key();
    for (const RouteInfo& route : scan_routes()) {
        const json& path = document["paths"][std::string(route.path)];
        EXPECT_FALSE(path.empty()) << route.path;
    }
    EXPECT_EQ(document["paths"]["/api/v1/scan/{id}"]["get"]["parameters"][0]["name"], "id");
    EXPECT_EQ(schemas["Leg"]["required"].size(), 13U);
    EXPECT_EQ(schemas["ScanRequest"]["required"], json::array({"symbol"}));
}

}  // namespace
}  // namespace scanmq::api
