#include "scanner/market/chain_builder.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "scanner/market/contract.hpp"

namespace scanmq::market {

bool valid_symbol(std::string_view symbol) noexcept {
    if (symbol.empty() || symbol.size() > kSymbolBytesMax) return false;
    return std::all_of(symbol.begin(), symbol.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::uint16_t ChainBuilder::expiry(std::string_view root, YearMonthDay date,
                                   Settlement settlement) {
    const auto is_it = [&](const Expiry& e) {
        return e.date == date && e.settlement == settlement && e.root == root;
    };
    if (last_expiry_ < expiries_.size() && is_it(expiries_[last_expiry_])) {
        return static_cast<std::uint16_t>(last_expiry_);
    }
    const auto found = std::find_if(expiries_.begin(), expiries_.end(), is_it);
    last_expiry_ = static_cast<std::size_t>(found - expiries_.begin());
    if (found == expiries_.end()) {
        Expiry added;
        added.root = root;
        added.date = date;
        added.settlement = settlement;
        set_settlement_moments(added);
        expiries_.push_back(std::move(added));
    }
    return static_cast<std::uint16_t>(last_expiry_);
}

std::vector<std::uint32_t> ChainBuilder::sorted_rows() {
    std::vector<std::uint16_t> order(expiries_.size());
    std::iota(order.begin(), order.end(), std::uint16_t{0});
    std::sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
        const auto& x = expiries_[a];
        const auto& y = expiries_[b];
        return std::tie(x.moment, x.root) < std::tie(y.moment, y.root);
    });
    std::vector<Expiry> sorted;
    std::vector<std::uint16_t> rank(order.size());
    for (const auto old : order) {
        rank[old] = static_cast<std::uint16_t>(sorted.size());
        sorted.push_back(std::move(expiries_[old]));
    }
    expiries_ = std::move(sorted);

    // Counting sort by (expiry, right): vendors already write strikes in rising order, so that each
    // bucket is usually sorted when it is filled.
    std::vector<std::uint32_t> begin(expiries_.size() * 2 + 1);
    for (auto& row : rows_) {
        row.expiry = rank[row.expiry];
        ++begin[row.expiry * 2U + static_cast<std::size_t>(row.right) + 1];
    }
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    std::vector<std::uint32_t> index(rows_.size());
    auto next = begin;
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
        index[next[rows_[i].expiry * 2U + static_cast<std::size_t>(rows_[i].right)]++] = i;
    }
    const auto by_strike = [&](std::uint32_t a, std::uint32_t b) {
        return rows_[a].strike < rows_[b].strike;
    };
    for (std::size_t bucket = 0; bucket + 1 < begin.size(); ++bucket) {
        const auto first = index.begin() + begin[bucket];
        const auto last = index.begin() + begin[bucket + 1];
        if (!std::is_sorted(first, last, by_strike)) std::stable_sort(first, last, by_strike);
    }
    return index;
}

Chain ChainBuilder::finish(Chain head, std::uint64_t& duplicates) {
    const auto index = sorted_rows();
    const auto count = index.size();
    head.strike.reserve(count);
    head.bid.reserve(count);
    head.ask.reserve(count);
    head.last.reserve(count);
    head.vendor_iv.reserve(count);
    head.vendor_delta.reserve(count);
    head.volume.reserve(count);
    head.open_interest.reserve(count);
    head.expiry.reserve(count);
    head.right.reserve(count);
    for (auto& expiry : expiries_) expiry.call_begin = expiry.put_begin = expiry.end = 0;

    const Row* previous = nullptr;
    for (const auto i : index) {
        const Row& row = rows_[i];
        if (previous != nullptr && previous->strike == row.strike && previous->right == row.right &&
            previous->expiry == row.expiry) {
            ++duplicates;
            continue;
        }
        previous = &row;
        head.strike.push_back(row.strike);
        head.bid.push_back(row.bid);
        head.ask.push_back(row.ask);
        head.last.push_back(row.last);
        head.vendor_iv.push_back(row.vendor_iv);
        head.vendor_delta.push_back(row.vendor_delta);
        head.volume.push_back(row.volume);
        head.open_interest.push_back(row.open_interest);
        head.expiry.push_back(row.expiry);
        head.right.push_back(row.right);
        auto& expiry = expiries_[row.expiry];
        // Counts for now: calls, then all; turned into positions below.
        if (row.right == Right::call) ++expiry.put_begin;
        ++expiry.end;
    }
    std::uint32_t at = 0;
    for (auto& expiry : expiries_) {
        expiry.call_begin = at;
        expiry.put_begin += at;
        expiry.end += at;
        at = expiry.end;
    }
    head.expiries = std::move(expiries_);
    rows_.clear();
    expiries_.clear();
    last_expiry_ = 0;
    return head;
}

}  // namespace scanmq::market
