#include "tests/e2e/unsynced_journal.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace scanmq::unsynced {
namespace {

constexpr std::int64_t kPieceBytes = 1 << 20;

// The shim's own calls must not come back to it.
template <class... Arguments>
long raw(long number, Arguments... arguments) {
    return ::syscall(number, arguments...);
}

[[noreturn]] void give_up(const char* doing, const std::string& what) {
    ::dprintf(STDERR_FILENO, "unsynced: %s %s: %s\n", doing, what.c_str(), std::strerror(errno));
    std::_Exit(86);
}

int open_raw(const std::string& path, int flags) {
    return static_cast<int>(raw(SYS_openat, AT_FDCWD, path.c_str(), flags | O_CLOEXEC, 0644));
}

std::string path_of(int fd) {
    std::array<char, 64> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
    std::array<char, PATH_MAX> path{};
    const auto n = ::readlink(link.data(), path.data(), path.size() - 1);
    return n > 0 ? std::string(path.data(), static_cast<std::size_t>(n)) : std::string();
}

bool is_below(const std::string& path, const std::string& directory) {
    return path.compare(0, directory.size(), directory) == 0 &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::uint64_t inode_of(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

void append_note(int fd, const Note& note, const void* payload) {
    std::array<iovec, 2> parts{};
    parts[0] = {const_cast<Note*>(&note), sizeof note};  // NOLINT: iovec is not const
    parts[1] = {const_cast<void*>(payload), note.payload_bytes};
    const auto bytes = static_cast<long>(sizeof note + note.payload_bytes);
    if (raw(SYS_writev, fd, parts.data(), payload == nullptr ? 1 : 2) != bytes) {
        give_up("cannot note a change", "");
    }
}

}  // namespace

std::unique_ptr<Journal> Journal::open(const std::string& directory, std::uint64_t seed) {
    raw(SYS_mkdirat, AT_FDCWD, directory.c_str(), 0755);
    std::array<char, PATH_MAX> resolved{};
    if (::realpath(directory.c_str(), resolved.data()) == nullptr) give_up("no such", directory);
    const std::string real = resolved.data();
    struct stat status {};
    if (::stat(real.c_str(), &status) != 0) give_up("cannot look at", real);
    const int lock = open_raw(real + ".undo-lock", O_RDWR | O_CREAT);
    if (lock < 0) give_up("cannot open the lock beside", real);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(lock, F_SETLK, &whole) != 0) {
        ::dprintf(STDERR_FILENO, "unsynced: another process works on %s\n", real.c_str());
        ::close(lock);
        return nullptr;
    }
    const std::string undone = roll_back(real + ".undo", seed);
    if (raw(SYS_mkdirat, AT_FDCWD, (real + ".undo").c_str(), 0755) != 0)
        give_up("cannot make", real + ".undo");
    ::dprintf(STDERR_FILENO, "unsynced: watching %s%s\n", real.c_str(), undone.c_str());
    return std::unique_ptr<Journal>(new Journal(real, lock, status.st_dev));
}

Journal::Journal(std::string directory, int lock, dev_t device)
    : directory_(std::move(directory)), undo_(directory_ + ".undo"), device_(device), lock_(lock) {
    names_ = open_raw(undo_ + "/names", O_RDWR | O_CREAT | O_APPEND);
    if (names_ < 0) give_up("cannot make", undo_ + "/names");
}

Journal::File* Journal::track(const std::string& link_from, const struct stat& status) {
    File& file = files_[status.st_ino];
    if (file.data >= 0) return &file;
    const std::string name = undo_ + "/" + std::to_string(status.st_ino);
    if (raw(SYS_linkat, AT_FDCWD, link_from.c_str(), AT_FDCWD, (name + ".data").c_str(),
            AT_SYMLINK_FOLLOW) != 0) {
        give_up("cannot link", link_from);
    }
    file.data = open_raw(name + ".data", O_RDWR);
    file.undo = open_raw(name + ".undo", O_RDWR | O_CREAT | O_APPEND);
    if (file.data < 0 || file.undo < 0) give_up("cannot watch", link_from);
    return &file;
}

Journal::File* Journal::file(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_dev != device_)
        return nullptr;
    if (const auto known = files_.find(status.st_ino); known != files_.end()) return &known->second;
    const std::string path = path_of(fd);
    // Not those that lost their name before they were known: nothing of them is to be found again.
    if (!is_below(path, directory_) || status.st_nlink == 0) return nullptr;
    return track("/proc/self/fd/" + std::to_string(fd), status);
}

Journal::File* Journal::file_at(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
    return track(path, status);
}

std::optional<std::uint64_t> Journal::directory(int fd) const {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
    if (!is_below(path_of(fd), directory_)) return std::nullopt;
    return status.st_ino;
}

std::optional<std::string> Journal::path_in(int base, const char* path) const {
    std::string whole = path;
    if (whole.empty() || whole.back() == '/') return std::nullopt;
    if (whole.front() != '/') {
        whole = (base == AT_FDCWD ? std::string(".") : "/proc/self/fd/" + std::to_string(base)) +
                "/" + whole;
    }
    const auto slash = whole.rfind('/');
    std::array<char, PATH_MAX> resolved{};
    const std::string parent = slash == 0 ? "/" : whole.substr(0, slash);
    if (::realpath(parent.c_str(), resolved.data()) == nullptr) return std::nullopt;
    if (!is_below(resolved.data(), directory_)) return std::nullopt;
    return resolved.data() + whole.substr(slash);
}

void Journal::append(File& file, const Note& note, const void* payload) {
    append_note(file.undo, note, payload);
    file.bytes += sizeof note + note.payload_bytes;
}

void Journal::changing(File& file, std::int64_t offset, std::int64_t length) {
    struct stat status {};
    if (::fstat(file.data, &status) != 0) give_up("cannot look at", "a file");
    std::string before;
    // Bytes beyond the end need no copy, so that they need no pieces either.
    const std::int64_t copied = std::clamp<std::int64_t>(status.st_size - offset, 0, length);
    for (std::int64_t done = 0; done < length || done == 0;) {
        const std::int64_t there = std::min(kPieceBytes, copied - done);
        const std::int64_t piece = there > 0 ? there : length - done;
        Note note;
        note.kind = NoteKind::change;
        note.offset = offset + done;
        note.length = piece;
        note.old_size = status.st_size;
        if (there > 0) {
            before.resize(static_cast<std::size_t>(there));
            if (raw(SYS_pread64, file.data, before.data(), before.size(), note.offset) != there) {
                give_up("cannot read", "what is about to change");
            }
            note.payload_bytes = static_cast<std::uint32_t>(there);
        }
        append(file, note, there > 0 ? before.data() : nullptr);
        if (piece == 0) break;
        done += piece;
    }
}

void Journal::wrote_through(File& file, std::int64_t offset, std::int64_t length) {
    if (file.bytes == 0) return;
    Note note;
    note.kind = NoteKind::pages;
    note.offset = offset;
    note.length = length;
    append(file, note, nullptr);
}

void Journal::synced(File& file, std::uint64_t mark) {
    if (mark > file.dropped) {
        if (mark == file.dropped + file.bytes) {
            if (raw(SYS_ftruncate, file.undo, 0) != 0) give_up("cannot drop", "notes");
            file.dropped = mark;
            file.bytes = 0;
        } else {
            Note note;
            note.kind = NoteKind::synced;
            note.mark = mark - file.dropped;
            append(file, note, nullptr);
        }
    }
    if (!file.created) return;
    file.created = false;
    struct stat status {};
    if (::fstat(file.data, &status) != 0) give_up("cannot look at", "a file");
    Note note;
    note.kind = NoteKind::synced;
    note.inode = status.st_ino;
    append_note(names_, note, nullptr);
    std::erase_if(outstanding_,
                  [&](const Name& name) { return name.create && name.inode == status.st_ino; });
    drop_names();
}

void Journal::append_name(Note note, const std::string& payload) {
    note.sequence = sequence_++;
    note.payload_bytes = static_cast<std::uint32_t>(payload.size());
    append_note(names_, note, payload.data());
    outstanding_.push_back(
        {note.sequence, note.directory, note.inode, note.kind == NoteKind::create});
}

void Journal::created(int fd) {
    File* made = file(fd);
    const std::string path = path_of(fd);
    if (made == nullptr || !is_below(path, directory_)) return;
    made->created = true;
    Note note;
    note.kind = NoteKind::create;
    note.inode = inode_of(path);
    note.directory = inode_of(parent_of(path));
    append_name(note, path);
}

void Journal::made_directory(const std::string& path) {
    Note note;
    note.kind = NoteKind::create;
    note.inode = inode_of(path);
    note.directory = inode_of(parent_of(path));
    append_name(note, path);
}

void Journal::renaming(const std::string& from, const std::string& to) {
    if (file_at(from) == nullptr || from == to) return;
    Note note;
    note.kind = NoteKind::rename;
    note.inode = inode_of(from);
    note.replaced = file_at(to) == nullptr ? 0 : inode_of(to);
    note.directory = inode_of(parent_of(to));
    append_name(note, from + '\0' + to);
}

void Journal::removing(const std::string& path) {
    if (file_at(path) == nullptr) return;
    Note note;
    note.kind = NoteKind::remove;
    note.inode = inode_of(path);
    note.directory = inode_of(parent_of(path));
    append_name(note, path);
}

void Journal::synced_directory(std::uint64_t directory, std::uint64_t mark) {
    Note note;
    note.kind = NoteKind::directory;
    note.directory = directory;
    note.inode = directory;  // its own name, too
    note.mark = mark;
    append_note(names_, note, nullptr);
    std::erase_if(outstanding_, [&](const Name& name) {
        return (name.directory == directory && name.sequence < mark) ||
               (name.create && name.inode == directory);
    });
    drop_names();
}

void Journal::synced_everything() {
    for (auto& [inode, file] : files_) {
        if (raw(SYS_ftruncate, file.undo, 0) != 0) give_up("cannot drop", "notes");
        file.dropped += std::exchange(file.bytes, 0);
        file.created = false;
    }
    outstanding_.clear();
    drop_names();
}

void Journal::drop_names() {
    if (outstanding_.empty() && raw(SYS_ftruncate, names_, 0) != 0) give_up("cannot drop", "notes");
}

}  // namespace scanmq::unsynced
