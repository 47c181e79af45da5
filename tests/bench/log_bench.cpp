// log/...: what the commit log costs, on the file system of the folder for temporary files (TMPDIR).
//
// log/append_BYTES            one record of that many bytes into the buffer, in batches of 64; the
//                             writing is not counted
// log/append_body_BYTES       the same with the record's bytes in a body of the BodyStore
// log/seal_BYTES              checksum of one record, the log thread's part
// log/step_sync/N             step() with N records of 500 bytes: a write and a sync
// log/step_async/N            the same without the sync
// log/round_trip_sync         append, the log's thread, wake: until durable() is there, one record
// log/open/MIB                recovery of so much log (records of 500 bytes)

#include <benchmark/benchmark.h>

#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/store/body_store.hpp"
#include "broker/store/file_log.hpp"
#include "broker/store/log_thread.hpp"
#include "tests/support/temp_dir.hpp"

namespace {

using namespace scanmq;
using namespace scanmq::broker;

struct Log {
    explicit Log(FileLogOptions::Mode mode) {
        FileLogOptions options;
        options.folder = folder.path().string();
        options.mode = mode;
        options.reserve_segments = 2;
        options.spare_segments_max = 4;
        auto opened = FileLog::open(files, options);
        if (opened) {
            log = std::move(*opened);
        } else {
            std::fprintf(stderr, "%s\n", opened.error().sentence.c_str());
            std::abort();
        }
    }
    void write() {
        log->step(now);
        if (log->durable() - released > 100'000) {
            released = log->durable();
            if (!log->release(released)) std::abort();
        }
    }

    tests::TempDir folder;
    PosixFileSystem files;
    std::unique_ptr<FileLog> log;
    BodyStore bodies;
    Time now{};
    LogPosition released = 0;
};

std::vector<CommitRecord> batch_of(std::size_t records, std::size_t bytes) {
    CommitRecord record;
    record.partition = 3;
    record.bytes.assign(bytes, 'r');
    return std::vector<CommitRecord>(records, record);
}

void append(benchmark::State& state, std::size_t bytes, bool body) {
    constexpr std::size_t kBatch = 64;
    Log log(FileLogOptions::Mode::async);
    auto batch = batch_of(kBatch, body ? 40 : bytes);
    if (body) {
        for (CommitRecord& record : batch) {
            record.bodies.push_back(
                {20, log.bodies.put({std::string(bytes - 40, 'b'), 0}), BodyKey{}});
        }
    }
    std::uint64_t appended = 0;
    for (auto unused : state) {
        benchmark::DoNotOptimize(log.log->append(batch, log.bodies));
        if ((appended += kBatch * bytes) > (4U << 20)) {
            state.PauseTiming();
            log.write();
            appended = 0;
            state.ResumeTiming();
        }
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
    state.counters["record"] = benchmark::Counter(
        static_cast<double>(kBatch),
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(append, 256, 256, false)->Name("log/append_256");
BENCHMARK_CAPTURE(append, 500, 500, false)->Name("log/append_500");
BENCHMARK_CAPTURE(append, body_500, 500, true)->Name("log/append_body_500");
BENCHMARK_CAPTURE(append, 4096, 4096, false)->Name("log/append_4096");

void seal(benchmark::State& state, std::size_t bytes) {
    std::string frame;
    append_frame(frame, 1, batch_of(1, bytes)[0], BodyStore());
    const FrameKey key(1, 2);
    for (auto unused : state) {
        seal_frame(frame.data(), key, 0);
        benchmark::ClobberMemory();
    }
}
BENCHMARK_CAPTURE(seal, 256, 256)->Name("log/seal_256");
BENCHMARK_CAPTURE(seal, 500, 500)->Name("log/seal_500");

void step(benchmark::State& state, FileLogOptions::Mode mode) {
    Log log(mode);
    const auto batch = batch_of(static_cast<std::size_t>(state.range(0)), 500);
    for (auto unused : state) {
        benchmark::DoNotOptimize(log.log->append(batch, log.bodies));
        log.write();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(step, sync, FileLogOptions::Mode::sync)
    ->Name("log/step_sync")
    ->Arg(1)
    ->Arg(256)
    ->Arg(2048)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(step, async, FileLogOptions::Mode::async)
    ->Name("log/step_async")
    ->Arg(1)
    ->Arg(256)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void round_trip(benchmark::State& state) {
    Log log(FileLogOptions::Mode::sync);
    std::mutex mutex;
    std::condition_variable durable;
    log.log->set_wake([&] {
        { const std::lock_guard lock(mutex); }
        durable.notify_one();
    });
    const SystemClock clock;
    SyncGap gap;
    LogThread threads(*log.log, clock, gap);
    const auto batch = batch_of(1, 500);
    for (auto unused : state) {
        const auto position = log.log->append(batch, log.bodies);
        if (!position) std::abort();
        std::unique_lock lock(mutex);
        durable.wait(lock, [&] { return log.log->durable() >= *position; });
    }
}
BENCHMARK(round_trip)->Name("log/round_trip_sync")->UseRealTime()->Unit(benchmark::kMicrosecond);

void open_log(benchmark::State& state) {
    Log log(FileLogOptions::Mode::sync);
    const auto batch = batch_of(1000, 500);
    while (log.log->stats().bytes < static_cast<std::uint64_t>(state.range(0)) << 20) {
        if (!log.log->append(batch, log.bodies)) std::abort();
        log.log->step(log.now);
    }
    log.log.reset();
    for (auto unused : state) {
        const auto found = find_log(log.files, log.folder.path().string(), 0);
        if (!found) state.SkipWithError(found.error().sentence.c_str());
    }
}
BENCHMARK(open_log)->Name("log/open")->Arg(100)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
