// The shell's parts that need no socket: the thread pool, the task table, endpoints, options.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>

#include "worker/scanners/async_scanner.hpp"
#include "worker/server/blob_transfers.hpp"
#include "worker/server/program_options.hpp"
#include "worker/server/task_table.hpp"
#include "worker/server/thread_pool.hpp"

namespace scanmq::worker {
namespace {

TEST(ThreadPool, RunsEverythingBeforeItEnds) {
    std::atomic<int> ran{0};
    {
        ThreadPool pool(3, 1000);
        for (int i = 0; i < 1000; ++i) pool.post(0, [&] { ++ran; });
    }
    EXPECT_EQ(ran.load(), 1000);
}

TEST(ThreadPool, UsesAllItsThreads) {
    ThreadPool pool(4, 16);
    std::latch together(5);  // four items that only end when all four run at once
    for (int i = 0; i < 4; ++i) pool.post(0, [&] { together.arrive_and_wait(); });
    together.arrive_and_wait();
}

TEST(ThreadPool, WithdrawsOnlyWhatHasNotBegun) {
    std::atomic<int> ran{0};
    std::latch begun(1);
    std::latch go_on(1);
    bool first = true;
    bool second = false;
    {
        ThreadPool pool(1, 16);
        pool.post(1, [&] {
            begun.count_down();
            go_on.wait();
            ++ran;
        });
        pool.post(2, [&] { ran += 10; });
        begun.wait();
        first = pool.withdraw(1);
        second = pool.withdraw(2);
        go_on.count_down();
    }
    EXPECT_FALSE(first);
    EXPECT_TRUE(second);
    EXPECT_EQ(ran, 1);
}

TEST(ThreadPool, FinishTellsWhetherAllHasEnded) {
    ThreadPool pool(2, 16);
    std::latch hang(1);
    pool.post(0, [&] { hang.wait(); });
    EXPECT_FALSE(pool.finish(std::chrono::milliseconds(1)));
    hang.count_down();
    EXPECT_TRUE(pool.finish(std::chrono::minutes(1)));
}

TEST(TaskTable, OwnedTaskOutlivesItsFrame) {
    TaskTable table;
    const AttemptId id{2, 5};
    {
        auto queue = std::make_unique<std::string>("scans");
        auto payload = std::make_unique<std::string>("payload");
        auto subject = std::make_unique<std::string>("SPY");
        protocol::Deliver deliver{1, *queue, {}};
        const protocol::Attempt attempt{9, {}, *subject, {*payload, 0}, {}};
        table.take({id, &deliver, &attempt});
        EXPECT_EQ(table.find(id)->task.payload.data(), payload->data())
            << "no copy before it is needed";
        table.find(id)->own();
    }
    const TaskSlot* slot = table.find(id);
    ASSERT_NE(slot, nullptr);
    EXPECT_EQ(slot->task.queue, "scans");
    EXPECT_EQ(slot->task.subject, "SPY");
    EXPECT_EQ(slot->task.payload, "payload");
}

// Found by reading: a result that is its payload pointed into the frame after the task was copied.
TEST(TaskTable, ResultThatIsThePayloadIsOwnedWithIt) {
    TaskTable table;
    auto payload = std::make_unique<std::string>("a payload that is given back");
    protocol::Deliver deliver{1, "scans", {}};
    const protocol::Attempt attempt{9, {}, "SPY", {*payload, 0}, {}};
    table.take({{0, 1}, &deliver, &attempt});
    TaskSlot& slot = *table.find({0, 1});
    slot.outcome.body = slot.task.payload.substr(2);
    slot.own();
    payload.reset();
    EXPECT_EQ(slot.outcome.body, "payload that is given back");
    EXPECT_EQ(slot.outcome.body.data(), slot.task.payload.data() + 2);
}

TEST(TaskTable, PricingClockIsTakenAndProgressBeginsAnew) {
    TaskTable table;
    protocol::Deliver deliver{1, "scans", {}};
    const protocol::Attempt with{9, {}, "", {"p", 0}, {}, 123'456};
    table.take({{0, 1}, &deliver, &with});
    TaskSlot& slot = *table.find({0, 1});
    EXPECT_EQ(slot.task.as_of_ns, 123'456);
    slot.task.progress->done = 5;
    table.release({0, 1});
    const protocol::Attempt without{10, {}, "", {"p", 0}, {}};
    table.take({{0, 2}, &deliver, &without});
    EXPECT_FALSE(slot.task.as_of_ns.has_value());
    EXPECT_EQ(slot.task.progress->done, 0U);
}

TEST(TaskTable, ReleasedTaskIsGone) {
    TaskTable table;
    protocol::Deliver deliver{1, "scans", {}};
    const protocol::Attempt attempt{9, {}, "", {"p", 0}, {}};
    table.take({{0, 1}, &deliver, &attempt});
    EXPECT_EQ(table.find({0, 2}), nullptr);
    table.release({0, 1});
    EXPECT_EQ(table.find({0, 1}), nullptr);
    table.take({{0, 2}, &deliver, &attempt});
    table.release({0, 1});
    EXPECT_NE(table.find({0, 2}), nullptr) << "a late release of its former user";
}

TEST(TaskTable, FingerprintsAreCounted) {
    TaskTable table;
    const ContentId fingerprint = content_id("f");
    protocol::Deliver deliver{1, "scans", {}};
    const protocol::Attempt plain{9, {}, "", {"p", 0}, {}};
    const protocol::Attempt keyed{10, {}, "", {"p", 0}, {}, std::nullopt, 0, fingerprint.view()};
    table.take({{0, 1}, &deliver, &keyed});
    table.take({{1, 1}, &deliver, &plain});
    EXPECT_EQ(table.keyed(), 1U);
    EXPECT_TRUE(table.find({0, 1})->keyed);
    EXPECT_EQ(table.find({0, 1})->fingerprint, fingerprint);
    table.find({0, 1})->known = std::make_shared<const std::string>("result");
    table.release({0, 1});
    EXPECT_EQ(table.keyed(), 0U);
    table.take({{0, 2}, &deliver, &plain});
    EXPECT_FALSE(table.find({0, 2})->keyed);
    EXPECT_EQ(table.find({0, 2})->known, nullptr) << "the next one's result is its own";
}

TEST(TaskTable, ReadsInputsAndBlobPayloads) {
    TaskTable table;
    const ContentId a = content_id("a");
    const ContentId b = content_id("b");
    const std::string inputs = std::string(a.view()) + std::string(b.view());
    protocol::Deliver deliver{1, "scans", {}};
    const protocol::Attempt attempt{9, {}, "", {a.view(), 1000}, inputs};
    table.take({{0, 1}, &deliver, &attempt});
    TaskSlot* slot = table.find({0, 1});
    EXPECT_EQ(slot->payload_id, a);
    EXPECT_TRUE(slot->task.payload.empty());
    EXPECT_THAT(slot->input_ids, testing::ElementsAre(a, b));
    slot->set_payload("bytes of the blob");
    EXPECT_EQ(slot->task.payload, "bytes of the blob");
    EXPECT_EQ(slot->task.queue, "scans");
}

TEST(ReachableEndpoint, TakesTheHostOfTheMainOneWhereNoneIsNamed) {
    EXPECT_EQ(reachable_endpoint("tcp://10.0.0.5:5701", "tcp://0.0.0.0:5702"),
              "tcp://10.0.0.5:5702");
    EXPECT_EQ(reachable_endpoint("tcp://[fe80::1]:5701", "tcp://[::]:5702"),
              "tcp://[fe80::1]:5702");
    EXPECT_EQ(reachable_endpoint("tcp://10.0.0.5:5701", "tcp://10.0.0.6:5702"),
              "tcp://10.0.0.6:5702");
    EXPECT_EQ(reachable_endpoint("ipc:///tmp/a", "ipc:///tmp/b"), "ipc:///tmp/b");
}

struct ParsedProgram {
    ProgramOptions program;
    std::string error;
    std::unique_ptr<Scanner> scanner;
};

ParsedProgram parse(const std::vector<std::string>& arguments) {
    ParsedProgram out;
    config::Options options("scanmq-worker", "");
    out.program.declare(options);
    const auto parsed = options.parse(arguments, {});
    if (!parsed) {
        out.error = parsed.error().sentence;
        return out;
    }
    auto scanner = out.program.complete();
    if (scanner) {
        out.scanner = std::move(scanner).value();
    } else {
        out.error = scanner.error();
    }
    return out;
}

TEST(WorkerOptions, DefaultsFitTheMachine) {
    const ParsedProgram parsed = parse({});
    EXPECT_EQ(parsed.error, "");
    EXPECT_GE(parsed.program.settings.core.threads, 1U);
    EXPECT_FALSE(parsed.program.settings.core.name.empty());
    EXPECT_FALSE(parsed.scanner->on_loop());
}

TEST(WorkerOptions, AreRead) {
    const ParsedProgram parsed =
        parse({"--broker", "tcp://a:1,tcp://b:2", "--threads", "3", "--queues", "x,y", "--scanner",
               "noop", "--noop-result", "1KiB", "--drain-timeout", "5s", "--cache-bytes", "64MiB",
               "--name", "w"});
    ASSERT_EQ(parsed.error, "");
    const Settings& settings = parsed.program.settings;
    EXPECT_THAT(settings.brokers, testing::ElementsAre("tcp://a:1", "tcp://b:2"));
    EXPECT_EQ(settings.core.threads, 3U);
    EXPECT_THAT(settings.core.queues, testing::ElementsAre("x", "y"));
    EXPECT_EQ(settings.core.drain_timeout, std::chrono::seconds(5));
    EXPECT_EQ(settings.cache_bytes, 64U << 20);
    EXPECT_EQ(settings.core.name, "w");
    Outcome out;
    parsed.scanner->run({}, out);
    EXPECT_EQ(out.body.size(), 1024U);
}

TEST(WorkerOptions, TheCacheIsReadAndChecked) {
    const ResultCacheOptions defaults = parse({}).program.settings.results;
    EXPECT_EQ(defaults.where, "memory");
    EXPECT_EQ(defaults.bytes_max, 32U << 20);
    EXPECT_EQ(defaults.wait, std::chrono::milliseconds(20));
    EXPECT_EQ(defaults.prefix, "scanmq:");
    const ParsedProgram parsed =
        parse({"--cache", "redis://h:1", "--cache-prefix", "x:", "--cache-result-bytes", "1MiB",
               "--cache-wait", "7ms"});
    ASSERT_EQ(parsed.error, "");
    const ResultCacheOptions& results = parsed.program.settings.results;
    EXPECT_EQ(results.where, "redis://h:1");
    EXPECT_EQ(results.prefix, "x:");
    EXPECT_EQ(results.bytes_max, 1U << 20);
    EXPECT_EQ(results.wait, std::chrono::milliseconds(7));
    EXPECT_EQ(parse({"--cache", "off"}).error, "");
    EXPECT_THAT(parse({"--cache", "elsewhere"}).error,
                testing::HasSubstr("--cache is memory, off"));
    EXPECT_THAT(parse({"--cache-wait", "11s"}).error, testing::HasSubstr("cache-wait"));
}

TEST(WorkerOptions, FaultsOfTheNoopScannerAreRead) {
    const ParsedProgram parsed =
        parse({"--scanner", "noop", "--noop-service", "50ms", "--noop-fail-rate", "1",
               "--noop-poison", "bad", "--progress-interval", "200ms"});
    ASSERT_EQ(parsed.error, "");
    EXPECT_FALSE(parsed.scanner->on_loop()) << "it takes its time on a thread";
    EXPECT_EQ(parsed.program.settings.core.progress_interval, std::chrono::milliseconds(200));
    Outcome out;
    parsed.scanner->run({}, out);
    EXPECT_EQ(out.status, ScanStatus::failed);
    EXPECT_THAT(parse({"--noop-fail-rate", "1.5"}).error, testing::HasSubstr("noop-fail-rate"));
}

TEST(WorkerOptions, ProcessScannerIsAskedWhatItIs) {
    const std::string example = SCANMQ_SOURCE_DIR "/compose/examples/python_scanner.py";
    const ParsedProgram parsed =
        parse({"--scanner", "process", "--process", "python3 '" + example + "'", "--process-count",
               "3", "--process-timeout", "7s"});
    ASSERT_EQ(parsed.error, "");
    EXPECT_EQ(parsed.scanner->version(), "python-example/1");
    ASSERT_NE(parsed.scanner->asynchronous(), nullptr);
    EXPECT_EQ(parsed.scanner->asynchronous()->slots(), 3U);
    EXPECT_EQ(parsed.program.processes.pool.call_timeout, std::chrono::seconds(7));
}

TEST(WorkerOptions, WrongProcessesAreExplained) {
    const auto error = [](const std::string& command) {
        return parse({"--scanner", "process", "--process", command}).error;
    };
    EXPECT_THAT(parse({"--scanner", "process"}).error, testing::HasSubstr("needs --process"));
    EXPECT_THAT(error("it's"), testing::HasSubstr("not closed"));
    EXPECT_THAT(error("no-such-program-anywhere x"), testing::HasSubstr("in PATH"));
    EXPECT_THAT(error("sh -c 'exit 3'"), testing::HasSubstr("exited with status 3"));
}

TEST(WorkerOptions, WrongSizeOfNoopResultsIsExplained) {
    EXPECT_THAT(parse({"--scanner", "noop", "--noop-result", "many"}).error,
                testing::HasSubstr("--noop-result"));
    EXPECT_THAT(parse({"--scanner", "noop", "--noop-result", "1GiB"}).error,
                testing::HasSubstr("64MiB"));
}

}  // namespace
}  // namespace scanmq::worker
