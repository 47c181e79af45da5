#pragma once
// What a contract's root says: its underlying's symbol, settlement and exercise style.
//
// Source: contracts.hpp. Roots not listed there are PM-settled American contracts on a symbol of their
//         own name (equities and ETFs), unless the table says otherwise.

#include <optional>
#include <string_view>

#include "scanner/market/chain.hpp"
#include "scanner/market/contracts.hpp"

namespace scanmq::market {

struct RootTerms {
    std::string_view
        symbol;  // the root itself when it is not listed; borrowed from it or the table
    Settlement settlement{Settlement::pm};
    ExerciseStyle style{ExerciseStyle::american};
    std::uint32_t multiplier{100};
};

[[nodiscard]] RootTerms root_terms(std::string_view root,
                                   const ContractTable& table = ContractTable::shipped()) noexcept;

// An OCC series symbol taken apart: root (1-6 characters, trailing blanks dropped), YYMMDD, C or P,
// strike in thousandths (8 digits). The root is a view into the text.
struct OccSymbol {
    std::string_view root;
    YearMonthDay date{};  // as written: some vendors keep the Saturday after a monthly expiry
    Right right{};
    double strike{};
};
[[nodiscard]] std::optional<OccSymbol> parse_occ_symbol(std::string_view text) noexcept;

// A digit at the end of the root marks a contract adjusted for a corporate action: its deliverable
// is not 100 shares, so its quotes say nothing about the plain series.
[[nodiscard]] bool is_adjusted_root(std::string_view root) noexcept;

// Sets moment and last_trade from date and settlement: AM-settled series settle at 09:30 and last
// trade at the previous session's close, PM-settled ones do both at that day's close, early closes
// included. A date without a session (a Saturday, a closing that came later) stands for the session
// before it.
void set_settlement_moments(Expiry& expiry) noexcept;

}  // namespace scanmq::market
