#pragma once
// BlobFiles: durable blobs (snapshots, large bodies), one file each.
//
// Role:      BlobStore's memory across restarts.
// Files:     DIR/<first two hex digits>/<hex>: a head (magic, its length, version, type, label,
//            size, id, encoding, checksum), then the bytes as they are held. Version 2 is that of
//            encoded ones: earlier releases refuse to start with them. Written under the name <hex>.part, synced,
//            renamed, the directory synced: a blob is there completely or not at all.
// Use:       a file's time of modification is that of its last use, written every kUsedEvery; how
//            long one was not used, before this broker was started, is told by list().
// Threads:   put(), view() and link_all() on any; the same id by one thread at a time.
// Views:     memory-mapped, not on the heap; of the first kMapsMax blobs looked at, later ones are
//            read in. They live until remove() or the end of this. The file system must not lose
//            the files meanwhile.
// Errors:    full, io; damaged when a file is not what it says. One found at the start is not
//            listed but in damaged(), and put() replaces it.

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/store/disk.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::broker {

struct BlobInfo {
    ContentId id;
    protocol::BlobType type{};
    std::string label;
    std::uint64_t bytes{};
    protocol::BlobEncoding encoding{};
    std::uint64_t encoded_bytes{};  // of another encoding than raw
    Duration idle{};                // when listed: used so long before the one used last, at most

    [[nodiscard]] std::uint64_t held_bytes() const noexcept {
        return encoding == protocol::BlobEncoding::raw ? bytes : encoded_bytes;
    }
};

// Whether the bytes, as they are held, are those of its id.
[[nodiscard]] bool holds_its_bytes(const BlobInfo& info, ByteView held);

class BlobFiles {
  public:
    struct Options {
        std::filesystem::path directory;  // made when it is not there
        bool verify_at_start = false;     // hash every blob when opening, not at its first view()
    };
    static constexpr std::size_t kMapsMax = 16'384;
    static constexpr Duration kUsedEvery = std::chrono::seconds(5);

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
    [[nodiscard]] std::uint64_t bytes() const;  // of all blobs, as they are held

    // Durable when it returns. Precondition: the bytes are info.held_bytes() long, and
    // holds_its_bytes().
    // Nothing happens when it is there.
    [[nodiscard]] Result<void, StateError> put(const BlobInfo& info, ByteView bytes);
    // Hashes it the first time. Nothing: it is not there.
    [[nodiscard]] Result<std::optional<ByteView>, StateError> view(const ContentId& id);
    // They were used just now. Those that are not there are passed over.
    void used(std::span<const ContentId> ids) const;
    // Its views are void. Nothing happens when it is not there.
    [[nodiscard]] Result<void, StateError> remove(const ContentId& id);

    // Gives every blob a second name, or a copy, in a directory of the same form; those that have
    // one there are passed over.
    [[nodiscard]] Result<void, StateError> link_all(const std::filesystem::path& directory) const;

  private:
    struct Blob {
        BlobInfo info;
        std::size_t head_bytes{};
        std::filesystem::file_time_type used;  // when found at the start
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
    // Of those found at the start. (The clock's epoch lies in the future: not a time to begin with.)
    std::filesystem::file_time_type used_last_ = std::filesystem::file_time_type::min();
    std::size_t maps_ = 0;
};

}  // namespace scanmq::broker
