#pragma once
// BlobSegment: one file of BlobSegments: its free pages and entries, and what an entry says.
//
// Role:      a part of BlobSegments, which see; nothing else includes this.
// Threads:   put()'s; but `freed` is guarded by BlobSegments' mutex, and clear() is on any.
// Entry:     the time of its last use, a length (0: none), a row, its checksum. The length is one
//            byte: clearing it cannot be done by half.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/store/blob_segments.hpp"

namespace scanmq::broker {

class BlobSegment {
  public:
    using Place = BlobSegments::Place;

    struct Entry {
        BlobInfo info;
        std::uint32_t page{};
        std::uint64_t batch{};
        WallMillis used{};
    };
    enum class EntryState : std::uint8_t { none, blob, unreadable };

    BlobSegment(std::uint32_t its_number, std::unique_ptr<File> its_file)
        : number(its_number), file(std::move(its_file)) {}

    [[nodiscard]] static std::string name(std::uint32_t number);
    // Nothing: no segment's name.
    [[nodiscard]] static std::optional<std::uint32_t> number_of(const std::string& name);

    [[nodiscard]] static std::uint64_t entry_at(std::uint32_t entry) noexcept {
        return BlobSegments::kPageBytes + entry * BlobSegments::kEntryBytes;
    }
    [[nodiscard]] static std::string encode_entry(const BlobInfo& info, std::uint32_t page,
                                                  std::uint64_t batch, WallMillis used);
    [[nodiscard]] static std::string encode_used(WallMillis used);
    // `bytes`: kEntryBytes.
    [[nodiscard]] static EntryState decode_entry(ByteView bytes, Entry& out);

    // Lowest first. Nothing: no entry or no pages free, or broken.
    [[nodiscard]] std::optional<Place> take(std::uint64_t bytes, std::uint32_t pages);
    void give(const Place& place);
    void give_pages(std::uint32_t page, std::uint32_t count);
    [[nodiscard]] bool can_grow(std::uint32_t count, std::uint64_t pages_max) const noexcept {
        return !broken && !entries.empty() && pages + count <= pages_max;
    }
    // False: it was not written.
    [[nodiscard]] bool clear(std::uint32_t entry);

    const std::uint32_t number;
    const std::unique_ptr<File> file;
    std::map<std::uint32_t, std::uint32_t> free;  // runs of pages: first, how many
    std::set<std::uint32_t> entries;              // free ones
    std::uint32_t pages = 0;                      // of the file
    std::uint32_t blobs = 0;                      // entries in use, freed ones among them
    bool broken = false;
    std::vector<Place> freed;  // cleared, not yet synced
};

}  // namespace scanmq::broker
