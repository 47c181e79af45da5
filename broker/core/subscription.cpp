#include "broker/core/subscription.hpp"

#include <algorithm>
#include <utility>

#include "common/protocol/codec.hpp"

namespace scanmq::broker {

std::uint64_t encoded_bytes_max(const StreamEntry& entry, const InternTable& subjects,
                                const InternTable& texts) noexcept {
    return protocol::kItemFixedBytesMax + entry.bytes + subjects.text(entry.subject).size() +
           texts.text(entry.text).size();
}

Subscription::Subscription(Start start)
    : start_(std::move(start)),
      all_(start_.pattern == ">"),
      matches_empty_(protocol::subject_matches(start_.pattern, "")),
      next_(start_.offset),
      told_(start_.offset) {
    credit_.raise(start_.limit);
}

bool Subscription::raise_limit(protocol::Credit limit) noexcept {
    if (!credit_.raise(limit)) return false;
    stalled_ = false;
    return true;
}

bool Subscription::matches(Slot subject, const InternTable& subjects) {
    if (all_) return true;
    if (subject == kNoSlot) return matches_empty_;
    CachedMatch& cached = cache_[subject % cache_.size()];
    const std::uint32_t stamp = subjects.stamp(subject);
    if (cached.subject != subject || cached.stamp != stamp) {
        cached = {subject, stamp,
                  protocol::subject_matches(start_.pattern, subjects.text(subject))};
    }
    return cached.matches;
}

void Subscription::collect(const Stream& stream, const InternTable& subjects,
                           const InternTable& texts, Budget& budget, Batch& batch) {
    stalled_ = false;
    if (next_ < stream.first()) {
        batch.gap = protocol::Gap{next_, stream.first()};
        next_ = stream.first();
    }
    while (next_ < stream.next() && budget.scanned > 0 && budget.items > 0) {
        const StreamEntry& entry = stream.at(next_);
        if (entry.kind == protocol::EntryKind::job && !matches(entry.subject, subjects)) {
            ++next_;
            --budget.scanned;
            continue;
        }
        if (!credit_.affords({1, entry.bytes})) {
            stalled_ = true;
            return;
        }
        const std::uint64_t size = encoded_bytes_max(entry, subjects, texts);
        if (size > budget.encoded_bytes) {
            // The frame is full, unless it is this entry's alone.
            if (!batch.offsets.empty()) return;
            budget.encoded_bytes = size;
        }
        budget.encoded_bytes -= size;
        --budget.scanned;
        --budget.items;
        credit_.send({1, entry.bytes});
        batch.offsets.push_back(next_++);
    }
}

}  // namespace scanmq::broker
