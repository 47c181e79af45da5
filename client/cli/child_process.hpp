#pragma once
// ChildProcess: a program started by us, spoken to in lines, and never left behind.
//
// Role:    the load generator's broker, workers, producers and subscribers.
// Threads: one.
// Owns:    the process and both its streams. The destructor stops it; should this process be killed
//          itself, the kernel sends the child SIGTERM.

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace scanmq::cli {

class ChildProcess {
  public:
    // Standard input and output come to us; standard error stays ours.
    // Errors: a sentence, when the program cannot be started.
    [[nodiscard]] static Result<ChildProcess, std::string> start(
        const std::string& program, std::vector<std::string> arguments);

    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&& other) noexcept;
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    ~ChildProcess();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    // False when the child no longer reads.
    [[nodiscard]] bool write_line(std::string_view line);

    // The next line without its end; nullopt at the end of its output or at the deadline.
    [[nodiscard]] std::optional<std::string> read_line(Time deadline);

    // Has it ended? Its exit status (128 + signal when one ended it) once it has.
    [[nodiscard]] std::optional<int> poll_exit();
    [[nodiscard]] std::optional<int> wait_exit(Time deadline);

    // SIGTERM, patience, SIGKILL. Its exit status. Does nothing the second time.
    int stop(Duration patience = std::chrono::seconds(10));

  private:
    ChildProcess(pid_t pid, int in, int out) noexcept : pid_(pid), in_(in), out_(out) {}
    void close_pipes() noexcept;

    pid_t pid_ = -1;
    int in_ = -1;   // we write
    int out_ = -1;  // we read
    std::string buffer_;
    std::optional<int> status_;
};

// The program `name` beside this one, as an absolute path.
[[nodiscard]] std::string sibling_program(std::string_view name);
// This program itself.
[[nodiscard]] std::string own_program();

}  // namespace scanmq::cli
