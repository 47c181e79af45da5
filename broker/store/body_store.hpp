#pragma once
// BodyStore: the bodies of jobs and results, by handle.
//
// Role:      owned by the broker's shell; the core knows the handles only.
// Threads:   broker loop only.
// Memory:    a body takes its size and at most about 20 bytes: 4 for its length, the rest from
//            rounding up to a block size (16 bytes up to 1 KiB, about an eighth above). Blocks of
//            one size fill segments of 64 KiB; an empty segment's pages go back to the system,
//            beyond a few kept warm. Bodies over 16 KiB are allocated one by one.
// Limits:    2^21 segments, 128 GiB; the queues' max_bytes end far before it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "broker/core/events.hpp"

namespace scanmq::broker {

class BodyStore {
  public:
    BodyStore() = default;
    ~BodyStore();
    BodyStore(const BodyStore&) = delete;
    BodyStore& operator=(const BodyStore&) = delete;

    // Copies the body, bytes or blob reference. An empty one is handle 0, which needs no release.
    [[nodiscard]] BodyHandle put(const protocol::Body& body);
    // The view lives until release(). Precondition: a live handle, or 0.
    [[nodiscard]] protocol::Body view(BodyHandle handle) const;
    // Precondition: a live handle, or 0.
    void release(BodyHandle handle);

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }  // of the bodies
    [[nodiscard]] std::uint64_t memory() const noexcept {
        return memory_;
    }  // taken for them, pages kept warm included

  private:
    static constexpr std::uint32_t kNone = 0xffffffff;

    struct Segment {
        char* base{};
        std::uint32_t block_bytes{};
        std::uint32_t size_class{};
        std::uint32_t previous = kNone;  // in its class's list of segments with room
        std::uint32_t next = kNone;
        std::uint16_t used{};
        std::uint16_t fresh{};  // blocks from here on were never used
        std::uint16_t free = 0xffff;
    };

    [[nodiscard]] BodyHandle allocate(std::size_t bytes, char*& block);
    [[nodiscard]] BodyHandle allocate_alone(std::size_t bytes, char*& block);
    [[nodiscard]] std::uint32_t take_segment();
    [[nodiscard]] char* block_of(BodyHandle handle) const;
    void link(std::uint32_t index);
    void unlink(std::uint32_t index);
    void give_back(std::uint32_t index);
    void map_region();

    std::vector<Segment> segments_;
    std::vector<std::uint32_t> with_room_;  // by class: the first segment with a free block
    std::vector<std::uint32_t> warm_;       // empty segments, pages kept
    std::vector<std::uint32_t> cold_;       // empty segments, pages given back
    std::vector<std::uint32_t> loose_;      // indices without memory of their own, for lone bodies
    std::vector<void*> regions_;
    std::uint64_t count_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t memory_ = 0;
};

}  // namespace scanmq::broker
