#include "client/cli/child_process.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <utility>

#include "common/process/spawn.hpp"

namespace scanmq::cli {
namespace {

int exit_status(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Time now() { return std::chrono::steady_clock::now(); }

// Milliseconds to the deadline for poll(2), rounded up; 0 when it has passed.
int millis_left(Time deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

Result<ChildProcess, std::string> ChildProcess::start(const std::string& program,
                                                      std::vector<std::string> arguments) {
    auto started = process::spawn({.program = program, .arguments = std::move(arguments)});
    if (!started) return fail(std::move(started).error());
    return ChildProcess(started->pid, started->in, started->out);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      buffer_(std::move(other.buffer_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this == &other) return *this;
    stop();
    pid_ = std::exchange(other.pid_, -1);
    in_ = std::exchange(other.in_, -1);
    out_ = std::exchange(other.out_, -1);
    buffer_ = std::move(other.buffer_);
    status_ = std::exchange(other.status_, std::nullopt);
    return *this;
}

ChildProcess::~ChildProcess() { stop(); }

void ChildProcess::close_pipes() noexcept {
    if (in_ >= 0) ::close(in_);
    if (out_ >= 0) ::close(out_);
    in_ = out_ = -1;
}

bool ChildProcess::write_line(std::string_view line) {
    std::string text(line);
    text += '\n';
    std::size_t sent = 0;
    while (sent < text.size()) {
        const auto n = ::send(in_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        sent += static_cast<std::size_t>(n);
    }
    return true;
}

std::optional<std::string> ChildProcess::read_line(Time deadline) {
    for (;;) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        pollfd waiting{out_, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, millis_left(deadline));
        if (ready == 0 && now() >= deadline) return std::nullopt;
        if (ready <= 0) continue;
        std::array<char, 16'384> chunk{};
        const auto n = ::read(out_, chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return std::nullopt;
        buffer_.append(chunk.data(), static_cast<std::size_t>(n));
    }
}

std::optional<int> ChildProcess::poll_exit() {
    if (status_ || pid_ < 0) return status_;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = exit_status(status);
    return status_;
}

std::optional<int> ChildProcess::wait_exit(Time deadline) {
    while (!poll_exit() && now() < deadline) {
        ::poll(nullptr, 0, 2);  // waitpid() has no time-out of its own
    }
    return status_;
}

int ChildProcess::stop(Duration patience) {
    if (pid_ < 0) return status_.value_or(0);
    close_pipes();
    if (!poll_exit()) {
        ::kill(pid_, SIGTERM);
        if (!wait_exit(now() + patience)) {
            ::kill(pid_, SIGKILL);
            int status = 0;
            ::waitpid(pid_, &status, 0);
            status_ = exit_status(status);
        }
    }
    pid_ = -1;
    return *status_;
}

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

std::string sibling_program(std::string_view name) {
    return (std::filesystem::path(own_program()).parent_path() / name).string();
}

}  // namespace scanmq::cli
