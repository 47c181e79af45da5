#include "broker/server/storage.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "broker/core/restorer.hpp"
#include "broker/server/storage_sink.hpp"
#include "broker/store/backup.hpp"
#include "broker/store/disk.hpp"
#include "broker/store/recovery.hpp"

namespace scanmq::broker {

namespace {

ServerError error_of(const StateError& error) { return {error.sentence}; }

}  // namespace

Storage::Storage(const ServerOptions& options)
    : options_(options),
      room_({options.store.reserve_segments * options.store.segment_bytes,
             options.store.disk_low_bytes}) {
    if (!durable()) {
        // Nothing outlives a broker in memory but what peers remember of it: the wall clock rises
        // enough.
        epoch_ = static_cast<std::uint64_t>(clock_.wall_millis());
    }
}

Storage::~Storage() { stop(); }

Result<void, ServerError> Storage::open() {
    if (!durable()) return {};
    const Time began = clock_.now();
    if (auto opened = open_files(); !opened) return opened;
    auto position = recover(*file_log_, *state_);
    if (!position) return fail(error_of(position.error()));
    auto epoch = directory_->next_epoch();
    if (!epoch) return fail(ServerError{epoch.error().sentence});
    epoch_ = *epoch;
    evicted_at_ = *position;
    spdlog::info(
        "store {}: recovered to record {} in {} ms, epoch {}", directory_->path(), *position,
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began).count(),
        epoch_);
    return {};
}

Result<void, ServerError> Storage::open_files() {
    files_ = std::make_unique<PosixFileSystem>();
    auto directory = DataDirectory::open(*files_, {options_.data, options_.store.reserve_bytes});
    if (!directory) return fail(ServerError{directory.error().sentence});
    directory_ = std::move(*directory);
    LmdbStateStore::Options state;
    state.directory = directory_->state_path();
    state.map_bytes = options_.store.map_bytes;
    auto opened = LmdbStateStore::open(state);
    if (!opened) return fail(error_of(opened.error()));
    state_ = std::move(*opened);
    reader_ = std::make_unique<BodyReader>(*state_);
    BlobFiles::Options files{.directory = directory_->blobs_path()};
    // In mode async no job waits for the log's syncs.
    if (options_.durability == "sync") files.before_sync = [this] { gap_.wait(clock_); };
    auto blobs = BlobFiles::open(std::move(files));
    if (!blobs) return fail(error_of(blobs.error()));
    blob_files_ = std::move(*blobs);
    for (const StateError& damage : blob_files_->damaged()) spdlog::warn("{}", damage.sentence);
    if (blob_files_->unfinished() != 0) {
        spdlog::info("puts of {} blobs had not ended; they were never acknowledged, and are gone",
                     blob_files_->unfinished());
    }

    auto position = Materialiser(*state_).position();
    if (!position) return fail(error_of(position.error()));
    FileLogOptions log;
    log.folder = directory_->log_path();
    log.mode =
        options_.durability == "async" ? FileLogOptions::Mode::async : FileLogOptions::Mode::sync;
    log.checkpoint = *position;
    log.segment_bytes = options_.store.segment_bytes;
    log.reserve_segments = options_.store.reserve_segments;
    log.buffer_bytes_max = options_.store.log_buffer_bytes;
    log.spare_segments_max = 2 * options_.store.reserve_segments;
    auto file_log = FileLog::open(*files_, log);
    if (!file_log) return fail(ServerError{file_log.error().sentence});
    file_log_ = std::move(*file_log);
    if (const std::string& cut = file_log_->findings().cut; !cut.empty()) spdlog::warn("{}", cut);
    log_ = file_log_.get();
    checkpoint_ = std::make_unique<Checkpoint>(*file_log_, *state_);
    return {};
}

Result<void, ServerError> Storage::restore(BrokerCore& core, BodyStore& bodies, BlobTable& blobs,
                                           Time now) {
    if (!durable()) return {};
    for (const BlobInfo& info : blob_files_->list()) {
        BlobRecord record;
        record.id = info.id;
        record.bytes = info.bytes;
        record.type = info.type;
        record.label = info.label;
        record.encoding = info.encoding;
        record.encoded_bytes = info.encoded_bytes;
        // Its last use may be so much later than what was written.
        blobs.restore(std::move(record), now,
                      std::max(info.idle - BlobFiles::kUsedEvery, Duration::zero()));
    }
    bodies.set_reader(*reader_);
    const Time began = clock_.now();
    StorageSink sink(core.restore(now), bodies);
    if (auto loaded = load(*state_, sink); !loaded) {
        return fail(ServerError{sink.problem().empty() ? loaded.error().sentence : sink.problem()});
    }
    if (sink.renewed()) {
        if (auto kept = sink.keep_incarnations(*state_); !kept) {
            return fail(error_of(kept.error()));
        }
    }
    core.restored(sink.broker_row().sequence,
                  static_cast<PartitionId>(sink.broker_row().last_partition));
    spdlog::info(
        "store {}: {} executions, {} entries restored in {} ms", directory_->path(),
        sink.executions(), sink.entries(),
        std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began).count());
    return {};
}

void Storage::start(std::function<void()> wake) {
    if (!durable()) return;
    wake_ = std::move(wake);
    file_log_->set_wake(wake_);
    log_thread_ = std::make_unique<LogThread>(*file_log_, clock_, gap_);
    checkpoints_ = std::make_unique<CheckpointThread>(
        *checkpoint_,
        CheckpointThread::Options{options_.store.checkpoint_bytes,
                                  options_.store.checkpoint_interval},
        wake_);
}

void Storage::stop() {
    checkpoints_.reset();
    if (log_thread_) log_thread_->stop();
    log_thread_.reset();
}

bool Storage::look_after(BodyStore& bodies) {
    if (!durable() || !checkpoints_) return false;
    bool evicted = false;
    const std::uint64_t written = file_log_->bytes();
    if (written > told_bytes_) {
        checkpoints_->appended(written - told_bytes_);
        told_bytes_ = written;
    }
    const LogPosition checkpointed = checkpoints_->position();
    if (checkpointed > evicted_at_) {
        evicted_at_ = checkpointed;
        evicted = bodies.evict(checkpointed, options_.store.payload_bytes) > 0;
        reader_->rest();
    }
    return evicted;
}

std::optional<StoreRoom::Figures> Storage::figures() const {
    if (!durable() || !checkpoints_) return std::nullopt;
    StoreRoom::Figures out;
    if (const auto error = checkpoints_->error(); error && error->kind == StateError::Kind::full) {
        out.checkpoint_full = error->sentence;
    }
    const LogRoom room = file_log_->room();
    if (room.low) out.log_low = room.reason;
    out.log_room_bytes = room.bytes;
    if (const auto free = files_->free_bytes(directory_->path()); free) out.disk_free_bytes = *free;
    const LmdbStateStore::Size size = state_->size();
    out.state_bytes = size.file_bytes;
    out.map_bytes = size.map_bytes;
    out.reserve_held = directory_->reserve_held();
    return out;
}

void Storage::judge(const StoreRoom::Figures& figures) {
    const bool was_full = room_.full();
    decision_ = room_.judge(figures);
    figures_ = figures;
    if (decision_.full && !was_full) spdlog::warn("no more jobs are taken: {}", decision_.reason);
    if (!decision_.full && was_full) spdlog::info("there is room again: jobs are taken");
}

void Storage::carry_out(const StoreRoom::Decision& decision) {
    if (decision.free_reserve) {
        spdlog::warn("the reserve of {} bytes is given back", options_.store.reserve_bytes);
        if (auto freed = directory_->free_reserve(); !freed) {
            spdlog::error("{}", freed.error().sentence);
        }
    }
    if (decision.run_checkpoint && checkpoints_) checkpoints_->run_now();
    // Fails quietly until there is room.
    if (decision.restore_reserve) static_cast<void>(directory_->restore_reserve());
}

StoreRoom::Decision Storage::decision() { return std::exchange(decision_, {}); }

std::optional<ServerError> Storage::problem() const {
    if (!durable()) return std::nullopt;
    if (const auto error = file_log_->error()) return ServerError{error->sentence};
    if (!checkpoints_ || !checkpoints_->failed()) return std::nullopt;
    if (const auto error = checkpoints_->error(); error && error->kind != StateError::Kind::full) {
        return ServerError{error->sentence};
    }
    return std::nullopt;
}

void Storage::backup(const std::string& name, std::function<void(BackupResult)> done) {
    SCANMQ_ASSERT(checkpoints_ != nullptr);
    checkpoints_->run_now(
        [this, name, done = std::move(done)](const CheckpointThread::Outcome& outcome) {
            if (!outcome) return done({{}, 0, outcome.error().sentence});
            done(make_backup(name));
        });
}

Storage::BackupResult Storage::make_backup(const std::string& name) {
    const std::filesystem::path parent =
        options_.store.backups.empty() ? directory_->path() + "/backups" : options_.store.backups;
    BackupResult result;
    auto done = Disk::make_directory(parent);
    if (done) done = broker::backup(*state_, blob_files_.get(), parent / name);
    if (!done) {
        result.problem = done.error().sentence;
        return result;
    }
    std::error_code code;
    const std::filesystem::path path = std::filesystem::absolute(parent / name, code);
    result.path = path.string();
    result.bytes =
        std::filesystem::file_size(path / LmdbStateStore::kFile, code) + blob_files_->bytes();
    return result;
}

Result<void, ServerError> restore_data(const std::string& backup, const std::string& data) {
    namespace fs = std::filesystem;
    std::error_code code;
    if (fs::exists(data, code) && !fs::is_empty(data, code)) {
        return fail(ServerError{data + " is not empty; restore into a new directory"});
    }
    // Beside it first: what is at --data is a whole data directory or nothing.
    const std::string part = data + ".restore";
    fs::remove_all(part, code);
    const auto give_up = [&](std::string sentence) {
        fs::remove_all(part, code);
        return fail(ServerError{std::move(sentence)});
    };
    {
        PosixFileSystem files;
        auto directory = DataDirectory::open(files, {part, 1U << 20});
        if (!directory) return give_up(directory.error().sentence);
        // Its files come from the backup; the folders it made are empty.
        fs::remove_all(directory->state_path(), code);
        const fs::path state = directory->state_path();
        if (auto done = restore_backup(backup, state); !done) return give_up(done.error().sentence);
        if (fs::exists(state / kBlobFolder, code)) {
            fs::remove_all(directory->blobs_path(), code);
            if (auto done = Disk::rename(state / kBlobFolder, directory->blobs_path()); !done) {
                return give_up(done.error().sentence);
            }
        }
        // Above every epoch that the copied records know: tokens never repeat.
        const SystemClock clock;
        auto epoch = directory->next_epoch(static_cast<std::uint64_t>(clock.wall_millis()));
        if (!epoch) return give_up(epoch.error().sentence);
    }
    fs::remove(data, code);  // an empty one
    if (auto done = Disk::rename(part, data); !done) return give_up(done.error().sentence);
    return {};
}

std::vector<BrokerCore::Gauge> Storage::gauges() const {
    if (!durable()) return {};
    const LogStats log = file_log_->stats();
    const LmdbStateStore::Size state = state_->size();
    return {{"log_durable", file_log_->durable()},
            {"log_records", log.records},
            {"log_bytes", log.bytes},
            {"log_writes", log.writes},
            {"log_syncs", log.syncs},
            {"blob_syncs_without_gap", gap_.missed()},
            {"log_segments", log.segments},
            {"log_spares", log.spares},
            {"log_room_bytes", file_log_->room().bytes},
            {"checkpoint_position", checkpoints_ ? checkpoints_->position() : 0},
            {"state_file_bytes", state.file_bytes},
            {"state_map_bytes", state.map_bytes},
            {"disk_free_bytes", figures_.disk_free_bytes.value_or(0)},
            {"reserve_held", std::uint64_t{figures_.reserve_held}}};
}

}  // namespace scanmq::broker
