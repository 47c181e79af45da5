#pragma once
// The messages of the blob socket as values; docs/PROTOCOL.md, section 9, says what each field means.
//
// Lifetimes: as in messages.hpp, which includes this.
// Threads:   plain values.

#include <cstdint>
#include <string>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"
#include "common/protocol/fields.hpp"
#include "common/protocol/kinds.hpp"

namespace scanmq::protocol {

struct BlobPut {
    ContentId id;
    std::uint64_t size{};
    BlobType type{};
    std::string label;
    BlobEncoding encoding{};
    std::uint64_t stored_size{};  // what the chunks carry; of raw it is not looked at
};

struct BlobReady {
    std::uint64_t re{};
    ContentId id;
    bool have{};   // stored already: send nothing
    Credit limit;  // link blob_in
};

struct BlobChunk {
    ContentId id;
    std::uint64_t offset{};
    ByteView bytes;
};

struct BlobStored {
    std::uint64_t re{};  // seq of the BLOB_PUT
    ContentId id;
    std::uint64_t size{};
};

struct BlobGet {
    ContentId id;
    Credit limit;             // link blob_out
    std::uint64_t accepts{};  // encodings beside raw, a sum
};

struct BlobInfo {
    std::uint64_t re{};
    ContentId id;
    std::uint64_t size{};
    BlobType type{};
    std::string label;
    BlobEncoding encoding{};
    std::uint64_t stored_size{};  // what the chunks carry; of raw it is not looked at
};

}  // namespace scanmq::protocol
