#pragma once
// Chains of far more strikes than any exchange lists: what limits are for.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>
#include <vector>

#include "scanner/market/calendar.hpp"
#include "scanner/market/chain_builder.hpp"
#include "scanner/pricing/black.hpp"

namespace scanmq::testing {

struct DenseExpiry {
    market::YearMonthDay date{};
    std::size_t strikes{};
    bool puts{true};
};

// Strikes evenly from half to one and a half times the spot of 100; quotes of a cent around the larger of European
// and intrinsic value at 4.5 % and a volatility of 25 %. Quoted on 2024-06-10.
inline std::shared_ptr<const market::Chain> dense_chain(market::ExerciseStyle style,
                                                        const std::vector<DenseExpiry>& expiries) {
    using namespace market;
    constexpr double kSpot = 100.0;
    constexpr double kRate = 0.045;
    Chain head;
    head.symbol = "DENSE";
    head.source = "made";
    head.as_of = new_york_moment(20240610, 15 * 60);
    head.as_of_date = 20240610;
    head.spot = kSpot;
    head.style = style;
    ChainBuilder builder;
    for (const DenseExpiry& e : expiries) {
        const auto index = builder.expiry("DENSE", e.date, Settlement::pm);
        const double years = static_cast<double>(new_york_moment(e.date, 16 * 60) - head.as_of) /
                             365.0 / static_cast<double>(kMillisPerDay);
        for (std::size_t i = 0; i < e.strikes; ++i) {
            const double strike =
                kSpot * (0.5 + static_cast<double>(i) / static_cast<double>(e.strikes));
            for (const Right right : {Right::call, Right::put}) {
                if (right == Right::put && !e.puts) continue;
                const double inside = right == Right::call ? kSpot - strike : strike - kSpot;
                const double value = std::max(
                    inside, pricing::bsm_price({kSpot, strike, kRate, 0.0, years, 0.25}, right));
                ChainBuilder::Row row;
                row.strike = strike;
                row.right = right;
                row.bid = std::max(0.0, value - 0.01);
                row.ask = value + 0.01;
                row.expiry = index;
                builder.add(row);
            }
        }
    }
    std::uint64_t duplicates = 0;
    return std::make_shared<const Chain>(builder.finish(std::move(head), duplicates));
}

}  // namespace scanmq::testing
