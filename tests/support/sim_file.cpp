#include "tests/support/sim_file.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::tests {

using broker::File;
using broker::FileError;
using broker::FileLock;
using broker::FileResult;
using Kind = FileError::Kind;

namespace {

constexpr std::uint64_t kSector = 512;

Failure<FileError> failure(Kind kind, const std::string& what, const std::string& path,
                           const char* reason) {
    return fail(FileError{kind, "cannot " + what + " " + path + ": " + reason});
}

}  // namespace

class SimFile final : public File {
  public:
    SimFile(SimFileSystem& files, SimFileSystem::Node node, std::string path)
        : files_(files), node_(std::move(node)), path_(std::move(path)), life_(files.life_) {}

    FileResult<std::size_t> pread(std::uint64_t offset, char* out, std::size_t bytes) override {
        if (dead()) return failure(Kind::io, "read", path_, "the process ended");
        ++files_.counters_.reads;
        if (files_.faults.failing_reads > 0) {
            --files_.faults.failing_reads;
            return failure(Kind::io, "read", path_, "Input/output error");
        }
        if (offset >= node_->now.size()) return std::size_t{0};
        return node_->now.copy(out, bytes, offset);
    }

    FileResult<void> pwrite(std::uint64_t offset, ByteView bytes) override {
        if (dead()) return failure(Kind::io, "write", path_, "the process ended");
        if (auto changed = files_.change(); !changed) return changed;
        ++files_.counters_.writes;
        const std::uint64_t end = offset + bytes.size();
        const std::uint64_t size = node_->now.size();
        if (end > size) {
            if (auto grown = files_.grow(end - size, path_); !grown) return grown;
        }
        const bool fails = files_.faults.failing_writes > 0;
        if (fails) {
            --files_.faults.failing_writes;
            bytes = bytes.substr(0, bytes.size() / 2);
        }
        files_.counters_.bytes_written += bytes.size();
        SimFileSystem::put(node_->now, offset, bytes);
        node_->unsynced.push_back({offset, std::string(bytes), false});
        if (fails) return failure(Kind::io, "write", path_, "Input/output error");
        return {};
    }

    FileResult<void> sync() override {
        if (dead()) return failure(Kind::io, "sync", path_, "the process ended");
        if (auto changed = files_.change(); !changed) return changed;
        ++files_.counters_.syncs;
        SimFileFaults& faults = files_.faults;
        if (faults.every_sync_fails || faults.failing_syncs > 0) {
            if (faults.failing_syncs > 0) --faults.failing_syncs;
            for (auto& write : node_->unsynced) write.doomed = true;
            return failure(Kind::io, "sync", path_, "Input/output error");
        }
        for (const auto& write : node_->unsynced) {
            if (write.doomed) continue;
            SimFileSystem::put(node_->durable, write.offset, write.bytes);
            // What it covers of an older write cannot come back.
            for (auto& older : node_->unsynced) {
                if (&older == &write) break;
                if (older.doomed) cover(older, write);
            }
        }
        std::erase_if(node_->unsynced, [](const auto& write) { return !write.doomed; });
        return {};
    }

    FileResult<void> preallocate(std::uint64_t bytes) override {
        if (dead()) return failure(Kind::io, "allocate", path_, "the process ended");
        if (auto changed = files_.change(); !changed) return changed;
        ++files_.counters_.preallocations;
        if (auto grown = files_.grow(bytes, path_); !grown) return grown;
        node_->now.assign(bytes, '\0');
        node_->unsynced.push_back({0, std::string(bytes, '\0'), false});
        return {};
    }

    FileResult<std::uint64_t> size() override {
        if (dead()) return failure(Kind::io, "stat", path_, "the process ended");
        return std::uint64_t{node_->now.size()};
    }

  private:
    template <class Write>
    static void cover(Write& older, const Write& newer) {
        const std::uint64_t begin = std::max(older.offset, newer.offset);
        const std::uint64_t end =
            std::min(older.offset + older.bytes.size(), newer.offset + newer.bytes.size());
        if (begin >= end) return;
        older.bytes.replace(begin - older.offset, end - begin, newer.bytes, begin - newer.offset,
                            end - begin);
    }

    [[nodiscard]] bool dead() const { return life_ != files_.life_; }

    SimFileSystem& files_;
    SimFileSystem::Node node_;
    std::string path_;
    std::uint64_t life_;
};

class SimLock final : public FileLock {
  public:
    SimLock(SimFileSystem& files, std::string path)
        : files_(files), path_(std::move(path)), life_(files.life_) {}
    ~SimLock() override {
        if (life_ == files_.life_) files_.locks_.erase(path_);
    }
    SimLock(const SimLock&) = delete;
    SimLock& operator=(const SimLock&) = delete;

  private:
    SimFileSystem& files_;
    std::string path_;
    std::uint64_t life_;
};

SimFileSystem::SimFileSystem() {
    for (const char* folder : {".", "/"}) {
        now_.folders.insert(folder);
        durable_.folders.insert(folder);
    }
}

SimFileSystem::~SimFileSystem() = default;

FileResult<std::unique_ptr<File>> SimFileSystem::open(const std::string& path) {
    const auto found = now_.files.find(path);
    if (found == now_.files.end()) {
        return failure(Kind::missing, "open", path, "No such file or directory");
    }
    return std::unique_ptr<File>(std::make_unique<SimFile>(*this, found->second, path));
}

FileResult<std::unique_ptr<File>> SimFileSystem::create(const std::string& path) {
    if (auto changed = change(); !changed) return fail(std::move(changed).error());
    const std::string folder = broker::folder_of(path);
    if (!now_.folders.contains(folder)) {
        return failure(Kind::missing, "open", path, "No such file or directory");
    }
    // Of an emptied file a crash may bring the old bytes back: the name stays what it was.
    Node node = std::make_shared<Inode>();
    record(folder, {"", path, node});
    return std::unique_ptr<File>(std::make_unique<SimFile>(*this, std::move(node), path));
}

FileResult<void> SimFileSystem::rename(const std::string& from, const std::string& to) {
    if (auto changed = change(); !changed) return changed;
    const auto found = now_.files.find(from);
    if (found == now_.files.end()) {
        return failure(Kind::missing, "rename", from, "No such file or directory");
    }
    record(broker::folder_of(from), {from, to, found->second});
    return {};
}

FileResult<void> SimFileSystem::remove(const std::string& path) {
    if (auto changed = change(); !changed) return changed;
    if (!now_.files.contains(path)) {
        return failure(Kind::missing, "remove", path, "No such file or directory");
    }
    record(broker::folder_of(path), {path, "", nullptr});
    return {};
}

FileResult<std::vector<std::string>> SimFileSystem::list(const std::string& folder) {
    if (!now_.folders.contains(folder)) {
        return failure(Kind::missing, "list", folder, "No such file or directory");
    }
    std::vector<std::string> names;
    const auto add = [&](const std::string& path) {
        if (path != folder && broker::folder_of(path) == folder) {
            names.push_back(path.substr(path.rfind('/') + 1));
        }
    };
    for (const auto& [path, node] : now_.files) add(path);
    for (const std::string& path : now_.folders) add(path);
    std::erase(names, ".");
    std::sort(names.begin(), names.end());
    return names;
}

FileResult<void> SimFileSystem::make_directory(const std::string& folder) {
    if (auto changed = change(); !changed) return changed;
    if (now_.folders.contains(folder)) return {};
    const std::string parent = broker::folder_of(folder);
    if (!now_.folders.contains(parent)) {
        return failure(Kind::missing, "make the folder", folder, "No such file or directory");
    }
    record(parent, {"", folder, nullptr});
    return {};
}

FileResult<void> SimFileSystem::sync_directory(const std::string& folder) {
    if (auto changed = change(); !changed) return changed;
    ++counters_.directory_syncs;
    for (const Change& change : unsynced_[folder]) apply(change, durable_);
    unsynced_.erase(folder);
    return {};
}

FileResult<std::uint64_t> SimFileSystem::free_bytes(const std::string& /*folder*/) {
    const std::uint64_t used = used_bytes();
    const std::uint64_t capacity = faults.capacity.value_or(1ULL << 40);
    return capacity > used ? capacity - used : 0;
}

FileResult<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path) {
    if (locks_.contains(path)) {
        return fail(FileError{Kind::held, path + " is locked by process 1"});
    }
    if (!now_.files.contains(path)) {
        auto created = create(path);
        if (!created) return fail(std::move(created).error());
    }
    locks_.insert(path);
    return std::unique_ptr<FileLock>(std::make_unique<SimLock>(*this, path));
}

void SimFileSystem::crash(Rng& rng) {
    for (const auto& [folder, changes] : unsynced_) {
        for (const Change& change : changes) {
            if (rng.below(2) == 0) apply(change, durable_);
        }
    }
    unsynced_.clear();
    // A folder that was lost took everything in it along; "." and "/" are always there.
    const auto lost = [&](const std::string& path) {
        for (std::string at = broker::folder_of(path); at != "." && at != "/";
             at = broker::folder_of(at)) {
            if (!durable_.folders.contains(at)) return true;
        }
        return false;
    };
    std::erase_if(durable_.files, [&](const auto& entry) { return lost(entry.first); });
    std::erase_if(durable_.folders, [&](const std::string& path) { return lost(path); });

    std::set<Inode*> done;
    for (const auto& [path, node] : durable_.files) {
        if (done.insert(node.get()).second) crash_file(*node, rng);
    }
    now_ = durable_;
    end_process();
    faults = SimFileFaults{faults.capacity, {}, 0, false, 0, 0};
}

void SimFileSystem::end_process() {
    ++life_;
    locks_.clear();
    faults.halt_after.reset();
}

bool SimFileSystem::halted() const noexcept {
    return faults.halt_after && counters_.changes >= *faults.halt_after;
}

std::uint64_t SimFileSystem::used_bytes() const {
    std::uint64_t sum = 0;
    std::set<const Inode*> seen;
    for (const auto& [path, node] : now_.files) {
        if (seen.insert(node.get()).second) sum += node->now.size();
    }
    return sum;
}

std::string SimFileSystem::contents(const std::string& path) const {
    const auto found = now_.files.find(path);
    return found == now_.files.end() ? std::string() : found->second->now;
}

void SimFileSystem::set_contents(const std::string& path, std::string bytes) {
    auto node = std::make_shared<Inode>();
    node->now = bytes;
    node->durable = std::move(bytes);
    now_.files[path] = node;
    durable_.files[path] = std::move(node);
}

std::unique_ptr<SimFileSystem> SimFileSystem::copy() const {
    auto out = std::make_unique<SimFileSystem>();
    out->now_.folders = out->durable_.folders = now_.folders;
    for (const auto& [path, node] : now_.files) out->set_contents(path, node->now);
    return out;
}

FileResult<void> SimFileSystem::change() {
    if (halted()) return fail(FileError{Kind::io, "the process has been halted"});
    ++counters_.changes;
    return {};
}

FileResult<void> SimFileSystem::grow(std::uint64_t bytes, const std::string& path) {
    if (faults.capacity && used_bytes() + bytes > *faults.capacity) {
        return failure(Kind::full, "write", path, "No space left on device");
    }
    return {};
}

void SimFileSystem::record(const std::string& folder, Change change) {
    apply(change, now_);
    unsynced_[folder].push_back(std::move(change));
}

void SimFileSystem::apply(const Change& change, Names& names) {
    if (!change.removed.empty()) names.files.erase(change.removed);
    if (change.added.empty()) return;
    if (change.node == nullptr) {
        names.folders.insert(change.added);
    } else {
        names.files[change.added] = change.node;
    }
}

void SimFileSystem::put(std::string& bytes, std::uint64_t offset, ByteView part) {
    if (bytes.size() < offset + part.size()) bytes.resize(offset + part.size());
    std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

void SimFileSystem::crash_file(Inode& inode, Rng& rng) {
    for (const Write& write : inode.unsynced) {
        const std::uint64_t fate =
            rng.below(4);  // 0: all lost, 1: all survive, else each by itself
        if (fate == 0) continue;
        for (std::uint64_t at = 0; at < write.bytes.size();) {
            const std::uint64_t sector_end = (write.offset + at) / kSector * kSector + kSector;
            const std::uint64_t piece =
                std::min<std::uint64_t>(sector_end - write.offset - at, write.bytes.size() - at);
            if (fate == 1 || rng.below(2) == 0) {
                const bool torn = fate != 1 && rng.below(8) == 0;
                const std::uint64_t part = torn ? rng.below(piece) : piece;
                put(inode.durable, write.offset + at, ByteView(write.bytes).substr(at, part));
            }
            at += piece;
        }
    }
    inode.unsynced.clear();
    inode.now = inode.durable;
}

}  // namespace scanmq::tests
