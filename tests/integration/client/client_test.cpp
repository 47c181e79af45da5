// The C++ client over real sockets, driven by the caller and by its own thread.

#include "client/cpp/client.hpp"

#include <set>

#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "fake_broker.hpp"

namespace scanmq::client {
namespace {

using namespace std::chrono_literals;
using test::FakeBroker;
using test::FakeOptions;

constexpr Duration kPatience = 30s;

// The parameter: with a background thread.
class ClientOverSockets : public testing::TestWithParam<bool> {
  protected:
    std::unique_ptr<Client> make(std::vector<std::string> brokers, ClientOptions options = {}) {
        options.brokers = std::move(brokers);
        options.background_thread = GetParam();
        auto client = Client::open(options);
        EXPECT_TRUE(client.ok());
        return std::move(*client);
    }
    // Polls until `done` or the patience is over.
    bool until(Client& client, const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            client.poll(20ms);
        }
        return true;
    }
};

TEST_P(ClientOverSockets, JobsAreAcceptedAndReadBack) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    ASSERT_TRUE(client->wait_open(kPatience).ok());

    SubscriberOptions reading;
    reading.queue = "q";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());

    std::atomic<int> answered = 0;
    std::set<Id128> ids;
    ProducerOptions producing;
    producing.on_answers = [&](std::span<const JobAnswer> answers) {
        for (const JobAnswer& answer : answers) {
            EXPECT_TRUE(answer.taken());
            ids.insert(answer.id);
            ++answered;
        }
    };
    Producer producer(*client, "q", producing);
    for (int i = 0; i < 5000; ++i) {
        Job job;
        const std::string payload = "payload " + std::to_string(i);
        job.payload = payload;
        job.subject = "a.b";
        ASSERT_TRUE(producer.submit(job).ok());
    }
    ASSERT_TRUE(producer.drain(kPatience).ok());
    ASSERT_TRUE(until(*client, [&] { return answered == 5000; }));
    EXPECT_EQ(ids.size(), 5000U);

    std::uint64_t next = 0;
    while (next < 5000) {
        auto received = subscriber.receive(kPatience);
        ASSERT_TRUE(received.ok() && received->has_value());
        for (const protocol::Entry& entry : (*received)->entries()) {
            EXPECT_EQ(entry.offset, next);
            EXPECT_EQ(entry.body.bytes, "payload " + std::to_string(next));
            EXPECT_EQ(entry.subject, "a.b");
            EXPECT_TRUE(ids.contains(entry.id));
            ++next;
        }
        EXPECT_EQ((*received)->batch().position.next_offset, next);
    }
    EXPECT_EQ(subscriber.info().position.next_offset, 5000U);
    EXPECT_EQ(broker.over_credit, 0U);
    EXPECT_EQ(producer.stats().accepted, 5000U);
    EXPECT_LT(broker.submits, 5000U);
}

TEST_P(ClientOverSockets, CallbacksMayBlockAndSubmit) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    std::atomic<int> rounds = 0;
    std::atomic<int> batches = 0;
    Producer producer(*client, "q");
    SubscriberOptions reading;
    reading.queue = "q";
    reading.on_batch = [&](const EntryBatch& batch) {
        EXPECT_EQ(batch.entries.size(), 1U);
        ++batches;
        EXPECT_TRUE(client->query("broker").ok());  // waits within the callback
        if (++rounds < 20) {
            Job job;
            job.payload = "again";
            EXPECT_TRUE(producer.submit(job).ok());
            EXPECT_TRUE(producer.drain(kPatience).ok());
        }
    };
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    Job job;
    job.payload = "first";
    ASSERT_TRUE(producer.submit(job).ok());
    EXPECT_TRUE(until(*client, [&] { return batches == 20; }));
}

TEST_P(ClientOverSockets, ForgottenSessionsAreMadeAnewAndNothingIsLostOrDoubled) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    SubscriberOptions reading;
    reading.queue = "q";
    reading.from = protocol::StartFrom::earliest;
    Subscriber subscriber(*client, reading);
    Producer producer(*client, "q", {.batch_items_max = 7});
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    for (int round = 0; round < 5; ++round) {
        // The answers of this round's jobs are lost with the session.
        broker.hold_answers = true;
        for (int i = 0; i < 100; ++i) {
            Job job;
            job.payload = "x";
            ASSERT_TRUE(producer.submit(job).ok());
        }
        const std::uint64_t before = broker.submits;
        ASSERT_TRUE(until(*client, [&] { return broker.submits > before; }));
        broker.forget_sessions();
        broker.hold_answers = false;
        ASSERT_TRUE(client->query("broker").ok());
        ASSERT_TRUE(producer.drain(kPatience).ok());
    }
    std::set<Id128> ids;
    while (ids.size() < 500) {
        auto received = subscriber.receive(kPatience);
        ASSERT_TRUE(received.ok() && received->has_value());
        for (const protocol::Entry& entry : (*received)->entries()) {
            EXPECT_TRUE(ids.insert(entry.id).second);
        }
    }
    EXPECT_EQ(broker.jobs, 500U);
    EXPECT_GT(broker.duplicates, 0U);
    EXPECT_EQ(broker.over_credit, 0U);
    EXPECT_EQ(client->stats().sessions_opened, 6U);
}

TEST_P(ClientOverSockets, ABrokerThatComesBackAtItsEndpointIsFoundAgain) {
    auto first = std::make_unique<FakeBroker>();
    const std::string endpoint = first->endpoint();
    auto client = make({endpoint});
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    Producer producer(*client, "q");
    first->hold_answers = true;
    Job job;
    job.payload = "kept";
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(until(*client, [&] { return first->submits == 1; }));
    first.reset();
    FakeOptions options;
    options.main = endpoint;
    options.first_session = 1000;
    FakeBroker second(options);
    ASSERT_TRUE(producer.drain(kPatience).ok());
    EXPECT_EQ(second.jobs, 1U);
    EXPECT_GE(client->session().session.value, 1000U);
}

TEST_P(ClientOverSockets, TheNextBrokerOfTheListIsTakenWhenOneIsAway) {
    FakeBroker broker;
    ClientOptions options;
    options.connect_timeout = 50ms;
    // Port 1 refuses connections.
    auto client = make({"tcp://127.0.0.1:1", broker.endpoint()}, options);
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    EXPECT_EQ(client->session().broker, broker.endpoint());
}

TEST_P(ClientOverSockets, AnotherIncarnationIsSurfaced) {
    auto first = std::make_unique<FakeBroker>();
    const std::string endpoint = first->endpoint();
    auto client = make({endpoint});
    SubscriberOptions reading;
    reading.queue = "q";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    first.reset();
    FakeOptions options;
    options.main = endpoint;
    options.incarnation = 2;
    FakeBroker second(options);
    auto received = subscriber.receive(kPatience);
    ASSERT_FALSE(received.ok());
    EXPECT_EQ(received.error().code, protocol::ErrorCode::stream_reset);
    EXPECT_EQ(subscriber.info().state, SubscriptionState::failed);
}

TEST_P(ClientOverSockets, LargePayloadsTravelAsBlobsAndAreFetchedOnDemand) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    SubscriberOptions reading;
    reading.queue = "q";
    Subscriber subscriber(*client, reading);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    Producer producer(*client, "q");
    std::string large(1'000'000, 'L');
    large[123'456] = '!';
    Job job;
    job.payload = large;
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    auto received = subscriber.receive(kPatience);
    ASSERT_TRUE(received.ok() && received->has_value());
    const protocol::Entry& entry = (*received)->entries()[0];
    ASSERT_TRUE(entry.body.is_blob());
    auto body = client->fetch_body(entry.body, kPatience);
    ASSERT_TRUE(body.ok());
    EXPECT_EQ(*body, large);
    // The same bytes again are not sent again.
    const std::uint64_t chunks = broker.chunks;
    auto again = client->put_blob(large, protocol::BlobType::body, "again", kPatience);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(*again, content_id(large));
    EXPECT_EQ(broker.chunks, chunks);
    auto missing = client->get_blob(content_id("nobody has this"), kPatience);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code, protocol::ErrorCode::unknown_blob);
}

TEST_P(ClientOverSockets, RefusedJobsReachTheCallback) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    std::atomic<int> refused = 0;
    ProducerOptions options;
    options.on_answers = [&](std::span<const JobAnswer> answers) {
        for (const JobAnswer& answer : answers) {
            if (answer.taken()) continue;
            EXPECT_EQ(answer.ticket.value, 2U);
            EXPECT_EQ(answer.code, protocol::ErrorCode::id_conflict);
            EXPECT_EQ(answer.sentence, "as the test wants");
            ++refused;
        }
    };
    Producer producer(*client, "q", options);
    for (const char* subject : {"take", "refuse", "take"}) {
        Job job;
        job.payload = "x";
        job.subject = subject;
        ASSERT_TRUE(producer.submit(job).ok());
    }
    ASSERT_TRUE(producer.drain(kPatience).ok());
    EXPECT_TRUE(until(*client, [&] { return refused == 1; }));
    EXPECT_EQ(producer.stats().refused, 1U);
    EXPECT_EQ(producer.stats().accepted, 2U);
}

TEST_P(ClientOverSockets, FramesThatAreNoneAreCountedAndChangeNothing) {
    FakeBroker broker;
    broker.send_rubbish = true;
    auto client = make({broker.endpoint()});
    Producer producer(*client, "q");
    Job job;
    job.payload = "x";
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    EXPECT_GE(client->stats().frames_bad, 1U);
    EXPECT_TRUE(client->session().open);
}

TEST_P(ClientOverSockets, DeadlinesHold) {
    auto client = make({"tcp://127.0.0.1:1"});
    const auto opened = client->wait_open(30ms);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::timed_out);
    EXPECT_NE(opened.error().sentence.find("tcp://127.0.0.1:1"), std::string::npos);
    EXPECT_EQ(client->query("broker", "", 30ms).error().kind, ErrorKind::timed_out);
    EXPECT_EQ(client->put_blob("bytes", protocol::BlobType::body, "", 30ms).error().kind,
              ErrorKind::timed_out);
    Producer producer(*client, "q", {.buffer_items_max = 2});
    Job job;
    job.payload = "x";
    ASSERT_TRUE(producer.submit(job, 0s).ok());
    ASSERT_TRUE(producer.submit(job, 0s).ok());
    EXPECT_EQ(producer.submit(job, 0s).error().kind, ErrorKind::buffer_full);
    EXPECT_EQ(producer.submit(job, 30ms).error().kind, ErrorKind::buffer_full);
    EXPECT_EQ(producer.drain(30ms).error().kind, ErrorKind::timed_out);
}

TEST_P(ClientOverSockets, AnUnansweredRequestTimesOutAndTheSessionGoesOn) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    EXPECT_EQ(client->query("silence", "", 50ms).error().kind, ErrorKind::timed_out);
    auto rows = client->query("broker", "", kPatience);
    ASSERT_TRUE(rows.ok());
    EXPECT_EQ(std::get<std::string>(rows->at(0).at(0).second), "fake");
}

TEST_P(ClientOverSockets, InterruptEndsAWait) {
    auto client = make({"tcp://127.0.0.1:1"});
    std::thread other([&] { client->interrupt(); });
    const auto opened = client->wait_open(kPatience);
    other.join();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::interrupted);
}

TEST_P(ClientOverSockets, ClosedClientsRefuse) {
    FakeBroker broker;
    auto client = make({broker.endpoint()});
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    Producer producer(*client, "q");
    SubscriberOptions reading;
    reading.queue = "q";
    Subscriber subscriber(*client, reading);
    client->close();
    client->close();
    Job job;
    EXPECT_EQ(producer.submit(job).error().kind, ErrorKind::closed);
    EXPECT_EQ(client->query("broker").error().kind, ErrorKind::closed);
    EXPECT_EQ(subscriber.receive(kPatience).error().kind, ErrorKind::closed);
    EXPECT_EQ(client->poll(0s), 0U);
}

INSTANTIATE_TEST_SUITE_P(Drivers, ClientOverSockets, testing::Bool(), [](const auto& driver) {
    return driver.param ? "BackgroundThread" : "CallersThread";
});

TEST(Client, EndpointsAreCheckedWhenOpened) {
    ClientOptions options;
    options.brokers = {"not an endpoint"};
    auto client = Client::open(options);
    ASSERT_FALSE(client.ok());
    EXPECT_EQ(client.error().kind, ErrorKind::transport);
    EXPECT_NE(client.error().sentence.find("not an endpoint"), std::string::npos);
    options.brokers.clear();
    EXPECT_EQ(Client::open(options).error().kind, ErrorKind::invalid);
}

TEST(Client, ManyThreadsShareOneClient) {
    FakeBroker broker;
    ClientOptions options;
    options.brokers = {broker.endpoint()};
    options.background_thread = true;
    auto client = Client::open(options).value();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            Producer producer(*client, "q" + std::to_string(t % 2), {.buffer_items_max = 100});
            for (int i = 0; i < 2000; ++i) {
                Job job;
                job.payload = "x";
                ASSERT_TRUE(producer.submit(job, kPatience).ok());
            }
            EXPECT_TRUE(client->query("broker").ok());
            EXPECT_TRUE(producer.drain(kPatience).ok());
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(broker.jobs, 8000U);
    EXPECT_EQ(broker.over_credit, 0U);
}

}  // namespace
}  // namespace scanmq::client
