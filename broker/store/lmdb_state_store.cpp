#include "broker/store/lmdb_state_store.hpp"

#include <lmdb.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "broker/store/state_keys.hpp"
#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

// With less than this left, an error of the file system is taken for a full disk.
constexpr std::uint64_t kFullDiskBytes = 16ULL << 20;
constexpr std::uint64_t kMapBytesMin = 1ULL << 30;

MDB_val val(ByteView bytes) {
    // LMDB's type has no const; it writes to neither keys nor values.
    return {bytes.size(), const_cast<char*>(bytes.data())};
}
ByteView view(const MDB_val& value) {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

bool disk_is_full(const std::filesystem::path& path) {
    struct statvfs info {};
    if (statvfs(path.c_str(), &info) != 0) return false;
    return std::uint64_t{info.f_bavail} * info.f_frsize < kFullDiskBytes;
}

StateError to_error(int code, std::string_view what, const std::filesystem::path& path) {
    using Kind = StateError::Kind;
    const std::string head = "the state in " + path.string() + ": " + std::string(what) + ": ";
    switch (code) {
        case MDB_MAP_FULL:
            return {Kind::full, head + "its map is full; let jobs end, or raise its limit"};
        case MDB_TXN_FULL:
            return {Kind::full, head + "too many changes for one transaction; use smaller ones"};
        case ENOSPC:
        case EDQUOT:
            return {Kind::full, head + "the disk is full; free some of it"};
        case EIO:
            if (disk_is_full(path.parent_path())) {
                return {Kind::full, head + "the disk is full; free some of it"};
            }
            return {Kind::io, head + "the disk failed (" + mdb_strerror(code) + ")"};
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_BAD_VALSIZE:
        case MDB_INCOMPATIBLE:
        case MDB_NOTFOUND:
            return {Kind::damaged,
                    head + "the file is damaged (" + mdb_strerror(code) + "); restore a backup"};
        case MDB_VERSION_MISMATCH:
            return {Kind::newer_version,
                    head + "the file was written by another release; use that one"};
        default:
            return {Kind::io, head + mdb_strerror(code)};
    }
}

class LmdbSnapshot final : public StateSnapshot {
  public:
    LmdbSnapshot(MDB_txn* txn, const std::array<unsigned, kTables>& tables,
                 const std::filesystem::path& path)
        : txn_(txn), tables_(tables), path_(path) {}
    ~LmdbSnapshot() override {
        for (MDB_cursor* cursor : cursors_) {
            if (cursor != nullptr) mdb_cursor_close(cursor);
        }
        mdb_txn_abort(txn_);
    }
    LmdbSnapshot(const LmdbSnapshot&) = delete;
    LmdbSnapshot& operator=(const LmdbSnapshot&) = delete;

    Result<std::optional<ByteView>, StateError> get(Table table, ByteView key) override {
        auto row = find(table, key, MDB_SET_KEY);
        if (!row) return fail(std::move(row).error());
        if (!*row) return std::optional<ByteView>();
        return std::optional<ByteView>((*row)->value);
    }
    Row ceiling(Table table, ByteView key) override { return find(table, key, MDB_SET_RANGE); }
    Row floor(Table table, ByteView key) override {
        auto row = find(table, key, MDB_SET_RANGE);
        if (!row) return row;
        if (*row && (*row)->key == key) return row;
        return find(table, key, *row ? MDB_PREV : MDB_LAST);
    }
    Result<void, StateError> scan(Table table, ByteView from, const Visit& visit) override {
        auto row = find(table, from, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        while (row.ok() && *row && visit((*row)->key, (*row)->value)) {
            row = find(table, {}, MDB_NEXT);
        }
        if (!row) return fail(std::move(row).error());
        return {};
    }

  private:
    Row find(Table table, ByteView wanted, MDB_cursor_op op) {
        const auto index = static_cast<std::size_t>(table);
        MDB_cursor*& cursor = cursors_[index];
        if (cursor == nullptr) {
            const int code = mdb_cursor_open(txn_, tables_[index], &cursor);
            if (code != 0) return fail(to_error(code, "reading", path_));
        }
        MDB_val key = val(wanted);
        MDB_val value{};
        const int code = mdb_cursor_get(cursor, &key, &value, op);
        if (code == MDB_NOTFOUND) return std::optional<StateRow>();
        if (code != 0) return fail(to_error(code, "reading", path_));
        return std::optional<StateRow>({view(key), view(value)});
    }

    MDB_txn* txn_;
    const std::array<unsigned, kTables>& tables_;
    const std::filesystem::path& path_;
    std::array<MDB_cursor*, kTables> cursors_{};
};

}  // namespace

StateError LmdbStateStore::error(int code, std::string_view what) const {
    return to_error(code, what, path_);
}

Result<std::unique_ptr<LmdbStateStore>, StateError> LmdbStateStore::open(const Options& options) {
    std::unique_ptr<LmdbStateStore> store(new LmdbStateStore);
    store->path_ = options.directory / kFile;
    if (auto done = store->open_env(options); !done) return fail(std::move(done).error());
    if (auto done = store->open_tables(); !done) return fail(std::move(done).error());
    if (auto done = store->check_version(); !done) return fail(std::move(done).error());
    return store;
}

LmdbStateStore::~LmdbStateStore() {
    abort();
    if (env_ != nullptr) mdb_env_close(env_);
}

Result<void, StateError> LmdbStateStore::open_env(const Options& options) {
    for (std::uint64_t map = options.map_bytes;; map /= 2) {
        int code = mdb_env_create(&env_);
        if (code == 0) code = mdb_env_set_maxdbs(env_, kTables);
        if (code == 0) code = mdb_env_set_maxreaders(env_, options.snapshots_max);
        if (code == 0) code = mdb_env_set_mapsize(env_, map);
        const unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (options.sync ? 0U : MDB_NOSYNC);
        if (code == 0) code = mdb_env_open(env_, path_.c_str(), flags, 0640);
        if (code == 0) return {};
        if (env_ != nullptr) mdb_env_close(env_);
        env_ = nullptr;
        if (code != ENOMEM || map / 2 < kMapBytesMin) return fail(error(code, "opening it"));
    }
}

Result<void, StateError> LmdbStateStore::open_tables() {
    if (auto begun = begin(); !begun) return begun;
    for (std::size_t i = 0; i < kTables; ++i) {
        const std::string name(name_of(static_cast<Table>(i)));
        const int code = mdb_dbi_open(txn_, name.c_str(), MDB_CREATE, &tables_[i]);
        if (code != 0) {
            abort();
            return fail(error(code, "opening table " + name));
        }
    }
    return commit();
}

Result<void, StateError> LmdbStateStore::check_version() {
    if (auto begun = begin(); !begun) return begun;
    auto there = get(Table::meta, kMetaVersion);
    if (!there) {
        abort();
        return fail(std::move(there).error());
    }
    if (!*there) {
        auto put_done = put(Table::meta, kMetaVersion, NumberKey(0, kStateVersion));
        if (put_done) return commit();
        abort();
        return put_done;
    }
    PartitionId zero = 0;
    std::uint64_t version = 0;
    const bool read = number_of_key(**there, zero, version);
    if (read && version < kStateVersion) {
        auto raised = put(Table::meta, kMetaVersion, NumberKey(0, kStateVersion));
        if (raised) return commit();
        abort();
        return raised;
    }
    abort();
    if (!read) {
        return fail(StateError{StateError::Kind::damaged, "the state in " + path_.string() +
                                                              " has no version; restore a backup"});
    }
    if (version > kStateVersion) {
        return fail(StateError{StateError::Kind::newer_version,
                               "the state in " + path_.string() + " has version " +
                                   std::to_string(version) + ", this broker knows " +
                                   std::to_string(kStateVersion) + "; use a later release"});
    }
    return {};
}

Result<void, StateError> LmdbStateStore::begin() {
    SCANMQ_ASSERT(txn_ == nullptr);
    const int code = mdb_txn_begin(env_, nullptr, 0, &txn_);
    if (code == 0) return {};
    txn_ = nullptr;
    return fail(error(code, "beginning a transaction"));
}

Result<MDB_cursor*, StateError> LmdbStateStore::cursor(Table table, bool append) {
    SCANMQ_ASSERT(txn_ != nullptr);
    const auto index = static_cast<std::size_t>(table);
    MDB_cursor*& out = append ? appends_[index] : cursors_[index];
    if (out == nullptr) {
        const int code = mdb_cursor_open(txn_, tables_[index], &out);
        if (code != 0) return fail(error(code, "opening a cursor"));
    }
    return out;
}

Result<void, StateError> LmdbStateStore::put(Table table, ByteView key, ByteView value) {
    auto at = cursor(table, false);
    if (!at) return fail(std::move(at).error());
    MDB_val k = val(key);
    MDB_val v = val(value);
    const int code = mdb_cursor_put(*at, &k, &v, 0);
    if (code != 0) return fail(error(code, "writing"));
    return {};
}

Result<void, StateError> LmdbStateStore::put_append(Table table, ByteView key, ByteView value) {
    auto at = cursor(table, true);
    if (!at) return fail(std::move(at).error());
    MDB_val k = val(key);
    MDB_val v = val(value);
    const int code = mdb_cursor_put(*at, &k, &v, MDB_APPEND);
    if (code == MDB_KEYEXIST) return put(table, key, value);  // not above all others
    if (code != 0) return fail(error(code, "writing"));
    return {};
}

Result<bool, StateError> LmdbStateStore::erase(Table table, ByteView key) {
    auto at = cursor(table, false);
    if (!at) return fail(std::move(at).error());
    MDB_val k = val(key);
    MDB_val v{};
    int code = mdb_cursor_get(*at, &k, &v, MDB_SET);
    if (code == MDB_NOTFOUND) return false;
    if (code == 0) code = mdb_cursor_del(*at, 0);
    if (code != 0) return fail(error(code, "erasing"));
    return true;
}

Result<std::size_t, StateError> LmdbStateStore::erase_range(Table table, ByteView from, ByteView to,
                                                            std::size_t budget) {
    auto at = cursor(table, false);
    if (!at) return fail(std::move(at).error());
    std::size_t erased = 0;
    for (; erased < budget; ++erased) {
        MDB_val k = val(from);
        MDB_val v{};
        int code = mdb_cursor_get(*at, &k, &v, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        if (code == MDB_NOTFOUND || (code == 0 && view(k) >= to)) break;
        if (code == 0) code = mdb_cursor_del(*at, 0);
        if (code != 0) return fail(error(code, "erasing"));
    }
    return erased;
}

Result<std::optional<ByteView>, StateError> LmdbStateStore::get(Table table, ByteView key) {
    auto at = cursor(table, false);
    if (!at) return fail(std::move(at).error());
    MDB_val k = val(key);
    MDB_val v{};
    const int code = mdb_cursor_get(*at, &k, &v, MDB_SET_KEY);
    if (code == MDB_NOTFOUND) return std::optional<ByteView>();
    if (code != 0) return fail(error(code, "reading"));
    return std::optional<ByteView>(view(v));
}

Result<void, StateError> LmdbStateStore::commit() {
    SCANMQ_ASSERT(txn_ != nullptr);
    // The cursors of a transaction that writes are freed with it.
    cursors_.fill(nullptr);
    appends_.fill(nullptr);
    const int code = mdb_txn_commit(std::exchange(txn_, nullptr));
    if (code != 0) return fail(error(code, "committing"));
    committed();
    return {};
}

void LmdbStateStore::abort() {
    if (txn_ == nullptr) return;
    cursors_.fill(nullptr);
    appends_.fill(nullptr);
    mdb_txn_abort(std::exchange(txn_, nullptr));
}

Result<std::unique_ptr<StateSnapshot>, StateError> LmdbStateStore::snapshot() {
    MDB_txn* txn = nullptr;
    const int code = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn);
    if (code != 0) return fail(error(code, "beginning to read"));
    return std::unique_ptr<StateSnapshot>(std::make_unique<LmdbSnapshot>(txn, tables_, path_));
}

Result<void, StateError> LmdbStateStore::copy_to(const std::filesystem::path& directory) {
    const std::filesystem::path to = directory / kFile;
    const int code = mdb_env_copy2(env_, to.c_str(), MDB_CP_COMPACT);
    if (code != 0) return fail(to_error(code, "copying it", to));
    return {};
}

LmdbStateStore::Size LmdbStateStore::size() const {
    MDB_envinfo info{};
    MDB_stat stat{};
    mdb_env_info(env_, &info);
    mdb_env_stat(env_, &stat);
    return {(info.me_last_pgno + 1) * stat.ms_psize, info.me_mapsize};
}

}  // namespace scanmq::broker
