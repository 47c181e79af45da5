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
    {"strike", &SpreadLeg::strike},   {"bid", &SpreadLeg::bid},   {"ask", &SpreadLeg::ask},
    {"last", &SpreadLeg::last},       {"fill", &SpreadLeg::fill}, {"iv", &SpreadLeg::iv},
    {"p_touch", &SpreadLeg::p_touch},
};
inline constexpr Field<SpreadLeg, std::uint32_t> kLegCounts[] = {
    {"volume", &SpreadLeg::volume},
    {"open_interest", &SpreadLeg::open_interest},
};
inline constexpr Field<Spread, double> kSpreadNumbers[] = {
    {"stock_price", &Spread::stock_price},
    {"net_price", &Spread::net_price},
    {"fees", &Spread::fees},
    {"width", &Spread::width},
    {"back_dte", &Spread::back_dte},
    {"max_profit", &Spread::max_profit},
    {"max_loss", &Spread::max_loss},
    {"gain", &Spread::gain},
    {"risk", &Spread::risk},
    {"pop", &Spread::pop},
    {"ev", &Spread::ev},
    {"p_half_at_expiry", &Spread::p_half_at_expiry},
    {"p_max_loss", &Spread::p_max_loss},
    {"return_on_risk", &Spread::return_on_risk},
    {"return_per_day", &Spread::return_per_day},
    {"annual_return", &Spread::annual_return},
    {"kelly", &Spread::kelly},
    {"margin", &Spread::margin},
    {"buying_power", &Spread::buying_power},
    {"breakeven_distance", &Spread::breakeven_distance},
    {"move_1sd", &Spread::move_1sd},
    {"move_straddle", &Spread::move_straddle},
    {"skew", &Spread::skew},
    {"term_slope", &Spread::term_slope},
    {"iv_edge", &Spread::iv_edge},
    {"iv_hv", &Spread::iv_hv},
    {"iv_rank", &Spread::iv_rank},
    {"iv_percentile", &Spread::iv_percentile},
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
    {"no_value", &Counts::no_value},
    {"unscored", &Counts::unscored},
    {"ranked", &Counts::ranked},
    {"pruned", &Counts::pruned},
    {"lanes_without_stock", &Counts::lanes_without_stock},
};
inline constexpr Field<FilterCount, std::uint64_t> kFilterCounts[] = {
    {"evaluated", &FilterCount::evaluated},
    {"removed", &FilterCount::removed},
    {"missing", &FilterCount::missing},
    {"pruned", &FilterCount::pruned},
};

}  // namespace scanmq::service
