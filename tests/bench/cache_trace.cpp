// scanmq-cache-trace: hit rates of MemoryCache (S3-FIFO) against plain LRU and Belady's optimum.
//
// usage: scanmq-cache-trace [REQUESTS]
//
// A trace asks for 100,000 keys, distributed by Zipf, with scans mixed in: runs of 500 keys that are asked
// for once. Prints a table and, as its last line, the same as JSON. Exits 1 when LRU is not beaten in each.

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <list>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/rng.hpp"
#include "common/cache/memory_cache.hpp"

namespace {

using namespace scanmq;

constexpr std::uint32_t kKeys = 100'000;
constexpr std::uint32_t kScanRun = 500;

// Ranks from 0, the most popular one first.
class Zipf {
  public:
    explicit Zipf(double exponent) {
        double sum = 0;
        for (std::uint32_t rank = 1; rank <= kKeys; ++rank)
            cumulative_.push_back(sum += std::pow(rank, -exponent));
    }
    [[nodiscard]] std::uint32_t draw(Rng& rng) const {
        const double x = rng.uniform() * cumulative_.back();
        return static_cast<std::uint32_t>(
            std::upper_bound(cumulative_.begin(), cumulative_.end(), x) - cumulative_.begin());
    }

  private:
    std::vector<double> cumulative_;
};

std::vector<std::uint32_t> make_trace(double exponent, double scans, std::size_t requests) {
    Rng rng(1);
    const Zipf zipf(exponent);
    std::vector<std::uint32_t> trace;
    std::uint32_t once = kKeys;
    std::size_t scanned = 0;
    while (trace.size() < requests) {
        trace.push_back(zipf.draw(rng));
        if (static_cast<double>(scanned) >= scans * static_cast<double>(trace.size())) continue;
        for (std::uint32_t i = 0; i < kScanRun; ++i) trace.push_back(once++);
        scanned += kScanRun;
    }
    return trace;
}

double rate(std::size_t hits, const std::vector<std::uint32_t>& trace) {
    return static_cast<double>(hits) / static_cast<double>(trace.size());
}

double s3_fifo(const std::vector<std::uint32_t>& trace, std::uint32_t room) {
    cache::MemoryCache<char> cache({.bytes_max = room, .count_max = room});
    const Time now{std::chrono::hours(1)};
    for (const std::uint32_t key : trace) {
        Rng rng(key);
        ContentId id;
        for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(rng.next());
        if (cache.find(id, now) == nullptr) {
            cache.put(id, 0, 1, now, std::chrono::hours(1));
            static_cast<void>(cache.take_gone());
        }
    }
    return rate(cache.stats().hits, trace);
}

double lru(const std::vector<std::uint32_t>& trace, std::uint32_t room) {
    std::list<std::uint32_t> order;
    std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> places;
    std::size_t hits = 0;
    for (const std::uint32_t key : trace) {
        const auto found = places.find(key);
        if (found != places.end()) {
            ++hits;
            order.splice(order.begin(), order, found->second);
            continue;
        }
        if (places.size() == room) {
            places.erase(order.back());
            order.pop_back();
        }
        order.push_front(key);
        places[key] = order.begin();
    }
    return rate(hits, trace);
}

// Belady 1966: what is asked for again last, or never, goes; here also the new one itself.
double belady(const std::vector<std::uint32_t>& trace, std::uint32_t room) {
    std::vector<std::size_t> next(trace.size());
    std::unordered_map<std::uint32_t, std::size_t> seen;
    for (std::size_t i = trace.size(); i-- > 0;) {
        const auto found = seen.find(trace[i]);
        next[i] = found == seen.end() ? trace.size() + i : found->second;
        seen[trace[i]] = i;
    }
    std::set<std::size_t> uses;  // when each entry is asked for next
    std::size_t hits = 0;
    for (std::size_t i = 0; i < trace.size(); ++i) {
        hits += uses.erase(i);
        uses.insert(next[i]);
        if (uses.size() > room) uses.erase(std::prev(uses.end()));
    }
    return rate(hits, trace);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t requests = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2'000'000;
    fmt::print("| Zipf | scans | room | S3-FIFO | LRU | optimum | S3-FIFO of optimum |\n");
    fmt::print("|---|---|---|---|---|---|---|\n");
    std::string json;
    bool beaten = true;
    for (const double exponent : {0.8, 1.0, 1.2}) {
        for (const double scans : {0.2, 0.5}) {
            const auto trace = make_trace(exponent, scans, requests);
            for (const std::uint32_t percent : {1U, 5U, 10U}) {
                const std::uint32_t room = kKeys / 100 * percent;
                const double ours = s3_fifo(trace, room);
                const double theirs = lru(trace, room);
                const double best = belady(trace, room);
                beaten = beaten && ours > theirs;
                fmt::print(
                    "| {:.1f} | {:.0f} % | {} % | **{:.1f} %** | {:.1f} % | {:.1f} % | {:.0f} % "
                    "|\n",
                    exponent, 100 * scans, percent, 100 * ours, 100 * theirs, 100 * best,
                    100 * ours / best);
                json += fmt::format(
                    R"({}{{"zipf":{:.1f},"scans":{:.1f},"room":{},"s3_fifo":{:.4f},"lru":{:.4f},)"
                    R"("optimum":{:.4f}}})",
                    json.empty() ? "" : ",", exponent, scans, room, ours, theirs, best);
            }
        }
    }
    fmt::print("{{\"requests\":{},\"above_lru\":{},\"traces\":[{}]}}\n", requests, beaten, json);
    return beaten ? 0 : 1;
}
