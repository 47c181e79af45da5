#include "scanner/strategy/generator.hpp"

#include <algorithm>
#include <vector>

#include "common/base/assert.hpp"

namespace scanmq::strategy {
namespace {

// Strikes are decimals: their differences are compared with this much room.

constexpr int kEmptyRunsMax = 4096;  // in one go: well under a millisecond

std::uint32_t index_of(StrikeList list, StrikeList::iterator at) {
    return static_cast<std::uint32_t>(at - list.begin());
}

struct Span {
    std::uint32_t above{};  // first element above the strike
    std::uint32_t begin{};
    std::uint32_t end{};
};

Span within(StrikeList list, double strike, const WidthBounds& bounds) {
    const auto above = std::upper_bound(list.begin(), list.end(), strike + kStrikeTolerance);
    const auto first = bounds.min > 0.0 ? std::lower_bound(above, list.end(),
                                                           strike + bounds.min - kStrikeTolerance)
                                        : above;
    const auto last = std::upper_bound(first, list.end(), strike + bounds.max + kStrikeTolerance);
    return {index_of(list, above), index_of(list, first), index_of(list, last)};
}

// The same for the next strike of a rising list: all three ends rise with the strike.
Span within_after(const Span& before, StrikeList list, double strike, const WidthBounds& bounds) {
    const auto size = static_cast<std::uint32_t>(list.size());
    Span out = before;
    while (out.above < size && !(list[out.above] > strike + kStrikeTolerance)) ++out.above;
    out.begin = std::max(out.begin, out.above);
    while (out.begin < size && list[out.begin] < strike + bounds.min - kStrikeTolerance) {
        ++out.begin;
    }
    out.end = std::max(out.end, out.begin);
    while (out.end < size && !(list[out.end] > strike + bounds.max + kStrikeTolerance)) ++out.end;
    return out;
}

}  // namespace

GapList gap_bounds(const Strategy& strategy, WidthBounds wings) noexcept {
    GapList out;
    for (std::size_t i = 0; i < kMaxGaps; ++i) {
        out[i].kind = strategy.gaps[i];
        if (is_wing(strategy.gaps[i])) out[i].bounds = wings;
    }
    return out;
}

GapList every_gap(WidthBounds bounds) noexcept {
    GapList gaps;
    gaps.fill({bounds, Gap::wing});
    return gaps;
}

Generator::Generator(std::span<const StrikeList> lists, const GapList& gaps) noexcept
    : ranks_(lists.size()), gaps_(gaps) {
    SCANMQ_ASSERT(ranks_ >= 1 && ranks_ <= kMaxRanks);
    std::copy(lists.begin(), lists.end(), lists_.begin());
    hole_.fill(kNoHole);
}

// Where the strikes of the rank after this one may lie, given those up to it.
Generator::Range Generator::range_after(std::size_t rank) const noexcept {
    const StrikeList list = lists_[rank + 1];
    const GapBounds& gap = gaps_[rank];
    const double strike = lists_[rank][position_[rank]];
    const Span all = within(list, strike, gap.bounds);
    if (gap.kind != Gap::equal_wing && gap.kind != Gap::unequal_wing) return {all.begin, all.end};
    const double first = lists_[1][position_[1]] - lists_[0][position_[0]];
    const Span same = within(list, strike, {first, first});
    const std::uint32_t begin = std::max(all.begin, same.begin);
    const std::uint32_t end = std::min(all.end, same.end);
    if (gap.kind == Gap::equal_wing) return {begin, std::max(begin, end)};
    return {all.begin, all.end, begin < end ? begin : kNoHole};
}

bool Generator::skips(std::size_t rank) const noexcept { return position_[rank] == hole_[rank]; }

// False when the range is empty.
bool Generator::emit(const Range& range, Run& run) noexcept {
    run.prefix = position_;
    run.begin = range.begin;
    run.end = range.end;
    if (range.hole == kNoHole) return run.begin < run.end;
    rest_ = run;
    rest_.begin = range.hole + 1;
    has_rest_ = rest_.begin < rest_.end;
    run.end = range.hole;
    if (run.begin < run.end || !has_rest_) return run.begin < run.end;
    run = rest_;
    has_rest_ = false;
    return true;
}

bool Generator::next(Run& run) noexcept {
    if (has_rest_) {
        run = rest_;
        has_rest_ = false;
        return true;
    }
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
        if (skips(rank)) {
            ++position_[rank];
            continue;
        }
        const Range range = range_after(rank);
        if (rank < deepest) {
            ++rank;
            position_[rank] = range.begin;
            end_[rank] = range.end;
            hole_[rank] = range.hole;
            continue;
        }
        if (!emit(range, run) && turns < kEmptyRunsMax) {
            ++position_[rank];
            continue;
        }
        return true;
    }
}

double count_candidates(std::span<const StrikeList> lists, const GapList& gaps) noexcept {
    // from_here[i]: ways to go on from element i of the rank at hand; sums of it from the left.
    std::vector<double> sums(lists.back().size() + 1, 0.0);
    for (std::size_t i = 0; i < lists.back().size(); ++i) sums[i + 1] = sums[i] + 1.0;
    for (std::size_t rank = lists.size() - 1; rank-- > 0;) {
        const StrikeList list = lists[rank];
        std::vector<double> next(list.size() + 1, 0.0);
        Span span;
        for (std::size_t i = 0; i < list.size(); ++i) {
            span = within_after(span, lists[rank + 1], list[i], gaps[rank].bounds);
            double ways = sums[span.end] - sums[span.begin];
            // One strike at most is as far away, and each goes on in no more ways than its best.
            if (gaps[rank].kind == Gap::equal_wing && rank + 2 == lists.size()) {
                ways = std::min(ways, 1.0);
            }
            next[i + 1] = next[i] + ways;
        }
        sums = std::move(next);
    }
    return sums.back();
}

WingCount count_wings(std::span<const StrikeList> lists, const GapList& gaps) noexcept {
    WingCount out;
    for (std::size_t rank = 0; rank + 1 < lists.size(); ++rank) {
        if (!is_wing(gaps[rank].kind)) continue;
        Span span;
        for (const double strike : lists[rank]) {
            span = within_after(span, lists[rank + 1], strike, gaps[rank].bounds);
            const std::uint64_t pairs = lists[rank + 1].size() - span.above;
            out.pairs += pairs;
            out.out_of_bounds += pairs - (span.end - span.begin);
        }
    }
    return out;
}

}  // namespace scanmq::strategy
