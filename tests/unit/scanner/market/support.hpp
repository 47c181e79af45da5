#pragma once
// What the market tests share: small chains to work on.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/market/priced_chain.hpp"
#include "tests/support/vendor_files.hpp"

namespace scanmq::market::testing {

// Two expiries, three strikes each, one put without a bid, values of every kind.
inline Chain small_chain() {
    Chain head;
    head.symbol = "XYZ";
    head.source = "test";
    head.as_of = new_york_moment(20240610, 15 * 60);
    head.as_of_date = 20240610;
    head.spot = 100.25;
    head.style = ExerciseStyle::american;
    ChainBuilder builder;
    for (const YearMonthDay date : {20240621, 20240614}) {
        for (const double strike : {105.0, 95.0, 100.0}) {
            for (const auto right : {Right::put, Right::call}) {
                ChainBuilder::Row row;
                row.strike = strike;
                row.right = right;
                row.bid = right == Right::put && strike == 95.0 ? 0.0 : 1.25;
                row.ask = 1.40;
                row.last = right == Right::call ? 1.3 : kMissing;
                row.vendor_iv = strike == 100.0 ? 0.21 : kMissing;
                row.vendor_delta = right == Right::call ? 0.5 : -0.5;
                row.volume = 7;
                row.expiry = builder.expiry("XYZ", date, Settlement::pm);
                builder.add(row);
            }
        }
    }
    std::uint64_t duplicates = 0;
    return builder.finish(std::move(head), duplicates);
}

// When the chains below were quoted.
inline WallMillis model_chain_moment() { return new_york_moment(20240610, 15 * 60); }

// A chain of XYZ whose quotes are a model's values plus and minus half a spread, strikes 70 to 130.
// value(date, strike, right): NaN where there is no such contract.
template <class Value>
Chain model_chain(ExerciseStyle style, double header_spot, const std::vector<YearMonthDay>& dates,
                  double half_spread, const Value& value) {
    Chain head;
    head.symbol = "XYZ";
    head.source = "test";
    head.as_of = model_chain_moment();
    head.as_of_date = 20240610;
    head.spot = header_spot;
    head.style = style;
    ChainBuilder builder;
    for (const auto date : dates) {
        for (double strike = 70.0; strike <= 130.0; strike += 2.5) {
            for (const auto right : {Right::call, Right::put}) {
                const double worth = value(date, strike, right);
                if (std::isnan(worth)) continue;
                ChainBuilder::Row row;
                row.strike = strike;
                row.right = right;
                row.bid = std::max(0.0, worth - half_spread);
                row.ask = row.bid + 2 * half_spread;
                row.expiry = builder.expiry("XYZ", date, Settlement::pm);
                builder.add(row);
            }
        }
    }
    std::uint64_t duplicates = 0;
    return builder.finish(std::move(head), duplicates);
}

inline PricedChain price(Chain chain, const PricingOptions& options = {}) {
    return price_chain(std::make_shared<const Chain>(std::move(chain)), options);
}

inline double quantile(std::vector<double> values, double q) {
    EXPECT_FALSE(values.empty());
    if (values.empty()) return HUGE_VAL;
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

}  // namespace scanmq::market::testing
