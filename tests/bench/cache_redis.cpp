// scanmq-cache-redis: hits a second through RedisTier, on loopback, with a redis-server of its own.
//
// usage: scanmq-cache-redis [SECONDS [BATCHES [WAIT_MS]]]
//
// 20,000 values of 300 bytes; BATCHES (4) gets of 256 keys are under way at a time, each waited for WAIT_MS
// (10,000). Prints JSON. Exit code 1: a value was not found though there was all the time, or the breaker opened.

#include <fmt/core.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "common/base/rng.hpp"
#include "common/cache/redis/redis_tier.hpp"
#include "tests/support/redis_server.hpp"

namespace {

using namespace scanmq;
using std::chrono::seconds;

constexpr std::size_t kValues = 20'000;
constexpr std::size_t kBatch = 256;
constexpr std::size_t kBytes = 300;

Time now() { return std::chrono::steady_clock::now(); }

class Bench {
  public:
    Bench(boost::asio::io_context& io, cache::RedisTier& tier, Duration wait)
        : io_(io), tier_(tier), wait_(wait), rng_(1) {
        for (std::size_t i = 0; i < kValues; ++i) keys_.push_back(content_id(std::to_string(i)));
    }
    double fill() {
        while (!tier_.ready()) io_.run_one();
        const auto body = std::make_shared<const std::string>(kBytes, 'x');
        const Time begin = now();
        for (std::size_t i = 0; i < kValues; i += kBatch) {
            std::vector<cache::TierPut> items;
            for (std::size_t k = i; k < std::min(kValues, i + kBatch); ++k)
                items.push_back({keys_[k], {body, 0}, seconds(300)});
            tier_.put(std::move(items), now() + seconds(10));
            io_.poll();
        }
        // A get is answered after what was put before it.
        bool done = false;
        tier_.get({keys_[0]}, now() + seconds(10), [&](const auto&) { done = true; });
        while (!done) io_.run_one();
        return static_cast<double>(kValues) / std::chrono::duration<double>(now() - begin).count();
    }
    double run(Duration how_long, int batches) {
        const Time begin = now();
        end_ = begin + how_long;
        for (int i = 0; i < batches; ++i) ask();
        while (under_way_ > 0) io_.run_one();
        return static_cast<double>(hits_) / std::chrono::duration<double>(now() - begin).count();
    }

  private:
    void ask() {
        std::vector<ContentId> keys;
        for (std::size_t i = 0; i < kBatch; ++i) keys.push_back(keys_[rng_.below(kValues)]);
        ++under_way_;
        tier_.get(std::move(keys), now() + wait_, [this](const cache::Tier::Values& values) {
            for (const auto& value : values) hits_ += value ? 1 : 0;
            // Not from within get(), which answers at once what it does not ask for.
            boost::asio::post(io_, [this] {
                --under_way_;
                if (now() < end_) ask();
            });
        });
    }

    boost::asio::io_context& io_;
    cache::RedisTier& tier_;
    Duration wait_;
    Rng rng_;
    std::vector<ContentId> keys_;
    Time end_{};
    std::uint64_t hits_ = 0;
    int under_way_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const int duration = argc > 1 ? std::atoi(argv[1]) : 5;
    const int batches = argc > 2 ? std::atoi(argv[2]) : 4;
    const int wait_ms = argc > 3 ? std::atoi(argv[3]) : 10'000;
    tests::RedisServer server;
    boost::asio::io_context io(1);
    cache::RedisTierOptions options;
    options.url = *cache::parse_redis_url(server.url());
    options.timeout = std::chrono::milliseconds(wait_ms);
    cache::RedisTier tier(io, options);
    Bench bench(io, tier, options.timeout);
    const double puts = bench.fill();
    const double hits = bench.run(seconds(duration), batches);
    const cache::TierStats stats = tier.stats();
    fmt::print(R"({{"hits_per_second":{:.0f},"puts_per_second":{:.0f},"batch":{},"bytes":{},)"
               R"("batches_under_way":{},"wait_ms":{},"misses":{},"overflow":{},"timeouts":{},)"
               R"("held":{},"breaker_opened":{}}})"
               "\n",
               hits, puts, kBatch, kBytes, batches, wait_ms, stats.misses, stats.overflow,
               stats.timeouts, stats.held, stats.breaker_opened);
    const bool found = argc > 3 || stats.misses == 0;
    return found && stats.breaker_opened == 0 ? 0 : 1;
}
