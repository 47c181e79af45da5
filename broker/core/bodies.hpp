#pragma once
// Bodies: which handles of the shell's bodies are blobs, and who shares one.
//
// Role:      every handle goes back to the shell exactly once, every blob's pin is taken off
//            exactly once.
// Threads:   broker loop only. Borrows: BlobTable (outlives this).

#include <unordered_map>

#include "broker/core/blob_table.hpp"
#include "broker/core/events.hpp"

namespace scanmq::broker {

class Bodies {
  public:
    explicit Bodies(BlobTable& blobs) : blobs_(&blobs) {}

    // The handle's body is this blob, which the table holds. Precondition: a handle.
    void pin(BodyHandle body, const ContentId& blob, Time now) {
        SCANMQ_ASSERT(body.value != 0);
        blobs_->pin(blob, now);
        pinned_.emplace(body, blob);
    }
    // One holder more: one release() more.
    void share(BodyHandle body) {
        if (body.value != 0) ++extra_[body];
    }
    void release(BodyHandle body, bool is_blob, Time now, Effects& effects) {
        if (body.value == 0) return;
        if (!extra_.empty()) {
            const auto it = extra_.find(body);
            if (it != extra_.end()) {
                if (--it->second == 0) extra_.erase(it);
                return;
            }
        }
        if (is_blob) {
            const auto it = pinned_.find(body);
            SCANMQ_ASSERT(it != pinned_.end());
            blobs_->unpin(it->second, now);
            pinned_.erase(it);
        }
        effects.releases.push_back(body);
    }

  private:
    BlobTable* blobs_;
    std::unordered_map<BodyHandle, ContentId> pinned_;
    std::unordered_map<BodyHandle, std::uint32_t> extra_;  // holders beside the first
};

}  // namespace scanmq::broker
