#include "broker/server/outbox.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/transport/dealer.hpp"

namespace scanmq::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using transport::ReceiveStatus;

// An outbox on a router with the smallest pipes, and one peer.
class OutboxTest : public testing::Test {
  protected:
    OutboxTest() {
        EXPECT_TRUE(dealer.connect(*router.bind("tcp://127.0.0.1:0")).ok());
        EXPECT_TRUE(until([this] { return dealer.send("hello") == transport::SendStatus::sent; }));
        zmq::message_t frame;
        EXPECT_TRUE(until([&] { return router.receive(peer, frame) == ReceiveStatus::frame; }));
    }
    static transport::SocketOptions socket_options() {
        transport::SocketOptions out;
        out.send_mark = out.receive_mark = 1;
        return out;
    }
    template <class Condition>
    bool until(Condition condition) {
        const Time end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            transport::wait({&dealer}, std::chrono::milliseconds(5));
        }
        return true;
    }
    // The next frames the peer gets, first letters.
    std::string received(std::size_t count) {
        std::string out;
        zmq::message_t frame;
        until([&] {
            outbox.flush();
            while (dealer.receive(frame) == ReceiveStatus::frame)
                out += frame.to_string().substr(0, 1);
            return out.size() >= count;
        });
        return out;
    }
    // Sends large frames until one has to wait: a, b, c ...
    std::string fill() {
        std::string names;
        char name = 'a';
        while (!outbox.behind() && name <= 'z') {
            names += name;
            outbox.send(peer, header, std::string(1U << 20, name++));
        }
        return names;
    }

    transport::Context context;
    transport::Router router{context, socket_options()};
    transport::Dealer dealer{context, socket_options()};
    Outbox outbox{router, 8U << 20};
    protocol::Header header{protocol::kBroker, protocol::SessionId{5}, 9};
    std::uint32_t peer = 0;
};

TEST_F(OutboxTest, FramesGoOutAtOnceWhenTheyCan) {
    outbox.send(peer, header, "x");
    EXPECT_FALSE(outbox.behind());
    EXPECT_EQ(outbox.counts().frames, 1U);
    EXPECT_EQ(received(1), "x");
}

TEST_F(OutboxTest, WhatRestsOnACommitWaitsForItAndHoldsTheOrder) {
    outbox.send(peer, header, "1 at once");
    outbox.send(peer, header, "2 needs 10", 10);
    outbox.send(peer, header, "3 needs nothing");
    outbox.send(peer, header, "4 needs 11", 11);
    EXPECT_EQ(outbox.counts().frames, 1U);
    outbox.set_durable(9);
    EXPECT_FALSE(outbox.flush());
    outbox.set_durable(10);
    EXPECT_EQ(received(3), "123") << "3 went behind 2";
    EXPECT_TRUE(outbox.behind(peer));
    outbox.set_durable(11);
    EXPECT_EQ(received(1), "4");
    EXPECT_FALSE(outbox.behind());
    EXPECT_EQ(outbox.queued_bytes(), 0U);
}

TEST_F(OutboxTest, WhatAFullPipeDoesNotTakeFollowsInOrder) {
    const std::string names = fill();
    ASSERT_TRUE(outbox.behind(peer));
    outbox.send(peer, header, "z");
    EXPECT_EQ(received(names.size() + 1), names + "z");
    EXPECT_FALSE(outbox.behind());
    EXPECT_THAT(outbox.take_lost(), IsEmpty());
}

TEST_F(OutboxTest, PeerOverItsLimitIsLostMutedAndToldWhy) {
    const std::string names = fill();
    for (int i = 0; i < 8; ++i) outbox.send(peer, header, std::string(1U << 20, '#'));
    EXPECT_THAT(outbox.take_lost(), ElementsAre(peer));
    EXPECT_TRUE(outbox.muted(peer));
    EXPECT_EQ(outbox.counts().overflows, 1U);
    EXPECT_LT(outbox.queued_bytes(), 1000U) << "what waited was dropped";
    outbox.send(peer, header, "dropped, too");
    // All that had left for the pipe, then the BYE.
    zmq::message_t frame;
    std::size_t large = 0;
    bool bye = false;
    ASSERT_TRUE(until([&] {
        outbox.flush();
        while (dealer.receive(frame) == ReceiveStatus::frame) {
            protocol::Decoder decoder;
            const auto decoded = decoder.decode({frame.data<char>(), frame.size()});
            if (decoded) {
                const auto* said = std::get_if<protocol::Bye>(&decoded->message);
                bye = said != nullptr && said->code == protocol::ErrorCode::over_limit &&
                      decoded->header.session == header.session;
            } else {
                ++large;
            }
        }
        return bye;
    }));
    EXPECT_EQ(large, names.size() - 1);
    EXPECT_FALSE(outbox.muted(peer));
    outbox.send(peer, header, "x");
    EXPECT_EQ(received(1), "x");
}

TEST_F(OutboxTest, APeerWithALongQueueIsSlowUntilItTookMostOfIt) {
    const std::string names = fill();
    EXPECT_TRUE(outbox.take_slow().empty()) << "one frame is no long queue";
    for (int i = 0; i < 2; ++i) outbox.send(peer, header, std::string(1U << 20, '#'));
    const auto slow = outbox.take_slow();
    ASSERT_EQ(slow.size(), 1U);
    EXPECT_EQ(slow[0].peer, peer);
    EXPECT_TRUE(slow[0].slow);
    EXPECT_EQ(outbox.counts().slow, 1U);
    EXPECT_EQ(received(names.size() + 2), names + "##");
    const auto again = outbox.take_slow();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_FALSE(again[0].slow);
}

TEST_F(OutboxTest, BeyondWhatAllMayHaveTheLongestQueueIsGivenUp) {
    Outbox both{router, 8U << 20, 3U << 20};
    transport::Dealer other(context, socket_options());
    ASSERT_TRUE(other.connect(*router.bind("tcp://127.0.0.1:0")).ok());
    ASSERT_TRUE(until([&] { return other.send("hello") == transport::SendStatus::sent; }));
    std::uint32_t second = 0;
    zmq::message_t frame;
    ASSERT_TRUE(until([&] { return router.receive(second, frame) == ReceiveStatus::frame; }));
    // They wait for a commit, so that pipes have no part in it.
    both.send(second, header, std::string(1U << 20, 's'), 5);
    for (int i = 0; i < 3; ++i) both.send(peer, header, std::string(1U << 20, 'p'), 5);
    EXPECT_THAT(both.take_lost(), ElementsAre(peer));
    EXPECT_TRUE(both.muted(peer));
    EXPECT_FALSE(both.muted(second));
    EXPECT_LT(both.queued_bytes(), (1U << 20) + 1'000U);
}

TEST_F(OutboxTest, RetriesSlowDownForAPeerThatDoesNotRead) {
    const std::string names = fill();
    EXPECT_TRUE(outbox.stuck());
    const Duration first = outbox.retry_in();
    for (int i = 0; i < 6; ++i) outbox.send(peer, header, std::string(1U << 20, '#'));
    // What the pipe still takes is progress; then there is none.
    EXPECT_TRUE(until([&] {
        outbox.flush();
        return outbox.retry_in() >= 10 * first;
    }));
    EXPECT_LE(outbox.retry_in(), std::chrono::milliseconds(50));
    EXPECT_EQ(received(names.size() + 6).size(), names.size() + 6);
    EXPECT_EQ(outbox.retry_in(), first);
    EXPECT_FALSE(outbox.stuck());
}

TEST_F(OutboxTest, WhatWaitsForItsCommitOnlyNeedsNoRetry) {
    outbox.send(peer, header, "held", 1);
    for (int i = 0; i < 20; ++i) outbox.flush();
    EXPECT_TRUE(outbox.behind());
    EXPECT_FALSE(outbox.stuck());
    outbox.set_durable(1);
    EXPECT_EQ(received(1), "h");
}

TEST_F(OutboxTest, PeerThatIsGoneIsLost) {
    outbox.send(12345, header, "x");
    EXPECT_THAT(outbox.take_lost(), ElementsAre(12345U));
    EXPECT_THAT(outbox.take_lost(), IsEmpty());
    EXPECT_EQ(outbox.counts().unreachable, 1U);
}

TEST_F(OutboxTest, QueueOfAPeerThatGoesIsDropped) {
    fill();
    dealer.disconnect();
    std::vector<std::uint32_t> lost;
    ASSERT_TRUE(until([&] {
        outbox.send(peer, header, "more");
        outbox.flush();
        lost = outbox.take_lost();
        return !lost.empty();
    }));
    EXPECT_THAT(lost, ElementsAre(peer));
    EXPECT_FALSE(outbox.behind());
    EXPECT_EQ(outbox.queued_bytes(), 0U);
}

}  // namespace
}  // namespace scanmq::broker
