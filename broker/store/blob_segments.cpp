#include "broker/store/blob_segments.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/store/blob_segment.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

// So many freed pages are worth a sync of their own before the file grows.
constexpr std::uint64_t kSettlePages = 64;

StateError from(const FileError& error) {
    const bool full = error.kind == FileError::Kind::full;
    return {full ? StateError::Kind::full : StateError::Kind::io, error.sentence};
}

// Writes pieces, those at once that lie one behind the other in a file.
class Run {
  public:
    // `room`: what it takes up; behind its bytes there are zeros.
    void add(File& file, std::uint64_t at, ByteView bytes, std::uint64_t room) {
        if (file_ != &file || at != at_ + gathered_.size() || gathered_.size() >= kRunBytesMax) {
            write();
            file_ = &file;
            at_ = at;
        }
        gathered_.append(bytes);
        gathered_.append(room - bytes.size(), '\0');
    }
    // The first failure; nothing was written after it.
    Result<void, StateError> end() {
        write();
        return std::move(done_);
    }

  private:
    static constexpr std::size_t kRunBytesMax = 512U << 10;

    void write() {
        if (done_ && !gathered_.empty()) {
            if (auto wrote = file_->pwrite(at_, gathered_); !wrote)
                done_ = fail(from(wrote.error()));
        }
        gathered_.clear();
    }

    File* file_ = nullptr;
    std::uint64_t at_ = 0;
    std::string gathered_;
    Result<void, StateError> done_;
};

}  // namespace

std::string BlobSegments::path(std::uint32_t segment) const {
    return options_.folder + "/" + BlobSegment::name(segment);
}

std::shared_ptr<BlobSegment> BlobSegments::find_any(std::uint32_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(number);
    return found == segments_.end() ? nullptr : found->second;
}

std::shared_ptr<BlobSegment> BlobSegments::find(std::uint32_t number) const {
    std::shared_ptr<BlobSegment> segment = find_any(number);
    SCANMQ_ASSERT(segment != nullptr);
    return segment;
}

bool BlobSegments::takes(const BlobInfo& info) {
    return BlobSegment::encode_entry(info, ~std::uint32_t{0}, ~std::uint64_t{0}, 0).size() <=
           kEntryBytes;
}

Result<std::vector<BlobSegments::Place>, StateError> BlobSegments::put(std::span<const Held> blobs,
                                                                       WallMillis now) {
    ++batch_;
    std::vector<Place> places;
    std::set<std::uint32_t> written;
    Result<void, StateError> done;
    for (const Held& blob : blobs) {
        SCANMQ_ASSERT(blob.bytes.size() == blob.info->held_bytes());
        auto place = allocate(blob.bytes.size());
        if (!place) {
            done = fail(std::move(place).error());
            break;
        }
        places.push_back(*place);
        written.insert(place->segment);
    }
    Run bytes;
    for (std::size_t i = 0; i < blobs.size() && done; ++i) {
        bytes.add(*find(places[i].segment)->file, offset(places[i]), blobs[i].bytes,
                  pages_of(places[i].bytes) * kPageBytes);
    }
    if (done) done = bytes.end();
    // Entries come last: until now nothing on the disk speaks of these pages.
    if (!done) {
        for (const Place& place : places) find(place.segment)->give(place);
        return fail(std::move(done).error());
    }
    Run entries;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        entries.add(*find(places[i].segment)->file, BlobSegment::entry_at(places[i].entry),
                    BlobSegment::encode_entry(*blobs[i].info, places[i].page, batch_, now),
                    kEntryBytes);
    }
    done = entries.end();
    for (const std::uint32_t number : written) {
        if (done) done = sync(*find(number));
    }
    if (!done) {
        // What there is of this batch may be on the disk: its pages are not given out again. A later batch
        // would make open() believe it; what cannot be cleared is found out when it is looked at.
        for (const Place& place : places)
            static_cast<void>(find(place.segment)->clear(place.entry));
        for (const std::uint32_t number : written) find(number)->broken = true;
        return fail(std::move(done).error());
    }
    remove_empty();
    return places;
}

Result<BlobSegments::Place, StateError> BlobSegments::allocate(std::uint64_t bytes) {
    const std::uint32_t pages = pages_of(bytes);
    SCANMQ_ASSERT(pages > 0 && pages <= pages_max());
    for (const auto& [number, segment] : segments_) {
        if (const auto place = segment->take(bytes, pages)) return *place;
    }
    for (const auto& [number, segment] : segments_) {
        if (segment->broken || freed_pages(*segment) < std::max<std::uint64_t>(pages, kSettlePages))
            continue;
        if (auto synced = sync(*segment); !synced) return fail(std::move(synced).error());
        if (const auto place = segment->take(bytes, pages)) return *place;
    }
    BlobSegment* grown = nullptr;
    for (const auto& [number, segment] : segments_) {
        if (segment->can_grow(pages, pages_max())) grown = segment.get();
    }
    if (grown == nullptr) {
        auto created = create();
        if (!created) return fail(std::move(created).error());
        grown = *created;
    }
    grown->give_pages(grown->pages, pages);
    grown->pages += pages;
    const auto place = grown->take(bytes, pages);
    SCANMQ_ASSERT(place.has_value());
    return *place;
}

Result<BlobSegment*, StateError> BlobSegments::create() {
    const std::uint32_t number = next_;
    auto file = files_.create(path(number));
    if (!file) return fail(from(file.error()));
    std::string front = encode_segment_head();
    front.resize(kFirstPageAt, '\0');
    auto done = (*file)->pwrite(0, front);
    if (done && options_.before_sync) options_.before_sync();
    if (done) done = (*file)->sync();
    if (done) done = files_.sync_directory(options_.folder);
    if (!done) {
        static_cast<void>(files_.remove(path(number)));
        return fail(from(done.error()));
    }
    next_ = number + 1;
    auto segment = std::make_shared<BlobSegment>(number, std::move(*file));
    for (std::uint32_t entry = 0; entry < kEntries; ++entry) segment->entries.insert(entry);
    const std::lock_guard lock(mutex_);
    return segments_.emplace(number, std::move(segment)).first->second.get();
}

Result<void, StateError> BlobSegments::sync(BlobSegment& segment) {
    std::vector<Place> freed;
    {
        const std::lock_guard lock(mutex_);
        freed = std::exchange(segment.freed, {});
    }
    if (options_.before_sync) options_.before_sync();
    if (const auto synced = segment.file->sync(); !synced) {
        segment.broken = true;
        return fail(from(synced.error()));
    }
    for (const Place& place : freed) segment.give(place);
    return {};
}

std::uint64_t BlobSegments::freed_pages(const BlobSegment& segment) const {
    const std::lock_guard lock(mutex_);
    std::uint64_t out = 0;
    for (const Place& place : segment.freed) out += pages_of(place.bytes);
    return out;
}

// Whose blobs were all removed: with the file goes what is left of them, so no sync is needed.
void BlobSegments::remove_empty() {
    std::vector<std::uint32_t> empty;
    {
        const std::lock_guard lock(mutex_);
        for (auto it = segments_.begin(); it != segments_.end() && segments_.size() > 1;) {
            if (it->second->blobs != it->second->freed.size()) {
                ++it;
                continue;
            }
            empty.push_back(it->first);
            it = segments_.erase(it);
        }
        removed_.insert(removed_.end(), empty.begin(), empty.end());
    }
    // One that stays is empty at the next start as well.
    for (const std::uint32_t number : empty) static_cast<void>(files_.remove(path(number)));
}

void BlobSegments::remove(const Place& place) {
    const std::shared_ptr<BlobSegment> segment = find(place.segment);
    // One that cannot be cleared is back after a restart, and removed again when room is needed.
    if (!segment->clear(place.entry)) return;
    const std::lock_guard lock(mutex_);
    segment->freed.push_back(place);
}

void BlobSegments::used(const Place& place, WallMillis now) {
    const std::string stamp = BlobSegment::encode_used(now);
    static_cast<void>(find(place.segment)->file->pwrite(BlobSegment::entry_at(place.entry), stamp));
}

Result<std::string, StateError> BlobSegments::read(const Place& place) const {
    const std::shared_ptr<BlobSegment> segment = find_any(place.segment);
    if (segment == nullptr) {
        return fail(StateError{StateError::Kind::io, "blobs in " + path(place.segment) +
                                                         ": the file was removed with the last "
                                                         "of them; look the blob up again"});
    }
    std::string out(place.bytes, '\0');
    const auto got = segment->file->pread(offset(place), out.data(), out.size());
    if (!got) return fail(from(got.error()));
    out.resize(*got);
    return out;
}

std::vector<std::uint32_t> BlobSegments::take_removed() {
    const std::lock_guard lock(mutex_);
    return std::exchange(removed_, {});
}

}  // namespace scanmq::broker
