#include "broker/server/cache_link.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

namespace scanmq::broker {

namespace {

Time now() { return std::chrono::steady_clock::now(); }

}  // namespace

CacheLink::CacheLink(boost::asio::io_context& loop, Make make, Duration wait, Answered answered)
    : loop_(loop), wait_(wait), answered_(std::move(answered)), work_(context_.get_executor()) {
    thread_ = std::thread([this, make = std::move(make)] {
        tier_ = make(context_);
        note_later();
        context_.run();
        tier_.reset();
    });
}

CacheLink::~CacheLink() { stop(); }

void CacheLink::stop() {
    if (!thread_.joinable()) return;
    context_.stop();
    thread_.join();
}

void CacheLink::ask(const std::vector<CacheAsk>& asks) {
    // The core gives up those that are late, and has room for others: here they may still wait.
    if (pending_keys_.load() + asks.size() > kPendingKeys) {
        dropped_ += asks.size();
        std::vector<Answer> nothing;
        nothing.reserve(asks.size());
        for (const CacheAsk& one : asks) nothing.push_back({one.look_up, std::nullopt});
        return boost::asio::post(loop_, [this, nothing = std::move(nothing)]() mutable {
            answered_(std::move(nothing));
        });
    }
    pending_keys_ += asks.size();
    std::vector<ContentId> keys;
    std::vector<std::uint64_t> look_ups;
    keys.reserve(asks.size());
    look_ups.reserve(asks.size());
    for (const CacheAsk& one : asks) {
        keys.push_back(one.fingerprint);
        look_ups.push_back(one.look_up);
    }
    const Time deadline = now() + wait_;
    boost::asio::post(context_, [this, deadline, keys = std::move(keys),
                                 look_ups = std::move(look_ups)]() mutable {
        pending_keys_ -= keys.size();
        tier_->get(std::move(keys), deadline,
                   [this, look_ups = std::move(look_ups)](cache::Tier::Values values) mutable {
                       note_hits(values);
                       std::vector<Answer> answers;
                       answers.reserve(look_ups.size());
                       for (std::size_t i = 0; i < look_ups.size(); ++i) {
                           answers.push_back({look_ups[i], std::move(values[i])});
                       }
                       boost::asio::post(loop_, [this, answers = std::move(answers)]() mutable {
                           answered_(std::move(answers));
                       });
                   });
    });
}

void CacheLink::keep(std::vector<cache::TierPut> items) {
    std::uint64_t bytes = 0;
    for (const cache::TierPut& item : items) bytes += item.value.body->size();
    if (pending_bytes_.load() + bytes > kPendingBytes) {
        dropped_ += items.size();
        return;
    }
    pending_bytes_ += bytes;
    const Time deadline = now() + wait_;
    boost::asio::post(context_, [this, deadline, bytes, items = std::move(items)]() mutable {
        pending_bytes_ -= bytes;
        tier_->put(std::move(items), deadline);
    });
}

void CacheLink::drop(std::vector<ContentId> keys) {
    const Time deadline = now() + wait_;
    boost::asio::post(context_, [this, deadline, keys = std::move(keys)]() mutable {
        tier_->erase(std::move(keys), deadline);
    });
}

// Whether anything is asked or not: that a password is wrong shows without a job.
void CacheLink::note_later() {
    note_stats();
    note_timer_.expires_after(kNoteEvery);
    note_timer_.async_wait([this](const boost::system::error_code& ended) {
        if (!ended) note_later();
    });
}

void CacheLink::note_stats() {
    const cache::TierStats stats = tier_->stats();
    const std::lock_guard lock(mutex_);
    stats_ = stats;
    noted_hit_age_ms_ = static_cast<std::uint64_t>(mean_hit_age_ms_);
    noted_hit_bytes_ = hit_bytes_;
}

void CacheLink::note_hits(const cache::Tier::Values& values) {
    const WallMillis wall = SystemClock().wall_millis();
    for (const auto& value : values) {
        if (!value) continue;
        const WallMillis age = std::max<WallMillis>(wall - value->made, 0);
        mean_hit_age_ms_ += (static_cast<double>(age) - mean_hit_age_ms_) / 32;
        hit_bytes_ += value->body->size();
    }
}

std::vector<BrokerCore::Gauge> CacheLink::rows() const {
    const std::lock_guard lock(mutex_);
    return {{"asked", stats_.gets},
            {"hits", stats_.hits},
            {"misses", stats_.misses},
            {"kept", stats_.puts},
            {"dropped", stats_.erases},
            {"timeouts", stats_.timeouts},
            {"late", stats_.late},
            {"errors", stats_.errors + stats_.put_errors},
            {"unreadable", stats_.unreadable},
            {"overflow", stats_.overflow + dropped_},
            {"held", stats_.held},
            {"too_large", stats_.rejected},
            {"connects", stats_.connects},
            {"refused", stats_.refused},
            {"breaker_opened", stats_.breaker_opened},
            {"waiting", stats_.waiting},
            {"hit_age_ms", noted_hit_age_ms_},
            {"hit_bytes", noted_hit_bytes_},
            {"coalesced", stats_.coalesced},
            {"negative", stats_.negative},
            {"connected", stats_.connected ? 1U : 0U},
            {"breaker_open", stats_.breaker_open ? 1U : 0U}};
}

}  // namespace scanmq::broker
