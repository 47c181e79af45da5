#include "broker/core/worker_caches.hpp"

namespace scanmq::broker {

using protocol::CacheFigures;

void note_worker_cache(CoreState& state, Worker& worker, const CacheFigures& figures) {
    const CacheFigures before = worker.cache.value_or(CacheFigures{});
    for (std::size_t i = 0; i < protocol::kCacheCounters; ++i) {
        const auto counter = protocol::kCacheFigures[i].second;
        // One that fell began anew.
        const std::uint64_t known = figures.*counter < before.*counter ? 0 : before.*counter;
        state.worker_caches.*counter += figures.*counter - known;
    }
    worker.cache = figures;
}

void add_cache_figures(const Worker& worker, protocol::Row& row) {
    if (!worker.cache) return;
    for (const auto& [name, value] : protocol::kCacheFigures) {
        const bool shared = name.starts_with("shared_");
        row.emplace_back((shared ? "" : "cache_") + std::string(name), *worker.cache.*value);
    }
}

protocol::Row worker_tier(const CoreState& state) {
    CacheFigures all = state.worker_caches;
    std::uint64_t workers = 0;
    for (const Session* session : state.sessions.list()) {
        if (!session->worker || !session->worker->cache) continue;
        ++workers;
        all.results += session->worker->cache->results;
        all.bytes += session->worker->cache->bytes;
    }
    protocol::Row row{{"tier", std::string("workers")}, {"workers", workers}};
    for (const auto& [name, value] : protocol::kCacheFigures) {
        row.emplace_back(std::string(name), all.*value);
    }
    return row;
}

}  // namespace scanmq::broker
