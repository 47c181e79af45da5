#pragma once
// Names that peers choose freely: of peers, durable subscriptions, aliases.

#include <algorithm>
#include <string>
#include <string_view>

#include "common/protocol/limits.hpp"

namespace scanmq::broker {

// 1 to name_bytes_max bytes, no control characters.
[[nodiscard]] inline bool printable_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= protocol::kLimits.name_bytes_max &&
           std::none_of(name.begin(), name.end(),
                        [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; });
}

// What the conflate keys of the broker's own jobs begin with. No client's does: a frame with a control
// character in a name is malformed.
inline constexpr char kOwnConflateKey = '\1';

// The sentence of a bad_name; `what`: "a peer's name".
[[nodiscard]] inline std::string name_rule(std::string_view what) {
    return std::string(what) + " has 1 to " + std::to_string(protocol::kLimits.name_bytes_max) +
           " bytes and no control characters";
}

}  // namespace scanmq::broker
