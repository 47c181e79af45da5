// A producer's journal over real sockets: what was unanswered is submitted again, nothing else.

#include <algorithm>
#include <filesystem>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "fake_broker.hpp"

namespace scanmq::client {
namespace {

using namespace std::chrono_literals;
using test::FakeBroker;
using test::FakeOptions;

constexpr Duration kPatience = 30s;

// The parameter: with a background thread.
class ProducersJournal : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override { std::filesystem::create_directories(directory_); }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    static std::unique_ptr<Client> make(const std::string& broker) {
        ClientOptions options;
        options.brokers = {broker};
        options.background_thread = GetParam();
        return Client::open(options).value();
    }
    std::unique_ptr<Producer> producer(Client& client, ProducerOptions options = {}) {
        options.journal = path_;
        auto out = Producer::open(client, "q", std::move(options));
        EXPECT_TRUE(out.ok()) << (out ? "" : out.error().sentence);
        return out ? std::move(*out) : nullptr;
    }
    static bool until(Client& client, const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!done()) {
            if (std::chrono::steady_clock::now() > end) return false;
            client.poll(20ms);
        }
        return true;
    }

    static std::string own_directory() {
        std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
        std::ranges::replace(name, '/', '.');
        return testing::TempDir() + "producers_journal." + name;
    }

    const std::string directory_ = own_directory();
    const std::string path_ = directory_ + "/q.journal";
};

TEST_P(ProducersJournal, WhatWasSentButNotAnsweredIsADuplicateForABrokerThatKnowsIt) {
    FakeBroker broker;
    broker.hold_answers = true;
    {
        auto client = make(broker.endpoint());
        ProducerOptions alone;
        alone.frames_ahead = 20;  // each job may travel by itself, and none is answered
        auto first = producer(*client, alone);
        Job job;
        job.priority = 8;
        for (int i = 0; i < 20; ++i) {
            const std::string payload = "payload " + std::to_string(i);
            job.payload = payload;
            ASSERT_TRUE(first->submit(job).ok());
        }
        ASSERT_TRUE(until(*client, [&] { return broker.jobs == 20; }));
    }  // as if killed: nothing was answered
    broker.hold_answers = false;
    auto client = make(broker.endpoint());
    std::atomic<int> duplicates = 0;
    ProducerOptions options;
    options.on_answers = [&](std::span<const JobAnswer> answers) {
        for (const JobAnswer& answer : answers) {
            duplicates += answer.verdict == protocol::Verdict::duplicate ? 1 : 0;
        }
    };
    auto again = producer(*client, options);
    EXPECT_EQ(again->journal().restored, 20U);
    ASSERT_TRUE(again->drain(kPatience).ok());
    EXPECT_TRUE(until(*client, [&] { return duplicates == 20; }));
    EXPECT_EQ(broker.jobs, 20U);
    EXPECT_EQ(broker.last_options().priority, 8U);
    EXPECT_TRUE(until(*client, [&] { return again->journal().jobs == 0; }));
}

TEST_P(ProducersJournal, WhatWasNotSentIsSubmittedOnceABrokerIsThere) {
    {
        auto client = make("tcp://127.0.0.1:1");
        auto first = producer(*client);
        Job job;
        job.payload = "waits";
        ASSERT_TRUE(first->submit(job).ok());
    }
    FakeBroker broker;
    auto client = make(broker.endpoint());
    auto again = producer(*client);
    ASSERT_TRUE(again->drain(kPatience).ok());
    EXPECT_EQ(broker.jobs, 1U);
    again = nullptr;
    again = producer(*client);
    EXPECT_EQ(again->journal().restored, 0U);
}

TEST_P(ProducersJournal, AProducerMadeAnewInTheSameClientDoublesNothing) {
    FakeBroker broker;
    auto client = make(broker.endpoint());
    ASSERT_TRUE(client->wait_open(kPatience).ok());
    broker.want_error = protocol::ErrorCode::store_full;
    for (int i = 0; i < 3; ++i) {
        auto one = producer(*client);
        Job job;
        job.payload = "x";
        ASSERT_TRUE(one->submit(job).ok());
    }
    broker.want_error = protocol::ErrorCode::none;
    auto last = producer(*client);
    EXPECT_EQ(last->journal().restored, 3U);
    ASSERT_TRUE(last->drain(kPatience).ok());
    EXPECT_EQ(broker.jobs, 3U);
    EXPECT_EQ(broker.duplicates, 0U);
}

TEST_P(ProducersJournal, RefusedJobsAreAnsweredTooAndLeaveIt) {
    FakeBroker broker;
    auto client = make(broker.endpoint());
    auto one = producer(*client);
    Job job;
    job.subject = "refuse";
    ASSERT_TRUE(one->submit(job).ok());
    ASSERT_TRUE(one->drain(kPatience).ok());
    EXPECT_EQ(one->stats().refused, 1U);
    EXPECT_TRUE(until(*client, [&] { return one->journal().jobs == 0; }));
}

TEST_P(ProducersJournal, ALargePayloadIsPutAgain) {
    const std::string large(1'000'000, 'L');
    {
        auto client = make("tcp://127.0.0.1:1");
        auto first = producer(*client);
        Job job;
        job.payload = large;
        ASSERT_TRUE(first->submit(job).ok());
    }
    FakeBroker broker;
    auto client = make(broker.endpoint());
    auto again = producer(*client);
    ASSERT_TRUE(again->drain(kPatience).ok());
    auto blob = client->get_blob(content_id(large), kPatience);
    ASSERT_TRUE(blob.ok());
    EXPECT_EQ(blob->bytes, large);
}

TEST_P(ProducersJournal, OneThatCannotBeUsedRefusesEveryJobAndSaysWhy) {
    auto client = make("tcp://127.0.0.1:1");
    auto first = producer(*client);
    ProducerOptions options;
    options.journal = path_;
    EXPECT_FALSE(Producer::open(*client, "q", options).ok());
    Producer second(*client, "q", options);
    const auto refused = second.submit(Job{});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().sentence.find(path_), std::string::npos);
    EXPECT_NE(refused.error().sentence.find("in use"), std::string::npos);
}

TEST_P(ProducersJournal, ThousandsOfJobsOverManySessionsAreTakenOnceEach) {
    FakeBroker broker;
    std::uint64_t submitted = 0;
    for (int round = 0; round < 5; ++round) {
        auto client = make(broker.endpoint());
        auto one = producer(*client);
        ASSERT_TRUE(client->wait_open(kPatience).ok());
        const std::uint64_t before = broker.submits;
        for (int i = 0; i < 1000; ++i) {
            Job job;
            job.payload = "x";
            ASSERT_TRUE(one->submit(job).ok());
            ++submitted;
        }
        // Killed in the middle of it.
        ASSERT_TRUE(until(*client, [&] { return broker.submits > before; }));
    }
    auto client = make(broker.endpoint());
    auto last = producer(*client);
    ASSERT_TRUE(last->drain(kPatience).ok());
    EXPECT_EQ(broker.jobs, submitted);
}

INSTANTIATE_TEST_SUITE_P(Drivers, ProducersJournal, testing::Bool(), [](const auto& driver) {
    return driver.param ? "BackgroundThread" : "CallersThread";
});

}  // namespace
}  // namespace scanmq::client
