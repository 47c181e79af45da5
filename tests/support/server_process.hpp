#pragma once
// ServerProcess: a server in a process of its own, for as long as the object lives; frozen and ended by its pid.
//
// Ready:     whoever starts it says how that shows, in a file most likely.
// See:       cache_broker.hpp, redis_server.hpp

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "common/process/spawn.hpp"

namespace scanmq::tests {

class ServerProcess {
  public:
    ServerProcess() = default;
    ~ServerProcess() { stop(); }
    ServerProcess(const ServerProcess&) = delete;
    ServerProcess& operator=(const ServerProcess&) = delete;

    // Until ready() is true. False: it ended before, most likely because its port was taken, or it took
    // too long and was ended. Throws when there is no such program.
    template <class Ready>
    [[nodiscard]] bool start(process::SpawnOptions options, const Ready& ready) {
        stop();
        options.death_signal = SIGKILL;
        auto child = process::spawn(options);
        if (!child) throw std::runtime_error(child.error());
        close(child->in);
        close(child->out);
        pid_ = child->pid;
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (std::chrono::steady_clock::now() < end) {
            if (ready()) return true;
            if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
                pid_ = -1;
                return false;
            }
            poll(nullptr, 0, 5);
        }
        stop();
        return false;
    }
    // Ends it as a crash would.
    void stop() {
        if (pid_ < 0) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    // It runs no more when this returns.
    void freeze() const {
        signal(SIGSTOP);
        waitpid(pid_, nullptr, WUNTRACED);
    }
    void thaw() const { signal(SIGCONT); }

  private:
    static constexpr std::chrono::seconds kPatience{20};

    void signal(int number) const {
        if (pid_ < 0) throw std::logic_error("the server does not run");
        kill(pid_, number);
    }

    pid_t pid_ = -1;
};

}  // namespace scanmq::tests
