#include "common/process/spawn.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace scanmq::process {

namespace {

constexpr int kNotStarted = 127;

std::string reason(int error) { return std::system_category().message(error); }

// Closes what it holds, unless it was taken out.
class Descriptor {
  public:
    Descriptor() = default;
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    void set(int fd) {
        close();
        fd_ = fd;
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int take() noexcept { return std::exchange(fd_, -1); }
    void close() noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

  private:
    int fd_ = -1;
};

struct Ends {
    Descriptor read;
    Descriptor write;
    [[nodiscard]] bool pipe() {
        std::array<int, 2> fds{};
        if (::pipe2(fds.data(), O_CLOEXEC) != 0) return false;
        read.set(fds[0]);
        write.set(fds[1]);
        return true;
    }
    [[nodiscard]] bool socket() {
        std::array<int, 2> fds{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return false;
        read.set(fds[0]);
        write.set(fds[1]);
        // One way, as a pipe: either side notices when the other has gone.
        ::shutdown(read.get(), SHUT_WR);
        return true;
    }
};

struct Child {
    const SpawnOptions* options{};
    char* const* argv{};
    int in{};
    int out{};
    int errors{};  // -1: stays
    int failure{};
    pid_t parent{};
};

[[noreturn]] void give_up(int failure) {
    const int error = errno;
    [[maybe_unused]] const auto written = ::write(failure, &error, sizeof error);
    ::_exit(kNotStarted);
}

// A descriptor may be 0, 1 or 2 itself when ours were closed: moved up first, dup2 cannot then
// overwrite one that is still needed.
int moved_up(int fd) { return fd < 0 || fd > 2 ? fd : ::fcntl(fd, F_DUPFD_CLOEXEC, 3); }

// Between fork and exec: only calls that are safe there. Does not return.
[[noreturn]] void become(const Child& child) {
    const SpawnOptions& options = *child.options;
    const int failure = moved_up(child.failure);
    ::prctl(PR_SET_PDEATHSIG, options.death_signal);
    if (::getppid() != child.parent) ::_exit(kNotStarted);  // it died before the line above
    if (options.own_group && ::setpgid(0, 0) != 0) give_up(failure);
    const int in = moved_up(child.in);
    const int out = moved_up(child.out);
    const int errors = moved_up(child.errors);
    if (::dup2(in, STDIN_FILENO) < 0 || ::dup2(out, STDOUT_FILENO) < 0) give_up(failure);
    if (errors >= 0 && ::dup2(errors, STDERR_FILENO) < 0) give_up(failure);
    // What somebody opened without O_CLOEXEC.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (options.memory_max != 0) {
        const rlimit limit{options.memory_max, options.memory_max};
        if (::setrlimit(RLIMIT_AS, &limit) != 0) give_up(failure);
    }
    ::execv(options.program.c_str(), child.argv);
    give_up(failure);
}

}  // namespace

Result<Spawned, std::string> spawn(const SpawnOptions& options) {
    std::vector<std::string> words{options.program};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    Ends in;
    Ends out;
    Ends errors;
    Ends failure;  // closed by a successful exec
    if (!in.socket() || !out.pipe() || !failure.pipe() ||
        (options.capture_errors && !errors.pipe())) {
        return fail("cannot make a pipe: " + reason(errno));
    }
    const Child child{&options,           argv.data(),         in.read.get(), out.write.get(),
                      errors.write.get(), failure.write.get(), ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0) return fail("cannot start a process: " + reason(errno));
    if (pid == 0) become(child);
    failure.write.close();
    int error = 0;
    ssize_t got = 0;
    do {
        got = ::read(failure.read.get(), &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    if (got == static_cast<ssize_t>(sizeof error)) {
        ::waitpid(pid, nullptr, 0);
        return fail("cannot run " + options.program + ": " + reason(error));
    }
    return Spawned{pid, in.write.take(), out.read.take(), errors.read.take()};
}

Result<int, std::string> open_pidfd(pid_t pid) {
    // Not pidfd_open(): the header of glibc 2.36 forgets that C++ reads it, too.
    const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (fd < 0) return fail("cannot watch a process (Linux 5.3 is needed): " + reason(errno));
    return fd;
}

Result<std::string, std::string> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        if (::access(name.c_str(), X_OK) == 0) return name;
        return fail(name + ": " + reason(errno));
    }
    const char* variable = ::getenv("PATH");
    const std::string_view path = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        std::string file(path.substr(begin, end - begin));
        file += (file.empty() ? "./" : "/") + name;
        if (!name.empty() && ::access(file.c_str(), X_OK) == 0) return file;
        begin = end + 1;
    }
    return fail("there is no program '" + name + "' in PATH");
}

Result<std::vector<std::string>, std::string> split_command(std::string_view text) {
    std::vector<std::string> words;
    char quote = '\0';
    bool in_word = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool blank = c == ' ' || c == '\t' || c == '\n';
        if (quote == '\0' && blank) {
            in_word = false;
            continue;
        }
        if (!in_word) words.emplace_back();
        in_word = true;
        if (c == quote) {
            quote = '\0';
        } else if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == '\\' && quote != '\'') {
            if (++i == text.size()) return fail(std::string("it ends with a backslash"));
            words.back() += text[i];
        } else {
            words.back() += c;
        }
    }
    if (quote != '\0') return fail(std::string("a quote (") + quote + ") is not closed");
    return words;
}

std::string describe_status(int status) {
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        return "was killed by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
    }
    return "exited with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace scanmq::process
