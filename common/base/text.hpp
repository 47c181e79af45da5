#pragma once
// Text from outside that ends up in logs, terminals and sentences.

#include <cstddef>
#include <string>
#include <string_view>

namespace scanmq {

// UTF-8 without control characters, and nothing else.
[[nodiscard]] bool printable_utf8(std::string_view text) noexcept;

// The same text in at most `max` bytes, with a blank in the place of each control character and '?' in
// that of each byte that is not UTF-8.
[[nodiscard]] std::string to_printable(std::string_view text, std::size_t max);

}  // namespace scanmq
