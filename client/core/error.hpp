#pragma once
// Error: why a call of the client failed. Values, never exceptions.

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::client {

enum class ErrorKind : std::uint8_t {
    refused,      // by the broker: `code` says why (docs/PROTOCOL.md, section 5)
    invalid,      // by the client itself, before anything was sent; `code` names the rule that was
                  // broken
    timed_out,    // the deadline passed; what was sent may still take effect
    buffer_full,  // the producer's buffer is full and the deadline passed (or there was none)
    interrupted,  // Client::interrupt() was called while the call waited
    closed,       // the client was closed while, or before, the call was made
    io,           // a file of the client's own could not be read or written
    transport,    // a socket could not be made or an endpoint is not one
};

[[nodiscard]] std::string_view to_string(ErrorKind kind) noexcept;

struct Error {
    ErrorKind kind{};
    protocol::ErrorCode code{};  // none when no wire code fits
    std::string sentence;        // what happened and what to do
};

template <class T>
using Result = scanmq::Result<T, Error>;

}  // namespace scanmq::client
