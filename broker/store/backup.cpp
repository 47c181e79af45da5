#include "broker/store/backup.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "broker/store/state_keys.hpp"

namespace scanmq::broker {
namespace {

namespace fs = std::filesystem;
using Done = Result<void, StateError>;

Failure<StateError> refuse(const fs::path& path, std::string_view why) {
    return fail(StateError{StateError::Kind::io, path.string() + " " + std::string(why)});
}

// Of a file that another library wrote.
Done sync_file(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && ::fdatasync(fd) == 0;
    const int code = errno;
    if (fd >= 0) ::close(fd);
    if (!ok) return fail(Disk::error(code, "syncing", path));
    return {};
}

// Blobs before the state, so that none it refers to can be removed in between; and after it, for those
// that came in between.
Done fill(LmdbStateStore& state, const BlobFiles* blobs, const fs::path& to) {
    Done done = Disk::make_directory(to);
    if (done && blobs != nullptr) done = blobs->copy_all(to / kBlobFolder, BlobFiles::CopyBy::link);
    if (done) done = state.copy_to(to);
    if (done) done = sync_file(to / LmdbStateStore::kFile);
    if (done && blobs != nullptr) done = blobs->copy_all(to / kBlobFolder, BlobFiles::CopyBy::link);
    if (done) done = Disk::sync_directory(to);
    return done;
}

Done mark_restored(const fs::path& directory) {
    LmdbStateStore::Options options;
    options.directory = directory;
    auto store = LmdbStateStore::open(options);
    if (!store) return fail(std::move(store).error());
    BrokerRow row;
    auto done = (*store)->begin();
    if (!done) return done;
    auto there = (*store)->get(Table::meta, kMetaBroker);
    if (!there) return fail(std::move(there).error());
    if (*there && !decode_row(**there, row)) {
        return fail(StateError{StateError::Kind::damaged,
                               "the backup's row of the broker cannot be read; use another one"});
    }
    row.position = 0;  // its log is a new one
    std::string bytes;
    encode_row(row, bytes);
    done = (*store)->put(Table::meta, kMetaBroker, bytes);
    if (done) done = (*store)->put(Table::meta, kMetaRestored, "1");
    if (done) done = (*store)->commit();
    return done;
}

Done copy_blobs(const fs::path& from, const fs::path& to) {
    std::error_code code;
    if (!fs::exists(from, code)) return {};
    auto blobs = BlobFiles::open({from, false});
    if (!blobs) return fail(std::move(blobs).error());
    return (*blobs)->copy_all(to, BlobFiles::CopyBy::bytes);
}

}  // namespace

Done backup(LmdbStateStore& state, const BlobFiles* blobs, const fs::path& directory) {
    std::error_code code;
    if (fs::exists(directory, code)) {
        return refuse(directory, "is there already; name a directory that is not");
    }
    fs::path part = directory;
    part += ".part";
    fs::remove_all(part, code);  // of a backup that did not end
    Done done = fill(state, blobs, part);
    if (done) done = Disk::rename(part, directory);
    if (done) {
        return Disk::sync_directory(directory.has_parent_path() ? directory.parent_path()
                                                                : fs::path("."));
    }
    fs::remove_all(part, code);
    return done;
}

Done restore_backup(const fs::path& backup_directory, const fs::path& data_directory) {
    std::error_code code;
    if (!fs::is_regular_file(backup_directory / LmdbStateStore::kFile, code)) {
        return refuse(backup_directory,
                      "is not a backup: it has no " + std::string(LmdbStateStore::kFile));
    }
    if (fs::exists(data_directory, code) && !fs::is_empty(data_directory, code)) {
        return refuse(data_directory, "is not empty; restore into a new directory");
    }
    // The state gets its name last: without it there is nothing to start with.
    const fs::path part = data_directory / "restore.part";
    Done done = Disk::make_directory(part);
    if (done) {
        done = copy_blobs(backup_directory / kBlobFolder, data_directory / kBlobFolder);
    }
    if (done) {
        done = Disk::copy(backup_directory / LmdbStateStore::kFile, part / LmdbStateStore::kFile);
    }
    if (done) done = mark_restored(part);
    if (done) {
        done = Disk::rename(part / LmdbStateStore::kFile, data_directory / LmdbStateStore::kFile);
    }
    if (done) {
        fs::remove_all(part, code);
        return Disk::sync_directory(data_directory);
    }
    fs::remove_all(part, code);
    fs::remove_all(data_directory / kBlobFolder, code);
    return done;
}

}  // namespace scanmq::broker
