#pragma once
// Fields that several kinds share, and the kinds that carry batches; used by decode.cpp only.

#include <fmt/format.h>

#include "common/protocol/messages.hpp"
#include "common/protocol/reader.hpp"

namespace scanmq::protocol::decoding {

template <class Enum>
[[nodiscard]] Enum enumeration(Reader& r, Record& in, const char* field, std::uint64_t low,
                               std::uint64_t high) {
    const std::uint64_t n = r.uint(in, field);
    if (r.ok() && (n < low || n > high))
        r.refuse(ErrorCode::malformed, field, fmt::format("is {}, not one of {}-{}", n, low, high));
    return static_cast<Enum>(n);
}

inline ErrorCode error_code(Reader& r, Record& in, const char* field) {
    return static_cast<ErrorCode>(
        r.uint(in, field, UINT16_MAX));  // unknown codes are carried as they are
}

inline std::string name(Reader& r, Record& in, const char* field) {
    return r.text(in, field, r.limits().name_bytes_max, "name_bytes_max");
}
inline std::string queue(Reader& r, Record& in) {
    return r.text(in, "queue", r.limits().queue_bytes_max, "queue_bytes_max");
}
inline std::string sentence(Reader& r, Record& in) {
    return r.text(in, "sentence", r.limits().sentence_bytes_max, "sentence_bytes_max");
}
inline std::string_view subject(Reader& r, Record& in) {
    return r.str(in, "subject", r.limits().subject_bytes_max, "subject_bytes_max");
}
inline ByteView inputs(Reader& r, Record& in) {
    const ByteView raw =
        r.bin(in, "inputs", std::size_t{r.limits().inputs_per_job_max} * ContentId::kSize,
              "inputs_per_job_max");
    if (r.ok() && raw.size() % ContentId::kSize != 0)
        r.refuse(ErrorCode::malformed, "inputs", "is not a multiple of 32 bytes");
    return raw;
}
inline std::uint32_t batch(Reader& r, Record& in, const char* field) {
    return r.items(in, field, r.limits().items_per_frame_max, "items_per_frame_max");
}

// Reads `count` records into a vector; `one` reads a record's fields.
template <class T, class One>
std::vector<T> records(Reader& r, std::uint32_t count, const char* field, One one) {
    std::vector<T> out;
    if (!r.ok()) return out;
    out.reserve(count);
    for (std::uint32_t i = 0; i < count && r.ok(); ++i) {
        r.set_index(i);
        Record record = r.item(field);
        out.push_back(one(record));
        r.leave(record);
    }
    if (r.ok()) r.set_index(0xffffffffU);
    return out;
}

inline Token token(Reader& r, Record& in) {
    const std::uint64_t epoch = r.uint(in, "epoch");
    return {epoch, r.uint(in, "counter")};
}
inline std::vector<Token> tokens(Reader& r, Record& in, const char* field) {
    return records<Token>(r, batch(r, in, field), field,
                          [&](Record& one) { return token(r, one); });
}
// A batch of plain elements; `one` reads the next of them.
template <class T, class One>
std::vector<T> elements(Reader& r, Record& in, const char* field, One one) {
    std::vector<T> out;
    Record list{batch(r, in, field)};
    const std::uint32_t count = r.ok() ? list.left : 0;
    out.reserve(count);
    for (std::uint32_t i = 0; i < count && r.ok(); ++i) out.push_back(one(list));
    return out;
}
template <class Id = Id128>
std::vector<Id> ids(Reader& r, Record& in, const char* field) {
    return elements<Id>(r, in, field, [&](Record& list) { return r.fixed<Id>(list, field); });
}

Submit submit(Reader& r, Record& in);
StandingSet standing_set(Reader& r, Record& in);
Accepted accepted(Reader& r, Record& in);
Deliver deliver(Reader& r, Record& in);
Done done(Reader& r, Record& in);
Progress progress(Reader& r, Record& in);
Results results(Reader& r, Record& in);
std::vector<CacheValues::One> cache_values(Reader& r, Record& in);
CachePut cache_put(Reader& r, Record& in);

}  // namespace scanmq::protocol::decoding
