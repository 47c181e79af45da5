#include "scanner/strategy/generator.hpp"

#include <algorithm>

#include "common/base/assert.hpp"

namespace scanmq::strategy {
namespace {

// Strikes are decimals: their differences are compared with this much room.
constexpr double kStrikeTolerance = 1e-9;

constexpr int kEmptyRunsMax = 4096;  // in one go: well under a millisecond

std::uint32_t index_of(StrikeList list, StrikeList::iterator at) {
    return static_cast<std::uint32_t>(at - list.begin());
}

}  // namespace

Generator::Generator(std::span<const StrikeList> lists, WidthBounds bounds) noexcept
    : ranks_(lists.size()), bounds_(bounds) {
    SCANMQ_ASSERT(ranks_ >= 1 && ranks_ <= kMaxRanks);
    std::copy(lists.begin(), lists.end(), lists_.begin());
}

Generator::Range Generator::range_above(std::size_t rank, double strike) const noexcept {
    const StrikeList list = lists_[rank];
    const auto above = std::upper_bound(list.begin(), list.end(), strike + kStrikeTolerance);
    const auto first = std::lower_bound(above, list.end(), strike + bounds_.min - kStrikeTolerance);
    const auto last = std::upper_bound(first, list.end(), strike + bounds_.max + kStrikeTolerance);
    return {index_of(list, first), index_of(list, last),
            static_cast<std::uint32_t>(list.end() - above)};
}

bool Generator::next(Run& run) noexcept {
    if (ranks_ == 1) {
        run.begin = 0;
        run.end = static_cast<std::uint32_t>(lists_[0].size());
        const bool first = !started_;
        started_ = true;
        return first && run.end > 0;
    }
    // An odometer over the ranks before the last, each wheel turning within the reach of the one
    // below.
    const std::size_t deepest = ranks_ - 2;
    std::size_t rank = 0;
    if (started_) {
        rank = deepest;
        ++position_[rank];
    } else {
        started_ = true;
        end_[0] = static_cast<std::uint32_t>(lists_[0].size());
    }
    for (int turns = 0;; ++turns) {
        if (position_[rank] >= end_[rank]) {
            if (rank == 0) return false;
            ++position_[--rank];
            continue;
        }
        const Range range = range_above(rank + 1, lists_[rank][position_[rank]]);
        if (rank < deepest) {
            ++rank;
            position_[rank] = range.begin;
            end_[rank] = range.end;
            continue;
        }
        out_of_bounds_ += range.above - (range.end - range.begin);
        if (range.begin == range.end && turns < kEmptyRunsMax) {
            ++position_[rank];
            continue;
        }
        run.prefix = position_;
        run.begin = range.begin;
        run.end = range.end;
        return true;
    }
}

}  // namespace scanmq::strategy
