#pragma once
// Backup: a copy of a broker's state and blobs that a new data directory can be made of.
//
// Threads:   backup() on any, while the broker works; restore_backup() by a program of its own,
//            with no broker on either directory.
// Content:   state.mdb and blobs/, as in a data directory; no log: what the last checkpoint before
//            it had. Run one first.
// Errors:    full, io, damaged; what was begun is removed again.

#include <filesystem>

#include "broker/store/blob_files.hpp"
#include "broker/store/lmdb_state_store.hpp"

namespace scanmq::broker {

inline constexpr std::string_view kBlobFolder = "blobs";

// Under a name ending in `.part` until it is complete and durable. Error: io when the directory is
// there already. `blobs` may be null.
[[nodiscard]] Result<void, StateError> backup(LmdbStateStore& state, const BlobFiles* blobs,
                                              const std::filesystem::path& directory);

// Makes a data directory. Its state is marked, so that the broker gives its streams new incarnations
// (RestoreSink::broker()), and reads whatever log it finds from its begin. Errors: io when the data
// directory is not empty, or the backup is none.
[[nodiscard]] Result<void, StateError> restore_backup(const std::filesystem::path& backup_directory,
                                                      const std::filesystem::path& data_directory);

}  // namespace scanmq::broker
