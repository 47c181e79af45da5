#pragma once
// Values of options as people write them: byte sizes, durations, numbers, truth.
//
// Errors: the sentence says what is wrong with the text and gives an example of what is right; it
//         does not name the option (the caller does).

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace scanmq::config {

// Bytes: digits and one of B, KB, MB, GB, TB (powers of 1000), KiB, MiB, GiB, TiB (of 1024), or
//        none.
[[nodiscard]] Result<std::uint64_t, std::string> parse_bytes(std::string_view text);
// Digits and one of ns, us, ms, s, min, h, d; "0" alone is allowed.
[[nodiscard]] Result<Duration, std::string> parse_duration(std::string_view text);
[[nodiscard]] Result<std::uint64_t, std::string> parse_number(std::string_view text);
[[nodiscard]] Result<double, std::string> parse_decimal(std::string_view text);
// true, false, yes, no, on, off, 1, 0.
[[nodiscard]] Result<bool, std::string> parse_truth(std::string_view text);

// An exact spelling in a fitting unit, which the parsers above read back: "512MiB", "2500ms",
// "15min".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
[[nodiscard]] std::string format_duration(Duration duration);

}  // namespace scanmq::config
