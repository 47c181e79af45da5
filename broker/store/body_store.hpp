#pragma once
// BodyStore: the bodies of jobs and results, by handle.
//
// Role:      owned by the broker's shell; the core knows the handles only.
// Threads:   broker loop only.
// Memory:    a body takes its size and at most about 20 bytes: 4 for its length, the rest from
//            rounding up to a block size (16 bytes up to 1 KiB, about an eighth above). Blocks of
//            one size fill segments of 64 KiB; an empty segment's pages go back to the system,
//            beyond a few kept warm. Bodies over 16 KiB are allocated one by one.
// Cold:      a body with a key can be read from the state once a checkpoint has its record. evict()
//            gives back the memory of segments that hold only such bodies; put_cold() makes handles
//            of bodies that were never here. 8 bytes a body stay, its key. Handles stay as they are.
// Limits:    2^21 segments, 128 GiB, those that went cold included; the queues' max_bytes end far
//            before it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/events.hpp"
#include "broker/store/commit_log.hpp"

namespace scanmq::broker {

class BodyReader;

class BodyStore final : public BodySource {
  public:
    BodyStore() = default;
    ~BodyStore() override;
    BodyStore(const BodyStore&) = delete;
    BodyStore& operator=(const BodyStore&) = delete;

    // Copies the body, bytes or blob reference. An empty one is handle 0, which needs no release.
    [[nodiscard]] BodyHandle put(const protocol::Body& body) override;
    // The view lives until release() or evict(), that of a cold body until the next view().
    // A cold body that cannot be read is empty, and read_error() says why. Precondition: a live handle,
    // or 0.
    [[nodiscard]] protocol::Body view(BodyHandle handle) const;
    // Precondition: a live handle, or 0.
    void release(BodyHandle handle);

    // What cold bodies are read with (outlives this).
    void set_reader(BodyReader& reader) noexcept { reader_ = &reader; }
    // The body can be read by this key once the state has the record at `position`. One that is cold is
    // read by its former key until then. Nothing happens for handle 0. Precondition: a live handle, or
    // 0; a kind.
    void set_key(BodyHandle handle, const BodyKey& key, LogPosition position);
    // A body that is in the state only. Of kind none: handle 0.
    [[nodiscard]] BodyHandle put_cold(const BodyKey& key);
    // Takes up new keys of cold bodies. Then turns segments cold until memory() is at most `memory_target` or none is left whose bodies are
    // all in the state up to `checkpointed`; those with the newest bodies first, as they are needed
    // last. To be called after a checkpoint: it looks at every segment. How many bodies went cold.
    std::uint64_t evict(LogPosition checkpointed, std::uint64_t memory_target);
    // Why a cold body could not be read, the first time; it is a damaged state or a defect.
    [[nodiscard]] const std::optional<std::string>& read_error() const noexcept {
        return read_error_;
    }

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }  // cold ones included
    // Precondition: a live handle, or 0.
    [[nodiscard]] bool is_cold(BodyHandle handle) const {
        return cold_count_ > 0 && handle.value != 0 && segment_of(handle).is_cold;
    }
    [[nodiscard]] std::uint64_t cold() const noexcept { return cold_count_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }  // of those in memory
    [[nodiscard]] std::uint64_t memory() const noexcept {
        return memory_;
    }  // taken for them and their keys, pages kept warm included

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
        std::uint16_t keyed{};  // live blocks with a key
        bool is_cold = false;   // `keys` is all there is
        // By block, 0: none; from the first key on. A lone body's is its only one.
        std::unique_ptr<std::uint64_t[]> keys;
        LogPosition position{};  // of the newest key
    };
    // Keys in 8 bytes: what does not fit them goes into wide_.
    class Keys {
      public:
        [[nodiscard]] std::uint64_t pack(const BodyKey& key);
        [[nodiscard]] BodyKey unpack(std::uint64_t packed) const;
        void free(std::uint64_t packed);

      private:
        std::vector<BodyKey> wide_;
        std::vector<std::uint64_t> spare_;
    };

    [[nodiscard]] BodyHandle allocate(std::size_t bytes, char*& block);
    [[nodiscard]] BodyHandle allocate_alone(std::size_t bytes, char*& block);
    [[nodiscard]] std::uint32_t take_segment();
    [[nodiscard]] const Segment& segment_of(BodyHandle handle) const;
    [[nodiscard]] Segment& segment_of(BodyHandle handle);
    [[nodiscard]] static char* block_of(const Segment& segment, BodyHandle handle);
    void link(std::uint32_t index);
    void unlink(std::uint32_t index);
    void give_back(std::uint32_t index);
    void map_region();
    [[nodiscard]] std::uint32_t loose_index();
    [[nodiscard]] protocol::Body view_cold(BodyHandle handle) const;
    void take_new_keys(LogPosition checkpointed);
    void release_cold(std::uint32_t index, std::uint32_t block);
    void drop_key(Segment& segment, std::uint32_t block);
    void drop_keys(Segment& segment);
    void turn_cold(std::uint32_t index);
    [[nodiscard]] static std::uint32_t blocks_of(const Segment& segment) noexcept;

    std::vector<Segment> segments_;
    std::vector<std::uint32_t> with_room_;  // by class: the first segment with a free block
    std::vector<std::uint32_t> warm_;       // empty segments, pages kept
    std::vector<std::uint32_t> bare_;       // empty segments, pages given back
    std::vector<std::uint32_t> loose_;      // indices without memory of their own, for lone bodies
    std::vector<void*> regions_;
    std::uint64_t count_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t memory_ = 0;
    Keys keys_;
    BodyReader* reader_ = nullptr;
    struct NewKey {
        BodyHandle handle;
        BodyKey key;
        LogPosition position{};
    };
    std::vector<NewKey> new_keys_;   // of cold bodies, whose records are not in the state yet
    std::uint32_t filling_ = kNone;  // the segment of put_cold()
    std::uint64_t cold_count_ = 0;
    mutable std::optional<std::string> read_error_;
};

}  // namespace scanmq::broker
