#pragma once
// StateKeys: keys of the tables of rows.hpp, and the rows that only the store has.
//
// Keys:      numbers big-endian: partition (4 bytes), then a number (8) or a name.
//            results: value is ResultRow. meta: `version`, `broker`, `restored`, and `gone` followed
//            by a partition whose rows are still being erased.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "broker/core/rows.hpp"

namespace scanmq::broker {

inline constexpr std::string_view kMetaVersion = "version";  // of the tables: 8 bytes, big-endian
inline constexpr std::string_view kMetaBroker = "broker";    // BrokerRow
inline constexpr std::string_view kMetaRestored = "restored";
inline constexpr std::string_view kMetaGone = "gone";

// What is broker-wide and of one row.
struct BrokerRow {
    std::uint64_t position{};        // of the last record that is in here
    std::uint64_t sequence{};        // of partition 0's last record
    std::uint64_t last_partition{};  // the highest that a queue ever had
    template <class A>
    void fields(A& a) {
        a.uint(position);
        a.uint(sequence);
        a.uint(last_partition);
    }
};

// A body that is not kept with its entries; theirs are the offsets before and at the row's key.
struct ResultRow {
    std::uint64_t entries = 1;
    StoredBody body;
    template <class A>
    void fields(A& a) {
        a.uint(entries);
        a.body(body);
    }
};

// (partition), (partition, number).
class NumberKey {
  public:
    explicit NumberKey(PartitionId partition) : size_(4) { store(partition); }
    NumberKey(PartitionId partition, std::uint64_t number) : size_(12) {
        store(partition);
        if constexpr (std::endian::native == std::endian::little) {
            number = __builtin_bswap64(number);
        }
        std::memcpy(bytes_.data() + 4, &number, 8);
    }
    operator ByteView() const noexcept { return {bytes_.data(), size_}; }  // NOLINT

  private:
    void store(PartitionId partition) {
        if constexpr (std::endian::native == std::endian::little) {
            partition = __builtin_bswap32(partition);
        }
        std::memcpy(bytes_.data(), &partition, 4);
    }
    std::array<char, 12> bytes_;
    std::size_t size_;
};

// (partition, name).
[[nodiscard]] inline std::string name_key(PartitionId partition, ByteView name) {
    std::string out{ByteView(NumberKey(partition))};
    out.append(name);
    return out;
}

// False: the key is too short to have them.
[[nodiscard]] inline bool partition_of(ByteView key, PartitionId& partition) {
    if (key.size() < 4) return false;
    std::memcpy(&partition, key.data(), 4);
    if constexpr (std::endian::native == std::endian::little) {
        partition = __builtin_bswap32(partition);
    }
    return true;
}
[[nodiscard]] inline bool number_of_key(ByteView key, PartitionId& partition,
                                        std::uint64_t& number) {
    if (key.size() != 12 || !partition_of(key, partition)) return false;
    std::memcpy(&number, key.data() + 4, 8);
    if constexpr (std::endian::native == std::endian::little) number = __builtin_bswap64(number);
    return true;
}

// Row to bytes, and back; false when the bytes are not exactly one row.
template <class Row>
void encode_row(const Row& row, std::string& out) {
    ArchiveWriter writer(out, nullptr);
    const_cast<Row&>(row).fields(writer);  // the writer changes nothing
}
template <class Row>
[[nodiscard]] bool decode_row(ByteView bytes, Row& row) {
    ArchiveReader reader(bytes);
    row.fields(reader);
    return reader.ok() && reader.at_end();
}

}  // namespace scanmq::broker
