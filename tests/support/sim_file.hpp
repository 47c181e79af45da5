#pragma once
// SimFileSystem: a file system in memory that loses what a real one may lose.
//
// Role:      stands in for PosixFileSystem in unit tests and the simulator. What was synced is kept
//            apart from what was only written; crash() decides which of the latter survives.
// Threads:   one.
// Owns:      all files. Files and locks that were handed out may outlive a crash but fail from then
//            on.
// Model:     crash(): each unsynced write is cut at multiples of 512 bytes; all pieces survive, none
//            or any subset, and a surviving piece may be torn after any byte. Each unsynced change
//            of a folder (create, rename, remove, make_directory) is kept or lost by itself. After a
//            failed sync, what it was to make durable never becomes so, whatever a later sync says.
// Seeded:    the same operations, faults and Rng give the same result. No clock.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/store/file.hpp"
#include "common/base/rng.hpp"

namespace scanmq::tests {

struct SimFileFaults {
    std::optional<std::uint64_t> capacity;    // bytes of all files together; `full` beyond
    std::optional<std::uint64_t> halt_after;  // changing operations; then nothing has any effect
    std::uint64_t failing_syncs = 0;          // the next n syncs of a file fail: io
    bool every_sync_fails = false;
    std::uint64_t failing_writes = 0;  // the next n writes fail half done: io
    std::uint64_t failing_reads = 0;   // the next n reads fail: io
};

struct SimFileCounters {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t syncs = 0;
    std::uint64_t directory_syncs = 0;
    std::uint64_t preallocations = 0;
    // Writes, preallocations, syncs and changes of folders: what halt_after counts.
    std::uint64_t changes = 0;
};

class SimFileSystem final : public broker::FileSystem {
  public:
    template <class T>
    using FileResult = broker::FileResult<T>;

    SimFileSystem();
    ~SimFileSystem() override;

    [[nodiscard]] FileResult<std::unique_ptr<broker::File>> open(const std::string& path) override;
    [[nodiscard]] FileResult<std::unique_ptr<broker::File>> create(
        const std::string& path) override;
    [[nodiscard]] FileResult<void> rename(const std::string& from, const std::string& to) override;
    [[nodiscard]] FileResult<void> remove(const std::string& path) override;
    [[nodiscard]] FileResult<std::vector<std::string>> list(const std::string& folder) override;
    [[nodiscard]] FileResult<void> make_directory(const std::string& folder) override;
    [[nodiscard]] FileResult<void> sync_directory(const std::string& folder) override;
    [[nodiscard]] FileResult<std::uint64_t> free_bytes(const std::string& folder) override;
    [[nodiscard]] FileResult<std::unique_ptr<broker::FileLock>> lock(
        const std::string& path) override;

    // The machine loses power and comes back: see Model. Faults but `capacity` are taken away,
    // locks are free.
    void crash(Rng& rng);
    // The process ends and the machine goes on: everything written stays, unsynced; locks are free.
    void end_process();

    SimFileFaults faults;
    [[nodiscard]] const SimFileCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] bool halted() const noexcept;
    [[nodiscard]] std::uint64_t used_bytes() const;

    // For damaging files by hand, durably: a file's bytes as they are now, empty when it is not
    // there; replacing them; a copy of everything, of which nothing is unsynced.
    [[nodiscard]] std::string contents(const std::string& path) const;
    void set_contents(const std::string& path, std::string bytes);
    [[nodiscard]] std::unique_ptr<SimFileSystem> copy() const;

  private:
    friend class SimFile;
    friend class SimLock;

    struct Write {
        std::uint64_t offset{};
        std::string bytes;
        bool doomed{};  // a sync of it failed
    };
    struct Inode {
        std::string now;
        std::string durable;
        std::vector<Write> unsynced;
    };
    using Node = std::shared_ptr<Inode>;  // shared by names, unsynced names and open files
    struct Names {
        std::map<std::string, Node> files;
        std::set<std::string> folders;
    };
    struct Change {
        std::string removed;  // a name that goes, or empty
        std::string added;    // a name that comes, or empty
        Node node;            // of `added`; null: a folder
    };

    [[nodiscard]] FileResult<void> change();  // counts; fails once halted
    [[nodiscard]] FileResult<void> grow(std::uint64_t bytes, const std::string& path);
    void record(const std::string& folder, Change change);
    static void apply(const Change& change, Names& names);
    static void put(std::string& bytes, std::uint64_t offset, ByteView part);
    static void crash_file(Inode& inode, Rng& rng);

    Names now_;
    Names durable_;
    std::map<std::string, std::vector<Change>> unsynced_;  // by folder
    std::set<std::string> locks_;
    std::uint64_t life_ = 0;  // rises with every crash: older files and locks are dead
    SimFileCounters counters_;
};

}  // namespace scanmq::tests
