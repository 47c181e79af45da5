// What clients of the scan API get, over real sockets.

#include <set>

#include "scanner/server/service.hpp"
#include "tests/integration/scanner/scanner_fixture.hpp"

namespace scanmq::scand {
namespace {

using testing::HasSubstr;

class ScanApi : public ScannerTest {};

TEST_F(ScanApi, ScansASymbol) {
    serve();
    const RawAnswer answer = call("POST", "/api/v1/scan", scan_body());
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.at("x-scanmq-scanner-version"), service::kEngineVersion);
    const json document = json::parse(answer.body);
    EXPECT_EQ(document.size(), 1U);
    ASSERT_EQ(document["spreads"].size(), 3U);
    EXPECT_EQ(document["spreads"][0]["long_leg"].size(), 13U);
    EXPECT_TRUE(document["spreads"][0]["long_leg"]["last"].is_number());
    // The same question, the same answer.
    EXPECT_EQ(call("POST", "/api/v1/scan", scan_body()).body, answer.body);
}

TEST_F(ScanApi, FiltersHold) {
    serve();
    const json body = {{"symbol", market::sample_symbol(0)},
                       {"limit", 50},
                       {"filters",
                        {{{"type", "theta"}, {"params", {{"min", 0.0}}}},
                         {{"type", "probability_profit"}, {"params", {{"min", 0.6}}}},
                         {{"type", "spread_width"}, {"params", {{"max", 10}}}}}}};
    const json spreads = json::parse(call("POST", "/api/v1/scan", body.dump()).body)["spreads"];
    ASSERT_GT(spreads.size(), 0U);
    for (const json& spread : spreads) {
        const json& bought = spread["long_leg"];
        const json& sold = spread["short_leg"];
        EXPECT_GE(bought["theta"].get<double>() - sold["theta"].get<double>(), -1e-9);
        EXPECT_GE(spread["probability_profit"].get<double>(), 0.6);
        EXPECT_LE(std::abs(bought["strike"].get<double>() - sold["strike"].get<double>()), 10.0);
    }
}

TEST_F(ScanApi, RefusalsSayWhatToDo) {
    serve();
    const struct {
        const char* method;
        const char* path;
        const char* body;
        const char* headers;
        int status;
        const char* code;
    } wrong[] = {
        {"POST", "/api/v1/scan", R"({"symbol": "NOPE"})", "", 404, "unknown_symbol"},
        {"POST", "/api/v1/scan", R"({"symbol": 3})", "", 400, "bad_value"},
        {"POST", "/api/v1/scan", "x", "", 400, "malformed"},
        {"POST", "/api/v1/scan", R"({"symbol": "SPY"})", "X-Scanmq-Deadline-Ms: soon\r\n", 400,
         "bad_value"},
        {"POST", "/api/v1/scan/batch", R"({"symbols": ["NOPE"]})", "", 404, "unknown_symbol"},
        {"GET", "/api/v1/scan/1234", "", "", 404, "unknown_scan"},
        {"DELETE", "/api/v1/scan/1234", "", "", 404, "unknown_scan"},
        {"POST", "/api/v1/filters/validate", "{}", "", 400, "missing_field"},
        {"GET", "/api/v1/scan", "", "", 405, "wrong_method"},
        {"GET", "/api/v2/scan", "", "", 404, "unknown_route"},
    };
    for (const auto& each : wrong) {
        const RawAnswer answer = call(each.method, each.path, each.body, each.headers);
        EXPECT_EQ(answer.status, each.status) << each.path << each.body;
        EXPECT_EQ(code_of(answer), each.code) << each.path << each.body;
        EXPECT_TRUE(answer.headers.contains("x-scanmq-scanner-version"));
    }
}

TEST_F(ScanApi, LinesTellProgressThenTheResult) {
    Settings settings;
    settings.progress_interval = std::chrono::milliseconds(1);
    serve(settings);
    const RawAnswer plain = call("POST", "/api/v1/scan", scan_body());
    const RawAnswer answer =
        call("POST", "/api/v1/scan", scan_body(), "Accept: application/x-ndjson\r\n");
    EXPECT_EQ(answer.headers.at("content-type"), "application/x-ndjson");
    EXPECT_TRUE(answer.whole);
    std::vector<json> lines;
    std::istringstream in(answer.body);
    for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
    ASSERT_GE(lines.size(), 2U);
    EXPECT_EQ(lines.front()["type"], "accepted");
    EXPECT_EQ(lines.front()["job_id"], answer.headers.at("x-scanmq-job-id"));
    EXPECT_EQ(lines.back()["type"], "result");
    EXPECT_EQ(lines.back()["spreads"], json::parse(plain.body)["spreads"]);
    for (std::size_t i = 1; i + 1 < lines.size(); ++i) EXPECT_EQ(lines[i]["type"], "progress");
}

TEST_F(ScanApi, BatchesAreAskedForById) {
    serve({}, 3);
    const json body = {
        {"symbols",
         {market::sample_symbol(0), market::sample_symbol(1), "NOPE", market::sample_symbol(2)}},
        {"limit", 5}};
    const RawAnswer accepted = call("POST", "/api/v1/scan/batch", body.dump());
    ASSERT_EQ(accepted.status, 202) << accepted.body;
    json status = json::parse(accepted.body);
    EXPECT_EQ(status["symbols"], body["symbols"]);
    EXPECT_EQ(status["errors"][0]["symbol"], "NOPE");
    const std::string path = accepted.headers.at("location");
    EXPECT_EQ(path, "/api/v1/scan/" + status["job_id"].get<std::string>());
    ASSERT_TRUE(until("scans_completed_total", 1));
    status = json::parse(call("GET", path).body);
    EXPECT_EQ(status["status"], "completed");
    EXPECT_EQ(status["progress"], 1.0);
    ASSERT_EQ(status["spreads"].size(), 5U);
    // The best of all three.
    double best = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const json one = json::parse(call("POST", "/api/v1/scan", scan_body(i)).body);
        best = std::max(best, one["spreads"][0]["score"].get<double>());
    }
    EXPECT_EQ(status["spreads"][0]["score"].get<double>(), best);
    EXPECT_EQ(call("DELETE", path).status, 200);  // ended already
    EXPECT_EQ(json::parse(call("GET", path).body)["status"], "completed");
}

TEST_F(ScanApi, DeleteCancelsABatch) {
    Settings settings;
    settings.fault_text = "slow:1h";
    serve(settings);
    const RawAnswer accepted =
        call("POST", "/api/v1/scan/batch", json{{"symbols", {market::sample_symbol(0)}}}.dump());
    const std::string path = accepted.headers.at("location");
    EXPECT_EQ(json::parse(call("GET", path).body)["status"], "running");
    EXPECT_EQ(json::parse(call("DELETE", path).body)["status"], "cancelled");
    EXPECT_TRUE(until("scans_running", 0));
    const json status = json::parse(call("GET", path).body);
    EXPECT_EQ(status["status"], "cancelled");
    EXPECT_EQ(status["errors"][0]["error"]["code"], "cancelled");
}

TEST_F(ScanApi, OpenApiNamesTheRoutesThereAre) {
    serve();
    const RawAnswer answer = call("GET", "/api/v1/openapi.json");
    EXPECT_EQ(call("GET", "/openapi.json").body, answer.body);
    std::set<std::string> told;
    const json document = json::parse(answer.body);
    for (const auto& path : document["paths"].items()) {
        for (const auto& method : path.value().items()) {
            told.insert(method.key() + " " + path.key());
        }
    }
    boost::asio::io_context io;
    Settings settings;
    settings.debug = true;
    ASSERT_TRUE(complete(settings).ok());
    Service service(io, settings, 1);
    std::set<std::string> served;
    const http::Router router = service.router();
    for (const auto& route : router.routes()) {
        std::string method = route.method;
        for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        served.insert(method + " " + route.pattern);
    }
    EXPECT_EQ(told, served);
}

TEST_F(ScanApi, HealthAndListsAreThere) {
    serve();
    for (const char* path : {"/health", "/healthz"}) {
        const json health = json::parse(call("GET", path).body);
        EXPECT_EQ(health["status"], "ok");
        EXPECT_EQ(health["symbols"], 2);
    }
    EXPECT_THAT(call("GET", "/metrics").body, HasSubstr("scanmq_scanner_http_requests_total"));
    EXPECT_EQ(json::parse(call("GET", "/api/v1/filters").body)["filters"].size(), 9U);
    EXPECT_GE(json::parse(call("GET", "/api/v1/filters/presets").body)["presets"].size(), 3U);
    const RawAnswer valid =
        call("POST", "/api/v1/filters/validate", R"({"filters": [{"type": "dleta"}]})");
    EXPECT_EQ(valid.status, 200);
    EXPECT_THAT(valid.body, HasSubstr("delta"));
}

}  // namespace
}  // namespace scanmq::scand
