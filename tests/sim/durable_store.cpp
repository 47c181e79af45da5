// DurableStore: the real FileLog, Checkpoint, recovery and cold bodies, over a file system and a state
// store that lose in a crash what was not synced.
//
// Disk:    after an append, FileLog::step() runs some virtual time later; checkpoints run now and then.
// Crash:   of the machine, or of the process alone (what was written stays); a step or a checkpoint may
//          be cut short half way.

#include "broker/server/storage_sink.hpp"
#include "broker/store/body_reader.hpp"
#include "broker/store/checkpoint.hpp"
#include "broker/store/data_directory.hpp"
#include "broker/store/file_log.hpp"
#include "broker/store/recovery.hpp"
#include "tests/sim/store.hpp"
#include "tests/support/model_state_store.hpp"
#include "tests/support/sim_file.hpp"

namespace scanmq::sim {
namespace {

using namespace broker;
using namespace std::chrono_literals;

constexpr std::size_t kRecordBytes = kRecordBytesMax + (256U << 10);
constexpr std::uint64_t kSegmentBytes = 2 * kRecordBytes + (64U << 10);

class DurableStore final : public Store {
  public:
    DurableStore(World& world, const Options& options) : world_(world), options_(options) {}

    bool survives() const override { return true; }
    bool start(std::function<void()> wake) override;
    void crash() override;
    CommitLog& log() override { return *log_; }
    std::uint64_t epoch() const override { return epoch_; }
    void restore(BrokerCore& core, BodyStore& bodies, Time now) override;
    void appended() override;
    void look_after(BodyStore& bodies) override;
    bool full() const override {
        const LogRoom room = log_->room();
        return room.low && room.bytes < kSegmentBytes;
    }

    void slow(Duration length) override { slow_until_ = world_.now() + length; }
    void fill(Duration length) override {
        world_.trace("disk", "full");
        files_.faults.capacity = files_.used_bytes() + world_.rng.below(4'096);
        full_until_ = world_.now() + length;
        world_.after(length, [this] {
            if (world_.now() >= full_until_) files_.faults.capacity.reset();
        });
    }
    void fail_sync() override {
        world_.trace("disk", "a sync will fail");
        files_.faults.failing_syncs = 1;
    }
    void heal() override {
        slow_until_ = full_until_ = {};
        files_.faults = {};
    }

  private:
    [[nodiscard]] bool open_files();
    void step();
    void plan_checkpoint();
    void checkpoint();
    [[noreturn]] void broken(const std::string& what) const {
        world_.fail("the store cannot be opened: " + what);
    }

    World& world_;
    const Options& options_;
    tests::SimFileSystem files_;
    ModelStateStore state_;

    std::optional<DataDirectory> directory_;
    std::unique_ptr<FileLog> log_;
    std::unique_ptr<BodyReader> reader_;
    std::unique_ptr<Checkpoint> checkpoint_;
    std::uint64_t life_ = 0;  // steps of an earlier process are void
    std::uint64_t epoch_ = 0;
    bool step_planned_ = false;
    LogPosition checkpointed_ = 0;
    LogPosition evicted_ = 0;
    Time slow_until_{};
    Time full_until_{};
};

bool DurableStore::start(std::function<void()> wake) {
    ++life_;
    step_planned_ = false;
    if (!open_files()) {
        crash();
        return false;
    }
    log_->set_wake(std::move(wake));
    plan_checkpoint();
    return true;
}

// False: the disk is full, or a sync failed; another process tries again.
bool DurableStore::open_files() {
    auto directory = DataDirectory::open(files_, {"data", 4'096});
    if (!directory) {
        using Kind = DataDirectoryError::Kind;
        const Kind kind = directory.error().kind;
        if (kind == Kind::full || kind == Kind::io) return false;
        broken(directory.error().sentence);
    }
    directory_.emplace(std::move(*directory));
    auto position = Materialiser(state_).position();
    if (!position) broken(position.error().sentence);
    FileLogOptions o;
    o.folder = directory_->log_path();
    o.checkpoint = *position;
    o.segment_bytes = kSegmentBytes / 4096 * 4096;
    o.record_bytes_max = kRecordBytes;
    o.reserve_segments = 1;
    o.spare_segments_max = 2;
    o.seed = world_.rng.next() | 1;
    const bool faulty = files_.faults.failing_syncs > 0 || files_.faults.capacity.has_value();
    auto log = FileLog::open(files_, o);
    if (!log) {
        if (faulty) return false;
        broken(log.error().sentence);
    }
    log_ = std::move(*log);
    auto recovered = broker::recover(*log_, state_);
    if (!recovered) broken(recovered.error().sentence);
    checkpointed_ = evicted_ = *recovered;
    auto epoch = directory_->next_epoch();
    if (!epoch) {
        if (faulty) return false;
        broken(epoch.error().sentence);
    }
    if (*epoch <= epoch_) world_.fail("an epoch is given out twice");
    epoch_ = *epoch;
    reader_ = std::make_unique<BodyReader>(state_);
    checkpoint_ = std::make_unique<Checkpoint>(*log_, state_);
    return true;
}

void DurableStore::restore(BrokerCore& core, BodyStore& bodies, Time now) {
    bodies.set_reader(*reader_);
    StorageSink sink(core.restore(now), bodies);
    if (auto loaded = load(state_, sink); !loaded) {
        world_.fail("the state cannot be loaded: " +
                    (sink.problem().empty() ? loaded.error().sentence : sink.problem()));
    }
    core.restored(sink.broker_row().sequence,
                  static_cast<PartitionId>(sink.broker_row().last_partition));
}

void DurableStore::appended() {
    if (step_planned_) return;
    step_planned_ = true;
    Duration delay = world_.between(50us, 3ms);
    if (world_.now() < slow_until_) delay += world_.between(1ms, 1s);
    world_.after(delay, [this, life = life_] {
        if (life == life_ && log_) step();
    });
}

void DurableStore::step() {
    step_planned_ = false;
    const LogPosition before = log_->durable();
    log_->step(world_.now());
    if (log_->durable() != before) appended();  // something may have come meanwhile
}

void DurableStore::plan_checkpoint() {
    world_.after(world_.between(50ms, 6s), [this, life = life_] {
        if (life != life_ || !log_) return;
        checkpoint();
        // As the log's own thread does, once there is room again.
        if (log_->room().low) log_->provide();
        plan_checkpoint();
    });
}

void DurableStore::checkpoint() {
    const auto done = checkpoint_->run_once();
    if (!done) {
        if (done.error().kind == StateError::Kind::full || log_->error()) return;
        world_.fail("a checkpoint failed: " + done.error().sentence);
    }
    checkpointed_ = done->position;
    world_.trace("disk", "checkpoint up to " + std::to_string(checkpointed_));
}

void DurableStore::look_after(BodyStore& bodies) {
    if (checkpointed_ <= evicted_) return;
    evicted_ = checkpointed_;
    if (world_.chance(0.7)) bodies.evict(checkpointed_, 0);
    reader_->rest();
}

void DurableStore::crash() {
    ++life_;
    const bool machine = world_.chance(0.6);
    if (log_ && !log_->error() && world_.chance(0.5)) {
        // In the middle of what the disk does.
        files_.faults.halt_after = world_.rng.below(4);
        log_->set_wake([] {});
        log_->step(world_.now());
    } else if (checkpoint_ && world_.chance(0.3)) {
        state_.fail_at(1 + world_.rng.below(200), StateError::Kind::io);
        static_cast<void>(checkpoint_->run_once());
    }
    checkpoint_.reset();
    reader_.reset();
    log_.reset();
    directory_.reset();
    const auto capacity = files_.faults.capacity;
    const auto failing = files_.faults.failing_syncs;
    files_.faults.halt_after.reset();
    if (machine) {
        files_.crash(world_.rng);
    } else {
        files_.end_process();
    }
    files_.faults.capacity = capacity;
    files_.faults.failing_syncs = failing;
    state_.crash();
}

}  // namespace

std::unique_ptr<Store> make_durable_store(World& world, const Options& options) {
    return std::make_unique<DurableStore>(world, options);
}

}  // namespace scanmq::sim
