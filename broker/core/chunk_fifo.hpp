#pragma once
// ChunkFifo<T>: a queue of plain records addressed by their absolute position, in chunks of fixed
// size.
//
// Threads:   broker loop only.
// Invariant: positions begin() .. end() are there; a record never moves. Growing copies no records.
// Memory:    a chunk is given back when its last record was popped; one is kept for the next push.

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::broker {

template <class T, std::uint32_t ChunkBits = 10>
class ChunkFifo {
  public:
    // Appends and returns the record's position.
    std::uint64_t push(const T& record) {
        if (chunks_.empty() || end_ - base_ == chunks_.size() * kChunk) {
            chunks_.push_back(spare_ ? std::move(spare_) : std::make_unique<T[]>(kChunk));
        }
        (*this)[end_] = record;
        return end_++;
    }
    // The next record's position is to be this one. Precondition: nothing was ever pushed.
    void begin_at(std::uint64_t position) {
        SCANMQ_ASSERT(chunks_.empty() && !spare_);
        base_ = begin_ = end_ = position;
    }
    // Precondition: !empty().
    void pop() {
        SCANMQ_ASSERT(!empty());
        ++begin_;
        if (begin_ - base_ == kChunk) {
            spare_ = std::move(chunks_.front());
            chunks_.pop_front();
            base_ += kChunk;
        }
    }
    // Precondition: begin() <= position < end() (but push() fills in the record at end()).
    [[nodiscard]] T& operator[](std::uint64_t position) noexcept {
        const std::uint64_t i = position - base_;
        return chunks_[i >> ChunkBits][i & kMask];
    }
    [[nodiscard]] const T& operator[](std::uint64_t position) const noexcept {
        const std::uint64_t i = position - base_;
        return chunks_[i >> ChunkBits][i & kMask];
    }
    [[nodiscard]] T& front() noexcept { return (*this)[begin_]; }
    [[nodiscard]] const T& front() const noexcept { return (*this)[begin_]; }
    [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }
    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return end_ - begin_; }
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return (chunks_.size() + (spare_ ? 1 : 0)) * kChunk * sizeof(T);
    }

  private:
    static constexpr std::uint64_t kChunk = std::uint64_t{1} << ChunkBits;
    static constexpr std::uint64_t kMask = kChunk - 1;

    std::deque<std::unique_ptr<T[]>> chunks_;
    std::unique_ptr<T[]> spare_;
    std::uint64_t base_ = 0;  // position of the first record of the first chunk
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace scanmq::broker
