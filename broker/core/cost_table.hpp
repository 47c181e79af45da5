#pragma once
// CostTable: how long attempts of a flow ran, a moving average per size class of the payload.
//
// Role:      one per broker; what an execution will cost is looked up at its delivery.
// Threads:   broker loop only.
// Limits:    kCells averages in sets of four; a newer one takes the place of an older of its set, and
//            what is not known costs its queue's average. No memory before the first use.
// Keys:      a 32-bit hash of flow and queue: two flows may share an average, once in 4 billion.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace scanmq::broker {

class CostTable {
  public:
    static constexpr std::size_t kCells = 1U << 16;
    static constexpr float kShare = 1.0F / 8;  // of the newest time in the average

    [[nodiscard]] static std::uint32_t size_class(std::uint64_t bytes) noexcept {
        return static_cast<std::uint32_t>(std::bit_width(bytes));
    }
    // Microseconds; 0: not known.
    [[nodiscard]] float find(std::uint32_t flow, std::uint32_t size_class) const noexcept {
        if (cells_.empty()) return 0;
        const Key key(flow, size_class);
        for (std::size_t i = 0; i < kWays; ++i) {
            const Cell& cell = cells_[key.set + i];
            if (cell.tag == key.tag) return cell.mean;
        }
        return 0;
    }
    void add(std::uint32_t flow, std::uint32_t size_class, float microseconds) {
        if (cells_.empty()) cells_.resize(kCells);
        const Key key(flow, size_class);
        const float value = std::max(microseconds, kLeast);
        for (std::size_t i = 0; i < kWays; ++i) {
            Cell& cell = cells_[key.set + i];
            if (cell.tag != key.tag) continue;
            cell.mean += (value - cell.mean) * kShare;
            return;
        }
        cells_[key.set + (victim_++ % kWays)] = {key.tag, value};
    }

  private:
    static constexpr std::size_t kWays = 4;
    static constexpr float kLeast = 0.001F;
    struct Cell {
        std::uint32_t tag = 0;  // 0: empty
        float mean = 0;
    };
    struct Key {
        Key(std::uint32_t flow, std::uint32_t size_class) noexcept {
            std::uint64_t h = (std::uint64_t{flow} << 6 | size_class) * 0x9e3779b97f4a7c15ULL;
            h ^= h >> 29;
            tag = static_cast<std::uint32_t>(h) | 1U;
            set = static_cast<std::size_t>(h >> 34) % (kCells / kWays) * kWays;
        }
        std::uint32_t tag;
        std::size_t set;
    };

    std::vector<Cell> cells_;
    std::size_t victim_ = 0;
};

}  // namespace scanmq::broker
