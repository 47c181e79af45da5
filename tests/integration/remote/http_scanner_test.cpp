// HttpScanner against scan services that work, and that fail in each way there is.
#include "worker/remote/http_scanner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "scanner/api/worker_call.hpp"
#include "tests/integration/remote/rig.hpp"
#include "worker/remote/version_wait.hpp"

namespace scanmq::worker {
namespace {

using protocol::ErrorCode;
using testing::HasSubstr;
using namespace test;  // NOLINT(google-build-using-namespace): the rig is this file's language

// Answers each scan with what `scan` does, /healthz with 200.
ScriptedServer::Script serving(std::function<void(Peer&, const PeerRequest&)> scan,
                               const std::string& headers = {}) {
    return [scan = std::move(scan), headers](Peer& peer, int) {
        while (const auto request = peer.request()) {
            if (request->line() == "GET /healthz HTTP/1.1") {
                peer.answer(200, "{}", headers);
            } else {
                scan(peer, *request);
            }
        }
    };
}

ScriptedServer::Script failing(int status) {
    return serving([status](Peer& peer, const PeerRequest&) {
        answer_error(peer, status, "some_code", "this is why");
    });
}

TEST(HttpScanner, SendsAJobAndTakesItsResult) {
    std::mutex mutex;
    PeerRequest seen;
    ScriptedServer server(serving([&](Peer& peer, const PeerRequest& request) {
        const std::lock_guard lock(mutex);
        seen = request;
        answer_result(peer);
    }));
    Rig rig(server.url());
    EXPECT_TRUE(rig.open());
    const auto input = input_of("a chain");
    RigCall& call =
        rig.start("a request", {input}, Time(std::chrono::steady_clock::now()) + seconds(5));
    rig.run_until([&] { return call.finished; });
    EXPECT_EQ(call.outcome.status, ScanStatus::done) << call.outcome.sentence;
    EXPECT_EQ(call.outcome.body, kResult);
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(is_scan(seen));
    EXPECT_EQ(seen.header("Content-Type"), "application/msgpack");
    const int deadline = std::stoi(seen.header("X-Scanmq-Deadline-Ms"));
    EXPECT_GT(deadline, 1000);
    EXPECT_LE(deadline, 5000);
    const auto sent = api::decode_worker_call(seen.body);
    ASSERT_TRUE(sent) << sent.error();
    EXPECT_EQ(sent->request, "a request");
    EXPECT_THAT(sent->inputs, testing::ElementsAre(input->id()));
}

TEST(HttpScanner, KeepsItsConnections) {
    ScriptedServer server(serving([](Peer& peer, const PeerRequest&) { answer_result(peer); }));
    Rig rig(server.url());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    EXPECT_EQ(server.connections(), 1);
}

TEST(HttpScanner, PutsASnapshotThatTheServiceDoesNotKnowOnceForAllWhoWait) {
    std::mutex mutex;
    std::vector<std::string> puts;
    const auto known = input_of("known");
    const auto unknown = input_of(std::string(300'000, 'u'));
    const std::string hash = unknown->id().hex();
    ScriptedServer server(serving([&](Peer& peer, const PeerRequest& request) {
        const std::lock_guard lock(mutex);
        if (!is_scan(request)) {
            puts.push_back(request.line());
            EXPECT_EQ(content_id(request.body), unknown->id());
            peer.answer(204, "");
        } else if (puts.empty()) {
            answer_error(peer, 409, "unknown_snapshot", "put " + hash);
        } else {
            answer_result(peer);
        }
    }));
    Rig rig(server.url());
    for (int i = 0; i < 8; ++i) rig.start("x", {known, unknown, unknown});
    rig.run_until([&] { return rig.finished() == 8; });
    for (const RigCall& call : rig.calls()) EXPECT_EQ(call.outcome.status, ScanStatus::done);
    const std::lock_guard lock(mutex);
    EXPECT_THAT(puts, testing::ElementsAre("PUT /api/v1/snapshots/" + hash + " HTTP/1.1"));
    EXPECT_EQ(rig.target().puts().puts(), 1U);
}

TEST(HttpScanner, AServiceThatForgetsWhatItIsGivenIsAnError) {
    ScriptedServer server(serving([](Peer& peer, const PeerRequest& request) {
        if (is_scan(request)) return answer_error(peer, 409, "unknown_snapshot", "put it");
        peer.answer(204, "");
    }));
    auto options = Rig::options({server.url()});
    options.target.remote.tries_max = 1;
    Rig rig(options);
    RigCall& call = rig.run("x", {input_of("a chain")});
    EXPECT_EQ(call.outcome.status, ScanStatus::failed);
    EXPECT_EQ(call.outcome.code, ErrorCode::scanner_error);
    EXPECT_THAT(call.outcome.sentence, HasSubstr("forgot"));
}

TEST(HttpScanner, ASnapshotThatIsRefusedEndsItsJob) {
    ScriptedServer server(serving([](Peer& peer, const PeerRequest& request) {
        if (is_scan(request)) return answer_error(peer, 409, "unknown_snapshot", "put it");
        answer_error(peer, 422, "bad_snapshot", "it is no chain");
    }));
    Rig rig(server.url());
    RigCall& call = rig.run("x", {input_of("no chain")});
    EXPECT_EQ(call.outcome.status, ScanStatus::rejected);
    EXPECT_EQ(call.outcome.code, ErrorCode::bad_payload);
    EXPECT_THAT(call.outcome.sentence, HasSubstr("it is no chain"));
}

TEST(HttpScanner, WhatTheServiceRefusesIsRejectedWithItsSentence) {
    for (const int status : {400, 404, 413, 422, 501}) {
        ScriptedServer server(failing(status));
        Rig rig(server.url());
        RigCall& call = rig.run("x");
        EXPECT_EQ(call.outcome.status, ScanStatus::rejected) << status;
        EXPECT_EQ(call.outcome.code, ErrorCode::bad_payload) << status;
        EXPECT_THAT(call.outcome.sentence, HasSubstr("this is why"));
        EXPECT_EQ(rig.target().calls().counters().retries, 0U);
    }
}

TEST(HttpScanner, AServiceErrorIsTriedAgain) {
    std::atomic<int> asked{0};
    ScriptedServer server(serving([&](Peer& peer, const PeerRequest&) {
        if (asked++ == 0) return answer_error(peer, 500, "internal_error", "a hiccup");
        answer_result(peer);
    }));
    Rig rig(server.url());
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    EXPECT_EQ(asked, 2);
}

TEST(HttpScanner, ErrorsThatStayEndInFailureWithTheirCode) {
    const std::string garbage = "\xc1\xff garbage";
    const std::vector<std::pair<ScriptedServer::Script, ErrorCode>> cases{
        {failing(500), ErrorCode::scanner_error},
        {failing(401), ErrorCode::scanner_error},
        {failing(504), ErrorCode::scanner_timeout},
        {serving([](Peer& peer, const PeerRequest&) { peer.answer(200, kResult); }),
         ErrorCode::bad_response},  // without a content type
        {serving([&](Peer& peer, const PeerRequest&) { peer.answer(200, garbage, kMsgpackType); }),
         ErrorCode::bad_response},
        {serving([](Peer& peer, const PeerRequest&) { peer.answer(302, "", kMsgpackType); }),
         ErrorCode::bad_response},
        {serving([&](Peer& peer, const PeerRequest&) { peer.send(garbage + "\r\n\r\n"); }),
         ErrorCode::bad_response},
        {serving([](Peer& peer, const PeerRequest&) {
             peer.answer(200, std::string(5000, 'x'), kMsgpackType);
         }),
         ErrorCode::bad_response},  // over the limit
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
        ScriptedServer server(cases[i].first);
        auto options = Rig::options({server.url()});
        options.target.remote.tries_max = 2;
        options.target.client.body_bytes_max = 4096;
        Rig rig(options);
        RigCall& call = rig.run("x");
        EXPECT_EQ(call.outcome.status, ScanStatus::failed) << i;
        EXPECT_EQ(call.outcome.code, cases[i].second) << i << call.outcome.sentence;
        EXPECT_THAT(call.outcome.sentence, HasSubstr(server.url())) << i;
        EXPECT_TRUE(call.outcome.body.empty());
    }
}

TEST(HttpScanner, ASlowServiceIsATimeout) {
    ScriptedServer server(serving([](Peer& peer, const PeerRequest&) { peer.wait_closed(); }));
    auto options = Rig::options({server.url()});
    options.target.remote.call_timeout = milliseconds(50);
    options.target.remote.tries_max = 2;
    Rig rig(options);
    RigCall& call = rig.run("x");
    EXPECT_EQ(call.outcome.status, ScanStatus::failed);
    EXPECT_EQ(call.outcome.code, ErrorCode::scanner_timeout);
    EXPECT_EQ(server.connections(), 2);  // the first one's was closed with it
}

TEST(HttpScanner, ATasksDeadlineBoundsItsCall) {
    ScriptedServer server(serving([](Peer& peer, const PeerRequest&) { peer.wait_closed(); }));
    Rig rig(server.url());
    const Time begin = std::chrono::steady_clock::now();
    RigCall& call = rig.start("x", {}, begin + milliseconds(100));
    rig.run_until([&] { return call.finished; });
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));  // not the call's 10 s
    EXPECT_EQ(call.outcome.code, ErrorCode::scanner_timeout);
}

TEST(HttpScanner, CancellingACallClosesItsConnection) {
    std::atomic<bool> asked{false};
    std::atomic<bool> closed{false};
    ScriptedServer server(serving([&](Peer& peer, const PeerRequest&) {
        asked = true;
        peer.wait_closed();
        closed = true;
    }));
    Rig rig(server.url());
    RigCall& call = rig.start("x");
    rig.run_until([&] { return asked.load(); });
    rig.scanner().cancel(call.id);
    EXPECT_TRUE(call.finished);
    EXPECT_EQ(call.outcome.status, ScanStatus::failed);
    rig.scanner().cancel(call.id);
    rig.run_until([&] { return closed.load(); });
}

TEST(HttpScanner, AServiceWithoutRoomIsGivenTheTimeItAsksFor) {
    std::atomic<int> asked{0};
    ScriptedServer server(serving([&](Peer& peer, const PeerRequest&) {
        if (asked++ == 0) {
            return answer_error(peer, 429, "too_many", "wait", "Retry-After: 1\r\n");
        }
        answer_result(peer);
    }));
    Rig rig(server.url());
    const Time begin = std::chrono::steady_clock::now();
    RigCall& call = rig.start("x");
    rig.run_until([&] { return rig.finished() == 1 && rig.open(); });
    // A second is longer than a worker keeps work for: it went back, uncharged.
    EXPECT_EQ(call.outcome.status, ScanStatus::returned);
    EXPECT_EQ(call.outcome.code, ErrorCode::scanner_overloaded);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(950));
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
}

TEST(HttpScanner, ADeadServiceOpensTheBreakerAndIsUsedAgainWhenItIsBack) {
    auto answering = serving([](Peer& peer, const PeerRequest&) { answer_result(peer); });
    std::optional<ScriptedServer> server(std::in_place, answering);
    const std::uint16_t port = server->port();
    Rig rig(server->url());
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    server.reset();
    const Time died = std::chrono::steady_clock::now();
    std::size_t started = 1;
    while (rig.open() && std::chrono::steady_clock::now() < died + seconds(10)) {
        rig.start("x");
        ++started;
        rig.run_for(milliseconds(20));
    }
    EXPECT_FALSE(rig.open());
    EXPECT_LT(std::chrono::steady_clock::now() - died, seconds(1));
    EXPECT_THAT(rig.told().sentence, HasSubstr(rig.target().url()));
    rig.run_until([&] { return rig.finished() == started; });

    server.emplace(answering, port);
    const Time back = std::chrono::steady_clock::now();
    rig.run_until([&] { return rig.open(); });
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    EXPECT_LT(std::chrono::steady_clock::now() - back, seconds(2));
}

TEST(HttpScanner, CallsGoToTheTargetsThatAnswer) {
    std::atomic<int> first{0};
    std::atomic<int> second{0};
    const auto counting = [](std::atomic<int>& count) {
        return serving([&count](Peer& peer, const PeerRequest&) {
            ++count;
            answer_result(peer);
        });
    };
    ScriptedServer one(counting(first));
    ScriptedServer two(counting(second));
    std::optional<ScriptedServer> gone(std::in_place, failing(500));
    const std::string dead = gone->url();
    gone.reset();
    Rig rig(Rig::options({dead, one.url(), two.url()}));
    for (int i = 0; i < 60; ++i) rig.run("x");
    const auto done =
        std::count_if(rig.calls().begin(), rig.calls().end(),
                      [](const RigCall& call) { return call.outcome.status == ScanStatus::done; });
    EXPECT_GE(done, 50);  // the dead one took some until its breaker opened
    EXPECT_GE(first, 20);
    EXPECT_GE(second, 20);
    EXPECT_TRUE(rig.open());
}

TEST(HttpScanner, ATargetThatIsBackGetsItsShareAgain) {
    const auto answering = serving([](Peer& peer, const PeerRequest&) { answer_result(peer); });
    ScriptedServer other(answering);
    std::optional<ScriptedServer> server(std::in_place, answering);
    const std::string url = server->url();
    const std::uint16_t port = server->port();
    server.reset();
    Rig rig(Rig::options({url, other.url()}));
    using State = CircuitBreaker::State;
    while (rig.target(0).calls().breaker().state() == State::closed) rig.run("x");
    server.emplace(answering, port);
    rig.run_until([&] { return rig.target(0).calls().breaker().state() != State::open; });
    for (int i = 0; i < 100; ++i) EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    EXPECT_EQ(rig.target(0).calls().breaker().state(), State::closed);
    EXPECT_GE(rig.target(0).calls().counters().ok, 40U);
}

TEST(HttpScanner, AllTargetsShareTheWorkersLimit) {
    std::atomic<int> at_once{0};
    std::atomic<int> most{0};
    const auto slow = serving([&](Peer& peer, const PeerRequest&) {
        const int now = ++at_once;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::sleep_for(milliseconds(2));
        --at_once;
        answer_result(peer);
    });
    ScriptedServer one(slow);
    ScriptedServer two(slow);
    auto options = Rig::options({one.url(), two.url()});
    options.shared = LimiterOptions{};
    options.shared->slots_max = 3;
    Rig rig(options);
    EXPECT_EQ(rig.scanner().slots(), 3U);
    for (int i = 0; i < 40; ++i) rig.start("x");
    rig.run_until([&] { return rig.finished() == 40; });
    EXPECT_LE(most, 3);
    for (const RigCall& call : rig.calls()) EXPECT_EQ(call.outcome.status, ScanStatus::done);
}

TEST(HttpScanner, AResultOfAnotherVersionIsNotTaken) {
    std::mutex mutex;
    std::string version = "v1";
    const auto answer = [&](Peer& peer) {
        const std::lock_guard lock(mutex);
        answer_result(peer, "X-Scanmq-Scanner-Version: " + version + "\r\n");
    };
    ScriptedServer server(serving([&](Peer& peer, const PeerRequest&) { answer(peer); }));
    Rig rig(server.url());
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    {
        const std::lock_guard lock(mutex);
        version = "v2";
    }
    RigCall& call = rig.run("x");
    EXPECT_EQ(call.outcome.status, ScanStatus::returned);
    EXPECT_EQ(call.outcome.code, ErrorCode::scanner_unavailable);
    EXPECT_THAT(call.outcome.sentence, HasSubstr("v2"));
    EXPECT_FALSE(rig.open());
    EXPECT_EQ(rig.renewals(), 1);
    EXPECT_EQ(rig.scanner().version(), "v2");
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::returned);  // until the worker has renewed
    rig.scanner().renewed();
    EXPECT_TRUE(rig.open());
    EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    EXPECT_EQ(rig.renewals(), 1);
}

TEST(HttpScanner, ATargetOfAnotherVersionIsLeftAloneUntilItIsTheSameAgain) {
    std::mutex mutex;
    std::string version = "v2";
    std::atomic<int> scans{0};
    ScriptedServer other([&](Peer& peer, int) {
        while (const auto request = peer.request()) {
            if (is_scan(*request)) ++scans;
            const std::lock_guard lock(mutex);
            answer_result(peer, "X-Scanmq-Scanner-Version: " + version + "\r\n");
        }
    });
    ScriptedServer same(serving([](Peer& peer, const PeerRequest&) {
        answer_result(peer, "X-Scanmq-Scanner-Version: v1\r\n");
    }));
    Rig rig(Rig::options({other.url(), same.url()}));
    for (int i = 0; i < 20; ++i) rig.run("x");
    EXPECT_EQ(scans, 1);
    EXPECT_EQ(rig.renewals(), 0);
    EXPECT_TRUE(rig.open());
    EXPECT_EQ(rig.target(0).foreign_version(), "v2");
    {
        const std::lock_guard lock(mutex);
        version = "v1";
    }
    rig.run_until([&] { return rig.target(0).foreign_version().empty(); });
    for (int i = 0; i < 4; ++i) EXPECT_EQ(rig.run("x").outcome.status, ScanStatus::done);
    EXPECT_GE(scans, 2);
}

TEST(HttpScanner, StoppingDropsWhatIsUnderWay) {
    ScriptedServer server(serving([](Peer& peer, const PeerRequest&) { peer.wait_closed(); }));
    Rig rig(server.url());
    for (int i = 0; i < 5; ++i) rig.start("x", {input_of("a chain")});
    rig.run_for(milliseconds(20));
    EXPECT_EQ(rig.finished(), 0U);
}

TEST(HttpScanner, RefusesTargetsThatMakeNoSense) {
    EXPECT_FALSE(HttpScanner::create(Rig::options({})));
    EXPECT_FALSE(HttpScanner::create(Rig::options({"http://a:1", "a:1/"})));
    auto options = Rig::options({"http://a:1"});
    options.target.limiter.slots_min = 99;
    EXPECT_FALSE(HttpScanner::create(options));
}

TEST(VersionWait, FindsItOnceAScannerIsThere) {
    auto script = [](Peer& peer, int) {
        while (peer.request()) peer.answer(200, "{}", "X-Scanmq-Scanner-Version: engine/7\r\n");
    };
    std::optional<ScriptedServer> server(std::in_place, script);
    const std::uint16_t port = server->port();
    VersionWait wait;
    wait.endpoints = {*http::parse_endpoint(server->url())};
    wait.every = milliseconds(20);
    server.reset();
    std::thread later([&] {
        std::this_thread::sleep_for(milliseconds(100));
        server.emplace(script, port);
    });
    EXPECT_EQ(wait_for_version(wait), "engine/7");
    later.join();
}

TEST(VersionWait, AServiceThatDoesNotSayIsNoScanner) {
    ScriptedServer server([](Peer& peer, int) {
        while (peer.request()) peer.answer(200, "hello");
    });
    VersionWait wait;
    wait.endpoints = {*http::parse_endpoint(server.url())};
    wait.every = milliseconds(5);
    wait.patience = milliseconds(20);
    EXPECT_EQ(wait_for_version(wait), std::nullopt);
}

}  // namespace
}  // namespace scanmq::worker
