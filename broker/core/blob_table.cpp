#include "broker/core/blob_table.hpp"

#include <algorithm>
#include <utility>

#include "broker/core/planted_bug.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {

Result<void, protocol::ErrorCode> BlobTable::reserve(const BlobRecord& blob, Time now,
                                                     std::vector<ContentId>& dropped) {
    SCANMQ_ASSERT(!blobs_.contains(blob.id));
    const auto fits = [&](std::uint64_t bytes, std::size_t count) {
        return blob.held_bytes() <= options_.bytes_max &&
               bytes <= options_.bytes_max - blob.held_bytes() && count < options_.count_max;
    };
    if (!fits(bytes_, blobs_.size())) {
        // A put is rare beside what it stores: looking through all blobs is cheaper than keeping them in order.
        std::vector<const BlobRecord*> idle;
        for (const auto& [id, record] : blobs_) {
            if (record.stored && (record.pins == 0 || planted(PlantedBug::drops_pinned)) &&
                now - record.used >= options_.grace) {
                idle.push_back(&record);
            }
        }
        std::sort(idle.begin(), idle.end(), [](const BlobRecord* a, const BlobRecord* b) {
            return std::pair(a->used, a->id) < std::pair(b->used, b->id);
        });
        std::uint64_t bytes = bytes_;
        std::size_t count = blobs_.size();
        std::size_t going = 0;
        while (going < idle.size() && !fits(bytes, count)) {
            bytes -= idle[going++]->held_bytes();
            --count;
        }
        if (!fits(bytes, count)) return fail(protocol::ErrorCode::snapshots_full);
        for (std::size_t i = 0; i < going; ++i) {
            const ContentId id = idle[i]->id;
            erase(*idle[i]);
            dropped.push_back(id);
        }
    }
    BlobRecord& record = blobs_.emplace(blob.id, blob).first->second;
    record.stored = false;
    record.checked = false;
    record.pins = 0;
    record.used = now;
    add(record);
    return {};
}

void BlobTable::add(const BlobRecord& blob) {
    bytes_ += blob.held_bytes();
    raw_bytes_ += blob.bytes;
}

void BlobTable::erase(const BlobRecord& blob) {
    bytes_ -= blob.held_bytes();
    raw_bytes_ -= blob.bytes;
    blobs_.erase(ContentId(blob.id));
}

void BlobTable::use(BlobRecord& blob, Time now) {
    blob.used = now;
    if (blob.use_noted) return;
    blob.use_noted = true;
    used_.push_back(blob.id);
}

std::vector<ContentId> BlobTable::take_used() {
    for (const ContentId& id : used_) {
        if (const auto found = blobs_.find(id); found != blobs_.end()) {
            found->second.use_noted = false;
        }
    }
    return std::exchange(used_, {});
}

void BlobTable::restore(BlobRecord blob, Time now, Duration idle) {
    blob.stored = true;
    blob.checked = false;
    blob.pins = 0;
    blob.used = now - idle;
    add(blob);
    const bool added = blobs_.emplace(blob.id, blob).second;
    SCANMQ_ASSERT(added);
}

void BlobTable::stored(const ContentId& id, Time now) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && !found->second.stored);
    found->second.stored = true;
    found->second.checked = true;
    found->second.used = now;  // the store noted it with the put
}

void BlobTable::checked(const ContentId& id) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && found->second.stored);
    found->second.checked = true;
}

void BlobTable::drop(const ContentId& id) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && found->second.stored && found->second.pins == 0);
    erase(found->second);
}

void BlobTable::abandon(const ContentId& id) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && !found->second.stored);
    erase(found->second);
}

const BlobRecord* BlobTable::find(const ContentId& id) const {
    const BlobRecord* record = find_any(id);
    return record != nullptr && record->stored ? record : nullptr;
}

const BlobRecord* BlobTable::find_any(const ContentId& id) const {
    const auto found = blobs_.find(id);
    return found == blobs_.end() ? nullptr : &found->second;
}

void BlobTable::pin(const ContentId& id, Time now) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && found->second.stored);
    ++found->second.pins;
    use(found->second, now);
}

void BlobTable::unpin(const ContentId& id, Time now) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && found->second.pins > 0);
    --found->second.pins;
    use(found->second, now);
}

void BlobTable::touch(const ContentId& id, Time now) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end() && found->second.stored);
    use(found->second, now);
}

std::vector<const BlobRecord*> BlobTable::list() const {
    std::vector<const BlobRecord*> out;
    for (const auto& [id, record] : blobs_) {
        if (record.stored) out.push_back(&record);
    }
    return out;
}

}  // namespace scanmq::broker
