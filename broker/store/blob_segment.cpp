#include "broker/store/blob_segment.hpp"

#include <charconv>
#include <cstring>

#include "broker/store/blob_row.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

constexpr std::size_t kUsedBytes = sizeof(WallMillis);
constexpr std::size_t kNameDigits = 8;

struct SegmentEntryRow {
    std::uint64_t page{};
    std::uint64_t batch{};
    BlobRow blob;
    template <class A>
    void fields(A& a) {
        a.uint(page);
        a.uint(batch);
        blob.fields(a);
    }
};

}  // namespace

std::string BlobSegment::name(std::uint32_t number) {
    std::string digits = std::to_string(number);
    return std::string(kNameDigits - std::min(kNameDigits, digits.size()), '0') + digits;
}

std::optional<std::uint32_t> BlobSegment::number_of(const std::string& name) {
    std::uint32_t out = 0;
    const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), out);
    if (code != std::errc() || end != name.data() + name.size() || BlobSegment::name(out) != name)
        return std::nullopt;
    return out;
}

std::string BlobSegment::encode_used(WallMillis used) {
    return {reinterpret_cast<const char*>(&used), sizeof used};
}

std::string BlobSegment::encode_entry(const BlobInfo& info, std::uint32_t page, std::uint64_t batch,
                                      WallMillis used) {
    std::string row;
    encode_row(SegmentEntryRow{page, batch, BlobRow(info)}, row);
    return encode_used(used) + static_cast<char>(row.size()) + row + blob_checksum(row);
}

BlobSegment::EntryState BlobSegment::decode_entry(ByteView bytes, Entry& out) {
    const auto size = static_cast<unsigned char>(bytes[kUsedBytes]);
    if (size == 0) return EntryState::none;
    const ByteView rest = bytes.substr(kUsedBytes + 1);
    if (rest.size() < size + kBlobChecksumBytes) return EntryState::unreadable;
    const ByteView fields = rest.substr(0, size);
    SegmentEntryRow row;
    if (rest.substr(size, kBlobChecksumBytes) != blob_checksum(fields) || !decode_row(fields, row))
        return EntryState::unreadable;
    std::memcpy(&out.used, bytes.data(), sizeof out.used);
    out.info = row.blob.info();
    out.page = static_cast<std::uint32_t>(row.page);
    out.batch = row.batch;
    return EntryState::blob;
}

std::optional<BlobSegments::Place> BlobSegment::take(std::uint64_t bytes, std::uint32_t count) {
    if (broken || entries.empty()) return std::nullopt;
    for (auto run = free.begin(); run != free.end(); ++run) {
        if (run->second < count) continue;
        const Place place{number, *entries.begin(), run->first, bytes};
        const std::uint32_t left = run->second - count;
        free.erase(run);
        if (left != 0) free.emplace(place.page + count, left);
        entries.erase(entries.begin());
        ++blobs;
        return place;
    }
    return std::nullopt;
}

void BlobSegment::give(const Place& place) {
    SCANMQ_ASSERT(blobs > 0);
    --blobs;
    entries.insert(place.entry);
    give_pages(place.page, BlobSegments::pages_of(place.bytes));
}

void BlobSegment::give_pages(std::uint32_t page, std::uint32_t count) {
    const auto after = free.lower_bound(page);
    if (after != free.end() && after->first == page + count) {
        count += after->second;
        free.erase(after);
    }
    const auto next = free.lower_bound(page);
    if (next != free.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second == page) {
            before->second += count;
            return;
        }
    }
    free.emplace(page, count);
}

bool BlobSegment::clear(std::uint32_t entry) {
    return file->pwrite(entry_at(entry) + kUsedBytes, ByteView("\0", 1)).ok();
}

}  // namespace scanmq::broker
