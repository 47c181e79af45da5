#pragma once
// BlobStore: the bytes of blobs by content id: in memory, and once committed in files, if there are
//            any.
//
// Role:      owned by the broker's shell; obeys BlobCore, knows no rules. How much may be held is
//            BlobTable's.
// Threads:   broker loop; but the bytes of a completely written blob do not move or change until
//            drop() or committed(), so that another thread may read what view() gave, or put it
//            into the files.
// Borrows:   BlobFiles (outlives this), whose blobs are there from the start.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "broker/store/blob_files.hpp"
#include "common/base/bytes.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {

class BlobStore {
  public:
    BlobStore() = default;
    explicit BlobStore(BlobFiles& files) : files_(&files) {}

    // What a blob's bytes were decoded to, for peers that do not take its encoding.
    void keep_decoded(const ContentId& id, std::string bytes);
    void drop_decoded(const ContentId& id);
    // Empty when it is not there.
    [[nodiscard]] ByteView decoded(const ContentId& id) const;

    // Makes room, uninitialised; what was there of this id is dropped.
    void begin(const ContentId& id, std::uint64_t bytes);
    // Precondition: begun, and within its size.
    void write(const ContentId& id, std::uint64_t offset, ByteView bytes);
    // Makes it durable. It waits for the disk: off the loop, do BlobFiles::put() with what view()
    // gave on another thread instead, then committed(). Precondition: completely written, and its
    // bytes hash to the id. Errors: those of BlobFiles::put(); the blob stays in memory.
    [[nodiscard]] Result<void, StateError> commit(const BlobInfo& info);
    // The files have it: the copy in memory goes, former views of it with it.
    void committed(const ContentId& id);
    // Nothing happens when it is not there.
    void drop(const ContentId& id);

    // Empty when it is not there, or cannot be read (error()). Lives until drop(), committed() or
    // begin() of the same id.
    [[nodiscard]] ByteView view(const ContentId& id) const;
    [[nodiscard]] std::uint64_t bytes() const {
        return bytes_ + (files_ != nullptr ? files_->bytes() : 0);
    }
    // What was decoded, too.
    [[nodiscard]] std::uint64_t memory() const noexcept { return bytes_ + decoded_bytes_; }
    // The last failure to read or remove a file.
    [[nodiscard]] const std::optional<StateError>& error() const noexcept { return error_; }

  private:
    struct Blob {
        std::unique_ptr<char[]> data;
        std::uint64_t bytes{};
    };
    void forget(const ContentId& id);

    BlobFiles* files_ = nullptr;
    std::unordered_map<ContentId, Blob> blobs_;
    std::unordered_map<ContentId, std::string> decoded_;
    std::uint64_t bytes_ = 0;
    std::uint64_t decoded_bytes_ = 0;
    mutable std::optional<StateError> error_;
};

}  // namespace scanmq::broker
