#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/transport/dealer.hpp"
#include "common/transport/router.hpp"
#include "common/transport/watcher.hpp"

namespace scanmq::transport {
namespace {

using testing::HasSubstr;

constexpr Duration kDeadline = std::chrono::seconds(10);

std::string text(const zmq::message_t& message) { return message.to_string(); }

// A router on a free port and what it heard.
class Transport : public testing::Test {
  protected:
    Context context;
    SocketOptions options;
    Router router{context, options};
    std::string endpoint = *router.bind("tcp://127.0.0.1:0");

    // Turns the dealer's wheel until the condition holds.
    static bool until(Dealer& dealer, const std::function<bool()>& condition) {
        const Time end = std::chrono::steady_clock::now() + kDeadline;
        while (std::chrono::steady_clock::now() < end) {
            dealer.poll_connection();
            if (condition()) return true;
            wait({&dealer}, std::chrono::milliseconds(5));
        }
        return false;
    }
    bool connect(Dealer& dealer) {
        const std::uint64_t before = dealer.generation();
        return dealer.connect(endpoint).ok() &&
               until(dealer, [&] { return dealer.generation() > before; });
    }
    // The next message on the router, whatever its status.
    ReceiveStatus next(Router& at, Dealer& dealer, std::uint32_t& from, zmq::message_t& frame) {
        ReceiveStatus status = ReceiveStatus::empty;
        until(dealer, [&] { return (status = at.receive(from, frame)) != ReceiveStatus::empty; });
        return status;
    }
};

TEST_F(Transport, FramesGoBothWays) {
    Dealer dealer(context, options);
    ASSERT_TRUE(connect(dealer));
    ASSERT_EQ(dealer.send("ping"), SendStatus::sent);
    std::uint32_t from = 0;
    zmq::message_t frame;
    ASSERT_EQ(next(router, dealer, from, frame), ReceiveStatus::frame);
    EXPECT_EQ(text(frame), "ping");
    ASSERT_EQ(router.send(from, "pong"), SendStatus::sent);
    ASSERT_TRUE(until(dealer, [&] { return dealer.receive(frame) == ReceiveStatus::frame; }));
    EXPECT_EQ(text(frame), "pong");
}

TEST_F(Transport, BindTellsTheChosenPort) {
    EXPECT_THAT(endpoint, HasSubstr("tcp://127.0.0.1:"));
    EXPECT_THAT(endpoint, testing::Not(HasSubstr(":0")));
    Router second(context, options);
    const auto bound = second.bind(endpoint);
    ASSERT_FALSE(bound.ok());
    EXPECT_THAT(bound.error().sentence, HasSubstr("another process holds that port"));
}

TEST_F(Transport, MessageOfSeveralFramesIsReportedAndDropped) {
    zmq::socket_t raw(context.zmq(), zmq::socket_type::dealer);
    raw.set(zmq::sockopt::linger, 0);
    raw.connect(endpoint);
    for (int i = 0; i < 1000; ++i) raw.send(zmq::str_buffer("part"), zmq::send_flags::sndmore);
    raw.send(zmq::str_buffer("end"), zmq::send_flags::none);
    raw.send(zmq::str_buffer("single"), zmq::send_flags::none);
    Dealer dealer(context, options);
    std::uint32_t from = 0;
    std::uint32_t again = 0;
    zmq::message_t frame;
    EXPECT_EQ(next(router, dealer, from, frame), ReceiveStatus::multipart);
    EXPECT_EQ(next(router, dealer, again, frame), ReceiveStatus::frame);
    EXPECT_EQ(text(frame), "single");
    EXPECT_EQ(from, again);
}

TEST_F(Transport, PeerWithItsOwnRoutingIdIsRefused) {
    zmq::socket_t raw(context.zmq(), zmq::socket_type::dealer);
    raw.set(zmq::sockopt::linger, 0);
    raw.set(zmq::sockopt::routing_id, "mine");
    raw.connect(endpoint);
    raw.send(zmq::str_buffer("hello"), zmq::send_flags::none);
    Dealer dealer(context, options);
    std::uint32_t from = 0;
    zmq::message_t frame;
    ASSERT_EQ(next(router, dealer, from, frame), ReceiveStatus::chosen_id);
    router.refuse("no");
    raw.set(zmq::sockopt::rcvtimeo, 10'000);
    ASSERT_TRUE(raw.recv(frame));
    EXPECT_EQ(text(frame), "no");
}

TEST_F(Transport, SendToUnknownPeerIsUnreachable) {
    EXPECT_EQ(router.send(12345, "x"), SendStatus::unreachable);
}

TEST_F(Transport, SendPastTheMarkSaysFullAndLosesNothing) {
    SocketOptions small = options;
    small.send_mark = 2;
    small.receive_mark = 2;
    Router tight(context, small);
    const auto bound = tight.bind("tcp://127.0.0.1:0");
    ASSERT_TRUE(bound.ok());
    Dealer dealer(context, small);
    ASSERT_TRUE(dealer.connect(*bound).ok());
    ASSERT_TRUE(until(dealer, [&] { return dealer.send("hi") == SendStatus::sent; }));
    std::uint32_t from = 0;
    zmq::message_t frame;
    ASSERT_EQ(next(tight, dealer, from, frame), ReceiveStatus::frame);
    const std::string big(512 * 1024, 'x');
    int sent = 0;
    SendStatus status = SendStatus::sent;
    while ((status = tight.send(from, big)) == SendStatus::sent) ++sent;
    EXPECT_EQ(status, SendStatus::full);
    int received = 0;
    ASSERT_TRUE(until(dealer, [&] {
        while (dealer.receive(frame) == ReceiveStatus::frame)
            received += frame.size() == big.size();
        return received == sent;
    }));
    EXPECT_TRUE(until(dealer, [&] { return tight.send(from, "again") == SendStatus::sent; }));
}

// SO_SNDBUF of this process's connection to a port of 127.0.0.1; 0: there is none.
int send_buffer_to(const std::string& endpoint) {
    const int port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
    for (int fd = 0; fd < 1024; ++fd) {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
        if (peer.sin_family != AF_INET || ntohs(peer.sin_port) != port) continue;
        int bytes = 0;
        size = sizeof bytes;
        return ::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) == 0 ? bytes : 0;
    }
    return 0;
}

TEST_F(Transport, ABulkDealerSendsInShortBurstsWithinTheMachine) {
    constexpr int kShort = 2 * (32 << 10);  // the kernel makes twice as much of it
    Dealer usual(context, options);
    ASSERT_TRUE(connect(usual));
    EXPECT_GT(send_buffer_to(endpoint), kShort);
    usual.disconnect();
    Router other(context, options);
    const auto bound = other.bind("tcp://127.0.0.1:0");
    ASSERT_TRUE(bound.ok());
    options.bulk = true;
    Dealer bulk(context, options);
    ASSERT_TRUE(bulk.connect(*bound).ok());
    ASSERT_TRUE(until(bulk, [&] { return bulk.generation() > 0; }));
    EXPECT_EQ(send_buffer_to(*bound), kShort);
    const std::string chunk(512 * 1024, 'x');
    ASSERT_EQ(bulk.send(chunk), SendStatus::sent);
    std::uint32_t from = 0;
    zmq::message_t frame;
    ASSERT_EQ(next(other, bulk, from, frame), ReceiveStatus::frame);
    EXPECT_EQ(frame.size(), chunk.size());
}

TEST_F(Transport, DealerCountsConnectionsAndNoticesLoss) {
    Dealer dealer(context, options);
    EXPECT_EQ(dealer.generation(), 0U);
    EXPECT_EQ(dealer.send("too early"), SendStatus::full);
    auto second = std::make_unique<Router>(context, options);
    endpoint = *second->bind("tcp://127.0.0.1:0");
    ASSERT_TRUE(connect(dealer));
    EXPECT_TRUE(dealer.connected());
    EXPECT_EQ(dealer.generation(), 1U);

    second.reset();
    ASSERT_TRUE(until(dealer, [&] { return !dealer.connected(); }));
    ASSERT_TRUE(until(dealer, [&] { return dealer.send("nobody is there") == SendStatus::full; }));

    Router third(context, options);
    ASSERT_TRUE(third.bind(endpoint).ok());
    ASSERT_TRUE(until(dealer, [&] { return dealer.connected(); }));
    EXPECT_EQ(dealer.generation(), 2U);
    // What could not be sent in the first connection does not come up in the second.
    ASSERT_EQ(dealer.send("new"), SendStatus::sent);
    std::uint32_t from = 0;
    zmq::message_t frame;
    ASSERT_EQ(next(third, dealer, from, frame), ReceiveStatus::frame);
    EXPECT_EQ(text(frame), "new");
}

TEST_F(Transport, ConnectAgainMakesANewConnection) {
    Dealer dealer(context, options);
    ASSERT_TRUE(connect(dealer));
    ASSERT_EQ(dealer.send("one"), SendStatus::sent);
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    zmq::message_t frame;
    ASSERT_EQ(next(router, dealer, first, frame), ReceiveStatus::frame);
    ASSERT_TRUE(connect(dealer));
    ASSERT_TRUE(until(dealer, [&] { return dealer.send("two") == SendStatus::sent; }));
    ASSERT_EQ(next(router, dealer, second, frame), ReceiveStatus::frame);
    EXPECT_EQ(text(frame), "two");
    EXPECT_NE(first, second);
}

TEST_F(Transport, IPv6EndpointsWork) {
    Router six(context, options);
    const auto bound = six.bind("tcp://[::1]:0");
    if (!bound.ok()) GTEST_SKIP() << "no IPv6 here: " << bound.error().sentence;
    endpoint = *bound;
    Dealer dealer(context, options);
    ASSERT_TRUE(connect(dealer));
}

TEST_F(Transport, BadEndpointIsAnError) {
    Dealer dealer(context, options);
    const auto connected = dealer.connect("localhost:5701");
    ASSERT_FALSE(connected.ok());
    EXPECT_THAT(connected.error().sentence, HasSubstr("tcp://127.0.0.1:5701"));
}

TEST_F(Transport, WakeupEndsAWait) {
    Dealer dealer(context, options);
    Wakeup wakeup;
    std::thread other([&] { wakeup.notify(); });
    EXPECT_TRUE(wait({&dealer}, kDeadline, wakeup.fd()));
    other.join();
    wakeup.clear();
    EXPECT_FALSE(wait({&dealer}, Duration::zero(), wakeup.fd()));
}

TEST_F(Transport, WatcherDrainsWithABudgetAndMissesNothing) {
    Dealer dealer(context, options);
    ASSERT_TRUE(connect(dealer));
    constexpr int kFrames = 5000;
    boost::asio::io_context loop;
    zmq::message_t frame;
    int received = 0;
    int calls = 0;
    SocketWatcher watcher(loop, router.fd(), [&] {
        ++calls;
        std::uint32_t from = 0;
        for (int budget = 16; budget > 0; --budget) {
            if (router.receive(from, frame) != ReceiveStatus::frame) return Drained::empty;
            // An answer for each: sends swallow the socket's edges.
            EXPECT_NE(router.send(from, "ok"), SendStatus::unreachable);
            ++received;
        }
        return Drained::more;
    });
    watcher.start();
    std::thread sender([&] {
        zmq::message_t answer;
        int sent = 0;
        int answers = 0;
        const Time end = std::chrono::steady_clock::now() + kDeadline;
        while (answers < kFrames && std::chrono::steady_clock::now() < end) {
            while (sent < kFrames && sent - answers < 500 && dealer.send("x") == SendStatus::sent) {
                ++sent;
            }
            while (dealer.receive(answer) == ReceiveStatus::frame) ++answers;
            // Nothing is under way when every answer is in: then it is this side's turn to send.
            if (answers < sent) {
                EXPECT_TRUE(wait({&dealer}, kDeadline)) << "a lost wake-up";
            }
        }
        EXPECT_EQ(answers, kFrames);
    });
    const Time end = std::chrono::steady_clock::now() + kDeadline;
    while (received < kFrames && std::chrono::steady_clock::now() < end) {
        loop.run_one_until(end);
    }
    sender.join();
    EXPECT_EQ(received, kFrames);
    EXPECT_GE(calls, kFrames / 16);
    watcher.stop();
    EXPECT_NE(router.send(0, "still open"), SendStatus::sent);
}

TEST_F(Transport, PokeDrainsOnceHoweverOftenItIsCalled) {
    boost::asio::io_context loop;
    std::uint32_t from = 0;
    zmq::message_t frame;
    int calls = 0;
    SocketWatcher watcher(loop, router.fd(), [&] {
        ++calls;
        EXPECT_EQ(router.receive(from, frame), ReceiveStatus::empty);
        return Drained::empty;
    });
    watcher.poke();
    loop.poll();
    const int before = calls;
    watcher.poke();
    watcher.poke();
    loop.poll();
    EXPECT_EQ(calls, before + 1);
    watcher.stop();
    watcher.poke();
    loop.poll();
    EXPECT_EQ(calls, before + 1);
}

}  // namespace
}  // namespace scanmq::transport
