#pragma once
// Margin: what a broker asks for to open a spread, as Reg T strategy-based margin does it.
//
// Rules:    defined risk: the most it can lose. A short option that no long one of its right covers is
//           naked: put max(20 % S - OTM, 10 % K) + premium, call max(20 % S - OTM, 10 % S) + premium;
//           15 % for a broad index or an ETF on one, times the leverage of a leveraged ETF. Naked on
//           both sides: the larger side plus the other's premium. Cash-secured: K - premium. Ratio
//           spreads and lizards: pairs first, what is left is naked. A long option covers a short one
//           only if it does not expire before it.
// Units:    per share of the underlying.
// Threads:  pure functions.
// Source:   Cboe margin manual (2021), strategy-based margin.

#include <span>
#include <string_view>

#include "scanner/market/contracts.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::strategy {

// What the underlying is to a margin rule.
struct MarginRate {
    double share{0.20};  // of the underlying's value, leverage inside
    double floor{0.10};  // of strike (put) or underlying (call), leverage inside
};
[[nodiscard]] MarginRate margin_rate(const market::RootSpec& spec) noexcept;
// As the table says of the option's root.
[[nodiscard]] MarginRate margin_rate(
    std::string_view root,
    const market::ContractTable& table = market::ContractTable::shipped()) noexcept;

struct MarginLeg {
    Right right{};
    Side side{};
    double ratio{1.0};
    double strike{};
    double price{};  // of one contract, >= 0
    int expiry{};    // rank
};

struct Margin {
    double requirement{};   // with the premium that comes in
    double buying_power{};  // what it takes from the account: requirement less that premium
};

struct MarginInput {
    std::span<const MarginLeg> legs;  // at most kMaxLegs
    double max_loss{};  // of the whole spread, positive, fees inside; infinite where unbounded
    double fees{};
    double spot{};
    MarginRate rate;
    double shares{};  // held for each share of a contract; they cover sold calls
    bool cash_secured{};
};
[[nodiscard]] Margin margin(const MarginInput& spread) noexcept;

}  // namespace scanmq::strategy
