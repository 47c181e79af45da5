#pragma once
// Tape: one msgpack value as a flat list of lexemes, in the order of the bytes. The only place that
//       reads msgpack from peers.
//
// Role:      scratch of a Decoder. Built by a visitor of msgpack-c, so no object tree is ever
//            allocated. Bounds:    at most elements_max lexemes of 16 bytes, nesting depth_max,
//            map_keys_max keys per map. Refuses:   truncated input, trailing bytes, repeated keys,
//            keys that are neither str nor uint, NaN and infinite floats, ext types.
// Lifetime:  str and bin lexemes borrow from the parsed bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/protocol/kinds.hpp"
#include "common/protocol/limits.hpp"

namespace scanmq::protocol {

enum class LexemeType : std::uint8_t { nil, boolean, uint, negative, real, str, bin, array, map };

struct Lexeme {
    LexemeType type{};
    std::uint32_t size{};  // bytes of str and bin, elements of array, pairs of map
    union {
        std::uint64_t number;  // uint, boolean; negative as two's complement
        double real;
        const char* data;  // str, bin
    };

    Lexeme() : number(0) {}
    [[nodiscard]] ByteView bytes() const noexcept { return {data, size}; }
};

class Tape {
  public:
    explicit Tape(const Limits& limits);

    // True when `bytes` is exactly one acceptable msgpack value; else error() says why. Never
    // throws.
    [[nodiscard]] bool parse(ByteView bytes);

    [[nodiscard]] const std::vector<Lexeme>& lexemes() const noexcept { return lexemes_; }
    [[nodiscard]] ErrorCode error_code() const noexcept { return code_; }
    [[nodiscard]] const std::string& error() const noexcept { return error_; }

  private:
    class Visitor;

    Limits limits_;
    std::vector<Lexeme> lexemes_;
    std::vector<Lexeme> keys_;               // of the maps that are open
    std::vector<std::uint32_t> containers_;  // per open container: first key in keys_, or kArray
    ErrorCode code_{};
    std::string error_;
};

}  // namespace scanmq::protocol
