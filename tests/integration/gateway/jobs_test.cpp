// /v1/jobs, limits, health and the end, with real brokers and workers.

#include "broker/http/request_values.hpp"
#include "tests/integration/gateway/system.hpp"

namespace scanmq::gateway::test {
namespace {

using ::testing::HasSubstr;

class Jobs : public System {
  protected:
    void queue(const std::string& name, const protocol::Settings& settings = {}) {
        ASSERT_TRUE(client->create_queue(name, settings).ok());
    }
    static std::string job(const std::string& queue, const std::string& more = {}) {
        return R"({"queue":")" + queue + R"(","payload":{"n":1})" + more + "}";
    }
};

TEST_F(Jobs, AJobIsAnsweredWithItsEntry) {
    start();
    queue("echo");
    work(std::make_unique<worker::NoopScanner>());
    const RawAnswer answer = call("POST", "/v1/jobs", job("echo", R"(,"wait_ms":30000)"));
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json body = Json::parse(answer.body);
    EXPECT_EQ(body["status"], "completed");
    EXPECT_EQ(body["outcome"], "done");
    EXPECT_EQ(body["result"], Json({{"n", 1}}));
    const std::string path = "/v1/jobs/echo/" + body["job_id"].get<std::string>();
    EXPECT_EQ(json("GET", path), body);
    EXPECT_EQ(call("GET", "/v1/jobs/echo/0192a3b4c5d67e8f9a0b1c2d3e4f5061").status, 404);
}

TEST_F(Jobs, AnySubjectCanBeWaitedForAndFoundLater) {
    start();
    queue("echo");
    work(std::make_unique<worker::NoopScanner>());
    const RawAnswer waited =
        call("POST", "/v1/jobs", job("echo", R"(,"subject":"a.b","wait_ms":30000)"));
    EXPECT_EQ(waited.status, 200) << waited.body;
    const RawAnswer taken = call("POST", "/v1/jobs", job("echo", R"(,"subject":"a.c")"));
    EXPECT_EQ(taken.status, 202) << taken.body;
    const Json body = Json::parse(taken.body);
    EXPECT_EQ(body["subject"], "a.c");
    EXPECT_EQ(body["verdict"], "accepted");
    const std::string path = "/v1/jobs/echo/" + body["job_id"].get<std::string>();
    ASSERT_TRUE(until([&] { return of_queue("echo", "done") == 2; }));
    EXPECT_EQ(json("GET", path)["status"], "completed");
    EXPECT_EQ(json("GET", path)["result"], Json({{"n", 1}}));
}

TEST_F(Jobs, LargeBodiesTravelAsBlobs) {
    start();
    queue("echo");
    work(std::make_unique<worker::NoopScanner>());
    std::string bytes(500'000, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
    const RawAnswer answer = call(
        "POST", "/v1/jobs",
        R"({"queue":"echo","wait_ms":30000,"payload_base64":")" + base64_encode(bytes) + "\"}");
    ASSERT_EQ(answer.status, 200) << answer.body.substr(0, 500);
    const Json body = Json::parse(answer.body);
    EXPECT_EQ(base64_decode(body["result_base64"].get<std::string>()), bytes);
    EXPECT_EQ(figure("http_fetches_total"), 1U);
    EXPECT_EQ(call("POST", "/v1/jobs", std::string(2U << 20, ' ')).status, 413);
}

TEST_F(Jobs, AnUnknownQueueIsNamedWithTheNearest) {
    start();
    queue("echo");
    const RawAnswer answer = call("POST", "/v1/jobs", job("ecco"));
    EXPECT_EQ(answer.status, 404);
    EXPECT_THAT(answer.body, HasSubstr("did you mean"));
    EXPECT_THAT(answer.body, HasSubstr("echo"));
    EXPECT_EQ(call("GET", "/v1/jobs/ecco/0192a3b4c5d67e8f9a0b1c2d3e4f5061").status, 404);
    EXPECT_EQ(call("POST", "/v1/jobs", job("echo", R"(,"aliases":["NOPE@latest"])")).status, 404);
}

TEST_F(Jobs, AListIsAnsweredJobByJob) {
    start();
    queue("echo");
    const RawAnswer answer =
        call("POST", "/v1/jobs",
             "[" + job("echo") + "," + job("echo", R"(,"aliases":["NOPE@latest"])") + "," +
                 job("echo", R"(,"options":{"priority":9})") + "]");
    ASSERT_EQ(answer.status, 202) << answer.body;
    const Json jobs = Json::parse(answer.body)["jobs"];
    ASSERT_EQ(jobs.size(), 3U);
    EXPECT_EQ(jobs[0]["status"], "queued");
    EXPECT_EQ(jobs[1]["error"]["code"], "unknown_alias");
    EXPECT_EQ(jobs[2]["verdict"], "accepted");
    const Json state = json("GET", "/v1/jobs/echo/" + jobs[2]["job_id"].get<std::string>());
    EXPECT_EQ(state["priority"], 9);
    EXPECT_EQ(of_queue("echo", "submitted"), 2U);
    EXPECT_EQ(call("POST", "/v1/jobs", "[" + job("echo", R"(,"wait_ms":1)") + "]").status, 400);
}

TEST_F(Jobs, ARepeatedRequestIsOneJob) {
    start();
    queue("echo");
    const std::string key = "Idempotency-Key: 17\r\n";
    const Json first = Json::parse(call("POST", "/v1/jobs", job("echo"), key).body);
    const Json again = Json::parse(call("POST", "/v1/jobs", job("echo"), key).body);
    EXPECT_EQ(first["job_id"], again["job_id"]);
    EXPECT_EQ(call("POST", "/v1/jobs", job("echo", R"(,"subject":"x")"), key).status, 409);
    const std::string named = job("echo", ",\"job_id\":\"" + client->new_id().hex() + "\"");
    EXPECT_EQ(call("POST", "/v1/jobs", named).status, 202);
    EXPECT_EQ(call("POST", "/v1/jobs", named).status, 202);
    EXPECT_EQ(of_queue("echo", "submitted"), 2U);
    EXPECT_EQ(figure("http_repeated_total"), 3U);
}

TEST_F(Jobs, DeleteCancels) {
    start();
    queue("echo");
    const Json taken = json("POST", "/v1/jobs", job("echo"));
    const std::string path = "/v1/jobs/echo/" + taken["job_id"].get<std::string>();
    EXPECT_EQ(json("DELETE", path)["status"], "cancelled");
    EXPECT_TRUE(until([&] { return json("GET", path)["outcome"] == "cancelled"; }));
    EXPECT_EQ(call("DELETE", "/v1/jobs/echo/0192a3b4c5d67e8f9a0b1c2d3e4f5061").status, 404);
}

TEST_F(Jobs, AQueueWithoutRoomIsSaidAndWhatComesTooLateIsCancelled) {
    broker::ServerOptions options;
    options.gateway.desk.book.submit_wait = 200ms;
    start(options);
    queue("small", {{"max_jobs", 1}});
    const Json first = json("POST", "/v1/jobs", job("small"));
    ASSERT_EQ(first["verdict"], "accepted") << first;
    const RawAnswer answer = call("POST", "/v1/jobs", job("small", R"(,"wait_ms":30000)"));
    EXPECT_EQ(answer.status, 429) << answer.body;
    EXPECT_EQ(answer.headers.at("retry-after"), "1");
    EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "queue_full");
    // Its place comes free: the job that was given up arrives, and is cancelled at once.
    work(std::make_unique<worker::NoopScanner>(worker::NoopScanner::Options{{}, 50ms, 0.0, {}, 0}));
    EXPECT_TRUE(until([&] { return of_queue("small", "submitted") == 2; }));
    EXPECT_TRUE(until([&] { return figure("http_jobs_cancelled_alone_total") == 1; }));
    EXPECT_EQ(figure("http_no_room_total"), 1U);
}

TEST_F(Jobs, EndsOtherThanDoneHaveTheirStatus) {
    start();
    queue("once", {{"max_attempts", 1}});
    const RawAnswer late =
        call("POST", "/v1/jobs", job("once", R"(,"wait_ms":30000,"options":{"deadline_ms":50})"));
    EXPECT_EQ(late.status, 504) << late.body;
    EXPECT_EQ(Json::parse(late.body)["error"]["code"], "deadline_passed");
    EXPECT_TRUE(Json::parse(late.body).contains("job_id"));
    work(std::make_unique<worker::NoopScanner>(worker::NoopScanner::Options{{}, 0ms, 1.0, {}, 0}));
    EXPECT_EQ(call("POST", "/v1/jobs", job("once", R"(,"wait_ms":30000)")).status, 502);
}

TEST_F(Jobs, RequestsBeyondTheLimitAreRefusedAndHealthStillAnswers) {
    broker::ServerOptions options;
    options.gateway.desk.book.waits_max = 1;
    start(options);
    queue("echo");
    RawHttp held(address);
    held.request("POST", "/v1/jobs", job("echo", R"(,"wait_ms":60000)"));
    ASSERT_TRUE(until([&] { return figure("http_waits") == 1; }));
    const RawAnswer refused = call("POST", "/v1/jobs", job("echo", R"(,"wait_ms":60000)"));
    EXPECT_EQ(refused.status, 429) << refused.body;
    EXPECT_EQ(Json::parse(refused.body)["error"]["code"], "waits_max");
    EXPECT_EQ(call("GET", "/health").status, 200);
}

TEST_F(Jobs, WhoWaitsWhenTheBrokerStopsIsToldSo) {
    start();
    queue("echo");
    RawHttp held(address);
    held.request("POST", "/v1/jobs", job("echo", R"(,"wait_ms":60000)"));
    ASSERT_TRUE(until([&] { return figure("http_waits") == 1; }));
    stop_broker_only();
    const RawAnswer answer = held.answer();
    EXPECT_EQ(answer.status, 503);
    EXPECT_THAT(answer.body, HasSubstr("shutting_down"));
    EXPECT_TRUE(answer.headers.contains("retry-after"));
}

TEST_F(Jobs, SubscriptionsEndAWhileAfterTheirLastJob) {
    broker::ServerOptions options;
    options.gateway.desk.watch_linger = 10ms;
    start(options);
    queue("echo");
    EXPECT_EQ(of_queue("echo", "subscriptions"), 0U);
    RawHttp held(address);
    held.request("POST", "/v1/jobs", job("echo", R"(,"wait_ms":60000)"));
    ASSERT_TRUE(until([&] { return of_queue("echo", "subscriptions") == 1; }));
    work(std::make_unique<worker::NoopScanner>());
    EXPECT_EQ(held.answer().status, 200);
    EXPECT_TRUE(until([&] { return of_queue("echo", "subscriptions") == 0; }));
}

TEST_F(Jobs, MetricsAndOpenApiSpeakOfTheBroker) {
    start();
    queue("echo");
    EXPECT_EQ(call("POST", "/v1/jobs", job("echo")).status, 202);
    const RawAnswer text = call("GET", "/metrics");
    EXPECT_THAT(text.headers.at("content-type"), HasSubstr("text/plain"));
    EXPECT_THAT(text.body, HasSubstr("scanmq_queue_waiting{queue=\"echo\"} 1\n"));
    EXPECT_THAT(text.body, HasSubstr("scanmq_http_jobs_total 1\n"));
    EXPECT_TRUE(json("GET", "/openapi.json")["paths"].contains("/v1/jobs"));
    EXPECT_EQ(json("GET", "/health")["status"], "ok");
    EXPECT_EQ(call("GET", "/v1/job").status, 404);
    EXPECT_EQ(call("PUT", "/v1/jobs", "{}").status, 405);
}

}  // namespace
}  // namespace scanmq::gateway::test
