#include "broker/server/cache_link.hpp"

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
        tier_->get(std::move(keys), deadline,
                   [this, look_ups = std::move(look_ups)](cache::Tier::Values values) mutable {
                       std::vector<Answer> answers;
                       answers.reserve(look_ups.size());
                       for (std::size_t i = 0; i < look_ups.size(); ++i) {
                           answers.push_back({look_ups[i], std::move(values[i])});
                       }
                       note_stats();
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
        note_stats();
    });
}

void CacheLink::drop(std::vector<ContentId> keys) {
    const Time deadline = now() + wait_;
    boost::asio::post(context_, [this, deadline, keys = std::move(keys)]() mutable {
        tier_->erase(std::move(keys), deadline);
    });
}

void CacheLink::note_stats() {
    const cache::TierStats stats = tier_->stats();
    const std::lock_guard lock(mutex_);
    stats_ = stats;
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
            {"waiting", stats_.waiting}};
}

}  // namespace scanmq::broker
