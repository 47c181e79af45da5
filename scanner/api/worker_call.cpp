#include "scanner/api/worker_call.hpp"

#include <fmt/format.h>

#include <limits>

namespace scanmq::api {

namespace {

constexpr unsigned char kNil = 0xc0;
constexpr unsigned char kBin8 = 0xc4;
constexpr unsigned char kBin16 = 0xc5;
constexpr unsigned char kBin32 = 0xc6;
constexpr unsigned char kUint8 = 0xcc;
constexpr unsigned char kInt8 = 0xd0;
constexpr unsigned char kArray16 = 0xdc;
constexpr unsigned char kFixArray = 0x90;

void put_big_endian(std::string& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i > 0; --i) out += static_cast<char>(value >> (8 * (i - 1)) & 0xff);
}

void put_bin(std::string& out, ByteView bytes) {
    const unsigned width = bytes.size() <= 0xff ? 1 : bytes.size() <= 0xffff ? 2 : 4;
    out += static_cast<char>(width == 1 ? kBin8 : width == 2 ? kBin16 : kBin32);
    put_big_endian(out, bytes.size(), width);
    out += bytes;
}

// Takes values off the front of the bytes; nullopt when there is another type or too little.
class Cursor {
  public:
    explicit Cursor(ByteView bytes) : bytes_(bytes) {}

    std::optional<std::size_t> array() {
        const auto head = byte();
        if (!head) return std::nullopt;
        if ((*head & 0xf0) == kFixArray) return *head & 0x0f;
        if (*head == kArray16) return number(2);
        return std::nullopt;
    }
    std::optional<ByteView> bin() {
        const auto head = byte();
        if (!head || *head < kBin8 || *head > kBin32) return std::nullopt;
        const auto size = number(1U << (*head - kBin8));
        if (!size || *size > bytes_.size()) return std::nullopt;
        const ByteView out = bytes_.substr(0, *size);
        bytes_.remove_prefix(*size);
        return out;
    }
    bool nil() {
        if (bytes_.empty() || static_cast<unsigned char>(bytes_.front()) != kNil) return false;
        bytes_.remove_prefix(1);
        return true;
    }
    std::optional<std::int64_t> integer() {
        const auto head = byte();
        if (!head) return std::nullopt;
        if (*head < 0x80) return *head;
        if (*head >= 0xe0) return static_cast<std::int8_t>(*head);
        if (*head >= kUint8 && *head < kUint8 + 4) {
            const auto value = number(1U << (*head - kUint8));
            if (!value || *value > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
                return std::nullopt;
            }
            return static_cast<std::int64_t>(*value);
        }
        if (*head >= kInt8 && *head < kInt8 + 4) {
            const unsigned width = 1U << (*head - kInt8);
            const auto value = number(width);
            if (!value) return std::nullopt;
            const unsigned unused = 64 - 8 * width;
            return static_cast<std::int64_t>(*value << unused) >> unused;  // extends the sign
        }
        return std::nullopt;
    }
    [[nodiscard]] bool at_end() const noexcept { return bytes_.empty(); }

  private:
    std::optional<unsigned> byte() {
        if (bytes_.empty()) return std::nullopt;
        const unsigned out = static_cast<unsigned char>(bytes_.front());
        bytes_.remove_prefix(1);
        return out;
    }
    std::optional<std::uint64_t> number(unsigned width) {
        if (bytes_.size() < width) return std::nullopt;
        std::uint64_t out = 0;
        for (unsigned i = 0; i < width; ++i) {
            out = out << 8 | static_cast<unsigned char>(bytes_[i]);
        }
        bytes_.remove_prefix(width);
        return out;
    }

    ByteView bytes_;
};

}  // namespace

std::string encode_worker_call(ByteView request, std::span<const ContentId> inputs,
                               std::optional<std::int64_t> as_of_ns) {
    std::string out;
    out.reserve(request.size() + 34 * inputs.size() + 24);
    out += static_cast<char>(kFixArray | 3U);
    put_bin(out, request);
    if (inputs.size() < 16) {
        out += static_cast<char>(kFixArray | inputs.size());
    } else {
        out += static_cast<char>(kArray16);
        put_big_endian(out, inputs.size(), 2);
    }
    for (const ContentId& id : inputs) put_bin(out, id.view());
    if (as_of_ns) {
        out += static_cast<char>(kInt8 + 3);
        put_big_endian(out, static_cast<std::uint64_t>(*as_of_ns), 8);
    } else {
        out += static_cast<char>(kNil);
    }
    return out;
}

Result<WorkerCall, std::string> decode_worker_call(ByteView bytes) {
    constexpr const char* kShape =
        "the body must be msgpack [request bin, inputs [hash bin...], "
        "as_of_ns or nil]";
    const auto wrong = [&](const char* what) {
        return fail(fmt::format("{}: {} cannot be read", kShape, what));
    };
    Cursor in(bytes);
    if (in.array() != 3U) return wrong("an array of three");
    WorkerCall out;
    const auto request = in.bin();
    if (!request) return wrong("the request");
    out.request = *request;
    const auto inputs = in.array();
    if (!inputs) return wrong("the list of inputs");
    if (*inputs > kInputsMax) {
        return fail(fmt::format("{} inputs are named, at most {} may be", *inputs, kInputsMax));
    }
    for (std::size_t i = 0; i < *inputs; ++i) {
        const auto raw = in.bin();
        const auto id = raw ? ContentId::from_bytes(*raw) : std::nullopt;
        if (!id) return wrong("an input (32 bytes)");
        out.inputs.push_back(*id);
    }
    if (!in.nil()) {
        out.as_of_ns = in.integer();
        if (!out.as_of_ns) return wrong("as_of_ns");
    }
    if (!in.at_end()) return fail(fmt::format("{}, and nothing after it", kShape));
    return out;
}

}  // namespace scanmq::api
