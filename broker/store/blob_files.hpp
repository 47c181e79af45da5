#pragma once
// BlobFiles: durable blobs (snapshots, large bodies): small ones many to a file, others one each.
//
// Role:      BlobStore's memory across restarts.
// Files:     DIR/<first two hex digits>/<hex>: a head (blob_head.hpp), then the bytes as they are
//            held. Written under the name <hex>.part, synced, renamed, the directory synced: a blob
//            is there completely or not at all. DIR/sg/: the small ones (blob_segments.hpp); releases
//            that do not know them find a head of a later version there, and refuse to start.
// Use:       a file's time of modification, and an entry's stamp, is that of the last use, written
//            every kUsedEvery; how long one was not used, before this broker was started, is told by
//            list().
// Threads:   put() on one at a time; view() and copy_all() on any; the same id by one thread at a
//            time.
// Views:     memory-mapped, not on the heap; of the first kMapsMax files looked at, later ones are
//            read in. They live until remove() or the end of this. The file system must not lose
//            the files meanwhile.
// Errors:    full, io; damaged when a file is not what it says. One found at the start is not
//            listed but in damaged(), and put() replaces it.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "broker/store/blob_segments.hpp"
#include "broker/store/disk.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

class BlobFiles {
  public:
    // What goes into a segment: 21 of the largest make one, 130 of 48 KiB.
    static constexpr std::uint64_t kSmallBytesMax = 256U << 10;
    struct Options {
        std::filesystem::path directory;  // made when it is not there
        bool verify_at_start = false;     // hash every blob when opening, not at its first view()
        std::uint64_t small_bytes_max = kSmallBytesMax;
        // put() calls it before it keeps the disk busy, without a lock: the moment may be a bad one.
        std::function<void()> before_sync = nullptr;
    };
    static constexpr std::size_t kMapsMax = 16'384;
    static constexpr Duration kUsedEvery = std::chrono::seconds(5);

    // Lists what is there; removes what was not finished. Error: newer_version of one of them.
    [[nodiscard]] static Result<std::unique_ptr<BlobFiles>, StateError> open(Options options);
    ~BlobFiles();
    BlobFiles(const BlobFiles&) = delete;
    BlobFiles& operator=(const BlobFiles&) = delete;

    // By id.
    [[nodiscard]] std::vector<BlobInfo> list() const;
    // Files left where they are, and why they are no blobs.
    [[nodiscard]] const std::vector<StateError>& damaged() const noexcept { return damaged_; }
    // Small blobs whose put the last crash interrupted; they are gone.
    [[nodiscard]] std::uint64_t unfinished() const noexcept { return unfinished_; }
    [[nodiscard]] bool has(const ContentId& id) const;
    [[nodiscard]] std::uint64_t bytes() const;  // of all blobs, as they are held

    // Durable when it returns; of those before the first that failed some may be. Precondition: the
    // bytes are info.held_bytes() long, and holds_its_bytes(). Nothing happens to what is there.
    using Held = BlobSegments::Held;
    [[nodiscard]] Result<void, StateError> put(std::span<const Held> blobs);
    // Hashes it the first time. Nothing: it is not there.
    [[nodiscard]] Result<std::optional<ByteView>, StateError> view(const ContentId& id);
    // They were used just now. Those that are not there are passed over.
    void used(std::span<const ContentId> ids) const;
    // Its views are void. Nothing happens when it is not there.
    [[nodiscard]] Result<void, StateError> remove(const ContentId& id);

    // Puts every blob into a directory of the same form, those there apart. `link`: by a second name
    // of its file where it has one of its own and the file system can.
    enum class CopyBy : std::uint8_t { link, bytes };
    [[nodiscard]] Result<void, StateError> copy_all(const std::filesystem::path& directory,
                                                    CopyBy by) const;

  private:
    struct Blob {
        BlobInfo info;
        std::optional<BlobSegments::Place> place;  // nothing: a file of its own
        std::size_t head_bytes{};                  // of that
        std::filesystem::file_time_type used;      // when found at the start
        bool verified = false;
        ByteView mapped;               // the whole file; empty: not yet, or in a segment
        std::unique_ptr<char[]> read;  // instead
    };

    explicit BlobFiles(Options options) : options_(std::move(options)) {}
    [[nodiscard]] Result<void, StateError> scan();
    [[nodiscard]] Result<void, StateError> look_at(const std::filesystem::path& path);
    [[nodiscard]] Result<void, StateError> open_segments();
    [[nodiscard]] Result<void, StateError> put_file(const Held& blob);
    [[nodiscard]] Result<void, StateError> put_small(std::span<const Held> blobs);
    void keep(const BlobInfo& info, std::optional<BlobSegments::Place> place,
              std::size_t head_bytes);
    // Nothing: it has a file of its own, or is not there.
    [[nodiscard]] std::optional<BlobSegments::Place> place_of(const ContentId& id) const;
    // Nothing: it is not there any more.
    [[nodiscard]] Result<std::optional<std::string>, StateError> read_small(
        const BlobInfo& info) const;
    [[nodiscard]] Result<void, StateError> copy_small(std::span<const BlobInfo> blobs,
                                                      const std::filesystem::path& folder) const;
    [[nodiscard]] std::filesystem::path path_of(const ContentId& id) const;
    [[nodiscard]] Result<ByteView, StateError> load(Blob& blob);
    [[nodiscard]] Result<ByteView, StateError> load_segment(const BlobSegments::Place& place);

    const Options options_;
    PosixFileSystem posix_;
    std::unique_ptr<BlobSegments> segments_;
    std::vector<StateError> damaged_;
    std::uint64_t unfinished_ = 0;
    mutable std::mutex mutex_;
    // Guarded by mutex_; a blob of one id is its caller's.
    std::map<ContentId, Blob> blobs_;
    std::uint64_t bytes_ = 0;
    // Of those found at the start. (The clock's epoch lies in the future: not a time to begin with.)
    std::filesystem::file_time_type used_last_ = std::filesystem::file_time_type::min();
    std::size_t maps_ = 0;
    std::map<std::uint32_t, ByteView> segment_maps_;
};

}  // namespace scanmq::broker
