#pragma once
// ProcessScanner: any program that speaks the process protocol, as the worker's scanner.
//
// Role:      the shell around ProcessPool: starts processes, carries frames, watches the clock.
// Payload:   the program's business. Inputs: the snapshots' bytes, when it says that it reads them.
// Errors:    see docs/PROCESS_SCANNER.md, "When things go wrong".
// Limits:    pool.processes calls at once; frames from a process of result_bytes_max and a little.
// Stopping:  input closed, half the patience, SIGTERM, a quarter, SIGKILL.
// See:       docs/PROCESS_SCANNER.md

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "worker/scanners/async_scanner.hpp"
#include "worker/scanners/process_child.hpp"
#include "worker/scanners/process_pool.hpp"

namespace scanmq::worker {

class ProcessScanner final : public AsyncScanner, private ProcessChild::Owner {
  public:
    struct Options {
        std::vector<std::string> command;  // the program, as a path, and its arguments
        ProcessPoolOptions pool;
        std::uint64_t result_bytes_max = 64U << 20;
        std::uint64_t memory_max = 0;  // of each process's addresses; 0: none
    };

    // Starts one process, to learn what it calls itself, and ends it. Blocks for
    // pool.start_timeout and a second at most. Error: a sentence.
    [[nodiscard]] static Result<std::unique_ptr<ProcessScanner>, std::string> create(
        Options options);
    ~ProcessScanner() override;

    [[nodiscard]] std::string version() const override;
    [[nodiscard]] bool reads_inputs() const override { return ready_.reads_inputs; }
    [[nodiscard]] std::uint32_t slots() const override { return options_.pool.processes; }
    void attach(const Host& host) override;
    void start(const Call& call) override;
    void cancel(CallId call) override;
    [[nodiscard]] bool stop(Duration patience) override;

    [[nodiscard]] const PoolCounters& counters() const noexcept { return pool_.counters(); }

  private:
    struct Active {
        Call call;
        std::string note;  // of its progress
    };

    ProcessScanner(Options options, process_wire::Ready ready);

    void on_frame(std::uint32_t process, ByteView frame) override;
    void on_garbage(std::uint32_t process, const std::string& sentence) override;
    void on_closed(std::uint32_t process) override;
    void on_exited(std::uint32_t process, const std::string& how) override;
    void on_error_line(std::uint32_t process, std::string_view line) override;

    void on_message(std::uint32_t process, const process_wire::Ready& ready);
    void on_message(std::uint32_t process, const process_wire::ResultFrame& result);
    void on_message(std::uint32_t process, const process_wire::ProgressFrame& progress);
    void on_message(std::uint32_t process, const process_wire::Pong& pong);

    void carry_out(const PoolEffects& effects);
    void spawn(std::uint32_t process);
    void scan(const PoolEffects::Scan& scan);
    void end(const PoolEffects::End& end);
    void arm_timer();
    void on_timer();

    Options options_;
    process_wire::Ready ready_;  // what every process has to say
    Host host_;
    ProcessPool pool_;
    process_wire::Decoder decoder_;
    std::vector<std::shared_ptr<ProcessChild>> children_;  // by process; null: down
    std::unordered_map<std::uint64_t, Active> calls_;
    std::unique_ptr<boost::asio::steady_timer> timer_;
    std::optional<Time> armed_;
};

// What a program says of itself: starts it, waits for READY, ends it. Error: a sentence.
[[nodiscard]] Result<process_wire::Ready, std::string> ask_program(
    const ProcessScanner::Options& options);

// How a process of these options is started.
[[nodiscard]] process::SpawnOptions spawn_options(const ProcessScanner::Options& options);

// nullopt: it can be used. Else a sentence.
[[nodiscard]] std::optional<std::string> problem_of(const process_wire::Ready& ready);

}  // namespace scanmq::worker
