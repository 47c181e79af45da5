// Too many, too slow, gone, and the end: what the scan service does then.

#include "tests/integration/scanner/scanner_fixture.hpp"

namespace scanmq::scand {
namespace {

class Overload : public ScannerTest {
  protected:
    // Scans take their place and keep it.
    static Settings stuck(std::uint32_t concurrency, std::uint32_t queue) {
        Settings settings;
        settings.threads = concurrency;
        settings.concurrency = concurrency;
        settings.queue = queue;
        settings.fault_text = "slow:1h";
        return settings;
    }
    std::unique_ptr<RawHttp> ask(const std::string& headers = {}) {
        auto client = std::make_unique<RawHttp>(server->address());
        client->request("POST", "/api/v1/scan", scan_body(), headers);
        return client;
    }
};

TEST_F(Overload, BeyondPlacesAndLineIs429) {
    serve(stuck(1, 1));
    const auto first = ask();
    ASSERT_TRUE(until("scans_running", 1));
    const auto second = ask();
    ASSERT_TRUE(until("scans_waiting", 1));
    const RawAnswer third = call("POST", "/api/v1/scan", scan_body());
    EXPECT_EQ(third.status, 429);
    EXPECT_EQ(code_of(third), "busy");
    EXPECT_GE(std::stoi(third.headers.at("retry-after")), 1);
    const RawAnswer batch =
        call("POST", "/api/v1/scan/batch", json{{"symbols", {market::sample_symbol(0)}}}.dump());
    EXPECT_EQ(batch.status, 429);
    const RawAnswer lines =
        call("POST", "/api/v1/scan", scan_body(), "Accept: application/x-ndjson\r\n");
    EXPECT_EQ(lines.status, 429);
    EXPECT_EQ(metrics()["scans_refused_total"], 3);
    EXPECT_EQ(call("GET", "/healthz").status, 200);
}

TEST_F(Overload, AScanEndsWithItsClient) {
    serve(stuck(1, 1));
    auto running = ask();
    ASSERT_TRUE(until("scans_running", 1));
    auto waiting = ask();
    ASSERT_TRUE(until("scans_waiting", 1));
    waiting->close();
    EXPECT_TRUE(until("scans_waiting", 0));
    running->close();
    EXPECT_TRUE(until("scans_running", 0));
    auto lines = ask("Accept: application/x-ndjson\r\n");
    ASSERT_TRUE(until("scans_running", 1));
    lines->close();
    EXPECT_TRUE(until("scans_running", 0));
    EXPECT_EQ(metrics()["scans_cancelled_total"], 3);
    EXPECT_EQ(metrics()["results"], 0);
}

TEST_F(Overload, DeadlinesAre504AndFreeThePlace) {
    serve(stuck(1, 1));
    const RawAnswer late =
        call("POST", "/api/v1/scan", scan_body(), "X-Scanmq-Deadline-Ms: 30\r\n");
    EXPECT_EQ(late.status, 504);
    EXPECT_EQ(code_of(late), "deadline_exceeded");
    EXPECT_TRUE(until("scans_running", 0));
    const RawAnswer lines = call("POST", "/api/v1/scan", scan_body(),
                                 "X-Scanmq-Deadline-Ms: 30\r\nAccept: application/x-ndjson\r\n");
    EXPECT_EQ(lines.status, 200);
    EXPECT_TRUE(lines.whole);
    EXPECT_THAT(lines.body, testing::HasSubstr("deadline_exceeded"));
    EXPECT_EQ(metrics()["scans_timeout_total"], 2);
}

TEST_F(Overload, ScanTimeoutIsTheDefaultDeadline) {
    Settings settings = stuck(1, 1);
    settings.scan_timeout = std::chrono::milliseconds(30);
    serve(settings);
    EXPECT_EQ(call("POST", "/api/v1/scan", scan_body()).status, 504);
}

TEST_F(Overload, OversizedBodiesAre413) {
    Settings settings;
    settings.body_bytes_max = 2000;
    serve(settings);
    EXPECT_EQ(call("POST", "/api/v1/scan", std::string(2001, ' ')).status, 413);
    EXPECT_EQ(call("POST", "/api/v1/scan", scan_body()).status, 200);
}

TEST_F(Overload, SlowRequestsAre408) {
    Settings settings;
    settings.read_timeout = std::chrono::milliseconds(50);
    serve(settings);
    RawHttp client(server->address());
    client.send("POST /api/v1/scan HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    EXPECT_EQ(client.answer().status, 408);
}

TEST_F(Overload, DrainingRefusesAndLetsScansEnd) {
    Settings settings;
    settings.fault_text = "slow:300ms";
    serve(settings);
    const auto running = ask();
    ASSERT_TRUE(until("scans_running", 1));
    server->stop();
    RawHttp late(server->address());
    const RawAnswer refused = late.call("POST", "/api/v1/scan", scan_body());
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(code_of(refused), "draining");
    EXPECT_EQ(refused.headers.at("connection"), "close");
    EXPECT_EQ(running->answer().status, 200);
    EXPECT_TRUE(end());
}

TEST_F(Overload, DrainingHasAnEnd) {
    Settings settings = stuck(1, 1);
    settings.drain_timeout = std::chrono::milliseconds(50);
    serve(settings);
    const auto running = ask();
    const auto waiting = ask();
    ASSERT_TRUE(until("scans_waiting", 1));
    EXPECT_FALSE(end());
    EXPECT_EQ(running->answer().status, 503);
    EXPECT_EQ(waiting->answer().status, 503);
}

TEST_F(Overload, AnIdleServiceEndsAtOnce) {
    Settings settings;
    settings.drain_timeout = std::chrono::hours(1);
    serve(settings);
    RawHttp idle(server->address());
    EXPECT_EQ(idle.call("GET", "/health").status, 200);
    EXPECT_TRUE(end());
    EXPECT_TRUE(idle.closed());
}

TEST_F(Overload, ManyClientsAtOnceAreAllAnswered) {
    Settings settings;
    settings.queue = 4;
    serve(settings);
    const std::string wanted = call("POST", "/api/v1/scan", scan_body()).body;
    std::atomic<int> good{0};
    std::atomic<int> busy{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 12; ++c) {
        clients.emplace_back([&] {
            RawHttp client(server->address());
            for (int i = 0; i < 20; ++i) {
                const RawAnswer answer = client.call("POST", "/api/v1/scan", scan_body());
                if (answer.status == 200 && answer.body == wanted) ++good;
                if (answer.status == 429) ++busy;
            }
        });
    }
    for (std::thread& each : clients) each.join();
    EXPECT_EQ(good + busy, 240);
    EXPECT_GT(good, 0);
    EXPECT_EQ(metrics()["http_connections_total"].get<int>() >= 13, true);
}

}  // namespace
}  // namespace scanmq::scand
