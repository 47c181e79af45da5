#include "client/cli/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

namespace scanmq::cli {
namespace {

struct Pipe {
    std::array<int, 2> end{-1, -1};  // read, write
    [[nodiscard]] bool open() { return ::pipe2(end.data(), O_CLOEXEC) == 0; }
    void close_end(int which) {
        if (end[static_cast<std::size_t>(which)] >= 0)
            ::close(end[static_cast<std::size_t>(which)]);
        end[static_cast<std::size_t>(which)] = -1;
    }
};

// Between fork and exec: only calls that are safe there. Does not return.
[[noreturn]] void become(const std::string& program, char* const* argv, int in, int out,
                         int failure, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::signal(SIGPIPE, SIG_DFL);
    ::execv(program.c_str(), argv);
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(failure, &error, sizeof error);
    ::_exit(127);
}

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
    std::vector<char*> argv;
    std::string name = program;
    argv.push_back(name.data());
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);

    Pipe to_child;
    Pipe from_child;
    Pipe failure;  // closed by a successful exec
    if (!to_child.open() || !from_child.open() || !failure.open()) {
        return fail("cannot make a pipe: " + std::string(std::strerror(errno)));
    }
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return fail("cannot start a process: " + std::string(std::strerror(errno)));
    if (pid == 0) {
        become(program, argv.data(), to_child.end[0], from_child.end[1], failure.end[1], parent);
    }
    to_child.close_end(0);
    from_child.close_end(1);
    failure.close_end(1);
    ChildProcess child(pid, to_child.end[1], from_child.end[0]);
    int error = 0;
    const auto got = ::read(failure.end[0], &error, sizeof error);
    failure.close_end(0);
    if (got == static_cast<ssize_t>(sizeof error)) {
        return fail("cannot run " + program + ": " + std::strerror(error));
    }
    return child;
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
        const auto n = ::write(in_, text.data() + sent, text.size() - sent);
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
