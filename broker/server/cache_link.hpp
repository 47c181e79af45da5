#pragma once
// CacheLink: the tier that brokers share, asked on a thread of its own.
//
// Role:      owned by the broker's loop; carries the core's asks, keeps and drops to a cache::Tier and
//            its answers back.
// Threads:   every function on the broker's loop; the tier lives on the thread.
// Limits:    kPendingBytes of values on their way to the thread; beyond, values are not kept, and counted.
//            kPendingKeys of asks; beyond, they are answered with nothing at once, and counted (`overflow`).

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "broker/core/broker_core.hpp"
#include "common/cache/tier.hpp"

namespace scanmq::broker {

class CacheLink {
  public:
    static constexpr std::uint64_t kPendingBytes = 32ULL << 20;
    static constexpr std::size_t kPendingKeys = 65'536;
    static constexpr Duration kNoteEvery = std::chrono::milliseconds(250);

    struct Answer {
        std::uint64_t look_up{};
        std::optional<cache::TierValue> value;
    };
    // Makes the tier, on its thread.
    using Make = std::function<std::unique_ptr<cache::Tier>(boost::asio::io_context&)>;
    using Answered = std::function<void(std::vector<Answer>)>;

    // `answered` is called on the loop.
    CacheLink(boost::asio::io_context& loop, Make make, Duration wait, Answered answered);
    ~CacheLink();
    CacheLink(const CacheLink&) = delete;
    CacheLink& operator=(const CacheLink&) = delete;

    void ask(const std::vector<CacheAsk>& asks);
    void keep(std::vector<cache::TierPut> items);
    void drop(std::vector<ContentId> keys);
    // Ends the thread; nothing is answered any more.
    void stop();

    // The tier's figures as of kNoteEvery ago at most, by name (topic `cache`).
    [[nodiscard]] std::vector<BrokerCore::Gauge> rows() const;

  private:
    void note_stats();
    void note_later();
    void note_hits(const cache::Tier::Values& values);

    boost::asio::io_context& loop_;
    const Duration wait_;
    Answered answered_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::unique_ptr<cache::Tier> tier_;  // the thread's
    boost::asio::steady_timer note_timer_{context_};
    double mean_hit_age_ms_ = 0;   // the thread's, as of the newest hits
    std::uint64_t hit_bytes_ = 0;  // the thread's
    std::atomic<std::uint64_t> pending_bytes_{0};
    std::atomic<std::size_t> pending_keys_{0};
    std::uint64_t dropped_ = 0;
    mutable std::mutex mutex_;
    // Guarded by mutex_: kNoteEvery old at most.
    cache::TierStats stats_;
    std::uint64_t noted_hit_age_ms_ = 0;
    std::uint64_t noted_hit_bytes_ = 0;
    std::thread thread_;
};

}  // namespace scanmq::broker
