#include "broker/core/result_cache.hpp"

#include <algorithm>
#include <vector>

namespace scanmq::broker {

namespace {

// Of all bytes, so much is for requests.
constexpr std::uint64_t kRequestPart = 8;

std::uint32_t count_of(std::uint64_t bytes, std::uint64_t each) {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes / each, 1, 1U << 28));
}

}  // namespace

ResultCache::ResultCache(const Options& options, Bodies& bodies)
    : options_(options),
      bodies_(&bodies),
      results_({options.bytes_max - options.bytes_max / kRequestPart,
                count_of(options.bytes_max, kOverheadBytes), 0.1, options.seed}),
      requests_({options.bytes_max / kRequestPart,
                 count_of(options.bytes_max / kRequestPart, kRequestBytes), 0.0, options.seed}) {}

void ResultCache::release_gone(Time now, Effects& effects) {
    for (const CachedResult& gone : results_.take_gone()) {
        bodies_->release(gone.body, gone.body_is_blob, now, effects);
    }
}

CachedResult* ResultCache::find(const ContentId& fingerprint, const StreamPlace& stream, Time now,
                                Effects& effects) {
    CachedResult* found = results_.find(fingerprint, now);
    if (found != nullptr && (found->partition != stream.partition ||
                             (!options_.bodies_stay && found->offset < stream.first))) {
        ++unreadable_;
        results_.erase(fingerprint);
        found = nullptr;
    }
    release_gone(now, effects);
    return found;
}

void ResultCache::keep(const ContentId& fingerprint, const CachedResult& result,
                       std::uint64_t bytes, Duration ttl, Time now, Effects& effects) {
    bodies_->share(result.body);
    results_.put(fingerprint, result, bytes + kOverheadBytes, now, ttl);
    release_gone(now, effects);
}

void ResultCache::note_newest(const ContentId& request, const ContentId& fingerprint,
                              std::uint64_t execution, Duration keep, Time now) {
    const Newest* const known = requests_.peek(request, now);
    // One that was accepted before may have ended later.
    if (known != nullptr && known->execution > execution) return;
    requests_.put(request, {fingerprint, execution}, kRequestBytes, now, keep);
    (void)requests_.take_gone();  // they hold nothing
}

std::optional<ContentId> ResultCache::newest(const ContentId& request, Time now) {
    const Newest* const found = requests_.find(request, now);
    std::optional<ContentId> out;
    if (found != nullptr) out = found->fingerprint;
    (void)requests_.take_gone();  // they hold nothing
    return out;
}

std::size_t ResultCache::drop(const ContentId& fingerprint, Time now, Effects& effects) {
    const bool there = results_.peek(fingerprint, now) != nullptr;
    results_.erase(fingerprint);
    release_gone(now, effects);
    return there ? 1 : 0;
}

std::size_t ResultCache::drop_all(PartitionId partition, Time now, Effects& effects) {
    std::vector<ContentId> all;
    results_.for_each([&](const ContentId& key, const CachedResult& result, std::uint64_t, Time) {
        if (result.partition == partition) all.push_back(key);
    });
    for (const ContentId& key : all) results_.erase(key);
    release_gone(now, effects);
    return all.size();
}

std::size_t ResultCache::drop_all(Time now, Effects& effects) {
    const std::size_t all = results_.stats().count;
    results_.clear();
    requests_.clear();
    release_gone(now, effects);
    (void)requests_.take_gone();  // they hold nothing
    return all;
}

void ResultCache::expire(Time now, std::size_t budget, Effects& effects) {
    results_.expire(now, budget);
    requests_.expire(now, budget);
    release_gone(now, effects);
    (void)requests_.take_gone();  // they hold nothing
}

}  // namespace scanmq::broker
