#pragma once
// What the readers of market data promise for any bytes: they never crash, a refusal has a message,
// and every chain they accept is whole and has a stored form that reads back to the same bytes.
//
// Bytes that begin with "#map" and three bytes of choices are a CSV read by a column mapping; all others
// are what read_chain_text makes of them. The name stands in for the symbol and day that some formats lack.

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "scanner/market/reader.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::tests {

inline constexpr std::string_view kMappingMark = "#map";
inline constexpr std::size_t kMappingChoices = 3;

// A mapping whose columns are called as its fields are, with what the bits of three bytes choose.
inline market::ColumnMapping fuzz_mapping(std::string_view choices) {
    const auto bit = [&](std::size_t i) { return ((choices[i / 8] >> (i % 8)) & 1) != 0; };
    market::ColumnMapping mapping;
    for (std::size_t i = 0; i < market::kFields; ++i) mapping.names[i] = market::kFieldNames[i];
    mapping.greeks_optional = bit(0);
    mapping.iv_in_percent = bit(1);
    mapping.theta_per_day = bit(2);
    mapping.vega_per_point = bit(3);
    mapping.rho_per_point = bit(4);
    mapping.delimiter = bit(5) ? (bit(6) ? '\t' : ';') : ',';
    if (bit(7)) mapping.missing = {"NaN", "-"};
    if (bit(8)) mapping.date_order = market::DateOrder::day_first;
    mapping.quoted_as = static_cast<market::QuotedAs>((bit(9) ? 1 : 0) + (bit(10) ? 2 : 0));
    if (bit(11)) mapping.style = market::ExerciseStyle::european;
    if (bit(12)) mapping.settlement = market::Settlement::am;
    mapping.old_option_symbols = bit(13);
    if (bit(14)) mapping.spot = 100;
    // Only a few columns, as the smallest files have.
    if (bit(15)) {
        for (std::size_t i = 0; i < market::kFields; ++i) {
            const auto field = static_cast<market::Field>(i);
            const bool needed = field == market::Field::expiry || field == market::Field::strike ||
                                field == market::Field::right || field == market::Field::bid ||
                                field == market::Field::ask;
            if (!needed) mapping.names[i].clear();
        }
    }
    if (bit(16)) mapping.name(market::Field::option_symbol).clear();
    if (bit(17)) mapping.name(market::Field::symbol).clear();
    if (bit(18)) mapping.name(market::Field::date).clear();
    if (bit(19)) mapping.name(market::Field::quoted).clear();
    if (bit(20)) mapping.name(market::Field::root).clear();
    if (bit(21)) mapping.as_of = 1718049600000;
    return mapping;
}

inline bool chain_is_whole(const market::Chain& chain) {
    const auto fits = [&](std::size_t size) { return size == 0 || size == chain.size(); };
    for (const double spot : {chain.spot, chain.vendor_rate}) {
        if (std::isinf(spot)) return false;
    }
    for (const auto* greek :
         {&chain.vendor.gamma, &chain.vendor.theta, &chain.vendor.vega, &chain.vendor.rho}) {
        if (!fits(greek->size())) return false;
        for (const double value : *greek) {
            if (std::isinf(value)) return false;
        }
    }
    if (chain.size() == 0 || !fits(chain.quoted.size())) return false;
    const std::string stored = market::encode_snapshot(chain);
    auto again = market::decode_snapshot(stored);
    return again.ok() && market::encode_snapshot(*again) == stored;
}

inline bool chains_keep_promises_with(ByteView bytes, const market::ReadOptions& options) {
    auto report = market::read_chain_text(bytes, "fuzz_2024-06-10", options);
    if (!report.ok()) return !report.error().message.empty();
    const bool stored = bytes.substr(0, market::kSnapshotMagic.size()) == market::kSnapshotMagic;
    for (const market::Chain& chain : report->chains) {
        // A snapshot may hold an empty chain; a reader of text gives none.
        if (!(stored && chain.size() == 0) && !chain_is_whole(chain)) return false;
    }
    return true;
}

inline bool chains_keep_promises(ByteView bytes) {
    market::ReadOptions options;
    market::ColumnMapping mapping;
    if (bytes.substr(0, kMappingMark.size()) == kMappingMark &&
        bytes.size() >= kMappingMark.size() + kMappingChoices) {
        mapping = fuzz_mapping(bytes.substr(kMappingMark.size(), kMappingChoices));
        bytes.remove_prefix(kMappingMark.size() + kMappingChoices);
        options.columns = &mapping;
    }
    return chains_keep_promises_with(bytes, options);
}

}  // namespace scanmq::tests
