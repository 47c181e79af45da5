// scanmq-backlog: a broker with a given number of waiting jobs: what they take, and what a job costs
// while they wait. Prints one JSON object; tests/bench/run_store.sh runs it.
//
//   scanmq-backlog fill BROKER PID JOBS          queue so many 200-byte jobs, wait for the checkpoint
//   scanmq-backlog run BROKER PID JOBS SECONDS   the same, then resume the queue and keep it full
//                                                while workers empty it; they are started by others
//   scanmq-backlog ready BROKER JOBS             wait until the broker has so many waiting
//
// PID is the broker's, on this machine: memory and CPU time are read from /proc.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "client/cpp/client.hpp"
#include "client/cpp/producer.hpp"

namespace {

using namespace scanmq;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr const char* kQueue = "backlog";

[[noreturn]] void give_up(const std::string& sentence) {
    fmt::print(stderr, "scanmq-backlog: {}\n", sentence);
    std::exit(1);
}

double seconds_since(steady_clock::time_point then) {
    return std::chrono::duration<double>(steady_clock::now() - then).count();
}

std::uint64_t anonymous_bytes(const std::string& pid) {
    std::ifstream status("/proc/" + pid + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("RssAnon:")) return std::stoull(line.substr(8)) * 1024;
    }
    give_up("no RssAnon of process " + pid);
}

double cpu_seconds(const std::string& pid) {
    std::ifstream stat("/proc/" + pid + "/stat");
    std::string line;
    std::getline(stat, line);
    std::istringstream rest(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) rest >> skipped;
    double user = 0;
    double system = 0;
    rest >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t column(client::Client& client, const std::string& topic, const std::string& key,
                     const std::string& name) {
    const auto rows = client.query(topic, key, seconds(60));
    if (!rows || rows->empty()) return 0;
    for (const auto& [column, value] : rows->front()) {
        if (column == name) return std::get<std::uint64_t>(value);
    }
    return 0;
}

class Backlog {
  public:
    Backlog(client::Client& client, std::uint64_t jobs)
        : client_(client), jobs_(jobs), producer_(client, kQueue) {}

    void create() {
        const auto made = client_.create_queue(kQueue, {{"max_jobs", jobs_ + 4096},
                                                        {"max_bytes", (jobs_ + 4096) * 264},
                                                        {"stream_max_bytes", 16U << 20}});
        if (!made) give_up(made.error().sentence);
        if (auto paused = client_.control_queue(kQueue, protocol::QueueAction::pause); !paused) {
            give_up(paused.error().sentence);
        }
    }
    void submit_until(std::uint64_t total) {
        while (submitted_ < total) submit(seconds(60));
        if (auto drained = producer_.drain(seconds(120)); !drained) {
            give_up(drained.error().sentence);
        }
    }
    void submit(Duration patience) {
        payload_.replace(0, 20, fmt::format("{:020}", submitted_));
        client::Job job;
        job.subject = "SPY.vertical";
        job.payload = payload_;
        if (producer_.submit(job, patience)) ++submitted_;
    }
    void wait_for_checkpoint() {
        // What was accepted is in the log; all of it is in the state when the two agree.
        for (int i = 0; i < 1200; ++i) {
            if (column(client_, "store", "", "checkpoint_position") >=
                column(client_, "store", "", "log_durable")) {
                return;
            }
            client_.poll(std::chrono::milliseconds(100));
        }
        give_up("no checkpoint in two minutes");
    }
    [[nodiscard]] std::uint64_t ended() { return column(client_, "queues", kQueue, "stream_next"); }

  private:
    client::Client& client_;
    std::uint64_t jobs_;
    client::Producer producer_;
    std::string payload_ = std::string(200, 'x');
    std::uint64_t submitted_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (argc < 4) give_up("usage: see the head of tests/bench/backlog.cpp");
    auto opened = client::Client::open({.brokers = {argv[2]}, .name = "backlog"});
    if (!opened) give_up(opened.error().sentence);
    client::Client& client = **opened;
    if (!client.wait_open(seconds(30))) give_up("no broker at " + std::string(argv[2]));
    if (what == "ready") {
        const std::uint64_t want = std::stoull(argv[3]);
        for (int i = 0; i < 100; ++i) {
            if (column(client, "queues", kQueue, "waiting") >= want) return 0;
            client.poll(std::chrono::milliseconds(10));
        }
        give_up("they are not waiting");
    }
    if (argc < 5) give_up("usage: see the head of tests/bench/backlog.cpp");
    const std::string pid = argv[3];
    const std::uint64_t jobs = std::stoull(argv[4]);
    Backlog backlog(client, jobs);
    backlog.create();
    const auto began = steady_clock::now();
    backlog.submit_until(jobs);
    const double fill_seconds = seconds_since(began);
    backlog.wait_for_checkpoint();
    fmt::print("{{\"jobs\":{},\"fill_jobs_per_s\":{:.0f},\"anonymous_bytes\":{}", jobs,
               static_cast<double>(jobs) / fill_seconds, anonymous_bytes(pid));
    if (what == "run") {
        if (auto resumed = client.control_queue(kQueue, protocol::QueueAction::resume); !resumed) {
            give_up(resumed.error().sentence);
        }
        const double run_seconds = std::stod(argv[5]);
        const auto keep_full = [&](double for_seconds) {
            const auto since = steady_clock::now();
            while (seconds_since(since) < for_seconds) {
                for (int i = 0; i < 256; ++i) backlog.submit(std::chrono::milliseconds(50));
            }
        };
        keep_full(1.0);  // workers fill their windows
        const std::uint64_t ended = backlog.ended();
        const double cpu = cpu_seconds(pid);
        const auto since = steady_clock::now();
        keep_full(run_seconds);
        const double took = seconds_since(since);
        const auto done = static_cast<double>(backlog.ended() - ended);
        fmt::print(",\"jobs_per_s\":{:.0f},\"broker_us_per_job\":{:.3f}", done / took,
                   (cpu_seconds(pid) - cpu) * 1e6 / done);
    }
    fmt::print("}}\n");
    return 0;
}
