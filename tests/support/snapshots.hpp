#pragma once
// Snapshots for tests: small chains, priced by a formula, encoded.

#include <algorithm>
#include <string>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/snapshot.hpp"
#include "scanner/pricing/black.hpp"

namespace scanmq::testing {

// One expiry, 30 days out, European, priced at one volatility, quoted a nickel wide.
inline std::string snapshot_of(const std::string& symbol, double forward) {
    constexpr double kYears = 30.0 / 365.0;
    market::ChainBuilder builder;
    const std::uint16_t expiry = builder.expiry(symbol, 20240119, market::Settlement::pm);
    for (double strike = forward - 50; strike <= forward + 50; strike += 5) {
        for (const auto right : {market::Right::call, market::Right::put}) {
            const double mid = pricing::black_price({forward, strike, 0.2, kYears, 1.0}, right);
            market::ChainBuilder::Row row;
            row.strike = strike;
            row.bid = std::max(0.0, mid - 0.025);
            row.ask = mid + 0.025;
            row.volume = 100;
            row.open_interest = 1000;
            row.expiry = expiry;
            row.right = right;
            builder.add(row);
        }
    }
    market::Chain head;
    head.symbol = symbol;
    head.source = "test";
    head.as_of_date = 20231220;
    head.as_of = market::new_york_moment(head.as_of_date, market::kCloseMinute);
    std::uint64_t duplicates = 0;
    return market::encode_snapshot(builder.finish(std::move(head), duplicates));
}

}  // namespace scanmq::testing
