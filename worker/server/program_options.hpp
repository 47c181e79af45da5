#pragma once
// What scanmq-worker can be told on the command line, in the environment and in its file.

#include <cstdint>
#include <memory>
#include <string>

#include "common/config/options.hpp"
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
    std::string log = "info";

    // Adds every option of the program.
    void declare(config::Options& options);
    // After parsing: what depends on this machine. Error: a sentence.
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> complete();

  private:
    void declare_noop(config::Options& options);
    void declare_process(config::Options& options);
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> noop_scanner() const;
    [[nodiscard]] Result<std::unique_ptr<Scanner>, std::string> process_scanner();
};

}  // namespace scanmq::worker
