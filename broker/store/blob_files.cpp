#include "broker/store/blob_files.hpp"

#include <algorithm>
#include <cstring>

#include "broker/store/state_keys.hpp"
#include "common/base/assert.hpp"
#include "common/compress/zstd.hpp"

namespace scanmq::broker {
namespace {

constexpr ByteView kMagic = "scanmqbl";
constexpr std::uint64_t kRawVersion = 1;
constexpr std::uint64_t kVersion = 2;     // of encoded ones
constexpr std::size_t kPrefixBytes = 12;  // magic, and the length of what follows up to the bytes
constexpr std::size_t kChecksumBytes = 8;
constexpr std::size_t kHeadBytesMax = 4096;
constexpr std::string_view kPart = ".part";

struct Head {
    std::uint64_t version = kRawVersion;
    protocol::BlobType type{};
    std::string_view label;
    std::uint64_t bytes{};
    ContentId id;
    protocol::BlobEncoding encoding{};
    std::uint64_t encoded_bytes{};
    template <class A>
    void fields(A& a) {
        a.uint(version);
        a.number(type);
        a.text(label);
        a.uint(bytes);
        a.id(id);
        if (version < kVersion) return;
        a.number(encoding);
        a.uint(encoded_bytes);
    }
};

ByteView checksum(const ContentId& hash) { return hash.view().substr(0, kChecksumBytes); }

std::string encode_head(const BlobInfo& info) {
    std::string fields;
    const bool raw = info.encoding == protocol::BlobEncoding::raw;
    encode_row(Head{raw ? kRawVersion : kVersion, info.type, info.label, info.bytes, info.id,
                    info.encoding, info.encoded_bytes},
               fields);
    const ContentId hash = content_id(fields);
    fields.append(checksum(hash));
    const auto size = static_cast<std::uint32_t>(fields.size());
    std::string out(kMagic);
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    return out + fields;
}

// The head of a file's bytes, which end with it: its length, or 0. A later version is read as far as
// its version.
std::size_t decode_head(ByteView file, Head& head) {
    if (file.size() < kPrefixBytes || file.substr(0, kMagic.size()) != kMagic) return 0;
    std::uint32_t size = 0;
    std::memcpy(&size, file.data() + kMagic.size(), sizeof size);
    if (size < kChecksumBytes || size > kHeadBytesMax || size > file.size() - kPrefixBytes)
        return 0;
    const ByteView fields = file.substr(kPrefixBytes, size - kChecksumBytes);
    const ContentId hash = content_id(fields);
    if (file.substr(kPrefixBytes + fields.size(), kChecksumBytes) != checksum(hash)) return 0;
    ArchiveReader reader(fields);
    reader.uint(head.version);
    if (reader.ok() && head.version > kVersion) return kPrefixBytes + size;
    if (!decode_row(fields, head)) return 0;
    if (head.version == kVersion && head.encoding != protocol::BlobEncoding::zstd) return 0;
    return kPrefixBytes + size;
}

StateError damage(const std::filesystem::path& path, std::string_view what) {
    return {StateError::Kind::damaged,
            "blob " + path.string() + ": " + std::string(what) + "; put it again"};
}

}  // namespace

bool holds_its_bytes(const BlobInfo& info, ByteView held) {
    if (info.encoding == protocol::BlobEncoding::raw) return content_id(held) == info.id;
    return compress::content_id_of_zstd(held, info.bytes) == info.id;
}

Result<std::unique_ptr<BlobFiles>, StateError> BlobFiles::open(const Options& options) {
    if (auto made = Disk::make_directory(options.directory); !made) {
        return fail(std::move(made).error());
    }
    std::unique_ptr<BlobFiles> files(new BlobFiles(options.directory));
    if (auto done = files->scan(options.verify_at_start); !done) {
        return fail(std::move(done).error());
    }
    return files;
}

BlobFiles::~BlobFiles() {
    for (const auto& [id, blob] : blobs_) Disk::unmap(blob.mapped);
}

Result<void, StateError> BlobFiles::scan(bool verify) {
    auto folders = Disk::list(directory_);
    if (!folders) return fail(std::move(folders).error());
    for (const auto& folder : *folders) {
        if (folder.filename().string().size() != 2 || !std::filesystem::is_directory(folder)) {
            continue;
        }
        auto files = Disk::list(folder);
        if (!files) return fail(std::move(files).error());
        for (const auto& path : *files) {
            if (path.extension() == kPart) {
                if (auto gone = Disk::remove(path); !gone) return fail(std::move(gone).error());
                continue;
            }
            if (auto done = look_at(path, verify); !done) {
                if (done.error().kind != StateError::Kind::damaged) return done;
                damaged_.push_back(done.error());
            }
        }
    }
    return {};
}

Result<void, StateError> BlobFiles::look_at(const std::filesystem::path& path, bool verify) {
    auto file = Disk::map(path);
    if (!file) return fail(std::move(file).error());
    const auto started = std::filesystem::file_time_type::clock::now();
    Head head;
    const std::size_t head_bytes = decode_head(*file, head);
    const BlobInfo info{head.id,    head.type,     std::string(head.label),
                        head.bytes, head.encoding, head.encoded_bytes};
    Result<void, StateError> done;
    if (head_bytes == 0) {
        done = fail(damage(path, "its head cannot be read"));
    } else if (head.version > kVersion) {
        done = fail(StateError{StateError::Kind::newer_version,
                               "blob " + path.string() + " has version " +
                                   std::to_string(head.version) + "; use a later release"});
    } else if (path_of(head.id) != path) {
        done = fail(damage(path, "it is another blob's"));
    } else if (file->size() != head_bytes + info.held_bytes()) {
        done = fail(damage(path, "it has " + std::to_string(file->size() - head_bytes) +
                                     " bytes of " + std::to_string(info.held_bytes())));
    } else if (verify && !holds_its_bytes(info, file->substr(head_bytes))) {
        done = fail(damage(path, "its bytes do not hash to its id"));
    } else {
        Blob& blob = blobs_[head.id];
        blob.info = info;
        blob.head_bytes = head_bytes;
        blob.verified = verify;
        std::error_code code;
        // A clock that was ahead once must not make all others look long unused.
        blob.used = std::min(std::filesystem::last_write_time(path, code), started);
        if (code) blob.used = started;
        used_last_ = std::max(used_last_, blob.used);
        bytes_ += info.held_bytes();
    }
    Disk::unmap(*file);
    return done;
}

std::filesystem::path BlobFiles::path_of(const ContentId& id) const {
    const std::string hex = id.hex();
    return directory_ / hex.substr(0, 2) / hex;
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

Result<void, StateError> BlobFiles::put(const BlobInfo& info, ByteView bytes) {
    SCANMQ_ASSERT(bytes.size() == info.held_bytes());
    if (has(info.id)) return {};
    const std::filesystem::path path = path_of(info.id);
    const std::filesystem::path folder = path.parent_path();
    if (auto made = Disk::make_directory(folder); !made) return made;
    std::filesystem::path part = path;
    part += kPart;
    const std::string head = encode_head(info);
    const ByteView pieces[] = {head, bytes};
    auto done = Disk::write(part, pieces);
    if (done) done = Disk::rename(part, path);
    if (done) done = Disk::sync_directory(folder);
    if (!done) return done;
    const std::lock_guard lock(mutex_);
    Blob& blob = blobs_[info.id];
    blob.info = info;
    blob.head_bytes = head.size();
    blob.verified = true;
    blob.used = std::filesystem::file_time_type::clock::now();
    bytes_ += info.held_bytes();
    return {};
}

void BlobFiles::used(std::span<const ContentId> ids) const {
    const auto now = std::filesystem::file_time_type::clock::now();
    for (const ContentId& id : ids) {
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
    if (blob->mapped.empty() && !blob->read) {
        if (auto done = load(*blob); !done) return fail(std::move(done).error());
    }
    const ByteView bytes = blob->read ? ByteView(blob->read.get(), blob->info.held_bytes())
                                      : blob->mapped.substr(blob->head_bytes);
    if (blob->verified) return std::optional<ByteView>(bytes);
    if (!holds_its_bytes(blob->info, bytes)) {
        return fail(damage(path_of(id), "its bytes do not hash to its id"));
    }
    blob->verified = true;
    return std::optional<ByteView>(bytes);
}

Result<void, StateError> BlobFiles::load(Blob& blob) {
    const std::filesystem::path path = path_of(blob.info.id);
    auto file = Disk::map(path);
    if (!file) return fail(std::move(file).error());
    if (file->size() != blob.head_bytes + blob.info.held_bytes()) {
        Disk::unmap(*file);
        return fail(damage(path, "its size is another than at the start"));
    }
    const std::lock_guard lock(mutex_);
    if (maps_ < kMapsMax) {
        ++maps_;
        blob.mapped = *file;
        return {};
    }
    const std::uint64_t bytes = blob.info.held_bytes();
    blob.read = std::make_unique_for_overwrite<char[]>(bytes);
    std::memcpy(blob.read.get(), file->data() + blob.head_bytes, bytes);
    Disk::unmap(*file);
    return {};
}

Result<void, StateError> BlobFiles::remove(const ContentId& id) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = blobs_.find(id);
        if (found == blobs_.end()) return {};
        if (!found->second.mapped.empty()) --maps_;
        Disk::unmap(found->second.mapped);
        bytes_ -= found->second.info.held_bytes();
        blobs_.erase(found);
    }
    auto gone = Disk::remove(path_of(id));
    if (!gone) return fail(std::move(gone).error());
    return {};
}

Result<void, StateError> BlobFiles::link_all(const std::filesystem::path& directory) const {
    if (auto made = Disk::make_directory(directory); !made) return made;
    std::vector<std::filesystem::path> folders;
    for (const BlobInfo& info : list()) {
        const std::filesystem::path from = path_of(info.id);
        const std::filesystem::path folder = directory / from.parent_path().filename();
        const std::filesystem::path to = folder / from.filename();
        std::error_code code;
        if (std::filesystem::exists(to, code)) continue;
        if (auto made = Disk::make_directory(folder); !made) return made;
        if (auto linked = Disk::link_or_copy(from, to); !linked) {
            if (!has(info.id)) continue;  // removed meanwhile
            return linked;
        }
        if (folders.empty() || folders.back() != folder) folders.push_back(folder);
    }
    for (const auto& folder : folders) {
        if (auto synced = Disk::sync_directory(folder); !synced) return synced;
    }
    return Disk::sync_directory(directory);
}

}  // namespace scanmq::broker
