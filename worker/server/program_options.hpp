#pragma once
// What scanmq-worker can be told on the command line, in the environment and in its file.

#include <cstdint>
#include <memory>
#include <string>

#include "common/config/options.hpp"
#include "worker/remote/remote_settings.hpp"
#include "worker/scanners/process_scanner.hpp"
#include "worker/server/worker_server.hpp"

namespace scanmq::worker {

struct ProgramOptions {
    Settings settings;
    std::string scanner = "embedded";
    std::string noop_result = "payload";  // or a size
    Duration noop_service{};
    double noop_fail_rate = 0.0;
    std::string noop_poison;
    std::string process_command;
    ProcessScanner::Options processes;
    RemoteSettings remote;
    std::string log = "info";

    // Adds every option of the program.
    void declare(config::Options& options);
    // After parsing: what depends on this machine. Error: a sentence.
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> complete();
    // Once there is a log: waits for a remote scanner, where there is one, to say its version. False: a
    // signal ended the wait.
    [[nodiscard]] bool wait_for_scanner(Scanner& scanner) const;

  private:
    void declare_noop(config::Options& options);
    void declare_process(config::Options& options);
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> noop_scanner() const;
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> process_scanner();
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> http_scanner() const;
};

}  // namespace scanmq::worker
