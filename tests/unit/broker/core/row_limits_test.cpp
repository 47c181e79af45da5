// Rows of ANSWERs keep the limits that their readers keep.

#include "common/protocol/codec.hpp"
#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

TEST(AnswerRows, CanBeDecodedByTheirReaders) {
    Harness h;
    h.create_queue("q", {});
    for (const char* topic : {"broker", "counters", "queues", "workers", "sessions"}) {
        h.op().send(protocol::Query{topic, ""});
        std::string bytes;
        encode({}, protocol::Message(std::move(h.op().next<protocol::Answer>())), bytes);
        protocol::Decoder decoder;
        const auto frame = decoder.decode(bytes);
        EXPECT_TRUE(frame.ok()) << topic << ": " << (frame ? "" : frame.error().sentence);
    }
}

}  // namespace
}  // namespace scanmq::broker
