#pragma once
// ByteView: a borrowed run of raw bytes. std::string_view, because it compares, hashes and slices;
//           it is not text and not NUL-terminated. The owner is named where one is returned.

#include <cstddef>
#include <string>
#include <string_view>

namespace scanmq {

using ByteView = std::string_view;

// Lower-case hexadecimal, two characters a byte.
[[nodiscard]] std::string to_hex(ByteView bytes);

// Reads hexadecimal of exactly 2 * size characters into out; false when it is not.
[[nodiscard]] bool from_hex(std::string_view hex, void* out, std::size_t size);

}  // namespace scanmq
