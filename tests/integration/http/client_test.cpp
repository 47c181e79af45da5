// The HTTP client against servers that answer, and against those that do not.
#include "common/http/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>

#include "tests/support/scripted_server.hpp"

namespace scanmq::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Peer;
using test::ScriptedServer;
using testing::HasSubstr;

constexpr milliseconds kShort{150};

class HttpClient : public testing::Test {
  protected:
    static Endpoint at(const ScriptedServer& server) { return *parse_endpoint(server.url()); }
    static ClientRequest post(ByteView body, Duration timeout = seconds(20)) {
        ClientRequest request;
        request.method = "POST";
        request.target = "/scan";
        request.body = body;
        request.timeout = timeout;
        return request;
    }
    // Runs the loop until the request was answered.
    ClientResult call(Client& client, const ClientRequest& request) {
        std::optional<ClientResult> out;
        client.send(request, [&](ClientResult result) { out = std::move(result); });
        run_until([&] { return out.has_value(); });
        if (!out) return fail(ClientFailure{ClientError::timeout, "the test ran out of patience"});
        return std::move(*out);
    }
    ClientError error_of(Client& client, const ClientRequest& request) {
        const ClientResult result = call(client, request);
        if (result) {
            ADD_FAILURE() << "answered with " << result->status;
            return {};
        }
        return result.error().error;
    }
    template <class Done>
    void run_until(const Done& done) {
        const auto end = std::chrono::steady_clock::now() + seconds(30);
        while (!done() && std::chrono::steady_clock::now() < end) {
            io_.restart();
            io_.run_one_for(milliseconds(20));
        }
        EXPECT_TRUE(done());
    }

    boost::asio::io_context io_{1};
};

void echo(Peer& peer, int) {
    while (const auto request = peer.request()) peer.answer(200, request->body);
}

TEST_F(HttpClient, SendsARequestAndReadsItsAnswer) {
    std::string head;
    ScriptedServer server([&](Peer& peer, int) {
        const auto request = peer.request();
        head = request->head;
        peer.answer(201, "made", "X-Version: 7\r\n");
        peer.wait_closed();
    });
    Client client(io_, *parse_endpoint(server.url() + "/base/"));
    std::string headers;
    add_header(headers, "Content-Type", "application/msgpack");
    ClientRequest request = post("abc");
    request.headers = headers;
    const ClientResult result = call(client, request);
    ASSERT_TRUE(result) << result.error().sentence;
    EXPECT_EQ(result->status, 201);
    EXPECT_EQ(result->body, "made");
    EXPECT_EQ(result->header("x-version"), "7");
    EXPECT_EQ(head, "POST /base/scan HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                        "\r\nContent-Type: application/msgpack\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(client.stats().answers, 1U);
}

TEST_F(HttpClient, KeepsConnections) {
    ScriptedServer server(echo);
    Client client(io_, at(server));
    for (const char* body : {"one", "two", "three"})
        EXPECT_EQ(call(client, post(body))->body, body);
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(client.stats().connections, 1U);
    EXPECT_EQ(client.stats().reused, 2U);
    EXPECT_EQ(client.stats().connections_idle, 1U);
}

TEST_F(HttpClient, OpensNoMoreConnectionsThanAllowed) {
    ScriptedServer server(echo);
    ClientOptions options;
    options.connections_max = 2;
    Client client(io_, at(server), options);
    int answered = 0;
    for (int i = 0; i < 20; ++i) {
        client.send(post("x"), [&](ClientResult result) { answered += result ? 1 : 0; });
    }
    EXPECT_EQ(client.stats().requests_waiting, 18U);
    run_until([&] { return answered == 20; });
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(client.stats().requests_waiting, 0U);
}

TEST_F(HttpClient, RefusesWhatWouldWaitBeyondItsLimit) {
    ScriptedServer server([](Peer& peer, int) { peer.wait_closed(); });
    ClientOptions options;
    options.connections_max = 1;
    options.waiting_max = 1;
    Client client(io_, at(server), options);
    client.send(post("first"), [](const ClientResult&) {});
    client.send(post("second"), [](const ClientResult&) {});
    EXPECT_EQ(error_of(client, post("third")), ClientError::refused);
    EXPECT_EQ(client.stats().refused, 1U);
}

TEST_F(HttpClient, NoticesThatAKeptConnectionWasClosed) {
    ScriptedServer server([](Peer& peer, int) {
        const auto request = peer.request();
        if (request) peer.answer(200, request->body);
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("one"))->body, "one");
    // The server's end is closed; its FIN may still be under way, then the request is sent again.
    EXPECT_EQ(call(client, post("two"))->body, "two");
    EXPECT_EQ(client.stats().stale + client.stats().resent, 1U);
}

TEST_F(HttpClient, SendsAgainWhenAKeptConnectionBreaksBeforeTheAnswer) {
    ScriptedServer server([](Peer& peer, int connection) {
        const auto first = peer.request();
        if (!first) return;
        peer.answer(200, first->body);
        const auto second = peer.request();
        if (second && connection > 0) peer.answer(200, second->body);
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("one"))->body, "one");
    EXPECT_EQ(call(client, post("two"))->body, "two");
    EXPECT_EQ(client.stats().resent, 1U);
    EXPECT_EQ(client.stats().broken, 0U);
}

TEST_F(HttpClient, DoesNotSendAgainOnANewConnection) {
    ScriptedServer server([](Peer& peer, int) { peer.request(); });
    Client client(io_, at(server));
    EXPECT_EQ(error_of(client, post("one")), ClientError::broken);
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(client.stats().broken, 1U);
}

TEST_F(HttpClient, DoesNotSendAgainWhatWasHalfAnswered) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.answer(200, "one");
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("one"))->body, "one");
    const ClientResult result = call(client, post("two"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error, ClientError::broken);
    EXPECT_THAT(result.error().sentence, HasSubstr("within the answer"));
    EXPECT_EQ(client.stats().resent, 0U);
}

TEST_F(HttpClient, SaysSoWhenNobodyListens) {
    std::optional<ScriptedServer> server(std::in_place, echo);
    const Endpoint gone = at(*server);
    server.reset();
    Client client(io_, gone);
    const ClientResult result = call(client, post("x"));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error, ClientError::unreachable);
    EXPECT_THAT(result.error().sentence, HasSubstr(gone.authority()));
    EXPECT_EQ(client.stats().connect_failures, 1U);
    EXPECT_EQ(client.stats().connections_open, 0U);
}

TEST_F(HttpClient, ANameThatIsNotKnownIsUnreachable) {
    Client client(io_, *parse_endpoint("http://no-such-host.invalid:80"));
    EXPECT_EQ(error_of(client, post("x")), ClientError::unreachable);
}

TEST_F(HttpClient, GivesUpAfterTheTotalTimeout) {
    ScriptedServer server([](Peer& peer, int) { peer.wait_closed(); });
    Client client(io_, at(server));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of(client, post("x", kShort)), ClientError::timeout);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, kShort);
    EXPECT_EQ(client.stats().timeouts, 1U);
    EXPECT_EQ(client.stats().connections_open, 0U);
}

TEST_F(HttpClient, AnAnswerThatDripsDoesNotOutliveTheTotalTimeout) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while (peer.send("x")) std::this_thread::sleep_for(milliseconds(5));
    });
    Client client(io_, at(server));
    EXPECT_EQ(error_of(client, post("x", kShort)), ClientError::timeout);
}

TEST_F(HttpClient, TimeWaitingForAConnectionCounts) {
    ScriptedServer server([](Peer& peer, int) { peer.wait_closed(); });
    ClientOptions options;
    options.connections_max = 1;
    Client client(io_, at(server), options);
    client.send(post("first"), [](const ClientResult&) {});
    EXPECT_EQ(error_of(client, post("second", kShort)), ClientError::timeout);
    EXPECT_EQ(client.stats().requests_waiting, 0U);
}

TEST_F(HttpClient, GarbageIsMalformed) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.send("\x81\xa5hello this is no HTTP at all\r\n\r\n");
        peer.wait_closed();
    });
    Client client(io_, at(server));
    EXPECT_EQ(error_of(client, post("x")), ClientError::malformed);
    EXPECT_EQ(client.stats().malformed, 1U);
    EXPECT_EQ(client.stats().connections_open, 0U);
}

TEST_F(HttpClient, AResetIsABrokenConnection) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.reset_on_close();
    });
    Client client(io_, at(server));
    EXPECT_EQ(error_of(client, post("x")), ClientError::broken);
}

TEST_F(HttpClient, ReadsChunks) {
    ScriptedServer server([](Peer& peer, int) {
        while (peer.request()) {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
            peer.send("lo\r\n6;note=x\r\n world\r\n0\r\n\r\n");
        }
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("x"))->body, "hello world");
    EXPECT_EQ(call(client, post("x"))->body, "hello world");
    EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClient, ABodyMayEndWithItsConnection) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("x"))->body, "until the end");
    EXPECT_EQ(client.stats().connections_open, 0U);
}

TEST_F(HttpClient, InterimAnswersAreSkipped) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n");
        peer.answer(200, "real");
        peer.wait_closed();
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("x"))->body, "real");
}

TEST_F(HttpClient, InterimAnswersForEverAreMalformed) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        while (peer.send("HTTP/1.1 100 Continue\r\n\r\n")) {
        }
    });
    Client client(io_, at(server));
    EXPECT_EQ(error_of(client, post("x")), ClientError::malformed);
}

TEST_F(HttpClient, HeadersAreBounded) {
    ScriptedServer server([](Peer& peer, int) {
        peer.request();
        peer.send("HTTP/1.1 200 OK\r\n");
        while (peer.send("X-More: " + std::string(1000, 'x') + "\r\n")) {
        }
    });
    Client client(io_, at(server));
    EXPECT_EQ(error_of(client, post("x")), ClientError::header_too_large);
    EXPECT_EQ(client.stats().header_too_large, 1U);
}

TEST_F(HttpClient, BodiesAreBounded) {
    ScriptedServer server([](Peer& peer, int connection) {
        peer.request();
        if (connection == 0) {
            peer.answer(200, std::string(1001, 'x'));
        } else {
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while (peer.send("100\r\n" + std::string(256, 'x') + "\r\n")) {
            }
        }
        peer.wait_closed();
    });
    ClientOptions options;
    options.body_bytes_max = 1000;
    Client client(io_, at(server), options);
    EXPECT_EQ(error_of(client, post("by its length")), ClientError::body_too_large);
    EXPECT_EQ(error_of(client, post("by its chunks")), ClientError::body_too_large);
    EXPECT_EQ(client.stats().body_too_large, 2U);
}

TEST_F(HttpClient, LargeBodiesGoBothWays) {
    ScriptedServer server(echo);
    Client client(io_, at(server));
    std::string large(8U << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<char>(i >> 12U);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(call(client, post(large))->body, large);
    EXPECT_EQ(server.connections(), 1);
    EXPECT_GE(client.stats().bytes_out, 16U << 20);
}

TEST_F(HttpClient, ARefusalBeforeTheBodyWasReadIsStillRead) {
    ScriptedServer server([](Peer& peer, int) {
        peer.answer(413, "too large", "Connection: close\r\n");
        peer.wait_closed();
    });
    Client client(io_, at(server));
    const std::string large(64U << 20, 'x');
    const ClientResult result = call(client, post(large));
    ASSERT_TRUE(result) << result.error().sentence;
    EXPECT_EQ(result->status, 413);
    EXPECT_EQ(client.stats().connections_open, 0U);
}

TEST_F(HttpClient, CloseInAnAnswerIsObeyed) {
    ScriptedServer server([](Peer& peer, int) {
        while (peer.request()) peer.answer(200, "x", "Connection: close\r\n");
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("x"))->status, 200);
    EXPECT_EQ(call(client, post("x"))->status, 200);
    EXPECT_EQ(server.connections(), 2);
    EXPECT_EQ(client.stats().reused, 0U);
}

TEST_F(HttpClient, BytesThatNobodyAskedForEndAConnection) {
    ScriptedServer server([](Peer& peer, int) {
        while (peer.request()) {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n\r\n");
        }
    });
    Client client(io_, at(server));
    EXPECT_EQ(call(client, post("x"))->body, "a");
    EXPECT_EQ(call(client, post("x"))->body, "a");
    EXPECT_EQ(server.connections(), 2);
}

TEST_F(HttpClient, AHeadAnswerHasNoBody) {
    ScriptedServer server([](Peer& peer, int) {
        while (peer.request()) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
    });
    Client client(io_, at(server));
    ClientRequest request;
    request.method = "HEAD";
    EXPECT_EQ(call(client, request)->status, 200);
    EXPECT_EQ(call(client, request)->status, 200);
    EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClient, ACancelledRequestClosesItsConnectionAndIsNotAnswered) {
    std::atomic<bool> asked{false};
    std::atomic<bool> closed{false};
    ScriptedServer server([&](Peer& peer, int) {
        if (!peer.request()) return;
        asked = true;
        peer.wait_closed();
        closed = true;
    });
    Client client(io_, at(server));
    bool called = false;
    const RequestId id = client.send(post("x"), [&](const ClientResult&) { called = true; });
    run_until([&] { return asked.load(); });
    client.cancel(id);
    client.cancel(id);
    run_until([&] { return closed.load(); });
    EXPECT_FALSE(called);
    EXPECT_EQ(client.stats().cancelled, 1U);
    EXPECT_EQ(client.stats().connections_open, 0U);
}

TEST_F(HttpClient, CancellingOneLetsTheNextOneGo) {
    ScriptedServer server([](Peer& peer, int connection) {
        if (connection == 0) return peer.wait_closed();
        echo(peer, connection);
    });
    ClientOptions options;
    options.connections_max = 1;
    Client client(io_, at(server), options);
    const RequestId first = client.send(post("first"), [](const ClientResult&) { FAIL(); });
    const RequestId second = client.send(post("second"), [](const ClientResult&) { FAIL(); });
    std::string answer;
    client.send(post("third"), [&](ClientResult result) { answer = result->body; });
    client.cancel(second);
    client.cancel(first);
    run_until([&] { return !answer.empty(); });
    EXPECT_EQ(answer, "third");
}

TEST_F(HttpClient, IdleConnectionsAreClosed) {
    ScriptedServer server(echo);
    ClientOptions options;
    options.idle_timeout = kShort;
    Client client(io_, at(server), options);
    EXPECT_EQ(call(client, post("x"))->status, 200);
    EXPECT_EQ(client.stats().connections_open, 1U);
    run_until([&] { return client.stats().connections_open == 0; });
    EXPECT_EQ(client.stats().idle_closes, 1U);
    EXPECT_EQ(client.stats().connections_idle, 0U);
    EXPECT_EQ(call(client, post("again"))->body, "again");
}

TEST_F(HttpClient, ACallbackMayDestroyTheClient) {
    ScriptedServer server(echo);
    auto client = std::make_unique<Client>(io_, at(server));
    bool destroyed = false;
    client->send(post("x"), [&](const ClientResult&) {
        client.reset();
        destroyed = true;
    });
    run_until([&] { return destroyed; });
    io_.restart();
    io_.poll();
}

TEST_F(HttpClient, DestroyingItEndsEverythingWithoutCallbacks) {
    ScriptedServer server([](Peer& peer, int) { peer.wait_closed(); });
    {
        Client client(io_, at(server));
        for (int i = 0; i < 5; ++i) client.send(post("x"), [](const ClientResult&) { FAIL(); });
        io_.run_one_for(milliseconds(20));
    }
    io_.restart();
    io_.run_for(seconds(20));
    EXPECT_TRUE(io_.stopped());  // nothing of it is left on the loop
}

TEST_F(HttpClient, WorksAgainAfterItsServerCameBack) {
    std::optional<ScriptedServer> server(std::in_place, echo);
    const std::uint16_t port = server->port();
    Client client(io_, at(*server));
    EXPECT_EQ(call(client, post("one"))->body, "one");
    server.reset();
    EXPECT_EQ(error_of(client, post("two")), ClientError::unreachable);
    server.emplace(echo, port);
    EXPECT_EQ(call(client, post("three"))->body, "three");
}

}  // namespace
}  // namespace scanmq::http
