// cache/...: what a look at the cache in memory costs.
//
// cache/find/N   finding one of N entries, in no order; cache/miss/N: one that is not there
//
// cache/put/N    putting a new entry into a cache of N that is full, with what has to leave

#include <benchmark/benchmark.h>

#include <vector>

#include "common/base/rng.hpp"
#include "common/cache/memory_cache.hpp"

namespace {

using namespace scanmq;

std::vector<ContentId> random_keys(std::size_t count, std::uint64_t seed) {
    Rng rng(seed);
    std::vector<ContentId> keys(count);
    for (ContentId& key : keys)
        for (std::uint8_t& byte : key.bytes) byte = static_cast<std::uint8_t>(rng.next());
    return keys;
}

using Cache = cache::MemoryCache<std::uint64_t>;

const Time kNow{std::chrono::hours(1)};
constexpr Duration kTtl = std::chrono::seconds(300);

void fill(Cache& cache, const std::vector<ContentId>& keys) {
    for (std::size_t i = 0; i < keys.size(); ++i) cache.put(keys[i], i, 100, kNow, kTtl);
    benchmark::DoNotOptimize(cache.take_gone());
}

void find(benchmark::State& state, bool there) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    Cache cache({.bytes_max = 1ULL << 40, .count_max = count});
    std::vector<ContentId> keys = random_keys(count, 1);
    fill(cache, keys);
    Rng rng(2);
    // In another order than they were put in, so that memory is not walked through in its own.
    for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[rng.below(i)]);
    if (!there) keys = random_keys(count, 3);
    std::size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(cache.find(keys[next], kNow));
        if (++next == keys.size()) next = 0;
    }
    state.SetItemsProcessed(state.iterations());
}

void put(benchmark::State& state) {
    const auto count = static_cast<std::uint32_t>(state.range(0));
    Cache cache({.bytes_max = 1ULL << 40, .count_max = count});
    fill(cache, random_keys(count, 1));
    const std::vector<ContentId> keys = random_keys(std::size_t{4} * count, 2);
    std::size_t next = 0;
    for (auto _ : state) {
        cache.put(keys[next], next, 100, kNow, kTtl);
        if (++next == keys.size()) next = 0;
        if (next % 1024 == 0) benchmark::DoNotOptimize(cache.take_gone());
    }
    state.SetItemsProcessed(state.iterations());
}

void sizes(benchmark::internal::Benchmark* benchmark) {
    benchmark->Arg(1000)->Arg(100'000)->Arg(1'000'000);
}

BENCHMARK_CAPTURE(find, there, true)->Name("cache/find")->Apply(sizes);
BENCHMARK_CAPTURE(find, missing, false)->Name("cache/miss")->Apply(sizes);
BENCHMARK(put)->Name("cache/put")->Apply(sizes);

}  // namespace
