#pragma once
// ByteArena: bytes that are kept together and dropped together.
//
// Threads:   one. Views: of what was copied in, until clear().
// Memory:    chunks are used again after clear(), those above kKeptBytes given back.

#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "common/base/bytes.hpp"

namespace scanmq::broker {

class ByteArena {
  public:
    // The copy may be changed by who made it.
    [[nodiscard]] char* copy(ByteView bytes) {
        if (bytes.size() > left_) grow(bytes.size());
        char* const out = next_;
        if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
        next_ += bytes.size();
        left_ -= bytes.size();
        return out;
    }
    [[nodiscard]] ByteView keep(ByteView bytes) { return {copy(bytes), bytes.size()}; }
    void clear() noexcept {
        std::size_t kept = 0;
        std::erase_if(chunks_, [&](const Chunk& chunk) {
            if (chunk.size != kChunkBytes || kept + chunk.size > kKeptBytes) return true;
            kept += chunk.size;
            return false;
        });
        used_ = 0;
        left_ = 0;
        next_ = nullptr;
    }

  private:
    static constexpr std::size_t kChunkBytes = 4U << 20;
    static constexpr std::size_t kKeptBytes = 128U << 20;
    struct Chunk {
        std::unique_ptr<char[]> data;
        std::size_t size{};
    };
    void grow(std::size_t least) {
        while (used_ < chunks_.size() && chunks_[used_].size < least) ++used_;
        if (used_ == chunks_.size()) {
            const std::size_t size = least > kChunkBytes ? least : kChunkBytes;
            chunks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
        }
        next_ = chunks_[used_].data.get();
        left_ = chunks_[used_].size;
        ++used_;
    }

    std::vector<Chunk> chunks_;
    std::size_t used_ = 0;
    std::size_t left_ = 0;
    char* next_ = nullptr;
};

}  // namespace scanmq::broker
