#include "common/base/text.hpp"

#include <array>
#include <cstdint>

namespace scanmq {

namespace {

// The bytes of the first character of `text` (RFC 3629), which is not empty; 0 when it is none.
// `control` tells whether it is a control character, C1 ones among them.
std::size_t first_character(std::string_view text, bool& control) noexcept {
    const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
    };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) {
        control = lead < 0x20 || lead == 0x7f;
        return 1;
    }
    std::size_t tail = 0;
    std::uint32_t point = 0;
    if ((lead & 0xe0U) == 0xc0) {
        tail = 1;
        point = lead & 0x1fU;
    } else if ((lead & 0xf0U) == 0xe0) {
        tail = 2;
        point = lead & 0x0fU;
    } else if ((lead & 0xf8U) == 0xf0) {
        tail = 3;
        point = lead & 0x07U;
    } else {
        return 0;
    }
    if (text.size() <= tail) return 0;
    for (std::size_t i = 1; i <= tail; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return 0;
        point = (point << 6U) | (byte(i) & 0x3fU);
    }
    static constexpr std::array<std::uint32_t, 4> kLeast{0, 0x80, 0x800, 0x10000};
    if (point < kLeast[tail] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return 0;
    control = point < 0xa0;
    return tail + 1;
}

}  // namespace

bool printable_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        bool control = false;
        const std::size_t size = first_character(text, control);
        if (size == 0 || control) return false;
        text.remove_prefix(size);
    }
    return true;
}

std::string to_printable(std::string_view text, std::size_t max) {
    std::string out;
    while (!text.empty()) {
        bool control = false;
        const std::size_t size = first_character(text, control);
        const std::string_view character =
            size == 0 ? std::string_view("?") : (control ? " " : text.substr(0, size));
        if (out.size() + character.size() > max) break;
        out += character;
        text.remove_prefix(size == 0 ? 1 : size);
    }
    return out;
}

}  // namespace scanmq
