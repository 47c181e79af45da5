#include "broker/server/pipes.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/transport/dealer.hpp"

namespace scanmq::broker {
namespace {

using transport::Context;
using transport::Dealer;
using transport::Drained;
using transport::ReceiveStatus;
using transport::Router;
using transport::SocketOptions;

// A share whose marks fall from 16 to 4 when there are more than kConnectionsFew connections.
constexpr PipeShare kShare{16U << 20, 16U << 20, 64U << 10, 64U << 10};

bool wait_connected(Dealer& dealer) {
    for (int i = 0; i < 2000 && !dealer.connected(); ++i) {
        transport::wait({&dealer}, std::chrono::milliseconds(5));
        dealer.poll_connection();
    }
    return dealer.connected();
}

class PipesTest : public testing::Test {
  protected:
    PipesTest()
        : router_(context_, SocketOptions{}),
          frames_(loop_, router_.fd(), [this] { return drain(); }),
          pipes_(loop_, router_, kShare, [this] { frames_.poke(); }),
          endpoint_(*router_.bind("tcp://127.0.0.1:0")) {
        frames_.start();
        pipes_.start();
    }
    Drained drain() {
        std::uint32_t from = 0;
        zmq::message_t frame;
        while (router_.receive(from, frame) != ReceiveStatus::empty) {
            static_cast<void>(router_.send(from, "pong"));
        }
        return router_.readable() ? Drained::more : Drained::empty;
    }

    boost::asio::io_context loop_;
    Context context_;
    Router router_;
    transport::SocketWatcher frames_;
    Pipes pipes_;
    std::string endpoint_;
};

// Those that leave while others come: ZeroMQ must not be told of marks for a connection that it is
// just forgetting.
TEST_F(PipesTest, ConnectionsComeAndGoWhileMarksFall) {
    std::atomic<int> failed{0};
    std::atomic<int> running{4};
    std::vector<std::thread> peers;
    for (int p = 0; p < 4; ++p) {
        peers.emplace_back([&] {
            Context context;
            std::vector<std::unique_ptr<Dealer>> kept;
            for (int i = 0; i < 150; ++i) {
                auto dealer = std::make_unique<Dealer>(context, SocketOptions{});
                if (!dealer->connect(endpoint_).ok() || !wait_connected(*dealer)) ++failed;
                static_cast<void>(dealer->send("ping"));
                if (kept.size() < 8) kept.push_back(std::move(dealer));
            }
            --running;
        });
    }
    while (running > 0) loop_.run_for(std::chrono::milliseconds(5));
    for (std::thread& peer : peers) peer.join();
    EXPECT_EQ(failed, 0);
    const PipeMarks first = marks(kShare, 0);
    for (int i = 0; i < 1000 && (pipes_.marks() == first || pipes_.waiting()); ++i) {
        loop_.run_for(std::chrono::milliseconds(5));
    }
    EXPECT_LT(pipes_.marks().receive, first.receive) << "once nobody leaves any more";
    EXPECT_FALSE(pipes_.waiting());
    pipes_.stop();
    frames_.stop();
}

}  // namespace
}  // namespace scanmq::broker
