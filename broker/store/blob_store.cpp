#include "broker/store/blob_store.hpp"

#include <cstring>

#include "common/base/assert.hpp"

namespace scanmq::broker {

void BlobStore::begin(const ContentId& id, std::uint64_t bytes) {
    drop(id);
    blobs_.emplace(id, Blob{std::make_unique_for_overwrite<char[]>(bytes), bytes});
    bytes_ += bytes;
}

void BlobStore::write(const ContentId& id, std::uint64_t offset, ByteView bytes) {
    const auto found = blobs_.find(id);
    SCANMQ_ASSERT(found != blobs_.end());
    Blob& blob = found->second;
    SCANMQ_ASSERT(offset <= blob.bytes && bytes.size() <= blob.bytes - offset);
    std::memcpy(blob.data.get() + offset, bytes.data(), bytes.size());
}

void BlobStore::keep_decoded(const ContentId& id, std::string bytes) {
    drop_decoded(id);
    decoded_bytes_ += bytes.size();
    decoded_.emplace(id, std::move(bytes));
}

void BlobStore::drop_decoded(const ContentId& id) {
    const auto found = decoded_.find(id);
    if (found == decoded_.end()) return;
    decoded_bytes_ -= found->second.size();
    decoded_.erase(found);
}

ByteView BlobStore::decoded(const ContentId& id) const {
    const auto found = decoded_.find(id);
    return found == decoded_.end() ? ByteView() : ByteView(found->second);
}

Result<void, StateError> BlobStore::commit(const BlobInfo& info) {
    if (files_ == nullptr) return {};
    const BlobFiles::Held held[] = {{&info, view(info.id)}};
    auto done = files_->put(held);
    if (done) committed(info.id);
    return done;
}

void BlobStore::committed(const ContentId& id) {
    SCANMQ_ASSERT(files_ != nullptr && files_->has(id));
    forget(id);
}

void BlobStore::drop(const ContentId& id) {
    forget(id);
    if (files_ == nullptr) return;
    if (auto removed = files_->remove(id); !removed) error_ = std::move(removed).error();
}

void BlobStore::forget(const ContentId& id) {
    const auto found = blobs_.find(id);
    if (found == blobs_.end()) return;
    bytes_ -= found->second.bytes;
    blobs_.erase(found);
}

ByteView BlobStore::view(const ContentId& id) const {
    const auto found = blobs_.find(id);
    if (found != blobs_.end()) return {found->second.data.get(), found->second.bytes};
    if (files_ == nullptr) return {};
    auto stored = files_->view(id);
    if (stored) return stored->value_or(ByteView());
    error_ = std::move(stored).error();
    return {};
}

}  // namespace scanmq::broker
