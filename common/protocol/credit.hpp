#pragma once
// Credit: the state of one link, in items and bytes: the receiver's half and the sender's.
//
// Role:      every link uses these two: submit, deliver, results, blob_in, blob_out, at both ends.
// Counts:    absolute, from the beginning of the session (or subscription); reset() begins anew.
// Invariant: received <= limit and sent <= limit, always: differences never wrap, whatever numbers a
//            peer chose. Sums stop at the largest number.
// See:       docs/PROTOCOL.md, section 7

#include <algorithm>
#include <cstdint>

#include "common/base/assert.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::protocol {

[[nodiscard]] constexpr std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) noexcept {
    return a + b < a ? ~std::uint64_t{0} : a + b;
}
[[nodiscard]] constexpr std::uint64_t saturating_product(std::uint64_t a,
                                                         std::uint64_t b) noexcept {
    return b != 0 && a > ~std::uint64_t{0} / b ? ~std::uint64_t{0} : a * b;
}
// a - b, but not below zero.
[[nodiscard]] constexpr std::uint64_t excess(std::uint64_t a, std::uint64_t b) noexcept {
    return a > b ? a - b : 0;
}
[[nodiscard]] constexpr Credit plus(Credit a, Credit b) noexcept {
    return {saturating_sum(a.items, b.items), saturating_sum(a.bytes, b.bytes)};
}
[[nodiscard]] constexpr Credit excess(Credit a, Credit b) noexcept {
    return {excess(a.items, b.items), excess(a.bytes, b.bytes)};
}
[[nodiscard]] constexpr Credit lesser(Credit a, Credit b) noexcept {
    return {std::min(a.items, b.items), std::min(a.bytes, b.bytes)};
}
[[nodiscard]] constexpr Credit greater(Credit a, Credit b) noexcept {
    return {std::max(a.items, b.items), std::max(a.bytes, b.bytes)};
}
[[nodiscard]] constexpr bool covers(Credit room, Credit size) noexcept {
    return size.items <= room.items && size.bytes <= room.bytes;
}
[[nodiscard]] constexpr bool any(Credit a) noexcept { return a.items != 0 || a.bytes != 0; }

// Who grants: what it allowed, and what came.
class CreditReceiver {
  public:
    // False: beyond the limit (over_credit), and nothing is counted.
    [[nodiscard]] bool receive(Credit size) noexcept {
        if (!covers(unused(), size)) return false;
        received_.items += size.items;
        received_.bytes += size.bytes;
        return true;
    }
    // The limit is at least `to`. True when it rose: the sender has to be told (told()).
    bool raise(Credit to) noexcept {
        if (asked_) told_since_ = greater(told_since_, to);
        if (covers(limit_, to)) return false;
        limit_ = greater(limit_, to);
        return true;
    }
    // RECLAIM is being said: what was told so far is on its way out. What is told from here on outlives
    // the answer, as the sender may take it in before it answers, or after.
    void ask_back() noexcept {
        asked_ = true;
        told_since_ = {};
    }
    // RECLAIMED came, in order with the items: the sender had sent so many, and its limit fell to that.
    // Returns by how much unused() fell: that room is free. A number beyond the limit counts as the
    // limit. Without ask_back() the sender gave back of its own accord, with no grant under way.
    Credit reclaimed(Credit sent) noexcept {
        const Credit before = unused();
        received_ = greater(received_, lesser(sent, limit_));
        limit_ = greater(received_, lesser(told_since_, limit_));
        asked_ = false;
        told_since_ = {};
        return excess(before, unused());
    }
    // RECLAIM will not be answered: all stays as it was.
    void keep() noexcept {
        asked_ = false;
        told_since_ = {};
    }
    // The sender counts more than came (in its WANT): that was lost on the way, or taken by nobody,
    // and never comes. Returns by how much unused() fell. Precondition: covers(limit(), sent).
    Credit count_lost(Credit sent) noexcept {
        SCANMQ_ASSERT(covers(limit_, sent));
        const Credit lost = excess(sent, received_);
        received_ = greater(received_, sent);
        return lost;
    }
    // What was granted is as good as used: nothing of it is to come any more.
    void write_off() noexcept { received_ = limit_; }
    void reset() noexcept { *this = {}; }

    // What the sender may have sent at most.
    [[nodiscard]] Credit limit() const noexcept { return limit_; }
    // What to put into a frame: while RECLAIM is unanswered only what was raised since.
    [[nodiscard]] Credit told() const noexcept {
        return asked_ ? greater(received_, told_since_) : limit_;
    }
    [[nodiscard]] Credit received() const noexcept { return received_; }
    [[nodiscard]] Credit unused() const noexcept {
        return {limit_.items - received_.items, limit_.bytes - received_.bytes};
    }

  private:
    Credit limit_;
    Credit received_;
    Credit told_since_;  // the highest limit raised to since ask_back()
    bool asked_ = false;
};

// Who sends: what it was allowed, and what it sent.
class CreditSender {
  public:
    [[nodiscard]] bool affords(Credit size) const noexcept { return covers(available(), size); }
    // Precondition: affords(size).
    void send(Credit size) noexcept {
        SCANMQ_ASSERT(affords(size));
        sent_.items += size.items;
        sent_.bytes += size.bytes;
    }
    // A limit was told; it never falls by that. True: it rose.
    bool raise(Credit to) noexcept {
        if (covers(limit_, to)) return false;
        limit_ = greater(limit_, to);
        return true;
    }
    // The answer to RECLAIM: what RECLAIMED says, from now on the limit, too.
    Credit give_back() noexcept { return limit_ = sent_; }
    void reset() noexcept { *this = {}; }

    [[nodiscard]] Credit limit() const noexcept { return limit_; }
    [[nodiscard]] Credit sent() const noexcept { return sent_; }
    [[nodiscard]] Credit available() const noexcept {
        return {limit_.items - sent_.items, limit_.bytes - sent_.bytes};
    }

  private:
    Credit limit_;
    Credit sent_;
};

}  // namespace scanmq::protocol
