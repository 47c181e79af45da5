#pragma once
// BlobSegments: durable small blobs, many to a file.
//
// Role:      BlobFiles' place for small ones. A file of its own costs a blob two commits of the file
//            system's journal, which syncs of the job log have to wait behind; here a batch is a
//            write or two and one sync.
// Threads:   put() on one at a time; the rest on any.
// Files:     FOLDER/<number>: a head (blob_head.hpp), a table of entries, then pages. A blob lies on
//            pages that follow each other, the lowest free ones that fit. The file grows by what is
//            written, up to segment_bytes.
// Durable:   a batch is written and synced as a whole before the next one; so after a crash only the
//            newest batch may be torn: open() hashes its blobs, and what is not whole was never
//            acknowledged, and goes.
// Removing:  clears the entry; that is durable with the next sync of the file, and only then are the
//            pages given out again: what was removed may be back after a crash, but whole.
//            Segments that hold nothing are removed, but for one. Blobs do not move.
// Errors:    full, io. After a failed sync nothing is put into that segment any more.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "broker/store/blob_head.hpp"
#include "broker/store/file.hpp"
#include "broker/store/state_store.hpp"

namespace scanmq::broker {

class BlobSegment;

class BlobSegments {
  public:
    struct Options {
        std::string folder;  // made when it is not there; the one above it is
        std::uint64_t segment_bytes = 32U << 20;
        // put() calls it before each sync, without a lock: the moment may be a bad one.
        std::function<void()> before_sync = nullptr;
    };
    // Where a blob is: found by open(), or given by put().
    struct Place {
        std::uint32_t segment{};
        std::uint32_t entry{};
        std::uint32_t page{};
        std::uint64_t bytes{};
        [[nodiscard]] bool operator==(const Place&) const = default;
    };
    struct Found {
        BlobInfo info;
        Place place;
        WallMillis used{};
    };
    struct Held {
        const BlobInfo* info{};
        ByteView bytes;  // info->held_bytes() long
    };
    struct Opened;

    static constexpr std::uint64_t kPageBytes = 4096;
    static constexpr std::uint32_t kEntries = 2048;  // of one segment
    static constexpr std::uint64_t kEntryBytes = 256;
    static constexpr std::uint64_t kFirstPageAt = kPageBytes + kEntries * kEntryBytes;

    [[nodiscard]] static Result<Opened, StateError> open(FileSystem& files, Options options);

    // Whether a blob's entry has room for what it is.
    [[nodiscard]] static bool takes(const BlobInfo& info);
    // All of them or none; durable when it returns.
    [[nodiscard]] Result<std::vector<Place>, StateError> put(std::span<const Held> blobs,
                                                             WallMillis now);
    void remove(const Place& place);
    // Not synced: losing it makes a blob look older than it is.
    void used(const Place& place, WallMillis now);
    // Of a blob that another thread removes meanwhile: an error, or other bytes than its own.
    [[nodiscard]] Result<std::string, StateError> read(const Place& place) const;

    [[nodiscard]] std::string path(std::uint32_t segment) const;
    [[nodiscard]] static std::uint64_t offset(const Place& place) noexcept {
        return kFirstPageAt + place.page * kPageBytes;
    }
    [[nodiscard]] std::uint64_t segment_bytes() const noexcept { return options_.segment_bytes; }
    // Segments removed since the last call: whoever maps them must let them go.
    [[nodiscard]] std::vector<std::uint32_t> take_removed();

    [[nodiscard]] static std::uint32_t pages_of(std::uint64_t bytes) noexcept {
        return static_cast<std::uint32_t>((bytes + kPageBytes - 1) / kPageBytes);
    }

  private:
    struct Scanned;

    BlobSegments(FileSystem& files, Options options)
        : files_(files), options_(std::move(options)) {}
    [[nodiscard]] Result<void, StateError> scan(Opened& out);
    [[nodiscard]] Result<Scanned, StateError> scan_segment(std::uint32_t number, Opened& out);
    void choose(std::vector<Scanned>& all, Opened& out) const;
    void take_over(Scanned& one, Opened& out);

    [[nodiscard]] Result<Place, StateError> allocate(std::uint64_t bytes);
    [[nodiscard]] Result<BlobSegment*, StateError> create();
    [[nodiscard]] Result<void, StateError> sync(BlobSegment& segment);
    [[nodiscard]] std::uint64_t freed_pages(const BlobSegment& segment) const;
    void remove_empty();
    [[nodiscard]] std::shared_ptr<BlobSegment> find(std::uint32_t number) const;
    [[nodiscard]] std::shared_ptr<BlobSegment> find_any(
        std::uint32_t number) const;  // null: removed
    [[nodiscard]] std::uint64_t pages_max() const noexcept {
        return (options_.segment_bytes - kFirstPageAt) / kPageBytes;
    }

    FileSystem& files_;
    const Options options_;
    std::uint64_t batch_ = 0;  // the newest
    std::uint32_t next_ = 0;   // segment
    mutable std::mutex mutex_;
    // Changed by put() only, and under mutex_, which the others hold to read it.
    std::map<std::uint32_t, std::shared_ptr<BlobSegment>> segments_;
    std::vector<std::uint32_t> removed_;  // guarded by mutex_
};

struct BlobSegments::Opened {
    std::unique_ptr<BlobSegments> segments;
    std::vector<Found> found;  // each id once
    std::vector<StateError> damaged;
    std::uint64_t unfinished{};  // blobs of the newest batch that were not whole
};

}  // namespace scanmq::broker
