// Starting and stopping a broker.

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "tests/integration/broker/harness.hpp"

namespace scanmq::broker {
namespace {

using protocol::ErrorCode;
using protocol::kOperator;
using testing::HasSubstr;

std::string refusal(ServerOptions options) {
    options.durability = "memory";
    auto created = BrokerServer::create(options);
    return created.ok() ? "created" : created.error().sentence;
}

TEST(Server, RefusesToListenBeyondLoopbackUnlessInsecure) {
    ServerOptions options;
    options.listen = "tcp://0.0.0.0:0";
    EXPECT_THAT(refusal(options), HasSubstr("--insecure"));
    options.insecure = true;
    EXPECT_THAT(refusal(options), HasSubstr("--blob-advertise"));
    options.blob_advertise = "tcp://127.0.0.1:1";
    EXPECT_EQ(refusal(options), "created");
    options.insecure = false;
    options.listen = "tcp://127.0.0.1:0";
    options.blob_listen = "tcp://0.0.0.0:0";
    EXPECT_THAT(refusal(options), HasSubstr("--insecure")) << "the blob socket, too";
}

TEST(Server, PortInUseIsSaid) {
    const TestBroker broker;
    ServerOptions options;
    options.listen = broker.endpoint();
    EXPECT_THAT(refusal(options), HasSubstr("another process holds that port"));
}

TEST(Server, StopTellsSessionsAndEndsCleanly) {
    TestBroker broker;
    transport::Context context;
    Peer peer(context, broker.endpoint(), kOperator);
    peer.hello();
    EXPECT_TRUE(broker.stop());
    const auto* bye = peer.expect<protocol::Bye>();
    ASSERT_NE(bye, nullptr);
    EXPECT_EQ(bye->code, ErrorCode::shutting_down);
}

TEST(Server, EndpointFileNamesBothSockets) {
    ServerOptions options;
    options.listen = "tcp://127.0.0.1:0";
    options.durability = "memory";
    auto server = BrokerServer::create(options);
    ASSERT_TRUE(server.ok());
    const std::string path = testing::TempDir() + "endpoint_file_test";
    ASSERT_TRUE(write_endpoint_file(path, **server).ok());
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(text, (*server)->endpoint() + "\n" + (*server)->blob_endpoint() + "\n");
    std::remove(path.c_str());
    EXPECT_THAT(write_endpoint_file("/nowhere/file", **server).error().sentence,
                HasSubstr("/nowhere/file"));
}

TEST(Server, ConfiguredQueuesExistWithTheirSettings) {
    ServerOptions options;
    options.queues = {"scans,pure=1,max_bytes=1MiB", "other"};
    const TestBroker broker(options);
    transport::Context context;
    Peer peer(context, broker.endpoint(), kOperator);
    peer.hello();
    peer.send(protocol::Query{"queues", "scans"});
    const auto* answer = peer.expect<protocol::Answer>();
    ASSERT_NE(answer, nullptr);
    ASSERT_EQ(answer->rows.size(), 1U);
    const auto value = [&](const char* name) -> protocol::Value {
        for (const auto& [key, v] : answer->rows[0]) {
            if (key == name) return v;
        }
        return std::uint64_t{12345};
    };
    EXPECT_EQ(value("pure"), protocol::Value(std::uint64_t{1}));
    EXPECT_EQ(value("max_bytes"), protocol::Value(std::uint64_t{1} << 20));
}

TEST(Server, APeerThatReadsNothingHoldsBackItsResultsAndIsGivenUpWhenItAsksForMore) {
    ServerOptions options;
    options.queues = {"scans,stream_max_bytes=1GiB"};
    options.outgoing_bytes_max = 1U << 20;
    const TestBroker broker(options);
    transport::Context context;
    Peer slow(context, broker.endpoint(), protocol::kSubscriber);
    slow.hello("slow");
    protocol::Subscribe subscribe;
    subscribe.subscription = 1;
    subscribe.queue = "scans";
    subscribe.pattern = ">";
    subscribe.limit = {1'000'000, 1ULL << 40};
    slow.send(subscribe);
    ASSERT_NE(slow.expect<protocol::Subscribed>(), nullptr);

    // Results until the silent reader is slow: more than pipes and TCP hold.
    Peer both(context, broker.endpoint(), protocol::kProducer | protocol::kWorker);
    both.hello("both", protocol::WorkerInfo{1, "1", {}});
    UuidV7 ids(5);
    const std::string result(200'000, 'r');
    std::uint64_t jobs = 0;
    std::uint64_t slow_peers = 0;
    const Time end = std::chrono::steady_clock::now() + kDeadline;
    while (slow_peers == 0 && std::chrono::steady_clock::now() < end) {
        ++jobs;
        both.send(protocol::Want{"scans", {jobs - 1, (jobs - 1) * 65}, {1, 65}});
        ASSERT_NE(both.expect<protocol::CreditGrant>(), nullptr);
        protocol::Submit submit;
        submit.queue = "scans";
        protocol::Job& job = submit.jobs.emplace_back();
        job.id = ids.next(SystemClock().wall_millis());
        job.payload.bytes = "p";
        both.send(submit);
        ASSERT_NE(both.expect<protocol::Accepted>(), nullptr);
        both.send(protocol::CreditGrant{protocol::Link::deliver, "", 0, {jobs, jobs * 65}});
        const auto* deliver = both.expect<protocol::Deliver>();
        ASSERT_NE(deliver, nullptr);
        protocol::Done done;
        done.epoch = deliver->epoch;
        done.limit = {jobs, jobs * 65};
        done.outcomes.push_back(
            {deliver->attempts[0].counter, protocol::AttemptOutcome::done, {result, 0}, {}, {}});
        both.send(done);
        slow_peers = both.counter("outgoing_slow_peers");
    }
    EXPECT_EQ(slow_peers, 1U);
    EXPECT_EQ(both.counter("wire_overflows"), 0U) << "what it granted waits in the stream";
    // Answers do not wait: it asks for so many, and reads none.
    while (both.counter("wire_overflows") == 0 && std::chrono::steady_clock::now() < end) {
        for (int i = 0; i < 20; ++i) slow.send(protocol::Query{"counters", ""});
    }
    EXPECT_EQ(both.counter("wire_overflows"), 1U);
    // It reads what had gone out, then why it ended.
    for (;;) {
        const protocol::Frame* frame = slow.next();
        ASSERT_NE(frame, nullptr);
        if (const auto* bye = std::get_if<protocol::Bye>(&frame->message)) {
            EXPECT_EQ(bye->code, ErrorCode::over_limit);
            EXPECT_THAT(bye->sentence, HasSubstr("outgoing_bytes_max"));
            break;
        }
        ASSERT_TRUE(std::holds_alternative<protocol::Results>(frame->message) ||
                    std::holds_alternative<protocol::Answer>(frame->message));
    }
    // And is welcome again.
    EXPECT_NE(slow.hello("slow").session, protocol::SessionId{});
}

}  // namespace
}  // namespace scanmq::broker
