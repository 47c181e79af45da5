#pragma once
// Chunks: an array that grows without moving what is in it.
//
// Role:      entries of MemoryCache, nodes of S3Fifo. Growing costs one chunk, never a copy of all.
// Threads:   its owner's.
// Lifetime:  references stay true until the end of the array; nothing is given back before.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace scanmq::cache {

template <class T>
class Chunks {
  public:
    static constexpr std::uint32_t kBits = 10;
    static constexpr std::uint32_t kPerChunk = 1U << kBits;

    // Precondition: i < size().
    [[nodiscard]] T& operator[](std::uint32_t i) noexcept {
        return chunks_[i >> kBits][i & (kPerChunk - 1)];
    }
    [[nodiscard]] const T& operator[](std::uint32_t i) const noexcept {
        return chunks_[i >> kBits][i & (kPerChunk - 1)];
    }
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    // Makes element i exist, and those before it.
    void grow_to(std::uint32_t i) {
        while (i >= chunks_.size() << kBits) chunks_.push_back(std::make_unique<T[]>(kPerChunk));
        if (i >= size_) size_ = i + 1;
    }

  private:
    std::vector<std::unique_ptr<T[]>> chunks_;
    std::uint32_t size_ = 0;
};

}  // namespace scanmq::cache
