#pragma once
// Limits of protocol v1: the broker announces them in WELCOME, every sender keeps them, every
// receiver checks them. docs/PROTOCOL.md, "Limits", is the contract.

#include <cstdint>

namespace scanmq::protocol {

struct Limits {
    std::uint32_t frame_bytes_max = 1U << 20;     // one frame; ZMQ_MAXMSGSIZE is twice that
    std::uint32_t elements_max = 65'536;          // msgpack elements in one frame, keys included
    std::uint32_t depth_max = 8;                  // nesting of arrays and maps
    std::uint32_t map_keys_max = 64;              // keys of one map
    std::uint32_t inline_bytes_max = 256U << 10;  // a body in a frame; a larger one is a blob
    std::uint32_t name_bytes_max = 128;           // names of peers, agents, labels
    std::uint32_t queue_bytes_max = 64;           // a queue's name
    std::uint32_t subject_bytes_max = 128;        // a subject or pattern
    std::uint32_t sentence_bytes_max = 512;       // text of an error
    std::uint32_t items_per_frame_max = 4'096;  // jobs, attempts, outcomes or entries of one frame
    std::uint32_t inputs_per_job_max = 64;      // content ids of one job
    std::uint32_t chunk_bytes = 64U << 10;      // a blob's chunk (the last may be shorter)
    std::uint32_t blob_bytes_max = 64U << 20;   // one blob
    std::uint32_t blob_puts_per_session_max = 64;  // under way, or waiting for another's put
    std::uint32_t blob_gets_per_session_max = 64;
    std::uint32_t blob_encodings = 0;        // that the broker takes beside raw: a sum, 1 zstd
    std::uint32_t item_overhead_bytes = 64;  // what an item costs in credit beside its inline body
};

inline constexpr Limits kLimits{};

}  // namespace scanmq::protocol
