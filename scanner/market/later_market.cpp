#include "scanner/market/later_market.hpp"

#include "scanner/market/early_exercise.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

pricing::CurveMarket later_market(const PricedChain& priced, std::uint32_t nearer,
                                  std::uint32_t later) {
    const ExpiryMarket& from = priced.expiries[nearer];
    const ExpiryMarket& to = priced.expiries[later];
    pricing::CurveMarket out;
    out.years = to.years - from.years;
    const double discount = to.discount / from.discount;
    out.paid_out = from.forward - to.forward * discount;
    if (!(out.years > 0.0)) return out;  // settled at the same moment: nothing is left
    out.rate = -portable::log(discount) / out.years;
    for (const pricing::CashDividend& one : priced.dividends) {
        const double years = one.years - from.years;
        if (years > 0.0 && years <= out.years) out.dividends.push_back({years, one.amount});
    }
    const double spot = from.forward - present_value(out.dividends, out.rate, out.years);
    if (!(spot > 0.0)) {  // dividends that no forward knows of
        out.dividends.clear();
        out.yield = -portable::log1p(-out.paid_out / from.forward) / out.years;
        return out;
    }
    out.paid_out = spot - to.forward * discount;
    out.yield = -portable::log1p(-out.paid_out / spot) / out.years;
    return out;
}

}  // namespace scanmq::market
