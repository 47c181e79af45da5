#pragma once
// subject_token: any text as one token of a subject.
//
// Threads: a pure function.
// See:     docs/PROTOCOL.md, section 9

#include <string>
#include <string_view>

namespace scanmq::protocol {

// '/' for dots, '_' for what a token cannot hold, at most 40 bytes; "_" for no text.
[[nodiscard]] std::string subject_token(std::string_view text);

}  // namespace scanmq::protocol
