#pragma once
// DataDirectory: the folder that a broker keeps its store in.
//
// Role:      owned by the broker's shell, opened before anything in it and closed after.
// Threads:   one at a time.
// Owns:      LOCK     held by the one broker that uses the folder; its process's number for humans
//            VERSION  "scanmq store 1", written once everything else is there
//            EPOCH    "scanmq epoch <n>": the last one given out
//            reserve  allocated and without meaning: given back to the file system when it is full,
//                     so that a checkpoint can still be written
//            log/, state/, blobs/: of CommitLog, StateStore and the blobs.
// Modes:     the folder 0700, files 0600.
// Invariant: an epoch is durable before next_epoch() returns it; none is given out twice.
// Errors:    sentences for the user, with what to do.

#include <cstdint>
#include <memory>
#include <string>

#include "broker/store/file.hpp"

namespace scanmq::broker {

inline constexpr std::uint64_t kStoreVersion = 1;

struct DataDirectoryError {
    enum class Kind : std::uint8_t {
        held,     // another broker uses it
        newer,    // written by a newer version
        damaged,  // something is missing or makes no sense
        foreign,  // the folder holds something else
        full,     // no room on the file system
        io,       // anything else that the system refused
    };
    Kind kind{};
    std::string sentence;
};

template <class T>
using DataDirectoryResult = Result<T, DataDirectoryError>;

struct DataDirectoryOptions {
    std::string path;  // its parent must be there
    std::uint64_t reserve_bytes = 64U << 20;
};

class DataDirectory {
  public:
    // Takes the folder; makes it when it is not there or empty. Without room for the reserve goes on
    // without it (reserve_held()). `files` must outlive it.
    [[nodiscard]] static DataDirectoryResult<DataDirectory> open(FileSystem& files,
                                                                 DataDirectoryOptions options);

    // One more than the last one, and than `above` (the highest known from elsewhere, as the records
    // of a restored backup).
    [[nodiscard]] DataDirectoryResult<std::uint64_t> next_epoch(std::uint64_t above = 0);

    // Gives the reserve back to the file system. Nothing happens when it is not held.
    [[nodiscard]] DataDirectoryResult<void> free_reserve();
    // Allocates it again. Nothing happens when it is held. `full`: there is no room yet.
    [[nodiscard]] DataDirectoryResult<void> restore_reserve();
    [[nodiscard]] bool reserve_held() const noexcept { return reserve_held_; }

    [[nodiscard]] const std::string& path() const noexcept { return options_.path; }
    [[nodiscard]] std::string log_path() const { return at("log"); }
    [[nodiscard]] std::string state_path() const { return at("state"); }
    [[nodiscard]] std::string blobs_path() const { return at("blobs"); }

  private:
    DataDirectory(FileSystem& files, DataDirectoryOptions options)
        : files_(&files), options_(std::move(options)) {}
    [[nodiscard]] std::string at(const char* name) const { return options_.path + "/" + name; }
    [[nodiscard]] DataDirectoryResult<void> prepare();
    [[nodiscard]] DataDirectoryResult<void> create();
    [[nodiscard]] DataDirectoryResult<void> check_version(const std::string& text) const;
    [[nodiscard]] DataDirectoryResult<void> find_reserve();
    [[nodiscard]] DataDirectoryResult<std::uint64_t> read_epoch();

    FileSystem* files_;  // never null
    DataDirectoryOptions options_;
    std::unique_ptr<FileLock> lock_;
    bool reserve_held_ = false;
};

}  // namespace scanmq::broker
