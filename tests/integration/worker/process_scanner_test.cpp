// ProcessScanner with real processes: tests/integration/worker/scripted_process.py does as its payloads say.
#include "worker/scanners/process_scanner.hpp"

#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/support/temp_dir.hpp"

namespace scanmq::worker::test {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using testing::HasSubstr;

constexpr auto kPatience = 60s;  // of the tests: a machine may be busy

std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
}

// Its direct children, zombies among them.
bool has_children() {
    std::ifstream file("/proc/self/task/" + std::to_string(::gettid()) + "/children");
    std::string pids;
    std::getline(file, pids);
    return !pids.empty();
}

ProcessScanner::Options options(const std::vector<std::string>& modes = {}) {
    ProcessScanner::Options out;
    out.command = {*process::find_program("/usr/bin/python3"),
                   SCANMQ_SOURCE_DIR "/tests/integration/worker/scripted_process.py",
                   SCANMQ_SOURCE_DIR "/compose/examples/python_scanner.py"};
    out.command.insert(out.command.end(), modes.begin(), modes.end());
    out.pool.wait_max = kPatience;
    out.pool.restart_first = 1ms;
    out.pool.cancel_grace = 50ms;
    out.pool.kill_grace = 50ms;
    return out;
}

// A scanner and its loop; calls by number, made in order.
class Runner {
  public:
    explicit Runner(ProcessScanner::Options with) {
        auto made = ProcessScanner::create(std::move(with));
        EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error());
        scanner = std::move(made).value();
        scanner->attach({&loop,
                         [this](CallId id) {
                             calls_.at(id.value).finished = true;
                             ++finished_;
                         },
                         [this](Availability told) { available = std::move(told); }});
    }
    ~Runner() {
        if (stopped_) return;
        EXPECT_TRUE(stop());
    }
    bool stop(Duration patience = 20s) {
        stopped_ = true;
        return scanner->stop(patience);
    }

    std::uint64_t start(const std::string& payload,
                        std::vector<std::shared_ptr<Input>> inputs = {}) {
        const std::uint64_t id = ++last_;
        One& one = calls_[id];
        one.payload = payload;
        one.inputs = std::move(inputs);
        one.task.queue = "scans";
        one.task.subject = "SPY";
        one.task.payload = one.payload;
        one.task.inputs = one.inputs;
        one.task.progress = &one.progress;
        one.task.deadline = deadline;
        scanner->start({{id}, &one.task, &one.outcome});
        return id;
    }
    void cancel(std::uint64_t id) { scanner->cancel({id}); }

    template <class Condition>
    bool run_until(Condition&& condition) {
        const Time end = std::chrono::steady_clock::now() + kPatience;
        while (!condition() && std::chrono::steady_clock::now() < end) loop.run_one_for(100ms);
        return condition();
    }
    const Outcome& wait(std::uint64_t id) {
        EXPECT_TRUE(run_until([&] { return calls_.at(id).finished; })) << "call " << id;
        return calls_.at(id).outcome;
    }
    const Outcome& run(const std::string& payload,
                       std::vector<std::shared_ptr<Input>> inputs = {}) {
        return wait(start(payload, std::move(inputs)));
    }
    bool open() {
        return run_until([&] { return available.open && available.slots > 0; });
    }
    const Progress& progress(std::uint64_t id) { return calls_.at(id).progress; }
    std::size_t finished() const { return finished_; }

    boost::asio::io_context loop{1};
    std::unique_ptr<ProcessScanner> scanner;
    Availability available{false, {}, 0};
    std::optional<Time> deadline;

  private:
    struct One {
        std::string payload;
        std::vector<std::shared_ptr<Input>> inputs;
        Progress progress;
        Task task;
        Outcome outcome;
        bool finished = false;
    };
    std::map<std::uint64_t, One> calls_;
    std::uint64_t last_ = 0;
    std::size_t finished_ = 0;
    bool stopped_ = false;
};

std::shared_ptr<Input> input(const std::string& bytes) {
    auto out = std::make_shared<Input>(content_id(bytes));
    out->fill(bytes);
    return out;
}

TEST(ProcessScanner, AnswersAndLeavesNothingBehind) {
    const std::size_t before = open_descriptors();
    {
        Runner runner(options());
        EXPECT_EQ(runner.scanner->version(), "python-example/1");
        EXPECT_TRUE(runner.scanner->reads_inputs());
        EXPECT_EQ(runner.run("hello").body, "hello|scans|SPY|None|0 kept");
        EXPECT_EQ(runner.run("again").body, "again|scans|SPY|None|0 kept");
        const Outcome& rejected = runner.run("reject");
        EXPECT_EQ(rejected.status, ScanStatus::rejected);
        EXPECT_EQ(rejected.sentence, "it is no good");
        const Outcome& raised = runner.run("raise");
        EXPECT_EQ(raised.status, ScanStatus::failed);
        EXPECT_EQ(raised.sentence, "RuntimeError: a bug of two lines");
        EXPECT_EQ(runner.scanner->counters().started, 1U) << "all by one process";
        EXPECT_EQ(runner.run("large 3000000").body.size(), 3'000'000U);
        EXPECT_TRUE(runner.stop());
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(has_children());
}

TEST(ProcessScanner, SnapshotsAreSentOnceAndForgotten) {
    ProcessScanner::Options with = options();
    with.pool.cache_bytes = 300'000;
    Runner runner(with);
    const auto a = input(std::string(200'000, 'a'));
    const auto b = input("b");
    const auto c = input(std::string(200'000, 'c'));
    // Large bodies are not for a failure's message.
    const auto gives = [&](std::vector<std::shared_ptr<Input>> inputs, const std::string& tail) {
        return runner.run("x", std::move(inputs)).body == "x|scans|SPY|None|" + tail;
    };
    const std::string a_bytes(200'000, 'a');
    const std::string c_bytes(200'000, 'c');
    EXPECT_TRUE(gives({a, b}, a_bytes + "|b|2 kept"));
    EXPECT_TRUE(gives({b, a}, "b|" + a_bytes + "|2 kept"));
    EXPECT_TRUE(gives({b, c}, "b|" + c_bytes + "|2 kept")) << "a was forgotten";
    EXPECT_TRUE(gives({a}, a_bytes + "|1 kept")) << "and sent again";
}

TEST(ProcessScanner, WithoutInputsNoneAreSent) {
    Runner runner(options({"no-inputs"}));
    EXPECT_FALSE(runner.scanner->reads_inputs());
    EXPECT_EQ(runner.run("x").body, "x|scans|SPY|None|0 kept");
}

TEST(ProcessScanner, ManyCallsOverSeveralProcesses) {
    ProcessScanner::Options with = options();
    with.pool.processes = 3;
    Runner runner(with);
    std::size_t started = 0;
    while (started < 300) {
        while (started - runner.finished() < 3 && started < 300) {
            runner.start("n");
            ++started;
        }
        const std::size_t before = runner.finished();
        ASSERT_TRUE(runner.run_until([&] { return runner.finished() > before; }));
    }
    ASSERT_TRUE(runner.run_until([&] { return runner.finished() == 300; }));
}

TEST(ProcessScanner, DeathFailsItsCallAndTheNextGoesOn) {
    Runner runner(options());
    const Outcome& killed = runner.run("die");
    EXPECT_EQ(killed.status, ScanStatus::failed);
    EXPECT_EQ(killed.code, ErrorCode::scanner_error);
    EXPECT_EQ(killed.sentence,
              "process 1 of 1 was killed by signal 9 (Killed): its last words: about to die");
    const Outcome& left = runner.run("leave");
    EXPECT_EQ(left.code, ErrorCode::scanner_error);
    EXPECT_THAT(left.sentence, HasSubstr("exited with status 7: its last words: leaving, as"));
    EXPECT_EQ(runner.run("fine").status, ScanStatus::done);
    EXPECT_EQ(runner.scanner->counters().deaths, 2U);
}

TEST(ProcessScanner, GarbageIsABadResponse) {
    Runner runner(options());
    for (const char* payload : {"garbage", "print", "huge", "wrong call"}) {
        const Outcome& outcome = runner.run(payload);
        EXPECT_EQ(outcome.status, ScanStatus::failed) << payload;
        EXPECT_EQ(outcome.code, ErrorCode::bad_response) << payload << ": " << outcome.sentence;
        EXPECT_EQ(runner.run("fine").status, ScanStatus::done) << payload;
    }
    EXPECT_EQ(runner.scanner->counters().garbage, 4U);
}

TEST(ProcessScanner, TooLargeAResultIsABadResponse) {
    ProcessScanner::Options with = options();
    with.result_bytes_max = 100'000;
    Runner runner(with);
    EXPECT_EQ(runner.run("large 100000").body.size(), 100'000U);
    EXPECT_EQ(runner.run("large 100001").code, ErrorCode::bad_response);
    EXPECT_EQ(runner.run("large 1000000").code, ErrorCode::bad_response);
}

TEST(ProcessScanner, HungProcessHearsTerm) {
    ProcessScanner::Options with = options();
    with.pool.call_timeout = 300ms;
    with.pool.kill_grace = kPatience;
    Runner runner(with);
    ASSERT_TRUE(runner.open());
    const Outcome& outcome = runner.run("hang");
    EXPECT_EQ(outcome.status, ScanStatus::failed);
    EXPECT_EQ(outcome.code, ErrorCode::scanner_timeout);
    EXPECT_THAT(outcome.sentence, HasSubstr("no result in time; it was killed by signal 15"));
}

TEST(ProcessScanner, ProcessThatIgnoresTermIsKilled) {
    Runner runner(options());
    const auto id = runner.start("hang deaf");
    ASSERT_TRUE(runner.run_until([&] { return runner.progress(id).done.load() == 1; }));
    runner.cancel(id);
    EXPECT_THAT(runner.wait(id).sentence,
                HasSubstr("cancelled; process 1 of 1 was killed by signal 9"));
    EXPECT_EQ(runner.scanner->counters().killed, 1U);
    EXPECT_EQ(runner.run("fine").status, ScanStatus::done);
}

TEST(ProcessScanner, CancelledScanKeepsItsProcess) {
    ProcessScanner::Options with = options();
    with.pool.cancel_grace = kPatience;
    Runner runner(with);
    const auto id = runner.start("wait");
    ASSERT_TRUE(runner.run_until([&] { return runner.progress(id).done.load() > 3; }));
    EXPECT_EQ(runner.progress(id).total.load(), 100'000U);
    EXPECT_STREQ(runner.progress(id).note.load(), "waiting");
    runner.cancel(id);
    EXPECT_EQ(runner.wait(id).sentence, "cancelled");
    EXPECT_EQ(runner.run("next").status, ScanStatus::done);
    EXPECT_EQ(runner.scanner->counters().deaths, 0U);
}

TEST(ProcessScanner, DeadlineOfTheJobEndsIt) {
    ProcessScanner::Options with = options();
    with.pool.cancel_grace = kPatience;
    Runner runner(with);
    ASSERT_TRUE(runner.open());
    runner.deadline = Time(std::chrono::steady_clock::now()) + 100ms;
    const Outcome& outcome = runner.run("wait");
    EXPECT_EQ(outcome.status, ScanStatus::failed);
    EXPECT_EQ(outcome.code, ErrorCode::scanner_timeout);
}

TEST(ProcessScanner, MemoryIsLimited) {
    ProcessScanner::Options with = options();
    with.memory_max = 1ULL << 30;
    Runner runner(with);
    const Outcome& outcome = runner.run("eat");
    EXPECT_EQ(outcome.status, ScanStatus::failed);
    EXPECT_THAT(outcome.sentence, HasSubstr("MemoryError"));
    EXPECT_EQ(runner.run("fine").status, ScanStatus::done);
}

TEST(ProcessScanner, GrandchildrenGoWithTheirParent) {
    Runner runner(options());
    const std::string sentence = runner.run("grandchild").sentence;
    const auto at = sentence.find("grandchild ");
    ASSERT_NE(at, std::string::npos) << sentence;
    const pid_t pid = std::stoi(sentence.substr(at + 11));
    // Killed with its group; somebody else reaps it.
    EXPECT_TRUE(runner.run_until([&] {
        std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
        std::string line;
        return !std::getline(stat, line) || line.find(") Z") != std::string::npos;
    }));
}

TEST(ProcessScanner, ClosedOutputIsAnEnd) {
    Runner runner(options());
    const Outcome& outcome = runner.run("close");
    EXPECT_EQ(outcome.code, ErrorCode::scanner_error);
    EXPECT_THAT(outcome.sentence, HasSubstr("closed a standard stream"));
}

TEST(ProcessScanner, AFloodOfErrorsIsHeldBack) {
    std::ostringstream log;
    const auto before = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(log)));
    {
        Runner runner(options());
        EXPECT_EQ(runner.run("flood").body, "flooded");
        EXPECT_EQ(runner.run("leave").status, ScanStatus::failed);
    }
    spdlog::set_default_logger(before);
    EXPECT_THAT(log.str(), HasSubstr("process 1: line 0"));
    EXPECT_THAT(log.str(), HasSubstr("lines were not logged)"));
}

TEST(ProcessScanner, SilentIdleProcessIsReplaced) {
    ProcessScanner::Options with = options({"deaf"});
    with.pool.ping_interval = 20ms;
    with.pool.ping_timeout = 100ms;
    Runner runner(with);
    EXPECT_TRUE(runner.run_until([&] { return runner.scanner->counters().deaths >= 2; }));
}

TEST(ProcessScanner, DeathsAtStartMakeItUnavailable) {
    const tests::TempDir dir;
    const std::string file = (dir.path() / "stop").string();
    ProcessScanner::Options with = options({"die-if=" + file});
    with.pool.restart_max = 50ms;
    Runner runner(with);
    ASSERT_TRUE(runner.open());
    std::ofstream(file) << "x";
    EXPECT_EQ(runner.run("die").code, ErrorCode::scanner_error);
    ASSERT_TRUE(runner.run_until([&] { return !runner.available.open; }));
    EXPECT_THAT(runner.available.sentence, HasSubstr("cannot start"));
    const auto id = runner.start("waits");
    ::unlink(file.c_str());
    ASSERT_TRUE(runner.open());
    EXPECT_EQ(runner.wait(id).status, ScanStatus::done);
}

TEST(ProcessScanner, AnotherVersionIsNotTakenIn) {
    const tests::TempDir dir;
    const std::string file = (dir.path() / "version").string();
    std::ofstream(file) << "1";
    Runner runner(options({"version-file=" + file}));
    ASSERT_TRUE(runner.open());
    std::ofstream(file) << "2";
    EXPECT_EQ(runner.run("die").code, ErrorCode::scanner_error);
    ASSERT_TRUE(runner.run_until([&] { return !runner.available.open; }));
    EXPECT_THAT(runner.available.sentence, HasSubstr("start the worker again"));
}

TEST(ProcessScanner, StopEndsWhatDoesNotEndByItself) {
    Runner runner(options());
    ASSERT_TRUE(runner.open());
    runner.start("hang deaf");
    const Time begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < begin + 300ms) runner.loop.run_one_for(50ms);
    EXPECT_TRUE(runner.stop(2s));
    EXPECT_FALSE(has_children());
}

TEST(ProcessScanner, ProgramsThatAreNoScannersAreRefused) {
    const auto refused = [](ProcessScanner::Options with) {
        auto made = ProcessScanner::create(std::move(with));
        return made.ok() ? std::string("it was made") : made.error();
    };
    ProcessScanner::Options with;
    with.command = {"/bin/cat"};
    EXPECT_THAT(refused(with), HasSubstr("/bin/cat: it sent what is no answer"));
    with.command = {"/bin/sh", "-c", "echo no such thing >&2; exit 4"};
    EXPECT_THAT(refused(with), HasSubstr("exited with status 4: its last words: no such thing"));
    with.command = {"/nonexistent"};
    EXPECT_THAT(refused(with), HasSubstr("cannot run /nonexistent"));
    with = options({"mute"});
    with.pool.start_timeout = 200ms;
    EXPECT_THAT(refused(with), HasSubstr("not READY in time"));
    EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace scanmq::worker::test
