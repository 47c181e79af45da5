#pragma once
// What pricing and scanning promise for any chain that a reader accepts, under any inputs that a request
// may have (rates, spot, dividends, events, histories, ticks): they end, what cannot be priced carries a
// status, numbers are numbers, and pruning finds what looking at every candidate does.
//
// Bytes: a request; behind a NUL a chain as read_chain_text reads it. A request that is none stands for
// one of every strategy.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "scanner/market/priced_chain.hpp"
#include "scanner/market/reader.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/engine.hpp"
#include "scanner/service/result_check.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::tests {

inline service::ScanRequest fuzz_scan_request(std::string_view bytes) {
    constexpr std::uint64_t kCandidates = 20'000;
    auto read = service::decode_request(bytes);
    service::ScanRequest request;
    if (read) {
        request = *std::move(read);
    } else {
        for (const auto& strategy : strategy::strategies()) {
            request.strategies.emplace_back(strategy.name);
        }
    }
    request.symbol.clear();
    request.candidates_max = std::min(request.candidates_max, kCandidates);
    request.limit = std::min<std::uint32_t>(request.limit, 50);
    return request;
}

inline bool finite_or_missing(double value) { return std::isnan(value) || std::isfinite(value); }

inline bool priced_chain_is_sound(const market::PricedChain& priced) {
    const std::size_t size = priced.chain->size();
    if (priced.iv.size() != size || priced.iv_status.size() != size ||
        priced.greeks.size() != size || priced.expiries.size() != priced.chain->expiries.size()) {
        return false;
    }
    for (std::size_t i = 0; i < size; ++i) {
        const bool ok = priced.iv_status[i] == pricing::IvStatus::ok;
        if (ok != (priced.iv[i] >= 0) || std::isinf(priced.iv[i])) return false;
    }
    if (!finite_or_missing(priced.spot) || !std::isfinite(priced.rate)) return false;
    for (const market::ExpiryMarket& expiry : priced.expiries) {
        if (!finite_or_missing(expiry.forward) || !finite_or_missing(expiry.atm_volatility) ||
            !finite_or_missing(expiry.move_1sd) || expiry.forward <= 0 ||
            (std::isnan(expiry.atm_volatility) && expiry.tradable && expiry.problem.empty())) {
            return false;
        }
    }
    return true;
}

// The list as bytes, without what pruning may change: how many were looked at.
inline std::string list_of(service::ScanResult result) {
    return service::encode_spreads(result.spreads) + service::encode_spreads(result.arbitrage);
}

inline bool scan_is_sound(const market::PricedChain& priced, const service::ScanRequest& request) {
    const auto result = service::scan(priced, request);
    const auto looked_at = service::scan(priced, request, {.brute_force = true});
    if (!result) return !result.error().message.empty() && !looked_at.ok();
    const std::string bytes = service::encode(*result, service::Encoding::msgpack);
    return service::check_result(bytes).ok() && service::decode_result(bytes).ok() &&
           looked_at.ok() && list_of(*result) == list_of(*looked_at);
}

inline bool scans_keep_promises(std::string_view bytes) {
    constexpr std::size_t kContracts = 120;
    constexpr std::size_t kChains = 3;
    const auto end = std::min(bytes.find('\0'), bytes.size());
    const auto request = fuzz_scan_request(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    auto report = market::read_chain_text(bytes, "fuzz_2024-06-10");
    if (!report) return !report.error().message.empty();
    for (std::size_t i = 0; i < std::min(report->chains.size(), kChains); ++i) {
        auto chain = std::make_shared<const market::Chain>(std::move(report->chains[i]));
        if (chain->size() > kContracts) continue;
        const auto options = service::pricing_options(request, chain->symbol);
        const auto priced = market::price_chain(std::move(chain), options);
        if (!priced_chain_is_sound(priced) || !scan_is_sound(priced, request)) return false;
    }
    return true;
}

}  // namespace scanmq::tests
