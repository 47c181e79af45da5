// state/... and bodies/...: what moving commit records into LMDB and reading them back costs.
//
// state/came_and_went    a job accepted, started and done within one checkpoint, per job
// state/stays            a job accepted that is still there at the checkpoint, per job
// state/ends_later       a job that ends after the checkpoint that wrote it, per job
// state/restore_1M       reading a million executions with payloads of 200 bytes
// bodies/cold_view       a view of a cold payload, in rising order, per body
// The environment syncs as in production; its directory is made in TMPDIR.

#include <benchmark/benchmark.h>
#include <time.h>  // NOLINT: clock_gettime

#include <string>
#include <vector>

#include "broker/store/body_reader.hpp"
#include "broker/store/body_store.hpp"
#include "broker/store/lmdb_state_store.hpp"
#include "broker/store/materialiser.hpp"
#include "broker/store/recovery.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

using namespace scanmq;
using namespace scanmq::broker;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class Bench {
  public:
    Bench() {
        LmdbStateStore::Options options;
        options.directory = directory_.path();
        store_ = std::move(LmdbStateStore::open(options).value());
        change(change::QueueCreated{1, "q", {}, {}});
        materialiser_ = std::make_unique<Materialiser>(*store_);
        add(record(0));
        write();
    }
    ~Bench() {
        materialiser_.reset();
        store_.reset();
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    static constexpr std::uint64_t kBatch = 256;

    void accept(std::uint64_t jobs) {
        static const std::string kPayload(200, 'p');
        change::Accepted accepted;
        accepted.job.subject = "SPY.iron_condor";
        accepted.job.bytes = 264;
        accepted.job.accepted = 1'700'000'000'000;
        accepted.inputs = inputs_;
        accepted.payload.body.bytes = kPayload;
        for (; jobs > 0; --jobs) {
            accepted.execution = next_++;
            accepted.job.id = id(accepted.execution);
            change(accepted);
        }
    }
    void start(std::uint64_t jobs) {
        change::Started started;
        started.worker = "worker-1";
        for (std::uint64_t i = 0; i < jobs; ++i)
            started.attempts.push_back({ended_ + i, ended_ + i});
        change(started);
    }
    void end(std::uint64_t jobs) {
        static const std::string kResult(200, 'r');
        change::Ended ended;
        ended.over = true;
        ended.outcome = protocol::FinalOutcome::done;
        ended.at = 1'700'000'000'000;
        ended.jobs.resize(1);
        ended.jobs[0].subject = "SPY.iron_condor";
        ended.body.body.bytes = kResult;
        for (; jobs > 0; --jobs) {
            ended.execution = ended_;
            ended.first_offset = ended.first_id_position = ended_ - 1;
            ended.jobs[0].id = id(ended_++);
            change(ended);
        }
    }
    void trim(std::uint64_t kept) {
        if (ended_ - 1 <= kept) return;
        change(change::StreamTrimmed{ended_ - 1 - kept});
        change(change::IdsForgotten{ended_ - 1 - kept});
    }
    // What was changed since the last one.
    struct Record {
        RecordView view;
        std::string bytes;
    };
    Record record(PartitionId partition) {
        Record out;
        std::uint64_t& sequence = partition == 0 ? broker_sequence_ : sequence_;
        out.view = {++position_, partition, 7, sequence, sequence + 1, {}};
        ++sequence;
        out.bytes.swap(open_);
        return out;
    }
    void add(const Record& record) {
        RecordView view = record.view;
        view.changes = record.bytes;
        const auto done = materialiser_->add(view);
        SCANMQ_ASSERT(done.ok());
    }
    void write() {
        while (materialiser_->write().value().more) {
        }
    }
    LmdbStateStore& store() { return *store_; }

  private:
    template <class Change>
    void change(const Change& change) {
        write_change(change, open_, places_);
    }
    static Id128 id(std::uint64_t n) {
        Id128 out;
        std::memcpy(out.bytes.data(), &n, sizeof n);
        out.bytes[15] = 1;
        return out;
    }

    tests::TempDir directory_;
    std::unique_ptr<LmdbStateStore> store_;
    std::unique_ptr<Materialiser> materialiser_;
    std::string inputs_ = std::string(32, 'i');
    std::string open_;
    std::vector<BodyPlace> places_;
    std::uint64_t next_ = 1;
    std::uint64_t ended_ = 1;
    std::uint64_t sequence_ = 0;
    std::uint64_t broker_sequence_ = 0;
    LogPosition position_ = 0;
};

constexpr std::uint64_t kJobs = 128 * 1024;  // some 64 MiB of records

// Applies the records, and tells time and processor time a job.
void apply(benchmark::State& state, Bench& bench, const std::vector<Bench::Record>& records,
           double& add_cpu, double& write_cpu) {
    const double begin = cpu_seconds();
    for (const auto& record : records) bench.add(record);
    const double added = cpu_seconds();
    bench.write();
    add_cpu += added - begin;
    write_cpu += cpu_seconds() - added;
    state.SetItemsProcessed(state.items_processed() + static_cast<std::int64_t>(kJobs));
}

void report(benchmark::State& state, double add_cpu, double write_cpu) {
    const auto jobs = static_cast<double>(state.items_processed());
    state.counters["add_ns_job"] = add_cpu / jobs * 1e9;
    state.counters["write_ns_job"] = write_cpu / jobs * 1e9;
    state.counters["cpu_ns_job"] = (add_cpu + write_cpu) / jobs * 1e9;
}

void came_and_went(benchmark::State& state) {
    Bench bench;
    double add_cpu = 0;
    double write_cpu = 0;
    for (auto _ : state) {
        state.PauseTiming();
        std::vector<Bench::Record> records;
        for (std::uint64_t jobs = 0; jobs < kJobs; jobs += Bench::kBatch) {
            bench.accept(Bench::kBatch);
            records.push_back(bench.record(1));
            bench.start(Bench::kBatch);
            bench.end(Bench::kBatch);
            bench.trim(1'000'000);
            records.push_back(bench.record(1));
        }
        state.ResumeTiming();
        apply(state, bench, records, add_cpu, write_cpu);
    }
    report(state, add_cpu, write_cpu);
}

void stays(benchmark::State& state) {
    Bench bench;
    double add_cpu = 0;
    double write_cpu = 0;
    for (auto _ : state) {
        state.PauseTiming();
        std::vector<Bench::Record> records;
        for (std::uint64_t jobs = 0; jobs < kJobs; jobs += Bench::kBatch) {
            bench.accept(Bench::kBatch);
            records.push_back(bench.record(1));
        }
        state.ResumeTiming();
        apply(state, bench, records, add_cpu, write_cpu);
    }
    report(state, add_cpu, write_cpu);
}

void ends_later(benchmark::State& state) {
    Bench bench;
    double add_cpu = 0;
    double write_cpu = 0;
    for (auto _ : state) {
        state.PauseTiming();
        std::vector<Bench::Record> records;
        for (std::uint64_t jobs = 0; jobs < kJobs; jobs += Bench::kBatch) {
            bench.accept(Bench::kBatch);
            bench.add(bench.record(1));
        }
        bench.write();
        for (std::uint64_t jobs = 0; jobs < kJobs; jobs += Bench::kBatch) {
            bench.start(Bench::kBatch);
            bench.end(Bench::kBatch);
            bench.trim(1'000'000);
            records.push_back(bench.record(1));
        }
        state.ResumeTiming();
        apply(state, bench, records, add_cpu, write_cpu);
    }
    report(state, add_cpu, write_cpu);
}

class CountingSink final : public RestoreSink {
  public:
    std::uint64_t bytes = 0;
    std::uint64_t rows = 0;
    bool broker(const BrokerRow&, bool) override { return true; }
    bool queue(PartitionId, const QueueRow&) override { return true; }
    bool group(PartitionId, const Id128&, const GroupRow&) override { return true; }
    bool execution(PartitionId, std::uint64_t, const ExecutionRow& row, const RunRow*) override {
        bytes += row.payload.body.bytes.size();
        ++rows;
        return true;
    }
    bool entry(PartitionId, std::uint64_t, const EntryRow&) override { return true; }
    bool id(PartitionId, std::uint64_t, const IdRow&) override { return true; }
    bool flow(PartitionId, std::string_view, const FlowRow&) override { return true; }
    bool cursor(PartitionId, std::string_view, const CursorRow&) override { return true; }
    bool dead(PartitionId, std::uint64_t, const DeadRow&, const ExecutionRow&) override {
        return true;
    }
    bool alias(std::string_view, const AliasRow&) override { return true; }
    bool standing(PartitionId, std::string_view, const StandingRow&,
                  const StandingRunRow&) override {
        return true;
    }
};

constexpr std::uint64_t kMillion = 1'000'000;

void fill(Bench& bench) {
    for (std::uint64_t jobs = 0; jobs < kMillion; jobs += 1000) {
        bench.accept(1000);
        bench.add(bench.record(1));
    }
    bench.write();
}

void restore_1m(benchmark::State& state) {
    Bench bench;
    fill(bench);
    for (auto _ : state) {
        CountingSink sink;
        SCANMQ_ASSERT(load(bench.store(), sink).ok());
        SCANMQ_ASSERT(sink.rows == kMillion && sink.bytes == kMillion * 200);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kMillion));
    state.counters["file_MiB"] =
        static_cast<double>(bench.store().size().file_bytes) / static_cast<double>(1U << 20);
}

void cold_view(benchmark::State& state) {
    Bench bench;
    fill(bench);
    BodyReader reader(bench.store());
    BodyStore bodies;
    bodies.set_reader(reader);
    std::vector<BodyHandle> handles;
    for (std::uint64_t i = 1; i <= kMillion; ++i) {
        handles.push_back(bodies.put_cold({BodyKey::Kind::payload, 1, i}));
    }
    for (auto _ : state) {
        std::uint64_t bytes = 0;
        for (const BodyHandle handle : handles) bytes += bodies.view(handle).bytes.size();
        SCANMQ_ASSERT(bytes == kMillion * 200);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kMillion));
    state.counters["memory_body"] =
        static_cast<double>(bodies.memory()) / static_cast<double>(kMillion);
}

BENCHMARK(came_and_went)->Name("state/came_and_went")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(stays)->Name("state/stays")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(ends_later)->Name("state/ends_later")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(restore_1m)->Name("state/restore_1M")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(cold_view)->Name("bodies/cold_view")->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
