#pragma once
// BlobFiles: durable blobs (snapshots, large bodies), one file each.
//
// Role:      BlobStore's memory across restarts.
// Files:     DIR/<first two hex digits>/<hex>: a head (magic, its length, version, type, label,
//            size, id, checksum), then the bytes. Written under the name <hex>.part, synced,
//            renamed, the directory synced: a blob is there completely or not at all.
// Threads:   put(), view() and link_all() on any; the same id by one thread at a time.
// Views:     memory-mapped, not on the heap; of the first kMapsMax blobs looked at, later ones are
//            read in. They live until remove() or the end of this. The file system must not lose
//            the files meanwhile.
// Errors:    full, io; damaged when a file is not what it says. One found at the start is not
//            listed but in damaged(), and put() replaces it.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "broker/store/disk.hpp"
#include "common/base/id.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

struct BlobInfo {
    ContentId id;
    protocol::BlobType type{};
    std::string label;
    std::uint64_t bytes{};
};

class BlobFiles {
  public:
    struct Options {
        std::filesystem::path directory;  // made when it is not there
        bool verify_at_start = false;     // hash every blob when opening, not at its first view()
    };
    static constexpr std::size_t kMapsMax = 16'384;

    // Lists what is there; removes what was not finished. Error: newer_version of one of them.
    [[nodiscard]] static Result<std::unique_ptr<BlobFiles>, StateError> open(
        const Options& options);
    ~BlobFiles();
    BlobFiles(const BlobFiles&) = delete;
    BlobFiles& operator=(const BlobFiles&) = delete;

    // By id.
    [[nodiscard]] std::vector<BlobInfo> list() const;
    // Files left where they are, and why they are no blobs.
    [[nodiscard]] const std::vector<StateError>& damaged() const noexcept { return damaged_; }
    [[nodiscard]] bool has(const ContentId& id) const;
    [[nodiscard]] std::uint64_t bytes() const;  // of all blobs

    // Durable when it returns. Precondition: the bytes hash to the id; they are info.bytes long.
    // Nothing happens when it is there.
    [[nodiscard]] Result<void, StateError> put(const BlobInfo& info, ByteView bytes);
    // Hashes it the first time. Nothing: it is not there.
    [[nodiscard]] Result<std::optional<ByteView>, StateError> view(const ContentId& id);
    // Its views are void. Nothing happens when it is not there.
    [[nodiscard]] Result<void, StateError> remove(const ContentId& id);

    // Gives every blob a second name, or a copy, in a directory of the same form; those that have
    // one there are passed over.
    [[nodiscard]] Result<void, StateError> link_all(const std::filesystem::path& directory) const;

  private:
    struct Blob {
        BlobInfo info;
        std::size_t head_bytes{};
        bool verified = false;
        ByteView mapped;               // the whole file; empty: not yet
        std::unique_ptr<char[]> read;  // instead
    };

    explicit BlobFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}
    [[nodiscard]] Result<void, StateError> scan(bool verify);
    [[nodiscard]] Result<void, StateError> look_at(const std::filesystem::path& path, bool verify);
    [[nodiscard]] std::filesystem::path path_of(const ContentId& id) const;
    [[nodiscard]] Result<void, StateError> load(Blob& blob);

    const std::filesystem::path directory_;
    std::vector<StateError> damaged_;
    mutable std::mutex mutex_;
    // Guarded by mutex_; a blob of one id is its caller's.
    std::map<ContentId, Blob> blobs_;
    std::uint64_t bytes_ = 0;
    std::size_t maps_ = 0;
};

}  // namespace scanmq::broker
