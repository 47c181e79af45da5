#pragma once
// A scan service on port 0 with its loop in a thread of its own, and what tests ask it.

#include <gmock/gmock.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "common/base/id.hpp"
#include "scanner/market/sample_market.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/server/scanner_server.hpp"
#include "tests/support/raw_http.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::scand {

using nlohmann::json;
using test::RawAnswer;
using test::RawHttp;

inline std::string sample_snapshot(std::size_t index) {
    return market::encode_snapshot(market::sample_chain({.expiries = 2, .strikes_max = 15}, index));
}

class ScannerTest : public testing::Test {
  protected:
    ~ScannerTest() override { end(); }

    // `chains`: how many of the sample market's are there from the start.
    void serve(Settings settings = {}, std::size_t chains = 2) {
        for (std::size_t i = 0; i < chains; ++i) {
            tests::write_file(dir.path() / (market::sample_symbol(i) + ".snapshot"),
                              sample_snapshot(i));
        }
        settings.http = "127.0.0.1:0";
        settings.log = "off";
        settings.debug = true;
        if (settings.threads == 0) settings.threads = 2;
        if (chains > 0) settings.chains = dir.path().string();
        ASSERT_TRUE(complete(settings).ok());
        auto made = ScannerServer::create(settings, false);
        ASSERT_TRUE(made.ok()) << made.error();
        server = std::move(made).value();
        loop = std::thread([this] { drained = server->run(); });
    }
    // Stops and waits; whether it drained.
    bool end() {
        if (!loop.joinable()) return drained;
        server->stop();
        loop.join();
        return drained;
    }
    RawAnswer call(const std::string& method, const std::string& target,
                   const std::string& body = {}, const std::string& headers = {}) {
        RawHttp client(server->address());
        return client.call(method, target, body, headers);
    }
    json metrics() {
        return json::parse(call("GET", "/metrics", {}, "Accept: application/json\r\n").body);
    }
    // Waits until a metric has this value. False: not within 20 s.
    bool until(const char* name, std::uint64_t value) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < deadline) {
            if (metrics()[name] == value) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return false;
    }
    static std::string scan_body(std::size_t index = 0) {
        return json{{"symbol", market::sample_symbol(index)}, {"limit", 3}}.dump();
    }
    static std::string code_of(const RawAnswer& answer) {
        return json::parse(answer.body)["error"]["code"];
    }

    tests::TempDir dir;
    std::unique_ptr<ScannerServer> server;
    std::thread loop;
    bool drained = false;
};

}  // namespace scanmq::scand
