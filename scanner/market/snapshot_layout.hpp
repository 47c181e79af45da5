#pragma once
// What the snapshot's encoder and decoder share: sizes of the header and its table, element types.
// The contract is docs/SNAPSHOT.md.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "scanner/market/chain_builder.hpp"

namespace scanmq::market::snapshot {

static_assert(std::endian::native == std::endian::little, "columns are copied as little-endian");

inline constexpr std::size_t kHeaderBytes = 24;  // magic, version u32, columns u32, total bytes u64
inline constexpr std::size_t kNameBytes = 24;
inline constexpr std::size_t kTypeBytes = 8;
inline constexpr std::size_t kEntryBytes =
    kNameBytes + kTypeBytes + 16;  // name, type, count u64, offset u64
inline constexpr std::size_t kAlignment = 8;
inline constexpr std::size_t kStringBytes = kSymbolBytesMax;

// numpy's name of an element type, and its size in bytes.
struct ElementType {
    std::string_view name;
    std::size_t bytes;
};
inline constexpr ElementType kF8{"<f8", 8};
inline constexpr ElementType kI8{"<i8", 8};
inline constexpr ElementType kI4{"<i4", 4};
inline constexpr ElementType kU4{"<u4", 4};
inline constexpr ElementType kU2{"<u2", 2};
inline constexpr ElementType kU1{"|u1", 1};
inline constexpr ElementType kS16{"|S16", kStringBytes};

template <class T>
constexpr ElementType type_of() {
    if constexpr (std::is_same_v<T, double>) return kF8;
    if constexpr (std::is_same_v<T, std::int64_t>) return kI8;
    if constexpr (std::is_same_v<T, std::int32_t>) return kI4;
    if constexpr (std::is_same_v<T, std::uint32_t>) return kU4;
    if constexpr (std::is_same_v<T, std::uint16_t>) return kU2;
    if constexpr (sizeof(T) == 1) return kU1;
}

}  // namespace scanmq::market::snapshot
