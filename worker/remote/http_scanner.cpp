#include "worker/remote/http_scanner.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/base/assert.hpp"
#include "worker/remote/version_wait.hpp"

namespace scanmq::worker {

namespace {

constexpr std::uint32_t kSlotsMax = 4096;
// Beside its calls, a target is asked for its health and given snapshots.
constexpr std::uint32_t kSpareConnections = 8;

int rank(GateMode mode) {
    switch (mode) {
        case GateMode::open:
            return 0;
        case GateMode::trial:
            return 1;
        case GateMode::hold:
            return 2;
        case GateMode::shut:
            break;
    }
    return 3;
}

// A target on trial takes its few calls as well as any: without them it would never be trusted again.
int rank_for_call(const GateEvent& gate, std::size_t held) {
    return gate.mode == GateMode::trial && held < gate.slots ? rank(GateMode::open)
                                                             : rank(gate.mode);
}

}  // namespace

Result<std::unique_ptr<HttpScanner>, std::string> HttpScanner::create(Options options) {
    if (options.endpoints.empty()) return fail(std::string("no scanner's URL was given"));
    std::vector<std::string> urls;
    for (const http::Endpoint& endpoint : options.endpoints) urls.push_back(endpoint.url());
    std::sort(urls.begin(), urls.end());
    if (const auto twice = std::adjacent_find(urls.begin(), urls.end()); twice != urls.end()) {
        return fail("the scanner " + *twice + " was given twice");
    }
    if (auto made = make_limiter(options.target.limiter); !made) return fail(made.error());
    if (options.shared) {
        if (auto made = make_limiter(*options.shared); !made) return fail(made.error());
    }
    return std::unique_ptr<HttpScanner>(new HttpScanner(std::move(options)));
}

HttpScanner::HttpScanner(Options options)
    : options_(std::move(options)), version_(options_.version) {
    const std::uint64_t all =
        std::uint64_t{options_.target.limiter.slots_max} * std::uint64_t{options_.endpoints.size()};
    slots_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(all, kSlotsMax));
    if (options_.shared) {
        slots_ = std::min(slots_, options_.shared->slots_max);
        shared_ = make_limiter(*options_.shared).value();
    }
}

bool HttpScanner::find_version() {
    if (!version_.empty()) return true;
    VersionWait wait;
    wait.endpoints = options_.endpoints;
    wait.client = options_.target.client;
    auto found = wait_for_version(wait);
    if (!found) return false;
    version_ = std::move(*found);
    return true;
}

void HttpScanner::attach(const Host& host) {
    host_ = host;
    for (const http::Endpoint& endpoint : options_.endpoints) {
        RemoteTarget::Options target = options_.target;
        target.endpoint = endpoint;
        target.remote.target = endpoint.url();
        target.remote.seed = Rng::random_seed();
        target.version = version_;
        target.client.connections_max = target.limiter.slots_max + kSpareConnections;
        RemoteTarget::Hooks hooks;
        hooks.finished = [this](AttemptId attempt) { on_finished(attempt); };
        hooks.changed = [this](RemoteTarget&) { on_changed(); };
        if (shared_ != nullptr) hooks.released = [this] { tick_all(); };
        targets_.push_back(
            std::make_unique<RemoteTarget>(*host_.loop, target, shared_.get(), std::move(hooks)));
    }
    for (const auto& target : targets_) target->tick();  // so that each says what it takes
    on_changed();
}

void HttpScanner::start(const Call& call) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(calls_.size());
        calls_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    Slot& held = calls_[slot];
    RemoteTarget& target = pick();
    held.call = call.id;
    held.target = &target;
    ++held.generation;
    by_call_.emplace(call.id.value, slot);
    CallRequest request;
    request.attempt = {slot, held.generation};
    request.job = call.task->job;
    if (call.task->deadline) request.deadline = *call.task->deadline;
    target.submit(request, *call.task, *call.outcome);
}

// The least loaded of those that take most; in turn, of equals.
RemoteTarget& HttpScanner::pick() {
    std::size_t best = 0;
    int best_rank = 0;
    double best_load = 0.0;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
        const std::size_t index = (next_ + i) % targets_.size();
        const GateEvent gate = targets_[index]->gate();
        const double load = static_cast<double>(targets_[index]->held()) / std::max(1U, gate.slots);
        const int level = rank_for_call(gate, targets_[index]->held());
        if (i == 0 || level < best_rank || (level == best_rank && load < best_load)) {
            best = index;
            best_rank = level;
            best_load = load;
        }
    }
    next_ = (best + 1) % targets_.size();
    return *targets_[best];
}

void HttpScanner::cancel(CallId call) {
    const auto found = by_call_.find(call.value);
    if (found == by_call_.end()) return;
    const Slot& held = calls_[found->second];
    held.target->cancel({found->second, held.generation});
}

void HttpScanner::on_finished(AttemptId attempt) {
    Slot& held = calls_[attempt.slot];
    SCANMQ_ASSERT(held.target != nullptr && held.generation == attempt.generation);
    const CallId call = held.call;
    held.target = nullptr;
    by_call_.erase(call.value);
    free_.push_back(attempt.slot);
    host_.finished(call);
}

Availability HttpScanner::availability() const {
    Availability out;
    GateMode best = GateMode::shut;
    std::uint64_t slots = 0;
    for (const auto& target : targets_) {
        const GateEvent gate = target->gate();
        if (rank(gate.mode) < rank(best)) best = gate.mode;
        if (rank(gate.mode) <= rank(GateMode::trial)) slots += gate.slots;
        if (gate.mode == GateMode::shut) {
            out.sentence = gate.reason;
            out.code = gate.code;
        }
    }
    if (renewing_) best = GateMode::shut;
    out.open = best != GateMode::shut;
    out.trial = best == GateMode::trial;
    if (best == GateMode::open || best == GateMode::trial) {
        out.slots = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(slots, 1, slots_));
    }
    if (out.open) out.sentence.clear();
    return out;
}

void HttpScanner::on_changed() {
    std::string other;
    for (const auto& target : targets_) {
        if (target->foreign_version().empty()) {
            other.clear();
            break;
        }
        if (other.empty()) other = target->foreign_version();
    }
    const bool renew = !other.empty() && !renewing_;
    if (renew) renewing_ = true;
    Availability now = availability();
    if (!told_ || !(now == told_last_)) {
        told_ = true;
        told_last_ = now;
        host_.availability(std::move(now));
    }
    if (!renew) return;
    version_ = other;
    spdlog::warn("the scanners are version {} now: a new session is begun under it", version_);
    host_.renew();
}

void HttpScanner::renewed() {
    renewing_ = false;
    for (const auto& target : targets_) target->expect(version_);
    on_changed();
}

// A place of the shared limiter became free.
void HttpScanner::tick_all() {
    again_ = true;
    if (ticking_) return;
    ticking_ = true;
    while (std::exchange(again_, false)) {
        for (const auto& target : targets_) target->tick();
    }
    ticking_ = false;
}

bool HttpScanner::stop(Duration) {
    for (const auto& target : targets_) {
        const RemoteCounters& calls = target->calls().counters();
        const http::ClientStats& http = target->http_stats();
        spdlog::info(
            "{}: {} calls, {} ok, {} retries, {} returned; {} timeouts, {} throttled, {} errors, "
            "{} "
            "unreachable, {} unreadable; breaker opened {} times; {} connections, {} snapshots put",
            target->url(), calls.submitted, calls.ok, calls.retries, calls.returned, calls.timeouts,
            calls.throttled, calls.errors, calls.connection_failures, calls.bad_responses,
            target->calls().breaker().opened(), http.connections, target->puts().puts());
    }
    targets_.clear();
    return true;
}

}  // namespace scanmq::worker
