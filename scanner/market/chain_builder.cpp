#include "scanner/market/chain_builder.hpp"

#include <algorithm>
#include <functional>
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
    const std::size_t key =
        std::hash<std::string_view>{}(root) ^
        (static_cast<std::size_t>(date) * 2 + static_cast<std::size_t>(settlement));
    const auto [first, last] = by_key_.equal_range(key);
    for (auto at = first; at != last; ++at) {
        if (is_it(expiries_[at->second])) {
            last_expiry_ = at->second;
            return at->second;
        }
    }
    last_expiry_ = expiries_.size();
    Expiry added;
    added.root = root;
    added.date = date;
    added.settlement = settlement;
    set_settlement_moments(added);
    expiries_.push_back(std::move(added));
    by_key_.emplace(key, static_cast<std::uint16_t>(last_expiry_));
    return static_cast<std::uint16_t>(last_expiry_);
}

void ChainBuilder::reserve(std::size_t contracts) {
    rows_.reserve(contracts);
    if (kept_.gamma) extras_.gamma.reserve(contracts);
    if (kept_.theta) extras_.theta.reserve(contracts);
    if (kept_.vega) extras_.vega.reserve(contracts);
    if (kept_.rho) extras_.rho.reserve(contracts);
    if (kept_.quoted) quoted_.reserve(contracts);
}

std::vector<std::uint32_t> ChainBuilder::sorted_rows() {
    std::vector<std::uint16_t> order(expiries_.size());
    std::iota(order.begin(), order.end(), std::uint16_t{0});
    std::sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
        const auto& x = expiries_[a];
        const auto& y = expiries_[b];
        return std::tie(x.moment, x.root, x.date) < std::tie(y.moment, y.root, y.date);
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

std::uint64_t ChainBuilder::drop_duplicates(std::vector<std::uint32_t>& index) const {
    const auto same = [&](std::uint32_t a, std::uint32_t b) {
        const Row& x = rows_[a];
        const Row& y = rows_[b];
        return x.strike == y.strike && x.right == y.right && x.expiry == y.expiry;
    };
    const auto end = std::unique(index.begin(), index.end(), same);
    const auto dropped = static_cast<std::uint64_t>(index.end() - end);
    index.erase(end, index.end());
    return dropped;
}

Chain ChainBuilder::finish(Chain head, std::uint64_t& duplicates) {
    auto index = sorted_rows();
    duplicates += drop_duplicates(index);
    const auto fill = [&](auto& column, auto member) {
        column.resize(index.size());
        for (std::size_t i = 0; i < index.size(); ++i) column[i] = rows_[index[i]].*member;
    };
    fill(head.strike, &Row::strike);
    fill(head.bid, &Row::bid);
    fill(head.ask, &Row::ask);
    fill(head.last, &Row::last);
    fill(head.vendor_iv, &Row::vendor_iv);
    fill(head.vendor_delta, &Row::vendor_delta);
    fill(head.volume, &Row::volume);
    fill(head.open_interest, &Row::open_interest);
    fill(head.expiry, &Row::expiry);
    fill(head.right, &Row::right);
    const auto gather = [&](auto& column, const auto& source) {
        if (source.empty()) return;
        column.resize(index.size());
        for (std::size_t i = 0; i < index.size(); ++i) column[i] = source[index[i]];
    };
    gather(head.vendor.gamma, extras_.gamma);
    gather(head.vendor.theta, extras_.theta);
    gather(head.vendor.vega, extras_.vega);
    gather(head.vendor.rho, extras_.rho);
    gather(head.quoted, quoted_);

    for (auto& expiry : expiries_) expiry.call_begin = expiry.put_begin = expiry.end = 0;
    for (std::size_t i = 0; i < index.size(); ++i) {
        auto& expiry = expiries_[head.expiry[i]];
        // Counts for now: calls, then all; turned into positions below.
        if (head.right[i] == Right::call) ++expiry.put_begin;
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
    const Kept kept = kept_;
    *this = {};
    kept_ = kept;
    return head;
}

}  // namespace scanmq::market
