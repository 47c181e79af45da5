// What filters there are, with their parameters: the table that help texts, schemas and compile() read.

#include "scanner/filter/filter.hpp"

namespace scanmq::filter {
namespace {

constexpr std::string_view kSettlements[] = {"am", "pm"};
constexpr std::string_view kUnknown[] = {"reject", "pass"};

constexpr ParamInfo kMin{"min", ParamKind::number, "smallest value that passes"};
constexpr ParamInfo kMax{"max", ParamKind::number, "largest value that passes"};
constexpr ParamInfo kScopeAll{"legs", ParamKind::leg_scope, "short, long or all (default)"};
constexpr ParamInfo kRange[] = {kMin, kMax};
constexpr ParamInfo kLegRange[] = {kMin, kMax, kScopeAll};
constexpr ParamInfo kDelta[] = {
    kMin,
    kMax,
    {"absolute", ParamKind::flag, "compare |delta|; default: true unless a bound is negative"},
    {"legs", ParamKind::leg_scope, "short (default), long or all"},
};
constexpr ParamInfo kLiquidity[] = {
    {"min_volume", ParamKind::number, "contracts traded today"},
    {"min_open_interest", ParamKind::number, "contracts open"},
    {"min_volume_oi", ParamKind::number, "volume over open interest"},
    {"max_spread", ParamKind::number, "ask less bid, per share"},
    {"max_spread_ratio", ParamKind::number, "ask less bid over mid, as a decimal"},
    {"min_bid", ParamKind::number, "bid per share"},
    kScopeAll,
};
constexpr ParamInfo kQuote[] = {
    {"locked", ParamKind::flag, "may bid and ask be equal? default true"},
    {"zero_bid", ParamKind::flag, "may a bought leg have no bid? default true"},
    {"arbitrage", ParamKind::flag, "may the mid be outside the no-arbitrage bounds? default true"},
    kScopeAll,
};
constexpr ParamInfo kEvent[] = {
    {"before_expiry", ParamKind::flag, "false: none before the expiry; true: one"},
    {"unknown", ParamKind::choice, "reject (default) or pass, where nothing says", kUnknown},
};
constexpr ParamInfo kSettlement[] = {
    {"at", ParamKind::choice, "am or pm", kSettlements},
};
constexpr ParamInfo kQuoteAge[] = {
    {"max", ParamKind::number, "seconds since the leg was quoted"},
    kScopeAll,
};
constexpr ParamInfo kFromMoney[] = {
    {"max", ParamKind::number, "listed strikes between the leg and the forward"},
    kScopeAll,
};
constexpr ParamInfo kUpTo[] = {{"max", ParamKind::number, "largest value that passes"}};

constexpr FilterInfo kCatalogue[] = {
    {"annual_return", "maximum profit over risk per calendar day, times 365", kRange},
    {"back_dte", "calendar days to the later expiry of a calendar or diagonal", kRange},
    {"breakeven_distance", "from spot to the nearest breakeven, as a share of spot", kRange},
    {"credit_width", "credit over the larger wing", kRange},
    {"delta", "delta of each leg at its own implied volatility", kDelta},
    {"delta_neutral", "magnitude of the net delta", kUpTo},
    {"dte", "calendar days to the nearer expiry", kRange},
    {"earnings", "earnings before the nearer expiry", kEvent},
    {"ev", "expected value, per share", kRange},
    {"ev_risk", "expected value over risk", kRange},
    {"ex_dividend", "an ex-dividend date before the nearer expiry", kEvent},
    {"iv", "implied volatility of each leg, as a decimal", kLegRange},
    {"iv_edge", "mean implied volatility of the short legs less that of the long ones", kRange},
    {"iv_hv", "implied volatility of each leg less the realised one", kLegRange},
    {"iv_percentile", "of the symbol, 0 to 1; needs a history", kRange},
    {"iv_rank", "of the symbol, 0 to 1; needs a history", kRange},
    {"liquidity", "size and quote quality of each leg", kLiquidity},
    {"margin", "buying-power effect, per share", kRange},
    {"margin_efficiency", "maximum profit over margin requirement", kRange},
    {"max_risk", "maximum loss, or margin where the loss is unbounded, per share", kRange},
    {"moneyness", "strike over forward of each leg", kLegRange},
    {"net_delta", "net delta of the spread", kRange},
    {"net_gamma", "net gamma of the spread", kRange},
    {"net_price", "debit (positive) or credit (negative), per share", kRange},
    {"p_half_at_expiry", "probability of half of the maximum profit at expiry", kRange},
    {"p_max_loss", "probability of the maximum loss at expiry", kRange},
    {"p_touch", "probability that the likeliest short strike is touched", kRange},
    {"pop", "probability of profit, 0 to 1", kRange},
    {"quote", "what a leg's quote may look like", kQuote},
    {"quote_age", "age of each leg's quote", kQuoteAge},
    {"quote_skew", "seconds between the oldest and the newest quote of the legs", kUpTo},
    {"return_per_day", "maximum profit over risk per calendar day", kRange},
    {"rho", "net rho of the spread per point of rate, per share", kRange},
    {"risk_reward", "maximum profit over maximum loss", kRange},
    {"settlement", "when the expiry settles", kSettlement},
    {"strikes", "how many listed strikes a leg may be from the money", kFromMoney},
    {"theta", "net theta of the spread over one day, per share", kRange},
    {"vega", "net vega of the spread per point of volatility, per share", kRange},
    {"width", "width of each wing", kRange},
};

}  // namespace

std::span<const FilterInfo> catalogue() noexcept { return kCatalogue; }

}  // namespace scanmq::filter
