#pragma once
// FingerprintIndex: the executions of one queue that a further job may join, by fingerprint.
//
// Threads:   broker loop only. Borrows: the executions' records, passed in.

#include <cstdint>
#include <cstring>

#include "broker/core/job_table.hpp"
#include "broker/core/slot_index.hpp"

namespace scanmq::broker {

class FingerprintIndex {
  public:
    // kNoSlot: there is none.
    [[nodiscard]] Slot find(const JobTable& table, const ContentId& fingerprint) const {
        return index_.find(hash(fingerprint), [&](Slot slot) {
            return table.find_extra(slot)->fingerprint == fingerprint;
        });
    }
    void insert(const ContentId& fingerprint, Slot execution) {
        index_.insert(hash(fingerprint), execution);
    }
    // Precondition: it is there.
    void erase(const ContentId& fingerprint, Slot execution) {
        index_.erase(hash(fingerprint), execution);
    }
    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }

  private:
    static std::uint64_t hash(const ContentId& fingerprint) noexcept {
        std::uint64_t h = 0;  // already a hash
        std::memcpy(&h, fingerprint.bytes.data(), sizeof h);
        return h;
    }
    SlotIndex index_;
};

}  // namespace scanmq::broker
