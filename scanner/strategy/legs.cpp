#include "scanner/strategy/legs.hpp"

#include <algorithm>

#include "scanner/pricing/black.hpp"

namespace scanmq::strategy {

double day_theta(const market::ExpiryMarket& expiry, double strike, Right right, double volatility,
                 double value) noexcept {
    constexpr double kDay = 1.0 / 365.0;
    if (!(volatility > 0.0)) return market::kMissing;
    if (expiry.years <= kDay) {
        const double intrinsic = right == Right::call ? expiry.spot - strike : strike - expiry.spot;
        return std::max(intrinsic, 0.0) - value;
    }
    const pricing::BsmInputs tomorrow{.spot = expiry.spot,
                                      .strike = strike,
                                      .rate = expiry.rate,
                                      .yield = 0.0,
                                      .years = expiry.years - kDay,
                                      .volatility = volatility};
    return pricing::bsm_price(tomorrow, right) - value;
}

}  // namespace scanmq::strategy
