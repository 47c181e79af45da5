#include "worker/server/known_results.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "client/cache/shared_tier.hpp"
#include "common/base/rng.hpp"

namespace scanmq::worker {

namespace {

constexpr std::uint32_t kCountMax = 1U << 20;  // results in memory
constexpr std::size_t kExpireSlice = 8;        // looked at with each that is kept

client::SharedTierOptions tier_options(const ResultCacheOptions& options, const std::string& name) {
    client::SharedTierOptions out;
    out.where = options.where;
    out.prefix = options.prefix;
    out.wait = options.wait;
    out.seed = Rng::random_seed();
    out.name = name;
    out.agent = "scanmq-worker";
    Rng rng(out.seed);
    out.instance = random_id(rng);
    out.writes = false;
    out.log = [](const std::string& sentence) { spdlog::warn("cache: {}", sentence); };
    return out;
}

}  // namespace

KnownResults::KnownResults(boost::asio::io_context& loop, const std::string& name,
                           const ResultCacheOptions& options, Answered answered)
    : wait_(options.wait),
      answered_(std::move(answered)),
      memory_({.bytes_max = options.bytes_max, .count_max = kCountMax, .seed = Rng::random_seed()},
              clock_) {
    if (!client::is_shared(options.where)) return;
    shared_ = client::make_shared_tier(loop, tier_options(options, name));
    tiered_.emplace(cache::TieredCacheOptions{.fill_ttl = kKeepFor}, memory_, *shared_, clock_);
}

void KnownResults::ask(std::span<const Ask> asks, Time now) {
    const Time latest = now + wait_;
    std::vector<LookUps::Ask> waiting;
    std::vector<ContentId> keys;
    waiting.reserve(asks.size());
    keys.reserve(asks.size());
    for (const Ask& ask : asks) {
        const Time deadline = ask.deadline == Time{} ? latest : std::min(latest, ask.deadline);
        waiting.push_back({ask.attempt, deadline});
        keys.push_back(ask.fingerprint);
        if (ask.attempt.slot >= keep_for_.size()) keep_for_.resize(ask.attempt.slot + 1);
        keep_for_[ask.attempt.slot] = ask.keep_for;
    }
    counters_.asked += asks.size();
    const std::uint64_t batch = look_ups_.begin(waiting);
    cache::Tier& tier = tiered_ ? static_cast<cache::Tier&>(*tiered_) : memory_;
    tier.get(std::move(keys), latest,
             [this, batch](cache::Tier::Values values) { on_values(batch, std::move(values)); });
}

void KnownResults::on_values(std::uint64_t batch, cache::Tier::Values values) {
    std::vector<Found> found;
    std::size_t hits = 0;
    for (const LookUps::Waiting& waiting : look_ups_.answer(batch)) {
        Found& one = found.emplace_back(Found{waiting.attempt, nullptr});
        if (waiting.place >= values.size() || !values[waiting.place]) continue;
        const WallMillis made = values[waiting.place]->made;
        const Duration age =
            std::chrono::milliseconds(std::max<WallMillis>(clock_.wall_millis() - made, 0));
        const Duration most = keep_for_[waiting.attempt.slot];
        if (most > Duration{} && age >= most) continue;
        one.age = age;
        one.body = std::move(values[waiting.place]->body);
        ++hits;
    }
    counters_.hits += hits;
    counters_.misses += found.size() - hits;
    spdlog::debug("cache: {} results found, {} not", hits, found.size() - hits);
    if (!found.empty()) answered_(found);
}

bool KnownResults::forget(AttemptId attempt) {
    if (!look_ups_.forget(attempt)) return false;
    ++counters_.forgotten;
    return true;
}

// Only into memory: the broker that takes the answer puts it into the shared tier.
void KnownResults::keep(const ContentId& fingerprint, ByteView body, Duration keep_for) {
    cache::TierValue value{std::make_shared<const std::string>(body), clock_.wall_millis()};
    std::vector<cache::TierPut> items;
    const Duration ttl = keep_for > Duration{} ? std::min(keep_for, kKeepFor) : kKeepFor;
    items.push_back({fingerprint, std::move(value), ttl});
    memory_.put(std::move(items), {});
    static_cast<void>(memory_.expire(kExpireSlice));
    ++counters_.kept;
}

void KnownResults::tick(Time now) {
    if (tiered_) tiered_->tick(now);
    std::vector<Found> late;
    for (const AttemptId attempt : look_ups_.overdue(now)) late.push_back({attempt, nullptr, {}});
    counters_.misses += late.size();
    counters_.late += late.size();
    if (!late.empty()) answered_(late);
}

std::optional<Time> KnownResults::next_deadline() const {
    std::optional<Time> due = look_ups_.next_deadline();
    if (!tiered_) return due;
    const auto tiers = tiered_->next_deadline();
    if (tiers && (!due || *tiers < *due)) due = tiers;
    return due;
}

protocol::CacheFigures KnownResults::figures() const {
    const cache::TierStats memory = memory_.stats();
    protocol::CacheFigures out;
    out.hits = memory.hits;
    out.misses = memory.misses;
    out.evicted = memory.evicted;
    out.results = memory.count;
    out.bytes = memory.bytes;
    if (!shared_) return out;
    const cache::TierStats shared = shared_->stats();
    out.shared_hits = shared.hits;
    out.shared_misses = shared.misses;
    out.shared_timeouts = shared.timeouts;
    return out;
}

}  // namespace scanmq::worker
