#pragma once
// ChunkedBody: decodes a body of Transfer-Encoding: chunked (RFC 9112, 7.1), however its bytes are cut.
//
// Role:    Beast 1.74 parses heads only: its chunk parser asserts on some cuts of valid input.
// Errors:  in Step. Extensions and trailers are read over.
// Limits:  kLineBytesMax of each chunk's line and of all trailers; body_max of the data.
// Threads: one.

#include <cstdint>
#include <string>

#include "common/base/bytes.hpp"

namespace scanmq::http {

class ChunkedBody {
  public:
    static constexpr std::size_t kLineBytesMax = 4096;

    enum class Step : std::uint8_t { more, complete, malformed, too_large };

    // Takes what it can off the front of `input` and adds the data to `body`. After `complete` what is
    // left is not of this body.
    [[nodiscard]] Step feed(ByteView& input, std::string& body, std::uint64_t body_max);

  private:
    enum class State : std::uint8_t {
        size,
        extension,
        size_end,  // the LF of its line
        data,
        data_end,  // CR
        data_end_lf,
        trailer,  // at the start of a line
        trailer_line,
        trailer_end,
        end,  // the last LF
    };
    [[nodiscard]] Step on_byte(char c);

    State state_ = State::size;
    std::uint64_t size_ = 0;  // of the chunk; of its data, what is still to come
    unsigned digits_ = 0;
    std::size_t line_bytes_ = 0;
};

}  // namespace scanmq::http
