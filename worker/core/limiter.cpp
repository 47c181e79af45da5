#include "worker/core/limiter.hpp"

#include <algorithm>

#include "worker/core/concurrency_limiters.hpp"
#include "worker/core/rate_limiters.hpp"

namespace scanmq::worker {

Admission LimiterChain::check(Time now, double cost) const {
    Admission all = Admission::yes();
    for (const auto& part : parts_) {
        const Admission one = part->check(now, cost);
        if (one.allowed) continue;
        // Who waits for a release is asked again then, whatever the others said.
        if (!one.again) return one;
        all = Admission::at(all.again ? std::max(*all.again, *one.again) : *one.again);
    }
    return all;
}

void LimiterChain::take(Time now, double cost) {
    for (const auto& part : parts_) part->take(now, cost);
}

void LimiterChain::release(Time now, CallClass what, Duration latency, std::uint64_t bytes) {
    for (const auto& part : parts_) part->release(now, what, latency, bytes);
}

std::uint32_t LimiterChain::slots() const noexcept {
    std::uint32_t least = kUnlimited;
    for (const auto& part : parts_) least = std::min(least, part->slots());
    return least;
}

LimiterOptions remote_limiter_options() noexcept {
    LimiterOptions options;
    options.concurrency = ConcurrencyKind::gradient;
    return options;
}

namespace {

std::optional<std::string> mistake(const LimiterOptions& o) {
    if (o.slots_min < 1 || o.slots_max < o.slots_min) {
        return "limits of calls at once: " + std::to_string(o.slots_min) + " to " +
               std::to_string(o.slots_max) + ": the least is 1, the most at least the least";
    }
    if (o.rate == RateKind::off) return std::nullopt;
    if (!(o.rate_per_s > 0.0 && o.rate_per_s <= 1e6)) {
        return "rate of calls " + std::to_string(o.rate_per_s) +
               " per second: above 0, at most 1e6";
    }
    if (!(o.burst >= 1.0 && o.burst <= 1e6)) {
        return "burst of calls " + std::to_string(o.burst) + ": 1 to 1e6";
    }
    if (o.rate_window <= Duration{}) return "the window of the rate of calls must be above 0";
    return std::nullopt;
}

std::unique_ptr<Limiter> make_concurrency(const LimiterOptions& o) {
    switch (o.concurrency) {
        case ConcurrencyKind::aimd: {
            AimdLimit::Options aimd;
            aimd.start = o.slots_start == 0 ? aimd.start : o.slots_start;
            aimd.min = o.slots_min;
            aimd.max = o.slots_max;
            return std::make_unique<AimdLimit>(aimd);
        }
        case ConcurrencyKind::gradient: {
            GradientLimit::Options gradient;
            gradient.start = o.slots_start == 0 ? gradient.start : o.slots_start;
            gradient.min = o.slots_min;
            gradient.max = o.slots_max;
            return std::make_unique<GradientLimit>(gradient);
        }
        case ConcurrencyKind::fixed:
            break;
    }
    return std::make_unique<FixedLimit>(o.slots_max);
}

}  // namespace

Result<std::unique_ptr<Limiter>, std::string> make_limiter(const LimiterOptions& options) {
    if (auto wrong = mistake(options)) return fail(std::move(*wrong));
    std::vector<std::unique_ptr<Limiter>> parts;
    parts.push_back(make_concurrency(options));
    if (options.rate == RateKind::token_bucket) {
        parts.push_back(std::make_unique<TokenBucket>(options.rate_per_s, options.burst));
    } else if (options.rate == RateKind::sliding_window) {
        const double seconds = std::chrono::duration<double>(options.rate_window).count();
        parts.push_back(std::make_unique<SlidingWindow>(std::max(1.0, options.rate_per_s * seconds),
                                                        options.rate_window));
    }
    if (parts.size() == 1) return std::move(parts.front());
    return std::unique_ptr<Limiter>(std::make_unique<LimiterChain>(std::move(parts)));
}

std::optional<RateKind> rate_kind(std::string_view name) noexcept {
    if (name == "off") return RateKind::off;
    if (name == "token-bucket") return RateKind::token_bucket;
    if (name == "sliding-window") return RateKind::sliding_window;
    return std::nullopt;
}

std::optional<ConcurrencyKind> concurrency_kind(std::string_view name) noexcept {
    if (name == "fixed") return ConcurrencyKind::fixed;
    if (name == "aimd") return ConcurrencyKind::aimd;
    if (name == "gradient") return ConcurrencyKind::gradient;
    return std::nullopt;
}

}  // namespace scanmq::worker
