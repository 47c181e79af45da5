#include "broker/store/blob_head.hpp"

#include <cstring>

#include "broker/store/blob_row.hpp"
#include "common/compress/zstd.hpp"

namespace scanmq::broker {
namespace {

constexpr ByteView kMagic = "scanmqbl";
constexpr std::size_t kPrefixBytes = 12;  // magic, and the length of what follows up to the bytes
constexpr std::size_t kHeadBytesMax = 4096;

struct HeadRow {
    std::uint64_t version{};
    BlobRow blob;
    template <class A>
    void fields(A& a) {
        a.uint(version);
        version == kRawBlobVersion ? blob.raw_fields(a) : blob.fields(a);
    }
};

std::string encode(const HeadRow& row) {
    std::string fields;
    encode_row(row, fields);
    fields += blob_checksum(fields);
    const auto size = static_cast<std::uint32_t>(fields.size());
    std::string out(kMagic);
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    return out + fields;
}

}  // namespace

bool holds_its_bytes(const BlobInfo& info, ByteView held) {
    if (info.encoding == protocol::BlobEncoding::raw) return content_id(held) == info.id;
    return compress::content_id_of_zstd(held, info.bytes) == info.id;
}

std::string blob_checksum(ByteView bytes) {
    const ContentId hash = content_id(bytes);
    return std::string(hash.view().substr(0, kBlobChecksumBytes));
}

std::string encode_blob_head(const BlobInfo& info) {
    const bool raw = info.encoding == protocol::BlobEncoding::raw;
    return encode({raw ? kRawBlobVersion : kEncodedBlobVersion, BlobRow(info)});
}

std::string encode_segment_head() { return encode({kSegmentVersion, {}}); }

std::size_t decode_blob_head(ByteView file, BlobHead& head) {
    if (file.size() < kPrefixBytes || file.substr(0, kMagic.size()) != kMagic) return 0;
    std::uint32_t size = 0;
    std::memcpy(&size, file.data() + kMagic.size(), sizeof size);
    if (size < kBlobChecksumBytes || size > kHeadBytesMax || size > file.size() - kPrefixBytes)
        return 0;
    const ByteView fields = file.substr(kPrefixBytes, size - kBlobChecksumBytes);
    if (file.substr(kPrefixBytes + fields.size(), kBlobChecksumBytes) != blob_checksum(fields))
        return 0;
    ArchiveReader reader(fields);
    reader.uint(head.version);
    if (reader.ok() && head.version >= kSegmentVersion) return kPrefixBytes + size;
    HeadRow row;
    if (!decode_row(fields, row)) return 0;
    if (row.version == kEncodedBlobVersion && row.blob.encoding != protocol::BlobEncoding::zstd)
        return 0;
    head.info = row.blob.info();
    return kPrefixBytes + size;
}

}  // namespace scanmq::broker
