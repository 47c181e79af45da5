#pragma once
// BlobRow: what a blob is, as its head and a segment's entry write it down.
//
// Role: a part of both; see blob_head.hpp, blob_segment.hpp.

#include "broker/store/blob_head.hpp"
#include "broker/store/state_keys.hpp"

namespace scanmq::broker {

struct BlobRow {
    protocol::BlobType type{};
    std::string_view label;  // borrowed
    std::uint64_t bytes{};
    ContentId id;
    protocol::BlobEncoding encoding{};
    std::uint64_t encoded_bytes{};

    BlobRow() = default;
    explicit BlobRow(const BlobInfo& info)
        : type(info.type),
          label(info.label),
          bytes(info.bytes),
          id(info.id),
          encoding(info.encoding),
          encoded_bytes(info.encoded_bytes) {}
    [[nodiscard]] BlobInfo info() const {
        return {id, type, std::string(label), bytes, encoding, encoded_bytes};
    }

    template <class A>
    void raw_fields(A& a) {
        a.number(type);
        a.text(label);
        a.uint(bytes);
        a.id(id);
    }
    template <class A>
    void fields(A& a) {
        raw_fields(a);
        a.number(encoding);
        a.uint(encoded_bytes);
    }
};

}  // namespace scanmq::broker
