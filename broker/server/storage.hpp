#pragma once
// Storage: where a broker's state survives it: log, state, blobs, checkpoints; or nowhere.
//
// Role:      owned by the broker's loop. In mode memory it keeps nothing, and no records are made.
// Threads:   the loop's; the log and the checkpoint have threads of their own, which call `wake`.
// Full:      when disk, map or log run out of room the broker takes no more jobs (store_full()), but
//            what is accepted goes on in what is allocated already: the log's reserved segments, and
//            the reserve file that is given back so that a checkpoint can be written.
// Errors:    sentences; a write or sync that fails is final, and the broker stops on it (problem()).

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/core/broker_core.hpp"
#include "broker/core/store_room.hpp"
#include "broker/server/server_options.hpp"
#include "broker/store/blob_files.hpp"
#include "broker/store/body_reader.hpp"
#include "broker/store/body_store.hpp"
#include "broker/store/checkpoint_thread.hpp"
#include "broker/store/data_directory.hpp"
#include "broker/store/file_log.hpp"
#include "broker/store/lmdb_state_store.hpp"
#include "broker/store/log_thread.hpp"
#include "broker/store/memory_log.hpp"

namespace scanmq::broker {

// Makes a data directory of a backup, for a broker to start with. The sentence of an error says what
// to do.
[[nodiscard]] Result<void, ServerError> restore_data(const std::string& backup,
                                                     const std::string& data);

class Storage {
  public:
    explicit Storage(const ServerOptions& options);
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    // Opens and recovers what is there. The epoch is drawn, durably.
    [[nodiscard]] Result<void, ServerError> open();
    // Gives the core what the store has.
    [[nodiscard]] Result<void, ServerError> restore(BrokerCore& core, BodyStore& bodies,
                                                    BlobTable& blobs, Time now);
    // Starts the threads. `wake`: something became durable, or problem() may have an answer.
    void start(std::function<void()> wake);
    // Makes everything that was appended durable and ends the threads.
    void stop();

    [[nodiscard]] bool durable() const noexcept { return options_.durability != "memory"; }
    [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
    [[nodiscard]] CommitLog& log() noexcept { return *log_; }
    // More is to be written than the log's buffer should hold: no input meanwhile.
    [[nodiscard]] bool backlogged() const noexcept {
        return file_log_ != nullptr && file_log_->backlogged();
    }
    // Null in mode memory.
    [[nodiscard]] BlobFiles* blob_files() noexcept { return blob_files_.get(); }

    // After appends, and when woken: keeps checkpoints going, lets cold bodies go from memory. True:
    // some went. Cheap: it takes no lock while nothing went wrong.
    bool look_after(BodyStore& bodies);
    // The room there is, in mode memory nothing. Asks the file system: from the housekeeper's thread.
    [[nodiscard]] std::optional<StoreRoom::Figures> figures() const;
    // What to make of it; decision() is to be carried out on the housekeeper's thread, once.
    void judge(const StoreRoom::Figures& figures);
    [[nodiscard]] StoreRoom::Decision decision();
    void carry_out(const StoreRoom::Decision& decision);
    [[nodiscard]] std::optional<ServerError> problem() const;
    [[nodiscard]] bool store_full() const noexcept { return room_.full(); }
    // How long until figures() should be judged again.
    [[nodiscard]] Duration judge_interval() const noexcept { return room_.interval(); }
    // A judgement asked for something.
    [[nodiscard]] bool has_decision() const noexcept { return decision_.act(); }

    // A copy of everything, made by the checkpoint's thread; `done` comes from there.
    struct BackupResult {
        std::string path;
        std::uint64_t bytes{};
        std::string problem;
    };
    void backup(const std::string& name, std::function<void(BackupResult)> done);

    [[nodiscard]] std::vector<BrokerCore::Gauge> gauges() const;

  private:
    [[nodiscard]] Result<void, ServerError> open_files();
    [[nodiscard]] BackupResult make_backup(const std::string& name);

    ServerOptions options_;
    SystemClock clock_;
    SyncGap gap_;
    std::uint64_t epoch_ = 0;
    std::unique_ptr<FileSystem> files_;
    std::optional<DataDirectory> directory_;
    std::unique_ptr<LmdbStateStore> state_;
    std::unique_ptr<BlobFiles> blob_files_;
    std::unique_ptr<BodyReader> reader_;
    MemoryLog memory_log_;
    std::unique_ptr<FileLog> file_log_;
    CommitLog* log_ = &memory_log_;
    std::unique_ptr<Checkpoint> checkpoint_;
    std::unique_ptr<LogThread> log_thread_;
    std::unique_ptr<CheckpointThread> checkpoints_;
    std::function<void()> wake_;
    std::uint64_t told_bytes_ = 0;
    LogPosition evicted_at_ = 0;
    StoreRoom room_;
    StoreRoom::Decision decision_;
    StoreRoom::Figures figures_;  // the last that were judged
};

}  // namespace scanmq::broker
