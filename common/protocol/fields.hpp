#pragma once
// Fields that messages of several headers have: credit, bodies, tokens.
//
// Lifetimes: as in messages.hpp.
// Threads:   plain values.

#include <compare>
#include <cstdint>

#include "common/base/bytes.hpp"

namespace scanmq::protocol {

// Absolute: what may have been sent in this session since it began.
struct Credit {
    std::uint64_t items{};
    std::uint64_t bytes{};
    friend bool operator==(const Credit&, const Credit&) = default;
};

// Bytes in the frame, or a reference to a blob: then `bytes` is its 32-byte content id and
// `blob_size` > 0.
struct Body {
    ByteView bytes;
    std::uint64_t blob_size{};

    [[nodiscard]] bool is_blob() const noexcept { return blob_size != 0; }
    friend bool operator==(const Body&, const Body&) = default;
};

// An attempt's name. Never repeats: the epoch changes with each start of the broker.
struct Token {
    std::uint64_t epoch{};
    std::uint64_t counter{};
    friend auto operator<=>(const Token&, const Token&) = default;
};

}  // namespace scanmq::protocol
