#include "scanner/service/result_check.hpp"

#include <array>
#include <cstdint>
#include <optional>

#include "scanner/service/codec.hpp"

namespace scanmq::service {

namespace {

enum class Shape : std::uint8_t { scalar, text, list, map };

// One msgpack value. The bytes of a text have been read; a list's or map's elements follow.
struct Head {
    Shape shape{};
    std::uint64_t count{};  // elements or entries
    ByteView text;
};

class Walk {
  public:
    explicit Walk(ByteView bytes) : left_(bytes) {}

    [[nodiscard]] bool at_end() const noexcept { return left_.empty(); }

    // nullopt: truncated, or a byte that msgpack does not use.
    std::optional<Head> next() {
        std::uint64_t tag = 0;
        if (!big_endian(1, tag)) return std::nullopt;
        if (tag <= 0x7f || tag >= 0xe0) return Head{};
        if (tag <= 0x8f) return Head{Shape::map, tag & 0xfU, {}};
        if (tag <= 0x9f) return Head{Shape::list, tag & 0xfU, {}};
        if (tag <= 0xbf) return sized(Shape::text, tag & 0x1fU);
        return wide(static_cast<unsigned>(tag));
    }
    // Reads a value with all that is in it.
    bool skip() {
        std::array<std::uint64_t, kDepthMax> to_come{};  // values, per level
        std::size_t depth = 0;
        to_come[0] = 1;
        for (;;) {
            while (to_come[depth] == 0) {
                if (depth == 0) return true;
                --depth;
            }
            --to_come[depth];
            const std::optional<Head> head = next();
            if (!head) return false;
            if (head->shape != Shape::list && head->shape != Shape::map) continue;
            // An element takes a byte at least: a count beyond what is left is a lie.
            if (++depth == kDepthMax || head->count > left_.size()) return false;
            to_come[depth] = head->shape == Shape::map ? head->count * 2 : head->count;
        }
    }

  private:
    std::optional<Head> wide(unsigned tag) {
        const auto power = [tag](unsigned first) { return std::uint64_t{1} << (tag - first); };
        const auto counted = [this](Shape shape, std::uint64_t width,
                                    std::uint64_t more) -> std::optional<Head> {
            std::uint64_t count = 0;
            if (!big_endian(width, count)) return std::nullopt;
            if (shape == Shape::list || shape == Shape::map) return Head{shape, count, {}};
            return sized(shape, count + more);
        };
        if (tag == 0xc0 || tag == 0xc2 || tag == 0xc3) return Head{};  // nil, false, true
        if (tag == 0xc1) return std::nullopt;
        if (tag <= 0xc6) return counted(Shape::scalar, power(0xc4), 0);  // bin
        if (tag <= 0xc9) return counted(Shape::scalar, power(0xc7), 1);  // ext
        if (tag <= 0xcb) return sized(Shape::scalar, tag == 0xca ? 4 : 8);
        if (tag <= 0xcf) return sized(Shape::scalar, power(0xcc));
        if (tag <= 0xd3) return sized(Shape::scalar, power(0xd0));
        if (tag <= 0xd8) return sized(Shape::scalar, power(0xd4) + 1);  // fixed ext
        if (tag <= 0xdb) return counted(Shape::text, power(0xd9), 0);
        if (tag <= 0xdd) return counted(Shape::list, tag == 0xdc ? 2 : 4, 0);
        return counted(Shape::map, tag == 0xde ? 2 : 4, 0);
    }
    std::optional<Head> sized(Shape shape, std::uint64_t size) {
        if (size > left_.size()) return std::nullopt;
        const Head head{shape, 0, left_.substr(0, size)};
        left_.remove_prefix(size);
        return head;
    }
    bool big_endian(std::uint64_t bytes, std::uint64_t& out) {
        if (left_.size() < bytes) return false;
        out = 0;
        for (std::uint64_t i = 0; i < bytes; ++i) {
            out = (out << 8U) | static_cast<unsigned char>(left_[i]);
        }
        left_.remove_prefix(bytes);
        return true;
    }

    ByteView left_;
};

}  // namespace

Result<void, std::string> check_result(ByteView bytes) {
    Walk walk(bytes);
    const std::optional<Head> top = walk.next();
    if (!top || top->shape != Shape::map) return fail(std::string("it is no msgpack map"));
    bool spreads = false;
    for (std::uint64_t i = 0; i < top->count; ++i) {
        const std::optional<Head> key = walk.next();
        if (!key || key->shape != Shape::text) {
            return fail(std::string("it is cut short, or a key is not text"));
        }
        spreads = spreads || key->text == "spreads";
        if (!walk.skip()) return fail("its entry " + std::to_string(i + 1) + " cannot be read");
    }
    if (!walk.at_end()) return fail(std::string("there are bytes after the map"));
    if (!spreads) return fail(std::string("it has no \"spreads\""));
    return {};
}

}  // namespace scanmq::service
