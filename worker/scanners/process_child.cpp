#include "worker/scanners/process_child.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

namespace scanmq::worker {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kErrorsAtEndMax = 64U << 10;

// Asio 1.74 has no other word for a read that ended because the other side closed.
bool was_aborted(const error_code& error) { return error == asio::error::operation_aborted; }

}  // namespace

Result<std::shared_ptr<ProcessChild>, std::string> ProcessChild::start(
    asio::io_context& loop, const process::SpawnOptions& options, std::uint64_t frame_bytes_max,
    std::uint32_t index, Owner& owner) {
    const auto spawned = process::spawn(options);
    if (!spawned) return fail(spawned.error());
    const auto pidfd = process::open_pidfd(spawned->pid);
    if (!pidfd) {
        ::kill(-spawned->pid, SIGKILL);
        ::waitpid(spawned->pid, nullptr, 0);
        for (const int fd : {spawned->in, spawned->out, spawned->errors}) ::close(fd);
        return fail(pidfd.error());
    }
    const std::shared_ptr<ProcessChild> child(
        new ProcessChild(loop, *spawned, *pidfd, frame_bytes_max, index, owner));
    child->begin();
    return child;
}

ProcessChild::ProcessChild(asio::io_context& loop, const process::Spawned& spawned, int pidfd,
                           std::uint64_t frame_bytes_max, std::uint32_t index, Owner& owner)
    : index_(index),
      owner_(&owner),
      pid_(spawned.pid),
      in_(loop, asio::local::stream_protocol(), spawned.in),
      out_(loop, spawned.out),
      errors_(loop, spawned.errors),
      exit_(loop, pidfd),
      frame_bytes_max_(frame_bytes_max),
      frames_(frame_bytes_max) {
    in_.native_non_blocking(true);
    out_.native_non_blocking(true);
    errors_.native_non_blocking(true);
}

ProcessChild::~ProcessChild() {
    if (pid_ < 0) return;
    signal(SIGKILL);
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
}

void ProcessChild::begin() {
    read_output();
    read_errors();
    wait_exit();
}

void ProcessChild::signal(int number) const noexcept {
    if (pid_ > 0) ::kill(-pid_, number);
}

void ProcessChild::close_input() {
    error_code ignored;
    in_.close(ignored);
}

// The group goes first: as long as its leader is a zombie, nobody else can have its number.
bool ProcessChild::reap() noexcept {
    if (pid_ < 0) return true;
    siginfo_t ended{};
    const int asked = ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT);
    const bool stolen = asked != 0 && errno == ECHILD;  // somebody else reaped it
    if (!stolen && (asked != 0 || ended.si_pid == 0)) return false;
    if (!stolen) {
        signal(SIGKILL);
        ::waitpid(pid_, &status_, 0);
    }
    pid_ = -1;
    return true;
}

void ProcessChild::send(std::string frames, std::shared_ptr<Input> input) {
    writes_.push_back({std::move(frames), std::move(input)});
    if (writes_.size() == 1) write_next();
}

void ProcessChild::write_next() {
    const Piece& piece = writes_.front();
    const ByteView body = piece.input == nullptr ? ByteView() : raw_bytes(*piece.input);
    const std::array<asio::const_buffer, 2> buffers{asio::buffer(piece.frames),
                                                    asio::buffer(body.data(), body.size())};
    asio::async_write(in_, buffers,
                      [this, self = shared_from_this()](const error_code& error, std::size_t) {
                          if (error) {
                              if (!was_aborted(error) && owner_ != nullptr) {
                                  owner_->on_closed(index_);
                              }
                              return;  // what is queued stays: nothing more is written
                          }
                          writes_.pop_front();
                          if (!writes_.empty()) write_next();
                      });
}

void ProcessChild::read_output() {
    out_.async_read_some(asio::buffer(out_buffer_), [this, self = shared_from_this()](
                                                        const error_code& error, std::size_t size) {
        if (was_aborted(error) || owner_ == nullptr) return;
        if (error) return owner_->on_closed(index_);
        take_output({out_buffer_.data(), size});
        if (!garbage_ && out_.is_open()) read_output();
    });
}

void ProcessChild::take_output(ByteView bytes) {
    if (garbage_) return;
    frames_.add(bytes);
    while (owner_ != nullptr && !garbage_) {
        const auto frame = frames_.next();
        if (!frame) {
            garbage_ = true;
            return owner_->on_garbage(index_, frame.error());
        }
        if (!*frame) return;
        owner_->on_frame(index_, **frame);
    }
}

void ProcessChild::read_errors() {
    errors_.async_read_some(
        asio::buffer(error_buffer_),
        [this, self = shared_from_this()](const error_code& error, std::size_t size) {
            if (error || owner_ == nullptr) return;
            take_errors({error_buffer_.data(), size});
            read_errors();
        });
}

void ProcessChild::take_errors(ByteView bytes) {
    error_lines_.add(bytes, [this](std::string_view line) { tell_line(line); });
}

void ProcessChild::tell_line(std::string_view line) {
    if (owner_ == nullptr) return;
    const Time now = std::chrono::steady_clock::now();
    if (now - second_ >= std::chrono::seconds(1)) {
        second_ = now;
        lines_ = 0;
        tell_suppressed();
    }
    if (++lines_ > kLogLinesMax) {
        ++suppressed_;
        return;
    }
    owner_->on_error_line(index_, line);
}

void ProcessChild::tell_suppressed() {
    const auto count = std::exchange(suppressed_, 0);
    if (count == 0 || owner_ == nullptr) return;
    owner_->on_error_line(index_, "(" + std::to_string(count) + " lines were not logged)");
}

void ProcessChild::wait_exit() {
    exit_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [this, self = shared_from_this()](const error_code& error) {
                         if (!error && owner_ != nullptr) on_exit();
                     });
}

// What is left in a stream of a process that has ended; but its descendants may still write.
template <class Take>
void ProcessChild::drain(asio::posix::stream_descriptor& from, std::size_t most, Take&& take) {
    std::array<char, 4096> buffer{};
    for (std::size_t taken = 0; taken < most;) {
        const ssize_t got = ::read(from.native_handle(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        take(ByteView(buffer.data(), static_cast<std::size_t>(got)));
        taken += static_cast<std::size_t>(got);
    }
}

// First its last answer, then its last words, then its end.
void ProcessChild::on_exit() {
    const auto self = shared_from_this();
    drain(out_, frame_bytes_max_ + kReadBytes, [this](ByteView bytes) { take_output(bytes); });
    drain(errors_, kErrorsAtEndMax, [this](ByteView bytes) { take_errors(bytes); });
    error_lines_.flush([this](std::string_view line) { tell_line(line); });
    tell_suppressed();
    if (!reap()) return wait_exit();
    error_code ignored;
    in_.close(ignored);
    out_.close(ignored);
    errors_.close(ignored);
    exit_.close(ignored);
    std::string how = process::describe_status(status_);
    if (const std::string words = error_lines_.last_words(); !words.empty()) how += ": " + words;
    Owner* owner = std::exchange(owner_, nullptr);
    if (owner != nullptr) owner->on_exited(index_, how);
}

}  // namespace scanmq::worker
