#pragma once
// File, FileSystem: every call to the operating system that the commit log and the data directory
// make, so that tests and the simulator can put a model in its place.
//
// Engines:  PosixFileSystem; SimFileSystem (tests/support/sim_file.hpp).
// Threads:  PosixFileSystem: any, and different ranges of one File at the same time. SimFileSystem:
//           one.
// Durable:  nothing is until its sync has returned: bytes until File::sync(), a name (created,
//           renamed, removed) until sync_directory() of its folder.
// Errors:   values. A failed sync must not be tried again: what it was to make durable may be gone
//           although a second one succeeds.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/result.hpp"

namespace scanmq::broker {

struct FileError {
    enum class Kind : std::uint8_t {
        full,     // no room on the file system, or over a quota
        io,       // the device failed
        missing,  // there is no such file
        held,     // another process has the lock
        other,    // permissions, limits of the process, ...
    };
    Kind kind{};
    std::string sentence;  // what failed on which file, and the system's reason
};

template <class T>
using FileResult = Result<T, FileError>;

class File {
  public:
    virtual ~File() = default;

    // Reads `bytes` from `offset` on into `out`; fewer only at the end of the file. How many.
    [[nodiscard]] virtual FileResult<std::size_t> pread(std::uint64_t offset, char* out,
                                                        std::size_t bytes) = 0;
    // Writes all of it, or fails with any part of it written.
    [[nodiscard]] virtual FileResult<void> pwrite(std::uint64_t offset, ByteView bytes) = 0;
    // What was written is durable: fdatasync.
    [[nodiscard]] virtual FileResult<void> sync() = 0;
    // Makes the file `bytes` long, its blocks allocated and zeros written to them, so that once
    // synced, a sync after writing below it has no metadata to write. Precondition: the file is
    // empty.
    [[nodiscard]] virtual FileResult<void> preallocate(std::uint64_t bytes) = 0;
    [[nodiscard]] virtual FileResult<std::uint64_t> size() = 0;
};

// Held until destroyed, or until the process ends in any way.
class FileLock {
  public:
    virtual ~FileLock() = default;
};

// Paths are those of the operating system, absolute or relative to the working directory.
class FileSystem {
  public:
    virtual ~FileSystem() = default;

    // For reading and writing. `missing` when it is not there.
    [[nodiscard]] virtual FileResult<std::unique_ptr<File>> open(const std::string& path) = 0;
    // An empty one, for reading and writing, mode 0600; what was there of this name is emptied.
    [[nodiscard]] virtual FileResult<std::unique_ptr<File>> create(const std::string& path) = 0;
    // Within one folder. Replaces what `to` was.
    [[nodiscard]] virtual FileResult<void> rename(const std::string& from,
                                                  const std::string& to) = 0;
    [[nodiscard]] virtual FileResult<void> remove(const std::string& path) = 0;
    // The names of files and folders in a folder, sorted, without `.` and `..`.
    [[nodiscard]] virtual FileResult<std::vector<std::string>> list(const std::string& folder) = 0;
    // Mode 0700. Nothing happens when it is there.
    [[nodiscard]] virtual FileResult<void> make_directory(const std::string& folder) = 0;
    [[nodiscard]] virtual FileResult<void> sync_directory(const std::string& folder) = 0;
    // Bytes that may still be allocated on the file system of `folder`.
    [[nodiscard]] virtual FileResult<std::uint64_t> free_bytes(const std::string& folder) = 0;
    // Takes the lock of a file, creating it, and writes the process's number into it. `held` when
    // another process has it; the sentence names it.
    [[nodiscard]] virtual FileResult<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

class PosixFileSystem final : public FileSystem {
  public:
    [[nodiscard]] FileResult<std::unique_ptr<File>> open(const std::string& path) override;
    [[nodiscard]] FileResult<std::unique_ptr<File>> create(const std::string& path) override;
    [[nodiscard]] FileResult<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] FileResult<void> remove(const std::string& path) override;
    [[nodiscard]] FileResult<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] FileResult<void> make_directory(const std::string& folder) override;
    [[nodiscard]] FileResult<void> sync_directory(const std::string& folder) override;
    [[nodiscard]] FileResult<std::uint64_t> free_bytes(const std::string& folder) override;
    [[nodiscard]] FileResult<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

// Reads a whole small file. `other` when it is longer than `bytes_max`.
[[nodiscard]] FileResult<std::string> read_small_file(FileSystem& files, const std::string& path,
                                                      std::size_t bytes_max);
// Replaces a small file so that after a crash it holds the old bytes or the new ones: writes and
// syncs `path`.new, renames it, syncs the folder.
[[nodiscard]] FileResult<void> replace_small_file(FileSystem& files, const std::string& path,
                                                  ByteView bytes);
// "a/b/c" -> "a/b"; "." for a name without a folder.
[[nodiscard]] std::string folder_of(const std::string& path);

}  // namespace scanmq::broker
