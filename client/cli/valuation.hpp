#pragma once
// Value, Greeks and implied volatility of one option of the command line.
//
// European: Black-Scholes-Merton on the spot less the present value of the cash dividends before
//           the expiry (escrowed), or Black (1976) on a forward.
// American: the accurate scheme of scanner/pricing/american.hpp; with cash dividends that of
//           cash_dividends.hpp.
// Forward:  delta and gamma are to the forward, and rate moves leave it where it is.
// Units:    as scanner/pricing/black.hpp; a day's theta is the value after min(1 day, T) less the
//           value now, with spot, rate and volatility held; a dividend of that day leaves the spot.
// Threads:  pure functions.

#include "client/cli/option_input.hpp"
#include "scanner/pricing/black.hpp"
#include "scanner/pricing/implied_volatility.hpp"

namespace scanmq::cli {

struct Valuation {
    pricing::Greeks raw;
    double theta_day{};
    double vega_point{};
    double rho_point{};
};

// Why an option cannot be valued, empty when it can: dividends that are worth the whole spot.
[[nodiscard]] std::string valuation_problem(const OptionInput& option);

// Precondition: no valuation_problem(); a volatility.
[[nodiscard]] Valuation value_option(const OptionInput& option);

// Of option.price. Precondition: no valuation_problem(); a price.
[[nodiscard]] pricing::IvResult imply_volatility(const OptionInput& option);

}  // namespace scanmq::cli
