// BlobSegments::open(): what the files say, and what of it is kept.

#include <algorithm>
#include <set>

#include "broker/store/blob_segment.hpp"

namespace scanmq::broker {
namespace {

using Entry = BlobSegment::Entry;

StateError io(const FileError& error) { return {StateError::Kind::io, error.sentence}; }

StateError damage(const std::string& path, const std::string& what) {
    return {StateError::Kind::damaged, "blobs in " + path + ": " + what};
}

}  // namespace

// A segment and the blobs that its entries tell of.
struct BlobSegments::Scanned {
    struct Blob {
        Entry entry;
        Place place;
        bool kept = true;
    };
    std::shared_ptr<BlobSegment> segment;
    std::vector<Blob> blobs;
};

Result<BlobSegments::Opened, StateError> BlobSegments::open(FileSystem& files, Options options) {
    if (!files.list(options.folder)) {
        auto made = files.make_directory(options.folder);
        if (made) made = files.sync_directory(folder_of(options.folder));
        if (!made) return fail(io(made.error()));
    }
    Opened out;
    out.segments.reset(new BlobSegments(files, std::move(options)));
    if (auto done = out.segments->scan(out); !done) return fail(std::move(done).error());
    return out;
}

Result<void, StateError> BlobSegments::scan(Opened& out) {
    const auto names = files_.list(options_.folder);
    if (!names) return fail(io(names.error()));
    std::vector<Scanned> all;
    for (const std::string& name : *names) {
        const auto number = BlobSegment::number_of(name);
        if (!number) continue;
        next_ = std::max(next_, *number + 1);
        auto one = scan_segment(*number, out);
        if (!one) return fail(std::move(one).error());
        if (one->segment != nullptr) all.push_back(std::move(*one));
    }
    choose(all, out);
    for (Scanned& one : all) take_over(one, out);
    remove_empty();
    static_cast<void>(take_removed());  // nobody knows them
    return {};
}

Result<BlobSegments::Scanned, StateError> BlobSegments::scan_segment(std::uint32_t number,
                                                                     Opened& out) {
    auto file = files_.open(path(number));
    if (!file) return fail(io(file.error()));
    const auto size = (*file)->size();
    if (!size) return fail(io(size.error()));
    std::string front(kFirstPageAt, '\0');
    const auto got = (*file)->pread(0, front.data(), front.size());
    if (!got) return fail(io(got.error()));
    BlobHead head;
    const bool readable = decode_blob_head(front, head) != 0;
    if (readable && head.version > kSegmentVersion) {
        return fail(StateError{StateError::Kind::newer_version,
                               "blobs in " + path(number) + " have version " +
                                   std::to_string(head.version) + "; use a later release"});
    }
    Scanned one;
    if (*size < kFirstPageAt || (!readable && *size == kFirstPageAt)) {
        // create() was interrupted.
        if (auto gone = files_.remove(path(number)); !gone) return fail(io(gone.error()));
        return one;
    }
    if (!readable || head.version != kSegmentVersion) {
        out.damaged.push_back(damage(path(number), "its head cannot be read; put them again"));
        return one;
    }
    one.segment = std::make_shared<BlobSegment>(number, std::move(*file));
    one.segment->pages = static_cast<std::uint32_t>((*size - kFirstPageAt) / kPageBytes);
    for (std::uint32_t i = kEntries; i-- > 0;) {
        Entry entry;
        const auto state = BlobSegment::decode_entry(
            ByteView(front).substr(BlobSegment::entry_at(i), kEntryBytes), entry);
        if (state == BlobSegment::EntryState::blob) {
            const std::uint64_t bytes = entry.info.held_bytes();
            one.blobs.push_back({entry, {number, i, entry.page, bytes}});
            continue;
        }
        one.segment->entries.insert(i);
        if (state == BlobSegment::EntryState::none) continue;
        out.damaged.push_back(
            damage(path(number),
                   "entry " + std::to_string(i) + " cannot be read; its blob has to be put again"));
    }
    return one;
}

// Of each id, and of blobs that lie on each other, the newest; of the newest batch what is whole.
void BlobSegments::choose(std::vector<Scanned>& all, Opened& out) const {
    std::vector<std::pair<const Scanned*, Scanned::Blob*>> blobs;
    std::uint64_t newest = 0;
    for (Scanned& one : all) {
        for (Scanned::Blob& blob : one.blobs) {
            blobs.emplace_back(&one, &blob);
            newest = std::max(newest, blob.entry.batch);
        }
    }
    std::stable_sort(blobs.begin(), blobs.end(), [](const auto& a, const auto& b) {
        return a.second->entry.batch > b.second->entry.batch;
    });
    std::set<ContentId> ids;
    std::map<std::uint32_t, std::map<std::uint32_t, std::uint32_t>> taken;  // page, pages
    for (auto& [one, blob] : blobs) {
        // The newest may be beyond the end: the file grows by what is written.
        const std::uint64_t pages = one->segment->pages;
        const bool within = blob->place.bytes != 0 && blob->place.page <= pages &&
                            blob->place.bytes <= (pages - blob->place.page) * kPageBytes;
        if (!within) {
            blob->kept = false;
            if (blob->entry.batch == newest) {
                ++out.unfinished;
            } else {
                out.damaged.push_back(damage(
                    path(blob->place.segment),
                    "blob " + blob->entry.info.id.hex() + " is not within the file; put it again"));
            }
            continue;
        }
        const std::uint32_t first = blob->place.page;
        const std::uint32_t end = first + pages_of(blob->place.bytes);
        auto& runs = taken[blob->place.segment];
        const auto after = runs.lower_bound(first);
        const bool over =
            (after != runs.end() && after->first < end) ||
            (after != runs.begin() && std::prev(after)->first + std::prev(after)->second > first);
        if (over) {
            out.damaged.push_back(damage(
                path(blob->place.segment),
                "blob " + blob->entry.info.id.hex() + " lies on another's pages; put it again"));
            blob->kept = false;
        } else if (blob->entry.batch == newest) {
            std::string bytes(blob->place.bytes, '\0');
            const auto got =
                one->segment->file->pread(offset(blob->place), bytes.data(), bytes.size());
            blob->kept = got && *got == bytes.size() && holds_its_bytes(blob->entry.info, bytes);
            out.unfinished += blob->kept ? 0 : 1;
        }
        blob->kept = blob->kept && ids.insert(blob->entry.info.id).second;
        if (blob->kept) runs.emplace(first, end - first);
    }
}

void BlobSegments::take_over(Scanned& one, Opened& out) {
    BlobSegment& segment = *one.segment;
    bool cleared = false;
    std::map<std::uint32_t, std::uint32_t> runs;
    for (const Scanned::Blob& blob : one.blobs) {
        batch_ = std::max(batch_, blob.entry.batch);
        if (blob.kept) {
            runs.emplace(blob.place.page, pages_of(blob.place.bytes));
            ++segment.blobs;
            out.found.push_back({blob.entry.info, blob.place, blob.entry.used});
            continue;
        }
        // Before its pages are given out again, and before it is no longer of the newest batch.
        cleared = true;
        if (!segment.clear(blob.place.entry)) segment.broken = true;
        segment.entries.insert(blob.place.entry);
    }
    if (cleared && !segment.file->sync()) segment.broken = true;
    std::uint32_t at = 0;
    for (const auto& [page, count] : runs) {
        if (page > at) segment.give_pages(at, page - at);
        at = page + count;
    }
    if (segment.pages > at) segment.give_pages(at, segment.pages - at);
    segments_.emplace(segment.number, one.segment);
}

}  // namespace scanmq::broker
