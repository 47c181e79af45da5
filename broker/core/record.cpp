#include "broker/core/record.hpp"

#include <array>

namespace scanmq::broker {
namespace {

template <std::size_t I>
void read_one(ArchiveReader& reader, change::Any& out) {
    out.emplace<I>().fields(reader);
}

using Read = void (*)(ArchiveReader&, change::Any&);

template <std::size_t... I>
constexpr std::array<Read, sizeof...(I)> readers(std::index_sequence<I...>) {
    return {&read_one<I>...};
}

}  // namespace

bool read_change(ArchiveReader& reader, change::Any& out) {
    static constexpr auto kReaders =
        readers(std::make_index_sequence<std::variant_size_v<change::Any>>{});
    std::uint64_t number = 0;
    reader.uint(number);
    if (!reader.ok() || number >= kReaders.size()) return false;
    kReaders[number](reader, out);
    return reader.ok();
}

}  // namespace scanmq::broker
