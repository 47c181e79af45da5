#pragma once
// RequestReader: bytes of a connection in, one request after the other out. Heads are parsed by Beast,
//                behind a narrow door. Private to common/http.
//
// Use:     append() bytes as they come; then step() until it says more. After `complete`, take() the
//          request; what follows it in the buffer is the next one's.
// Errors:  in Step; the reader is then of no more use.
// Limits:  header_bytes_max; body_max, as set after `head`.
// Threads: one.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/bytes.hpp"
#include "common/http/message.hpp"

namespace scanmq::http {

class RequestReader {
  public:
    enum class Step : std::uint8_t {
        more,      // wants input
        head,      // the head is there; set_body_max() and go on
        complete,  // take()
        header_too_large,
        body_too_large,
        malformed,
    };

    explicit RequestReader(std::uint64_t header_bytes_max);
    ~RequestReader();

    void append(ByteView bytes);
    [[nodiscard]] std::size_t buffered() const noexcept;

    [[nodiscard]] Step step();
    // Of malformed: what is wrong.
    [[nodiscard]] const std::string& problem() const noexcept;

    // Valid from `head` until take().
    [[nodiscard]] bool begun() const noexcept;  // at least a byte of a request was read
    [[nodiscard]] const Request& request() const noexcept;
    [[nodiscard]] bool http11() const noexcept;
    [[nodiscard]] bool keep_alive() const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
    [[nodiscard]] std::uint64_t body_bytes() const noexcept;
    void set_body_max(std::uint64_t bytes);

    [[nodiscard]] Request take();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace scanmq::http
