#pragma once
// Archive: how changes and rows become bytes and are read back.
//
// Role:    a value lists its fields once, in `template <class A> void fields(A& a)`; ArchiveWriter
//          and ArchiveReader walk the same list, so that what is written is what is read.
// Format:  integers as LEB128, signed ones zigzag; ids as they are; texts and bodies behind their
//          length; an id that is mostly absent behind a byte that says so. No padding.
// Errors:  a reader that runs out of bytes, or finds a number out of range, fails once and for all
//          (ok()); it never reads beyond its view and never allocates more than the view is long.
// Views:   what is read borrows from the bytes.

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "broker/core/body.hpp"
#include "common/base/id.hpp"

namespace scanmq::broker {

// Where in the bytes a body is to be put in by whoever has it.
struct BodyPlace {
    std::size_t at{};
    BodyHandle body;
    BodyKey key;  // where it can be read again once a checkpoint has been made
};

class ArchiveWriter {
  public:
    static constexpr bool kReads = false;

    // Bodies are left out of `out`; their places are appended to `places`. Null: every body is bytes.
    ArchiveWriter(std::string& out, std::vector<BodyPlace>* places) : out_(out), places_(places) {}
    ~ArchiveWriter() { flush(); }
    ArchiveWriter(const ArchiveWriter&) = delete;
    ArchiveWriter& operator=(const ArchiveWriter&) = delete;

    void uint(std::uint64_t value) {
        room(10);
        while (value >= 0x80) {
            buffer_[used_++] = static_cast<char>(value | 0x80);
            value >>= 7;
        }
        buffer_[used_++] = static_cast<char>(value);
    }
    template <class T>
    void number(const T& value) {
        uint(static_cast<std::uint64_t>(value));
    }
    void choice(std::uint8_t value, std::uint8_t) { uint(value); }
    void sint(std::int64_t value) {
        uint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
    }
    void fixed64(std::uint64_t value) { raw(&value, sizeof value); }
    void text(std::string_view value) {
        uint(value.size());
        if (value.size() <= kBuffer / 2) return raw(value.data(), value.size());
        flush();
        out_.append(value);
    }
    // Those that may be missing at the very end.
    void last_text(std::string_view value) { text(value); }
    template <class T>
    void last_number(const T& value) {
        number(value);
    }
    template <std::size_t Size, class Tag>
    void id(const FixedBytes<Size, Tag>& value) {
        raw(value.bytes.data(), Size);
    }
    template <std::size_t Size, class Tag>
    void optional_id(const FixedBytes<Size, Tag>& value) {
        const bool there = !value.is_zero();
        uint(there ? 1 : 0);
        if (there) id(value);
    }
    void optional_sint(const std::optional<std::int64_t>& value) {
        uint(value ? 1 : 0);
        if (value) sint(*value);
    }
    void body(const StoredBody& value) {
        if (places_ != nullptr && value.handle.value != 0) {
            flush();
            places_->push_back({out_.size(), value.handle, value.key});
            return;
        }
        body_bytes(value.body);
    }
    void body_bytes(const protocol::Body& body) {
        uint(body.bytes.size() << 1 | (body.is_blob() ? 1 : 0));
        if (body.is_blob()) uint(body.blob_size);
        flush();
        out_.append(body.bytes);
    }
    template <class T>
    void list(const std::vector<T>& values) {
        uint(values.size());
        for (const T& value : values)
            const_cast<T&>(value).fields(*this);  // the writer changes nothing
    }
    void flush() {
        out_.append(buffer_.data(), used_);
        used_ = 0;
    }

  private:
    static constexpr std::size_t kBuffer = 256;
    void room(std::size_t bytes) {
        if (used_ + bytes > kBuffer) flush();
    }
    void raw(const void* data, std::size_t size) {
        room(size);
        if (size > 0) std::memcpy(buffer_.data() + used_, data, size);
        used_ += size;
    }

    std::string& out_;
    std::vector<BodyPlace>* places_;
    std::array<char, kBuffer> buffer_;
    std::size_t used_ = 0;
};

class ArchiveReader {
  public:
    static constexpr bool kReads = true;

    explicit ArchiveReader(ByteView bytes) : rest_(bytes) {}

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] ByteView rest() const noexcept { return rest_; }

    void uint(std::uint64_t& value) { value = next(); }
    template <class T>
    void number(T& value) {
        const std::uint64_t raw = next();
        if constexpr (std::is_same_v<T, bool>) {
            if (raw > 1) ok_ = false;
            value = raw != 0;
        } else {  // an enumeration or a narrower integer
            value = static_cast<T>(raw);
            if (static_cast<std::uint64_t>(value) != raw) ok_ = false;
        }
    }
    // One of 0 to `most`.
    void choice(std::uint8_t& value, std::uint8_t most) {
        number(value);
        if (value > most) ok_ = false;
    }
    void sint(std::int64_t& value) {
        const std::uint64_t raw = next();
        value = static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
    }
    void fixed64(std::uint64_t& value) {
        const ByteView raw = take(sizeof value);
        if (ok_) std::memcpy(&value, raw.data(), sizeof value);
    }
    void text(std::string_view& value) { value = take(next()); }
    void text(std::string& value) { value = std::string(take(next())); }
    void last_text(std::string_view& value) {
        value = {};
        if (!at_end()) text(value);
    }
    template <class T>
    void last_number(T& value) {
        value = {};
        if (!at_end()) number(value);
    }
    template <std::size_t Size, class Tag>
    void id(FixedBytes<Size, Tag>& value) {
        const ByteView raw = take(Size);
        if (ok_) std::memcpy(value.bytes.data(), raw.data(), Size);
    }
    template <std::size_t Size, class Tag>
    void optional_id(FixedBytes<Size, Tag>& value) {
        value = {};
        if (next() != 0) id(value);
    }
    void optional_sint(std::optional<std::int64_t>& value) {
        value.reset();
        if (next() == 0) return;
        std::int64_t there = 0;
        sint(there);
        value = there;
    }
    void body(StoredBody& value) {
        const std::uint64_t head = next();
        value.body.blob_size = (head & 1) != 0 ? next() : 0;
        value.body.bytes = take(head >> 1);
    }
    template <class T>
    void list(std::vector<T>& values) {
        const std::uint64_t count = next();
        if (count > rest_.size()) ok_ = false;  // each takes a byte at least
        values.clear();
        if (!ok_) return;
        values.reserve(count);
        for (std::uint64_t i = 0; i < count && ok_; ++i) values.emplace_back().fields(*this);
    }

  private:
    std::uint64_t next() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) return ok_ ? value : 0;
        }
        ok_ = false;
        return 0;
    }
    ByteView take(std::uint64_t size) {
        if (size > rest_.size()) ok_ = false;
        if (!ok_) return {};
        const ByteView out = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return out;
    }

    ByteView rest_;
    bool ok_ = true;
};

}  // namespace scanmq::broker
