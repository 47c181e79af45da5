#pragma once
// Codec: protocol v1 frames to and from bytes. docs/PROTOCOL.md is the contract.
//
// Threads:  a Decoder belongs to one thread (it keeps scratch memory); encode() is a pure function.
// Errors:   decoding never throws and never allocates more than the limits allow, whatever the
//           bytes.

#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/protocol/limits.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::protocol {

struct DecodeError {
    ErrorCode code{};  // malformed, frame_too_large, unsupported_version, unknown_kind, over_limit
    std::string sentence;  // names the field and what was expected
    Header header;         // as far as it could be read, for the answer
    Kind kind{};
};

class Tape;

class Decoder {
  public:
    explicit Decoder(const Limits& limits = kLimits);
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    // The frame's views borrow from `bytes`.
    [[nodiscard]] Result<Frame, DecodeError> decode(ByteView bytes);

  private:
    Limits limits_;
    std::unique_ptr<Tape> tape_;
};

// Appends the frame to `out`. Precondition: the message keeps the limits (senders check first).
void encode(const Header& header, const Message& message, std::string& out);

// An upper bound of an item's encoded size beside its subject, inputs, inline body and sentence:
// for cutting batches at the frame limit.
inline constexpr std::size_t kItemFixedBytesMax = 112;
// The same for a frame's envelope (header, queue name, counts).
inline constexpr std::size_t kEnvelopeBytesMax = 256;

// Names, subjects and patterns. A name: 1..max bytes of [A-Za-z0-9_.:-]. A subject: tokens of
// printable ASCII but blank, '*' and '>', separated by dots, no empty token; "" is allowed (no
// subject). A pattern: the same with '*' for one token and a last '>' for one or more.
[[nodiscard]] bool valid_queue_name(std::string_view name, const Limits& limits = kLimits) noexcept;
[[nodiscard]] bool valid_subject(std::string_view subject, const Limits& limits = kLimits) noexcept;
[[nodiscard]] bool valid_pattern(std::string_view pattern, const Limits& limits = kLimits) noexcept;
[[nodiscard]] bool subject_matches(std::string_view pattern, std::string_view subject) noexcept;

}  // namespace scanmq::protocol
