// libunsynced.so: a machine that loses power whenever the process is killed.
//
// Use:     UNSYNCED_DIR=DIR [UNSYNCED_SEED=N] LD_PRELOAD=libunsynced.so PROGRAM. What PROGRAM changed
//          below DIR without syncing it is taken back when the next program so started begins
//          (unsynced_journal.hpp says what exactly, and what the seed does). One process at a time;
//          a second one is left alone.
// Stands:  in front of the system calls' wrappers, which it makes itself. stdio's own writes pass by.
// Threads: any; changes of watched files are made one at a time, syncs not.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <numeric>
#include <span>

#include "tests/e2e/unsynced_journal.hpp"

namespace {

using scanmq::unsynced::Journal;
using Lock = std::lock_guard<std::mutex>;

// Set before main(), never destroyed: other destructors may still write.
Journal* g_journal = nullptr;

[[gnu::constructor]] void begin() {
    const char* directory = std::getenv("UNSYNCED_DIR");
    if (directory == nullptr || *directory == '\0') return;
    const char* seed = std::getenv("UNSYNCED_SEED");
    g_journal =
        Journal::open(directory, seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10)).release();
}

template <class... Arguments>
long raw(long number, Arguments... arguments) {
    return ::syscall(number, arguments...);
}

// Not ours for sure, without taking the lock: sockets, pipes, other file systems.
bool foreign(int fd) {
    if (g_journal == nullptr) return true;
    struct stat status {};
    return ::fstat(fd, &status) != 0 || !g_journal->candidate(status);
}

std::int64_t size_of(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 ? status.st_size : 0;
}

// Carries out op(), a change of [offset, offset + length) of fd; offset -1: at fd's position.
template <class Operation>
auto change(int fd, std::int64_t offset, std::int64_t length, Operation op) {
    if (foreign(fd)) return op();
    std::unique_lock lock(g_journal->mutex());
    Journal::File* file = g_journal->file(fd);
    if (file == nullptr) {
        lock.unlock();
        return op();
    }
    const int flags = ::fcntl(fd, F_GETFL);
    if ((flags & O_APPEND) != 0) offset = size_of(fd);
    if (offset < 0) offset = ::lseek(fd, 0, SEEK_CUR);
    if ((flags & O_DSYNC) == 0) {
        g_journal->changing(*file, offset, length);
        return op();
    }
    const auto result = op();
    g_journal->wrote_through(*file, offset, length);
    return result;
}

std::int64_t total(std::span<const iovec> parts) {
    return std::accumulate(parts.begin(), parts.end(), std::int64_t{0},
                           [](std::int64_t sum, const iovec& part) {
                               return sum + static_cast<std::int64_t>(part.iov_len);
                           });
}

std::span<const iovec> span_of(const iovec* parts, int count) {
    return {parts, count > 0 ? static_cast<std::size_t>(count) : 0};
}

int resize(int fd, off_t size, long number) {
    const std::int64_t old_size = foreign(fd) ? 0 : size_of(fd);
    return change(fd, std::min<std::int64_t>(old_size, size), std::abs(old_size - size),
                  [&] { return static_cast<int>(raw(number, fd, size)); });
}

int allocate(int fd, int mode, off_t offset, off_t length) {
    const auto op = [&] { return static_cast<int>(raw(SYS_fallocate, fd, mode, offset, length)); };
    if (foreign(fd) || (mode & FALLOC_FL_KEEP_SIZE) != 0) {
        // Punching a hole keeps the size and changes bytes; reserving does neither.
        return mode == FALLOC_FL_KEEP_SIZE ? op() : change(fd, offset, length, op);
    }
    if (mode != 0) return change(fd, offset, length, op);
    const std::int64_t old_size = size_of(fd);
    if (offset + length <= old_size) return op();
    return change(fd, old_size, offset + length - old_size, op);
}

int sync(int fd, long number) {
    const auto op = [&] { return static_cast<int>(raw(number, fd)); };
    if (foreign(fd)) return op();
    Journal::File* file = nullptr;
    std::optional<std::uint64_t> directory;
    std::uint64_t mark = 0;
    {
        const Lock lock(g_journal->mutex());
        directory = g_journal->directory(fd);
        if (!directory) file = g_journal->file(fd);
        mark = file != nullptr ? g_journal->mark(*file) : g_journal->names_mark();
    }
    const int result = op();
    if (result != 0 || (file == nullptr && !directory)) return result;
    const Lock lock(g_journal->mutex());
    if (file != nullptr) g_journal->synced(*file, mark);
    if (directory) g_journal->synced_directory(*directory, mark);
    return result;
}

// op() opens or makes what `path` names; descriptor_of(result) is the descriptor, negative if it failed.
template <class Operation, class DescriptorOf>
auto opening(int base, const char* path, int flags, Operation op, DescriptorOf descriptor_of) {
    if (g_journal == nullptr || (flags & (O_CREAT | O_TRUNC)) == 0) return op();
    const Lock lock(g_journal->mutex());
    const auto whole = g_journal->path_in(base, path);
    if (!whole) return op();
    struct stat status {};
    const bool there = ::stat(whole->c_str(), &status) == 0;
    if (there && (flags & O_TRUNC) != 0 && S_ISREG(status.st_mode)) {
        if (auto* file = g_journal->file_at(*whole)) g_journal->changing(*file, 0, status.st_size);
    }
    const auto result = op();
    if (const int fd = descriptor_of(result); fd >= 0 && !there) g_journal->created(fd);
    return result;
}

int open_file(int base, const char* path, int flags, mode_t mode) {
    return opening(
        base, path, flags,
        [&] { return static_cast<int>(raw(SYS_openat, base, path, flags, mode)); },
        [](int fd) { return fd; });
}

// std::ofstream opens through stdio, and writes with write().
std::FILE* open_stream(const char* name, const char* path, const char* mode) {
    using Function = std::FILE* (*)(const char*, const char*);
    const auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
    const int flags = *mode == 'r' ? 0 : *mode == 'w' ? O_CREAT | O_TRUNC : O_CREAT;
    return opening(
        AT_FDCWD, path, flags, [&] { return next(path, mode); },
        [](std::FILE* stream) { return stream == nullptr ? -1 : ::fileno(stream); });
}

int rename_file(int from_base, const char* from, int to_base, const char* to, unsigned flags) {
    const auto op = [&] {
        return static_cast<int>(raw(SYS_renameat2, from_base, from, to_base, to, flags));
    };
    if (g_journal == nullptr || flags != 0) return op();
    const Lock lock(g_journal->mutex());
    const auto whole_from = g_journal->path_in(from_base, from);
    const auto whole_to = g_journal->path_in(to_base, to);
    if (whole_from && whole_to) g_journal->renaming(*whole_from, *whole_to);
    return op();
}

int remove_file(int base, const char* path, int flags) {
    const auto op = [&] { return static_cast<int>(raw(SYS_unlinkat, base, path, flags)); };
    if (g_journal == nullptr || flags != 0) return op();
    const Lock lock(g_journal->mutex());
    if (const auto whole = g_journal->path_in(base, path)) g_journal->removing(*whole);
    return op();
}

int make_directory(int base, const char* path, mode_t mode) {
    const auto op = [&] { return static_cast<int>(raw(SYS_mkdirat, base, path, mode)); };
    if (g_journal == nullptr) return op();
    const Lock lock(g_journal->mutex());
    const int result = op();
    if (result != 0) return result;
    if (const auto whole = g_journal->path_in(base, path)) g_journal->made_directory(*whole);
    return result;
}

mode_t mode_of(int flags, std::va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t count) {
    return change(fd, -1, static_cast<std::int64_t>(count),
                  [&] { return static_cast<ssize_t>(raw(SYS_write, fd, bytes, count)); });
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
    return change(fd, offset, static_cast<std::int64_t>(count), [&] {
        return static_cast<ssize_t>(raw(SYS_pwrite64, fd, bytes, count, offset));
    });
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
    return pwrite(fd, bytes, count, offset);
}

ssize_t writev(int fd, const iovec* parts, int count) {
    return change(fd, -1, total(span_of(parts, count)),
                  [&] { return static_cast<ssize_t>(raw(SYS_writev, fd, parts, count)); });
}

ssize_t pwritev2(int fd, const iovec* parts, int count, off_t offset, int flags) {
    return change(fd, offset, total(span_of(parts, count)), [&] {
        return static_cast<ssize_t>(raw(SYS_pwritev2, fd, parts, count, offset, 0L, flags));
    });
}
ssize_t pwritev64v2(int fd, const iovec* parts, int count, off64_t offset, int flags) {
    return pwritev2(fd, parts, count, offset, flags);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
    return change(fd, offset, total(span_of(parts, count)), [&] {
        return static_cast<ssize_t>(raw(SYS_pwritev, fd, parts, count, offset, 0L));
    });
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
    return pwritev(fd, parts, count, offset);
}

int ftruncate(int fd, off_t size) noexcept { return resize(fd, size, SYS_ftruncate); }
int ftruncate64(int fd, off64_t size) noexcept { return resize(fd, size, SYS_ftruncate); }

int truncate(const char* path, off_t size) noexcept {
    const auto fd = static_cast<int>(raw(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC));
    if (fd < 0) return -1;
    const int result = resize(fd, size, SYS_ftruncate);
    const int error = errno;
    ::close(fd);
    errno = error;
    return result;
}
int truncate64(const char* path, off64_t size) noexcept { return truncate(path, size); }

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return allocate(fd, mode, offset, length);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    return allocate(fd, mode, offset, length);
}
int posix_fallocate(int fd, off_t offset, off_t length) {
    const int before = errno;
    const int error = allocate(fd, 0, offset, length) == 0 ? 0 : errno;
    errno = before;
    return error;
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return posix_fallocate(fd, offset, length);
}

int fsync(int fd) { return sync(fd, SYS_fsync); }
int fdatasync(int fd) { return sync(fd, SYS_fdatasync); }
// Neither of these promises that anything is durable.
int sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags) {
    return static_cast<int>(raw(SYS_sync_file_range, fd, offset, count, flags));
}
int syncfs(int fd) noexcept {
    if (foreign(fd)) return static_cast<int>(raw(SYS_syncfs, fd));
    const Lock lock(g_journal->mutex());
    const auto result = static_cast<int>(raw(SYS_syncfs, fd));
    if (result == 0) g_journal->synced_everything();
    return result;
}

int open(const char* path, int flags, ...) {
    std::va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
    std::va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int base, const char* path, int flags, ...) {
    std::va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(base, path, flags, mode);
}
int openat64(int base, const char* path, int flags, ...) {
    std::va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_file(base, path, flags, mode);
}
int creat(const char* path, mode_t mode) {
    return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
int creat64(const char* path, mode_t mode) { return creat(path, mode); }
std::FILE* fopen(const char* path, const char* mode) { return open_stream("fopen", path, mode); }
std::FILE* fopen64(const char* path, const char* mode) {
    return open_stream("fopen64", path, mode);
}

int rename(const char* from, const char* to) noexcept {
    return rename_file(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_base, const char* from, int to_base, const char* to) noexcept {
    return rename_file(from_base, from, to_base, to, 0);
}
int renameat2(int from_base, const char* from, int to_base, const char* to,
              unsigned flags) noexcept {
    return rename_file(from_base, from, to_base, to, flags);
}
int unlink(const char* path) noexcept { return remove_file(AT_FDCWD, path, 0); }
int unlinkat(int base, const char* path, int flags) noexcept {
    return remove_file(base, path, flags);
}
int remove(const char* path) noexcept {
    if (remove_file(AT_FDCWD, path, 0) == 0) return 0;
    return errno == EISDIR ? static_cast<int>(raw(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)) : -1;
}

int mkdir(const char* path, mode_t mode) noexcept { return make_directory(AT_FDCWD, path, mode); }
int mkdirat(int base, const char* path, mode_t mode) noexcept {
    return make_directory(base, path, mode);
}

}  // extern "C"
