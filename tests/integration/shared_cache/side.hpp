#pragma once
// Side: a broker that shares a tier with others, its worker, and a client of it.

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "tests/support/in_process.hpp"
#include "tests/support/rows.hpp"

namespace scanmq::tests {

using namespace std::chrono_literals;

// A broker with a worker, and a client of it.
class Side {
  public:
    // connects: whether its tier lets it in.
    explicit Side(const std::string& cache, Duration wait = 20ms, bool connects = true)
        : broker_(options(cache, wait)),
          worker_(broker_.endpoint()),
          client_(make(broker_.endpoint())) {
        client::SubscriberOptions reading;
        reading.queue = "scans";
        subscriber_ = std::make_unique<client::Subscriber>(*client_, reading);
        EXPECT_TRUE(subscriber_->wait_active(kPatience).ok());
        producer_ = std::make_unique<client::Producer>(*client_, "scans");
        // Without a worker the queue has no scanner version, and keeps nothing.
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (row("queues", "scans", "scanner_version").empty()) {
            if (std::chrono::steady_clock::now() > until) {
                ADD_FAILURE() << "the queue has no scanner version: no worker says HELLO";
                return;
            }
            client_->poll(5ms);
        }
        if (connects && cache.find("://") != std::string::npos) connect();
    }
    // Submits jobs with these payloads and waits for their results.
    std::map<std::string, int> run(const std::vector<std::string>& payloads) {
        submit(payloads);
        return results(payloads.size());
    }
    void submit(const std::vector<std::string>& payloads) {
        for (const std::string& payload : payloads) {
            client::Job job;
            job.subject = "a.b";
            job.payload = payload;
            EXPECT_TRUE(producer_->submit(job).ok());
        }
        producer_->flush();
    }
    std::map<std::string, int> results(std::size_t count) {
        std::map<std::string, int> results;
        for (std::size_t seen = 0; seen < count;) {
            auto received = subscriber_->receive(kPatience);
            if (!received.ok() || !*received) {
                ADD_FAILURE() << "results are missing";
                break;
            }
            for (const protocol::Entry& entry : (*received)->entries()) {
                EXPECT_EQ(entry.outcome, protocol::FinalOutcome::done) << entry.sentence;
                ++results[std::string(entry.body.bytes)];
                ++seen;
            }
        }
        return results;
    }
    std::string run(const std::string& payload) {
        const auto results = run(std::vector{payload});
        return results.empty() ? "" : results.begin()->first;
    }
    [[nodiscard]] std::uint64_t cached() { return figure_of("queues", "scans", "cached"); }
    [[nodiscard]] std::uint64_t attempts() { return counter("attempts_started"); }
    [[nodiscard]] std::uint64_t counter(const std::string& name) {
        const auto rows = client_->query("counters");
        if (rows) {
            for (const protocol::Row& one : *rows) {
                if (one[0].second == protocol::Value(name))
                    return std::get<std::uint64_t>(one[1].second);
            }
        }
        ADD_FAILURE() << "the broker tells no counter " << name;
        return 0;
    }
    void forget_own() { EXPECT_TRUE(client_->cache_drop("", {}).ok()); }
    // By their fingerprints, all that the broker keeps.
    void drop_named() {
        const std::vector<ContentId> keys = kept();
        EXPECT_FALSE(keys.empty());
        EXPECT_TRUE(client_->cache_drop("scans", keys).ok());
    }
    // The fingerprints of what the broker itself keeps.
    std::vector<ContentId> kept() {
        std::vector<ContentId> keys;
        const auto rows = client_->query("cached", "scans");
        if (!rows) {
            ADD_FAILURE() << "the broker does not tell what it keeps";
            return keys;
        }
        for (const protocol::Row& one : *rows) {
            keys.push_back(*ContentId::parse_hex(std::get<std::string>(one[0].second)));
        }
        return keys;
    }
    [[nodiscard]] const std::string& endpoint() const { return broker_.endpoint(); }
    std::string row(const std::string& topic, const std::string& key, const std::string& column,
                    std::size_t index = 0) {
        const auto rows = client_->query(topic, key);
        if (!rows || rows->size() <= index) return {};
        return tests::column((*rows)[index], column).value_or("");
    }
    std::uint64_t figure_of(const std::string& topic, const std::string& key,
                            const std::string& column, std::size_t index = 0) {
        const auto rows = client_->query(topic, key);
        if (rows && rows->size() > index) {
            if (const auto found = figure((*rows)[index], column)) return *found;
        }
        ADD_FAILURE() << "no figure " << column << " in row " << index << " of " << topic;
        return 0;
    }
    // Until the shared tier's row says so; its figures are a moment old.
    void wait_for_row(const std::string& column, const std::string& wanted) {
        wait_for("cache", column, wanted, 1);
    }
    void wait_for(const std::string& topic, const std::string& column, const std::string& wanted,
                  std::size_t index = 0) {
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (row(topic, "", column, index) != wanted) {
            ASSERT_LT(std::chrono::steady_clock::now(), until)
                << column << " is " << row(topic, "", column, index);
        }
    }
    // Until it is so much at least.
    void wait_for_figure(const std::string& column, std::uint64_t wanted) {
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (figure_of("cache", "", column, 1) < wanted) {
            ASSERT_LT(std::chrono::steady_clock::now(), until)
                << column << " is " << row("cache", "", column, 1);
        }
    }

  private:
    // Until the broker has a connection to the shared tier.
    void connect() {
        const auto until = std::chrono::steady_clock::now() + kPatience;
        while (figure_of("cache", "", "connects", 1) == 0) {
            if (std::chrono::steady_clock::now() > until) {
                ADD_FAILURE() << "the broker has no connection to the shared tier";
                return;
            }
            run("a job that makes it try " + std::to_string(++tries_));
        }
    }
    static broker::ServerOptions options(const std::string& cache, Duration wait) {
        broker::ServerOptions out;
        out.cache = cache;
        out.core.cache_wait = wait;
        out.queues = {"scans,pure=1"};
        return out;
    }
    Broker broker_;
    Worker worker_;
    std::unique_ptr<client::Client> client_;
    std::unique_ptr<client::Subscriber> subscriber_;
    std::unique_ptr<client::Producer> producer_;
    int tries_ = 0;
};

// Long enough that a busy machine answers in time; what is not answered is waited for that long.
inline constexpr Duration kLong = 5s;

inline std::vector<std::string> payloads(const std::string& name, int count) {
    std::vector<std::string> out;
    for (int i = 0; i < count; ++i) out.push_back(name + " " + std::to_string(i));
    return out;
}

// Until the tier keeps so many results: puts are not answered.
template <class Server>
void wait_for_keys(const Server& server, std::uint64_t count) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
        if (server.keys() >= count) return;
    }
    ADD_FAILURE() << "the tier keeps fewer than " << count << " results";
}

}  // namespace scanmq::tests
