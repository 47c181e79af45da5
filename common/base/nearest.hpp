#pragma once
// nearest_name: the known name closest to a mistyped one, for errors that tell the user what to
// write.

#include <span>
#include <string_view>

namespace scanmq {

// The name of `known` with the smallest edit distance (Levenshtein 1966) to `name`, the first of
// equals; empty when `known` is. The view is one of `known`. Names past 64 bytes are cut for the
// comparison, so a long input costs no more than a short one.
[[nodiscard]] std::string_view nearest_name(std::string_view name,
                                            std::span<const std::string_view> known);

}  // namespace scanmq
