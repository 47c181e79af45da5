#include "broker/store/disk.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace scanmq::broker {
namespace {

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool ok() const noexcept { return fd_ >= 0; }
    // Errors of a write may come with the close.
    [[nodiscard]] bool close() noexcept { return ::close(std::exchange(fd_, -1)) == 0; }

  private:
    int fd_;
};

// 0, or errno.
int write_all(int fd, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno;
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return 0;
}

}  // namespace

StateError Disk::error(int code, std::string_view what, const Path& path) {
    const bool full = code == ENOSPC || code == EDQUOT;
    return {full ? StateError::Kind::full : StateError::Kind::io,
            std::string(what) + " " + path.string() + ": " +
                (full ? "the disk is full; free some of it" : std::strerror(code))};
}

Result<void, StateError> Disk::write(const Path& path, std::span<const ByteView> pieces) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!file.ok()) return fail(error(errno, "creating", path));
    int code = 0;
    for (const ByteView piece : pieces) {
        if (code == 0) code = write_all(file.get(), piece);
    }
    if (code == 0 && ::fdatasync(file.get()) != 0) code = errno;
    if (!file.close() && code == 0) code = errno;
    if (code == 0) return {};
    ::unlink(path.c_str());
    return fail(error(code, "writing", path));
}

Result<void, StateError> Disk::rename(const Path& from, const Path& to) {
    if (::rename(from.c_str(), to.c_str()) == 0) return {};
    return fail(error(errno, "renaming", from));
}

Result<void, StateError> Disk::sync_directory(const Path& path) {
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.ok() || ::fsync(directory.get()) != 0) {
        return fail(error(errno, "syncing", path));
    }
    return {};
}

Result<void, StateError> Disk::make_directory(const Path& path) {
    std::error_code code;
    if (std::filesystem::is_directory(path, code)) return {};
    const Path above = path.has_parent_path() ? path.parent_path() : Path(".");
    if (above != path) {
        if (auto made = make_directory(above); !made) return made;
    }
    if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST) {
        return fail(error(errno, "making", path));
    }
    return sync_directory(above);
}

Result<bool, StateError> Disk::remove(const Path& path) {
    if (::unlink(path.c_str()) == 0) return true;
    if (errno == ENOENT) return false;
    return fail(error(errno, "removing", path));
}

Result<void, StateError> Disk::copy(const Path& from, const Path& to) {
    auto bytes = map(from);
    if (!bytes) return fail(std::move(bytes).error());
    const ByteView pieces[] = {*bytes};
    auto done = write(to, pieces);
    unmap(*bytes);
    return done;
}

Result<void, StateError> Disk::link_or_copy(const Path& from, const Path& to) {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    return copy(from, to);
}

Result<ByteView, StateError> Disk::map(const Path& path) {
    std::error_code code;
    const std::uint64_t bytes = std::filesystem::file_size(path, code);
    if (code) return fail(error(code.value(), "reading", path));
    if (bytes == 0) return ByteView();
    return map(path, bytes);
}

Result<ByteView, StateError> Disk::map(const Path& path, std::uint64_t bytes) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.ok()) return fail(error(errno, "opening", path));
    void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED) return fail(error(errno, "mapping", path));
    return ByteView(static_cast<const char*>(at), bytes);
}

void Disk::unmap(ByteView view) noexcept {
    if (!view.empty()) ::munmap(const_cast<char*>(view.data()), view.size());
}

Result<std::vector<Disk::Path>, StateError> Disk::list(const Path& directory) {
    std::vector<Path> out;
    std::error_code code;
    for (std::filesystem::directory_iterator it(directory, code), end; !code && it != end;
         it.increment(code)) {
        out.push_back(it->path());
    }
    if (code) return fail(error(code.value(), "listing", directory));
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace scanmq::broker
