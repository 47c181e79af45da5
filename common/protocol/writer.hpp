#pragma once
// Writer: msgpack elements, and the fields that many kinds have, appended to a string.
//
// Role:    used by few sources: it brings msgpack's templates along.
// Threads: plain value. Borrows: the string.

#include <msgpack/pack.hpp>

#include "common/protocol/messages.hpp"

namespace scanmq::protocol {

// What msgpack's packer writes to: appends to a string.
class Sink {
  public:
    explicit Sink(std::string& out) : out_(out) {}
    void write(const char* data, std::size_t size) { out_.append(data, size); }

  private:
    std::string& out_;
};

class Writer {
  public:
    explicit Writer(std::string& out) : sink_(out), packer_(sink_) {}

    void array(std::size_t size) { packer_.pack_array(static_cast<std::uint32_t>(size)); }
    void map(std::size_t size) { packer_.pack_map(static_cast<std::uint32_t>(size)); }
    void uint(std::uint64_t value) { packer_.pack_uint64(value); }
    void sint(std::int64_t value) { packer_.pack_int64(value); }
    void boolean(bool value) { value ? packer_.pack_true() : packer_.pack_false(); }
    void nil() { packer_.pack_nil(); }
    void str(std::string_view text) {
        packer_.pack_str(static_cast<std::uint32_t>(text.size()));
        packer_.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
    }
    void bin(ByteView bytes) {
        packer_.pack_bin(static_cast<std::uint32_t>(bytes.size()));
        packer_.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
    }
    // The bytes follow by another way.
    void bin_head(std::uint64_t size) { packer_.pack_bin(static_cast<std::uint32_t>(size)); }
    template <std::size_t Size, class Tag>
    void id(const FixedBytes<Size, Tag>& value) {
        bin(value.view());
    }
    template <class Enum>
    void number(Enum value) {
        uint(static_cast<std::uint64_t>(value));
    }
    void credit(const Credit& credit) {
        array(2);
        uint(credit.items);
        uint(credit.bytes);
    }
    void body(const Body& body) {
        if (!body.is_blob()) return bin(body.bytes);
        array(2);
        bin(body.bytes);
        uint(body.blob_size);
    }

  private:
    Sink sink_;
    msgpack::packer<Sink> packer_;
};

}  // namespace scanmq::protocol
