// The C++ client, the real broker and the real worker in one process, over loopback.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "tests/support/in_process.hpp"

namespace scanmq::client {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;

using namespace tests;

Job job_of(std::string_view payload) {
    Job out;
    out.subject = "a.b";
    out.payload = payload;
    return out;
}

std::uint64_t number(const protocol::Row& row, std::string_view name) {
    for (const auto& [key, value] : row) {
        if (key == name) return std::get<std::uint64_t>(value);
    }
    ADD_FAILURE() << "no " << name << " in the row";
    return 0;
}

class ClientWithBroker : public testing::TestWithParam<bool> {};

TEST_P(ClientWithBroker, EveryJobOfAGroupComesBackOnceAndItsCompletionLast) {
    Broker broker;
    Worker worker(broker.endpoint());
    auto client = make(broker.endpoint(), GetParam());
    ASSERT_TRUE(client->create_queue("scans").ok());
    ASSERT_TRUE(client->create_queue("scans").ok());
    SubscriberOptions reading;
    reading.queue = "scans";
    reading.pattern = "a.*";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    auto group = client->open_group("scans");
    ASSERT_TRUE(group.ok());

    constexpr int kJobs = 20'000;
    Producer producer(*client, "scans");
    for (int i = 0; i < kJobs; ++i) {
        const std::string payload = std::to_string(i);
        Job job = job_of(payload);
        job.group = *group;
        ASSERT_TRUE(producer.submit(job).ok());
    }
    ASSERT_TRUE(producer.drain(kPatience).ok());
    EXPECT_EQ(producer.stats().accepted, kJobs);
    auto sealed = client->seal_group("scans", *group, kJobs);
    ASSERT_TRUE(sealed.ok());
    EXPECT_EQ(sealed->count, kJobs);

    std::set<std::string> payloads;
    bool completed = false;
    std::uint64_t last = 0;
    while (!completed) {
        auto received = subscriber.receive(kPatience);
        ASSERT_TRUE(received.ok() && received->has_value());
        for (const protocol::Entry& entry : (*received)->entries()) {
            EXPECT_TRUE(payloads.empty() || entry.offset == last + 1);
            last = entry.offset;
            if (entry.kind == protocol::EntryKind::group) {
                EXPECT_EQ(entry.id, *group);
                completed = true;
                continue;
            }
            EXPECT_FALSE(completed);
            EXPECT_EQ(entry.outcome, protocol::FinalOutcome::done);
            EXPECT_TRUE(payloads.emplace(entry.body.bytes).second);
        }
    }
    EXPECT_EQ(payloads.size(), kJobs);
    auto state = client->query_group("scans", *group);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->phase, protocol::GroupPhase::complete);
    EXPECT_EQ(client->stats().protocol_errors, 0U);
    EXPECT_EQ(client->stats().frames_bad, 0U);
}

TEST_P(ClientWithBroker, AFullQueueHoldsTheProducerUntilThereIsRoom) {
    Broker broker;
    auto client = make(broker.endpoint(), GetParam());
    ASSERT_TRUE(client->create_queue("small", {{"max_jobs", 50}}).ok());
    Producer producer(*client, "small", {.buffer_items_max = 100});
    int taken = 0;
    while (producer.submit(job_of("x"), 50ms).ok()) ++taken;
    EXPECT_EQ(producer.stats().refused, 0U);
    EXPECT_EQ(producer.stats().accepted, 50U);
    EXPECT_EQ(taken, 150);  // 50 in the queue, 100 here
    Worker worker(broker.endpoint());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    EXPECT_EQ(producer.stats().accepted, 150U);
    EXPECT_EQ(producer.stats().refused, 0U);
}

TEST_P(ClientWithBroker, CreditThatOneProducerDoesNotUseReachesAnother) {
    Broker broker;
    auto first = make(broker.endpoint(), true, "first");
    auto second = make(broker.endpoint(), GetParam(), "second");
    ASSERT_TRUE(first->create_queue("small", {{"max_jobs", 30}}).ok());
    Producer a(*first, "small");
    ASSERT_TRUE(a.submit(job_of("x")).ok());
    ASSERT_TRUE(a.drain(kPatience).ok());
    // `a` holds some credit ahead; 29 places are left, and they all come to `b`.
    Producer b(*second, "small");
    for (int i = 0; i < 29; ++i) ASSERT_TRUE(b.submit(job_of("y")).ok());
    ASSERT_TRUE(b.drain(kPatience).ok());
    EXPECT_EQ(b.stats().accepted, 29U);
    Worker worker(broker.endpoint());
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(a.submit(job_of("z")).ok());
    ASSERT_TRUE(a.drain(kPatience).ok());
    EXPECT_EQ(a.stats().accepted, 101U);
    EXPECT_EQ(a.stats().refused + b.stats().refused, 0U);
}

TEST_P(ClientWithBroker, AnItemOverTheQueuesBytesFailsAlone) {
    Broker broker;
    Worker worker(broker.endpoint());
    auto client = make(broker.endpoint(), GetParam());
    ASSERT_TRUE(client->create_queue("small", {{"max_bytes", 10'000}}).ok());
    std::map<std::uint64_t, ErrorCode> answers;
    std::mutex mutex;
    ProducerOptions options;
    options.on_answers = [&](std::span<const JobAnswer> batch) {
        const std::lock_guard lock(mutex);
        for (const JobAnswer& answer : batch) answers[answer.ticket.value] = answer.code;
    };
    Producer producer(*client, "small", options);
    const std::string large(20'000, 'L');
    const std::string middle(9'000, 'M');
    for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(producer.submit(job_of(i == 7 ? large : i % 3 == 0 ? middle : "s")).ok());
    }
    ASSERT_TRUE(producer.drain(kPatience).ok());
    while (client->poll(1ms) > 0) {
    }
    EXPECT_EQ(producer.stats().accepted, 29U);
    EXPECT_EQ(producer.stats().refused, 1U);
    const std::lock_guard lock(mutex);
    EXPECT_EQ(answers[8], ErrorCode::item_too_large);
}

TEST_P(ClientWithBroker, LargeBodiesGoThereAndBackAsBlobs) {
    Broker broker;
    Worker worker(broker.endpoint());
    auto client = make(broker.endpoint(), GetParam());
    ASSERT_TRUE(client->create_queue("scans").ok());
    SubscriberOptions reading;
    reading.queue = "scans";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    Producer producer(*client, "scans");
    std::string large(5'000'000, '.');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7 >> 4);
    ASSERT_TRUE(producer.submit(job_of(large)).ok());
    ASSERT_TRUE(producer.submit(job_of("small")).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    std::set<std::size_t> sizes;
    while (sizes.size() < 2) {
        auto received = subscriber.receive(kPatience);
        ASSERT_TRUE(received.ok() && received->has_value());
        for (const protocol::Entry& entry : (*received)->entries()) {
            auto body = client->fetch_body(entry.body, kPatience);
            ASSERT_TRUE(body.ok()) << body.error().sentence;
            sizes.insert(body->size());
            EXPECT_EQ(*body, entry.body.is_blob() ? large : "small");
        }
    }
    EXPECT_TRUE(sizes.contains(large.size()));
}

// Frames of a few bytes among them: they must stay where they are until all are put.
TEST_P(ClientWithBroker, ManyBlobsArePutTogether) {
    Broker broker;
    auto client = make(broker.endpoint(), GetParam());
    std::vector<std::string> bytes;
    for (int i = 0; i < 40; ++i) {
        bytes.emplace_back(i % 3 == 0 ? 10 : 100'000, static_cast<char>('!' + i));
    }
    std::vector<Client::BlobToPut> blobs;
    for (const std::string& one : bytes)
        blobs.push_back({one, protocol::BlobType::snapshot, "SPY"});
    const auto ids = client->put_blobs(blobs, kPatience);
    ASSERT_TRUE(ids.ok()) << ids.error().sentence;
    ASSERT_EQ(ids->size(), bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        EXPECT_EQ((*ids)[i], content_id(bytes[i])) << i;
        const auto blob = client->get_blob((*ids)[i], kPatience);
        ASSERT_TRUE(blob.ok()) << i << " " << blob.error().sentence;
        EXPECT_TRUE(blob->bytes == bytes[i]) << i;
    }
}

TEST_P(ClientWithBroker, AQueueDeletedAndMadeAnewIsUsedAgain) {
    Broker broker;
    Worker worker(broker.endpoint());
    auto client = make(broker.endpoint(), GetParam());
    ASSERT_TRUE(client->create_queue("q").ok());
    SubscriberOptions reading;
    reading.queue = "q";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    Producer producer(*client, "q");
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 100; ++i) ASSERT_TRUE(producer.submit(job_of("x")).ok());
        ASSERT_TRUE(producer.drain(kPatience).ok());
        ASSERT_TRUE(client->delete_queue("q", true).ok());
        ASSERT_TRUE(client->create_queue("q").ok());
    }
    EXPECT_EQ(producer.stats().accepted, 300U);
    for (;;) {
        auto received = subscriber.receive(kPatience);
        if (!received.ok()) {
            EXPECT_EQ(received.error().code, ErrorCode::unknown_queue);
            break;
        }
        ASSERT_TRUE(received->has_value());
    }
}

TEST_P(ClientWithBroker, WhatRetentionDroppedIsToldAsAGap) {
    Broker broker;
    Worker worker(broker.endpoint());
    auto client = make(broker.endpoint(), GetParam());
    ASSERT_TRUE(client->create_queue("q", {{"stream_max_bytes", 10'000}}).ok());
    SubscriberOptions latest;
    latest.queue = "q";
    Subscriber watch(*client, latest);
    ASSERT_TRUE(watch.wait_active(kPatience).ok());
    Producer producer(*client, "q");
    const std::string payload(200, 'p');
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(producer.submit(job_of(payload)).ok());
    std::uint64_t next = 0;
    while (next < 500) {
        auto received = watch.receive(kPatience);
        ASSERT_TRUE(received.ok() && received->has_value());
        next = (*received)->batch().position.next_offset;
    }
    SubscriberOptions from_start = latest;
    from_start.from = protocol::StartFrom::offset;
    from_start.offset = 0;
    from_start.incarnation = watch.info().position.incarnation;
    Subscriber late(*client, from_start);
    auto received = late.receive(kPatience);
    ASSERT_TRUE(received.ok() && received->has_value());
    const EntryBatch& batch = (*received)->batch();
    ASSERT_TRUE(batch.gap.has_value());
    EXPECT_EQ(batch.gap->from, 0U);
    EXPECT_GT(batch.gap->to, 400U);
    ASSERT_FALSE(batch.entries.empty());
    EXPECT_EQ(batch.entries.front().offset, batch.gap->to);
    from_start.incarnation.bytes[0] ^= 0xff;
    Subscriber other(*client, from_start);
    EXPECT_EQ(other.wait_active(kPatience).error().code, ErrorCode::stream_reset);
}

TEST_P(ClientWithBroker, ARestartedBrokerWithoutItsQueueRefusesInWords) {
    auto first = std::make_unique<Broker>();
    const std::string endpoint = first->endpoint();
    auto client = make(endpoint, GetParam());
    ASSERT_TRUE(client->create_queue("q").ok());
    const std::uint64_t epoch = client->session().epoch;
    std::atomic<int> refused = 0;
    ProducerOptions options;
    options.on_answers = [&](std::span<const JobAnswer> answers) {
        for (const JobAnswer& answer : answers) {
            if (answer.taken()) continue;
            EXPECT_EQ(answer.code, ErrorCode::unknown_queue);
            EXPECT_FALSE(answer.sentence.empty());
            ++refused;
        }
    };
    Producer producer(*client, "q", options);
    ASSERT_TRUE(producer.submit(job_of("x")).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    first.reset();
    Broker second({}, endpoint);
    ASSERT_TRUE(client->query("broker", "", kPatience).ok());
    EXPECT_NE(client->session().epoch, epoch);
    ASSERT_TRUE(producer.submit(job_of("y")).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    while (client->poll(1ms) > 0) {
    }
    EXPECT_EQ(producer.stats().refused, 1U);
    EXPECT_EQ(refused, 1);
}

TEST_P(ClientWithBroker, QueriesTellWhatIsThere) {
    Broker broker;
    auto client = make(broker.endpoint(), GetParam(), "asker");
    ASSERT_TRUE(client->create_queue("q", {{"max_jobs", 77}}).ok());
    auto queues = client->query("queues", "q");
    ASSERT_TRUE(queues.ok());
    ASSERT_EQ(queues->size(), 1U);
    EXPECT_EQ(number(queues->front(), "max_jobs"), 77U);
    ASSERT_TRUE(client->alter_queue("q", {{"max_jobs", 78}}).ok());
    EXPECT_EQ(number(client->query("queues", "q")->front(), "max_jobs"), 78U);
    EXPECT_EQ(client->query("nonsense").error().code, ErrorCode::unknown_topic);
    EXPECT_EQ(client->create_queue("no name").error().code, ErrorCode::bad_name);
    EXPECT_EQ(client->create_queue("r", {{"max_jbos", 1}}).error().code, ErrorCode::bad_setting);
    EXPECT_EQ(client->delete_queue("nobody", false).error().code, ErrorCode::unknown_queue);
}

INSTANTIATE_TEST_SUITE_P(Drivers, ClientWithBroker, testing::Bool(), [](const auto& driver) {
    return driver.param ? "BackgroundThread" : "CallersThread";
});

TEST(CallersThread, AClientThatDidNotPollForTooLongFindsItsWayBack) {
    broker::ServerOptions options;
    options.core.heartbeat = 50ms;
    options.core.dead_after = 200ms;
    Broker broker(options);
    Worker worker(broker.endpoint());
    auto other = make(broker.endpoint(), true, "other");
    ASSERT_TRUE(other->create_queue("q").ok());
    auto client = make(broker.endpoint(), false, "sleeper");
    SubscriberOptions reading;
    reading.queue = "q";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    // Nobody polls `client` until the broker has given it up.
    const auto there = [&] {
        const auto rows = other->query("sessions");
        for (const protocol::Row& row : *rows) {
            for (const auto& [key, value] : row) {
                if (key == "name" && value == protocol::Value(std::string("sleeper"))) return true;
            }
        }
        return false;
    };
    while (there()) other->poll(10ms);
    Producer producer(*client, "q");
    ASSERT_TRUE(producer.submit(job_of("awake")).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    auto received = subscriber.receive(kPatience);
    ASSERT_TRUE(received.ok() && received->has_value());
    EXPECT_EQ((*received)->entries()[0].body.bytes, "awake");
    EXPECT_GE(client->stats().sessions_opened, 2U);
}

}  // namespace
}  // namespace scanmq::client
