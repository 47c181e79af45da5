#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "scanner/score/top_k.hpp"
#include "scanner/service/engine.hpp"

namespace scanmq::service {
namespace {

// Of one root an expiry is its day and, on one day, the morning first.
auto expiry_of(const SpreadLeg& leg) { return std::tie(leg.root, leg.expiry, leg.settlement); }

const SpreadLeg& nearest_leg(const Spread& spread) {
    return *std::ranges::min_element(spread.legs, {}, expiry_of);
}
const SpreadLeg& latest_leg(const Spread& spread) {
    return *std::ranges::max_element(spread.legs, {}, expiry_of);
}

// CandidateOrder's, after score and risk, and over chains. Arbitrage quotes have no score: it is theirs.
bool contract_before(const Spread& a, const Spread& b) {
    if (a.symbol != b.symbol) return a.symbol < b.symbol;
    const SpreadLeg& left = nearest_leg(a);
    const SpreadLeg& right = nearest_leg(b);
    if (expiry_of(left) != expiry_of(right)) return expiry_of(left) < expiry_of(right);
    if (a.strategy != b.strategy) return a.strategy < b.strategy;
    const auto lower = [](const Spread& x, const Spread& y) {
        return std::ranges::lexicographical_compare(x.legs, y.legs, {}, &SpreadLeg::strike,
                                                    &SpreadLeg::strike);
    };
    if (lower(a, b) || lower(b, a)) return lower(a, b);
    const SpreadLeg& later_left = latest_leg(a);
    const SpreadLeg& later_right = latest_leg(b);
    if (expiry_of(later_left) != expiry_of(later_right)) {
        return expiry_of(later_left) < expiry_of(later_right);
    }
    return a.as_of < b.as_of;  // the same contracts on several days
}

void add_counts(Counts& sum, const Counts& more) {
    sum.contracts += more.contracts;
    sum.contracts_not_tradable += more.contracts_not_tradable;
    sum.contracts_unpriced += more.contracts_unpriced;
    sum.legs += more.legs;
    sum.legs_unquoted += more.legs_unquoted;
    sum.legs_crossed += more.legs_crossed;
    sum.candidates += more.candidates;
    sum.arbitrage_quote += more.arbitrage_quote;
    sum.no_risk += more.no_risk;
    sum.no_profit += more.no_profit;
    sum.no_value += more.no_value;
    sum.unscored += more.unscored;
    sum.ranked += more.ranked;
    sum.pruned += more.pruned;
    sum.lanes_without_stock += more.lanes_without_stock;
    // Results of one request have the same filters in the same order.
    for (std::size_t i = 0; i < more.filters.size(); ++i) {
        if (i == sum.filters.size()) sum.filters.push_back({.type = more.filters[i].type});
        sum.filters[i].evaluated += more.filters[i].evaluated;
        sum.filters[i].removed += more.filters[i].removed;
        sum.filters[i].missing += more.filters[i].missing;
        sum.filters[i].pruned += more.filters[i].pruned;
    }
}

// The best of all lists, moved out of them: only the kept spreads are copied.
template <class Better>
std::vector<Spread> best_of(std::vector<ScanResult>& results, std::vector<Spread> ScanResult::*list,
                            std::uint32_t limit, Better better) {
    const auto by_value = [better](Spread* a, Spread* b) { return better(*a, *b); };
    score::TopK<Spread*, decltype(by_value)> best(limit, by_value);
    for (ScanResult& result : results) {
        for (Spread& spread : result.*list) best.offer(&spread);
    }
    std::vector<Spread> out;
    for (Spread* spread : best.take()) out.push_back(std::move(*spread));
    return out;
}

// What best_per calls one and the same.
std::string key_of(const Spread& spread, const std::string& per) {
    std::string key = spread.symbol;
    if (per == "symbol") return key;
    const SpreadLeg& nearest = nearest_leg(spread);
    key += fmt::format("/{}/{}/{}", nearest.root, nearest.expiry,
                       static_cast<int>(nearest.settlement));
    if (per == "expiry") return key;
    for (const SpreadLeg& leg : spread.legs) {
        if (leg.side != strategy::Side::short_leg) continue;
        key += fmt::format("/{}{}", strategy::to_string(leg.right), leg.strike);
    }
    return key;
}

// Results of one symbol, such as of several moments, may each have their own best.
void keep_best_of_each(std::vector<ScanResult>& results, const std::string& per) {
    if (per == to_string(BestPer::spread)) return;
    std::map<std::string, const Spread*> best;
    for (const ScanResult& result : results) {
        for (const Spread& spread : result.spreads) {
            const Spread*& known = best[key_of(spread, per)];
            if (known == nullptr || ranks_before(spread, *known)) known = &spread;
        }
    }
    for (ScanResult& result : results) {
        std::vector<Spread> kept;
        for (Spread& spread : result.spreads) {
            if (best[key_of(spread, per)] == &spread) kept.push_back(spread);
        }
        result.spreads = std::move(kept);
    }
}

}  // namespace

bool ranks_before(const Spread& a, const Spread& b) noexcept {
    if (a.score != b.score) return a.score > b.score;
    if (a.risk != b.risk) return a.risk < b.risk;
    return contract_before(a, b);
}

ScanResult merge_results(std::vector<ScanResult> results, std::uint32_t limit) {
    ScanResult merged;
    if (results.empty()) return merged;
    merged.symbol = results.front().symbol;
    merged.as_of = results.front().as_of;
    merged.engine = results.front().engine;
    merged.assumptions = results.front().assumptions;
    for (ScanResult& result : results) {
        if (result.symbol != merged.symbol) merged.symbol.clear();
        if (result.engine != merged.engine) merged.engine.clear();
        merged.as_of = std::min(merged.as_of, result.as_of);
        merged.assumptions.forward_is_carried |= result.assumptions.forward_is_carried;
        if (result.assumptions.rate_source != merged.assumptions.rate_source) {
            merged.assumptions.rate_source = "several";
        }
        merged.assumptions.spot_is_implied |= result.assumptions.spot_is_implied;
        add_counts(merged.counts, result.counts);
        if (result.sources.empty()) {
            merged.sources.push_back({result.symbol, result.as_of, result.snapshot});
        }
        merged.sources.insert(merged.sources.end(), result.sources.begin(), result.sources.end());
    }
    if (results.size() > 1) {
        merged.assumptions.rate = kMissing;
        merged.assumptions.spot = kMissing;
    }
    std::ranges::sort(merged.sources, {}, [](const ScanSource& source) {
        return std::tie(source.symbol, source.as_of, source.snapshot);
    });
    keep_best_of_each(results, merged.assumptions.best_per);
    merged.spreads = best_of(results, &ScanResult::spreads, limit, ranks_before);
    merged.arbitrage = best_of(results, &ScanResult::arbitrage, limit, contract_before);
    return merged;
}

}  // namespace scanmq::service
