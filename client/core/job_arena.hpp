#pragma once
// JobArena: holds the bytes of jobs from submit() until their answer, in blocks reused whole.
//
// Role:      one per SubmitLink. No allocation per job but for options; a large job has a block of
//            its own.
// Threads:   the core's.
// Invariant: a block returns to the free list when the last of its jobs is released.
// Limits:    the producers' buffer limits; at most kFreeMax blocks are kept for reuse.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "client/core/job.hpp"
#include "common/base/id.hpp"

namespace scanmq::client {

// A job as it waits. Its bytes lie in one run: content id (blob bodies only), subject, inputs,
// payload.
struct StoredJob {
    Id128 id;  // zero until it takes credit
    Id128 group;
    Ticket ticket;
    const char* data{};
    std::uint32_t block{};
    std::uint32_t producer{};
    std::uint32_t payload_bytes{};
    std::uint32_t options{};        // JobArena::options(); 0: all at their defaults
    std::uint32_t options_bytes{};  // an upper bound of their encoded size
    std::uint16_t subject_bytes{};
    std::uint16_t inputs_bytes{};
    bool blob{};          // the payload travels as a blob
    std::uint8_t puts{};  // how often it was put
    bool sent_before{};   // in an earlier session
    bool refused{};       // with its whole frame, once: not tried a third time

    [[nodiscard]] std::size_t prefix_bytes() const noexcept { return blob ? ContentId::kSize : 0; }
    [[nodiscard]] ByteView content() const noexcept { return {data, ContentId::kSize}; }
    [[nodiscard]] std::string_view subject() const noexcept {
        return {data + prefix_bytes(), subject_bytes};
    }
    [[nodiscard]] ByteView inputs() const noexcept {
        return {data + prefix_bytes() + subject_bytes, inputs_bytes};
    }
    [[nodiscard]] ByteView payload() const noexcept {
        return {data + prefix_bytes() + subject_bytes + inputs_bytes, payload_bytes};
    }
    [[nodiscard]] std::size_t stored_bytes() const noexcept {
        return prefix_bytes() + subject_bytes + inputs_bytes + payload_bytes;
    }
    // What it takes of its producer's buffer.
    [[nodiscard]] std::size_t buffered_bytes() const noexcept {
        return stored_bytes() + options_bytes;
    }
};

// An upper bound of what the options take in a frame; 0 for none.
[[nodiscard]] std::size_t encoded_bytes_max(const protocol::JobOptions* options) noexcept;

class JobArena {
  public:
    // Copies the job's bytes. `content` is the payload's id when it is to travel as a blob, else
    // null. Precondition: lengths fit StoredJob's fields (the caller checked the limits).
    [[nodiscard]] StoredJob store(const Job& job, const ContentId* content);
    void release(const StoredJob& job) noexcept;
    // nullptr: all at their defaults. Lives until release().
    [[nodiscard]] const protocol::JobOptions* options(const StoredJob& job) const noexcept {
        return job.options == 0 ? nullptr : options_[job.options - 1].get();
    }

    [[nodiscard]] std::size_t blocks_in_use() const noexcept {
        return blocks_.size() - free_.size() - empty_.size();
    }

    static constexpr std::size_t kBlockBytes = 256U << 10;
    static constexpr std::size_t kFreeMax = 64;

  private:
    struct Block {
        std::unique_ptr<char[]> bytes;
        std::size_t size{};
        std::size_t used{};
        std::uint32_t jobs{};
    };

    std::uint32_t take(std::size_t size);
    void give_back(std::uint32_t index) noexcept;

    std::vector<Block> blocks_;
    std::vector<std::uint32_t> free_;   // of kBlockBytes, to be filled again
    std::vector<std::uint32_t> empty_;  // places in blocks_ without bytes
    std::uint32_t current_ = kNone;
    std::vector<std::unique_ptr<protocol::JobOptions>> options_;
    std::vector<std::uint32_t> options_free_;

    static constexpr std::uint32_t kNone = 0xffffffffU;
};

}  // namespace scanmq::client
