#pragma once
// Subscription: one reader of one stream: its pattern, its place, its credit.
//
// Threads:   broker loop only. Borrows: the texts of subjects (InternTable), passed in.
// Invariant: sent never passes limit; entries wait in the stream, not here.
// See:       docs/PROTOCOL.md, sections 7 and 9

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "broker/core/intern_table.hpp"
#include "broker/core/stream.hpp"
#include "common/protocol/credit.hpp"

namespace scanmq::broker {

struct Cursor;

class Subscription {
  public:
    struct Start {
        std::uint64_t number = 0;   // chosen by the subscriber
        std::uint64_t request = 0;  // seq of its SUBSCRIBE
        Slot session = kNoSlot;
        std::uint16_t queue = 0;
        std::string pattern;
        std::uint64_t offset = 0;
        protocol::Credit limit;
        Cursor* cursor = nullptr;  // of a durable one: its queue's, which it holds
    };
    // What one scan found: offsets to send, and the gap before them.
    struct Batch {
        std::optional<protocol::Gap> gap;
        std::vector<std::uint64_t> offsets;
    };
    struct Budget {
        std::uint64_t scanned = 0;        // entries looked at
        std::uint64_t items = 0;          // entries taken
        std::uint64_t encoded_bytes = 0;  // of the frame
    };

    explicit Subscription(Start start);

    [[nodiscard]] std::uint64_t number() const noexcept { return start_.number; }
    [[nodiscard]] std::uint64_t request() const noexcept { return start_.request; }
    [[nodiscard]] Slot session() const noexcept { return start_.session; }
    [[nodiscard]] std::uint16_t queue() const noexcept { return start_.queue; }
    [[nodiscard]] const std::string& pattern() const noexcept { return start_.pattern; }
    [[nodiscard]] Cursor* cursor() const noexcept { return start_.cursor; }
    // Everything before it was sent, did not match or is gone.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

    // Everything before it is acknowledged, or did not match.
    void skip_to(std::uint64_t offset) noexcept { next_ = offset > next_ ? offset : next_; }

    // Limits never fall; false when it did not rise.
    bool raise_limit(protocol::Credit limit) noexcept;
    [[nodiscard]] bool has_credit() const noexcept { return credit_.affords({1, 1}); }
    // There is something to look at, and credit for it.
    [[nodiscard]] bool runnable(const Stream& stream) const noexcept {
        return next_ < stream.next() && has_credit() && (!stalled_ || next_ < stream.first());
    }

    // Takes matching entries from next() on, as far as credit and budget reach, and charges them. `budget`
    // becomes what is left of it; the batch ends early when the frame is full.
    void collect(const Stream& stream, const InternTable& subjects, const InternTable& texts,
                 Budget& budget, Batch& batch);
    // How far the subscriber knows that it has come.
    [[nodiscard]] std::uint64_t told() const noexcept { return told_; }
    void tell() noexcept { told_ = next_; }

  private:
    [[nodiscard]] bool matches(Slot subject, const InternTable& subjects);

    struct CachedMatch {
        Slot subject = kNoSlot;
        std::uint32_t stamp = 0;
        bool matches = false;
    };

    Start start_;
    bool all_;  // the pattern is ">"
    bool matches_empty_;
    std::uint64_t next_;
    std::uint64_t told_;
    protocol::CreditSender credit_;
    bool stalled_ = false;  // the entry at next_ is larger than the credit left
    std::array<CachedMatch, 64> cache_{};
};

// An upper bound of an entry's encoded size.
[[nodiscard]] std::uint64_t encoded_bytes_max(const StreamEntry& entry, const InternTable& subjects,
                                              const InternTable& texts) noexcept;

}  // namespace scanmq::broker
