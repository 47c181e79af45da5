#pragma once
// LmdbStateStore: a StateStore in one LMDB environment, a sub-database for each table.
//
// Role:      the broker's state on disk: DIR/state.mdb and its lock file.
// Threads:   as StateStore. Another process must not have it open: the data directory's lock sees
//            to that.
// Views:     snapshots' live as long as the snapshot; a transaction's until its next change.
// Limits:    Options::map_bytes, of address space and of the file (sparse: only what is used takes
//            room). Rising keys of a table fill pages to the end where they are above all others,
//            that is, for the highest partition; elsewhere pages are half full at worst.
// Errors:    full when the map or the disk is (LMDB says EIO for a full disk: the file system is
//            asked); damaged and newer_version by LMDB's own checks and ours.

#include <filesystem>
#include <string>

#include "broker/store/state_store.hpp"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace scanmq::broker {

class LmdbStateStore final : public StateStore {
  public:
    struct Options {
        std::filesystem::path directory;  // exists
        // Halved until the system grants it, down to 1 GiB.
        std::uint64_t map_bytes = 256ULL << 30;
        unsigned snapshots_max = 126;  // at a time
        // False: nothing is durable. For tests and benchmarks.
        bool sync = true;
    };
    static constexpr std::string_view kFile = "state.mdb";

    [[nodiscard]] static Result<std::unique_ptr<LmdbStateStore>, StateError> open(
        const Options& options);
    ~LmdbStateStore() override;
    LmdbStateStore(const LmdbStateStore&) = delete;
    LmdbStateStore& operator=(const LmdbStateStore&) = delete;

    [[nodiscard]] Result<void, StateError> begin() override;
    [[nodiscard]] Result<void, StateError> put(Table table, ByteView key, ByteView value) override;
    [[nodiscard]] Result<void, StateError> put_append(Table table, ByteView key,
                                                      ByteView value) override;
    [[nodiscard]] Result<bool, StateError> erase(Table table, ByteView key) override;
    [[nodiscard]] Result<std::size_t, StateError> erase_range(Table table, ByteView from,
                                                              ByteView to,
                                                              std::size_t budget) override;
    [[nodiscard]] Result<std::optional<ByteView>, StateError> get(Table table,
                                                                  ByteView key) override;
    [[nodiscard]] Result<void, StateError> commit() override;
    void abort() override;
    [[nodiscard]] Result<std::unique_ptr<StateSnapshot>, StateError> snapshot() override;

    // A compact copy of the state as of the last commit, while the broker works. The directory
    // exists and holds none. Any thread.
    [[nodiscard]] Result<void, StateError> copy_to(const std::filesystem::path& directory);
    // Of the file, and of it in use by rows.
    struct Size {
        std::uint64_t file_bytes{};
        std::uint64_t map_bytes{};
    };
    [[nodiscard]] Size size() const;

  private:
    LmdbStateStore() = default;
    [[nodiscard]] Result<void, StateError> open_env(const Options& options);
    [[nodiscard]] Result<void, StateError> open_tables();
    [[nodiscard]] Result<void, StateError> check_version();
    [[nodiscard]] Result<MDB_cursor*, StateError> cursor(Table table, bool append);
    [[nodiscard]] StateError error(int code, std::string_view what) const;

    std::filesystem::path path_;
    MDB_env* env_ = nullptr;
    std::array<unsigned, kTables> tables_{};
    MDB_txn* txn_ = nullptr;
    std::array<MDB_cursor*, kTables> cursors_{};  // the transaction's, for what is in order
    std::array<MDB_cursor*, kTables> appends_{};
};

}  // namespace scanmq::broker
