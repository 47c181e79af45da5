#pragma once
// CostTable: how long attempts of a flow ran, a moving average per size class of the payload.
//
// Role:      one per broker; what an execution will cost is looked up at its delivery. The average of
//            the size class a flow had last is in the flow itself (FlowCost), which is at hand then.
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

// Microseconds, of the flow's newest size class; mean 0: nothing is known.
struct FlowCost {
    float mean = 0;
    std::uint8_t size_class = 0;
};

class CostTable {
  public:
    static constexpr std::size_t kCells = 1U << 16;
    static constexpr float kShare = 1.0F / 8;  // of the newest time in the average

    [[nodiscard]] static std::uint8_t size_class(std::uint64_t bytes) noexcept {
        return static_cast<std::uint8_t>(std::bit_width(bytes));
    }
    // Microseconds; 0: not known. `flow` is its hash, `newest` what it keeps itself.
    [[nodiscard]] float find(std::uint32_t flow, const FlowCost& newest,
                             std::uint8_t size_class) const noexcept {
        return newest.size_class == size_class && newest.mean > 0 ? newest.mean
                                                                  : find(flow, size_class);
    }
    // An attempt took so long.
    void add(std::uint32_t flow, FlowCost& newest, std::uint8_t size_class, float microseconds) {
        if (newest.size_class != size_class || newest.mean == 0) {
            keep(flow, newest);
            newest = {find(flow, size_class), size_class};
        }
        const float value = std::max(microseconds, kLeast);
        newest.mean = newest.mean == 0 ? value : newest.mean + (value - newest.mean) * kShare;
    }
    // The flow is forgotten, or has another newest.
    void keep(std::uint32_t flow, const FlowCost& newest) {
        if (newest.mean > 0) put(flow, newest.size_class, newest.mean);
    }

  private:
    static constexpr std::size_t kWays = 4;
    static constexpr float kLeast = 0.001F;

    [[nodiscard]] float find(std::uint32_t flow, std::uint8_t size_class) const noexcept {
        if (cells_.empty()) return 0;
        const Key key(flow, size_class);
        for (std::size_t i = 0; i < kWays; ++i) {
            const Cell& cell = cells_[key.set + i];
            if (cell.tag == key.tag) return cell.mean;
        }
        return 0;
    }
    void put(std::uint32_t flow, std::uint8_t size_class, float mean) {
        if (cells_.empty()) cells_.resize(kCells);
        const Key key(flow, size_class);
        for (std::size_t i = 0; i < kWays; ++i) {
            Cell& cell = cells_[key.set + i];
            if (cell.tag != key.tag) continue;
            cell.mean = mean;
            return;
        }
        cells_[key.set + (victim_++ % kWays)] = {key.tag, mean};
    }

    struct Cell {
        std::uint32_t tag = 0;  // 0: empty
        float mean = 0;
    };
    struct Key {
        Key(std::uint32_t flow, std::uint8_t size_class) noexcept {
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
