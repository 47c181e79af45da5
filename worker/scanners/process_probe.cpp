// What a program says of itself, asked before the worker has a loop.
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "worker/scanners/process_scanner.hpp"

namespace scanmq::worker {

namespace {

using std::chrono::milliseconds;

constexpr Duration kPatience = milliseconds(500);  // for its end

Time clock_now() { return std::chrono::steady_clock::now(); }

// One process, spoken to step by step. Ends with its scope.
class Asked {
  public:
    Asked(const process::Spawned& spawned, std::uint64_t frame_bytes_max)
        : spawned_(spawned), frames_(frame_bytes_max) {}
    ~Asked() {
        if (reaped_) return;
        static_cast<void>(end());
    }
    Asked(const Asked&) = delete;
    Asked& operator=(const Asked&) = delete;

    void send(const std::string& frames) const {
        // A few bytes into an empty socket: all or nothing. What went wrong shows by its end.
        static_cast<void>(::send(spawned_.in, frames.data(), frames.size(), MSG_NOSIGNAL));
    }

    // The first frame. Error: why there is none.
    [[nodiscard]] Result<std::string, std::string> first_frame(Time deadline) {
        for (;;) {
            const auto frame = frames_.next();
            if (!frame) return fail("it sent what is no answer: " + frame.error());
            if (*frame) return std::string(**frame);
            std::array<pollfd, 2> waiting{
                {{spawned_.out, POLLIN, 0}, {spawned_.errors, POLLIN, 0}}};
            if (errors_closed_) waiting[1].fd = -1;
            const auto rest = std::chrono::ceil<milliseconds>(deadline - clock_now()).count();
            if (rest <= 0)
                return fail("it was not READY in time (--process-start-timeout)" + end());
            ::poll(waiting.data(), waiting.size(),
                   static_cast<int>(std::min<std::int64_t>(rest, 1000)));
            if (waiting[1].revents != 0) read_errors();
            if (waiting[0].revents != 0 && !read_output()) {
                return fail("it closed its standard output before READY" + end());
            }
        }
    }

    // Ends it: "; it exited with status 1: its last words: …".
    [[nodiscard]] std::string end() {
        ::close(spawned_.in);
        int status = 0;
        const Time deadline = clock_now() + kPatience;
        pid_t gone = 0;
        while ((gone = ::waitpid(spawned_.pid, &status, WNOHANG)) == 0 && clock_now() < deadline) {
            ::poll(nullptr, 0, 5);
        }
        const bool by_us = gone == 0;
        if (by_us) {
            ::kill(-spawned_.pid, SIGKILL);
            while (::waitpid(spawned_.pid, &status, 0) < 0 && errno == EINTR) {
            }
        }
        reaped_ = true;
        while (!errors_closed_ && pending(spawned_.errors)) read_errors();
        lines_.flush([](std::string_view) {});
        ::close(spawned_.out);
        ::close(spawned_.errors);
        std::string out = by_us ? std::string("; it had to be killed")
                                : "; it " + process::describe_status(status);
        if (const std::string words = lines_.last_words(); !words.empty()) out += ": " + words;
        return out;
    }

  private:
    static bool pending(int fd) {
        pollfd waiting{fd, POLLIN, 0};
        return ::poll(&waiting, 1, 0) > 0;
    }
    bool read_output() {
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(spawned_.out, buffer.data(), buffer.size());
        if (got < 0) return errno == EINTR;
        frames_.add({buffer.data(), static_cast<std::size_t>(got)});
        return got > 0;
    }
    void read_errors() {
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(spawned_.errors, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) return;
        errors_closed_ = got <= 0;
        if (got > 0) {
            lines_.add({buffer.data(), static_cast<std::size_t>(got)}, [](std::string_view) {});
        }
    }

    process::Spawned spawned_;
    process_wire::FrameReader frames_;
    process_wire::ErrorLines lines_;
    bool errors_closed_ = false;
    bool reaped_ = false;
};

}  // namespace

Result<process_wire::Ready, std::string> ask_program(const ProcessScanner::Options& options) {
    const auto spawned = process::spawn(spawn_options(options));
    if (!spawned) return fail(spawned.error());
    Asked asked(*spawned, process_wire::kFrameOverheadMax);
    std::string hello;
    process_wire::encode_hello(options.result_bytes_max, hello);
    asked.send(hello);
    const std::string program = options.command.front();
    const auto frame = asked.first_frame(clock_now() + options.pool.start_timeout);
    if (!frame) return fail(program + ": " + frame.error());
    process_wire::Decoder decoder;
    const auto message = decoder.decode(*frame);
    if (!message) return fail(program + ": it sent what is no answer: " + message.error());
    const auto* ready = std::get_if<process_wire::Ready>(&*message);
    if (ready == nullptr) return fail(program + ": its first frame is not READY");
    if (const auto problem = problem_of(*ready)) return fail(program + ": " + *problem);
    return *ready;
}

}  // namespace scanmq::worker
