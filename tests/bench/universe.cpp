// scanmq-universe: the same scan of a whole universe again and again: what the cache makes of it. Prints one
// JSON object; tests/bench/run_cache.sh runs it.
//
//   scanmq-universe BROKER SYMBOLS ROUNDS [drop]
//
// Stores SYMBOLS made-up chains, then in each round submits a job for each of them and four strategies, the best
// ten each, and waits for every result's bytes. The first round has to be computed by workers, which others
// start. `drop`: the broker's own cache is emptied before each round, so that a shared tier answers.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"
#include "client/cpp/subscriber.hpp"
#include "scanner/market/sample_market.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/service/codec.hpp"

namespace {

using namespace scanmq;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr const char* kQueue = "universe";
constexpr std::array kStrategies{"bull_put", "bear_call", "bull_call", "bear_put"};

[[noreturn]] void give_up(const std::string& sentence) {
    fmt::print(stderr, "scanmq-universe: {}\n", sentence);
    std::exit(1);
}

struct Round {
    double seconds = 0;
    std::uint64_t bytes = 0;
    std::uint64_t largest = 0;
    std::uint64_t cached = 0;
    std::uint64_t failed = 0;
};

class Universe {
  public:
    Universe(client::Client& client, std::size_t symbols) : client_(client) {
        const auto made = client.create_queue(kQueue, {{"pure", 1}});
        if (!made && made.error().code != protocol::ErrorCode::queue_exists) {
            give_up(made.error().sentence);
        }
        for (const char* strategy : kStrategies) {
            service::ScanRequest request;
            request.strategies = {strategy};
            request.limit = 10;
            payloads_.push_back(service::encode(request, service::Encoding::json));
        }
        market::SampleMarketOptions market;
        market.symbols = static_cast<std::uint32_t>(symbols);
        for (std::size_t i = 0; i < symbols; ++i) {
            const std::string bytes = market::encode_snapshot(market::sample_chain(market, i));
            const auto id =
                client.put_blob(bytes, protocol::BlobType::snapshot, fmt::format("U{}", i));
            if (!id) give_up(id.error().sentence);
            snapshots_.push_back(*id);
        }
    }

    Round run() {
        client::SubscriberOptions watching;
        watching.queue = kQueue;
        client::Subscriber subscriber(client_, std::move(watching));
        if (const auto active = subscriber.wait_active(seconds(10)); !active) {
            give_up(active.error().sentence);
        }
        const std::uint64_t cached = cached_so_far();
        client::Producer producer(client_, kQueue);
        const std::size_t jobs = snapshots_.size() * payloads_.size();
        Round out;
        const auto began = steady_clock::now();
        for (const std::string& payload : payloads_) {
            for (const ContentId& snapshot : snapshots_) {
                client::Job job;
                job.subject = "universe";
                job.payload = payload;
                job.inputs = snapshot.view();
                if (const auto ticket = producer.submit(job, seconds(60)); !ticket) {
                    give_up(ticket.error().sentence);
                }
            }
        }
        producer.flush();
        for (std::size_t seen = 0; seen < jobs;) {
            auto received = subscriber.receive(seconds(60));
            if (!received) give_up(received.error().sentence);
            if (!*received) give_up("results are missing");
            for (const protocol::Entry& entry : (*received)->entries()) {
                ++seen;
                out.bytes += entry.body.bytes.size();
                out.largest = std::max<std::uint64_t>(out.largest, entry.body.bytes.size());
                if (entry.outcome != protocol::FinalOutcome::done) ++out.failed;
            }
        }
        out.seconds = std::chrono::duration<double>(steady_clock::now() - began).count();
        out.cached = cached_so_far() - cached;
        return out;
    }
    [[nodiscard]] std::size_t jobs() const { return snapshots_.size() * payloads_.size(); }

  private:
    std::uint64_t cached_so_far() {
        const auto rows = client_.query("queues", kQueue);
        if (!rows || rows->empty()) give_up("the broker does not tell of its queue");
        for (const auto& [name, value] : rows->front()) {
            if (name == "cached") return std::get<std::uint64_t>(value);
        }
        return 0;
    }

    client::Client& client_;
    std::vector<std::string> payloads_;
    std::vector<ContentId> snapshots_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) give_up("usage: see the head of tests/bench/universe.cpp");
    const std::size_t symbols = std::stoull(argv[2]);
    const std::size_t rounds = std::stoull(argv[3]);
    const bool drop = argc > 4 && std::string(argv[4]) == "drop";
    auto opened = client::Client::open({.brokers = {argv[1]}, .name = "universe"});
    if (!opened) give_up(opened.error().sentence);
    client::Client& client = **opened;
    if (!client.wait_open(seconds(30))) give_up("no broker at " + std::string(argv[1]));
    Universe universe(client, symbols);
    const Round first = universe.run();
    std::vector<double> again;
    std::uint64_t cached = 0;
    std::uint64_t failed = first.failed;
    for (std::size_t i = 0; i < rounds; ++i) {
        if (drop) {
            if (const auto dropped = client.cache_drop("", {}); !dropped) {
                give_up(dropped.error().sentence);
            }
        }
        const Round round = universe.run();
        again.push_back(round.seconds);
        cached += round.cached;
        failed += round.failed;
    }
    std::sort(again.begin(), again.end());
    const auto jobs = static_cast<double>(universe.jobs());
    fmt::print(
        "{{\"jobs\":{},\"first_s\":{:.4f},\"again_median_s\":{:.4f},\"again_best_s\":{:.4f},"
        "\"hit_rate\":{:.4f},\"result_bytes_mean\":{:.0f},\"result_bytes_max\":{},\"failed\":{}}}"
        "\n",
        universe.jobs(), first.seconds, again[again.size() / 2], again.front(),
        static_cast<double>(cached) / (jobs * static_cast<double>(rounds)),
        static_cast<double>(first.bytes) / jobs, first.largest, failed);
    return 0;
}
