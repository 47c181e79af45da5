#pragma once
// TurnRing: lanes of one level and kind that take turns by deficit round robin, each charged by cost.
//
// Role:      of WaitingRoom. A turn earns its flow `quantum` times its weight; it is over when that is
//            spent. A turn may overspend: the flow pays it back by passing turns.
// Threads:   broker loop only. Borrows: FlowTable, passed in.
// Work:      constant per delivery, however many lanes there are: a lane that has to pass turns waits
//            in the bucket of the round in which it can spend again (a timing wheel of kBuckets
//            rounds), and rounds in which nobody has a turn are skipped. A lane that owes more rounds
//            than the wheel has is looked at once in that many.
// Limits:    a flow pays back at most kDebtRounds rounds and saves up at most kSavedRounds (what it was
//            charged too much), of which it spends no more than one a turn beside the turn's own.
// See:       M. Shreedhar and G. Varghese, Efficient Fair Queuing Using Deficit Round Robin, 1995

#include <array>
#include <cstdint>

#include "broker/core/flow_table.hpp"

namespace scanmq::broker {

class TurnRing {
  public:
    static constexpr unsigned kBuckets = 64;
    static constexpr std::int64_t kDebtRounds = 4096;
    static constexpr std::int64_t kSavedRounds = 64;

    // At the end: after everybody else's next turn.
    void add(FlowTable& flows, Slot lane, std::uint64_t quantum);
    void remove(FlowTable& flows, Slot lane);
    // The lane whose turn it is. Precondition: not empty.
    [[nodiscard]] Slot turn(FlowTable& flows, std::uint64_t quantum);
    // Something of the lane whose turn it is was delivered; its flow was charged.
    void spend(std::int64_t cost) noexcept { left_ -= cost; }

    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    // Some lane of it, the same one until the ring changes. Precondition: not empty.
    [[nodiscard]] Slot any() const noexcept;
    // What a flow of weight 1 could earn so far, to keep two rings of one level in step.
    [[nodiscard]] std::int64_t earned() const noexcept { return earned_ + lead_; }
    void catch_up(std::int64_t earned) noexcept {
        if (earned > this->earned()) lead_ = earned - earned_;
    }
    // How many lanes have a turn before this one, counted up to `most`. Precondition: it is listed.
    [[nodiscard]] std::uint64_t before(const FlowTable& flows, Slot lane, std::uint64_t most) const;

  private:
    struct Bucket {
        Slot first = kNoSlot;
        Slot last = kNoSlot;
    };
    [[nodiscard]] unsigned next_bucket() const noexcept;
    void link(FlowTable& flows, Slot lane, std::uint64_t round);
    void unlink(FlowTable& flows, Slot lane);
    // In how many rounds the flow has something to spend again.
    [[nodiscard]] static std::uint64_t rounds_until(Flow& flow, std::int64_t grant);

    std::array<Bucket, kBuckets> buckets_{};
    std::uint64_t filled_ = 0;  // bit i: buckets_[i] has lanes
    std::uint64_t round_ = 0;
    // Each round is worth the quantum of the moment it began, the same for every lane.
    std::int64_t earned_ = 0;
    std::int64_t lead_ = 0;
    std::uint32_t size_ = 0;
    bool open_ = false;      // the first lane of this round's bucket has begun its turn
    std::int64_t left_ = 0;  // of that turn
};

}  // namespace scanmq::broker
