// Undoing what a killed process had not synced (unsynced_journal.hpp). Order: names, then each file's
// bytes and size, newest note first. Notes are whole but for the last one, which was being written when
// the process died, so its change was never made.

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/e2e/unsynced_journal.hpp"

namespace scanmq::unsynced {
namespace {

struct Read {
    Note note;
    std::string payload;
    std::uint64_t position{};
};

struct Counts {
    std::uint64_t names{};
    std::uint64_t files{};
    std::uint64_t bytes{};
};

[[noreturn]] void give_up(const std::string& what) {
    std::fprintf(stderr, "unsynced: cannot undo: %s: %s\n", what.c_str(), std::strerror(errno));
    std::_Exit(86);
}

template <class... Arguments>
long raw(long number, Arguments... arguments) {
    return ::syscall(number, arguments...);
}

// SplitMix64 (Steele, Lea, Flood 2014): a number for each (seed, what), whatever the order asked in.
std::uint64_t draw(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
    std::uint64_t x = seed * 0x9e3779b97f4a7c15ULL + a * 0xbf58476d1ce4e5b9ULL + b;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

// How many of `count` changes were on the disk already.
std::uint64_t kept(std::uint64_t seed, std::uint64_t a, std::uint64_t b, std::uint64_t count) {
    return seed == 0 ? 0 : draw(seed, a, b) % (count + 1);
}

std::vector<Read> read_notes(const std::string& path) {
    std::vector<Read> out;
    const auto fd = static_cast<int>(raw(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd < 0) return out;
    std::uint64_t position = 0;
    for (;;) {
        Read read;
        read.position = position;
        if (::pread(fd, &read.note, sizeof read.note, static_cast<off_t>(position)) !=
            static_cast<ssize_t>(sizeof read.note)) {
            break;
        }
        position += sizeof read.note;
        read.payload.resize(read.note.payload_bytes);
        if (::pread(fd, read.payload.data(), read.payload.size(), static_cast<off_t>(position)) !=
            static_cast<ssize_t>(read.payload.size())) {
            break;
        }
        position += read.payload.size();
        out.push_back(std::move(read));
    }
    ::close(fd);
    return out;
}

std::uint64_t inode_at(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

void unlink_raw(const std::string& path) { raw(SYS_unlinkat, AT_FDCWD, path.c_str(), 0); }

void undo_name(const std::string& folder, const Read& read) {
    const Note& note = read.note;
    const auto restore = [&](std::uint64_t inode, const std::string& path) {
        const std::string data = folder + "/" + std::to_string(inode) + ".data";
        if (raw(SYS_linkat, AT_FDCWD, data.c_str(), AT_FDCWD, path.c_str(), 0) != 0 &&
            errno != EEXIST) {
            give_up(path);
        }
    };
    if (note.kind == NoteKind::create) {
        if (inode_at(read.payload) != note.inode) return;
        unlink_raw(read.payload);
        raw(SYS_unlinkat, AT_FDCWD, read.payload.c_str(), AT_REMOVEDIR);  // stays when in use
    } else if (note.kind == NoteKind::remove) {
        if (inode_at(read.payload) == 0) restore(note.inode, read.payload);
    } else {
        const auto cut = read.payload.find('\0');
        const std::string from = read.payload.substr(0, cut);
        const std::string to = read.payload.substr(cut + 1);
        if (inode_at(to) == note.inode &&
            raw(SYS_renameat, AT_FDCWD, to.c_str(), AT_FDCWD, from.c_str()) != 0) {
            give_up(to);
        }
        // rename() does nothing when both are the same file, which a second run may find.
        if (inode_at(to) == note.inode) unlink_raw(to);
        if (note.replaced != 0 && inode_at(to) == 0) restore(note.replaced, to);
    }
}

void undo_names(const std::string& folder, std::uint64_t seed, Counts& counts) {
    const std::vector<Read> notes = read_notes(folder + "/names");
    std::vector<const Read*> open;
    for (std::size_t i = 0; i < notes.size(); ++i) {
        const Note& note = notes[i].note;
        if (note.kind == NoteKind::synced || note.kind == NoteKind::directory) continue;
        const bool durable = std::any_of(
            notes.begin() + static_cast<std::ptrdiff_t>(i), notes.end(), [&](const Read& later) {
                const Note& other = later.note;
                const bool itself = note.kind == NoteKind::create && other.inode == note.inode;
                if (other.kind == NoteKind::directory) {
                    return itself ||
                           (other.directory == note.directory && note.sequence < other.mark);
                }
                return other.kind == NoteKind::synced && itself;
            });
        if (!durable) open.push_back(&notes[i]);
    }
    const std::uint64_t keep = kept(seed, 0, 0, open.size());
    for (std::size_t i = open.size(); i-- > keep; ++counts.names) undo_name(folder, *open[i]);
}

// One file's open notes: which changes reach a page, and which of them stay.
class FileUndo {
  public:
    FileUndo(std::vector<Read> notes, std::uint64_t seed, std::uint64_t inode)
        : notes_(std::move(notes)), seed_(seed), inode_(inode) {
        std::uint64_t mark = 0;
        for (const Read& read : notes_) {
            if (read.note.kind == NoteKind::synced) mark = std::max(mark, read.note.mark);
        }
        std::erase_if(notes_, [&](const Read& read) {
            return read.position < mark || read.note.kind == NoteKind::synced;
        });
        for (std::size_t i = 0; i < notes_.size(); ++i) {
            const Note& note = notes_[i].note;
            if (note.kind == NoteKind::pages) sizes_from_ = i;
            each_page(note, [&](std::int64_t page) {
                Page& state = pages_[page];
                if (note.kind == NoteKind::pages) state = {i, 0, 0};
                if (note.kind == NoteKind::change) ++state.changes;
            });
        }
        for (auto& [page, state] : pages_) {
            const auto keep =
                kept(seed_, inode_, static_cast<std::uint64_t>(page) + 1, state.changes);
            state.undone = state.changes - keep;
        }
    }

    [[nodiscard]] bool nothing() const { return notes_.empty(); }

    void apply(int fd, Counts& counts) {
        const std::int64_t size = final_size(fd);
        for (std::size_t i = notes_.size(); i-- > 0;) {
            const Read& read = notes_[i];
            if (read.note.kind != NoteKind::change) continue;
            each_page(read.note, [&](std::int64_t page) {
                Page& state = pages_[page];
                if (i < state.from || state.undone == 0) return;
                --state.undone;
                restore(fd, read, page, size, counts);
            });
        }
        if (::syscall(SYS_ftruncate, fd, size) != 0) give_up("a file's size");
    }

  private:
    struct Page {
        std::size_t from = 0;  // notes before this one are void for it
        std::uint64_t changes = 0;
        std::uint64_t undone = 0;
    };

    template <class Visit>
    static void each_page(const Note& note, Visit visit) {
        if (note.length == 0) return;
        const std::int64_t last = (note.offset + note.length - 1) / kPageBytes;
        for (std::int64_t page = note.offset / kPageBytes; page <= last; ++page) visit(page);
    }

    // The size before the first change of size that is taken back.
    [[nodiscard]] std::int64_t final_size(int fd) const {
        struct stat status {};
        if (::fstat(fd, &status) != 0) give_up("a file");
        std::vector<std::int64_t> sizes;
        for (std::size_t i = sizes_from_; i < notes_.size(); ++i) {
            const Note& note = notes_[i].note;
            if (note.kind != NoteKind::change) continue;
            if (sizes.empty() || sizes.back() != note.old_size) sizes.push_back(note.old_size);
        }
        if (sizes.empty()) return status.st_size;
        sizes.push_back(status.st_size);
        return sizes[kept(seed_, inode_, 0, sizes.size() - 1)];
    }

    static void restore(int fd, const Read& read, std::int64_t page, std::int64_t size,
                        Counts& counts) {
        const Note& note = read.note;
        const std::int64_t begin = std::max(note.offset, page * kPageBytes);
        const std::int64_t end =
            std::min({note.offset + note.length, (page + 1) * kPageBytes, size});
        if (begin >= end) return;
        std::string bytes(static_cast<std::size_t>(end - begin), '\0');
        const auto skip = static_cast<std::size_t>(begin - note.offset);
        if (skip < read.payload.size()) {
            std::memcpy(bytes.data(), read.payload.data() + skip,
                        std::min(bytes.size(), read.payload.size() - skip));
        }
        if (raw(SYS_pwrite64, fd, bytes.data(), bytes.size(), begin) !=
            static_cast<long>(bytes.size())) {
            give_up("bytes");
        }
        counts.bytes += bytes.size();
    }

    std::vector<Read> notes_;
    std::uint64_t seed_;
    std::uint64_t inode_;
    std::size_t sizes_from_ = 0;
    std::unordered_map<std::int64_t, Page> pages_;
};

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> out;
    DIR* directory = ::opendir(folder.c_str());
    if (directory == nullptr) return out;
    while (const dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.') out.emplace_back(entry->d_name);
    }
    ::closedir(directory);
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

std::string roll_back(const std::string& folder, std::uint64_t seed) {
    const std::vector<std::string> names = names_in(folder);
    Counts counts;
    undo_names(folder, seed, counts);
    for (const std::string& name : names) {
        const auto dot = name.find(".undo");
        if (dot == std::string::npos) continue;
        const std::string inode = name.substr(0, dot);
        FileUndo undo(read_notes(folder + "/" + name), seed,
                      std::strtoull(inode.c_str(), nullptr, 10));
        const std::string data = folder + "/" + inode + ".data";
        const auto fd =
            static_cast<int>(raw(SYS_openat, AT_FDCWD, data.c_str(), O_RDWR | O_CLOEXEC));
        if (fd < 0) continue;
        if (!undo.nothing()) {
            ++counts.files;
            undo.apply(fd, counts);
        }
        ::close(fd);
    }
    for (const std::string& name : names) unlink_raw(folder + "/" + name);
    raw(SYS_unlinkat, AT_FDCWD, folder.c_str(), AT_REMOVEDIR);
    if (counts.names + counts.files == 0) return "";
    return ", undid " + std::to_string(counts.names) + " names, " + std::to_string(counts.files) +
           " files, " + std::to_string(counts.bytes) + " bytes";
}

}  // namespace scanmq::unsynced
