// The HTTP server over real sockets: what it answers, to whom, and what bounds it.

#include <gmock/gmock.h>

#include <mutex>
#include <optional>

#include "tests/integration/http/test_server.hpp"
#include "tests/support/raw_http.hpp"

namespace scanmq::http {
namespace {

using test::RawAnswer;
using test::RawHttp;
using testing::HasSubstr;

// Responders of requests that wait for the test to answer them.
class Waiting {
  public:
    void add(Responder responder) {
        const std::scoped_lock lock(mutex_);
        responder_ = std::move(responder);
    }
    Responder take() {
        while (true) {
            {
                const std::scoped_lock lock(mutex_);
                if (responder_) return *std::exchange(responder_, std::nullopt);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

  private:
    std::mutex mutex_;
    std::optional<Responder> responder_;
};

class HttpServer : public testing::Test {
  protected:
    Router router() {
        Router out;
        out.add("GET", "/hello/{name}", [](Request request, Responder to) {
            to.answer(json_response(200, json_quote(request.parameter("name"))));
        });
        out.add("POST", "/echo", [](Request request, Responder to) {
            Response response = json_response(200, std::move(request.body));
            response.content_type = request.header("content-type");
            to.answer(std::move(response));
        });
        out.add("PUT", "/large",
                [](Request request, Responder to) {
                    to.answer(json_response(200, std::to_string(request.body.size())));
                },
                {.body_bytes_max = 1U << 20});
        out.add("GET", "/wait", [this](Request, Responder to) { waiting.add(std::move(to)); });
        out.add("GET", "/throws", [](Request, Responder) { throw std::runtime_error("oops"); });
        out.add("GET", "/forgets", [](Request, Responder) {});
        out.add("GET", "/health",
                [](Request, Responder to) { to.answer(json_response(200, "{}")); },
                {.while_draining = true});
        return out;
    }
    TestServer& serve(ServerOptions options = {}) {
        options.headers.emplace_back("X-Test", "yes");
        server.emplace(std::move(options), router());
        return *server;
    }

    Waiting waiting;
    std::optional<TestServer> server;
};

TEST_F(HttpServer, AnswersManyRequestsOfOneConnection) {
    RawHttp client(serve().address());
    for (int i = 0; i < 100; ++i) {
        const RawAnswer answer = client.call("GET", "/hello/a" + std::to_string(i));
        ASSERT_EQ(answer.status, 200);
        ASSERT_EQ(answer.body, "\"a" + std::to_string(i) + "\"");
        EXPECT_EQ(answer.headers.at("x-test"), "yes");
    }
    EXPECT_EQ(server->stats().connections, 1U);
    EXPECT_EQ(server->stats().answers_2xx, 100U);
}

TEST_F(HttpServer, AnswersPipelinedRequestsInOrder) {
    RawHttp client(serve().address());
    std::string all;
    for (int i = 0; i < 300; ++i) {
        all +=
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n" + std::to_string(100 + i);
    }
    ASSERT_TRUE(client.send(all));
    for (int i = 0; i < 300; ++i) ASSERT_EQ(client.answer().body, std::to_string(100 + i));
}

// Input that comes while a request is handled is the next request's, wherever it is cut.
TEST_F(HttpServer, RequestsInPiecesFollowRequestsInHandlers) {
    RawHttp client(serve().address());
    const std::string wait = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string echo = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    for (std::size_t cut = 0; cut <= echo.size(); ++cut) {
        const std::uint64_t before = server->stats().bytes_in;
        client.send(wait + echo.substr(0, cut));
        const Responder to = waiting.take();
        ASSERT_TRUE(server->until(
            [&](const HttpStats& s) { return s.bytes_in == before + wait.size() + cut; }));
        to.answer(json_response(200, "1"));
        ASSERT_EQ(client.answer().body, "1") << cut;
        client.send(echo.substr(cut));
        ASSERT_EQ(client.answer().body, "hello") << cut;
    }
}

TEST_F(HttpServer, AllPipelinedRequestsOfAClientThatEndedSendingAreAnswered) {
    RawHttp client(serve().address());
    std::string all;
    for (int i = 0; i < 5; ++i) all += "GET /hello/a HTTP/1.1\r\nHost: x\r\n\r\n";
    client.send(all);
    client.end_sending();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(client.answer().body, "\"a\"") << i;
    EXPECT_TRUE(client.closed());
}

TEST_F(HttpServer, TakesRequestsByteByByte) {
    RawHttp client(serve().address());
    for (const char c : std::string("POST /echo?a=b HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
                                    "0\r\n\r\n")) {
        ASSERT_TRUE(client.send(std::string(1, c)));
    }
    const RawAnswer answer = client.answer();
    EXPECT_EQ(answer.body, "abcde");
    EXPECT_EQ(answer.headers.at("content-type"), "text/x");
}

TEST_F(HttpServer, HeadHasNoBodyAndOptionsTellsMethods) {
    RawHttp client(serve().address());
    const RawAnswer head = client.call("HEAD", "/hello/you");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("content-length"), "5");
    const RawAnswer options = client.call("OPTIONS", "/echo");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.headers.at("allow"), "POST");
    EXPECT_EQ(client.call("GET", "/hello/you").body, "\"you\"");
}

TEST_F(HttpServer, UnknownPathsNameTheNearestAndWrongMethodsAllow) {
    RawHttp client(serve().address());
    const RawAnswer unknown = client.call("GET", "/ecko");
    EXPECT_EQ(unknown.status, 404);
    EXPECT_THAT(unknown.body, HasSubstr("did you mean /echo"));
    EXPECT_THAT(unknown.body, HasSubstr(R"("code":"unknown_route")"));
    const RawAnswer wrong = client.call("DELETE", "/hello/a");
    EXPECT_EQ(wrong.status, 405);
    EXPECT_EQ(wrong.headers.at("allow"), "GET, HEAD");
    EXPECT_EQ(server->stats().not_found, 1U);
    EXPECT_EQ(server->stats().wrong_method, 1U);
}

TEST_F(HttpServer, MalformedRequestsAreAnsweredAndClosed) {
    serve();
    for (const char* bytes :
         {"nonsense\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET /hello/a HTTP/1.1\r\n\r\n",
          "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "GET nothing HTTP/1.1\r\nHost: x\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
          "chunked\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        RawHttp client(server->address());
        client.send(bytes);
        const RawAnswer answer = client.answer();
        EXPECT_EQ(answer.status, 400) << bytes;
        EXPECT_THAT(answer.body, HasSubstr("malformed_request")) << bytes;
        EXPECT_EQ(answer.headers.at("connection"), "close") << bytes;
        EXPECT_TRUE(client.closed()) << bytes;
    }
    EXPECT_EQ(server->stats().malformed, 8U);
}

TEST_F(HttpServer, HeadersAndBodiesAreBounded) {
    ServerOptions options;
    options.header_bytes_max = 2000;
    options.body_bytes_max = 1000;
    serve(options);
    {
        RawHttp client(server->address());
        client.request("GET", "/hello/a", {}, "X-Long: " + std::string(3000, 'x') + "\r\n");
        EXPECT_EQ(client.answer().status, 431);
    }
    {
        RawHttp client(server->address());  // told by its length, before a byte of it came
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
        const RawAnswer answer = client.answer();
        EXPECT_EQ(answer.status, 413);
        EXPECT_THAT(answer.body, HasSubstr("at most 1000"));
    }
    {
        RawHttp client(server->address());
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" +
                    std::string(2000, 'x') + "\r\n0\r\n\r\n");
        EXPECT_EQ(client.answer().status, 413);
    }
    {
        RawHttp client(server->address());  // a route's own limit
        EXPECT_EQ(client.call("PUT", "/large", std::string(500'000, 'x')).body, "500000");
    }
    EXPECT_EQ(server->stats().body_too_large, 2U);
    EXPECT_EQ(server->stats().header_too_large, 1U);
    EXPECT_TRUE(server->until([](const HttpStats& s) { return s.bodies_bytes == 0; }));
}

TEST_F(HttpServer, BodiesOfAllRequestsAreBoundedTogether) {
    ServerOptions options;
    options.bodies_bytes_max = 1000;
    serve(options);
    RawHttp first(server->address());
    first.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 800\r\n\r\n");
    ASSERT_TRUE(server->until([](const HttpStats& s) { return s.bodies_bytes == 800; }));
    RawHttp second(server->address());
    const RawAnswer refused = second.call("POST", "/echo", std::string(300, 'x'));
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.headers.at("retry-after"), "1");
    first.send(std::string(800, 'y'));
    EXPECT_EQ(first.answer().body.size(), 800U);
    EXPECT_EQ(server->stats().bodies_refused, 1U);
}

TEST_F(HttpServer, SlowRequestsAre408AndIdleConnectionsClose) {
    ServerOptions options;
    options.read_timeout = std::chrono::milliseconds(80);
    options.idle_timeout = std::chrono::milliseconds(150);
    serve(options);
    RawHttp slow(server->address());
    slow.send("GET /hello/a HT");
    EXPECT_EQ(slow.answer().status, 408);
    EXPECT_TRUE(slow.closed());
    RawHttp body(server->address());
    body.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_EQ(body.answer().status, 408);
    RawHttp idle(server->address());
    EXPECT_TRUE(idle.closed());
    EXPECT_EQ(server->stats().read_timeouts, 2U);
    EXPECT_EQ(server->stats().idle_closes, 1U);
}

// A byte now and then keeps a head going no longer than read_timeout, a body no longer than
// body_timeout.
TEST_F(HttpServer, SlowLorisIsCutOff) {
    ServerOptions options;
    options.read_timeout = std::chrono::milliseconds(200);
    options.body_timeout = std::chrono::milliseconds(400);
    serve(options);
    for (const std::string& start : std::vector<std::string>{
             "GET /hello/a HTTP/1.1\r\nX-A: ",
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"}) {
        RawHttp loris(server->address());
        loris.send(start);
        bool cut = false;
        for (int i = 0; i < 1000 && !cut; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            cut = !loris.send("x") || server->stats().read_timeouts > 0;
        }
        EXPECT_TRUE(cut) << start;
        EXPECT_EQ(loris.answer().status, 408);
        server.reset();
        serve(options);
    }
}

TEST_F(HttpServer, ConnectionsAreBounded) {
    ServerOptions options;
    options.connections_max = 2;
    serve(options);
    RawHttp one(server->address());
    RawHttp two(server->address());
    ASSERT_EQ(one.call("GET", "/health").status, 200);
    ASSERT_EQ(two.call("GET", "/health").status, 200);
    RawHttp three(server->address());
    const RawAnswer refused = three.answer();
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(refused.body, HasSubstr("too_many_connections"));
    EXPECT_EQ(server->stats().connections_refused, 1U);
    one.close();
    ASSERT_TRUE(server->until([](const HttpStats& s) { return s.connections_open == 1; }));
    RawHttp four(server->address());
    EXPECT_EQ(four.call("GET", "/health").status, 200);
}

TEST_F(HttpServer, RequestsAtOnceAreBounded) {
    ServerOptions options;
    options.requests_max = 1;
    serve(options);
    RawHttp first(server->address());
    first.request("GET", "/wait");
    const Responder running = waiting.take();
    RawHttp second(server->address());
    const RawAnswer refused = second.call("GET", "/hello/a");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.headers.at("retry-after"), "1");
    EXPECT_EQ(second.call("GET", "/health").status, 200);  // always answered
    running.answer(json_response(200, "1"));               // from this thread
    EXPECT_EQ(first.answer().body, "1");
    EXPECT_EQ(second.call("GET", "/hello/a").status, 200);
    EXPECT_EQ(server->stats().requests_refused, 1U);
}

TEST_F(HttpServer, HandlersThatThrowOrForgetAreAnswered) {
    RawHttp client(serve().address());
    const RawAnswer threw = client.call("GET", "/throws");
    EXPECT_EQ(threw.status, 500);
    EXPECT_THAT(threw.body, HasSubstr("oops"));
    EXPECT_THAT(client.call("GET", "/forgets").body, HasSubstr("no_answer"));
    EXPECT_EQ(client.call("GET", "/hello/a").status, 200);
}

TEST_F(HttpServer, StreamsChunksAndGoesOn) {
    RawHttp client(serve().address());
    client.request("GET", "/wait");
    const Responder to = waiting.take();
    to.begin(Response{});
    RawAnswer answer = client.answer_head();
    EXPECT_EQ(answer.headers.at("transfer-encoding"), "chunked");
    for (const char* line : {"one\n", "two\n"}) {
        ASSERT_TRUE(to.write(line));
        ASSERT_TRUE(client.read_chunk(answer));
    }
    to.finish("three\n");
    ASSERT_TRUE(client.read_chunk(answer));
    EXPECT_FALSE(client.read_chunk(answer));
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body, "one\ntwo\nthree\n");
    EXPECT_EQ(client.call("GET", "/hello/a").status, 200);
}

TEST_F(HttpServer, StreamsOfSlowReadersAreBounded) {
    ServerOptions options;
    options.stream_bytes_max = 100'000;
    serve(options);
    RawHttp client(server->address());
    client.request("GET", "/wait");
    const Responder to = waiting.take();
    to.begin(Response{});
    std::size_t taken = 0;
    const std::string chunk(50'000, 'x');
    while (taken < 100'000'000 && to.write(chunk)) taken += chunk.size();
    EXPECT_LT(taken, 100'000'000U);  // a reader that does not read is not waited for
    EXPECT_TRUE(server->until([](const HttpStats& s) { return s.stream_drops == 1; }));
    to.finish("the end");
    const RawAnswer answer = client.answer();
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body.size(), taken + 7);
}

TEST_F(HttpServer, AReaderThatNeverReadsIsCutOff) {
    ServerOptions options;
    options.write_timeout = std::chrono::milliseconds(100);
    serve(options);
    RawHttp client(server->address());
    client.request("GET", "/wait");
    waiting.take().answer(json_response(200, std::string(50'000'000, 'x')));
    EXPECT_TRUE(server->until([](const HttpStats& s) { return s.connections_open == 0; }));
    EXPECT_EQ(server->stats().write_timeouts, 1U);
}

TEST_F(HttpServer, TellsWhenTheClientWentAway) {
    serve();
    RawHttp client(server->address());
    client.request("GET", "/wait");
    const Responder to = waiting.take();
    std::promise<void> told;
    to.on_gone([&told] { told.set_value(); });
    EXPECT_FALSE(to.gone());
    client.close();
    ASSERT_EQ(told.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_TRUE(to.gone());
    EXPECT_FALSE(to.write("late"));
    to.answer(json_response(200, "late"));
    EXPECT_EQ(server->stats().clients_gone, 1U);
    EXPECT_EQ(server->stats().requests_running, 0U);
}

TEST_F(HttpServer, GoneIsNotToldAfterTheAnswer) {
    serve();
    RawHttp client(server->address());
    client.request("GET", "/wait");
    std::atomic<bool> told{false};
    {
        const Responder to = waiting.take();
        to.on_gone([&told] { told = true; });
        to.answer(json_response(200, "1"));
    }
    EXPECT_EQ(client.answer().body, "1");
    client.close();
    ASSERT_TRUE(server->until([](const HttpStats& s) { return s.connections_open == 0; }));
    EXPECT_FALSE(told);
    EXPECT_EQ(server->stats().clients_gone, 0U);
}

TEST_F(HttpServer, ContinueIsSaidBeforeALargeBody) {
    RawHttp client(serve().address());
    client.send(
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    EXPECT_EQ(client.answer().status, 100);
    client.send("body");
    EXPECT_EQ(client.answer().body, "body");
    EXPECT_EQ(client.call("POST", "/echo", "x", "Expect: a-cake\r\n").status, 417);
}

TEST_F(HttpServer, OldVersionsAndCloseAreObeyed) {
    serve();
    RawHttp old(server->address());
    old.send("GET /hello/a HTTP/1.0\r\n\r\n");
    EXPECT_EQ(old.answer().body, "\"a\"");
    EXPECT_TRUE(old.closed());
    RawHttp close(server->address());
    EXPECT_EQ(close.call("GET", "/hello/a", {}, "Connection: close\r\n").headers["connection"],
              "close");
    EXPECT_TRUE(close.closed());
    RawHttp half(server->address());  // all is sent before the first answer is read
    half.request("GET", "/hello/a");
    half.end_sending();
    EXPECT_EQ(half.answer().body, "\"a\"");
}

TEST_F(HttpServer, DrainingRefusesButTellsItsHealth) {
    serve();
    RawHttp busy(server->address());
    busy.request("GET", "/wait");
    const Responder to = waiting.take();
    server->on_loop([this] { server->server().drain(); });
    RawHttp late(server->address());
    EXPECT_EQ(late.call("GET", "/health").status, 200);
    const RawAnswer refused = late.call("GET", "/hello/a");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.headers.at("connection"), "close");
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"draining")"));
    to.answer(json_response(200, "1"));
    EXPECT_EQ(busy.answer().body, "1");
}

TEST_F(HttpServer, StopLetsRequestsEndThenAborts) {
    serve();
    RawHttp idle(server->address());
    EXPECT_EQ(idle.call("GET", "/health").status, 200);
    RawHttp good(server->address());
    good.request("GET", "/wait");
    const Responder answered = waiting.take();
    RawHttp stuck(server->address());
    stuck.request("GET", "/wait");
    const Responder never = waiting.take();
    std::promise<void> stopped;
    server->on_loop([&] {
        server->server().stop(std::chrono::milliseconds(300), [&] { stopped.set_value(); });
    });
    EXPECT_TRUE(idle.closed());
    answered.answer(json_response(200, "1"));
    const RawAnswer last = good.answer();
    EXPECT_EQ(last.body, "1");
    EXPECT_EQ(last.headers.at("connection"), "close");
    ASSERT_EQ(stopped.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_TRUE(stuck.closed());
    EXPECT_TRUE(never.gone());
    EXPECT_EQ(server->stats().aborted, 1U);
    EXPECT_THROW(RawHttp(server->address()), std::runtime_error);
}

TEST_F(HttpServer, AddressesThatCannotBeUsedAreNamed) {
    serve();
    boost::asio::io_context io;
    for (const std::string& listen : {std::string("nowhere"), std::string("1.2.3:x"),
                                      server->address(), std::string("127.0.0.1:99999")}) {
        ServerOptions options;
        options.listen = listen;
        const auto made = Server::create(io, options, Router());
        ASSERT_FALSE(made) << listen;
        EXPECT_THAT(made.error(), HasSubstr(listen));
    }
}

}  // namespace
}  // namespace scanmq::http
