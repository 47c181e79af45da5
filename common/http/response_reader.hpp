#pragma once
// ResponseReader: an answer out of a connection's bytes, however they are cut.
//
// Role:    of ClientConnection. Beast 1.74 is given whole heads only (see chunked_body.hpp).
// Use:     begin(); feed() until it is not `more`, end() when the connection ended; take().
// Limits:  both of the constructor; kInterimMax answers 1xx before the real one, which are read over.
// Threads: one.

#include <cstdint>
#include <optional>
#include <string>

#include "common/http/chunked_body.hpp"
#include "common/http/client.hpp"

namespace scanmq::http {

class ResponseReader {
  public:
    static constexpr int kInterimMax = 8;

    enum class Step : std::uint8_t { more, complete, malformed, header_too_large, body_too_large };

    ResponseReader(std::uint64_t header_bytes_max, std::uint64_t body_bytes_max)
        : header_bytes_max_(header_bytes_max), body_bytes_max_(body_bytes_max) {}

    // head_only: the answer to a HEAD, which has no body whatever it says.
    void begin(bool head_only);
    [[nodiscard]] Step feed(ByteView bytes);
    // The connection ended. `more`: within the answer.
    [[nodiscard]] Step end();

    // After `complete`.
    [[nodiscard]] ClientResponse take() { return std::move(response_); }
    // After `complete`: the connection may be used again; nothing came behind the answer.
    [[nodiscard]] bool keeps_connection() const noexcept { return keep_alive_ && !surplus_; }
    // After `malformed`.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    // How many bytes of the body are known to be still to come.
    [[nodiscard]] std::uint64_t expected() const noexcept;

  private:
    enum class Body : std::uint8_t { none, length, chunks, until_end };

    [[nodiscard]] Step read_head(ByteView& bytes);
    [[nodiscard]] Step parse_head(ByteView head);
    [[nodiscard]] Step read_body(ByteView& bytes);
    Step refuse(std::string why) {
        problem_ = std::move(why);
        return Step::malformed;
    }

    const std::uint64_t header_bytes_max_;
    const std::uint64_t body_bytes_max_;
    bool head_only_ = false;
    bool head_done_ = false;
    int interim_ = 0;
    std::string head_;  // so far
    Body body_ = Body::none;
    std::uint64_t length_ = 0;
    std::optional<ChunkedBody> chunks_;
    bool keep_alive_ = false;
    bool surplus_ = false;
    std::string problem_;
    ClientResponse response_;
};

}  // namespace scanmq::http
