#pragma once
// ProcessChild: one running process of ProcessScanner, and its streams on the worker's loop.
//
// Role:      carries bytes; decides nothing. What it reads is told to its Owner.
// Threads:   the loop's.
// Owns:      the process, until it was reaped: the destructor kills what still runs, and its group.
// Lifetimes: shared, because handlers of the loop may outlive the owner's use of it; after exited(), or
//            forget_owner(), the owner is not called any more.
// Limits:    one frame of frame_bytes_max is buffered; of standard error log_lines_max lines a second
//            are told, the others counted. What is queued for writing is bounded by its owner: one
//            scan and a few words.

#include <sys/types.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "common/base/time.hpp"
#include "common/process/spawn.hpp"
#include "worker/scanners/input.hpp"
#include "worker/scanners/process_wire.hpp"

namespace scanmq::worker {

class ProcessChild : public std::enable_shared_from_this<ProcessChild> {
  public:
    class Owner {
      public:
        virtual ~Owner() = default;
        virtual void on_frame(std::uint32_t process, ByteView frame) = 0;
        virtual void on_garbage(std::uint32_t process, const std::string& sentence) = 0;
        // It closed a standard stream.
        virtual void on_closed(std::uint32_t process) = 0;
        // It is gone and reaped. `how`: "exited with status 1: its last words: …".
        virtual void on_exited(std::uint32_t process, const std::string& how) = 0;
        virtual void on_error_line(std::uint32_t process, std::string_view line) = 0;
    };

    // Error: a sentence, when it cannot be started.
    [[nodiscard]] static Result<std::shared_ptr<ProcessChild>, std::string> start(
        boost::asio::io_context& loop, const process::SpawnOptions& options,
        std::uint64_t frame_bytes_max, std::uint32_t index, Owner& owner);
    ~ProcessChild();
    ProcessChild(const ProcessChild&) = delete;
    ProcessChild& operator=(const ProcessChild&) = delete;

    // Whole frames; then, when there is one, the bytes of an input.
    void send(std::string frames, std::shared_ptr<Input> input = nullptr);
    // To its whole group.
    void signal(int number) const noexcept;
    void forget_owner() noexcept { owner_ = nullptr; }
    // What it sends from now on is not read any more.
    void ignore_output() noexcept { garbage_ = true; }

    // For the end, when the loop has ended.
    void close_input();
    [[nodiscard]] int pidfd() { return exit_.native_handle(); }
    // True once it is gone. Does not wait.
    [[nodiscard]] bool reap() noexcept;

  private:
    struct Piece {
        std::string frames;
        std::shared_ptr<Input> input;
    };
    static constexpr std::size_t kReadBytes = 64U << 10;
    static constexpr std::uint32_t kLogLinesMax = 20;  // a second

    ProcessChild(boost::asio::io_context& loop, const process::Spawned& spawned, int pidfd,
                 std::uint64_t frame_bytes_max, std::uint32_t index, Owner& owner);
    void begin();
    void write_next();
    void read_output();
    void read_errors();
    void wait_exit();
    void take_output(ByteView bytes);
    void take_errors(ByteView bytes);
    void tell_line(std::string_view line);
    void tell_suppressed();
    void on_exit();
    template <class Take>
    void drain(boost::asio::posix::stream_descriptor& from, std::size_t most, Take&& take);

    const std::uint32_t index_;
    Owner* owner_;
    pid_t pid_;  // -1: reaped
    int status_ = 0;
    boost::asio::local::stream_protocol::socket in_;
    boost::asio::posix::stream_descriptor out_;
    boost::asio::posix::stream_descriptor errors_;
    boost::asio::posix::stream_descriptor exit_;

    std::deque<Piece> writes_;  // the first one is being written
    const std::uint64_t frame_bytes_max_;
    process_wire::FrameReader frames_;
    process_wire::ErrorLines error_lines_;
    bool garbage_ = false;  // its output is not read any more
    Time second_{};         // of the lines counted
    std::uint32_t lines_ = 0;
    std::uint64_t suppressed_ = 0;
    std::array<char, kReadBytes> out_buffer_{};
    std::array<char, 4096> error_buffer_{};
};

}  // namespace scanmq::worker
