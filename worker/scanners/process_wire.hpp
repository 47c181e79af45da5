#pragma once
// The process protocol: frames to and from a process that scans.
//
// Role:      used by ProcessScanner alone. Nothing here does IO.
// Threads:   plain values.
// Errors:    bytes of a process are never trusted: what cannot be read is a sentence.
// Limits:    FrameReader holds one frame of at most frame_bytes_max, and what came with it.
// See:       docs/PROCESS_SCANNER.md

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/base/result.hpp"
#include "common/protocol/limits.hpp"
#include "common/protocol/tape.hpp"
#include "worker/scanners/scanner.hpp"

namespace scanmq::worker::process_wire {

inline constexpr std::uint64_t kVersion = 1;
inline constexpr std::size_t kLengthBytes = 4;
// What a frame may have beside a payload, a result or a snapshot.
inline constexpr std::uint64_t kFrameOverheadMax = 64U << 10;
inline constexpr std::size_t kNoteBytesMax = 64;

struct Ready {
    std::uint64_t version{};
    std::string name;
    std::string scanner_version;
    std::uint64_t parallel{};
    bool reads_inputs{};
};
struct ResultFrame {
    std::uint64_t call{};
    ScanStatus status{};
    ByteView body;  // borrows from the frame
    std::string sentence;
};
struct ProgressFrame {
    std::uint64_t call{};
    std::uint64_t done{};
    std::uint64_t total{};
    std::string note;
};
struct Pong {
    std::uint64_t number{};
};
using Message = std::variant<Ready, ResultFrame, ProgressFrame, Pong>;

// Reads the bytes of one frame, without its length. Error: a sentence.
class Decoder {
  public:
    Decoder();
    [[nodiscard]] Result<Message, std::string> decode(ByteView frame);

  private:
    protocol::Limits limits_;
    protocol::Tape tape_;
};

// What the worker says: each appends whole frames to `out`.
void encode_hello(std::uint64_t result_bytes_max, std::string& out);
void encode_scan(std::uint64_t call, const Task& task, std::uint64_t deadline_ms, std::string& out);
void encode_cancel(std::uint64_t call, std::string& out);
void encode_ping(std::uint64_t number, std::string& out);
void encode_forget(std::span<const ContentId> hashes, std::string& out);
// All of a SNAPSHOT but its bytes, which must follow.
void encode_snapshot_head(const ContentId& hash, std::uint64_t size, std::string& out);

// Cuts a stream of bytes into frames.
class FrameReader {
  public:
    explicit FrameReader(std::uint64_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

    void add(ByteView bytes) { buffer_.append(bytes); }
    // The next whole frame; it lives until the next call of next() or add(). nullopt: there is none
    // yet. Error, once and for all: a length out of bounds.
    [[nodiscard]] Result<std::optional<ByteView>, std::string> next();
    // Bytes of a frame that has not come to its end.
    [[nodiscard]] std::size_t pending() const noexcept { return buffer_.size() - begin_; }

  private:
    std::uint64_t frame_bytes_max_;
    std::string buffer_;
    std::size_t begin_ = 0;  // of what was not given out
};

// Cuts what a process writes to standard error into lines that may go to a log, and keeps the last.
class ErrorLines {
  public:
    static constexpr std::size_t kLineBytesMax = 1024;
    static constexpr std::size_t kKept = 4;
    static constexpr std::size_t kKeptBytesMax = 100;  // of each, for a sentence

    // Calls line(std::string_view) for each whole line of printable text; the last, unfinished one
    // waits for its end, for the limit or for flush().
    template <class Line>
    void add(ByteView bytes, Line&& line) {
        for (const char c : bytes) {
            if (c == '\n' || pending_.size() == kLineBytesMax) flush(line);
            if (c != '\n') pending_ += c;
        }
    }
    template <class Line>
    void flush(Line&& line) {
        const std::string text = take();
        if (!text.empty()) line(std::string_view(text));
    }
    // "its last words: a | b"; empty when it said nothing.
    [[nodiscard]] std::string last_words() const;

  private:
    std::string take();

    std::string pending_;
    std::array<std::string, kKept> kept_;
    std::size_t next_ = 0;  // in kept_
};

}  // namespace scanmq::worker::process_wire
