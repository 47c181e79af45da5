// What a broker answers to frames that are not as they should be, over real sockets.

#include <gmock/gmock.h>

#include "tests/integration/broker/harness.hpp"

namespace scanmq::broker {
namespace {

using protocol::ErrorCode;
using protocol::kOperator;
using protocol::kProducer;
using testing::HasSubstr;

class BadFrames : public testing::Test {
  protected:
    static ServerOptions options() {
        ServerOptions out;
        out.queues = {"scans"};
        return out;
    }
    // The session goes on: a query is answered.
    static void expect_alive(Peer& peer) {
        peer.send(protocol::Query{"broker", ""});
        EXPECT_NE(peer.expect<protocol::Answer>(), nullptr);
    }

    TestBroker broker{options()};
    transport::Context context;
    Peer peer{context, broker.endpoint(), kProducer | kOperator};
};

TEST_F(BadFrames, MalformedIsAnsweredAndChangesNothing) {
    peer.hello();
    peer.send_bytes("this is no msgpack");
    peer.expect_error(ErrorCode::malformed);
    peer.send_bytes(std::string(1, '\xc1'));
    peer.expect_error(ErrorCode::malformed);
    peer.send_bytes("");
    peer.expect_error(ErrorCode::malformed);
    expect_alive(peer);
    EXPECT_EQ(peer.counter("error_malformed"), 3U);
}

TEST_F(BadFrames, TruncatedAtEveryByteIsAnswered) {
    peer.hello();
    std::string whole;
    protocol::encode({kProducer | kOperator, peer.session, 2}, protocol::Query{"broker", "x"},
                     whole);
    for (std::size_t size = 1; size < whole.size(); ++size) {
        peer.send_bytes(whole.substr(0, size));
        const auto* error = peer.expect<protocol::Error>();
        ASSERT_NE(error, nullptr) << size;
        EXPECT_EQ(error->code, ErrorCode::malformed) << size << ": " << error->sentence;
    }
    expect_alive(peer);
}

TEST_F(BadFrames, TrailingBytesAreMalformed) {
    peer.hello();
    std::string frame;
    protocol::encode({kProducer | kOperator, peer.session, 2}, protocol::Query{"broker", ""},
                     frame);
    peer.send_bytes(frame + "x");
    peer.expect_error(ErrorCode::malformed);
    expect_alive(peer);
}

TEST_F(BadFrames, BetweenOnceAndTwiceTheLimitIsFrameTooLarge) {
    peer.hello();
    const std::size_t limit = protocol::kLimits.frame_bytes_max;
    for (const std::size_t size : {limit + 1, limit + limit / 2, 2 * limit - 64}) {
        peer.send_bytes(std::string(size, 'x'));
        peer.expect_error(ErrorCode::frame_too_large);
    }
    expect_alive(peer);
}

TEST_F(BadFrames, BeyondTwiceTheLimitTheConnectionEndsAndTheBrokerLives) {
    peer.hello();
    peer.send_bytes(std::string(3 * protocol::kLimits.frame_bytes_max, 'x'));
    EXPECT_TRUE(peer.until([&] { return peer.dealer().poll_connection(); }));
    Peer other(context, broker.endpoint(), kOperator);
    other.hello("other");
    expect_alive(other);
}

TEST_F(BadFrames, WrongVersionIsNamed) {
    std::string frame;
    protocol::encode({kProducer, {}, 1}, protocol::Hello{}, frame);
    ASSERT_EQ(frame[1], 1);
    frame[1] = 2;
    peer.send_bytes(frame);
    EXPECT_THAT(peer.expect_error(ErrorCode::unsupported_version).sentence, HasSubstr("1"));
}

TEST_F(BadFrames, UnknownKindIsNamed) {
    peer.hello();
    std::string frame;
    protocol::encode({kProducer | kOperator, peer.session, 2}, protocol::Query{"broker", ""},
                     frame);
    frame[2] = 99;
    peer.send_bytes(frame);
    peer.expect_error(ErrorCode::unknown_kind);
    expect_alive(peer);
}

TEST_F(BadFrames, MessageOfSeveralFramesIsRefusedWhole) {
    peer.hello();
    std::string frame;
    protocol::encode({kProducer | kOperator, peer.session, 2}, protocol::Query{"broker", ""},
                     frame);
    zmq::socket_t raw(context.zmq(), zmq::socket_type::dealer);
    raw.set(zmq::sockopt::linger, 0);
    raw.set(zmq::sockopt::rcvtimeo, 20'000);
    raw.connect(broker.endpoint());
    raw.send(zmq::buffer(frame), zmq::send_flags::sndmore);
    raw.send(zmq::buffer(frame), zmq::send_flags::none);
    zmq::message_t answer;
    ASSERT_TRUE(raw.recv(answer));
    protocol::Decoder decoder;
    const auto decoded = decoder.decode({answer.data<char>(), answer.size()});
    ASSERT_TRUE(decoded.ok());
    const auto* error = std::get_if<protocol::Error>(&decoded->message);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, ErrorCode::malformed);
    EXPECT_THAT(error->sentence, HasSubstr("one frame"));
    expect_alive(peer);
    EXPECT_EQ(peer.counter("wire_multipart"), 1U);
}

TEST_F(BadFrames, ChosenRoutingIdIsRefused) {
    zmq::socket_t raw(context.zmq(), zmq::socket_type::dealer);
    raw.set(zmq::sockopt::linger, 0);
    raw.set(zmq::sockopt::rcvtimeo, 20'000);
    raw.set(zmq::sockopt::routing_id, "me");
    raw.connect(broker.endpoint());
    std::string frame;
    protocol::Hello hello;
    hello.name = "me";
    protocol::encode({kProducer, {}, 1}, hello, frame);
    raw.send(zmq::buffer(frame), zmq::send_flags::none);
    zmq::message_t answer;
    ASSERT_TRUE(raw.recv(answer));
    EXPECT_THAT(answer.to_string(), HasSubstr("ZMQ_ROUTING_ID"));
    peer.hello();
    EXPECT_EQ(peer.counter("wire_chosen_ids"), 1U);
}

TEST_F(BadFrames, FramesBeforeHelloAreUnknownSession) {
    peer.send(protocol::Query{"broker", ""});
    peer.expect_error(ErrorCode::unknown_session);
}

TEST_F(BadFrames, FramesOfTheOldSessionAreUnknownSession) {
    peer.hello();
    const protocol::SessionId old = peer.session;
    peer.hello();
    const protocol::SessionId present = peer.session;
    EXPECT_NE(old, present);
    peer.session = old;
    peer.send(protocol::Query{"broker", ""});
    const protocol::Error error = peer.expect_error(ErrorCode::unknown_session);
    EXPECT_EQ(error.re, peer.seq);
    EXPECT_EQ(error.re_kind, protocol::Kind::query);
    peer.session = present;
    expect_alive(peer);
    EXPECT_EQ(peer.counter("frames_stale_session"), 1U);
}

TEST_F(BadFrames, SessionOfAnotherConnectionCannotBeUsed) {
    peer.hello();
    Peer thief(context, broker.endpoint(), kProducer | kOperator);
    thief.session = peer.session;
    thief.send(protocol::Query{"broker", ""});
    thief.expect_error(ErrorCode::unknown_session);
    expect_alive(peer);
}

TEST_F(BadFrames, SubmissionBeyondCreditIsRefusedWhole) {
    peer.hello();
    protocol::Submit submit;
    submit.queue = "scans";
    protocol::Job& job = submit.jobs.emplace_back();
    job.id.bytes[0] = 1;
    job.payload.bytes = "x";
    peer.send(submit);
    peer.expect_error(ErrorCode::over_credit);
    EXPECT_EQ(peer.counter("jobs_accepted"), 0U);
    EXPECT_EQ(peer.counter("bodies"), 0U) << "what was refused keeps no memory";
}

TEST_F(BadFrames, BlobKindsBelongOnTheBlobSocket) {
    peer.hello();
    peer.send(protocol::BlobGet{});
    peer.expect_error(ErrorCode::unknown_kind);
    expect_alive(peer);
}

}  // namespace
}  // namespace scanmq::broker
