// Durable subscriptions, refusals and the operators' requests over real sockets.

#include <set>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "fake_broker.hpp"

namespace scanmq::client {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using protocol::SubscriptionStatus;
using test::FakeBroker;

constexpr Duration kPatience = 30s;

// The parameter: with a background thread.
class DurableOverSockets : public testing::TestWithParam<bool> {
  protected:
    static std::unique_ptr<Client> make(const std::string& broker) {
        ClientOptions options;
        options.brokers = {broker};
        options.background_thread = GetParam();
        return Client::open(options).value();
    }
    static bool until(Client& client, const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            client.poll(20ms);
        }
        return true;
    }
    static SubscriberOptions desk() {
        SubscriberOptions out;
        out.queue = "q";
        out.durable_name = "desk";
        out.from = protocol::StartFrom::earliest;
        return out;
    }
    static void submit(Client& client, int jobs) {
        Producer producer(client, "q");
        for (int i = 0; i < jobs; ++i) {
            Job job;
            job.payload = "x";
            ASSERT_TRUE(producer.submit(job).ok());
        }
        ASSERT_TRUE(producer.drain(kPatience).ok());
    }
    // The offsets of the next entries, n of them or more.
    static std::vector<std::uint64_t> read(Subscriber& subscriber, std::size_t n) {
        std::vector<std::uint64_t> out;
        while (out.size() < n) {
            auto received = subscriber.receive(kPatience);
            if (!received.ok() || !received->has_value()) {
                ADD_FAILURE() << "nothing received";
                break;
            }
            for (const protocol::Entry& entry : (*received)->entries()) out.push_back(entry.offset);
        }
        return out;
    }

    FakeBroker broker;
};

TEST_P(DurableOverSockets, AnotherProcessGoesOnWhereTheFirstEnded) {
    {
        auto client = make(broker.endpoint());
        Subscriber subscriber(*client, desk());
        ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
        EXPECT_EQ(subscriber.info().status, SubscriptionStatus::created);
        submit(*client, 10);
        EXPECT_EQ(read(subscriber, 10).size(), 10U);
    }  // going, it acknowledges what it handed out
    auto client = make(broker.endpoint());
    submit(*client, 1);
    Subscriber subscriber(*client, desk());
    EXPECT_EQ(read(subscriber, 1), std::vector<std::uint64_t>{10});
    EXPECT_EQ(subscriber.info().status, SubscriptionStatus::resumed);
}

TEST_P(DurableOverSockets, ABatchIsAcknowledgedWhenTheNextIsAskedFor) {
    auto client = make(broker.endpoint());
    Subscriber subscriber(*client, desk());
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    submit(*client, 1);
    ASSERT_EQ(read(subscriber, 1).size(), 1U);
    ASSERT_TRUE(client->query("broker").ok());  // what was sent before is handled
    EXPECT_EQ(broker.cursor("q", "desk"), 0U);
    EXPECT_FALSE(subscriber.receive(0s)->has_value());
    EXPECT_TRUE(until(*client, [&] { return broker.cursor("q", "desk") == 1U; }));
}

TEST_P(DurableOverSockets, ACallbackThatReturnedIsAcknowledgedWithinItsPause) {
    auto client = make(broker.endpoint());
    std::atomic<std::uint64_t> seen = 0;
    SubscriberOptions options = desk();
    options.on_batch = [&](const EntryBatch& batch) { seen += batch.entries.size(); };
    Subscriber subscriber(*client, options);
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    for (std::uint64_t n = 1; n <= 3; ++n) {
        submit(*client, 1);
        ASSERT_TRUE(until(*client, [&] { return broker.cursor("q", "desk") == n; }));
        EXPECT_EQ(seen, n);
    }
}

TEST_P(DurableOverSockets, ByHandOnlyWhatWasSaidIsAcknowledged) {
    {
        auto client = make(broker.endpoint());
        SubscriberOptions options = desk();
        options.auto_ack = false;
        Subscriber subscriber(*client, options);
        ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
        submit(*client, 10);
        ASSERT_EQ(read(subscriber, 10).size(), 10U);
        EXPECT_EQ(subscriber.ack(11).error().code, ErrorCode::bad_offset);
        ASSERT_TRUE(subscriber.ack(4).ok());
        ASSERT_TRUE(subscriber.ack(7).ok());
    }
    auto client = make(broker.endpoint());
    ASSERT_TRUE(client->query("broker").ok());
    EXPECT_TRUE(until(*client, [&] { return broker.cursor("q", "desk") == 7U; }));
    Subscriber again(*client, desk());
    EXPECT_EQ(read(again, 3), (std::vector<std::uint64_t>{7, 8, 9}));
}

TEST_P(DurableOverSockets, AfterAReconnectNothingComesTwiceAlthoughTheCursorIsBehind) {
    auto client = make(broker.endpoint());
    broker.ignore_acks = true;
    Subscriber subscriber(*client, desk());
    ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    std::set<std::uint64_t> offsets;
    for (int round = 0; round < 4; ++round) {
        submit(*client, 50);
        for (const std::uint64_t offset : read(subscriber, 50)) {
            EXPECT_TRUE(offsets.insert(offset).second) << offset;
        }
        broker.ignore_acks = round != 3;
        broker.forget_sessions();
        ASSERT_TRUE(client->query("broker").ok());
        ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
    }
    EXPECT_EQ(offsets.size(), 200U);
    EXPECT_FALSE(subscriber.receive(0s)->has_value());
    // The cursor follows once the broker has sent that much again.
    EXPECT_TRUE(until(*client, [&] {
        (void)subscriber.receive(0s);
        return broker.cursor("q", "desk") == 200U;
    }));
}

TEST_P(DurableOverSockets, TheNameTakenByAnotherEndsTheFirst) {
    auto first = make(broker.endpoint());
    Subscriber loser(*first, desk());
    ASSERT_TRUE(loser.wait_active(kPatience).ok());
    auto second = make(broker.endpoint());
    Subscriber winner(*second, desk());
    ASSERT_TRUE(winner.wait_active(kPatience).ok());
    const auto ended = loser.receive(kPatience);
    ASSERT_FALSE(ended.ok());
    EXPECT_EQ(ended.error().code, ErrorCode::subscription_taken);
    submit(*second, 1);
    EXPECT_EQ(read(winner, 1).size(), 1U);
    EXPECT_EQ(loser.info().state, SubscriptionState::failed);
}

TEST_P(DurableOverSockets, AForgottenNameStartsAnew) {
    auto client = make(broker.endpoint());
    {
        Subscriber subscriber(*client, desk());
        ASSERT_TRUE(subscriber.wait_active(kPatience).ok());
        submit(*client, 5);
        ASSERT_EQ(read(subscriber, 5).size(), 5U);
    }
    ASSERT_TRUE(client->forget_subscription("q", "desk", kPatience).ok());
    EXPECT_FALSE(broker.cursor("q", "desk"));
    EXPECT_EQ(client->stats().protocol_errors, 0U);
    Subscriber again(*client, desk());
    EXPECT_EQ(read(again, 5).front(), 0U);
    EXPECT_EQ(again.info().status, SubscriptionStatus::created);
    EXPECT_EQ(client->forget_subscription("q", "", kPatience).error().code, ErrorCode::bad_name);
}

TEST_P(DurableOverSockets, JobOptionsArrive) {
    auto client = make(broker.endpoint());
    const std::vector<std::string> aliases{"SPY@latest"};
    Producer producer(*client, "q");
    Job job;
    job.payload = "x";
    job.priority = 9;
    job.deadline = 2s;
    job.pure = true;
    job.aliases = aliases;
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(producer.drain(kPatience).ok());
    const protocol::JobOptions options = broker.last_options();
    EXPECT_EQ(options.priority, 9U);
    EXPECT_EQ(options.deadline_ms, 2000U);
    EXPECT_EQ(options.flags, protocol::JobOptions::kPure);
    EXPECT_EQ(options.aliases, aliases);
}

TEST_P(DurableOverSockets, AFullStoreIsWaitedForAndNamedWhenTimeIsUp) {
    broker.want_error = ErrorCode::store_full;
    auto client = make(broker.endpoint());
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    Producer producer(*client, "q");
    Job job;
    job.payload = "x";
    ASSERT_TRUE(producer.submit(job).ok());
    ASSERT_TRUE(until(*client, [&] { return producer.stats().held == ErrorCode::store_full; }));
    EXPECT_GE(client->stats().holds, 1U);
    const auto drained = producer.drain(10ms);
    ASSERT_FALSE(drained.ok());
    EXPECT_EQ(drained.error().kind, ErrorKind::timed_out);
    EXPECT_EQ(drained.error().code, ErrorCode::store_full);
    broker.want_error = ErrorCode::none;
    ASSERT_TRUE(producer.drain(kPatience).ok());
    EXPECT_EQ(producer.stats().accepted, 1U);
    EXPECT_EQ(producer.stats().held, ErrorCode::none);
}

TEST_P(DurableOverSockets, OperatorsRequestsAreAnswered) {
    auto client = make(broker.endpoint());
    Id128 unknown;
    unknown.bytes[0] = 9;
    const std::vector<Id128> jobs(5000, unknown);  // more than one frame holds
    const auto cancelled = client->cancel("q", jobs, kPatience);
    ASSERT_TRUE(cancelled.ok());
    ASSERT_EQ(cancelled->states.size(), 5000U);
    EXPECT_EQ(cancelled->states[4999], protocol::JobState::unknown);
    EXPECT_FALSE(cancelled->repeated);
    EXPECT_TRUE(client->control_queue("q", protocol::QueueAction::drain, kPatience).ok());
    const auto retried =
        client->dead_letters("q", protocol::DeadAction::retry, std::span(jobs).first(1), kPatience);
    ASSERT_TRUE(retried.ok());
    EXPECT_EQ(retried->jobs.at(0).retry, unknown);
    EXPECT_EQ(client->dead_letters("q", protocol::DeadAction::drop, jobs, kPatience).error().code,
              ErrorCode::over_limit);
    EXPECT_TRUE(client->set_alias("SPY@latest", content_id("x"), kPatience).ok());
    const auto backup = client->backup("monday", kPatience);
    ASSERT_TRUE(backup.ok());
    EXPECT_EQ(backup->path, "backups/monday");
    EXPECT_EQ(backup->bytes, 7U);
}

INSTANTIATE_TEST_SUITE_P(Drivers, DurableOverSockets, testing::Bool(), [](const auto& driver) {
    return driver.param ? "BackgroundThread" : "CallersThread";
});

}  // namespace
}  // namespace scanmq::client
