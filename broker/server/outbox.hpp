#pragma once
// Outbox: what goes out on one ROUTER, with a bounded queue for each peer that cannot take it now.
//
// Role:      the fast path is a plain send; a queue exists only while a peer is behind, or while
//            frames wait for a commit to be durable. Order per peer is kept.
// Threads:   broker loop only. Borrows: Router.
// Limits:    bytes_per_peer, and bytes_max for all: beyond that the longest queue's peer is the one. A
//            peer over it gets a BYE as the only thing left for it, and is muted until that could be
//            sent; its session is lost. From a quarter of bytes_per_peer on a peer is slow: the core
//            sends it no more results and deliveries, so that those that keep to their credit never
//            come to the limit.

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/events.hpp"
#include "broker/store/commit_log.hpp"
#include "common/transport/router.hpp"

namespace scanmq::broker {

class Outbox {
  public:
    explicit Outbox(transport::Router& router, std::uint64_t bytes_per_peer,
                    std::uint64_t bytes_max = ~std::uint64_t{0})
        : router_(router), bytes_per_peer_(bytes_per_peer), bytes_max_(bytes_max) {}

    // Sends, or queues. Goes out once `needs` is durable (flush()); 0: at once. `header` is the frame's.
    void send(std::uint32_t to, const protocol::Header& header, ByteView frame,
              LogPosition needs = 0);
    // Tries what is queued. True: something went out.
    bool flush();
    void set_durable(LogPosition position) noexcept { durable_ = position; }

    // When to try again: soon while peers read, ever later while they do not.
    [[nodiscard]] Duration retry_in() const noexcept { return retry_in_; }

    // Some peer could not take what is due to it: nothing but another try tells when it can.
    [[nodiscard]] bool stuck() const noexcept { return stuck_; }
    // Something is queued.
    [[nodiscard]] bool behind() const noexcept { return !queues_.empty(); }
    [[nodiscard]] bool behind(std::uint32_t peer) const { return queues_.contains(peer); }
    // Its session was given up for being too slow, and it has not yet read so much as the BYE.
    [[nodiscard]] bool muted(std::uint32_t peer) const;
    // Peers that are gone or were given up since the last call.
    [[nodiscard]] std::vector<std::uint32_t> take_lost();
    // Peers that became slow, or are so no longer, since the last call.
    struct Slow {
        std::uint32_t peer{};
        bool slow{};
    };
    [[nodiscard]] std::vector<Slow> take_slow();

    struct Counts {
        std::uint64_t frames{}, bytes{}, queued{}, unreachable{}, overflows{}, slow{};
    };
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
    [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return queued_bytes_; }

  private:
    static constexpr Duration kRetryMin = std::chrono::milliseconds(1);
    // A peer that took nothing for so long makes room for the others, when they need it.
    static constexpr Duration kDeafAfter = std::chrono::seconds(2);
    static constexpr Duration kRetryMax = std::chrono::milliseconds(50);

    struct Waiting {
        std::string frame;
        LogPosition needs{};
    };
    struct Queue {
        std::deque<Waiting> frames;
        std::uint64_t bytes{};
        protocol::Header header;  // of the last frame
        bool muted{};
        bool slow{};
        Time full_since{};  // its pipe took nothing since then: it does not read
    };
    void enqueue(std::uint32_t to, const protocol::Header& header, ByteView frame,
                 LogPosition needs);
    // `limit` is the option that it passed.
    void overflow(std::uint32_t to, const protocol::Header& header, Queue& queue, const char* limit,
                  std::uint64_t bytes);
    // Beyond this part of bytes_max those who read nothing have to go. Less than the quarter at which
    // MemoryBudget lets results and answers go on: they must not wait for one that never reads.
    static constexpr std::uint64_t kCrowdedPart = 5;
    [[nodiscard]] bool crowded() const noexcept {
        return queued_bytes_ > bytes_max_ / kCrowdedPart;
    }
    // The longest queue, or the longest of those that do not read. False: there is none.
    bool overflow_longest(bool full);
    void no_longer_slow(std::uint32_t to, Queue& queue);
    void sent(std::size_t bytes);
    // True: the queue is empty, or its peer gone.
    bool drain(std::uint32_t to, Queue& queue, bool& progress);

    transport::Router& router_;
    std::uint64_t bytes_per_peer_;
    std::uint64_t bytes_max_;
    LogPosition durable_ = 0;
    std::unordered_map<std::uint32_t, Queue> queues_;
    std::vector<std::uint32_t> lost_;
    std::vector<Slow> slow_;
    std::uint64_t queued_bytes_ = 0;
    bool stuck_ = false;
    Duration retry_in_ = kRetryMin;
    Counts counts_;
};

}  // namespace scanmq::broker
