#pragma once
// The picture of one spread: what it makes at its (nearer) expiry and today, over the underlying.
//
// Model:   a leg is worth Black (1976) at its own implied volatility (the smile's at its strike where
//          the quote has none), whatever the underlying does. With the underlying at S its forward is
//          (S - d)/D, D the discount until its expiry and d what the forwards say is paid out until
//          then: the engine's own model of two expiries. An American leg is American then and today,
//          with the chain's known dividends and, as a yield, what else its forwards say is paid. At its
//          expiry a leg is worth its intrinsic value.
// Units:   profit per share, fees of opening taken off.
// Threads: pure functions.

#include <cstdint>

#include "client/cli/svg.hpp"
#include "common/base/result.hpp"
#include "scanner/market/priced_chain.hpp"
#include "scanner/service/result.hpp"

namespace scanmq::cli {

// Whether the chain has every leg's expiry, and it is as far away as the spread says.
[[nodiscard]] bool holds(const market::PricedChain& priced, const service::Spread& spread);

enum class Moment : std::uint8_t { today, nearer_expiry };

// Profit of the spread with the underlying at `spot` then. Precondition: holds().
[[nodiscard]] double profit_at(const market::PricedChain& priced, const service::Spread& spread,
                               double spot, Moment moment);

// Profit at the nearer expiry and today, strikes, breakevens, spot, and where it pays with its
// probability. Precondition: holds().
[[nodiscard]] Chart payoff_chart(const market::PricedChain& priced, const service::Spread& spread);

}  // namespace scanmq::cli
