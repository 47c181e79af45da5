#include "broker/store/blob_files.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

constexpr std::string_view kPart = ".part";
constexpr std::string_view kSegmentFolder = "sg";  // no hex digits, but as long
// Blobs and bytes that one batch of a copy holds in memory.
constexpr std::size_t kCopyBlobs = 64;

StateError damage(const std::filesystem::path& path, std::string_view what) {
    return {StateError::Kind::damaged,
            "blob " + path.string() + ": " + std::string(what) + "; put it again"};
}

std::filesystem::file_time_type file_time(WallMillis at) {
    return std::chrono::file_clock::from_sys(
        std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(at)));
}

WallMillis now_millis() { return SystemClock().wall_millis(); }

}  // namespace

Result<std::unique_ptr<BlobFiles>, StateError> BlobFiles::open(Options options) {
    if (auto made = Disk::make_directory(options.directory); !made) {
        return fail(std::move(made).error());
    }
    std::unique_ptr<BlobFiles> files(new BlobFiles(std::move(options)));
    if (auto done = files->scan(); !done) return fail(std::move(done).error());
    return files;
}

BlobFiles::~BlobFiles() {
    for (const auto& [id, blob] : blobs_) Disk::unmap(blob.mapped);
    for (const auto& [number, bytes] : segment_maps_) Disk::unmap(bytes);
}

Result<void, StateError> BlobFiles::scan() {
    auto folders = Disk::list(options_.directory);
    if (!folders) return fail(std::move(folders).error());
    for (const auto& folder : *folders) {
        if (folder.filename().string().size() != 2 || folder.filename() == kSegmentFolder ||
            !std::filesystem::is_directory(folder)) {
            continue;
        }
        auto files = Disk::list(folder);
        if (!files) return fail(std::move(files).error());
        for (const auto& path : *files) {
            if (path.extension() == kPart) {
                if (auto gone = Disk::remove(path); !gone) return fail(std::move(gone).error());
                continue;
            }
            if (auto done = look_at(path); !done) {
                if (done.error().kind != StateError::Kind::damaged) return done;
                damaged_.push_back(done.error());
            }
        }
    }
    return open_segments();
}

Result<void, StateError> BlobFiles::open_segments() {
    const auto started = std::filesystem::file_time_type::clock::now();
    auto opened =
        BlobSegments::open(posix_, {.folder = (options_.directory / kSegmentFolder).string(),
                                    .before_sync = options_.before_sync});
    if (!opened) return fail(std::move(opened).error());
    segments_ = std::move(opened->segments);
    unfinished_ = opened->unfinished;
    damaged_.insert(damaged_.end(), opened->damaged.begin(), opened->damaged.end());
    for (const BlobSegments::Found& found : opened->found) {
        if (options_.verify_at_start) {
            auto bytes = segments_->read(found.place);
            if (!bytes) return fail(std::move(bytes).error());
            if (!holds_its_bytes(found.info, *bytes)) {
                damaged_.push_back(
                    damage(segments_->path(found.place.segment),
                           "the bytes of " + found.info.id.hex() + " do not hash to its id"));
                segments_->remove(found.place);
                continue;
            }
        }
        // One that has a file, too, was put while that was damaged.
        if (has(found.info.id)) {
            segments_->remove(found.place);
            continue;
        }
        keep(found.info, found.place, 0);
        Blob& blob = blobs_[found.info.id];
        blob.verified = options_.verify_at_start;
        blob.used = std::min(file_time(found.used), started);
        used_last_ = std::max(used_last_, blob.used);
    }
    return {};
}

Result<void, StateError> BlobFiles::look_at(const std::filesystem::path& path) {
    auto file = Disk::map(path);
    if (!file) return fail(std::move(file).error());
    const auto started = std::filesystem::file_time_type::clock::now();
    BlobHead head;
    const std::size_t head_bytes = decode_blob_head(*file, head);
    const BlobInfo& info = head.info;
    Result<void, StateError> done;
    if (head_bytes == 0) {
        done = fail(damage(path, "its head cannot be read"));
    } else if (head.version > kEncodedBlobVersion) {
        done = fail(StateError{StateError::Kind::newer_version,
                               "blob " + path.string() + " has version " +
                                   std::to_string(head.version) + "; use a later release"});
    } else if (path_of(info.id) != path) {
        done = fail(damage(path, "it is another blob's"));
    } else if (file->size() != head_bytes + info.held_bytes()) {
        done = fail(damage(path, "it has " + std::to_string(file->size() - head_bytes) +
                                     " bytes of " + std::to_string(info.held_bytes())));
    } else if (options_.verify_at_start && !holds_its_bytes(info, file->substr(head_bytes))) {
        done = fail(damage(path, "its bytes do not hash to its id"));
    } else {
        keep(info, std::nullopt, head_bytes);
        Blob& blob = blobs_[info.id];
        blob.verified = options_.verify_at_start;
        std::error_code code;
        // A clock that was ahead once must not make all others look long unused.
        blob.used = std::min(std::filesystem::last_write_time(path, code), started);
        if (code) blob.used = started;
        used_last_ = std::max(used_last_, blob.used);
    }
    Disk::unmap(*file);
    return done;
}

std::filesystem::path BlobFiles::path_of(const ContentId& id) const {
    const std::string hex = id.hex();
    return options_.directory / hex.substr(0, 2) / hex;
}

std::vector<BlobInfo> BlobFiles::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<BlobInfo> out;
    for (const auto& [id, blob] : blobs_) {
        out.push_back(blob.info);
        if (blob.used < used_last_) {
            out.back().idle = std::chrono::duration_cast<Duration>(used_last_ - blob.used);
        }
    }
    return out;
}

bool BlobFiles::has(const ContentId& id) const {
    const std::lock_guard lock(mutex_);
    return blobs_.count(id) != 0;
}

std::uint64_t BlobFiles::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

Result<void, StateError> BlobFiles::put(std::span<const Held> blobs) {
    std::vector<Held> small;
    for (const Held& blob : blobs) {
        SCANMQ_ASSERT(blob.bytes.size() == blob.info->held_bytes());
        if (has(blob.info->id)) continue;
        if (blob.bytes.size() <= options_.small_bytes_max && BlobSegments::takes(*blob.info)) {
            small.push_back(blob);
        } else if (auto done = put_file(blob); !done) {
            return done;
        }
    }
    return small.empty() ? Result<void, StateError>() : put_small(small);
}

Result<void, StateError> BlobFiles::put_small(std::span<const Held> blobs) {
    auto places = segments_->put(blobs, now_millis());
    if (!places) return fail(std::move(places).error());
    for (std::size_t i = 0; i < blobs.size(); ++i) {
        keep(*blobs[i].info, (*places)[i], 0);
        // A damaged file of it has been replaced.
        if (!damaged_.empty()) static_cast<void>(Disk::remove(path_of(blobs[i].info->id)));
    }
    const std::lock_guard lock(mutex_);
    for (const std::uint32_t gone : segments_->take_removed()) {
        const auto found = segment_maps_.find(gone);
        if (found == segment_maps_.end()) continue;
        Disk::unmap(found->second);
        segment_maps_.erase(found);
    }
    return {};
}

Result<void, StateError> BlobFiles::put_file(const Held& held) {
    const std::filesystem::path path = path_of(held.info->id);
    const std::filesystem::path folder = path.parent_path();
    if (auto made = Disk::make_directory(folder); !made) return made;
    std::filesystem::path part = path;
    part += kPart;
    const std::string head = encode_blob_head(*held.info);
    const ByteView pieces[] = {head, held.bytes};
    if (options_.before_sync) options_.before_sync();
    auto done = Disk::write(part, pieces);
    if (done) done = Disk::rename(part, path);
    if (done) done = Disk::sync_directory(folder);
    if (!done) return done;
    keep(*held.info, std::nullopt, head.size());
    return {};
}

void BlobFiles::keep(const BlobInfo& info, std::optional<BlobSegments::Place> place,
                     std::size_t head_bytes) {
    const std::lock_guard lock(mutex_);
    Blob& blob = blobs_[info.id];
    blob.info = info;
    blob.place = place;
    blob.head_bytes = head_bytes;
    blob.verified = true;
    blob.used = std::filesystem::file_time_type::clock::now();
    bytes_ += info.held_bytes();
}

void BlobFiles::used(std::span<const ContentId> ids) const {
    const auto now = std::filesystem::file_time_type::clock::now();
    for (const ContentId& id : ids) {
        std::optional<BlobSegments::Place> place;
        {
            // Held for the stamp: its entry must not become another's meanwhile.
            const std::lock_guard lock(mutex_);
            const auto found = blobs_.find(id);
            if (found == blobs_.end()) continue;
            if (found->second.place) {
                segments_->used(*found->second.place, now_millis());
                continue;
            }
        }
        std::error_code gone;
        std::filesystem::last_write_time(path_of(id), now, gone);
    }
}

Result<std::optional<ByteView>, StateError> BlobFiles::view(const ContentId& id) {
    Blob* blob = nullptr;
    {
        const std::lock_guard lock(mutex_);
        const auto found = blobs_.find(id);
        if (found == blobs_.end()) return std::optional<ByteView>();
        blob = &found->second;
    }
    auto bytes = blob->place ? load_segment(*blob->place) : load(*blob);
    if (!bytes) return fail(std::move(bytes).error());
    if (blob->verified) return std::optional<ByteView>(*bytes);
    if (!holds_its_bytes(blob->info, *bytes)) {
        return fail(damage(blob->place
                               ? std::filesystem::path(segments_->path(blob->place->segment))
                               : path_of(id),
                           "the bytes of " + id.hex() + " do not hash to its id"));
    }
    blob->verified = true;
    return std::optional<ByteView>(*bytes);
}

Result<ByteView, StateError> BlobFiles::load(Blob& blob) {
    const std::uint64_t bytes = blob.info.held_bytes();
    if (blob.read) return ByteView(blob.read.get(), bytes);
    if (!blob.mapped.empty()) return blob.mapped.substr(blob.head_bytes);
    const std::filesystem::path path = path_of(blob.info.id);
    auto file = Disk::map(path);
    if (!file) return fail(std::move(file).error());
    if (file->size() != blob.head_bytes + bytes) {
        Disk::unmap(*file);
        return fail(damage(path, "its size is another than at the start"));
    }
    const std::lock_guard lock(mutex_);
    if (maps_ < kMapsMax) {
        ++maps_;
        blob.mapped = *file;
        return file->substr(blob.head_bytes);
    }
    blob.read = std::make_unique_for_overwrite<char[]>(bytes);
    std::memcpy(blob.read.get(), file->data() + blob.head_bytes, bytes);
    Disk::unmap(*file);
    return ByteView(blob.read.get(), bytes);
}

// The whole file at once, and what it may grow to: a segment is mapped once.
Result<ByteView, StateError> BlobFiles::load_segment(const BlobSegments::Place& place) {
    const std::lock_guard lock(mutex_);
    ByteView& map = segment_maps_[place.segment];
    if (map.empty()) {
        auto mapped = Disk::map(segments_->path(place.segment), segments_->segment_bytes());
        if (!mapped) return fail(std::move(mapped).error());
        map = *mapped;
    }
    return map.substr(BlobSegments::offset(place), place.bytes);
}

Result<void, StateError> BlobFiles::remove(const ContentId& id) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = blobs_.find(id);
        if (found == blobs_.end()) return {};
        const auto place = found->second.place;
        if (!found->second.mapped.empty()) --maps_;
        Disk::unmap(found->second.mapped);
        bytes_ -= found->second.info.held_bytes();
        blobs_.erase(found);
        if (place) {
            segments_->remove(*place);
            return {};
        }
    }
    auto gone = Disk::remove(path_of(id));
    if (!gone) return fail(std::move(gone).error());
    return {};
}

Result<void, StateError> BlobFiles::copy_all(const std::filesystem::path& directory,
                                             CopyBy by) const {
    if (auto made = Disk::make_directory(directory); !made) return made;
    std::set<std::filesystem::path> folders;
    std::vector<BlobInfo> small;
    for (BlobInfo& info : list()) {
        if (place_of(info.id)) {
            small.push_back(std::move(info));
            continue;
        }
        const std::filesystem::path from = path_of(info.id);
        const std::filesystem::path folder = directory / from.parent_path().filename();
        const std::filesystem::path to = folder / from.filename();
        std::error_code code;
        if (std::filesystem::exists(to, code)) continue;
        if (auto made = Disk::make_directory(folder); !made) return made;
        auto done = by == CopyBy::link ? Disk::link_or_copy(from, to) : Disk::copy(from, to);
        if (!done) {
            if (!has(info.id)) continue;  // removed meanwhile
            return done;
        }
        folders.insert(folder);
    }
    if (!small.empty()) {
        if (auto done = copy_small(small, directory / kSegmentFolder); !done) return done;
    }
    for (const auto& folder : folders) {
        if (auto synced = Disk::sync_directory(folder); !synced) return synced;
    }
    return Disk::sync_directory(directory);
}

std::optional<BlobSegments::Place> BlobFiles::place_of(const ContentId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(id);
    return found == blobs_.end() ? std::nullopt : found->second.place;
}

// Apart from the views, which end with remove(): of what is removed meanwhile the file may be gone,
// or hold others' bytes; and it may be put again.
Result<std::optional<std::string>, StateError> BlobFiles::read_small(const BlobInfo& info) const {
    auto place = place_of(info.id);
    while (place) {
        auto read = segments_->read(*place);
        if (read && holds_its_bytes(info, *read)) return std::optional(std::move(*read));
        const auto now = place_of(info.id);
        if (now == place) {
            if (!read) return fail(std::move(read).error());
            return fail(damage(segments_->path(place->segment),
                               "the bytes of " + info.id.hex() + " do not hash to its id"));
        }
        place = now;
    }
    return std::optional<std::string>();
}

Result<void, StateError> BlobFiles::copy_small(std::span<const BlobInfo> blobs,
                                               const std::filesystem::path& folder) const {
    PosixFileSystem posix;
    auto to = BlobSegments::open(posix, {folder.string()});
    if (!to) return fail(std::move(to).error());
    std::set<ContentId> there;
    for (const BlobSegments::Found& found : to->found) there.insert(found.info.id);
    std::vector<std::string> bytes;
    std::vector<Held> batch;
    const auto write = [&]() -> Result<void, StateError> {
        for (std::size_t i = 0; i < batch.size(); ++i) batch[i].bytes = bytes[i];
        auto done = to->segments->put(batch, now_millis());
        bytes.clear();
        batch.clear();
        if (!done) return fail(std::move(done).error());
        return {};
    };
    for (const BlobInfo& info : blobs) {
        if (there.count(info.id) != 0) continue;
        auto read = read_small(info);
        if (!read) return fail(std::move(read).error());
        if (!*read) continue;
        bytes.push_back(std::move(**read));
        batch.push_back({&info, {}});
        if (batch.size() < kCopyBlobs) continue;
        if (auto done = write(); !done) return done;
    }
    return batch.empty() ? Result<void, StateError>() : write();
}

}  // namespace scanmq::broker
