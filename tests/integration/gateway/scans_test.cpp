// /api/v1/scan in front of the queue, with real brokers and workers.

#include "broker/http/request_values.hpp"
#include "tests/integration/gateway/system.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::gateway::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kScan = R"({"symbol":"SPY","limit":3})";

class Scans : public System {};

TEST_F(Scans, AScanWaitsForItsResult) {
    start();
    put("SPY");
    work(std::make_unique<worker::EmbeddedScanner>());
    const RawAnswer answer = call("POST", "/api/v1/scan", kScan);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json body = Json::parse(answer.body);
    ASSERT_EQ(body["spreads"].size(), 3U);
    EXPECT_EQ(body["spreads"][0]["long_leg"]["symbol"], "SPY");
    EXPECT_EQ(of_queue("scans", "pure"), 1U);
    const std::string id = answer.headers.at("x-scanmq-job-id");
    const Json kept = json("GET", "/api/v1/scan/" + id);
    EXPECT_EQ(kept["status"], "completed");
    EXPECT_EQ(kept["spreads"], body["spreads"]);
    EXPECT_EQ(kept["symbols"], Json({"SPY"}));
}

TEST_F(Scans, WithoutAResultInTimeItGoesOnUnderItsId) {
    start();
    put("SPY");
    const RawAnswer answer = call("POST", "/api/v1/scan?timeout_ms=50", kScan);
    ASSERT_EQ(answer.status, 202) << answer.body;
    const Json body = Json::parse(answer.body);
    const std::string path = "/api/v1/scan/" + body["job_id"].get<std::string>();
    EXPECT_EQ(answer.headers.at("location"), path);
    EXPECT_EQ(body["status"], "queued");
    EXPECT_EQ(json("GET", path)["status"], "queued");
    EXPECT_EQ(call("POST", "/api/v1/scan", kScan, "Prefer: respond-async\r\n").status, 202);
    work(std::make_unique<worker::EmbeddedScanner>());
    const Json ended = json("GET", path + "?timeout_ms=30000");
    EXPECT_EQ(ended["status"], "completed");
    EXPECT_EQ(ended["spreads"].size(), 3U);
}

TEST_F(Scans, DeleteCancels) {
    start();
    put("SPY");
    const Json taken = json("POST", "/api/v1/scan?timeout_ms=0", kScan);
    const std::string path = "/api/v1/scan/" + taken["job_id"].get<std::string>();
    EXPECT_EQ(json("DELETE", path)["status"], "cancelled");
    EXPECT_TRUE(until([&] { return json("GET", path)["status"] == "cancelled"; }));
    EXPECT_EQ(of_queue("scans", "cancelled"), 1U);
    EXPECT_EQ(json("DELETE", path)["status"], "cancelled");
    EXPECT_EQ(call("DELETE", "/api/v1/scan/0192a3b4c5d67e8f9a0b1c2d3e4f5061").status, 404);
    EXPECT_EQ(call("GET", "/api/v1/scan/nonsense").status, 404);
}

TEST_F(Scans, AnUnknownSymbolIsNamed) {
    start();
    const RawAnswer answer = call("POST", "/api/v1/scan", R"({"symbol":"NOPE"})");
    EXPECT_EQ(answer.status, 404);
    const Json error = Json::parse(answer.body)["error"];
    EXPECT_EQ(error["code"], "unknown_symbol");
    EXPECT_THAT(error["sentence"].get<std::string>(), HasSubstr("NOPE@latest"));
    EXPECT_EQ(call("POST", "/api/v1/scan", R"({"symbool":"SPY"})").status, 400);
    EXPECT_EQ(call("POST", "/api/v1/scan?timeout_ms=soon", kScan).status, 400);
}

TEST_F(Scans, AClientThatLeavesTakesItsScanAlong) {
    start();
    put("SPY");
    {
        RawHttp gone(address);
        gone.request("POST", "/api/v1/scan", kScan);
        ASSERT_TRUE(until([&] { return of_queue("scans", "waiting") == 1; }));
    }
    EXPECT_TRUE(until([&] { return of_queue("scans", "cancelled") == 1; }));
    EXPECT_EQ(figure("http_jobs_cancelled_alone_total"), 1U);
    // One that is named may be come back for.
    {
        RawHttp gone(address);
        gone.request("POST", "/api/v1/scan", kScan, "Idempotency-Key: mine\r\n");
        ASSERT_TRUE(until([&] { return of_queue("scans", "waiting") == 1; }));
    }
    ASSERT_TRUE(until([&] { return figure("http_waits_clients_gone_total") == 2; }));
    work(std::make_unique<worker::EmbeddedScanner>());
    const RawAnswer answer = call("POST", "/api/v1/scan", kScan, "Idempotency-Key: mine\r\n");
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(of_queue("scans", "submitted"), 2U);
}

TEST_F(Scans, LinesTellItsProgress) {
    start();
    put("SPY");
    work(std::make_unique<worker::EmbeddedScanner>());
    const RawAnswer answer =
        call("POST", "/api/v1/scan", kScan, "Accept: application/x-ndjson\r\n");
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(answer.body, StartsWith(R"({"type":"accepted")"));
    EXPECT_THAT(answer.body, HasSubstr(R"({"type":"result")"));
    EXPECT_TRUE(answer.whole);
}

TEST_F(Scans, ADeadlineEndsAScanThatNobodyRan) {
    start();
    put("SPY");
    const RawAnswer answer = call("POST", "/api/v1/scan", kScan, "X-Scanmq-Deadline-Ms: 100\r\n");
    EXPECT_EQ(answer.status, 504) << answer.body;
    EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "deadline_exceeded");
}

TEST_F(Scans, ABatchMergesAndNamesWhatFailed) {
    start();
    put("SPY", 100);
    put("QQQ", 200);
    work(std::make_unique<worker::EmbeddedScanner>());
    const RawAnswer answer =
        call("POST", "/api/v1/scan/batch", R"({"symbols":["SPY","NOPE","QQQ"],"limit":5})");
    ASSERT_EQ(answer.status, 202) << answer.body;
    const Json taken = Json::parse(answer.body);
    EXPECT_EQ(taken["symbols"], Json({"SPY", "NOPE", "QQQ"}));
    const Json ended = json("GET", answer.headers.at("location") + "?timeout_ms=30000");
    EXPECT_EQ(ended["status"], "completed") << ended;
    EXPECT_EQ(ended["progress"], 1.0);
    EXPECT_EQ(ended["spreads"].size(), 5U);
    ASSERT_EQ(ended["errors"].size(), 1U);
    EXPECT_EQ(ended["errors"][0]["symbol"], "NOPE");
    const Json one = json("POST", "/api/v1/scan", R"({"symbol":"SPY","limit":5})");
    const Json other = json("POST", "/api/v1/scan", R"({"symbol":"QQQ","limit":5})");
    EXPECT_EQ(ended["spreads"][0]["score"], std::max(one["spreads"][0]["score"].get<double>(),
                                                     other["spreads"][0]["score"].get<double>()));
    const auto group = client->query_group("scans", *parse_id(taken["job_id"].get<std::string>()));
    ASSERT_TRUE(group.ok()) << group.error().sentence;
    EXPECT_EQ(group->phase, protocol::GroupPhase::complete) << "it is sealed with what was taken";
    EXPECT_EQ(group->count, 2U);
}

TEST_F(Scans, DeletingABatchCancelsItsJobs) {
    start();
    put("SPY");
    put("QQQ");
    const Json taken = json("POST", "/api/v1/scan/batch", R"({"symbols":["SPY","QQQ"]})");
    ASSERT_TRUE(until([&] { return of_queue("scans", "waiting") == 2; }));
    const std::string path = "/api/v1/scan/" + taken["job_id"].get<std::string>();
    EXPECT_EQ(json("DELETE", path)["status"], "cancelled");
    EXPECT_TRUE(until([&] { return json("GET", path)["status"] == "cancelled"; }));
    EXPECT_EQ(of_queue("scans", "cancelled"), 2U);
}

TEST_F(Scans, ResultsAreFoundInTheStreamOnceTheyAreForgotten) {
    broker::ServerOptions options;
    options.gateway.desk.book.keep_for = 1ms;
    start(options);
    put("SPY");
    put("QQQ");
    work(std::make_unique<worker::EmbeddedScanner>());
    const RawAnswer answer = call("POST", "/api/v1/scan", kScan);
    ASSERT_EQ(answer.status, 200);
    const std::string id = answer.headers.at("x-scanmq-job-id");
    ASSERT_TRUE(until([&] { return figure("http_jobs_known") == 0; }));
    const Json found = json("GET", "/api/v1/scan/" + id);
    EXPECT_EQ(found["status"], "completed") << found;
    EXPECT_EQ(found["spreads"], Json::parse(answer.body)["spreads"]);
    EXPECT_EQ(found["symbols"], Json({"SPY"}));
    const Json batch = json("POST", "/api/v1/scan/batch", R"({"symbols":["SPY","QQQ"]})");
    const std::string path = "/api/v1/scan/" + batch["job_id"].get<std::string>();
    ASSERT_TRUE(until([&] { return of_queue("scans", "done") == 3; }));
    ASSERT_TRUE(until([&] { return figure("http_jobs_known") == 0; }));
    const Json whole = json("GET", path);
    EXPECT_EQ(whole["status"], "completed") << whole;
    EXPECT_EQ(whole["symbols"].size(), 2U);
    EXPECT_EQ(call("GET", "/api/v1/scan/0192a3b4c5d67e8f9a0b1c2d3e4f5061").status, 404);
}

TEST_F(Scans, OutliveTheBrokersRestart) {
    const tests::TempDir dir;
    broker::ServerOptions options;
    options.data = dir.path().string();
    options.durability = "sync";
    start(options);
    put("SPY");
    const Json taken = json("POST", "/api/v1/scan?timeout_ms=0", kScan);
    const std::string path = "/api/v1/scan/" + taken["job_id"].get<std::string>();
    stop();
    start(options);
    EXPECT_EQ(json("GET", path)["status"], "queued");
    work(std::make_unique<worker::EmbeddedScanner>());
    EXPECT_TRUE(until([&] { return json("GET", path)["status"] == "completed"; }));
    stop();
    start(options);
    EXPECT_EQ(json("GET", path)["spreads"].size(), 3U);
}

TEST_F(Scans, SnapshotsArePutByTheirHash) {
    start();
    work(std::make_unique<worker::EmbeddedScanner>());
    const std::string bytes = testing::snapshot_of("IWM", 100);
    const std::string path = "/api/v1/snapshots/" + content_id(bytes).hex();
    const RawAnswer put = call("PUT", path, bytes);
    EXPECT_EQ(put.status, 201) << put.body;
    EXPECT_EQ(Json::parse(put.body)["symbol"], "IWM");
    EXPECT_EQ(call("POST", "/api/v1/scan", R"({"symbol":"IWM","limit":1})").status, 200);
    EXPECT_EQ(call("PUT", "/api/v1/snapshots/" + std::string(64, '0'), bytes).status, 422);
    EXPECT_EQ(call("PUT", "/api/v1/snapshots/12", bytes).status, 400);
    const std::string junk = "no snapshot";
    EXPECT_EQ(call("PUT", "/api/v1/snapshots/" + content_id(junk).hex(), junk).status, 422);
}

}  // namespace
}  // namespace scanmq::gateway::test
