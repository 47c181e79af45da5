#pragma once
// Disk: the few calls on files that durable blobs and backups need.
//
// Threads:   any; no state. Errors: full when the disk is, else io, with the path.

#include <cstdint>
#include <filesystem>
#include <span>

#include "broker/store/state_store.hpp"

namespace scanmq::broker {

class Disk {
  public:
    using Path = std::filesystem::path;

    // Writes a new file of these pieces, durable when it returns, its name apart: sync_directory().
    // What was there before is replaced; a file that cannot be finished is removed.
    [[nodiscard]] static Result<void, StateError> write(const Path& path,
                                                        std::span<const ByteView> pieces);
    [[nodiscard]] static Result<void, StateError> rename(const Path& from, const Path& to);
    [[nodiscard]] static Result<void, StateError> sync_directory(const Path& path);
    // And those above it that are not there, durable.
    [[nodiscard]] static Result<void, StateError> make_directory(const Path& path);
    // False: it was not there.
    [[nodiscard]] static Result<bool, StateError> remove(const Path& path);
    [[nodiscard]] static Result<void, StateError> copy(const Path& from, const Path& to);
    // A second name of a file that never changes; a copy where that cannot be.
    [[nodiscard]] static Result<void, StateError> link_or_copy(const Path& from, const Path& to);
    // The file's content, in memory that reads it when it is touched. Empty for an empty file.
    [[nodiscard]] static Result<ByteView, StateError> map(const Path& path);
    // So many bytes from its start on; those beyond its end must not be touched before it has grown.
    [[nodiscard]] static Result<ByteView, StateError> map(const Path& path, std::uint64_t bytes);
    static void unmap(ByteView view) noexcept;
    [[nodiscard]] static Result<std::vector<Path>, StateError> list(const Path& directory);

    [[nodiscard]] static StateError error(int code, std::string_view what, const Path& path);
};

}  // namespace scanmq::broker
