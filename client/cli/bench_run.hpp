#pragma once
// A run of the load generator: the processes it starts, and what came out.
//
// Threads: one. Everything that is started is stopped by its process id, whatever happens.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/bench_role.hpp"
#include "client/cli/child_process.hpp"
#include "client/cli/session.hpp"
#include "client/cpp/client.hpp"

namespace scanmq::cli {

struct BenchOptions {
    BrokerOptions broker{.brokers = {}, .name = "bench", .timeout = std::chrono::seconds(30)};
    std::string mode = "throughput";  // throughput, closed, open, fill
    std::uint32_t payload_bytes = 200;
    std::uint32_t distinct = 0;  // payloads that all jobs share, out of the cache; 0: each its own
    std::uint32_t batch = 256;
    std::uint32_t producers = 1;
    std::uint32_t workers = 2;
    std::uint32_t worker_threads = 1;
    std::uint32_t subscribers = 1;
    std::uint32_t window = 65'536;  // jobs between submission and result: the queue's max_jobs
    double rate = 2'000.0;          // open loop, all producers together
    double seconds = 3.0;
    std::uint64_t jobs = 0;
    std::uint32_t warm_up = 500;
    bool self_contained = false;
    std::string durability = "memory";  // of the broker it starts: memory, sync, async
    std::string data;                   // its directory; empty: a temporary one
};

struct BenchResult {
    SentReport sent;  // summed over producers; first and last over all
    SeenReport seen;  // summed over subscribers, jobs are those that every one of them saw
    double seconds{};
    std::uint64_t broker_rss_bytes{};
};

// How a broker is told its durability and its directory.
[[nodiscard]] std::vector<std::string> durability_arguments(const std::string& durability,
                                                            const std::string& data);

// A directory for the time of this value, removed with all that is in it.
class TemporaryDirectory {
  public:
    TemporaryDirectory();  // path() is empty when it cannot be made
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

  private:
    std::string path_;
};

// A broker of our own on a free port of the loopback. It is stopped before its directory goes.
class OwnBroker {
  public:
    [[nodiscard]] static Result<OwnBroker, Problem> start(const BenchOptions& options);
    [[nodiscard]] const std::string& endpoint() const noexcept { return endpoint_; }

  private:
    OwnBroker(std::unique_ptr<TemporaryDirectory> directory, ChildProcess process,
              std::string endpoint)
        : directory_(std::move(directory)),
          process_(std::move(process)),
          endpoint_(std::move(endpoint)) {}
    std::unique_ptr<TemporaryDirectory> directory_;
    ChildProcess process_;
    std::string endpoint_;
};

// Precondition: options are as bench's flags allow them.
[[nodiscard]] Result<BenchResult, Problem> run_bench(const BenchOptions& options);

}  // namespace scanmq::cli
