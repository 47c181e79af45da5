#pragma once
// The fields of a result by the names they have in documents: encoder and decoder read the same
// tables.

#include <cstdint>

#include "scanner/service/result.hpp"

namespace scanmq::service {

template <class Struct, class Value>
struct Field {
    const char* key;
    Value Struct::*member;
};

inline constexpr Field<ShownGreeks, double> kGreeks[] = {
    {"delta", &ShownGreeks::delta},         {"gamma", &ShownGreeks::gamma},
    {"theta_day", &ShownGreeks::theta_day}, {"vega_point", &ShownGreeks::vega_point},
    {"rho_point", &ShownGreeks::rho_point},
};
inline constexpr Field<SpreadLeg, double> kLegNumbers[] = {
    {"strike", &SpreadLeg::strike}, {"bid", &SpreadLeg::bid},   {"ask", &SpreadLeg::ask},
    {"last", &SpreadLeg::last},     {"fill", &SpreadLeg::fill}, {"iv", &SpreadLeg::iv},
};
inline constexpr Field<SpreadLeg, std::uint32_t> kLegCounts[] = {
    {"volume", &SpreadLeg::volume},
    {"open_interest", &SpreadLeg::open_interest},
};
inline constexpr Field<Spread, double> kSpreadNumbers[] = {
    {"net_price", &Spread::net_price},
    {"fees", &Spread::fees},
    {"width", &Spread::width},
    {"max_profit", &Spread::max_profit},
    {"max_loss", &Spread::max_loss},
    {"pop", &Spread::pop},
    {"ev", &Spread::ev},
    {"score", &Spread::score},
};
inline constexpr Field<Counts, std::uint64_t> kCounts[] = {
    {"contracts", &Counts::contracts},
    {"contracts_not_tradable", &Counts::contracts_not_tradable},
    {"contracts_unpriced", &Counts::contracts_unpriced},
    {"legs", &Counts::legs},
    {"legs_unquoted", &Counts::legs_unquoted},
    {"legs_crossed", &Counts::legs_crossed},
    {"candidates", &Counts::candidates},
    {"arbitrage_quote", &Counts::arbitrage_quote},
    {"no_risk", &Counts::no_risk},
    {"no_profit", &Counts::no_profit},
    {"unscored", &Counts::unscored},
    {"ranked", &Counts::ranked},
};
inline constexpr Field<FilterCount, std::uint64_t> kFilterCounts[] = {
    {"evaluated", &FilterCount::evaluated},
    {"removed", &FilterCount::removed},
    {"missing", &FilterCount::missing},
};

}  // namespace scanmq::service
