#include "client/cli/bench_payload.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/assert.hpp"

namespace scanmq::cli {
namespace {

struct Header {
    JobStamp stamp;
    std::uint64_t check;
};
static_assert(sizeof(Header) == kStampBytes);

// SplitMix64's finaliser (Steele, Lea, Flood 2014).
std::uint64_t mix(std::uint64_t x) {
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31U);
}

std::uint64_t check_of(const JobStamp& s) {
    return mix(s.run ^ mix(s.id + 0x9e3779b97f4a7c15ULL * (s.producer + 1U) + s.warm_up) ^
               static_cast<std::uint64_t>(s.due_ns));
}

}  // namespace

void write_payload(const JobStamp& stamp, std::size_t bytes, std::string& out) {
    SCANMQ_ASSERT(bytes >= kStampBytes);
    out.resize(bytes);
    const Header header{stamp, check_of(stamp)};
    std::memcpy(out.data(), &header, sizeof header);
    std::uint64_t word = header.check;
    for (std::size_t at = sizeof header; at < bytes; at += sizeof word) {
        word = mix(word + 0x9e3779b97f4a7c15ULL);
        std::memcpy(out.data() + at, &word, std::min(sizeof word, bytes - at));
    }
}

std::optional<JobStamp> read_payload(ByteView payload, std::size_t bytes, std::uint64_t run) {
    if (payload.size() != bytes || bytes < kStampBytes) return std::nullopt;
    Header header;
    std::memcpy(&header, payload.data(), sizeof header);
    if (header.stamp.run != run || header.check != check_of(header.stamp)) return std::nullopt;
    return header.stamp;
}

bool SeenIds::insert(std::uint64_t id) {
    SCANMQ_ASSERT(id < kIdMax);
    const std::size_t word = id / 64;
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    if (word >= bits_.size()) bits_.resize(std::max(word + 1, bits_.size() * 2));
    if ((bits_[word] & bit) != 0) return false;
    bits_[word] |= bit;
    ++count_;
    return true;
}

std::uint64_t SeenIds::missing(std::uint64_t expected) const noexcept {
    std::uint64_t there = 0;
    for (std::size_t word = 0; word < bits_.size() && word * 64 < expected; ++word) {
        const std::uint64_t left = expected - word * 64;
        const std::uint64_t mask = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
        there += static_cast<std::uint64_t>(std::popcount(bits_[word] & mask));
    }
    return expected - there;
}

}  // namespace scanmq::cli
