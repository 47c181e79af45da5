#pragma once
// StreamsTest: queue "q" with a producer, a worker with plenty of credit, and a subscriber.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker::testing {

class StreamsTest : public ::testing::Test {
  protected:
    explicit StreamsTest(BrokerOptions options = {}, const protocol::Settings& settings = {})
        : h(options) {
        h.create_queue("q", settings);
        producer = &h.producer();
        producer->send(protocol::Want{"q", {}, {1'000'000, 1ULL << 30}});
        worker = &h.worker();
        worker->send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
        subscriber = &h.subscriber();
    }
    // Runs one job to its end.
    void run(std::uint64_t number, std::string_view subject = "SPY",
             std::string_view result = "result", Id128 group = {}) {
        submit_one(number, subject, group);
        finish(result);
    }
    void submit_one(std::uint64_t number, std::string_view subject = "SPY", Id128 group = {}) {
        protocol::Job one = job(number, subject);
        one.id = job_id(
            number, std::chrono::duration_cast<std::chrono::milliseconds>(h.now.time_since_epoch())
                        .count());
        producer->send(submit("q", jobs(std::move(one)), group));
        EXPECT_TRUE(producer->next<protocol::Accepted>().exceptions.empty());
    }
    void finish(std::string_view result = "result",
                protocol::AttemptOutcome outcome = protocol::AttemptOutcome::done) {
        worker->send(
            done({worker->next<protocol::Deliver>().attempts.at(0).counter}, outcome, {}, result));
    }
    const protocol::Subscribed& subscribe(std::uint64_t number, const std::string& pattern,
                                          protocol::StartFrom from,
                                          protocol::Credit limit = kPlenty,
                                          std::uint64_t offset = 0, Id128 incarnation = {}) {
        subscriber->send(
            protocol::Subscribe{number, "q", pattern, from, offset, incarnation, "", limit});
        return subscriber->next<protocol::Subscribed>();
    }
    protocol::ErrorCode refused(protocol::Subscribe message) {
        subscriber->send(std::move(message));
        EXPECT_EQ(subscriber->count<protocol::Subscribed>(), 0U);
        return subscriber->error();
    }
    // Offsets of every entry in the inbox for that subscription.
    std::vector<std::uint64_t> offsets(std::uint64_t number = 1, Peer* of = nullptr) {
        std::vector<std::uint64_t> out;
        Peer& peer = of == nullptr ? *subscriber : *of;
        for (const Received& r : peer.inbox) {
            const auto* results = std::get_if<protocol::Results>(&r.message);
            if (results == nullptr || results->subscription != number) continue;
            for (const auto& entry : results->entries) out.push_back(entry.offset);
            next_offset = results->next_offset;
            if (results->gap) gaps.push_back({results->gap->from, results->gap->to});
        }
        std::erase_if(peer.inbox, [](const Received& r) {
            return std::holds_alternative<protocol::Results>(r.message);
        });
        return out;
    }
    // Time goes by, and nobody falls silent.
    void pass(Duration by) {
        for (const Time end = h.now + by; h.now < end;) {
            h.now = std::min<Time>(end, h.now + 5s);
            for (Peer* const peer : {producer, worker, subscriber}) {
                peer->post(protocol::Heartbeat{});
            }
            h.flush();
            h.tick();
        }
    }
    using Offsets = std::vector<std::uint64_t>;
    Harness h;
    Peer* producer = nullptr;
    Peer* worker = nullptr;
    Peer* subscriber = nullptr;
    std::uint64_t next_offset = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
};

}  // namespace scanmq::broker::testing
