#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "broker/store/file.hpp"

namespace scanmq::broker {
namespace {

using Kind = FileError::Kind;

constexpr std::size_t kZeroBytes = 1U << 20;  // written at once by preallocate()

Kind kind_of(int code) {
    switch (code) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return Kind::full;
        case EIO:
        case ENXIO:
        case ENODEV:
            return Kind::io;
        case ENOENT:
            return Kind::missing;
        default:
            return Kind::other;
    }
}

// "cannot <verb> <path>: <the system's reason>"
Failure<FileError> failure(const char* verb, const std::string& path, int code) {
    std::array<char, 128> text{};
    const char* reason = strerror_r(code, text.data(), text.size());
    return fail(
        FileError{kind_of(code), std::string("cannot ") + verb + " " + path + ": " + reason});
}

// A file descriptor that is closed when it goes.
class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] bool ok() const noexcept { return number_ >= 0; }

  private:
    int number_;
};

class PosixFile final : public File {
  public:
    PosixFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

    FileResult<std::size_t> pread(std::uint64_t offset, char* out, std::size_t bytes) override {
        std::size_t done = 0;
        while (done < bytes) {
            const ssize_t n =
                ::pread(file_.get(), out + done, bytes - done, static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failure("read", path_, errno);
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }

    FileResult<void> pwrite(std::uint64_t offset, ByteView bytes) override {
        while (!bytes.empty()) {
            const ssize_t n =
                ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failure("write", path_, errno);
            bytes.remove_prefix(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
        return {};
    }

    FileResult<void> sync() override {
        if (::fdatasync(file_.get()) != 0) return failure("sync", path_, errno);
        return {};
    }

    FileResult<void> preallocate(std::uint64_t bytes) override {
        // First the blocks, so that a full disk is known before anything is written.
        const int code = ::posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes));
        if (code != 0) return failure("allocate", path_, code);
        const std::string zeros(std::min<std::uint64_t>(bytes, kZeroBytes), '\0');
        for (std::uint64_t at = 0; at < bytes; at += zeros.size()) {
            const auto part = std::min<std::uint64_t>(zeros.size(), bytes - at);
            auto written = pwrite(at, ByteView(zeros).substr(0, part));
            if (!written) return written;
        }
        return {};
    }

    FileResult<std::uint64_t> size() override {
        struct stat status {};
        if (::fstat(file_.get(), &status) != 0) return failure("stat", path_, errno);
        return static_cast<std::uint64_t>(status.st_size);
    }

  private:
    Descriptor file_;
    std::string path_;
};

class PosixLock final : public FileLock {
  public:
    explicit PosixLock(Descriptor file) : file_(std::move(file)) {}

  private:
    Descriptor file_;  // closing it lets the lock go
};

FileResult<std::unique_ptr<File>> open_file(const std::string& path, int flags) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600));
    if (!file.ok()) return failure("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(file), path));
}

}  // namespace

FileResult<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path) {
    return open_file(path, 0);
}

FileResult<std::unique_ptr<File>> PosixFileSystem::create(const std::string& path) {
    return open_file(path, O_CREAT | O_TRUNC);
}

FileResult<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failure("rename", from, errno);
    return {};
}

FileResult<void> PosixFileSystem::remove(const std::string& path) {
    if (::unlink(path.c_str()) != 0) return failure("remove", path, errno);
    return {};
}

FileResult<std::vector<std::string>> PosixFileSystem::list(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), ::closedir);
    if (stream == nullptr) return failure("list", folder, errno);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(stream.get());
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) return failure("list", folder, errno);
    std::sort(names.begin(), names.end());
    return names;
}

FileResult<void> PosixFileSystem::make_directory(const std::string& folder) {
    if (::mkdir(folder.c_str(), 0700) == 0) return {};
    const int code = errno;
    struct stat status {};
    if (code == EEXIST && ::stat(folder.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
        return {};
    }
    return failure("make the folder", folder, code);
}

FileResult<void> PosixFileSystem::sync_directory(const std::string& folder) {
    const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.ok()) return failure("open", folder, errno);
    if (::fsync(file.get()) != 0) return failure("sync", folder, errno);
    return {};
}

FileResult<std::uint64_t> PosixFileSystem::free_bytes(const std::string& folder) {
    struct statvfs status {};
    if (::statvfs(folder.c_str(), &status) != 0) return failure("ask for room in", folder, errno);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

FileResult<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.ok()) return failure("open", path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return failure("lock", path, errno);
        std::array<char, 32> text{};
        const ssize_t n = ::pread(file.get(), text.data(), text.size(), 0);
        std::string holder(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
        holder.resize(std::min(holder.find('\n'), holder.size()));
        return fail(FileError{
            Kind::held, path + " is locked by process " + (holder.empty() ? "(unknown)" : holder)});
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0 ||
        ::pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        // The number only helps a human; on a full disk the lock counts without it.
        if (kind_of(errno) != Kind::full) return failure("write", path, errno);
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixLock>(std::move(file)));
}

}  // namespace scanmq::broker
