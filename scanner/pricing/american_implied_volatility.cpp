#include "scanner/pricing/american_implied_volatility.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "common/base/assert.hpp"
#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/portable_math.hpp"

// Each round prices all rows that are still open at once, so that vector lanes stay full, and then
// moves each of them. Steps are secants in a function of V - least, the least being the value at no
// volatility, that is nearly straight in the volatility: its square root where the least is that of
// exercise now, which V leaves like a parabola, and its logarithm elsewhere.
//
// Prices with cash dividends are dear (finite differences), those without cheap. What the dividends
// change hardly depends on the volatility: less that, the price is one without dividends, whose
// volatility is nearly what is looked for. Steps are then secants in the distance to it.

namespace scanmq::pricing {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTolerance = 1e-9;       // of the price less the least
constexpr double kSpotTolerance = 1e-12;  // of the spot: what prices are rounded to
constexpr double kCashTolerance = 9e-10;  // the same with cash dividends
constexpr int kDistanceRounds = 3;
constexpr double kExerciseTolerance = 1e-12;  // of the spot

struct Market {
    BsmExpiry common;
    std::span<const CashDividend> dividends;
    double on_x{};  // the spot less what is paid
    bool has_dividends{};
};

struct Search {
    std::size_t row{};
    double price{};
    double strike{};
    Right right{};
    double least{};    // the value at no volatility
    bool exercised{};  // and that is exercise now
    double low = 0.0;
    double high = kInfinity;  // until a price above is known
    double at{};              // the volatility to price next
    double last_at = kNaN;
    double last_height{};
    double last_value{};
    double slope{};      // of the height, where there is no last point yet
    bool by_distance{};  // the last height was a distance of volatilities
    // Three rounds ago: the bracket's width and the error.
    double width_before = kInfinity;
    double error_before = kInfinity;
    int rounds = 0;
    bool open = true;
    double volatility = kNaN;
    IvStatus status{};

    [[nodiscard]] double height(double value) const noexcept {
        const double over = value - least;
        return exercised ? std::sqrt(std::max(over, 0.0)) : portable::log(std::max(over, 1e-300));
    }
    void close(double found, IvStatus as) noexcept {
        open = false;
        volatility = found;
        status = as;
    }
};

// What the price alone decides; else the first volatility to try.
Search start(const Market& market, double price, double strike, Right right) noexcept {
    Search out;
    out.price = price;
    out.strike = strike;
    out.right = right;
    const BsmExpiry& common = market.common;
    if (!(common.years > 0.0)) {
        out.close(kNaN, IvStatus::expired);
        return out;
    }
    BsmInputs in = contract_of(common, strike, 0.0, right).in;
    const double least = american_price(in, market.dividends, right);
    if (!detail::is_finite(least)) {
        out.close(kNaN, IvStatus::no_forward);
        return out;
    }
    if (std::isnan(price)) {
        out.close(kNaN, IvStatus::no_bid);
        return out;
    }
    const bool is_call = right == Right::call;
    const double exercise = is_call ? common.spot - strike : strike - common.spot;
    const double rounding = kExerciseTolerance * (common.spot + strike);
    out.least = least;
    out.exercised = exercise > 0.0 && least <= exercise + rounding;
    if (price < least - rounding) {
        out.close(kNaN, IvStatus::below_intrinsic);
        return out;
    }
    if (price <= least + rounding) {
        out.close(out.exercised ? kNaN : 0.0,
                  out.exercised ? IvStatus::at_exercise_boundary : IvStatus::ok);
        return out;
    }
    const double most =
        is_call ? common.spot * std::max(1.0, portable::exp(-common.yield * common.years))
                : strike * std::max(1.0, portable::exp(-common.rate * common.years));
    if (price >= most) {
        out.close(kNaN, IvStatus::above_max);
        return out;
    }
    // The European value is no higher, so its volatility is no lower.
    const double forward = market.on_x * portable::exp((common.rate - common.yield) * common.years);
    const double discount = portable::exp(-common.rate * common.years);
    const IvResult european =
        implied_volatility(price, forward, strike, common.years, discount, right);
    if (european.status == IvStatus::ok && european.volatility < kAmericanIvMax) {
        out.at = std::max(european.volatility, 1e-4);
        in.spot = market.on_x;
        in.volatility = out.at;
        const double vega = bsm_greeks(in, right).vega;
        out.slope = out.exercised ? 0.5 * vega / out.height(price) : vega / (price - least);
    } else {
        out.at = 1.0;
    }
    return out;
}

// After the price at search.at is known: done, or the next volatility. nearby: that of the price less
// what the dividends change, NaN where there is none or it is not looked for any more.
void move(Search& search, double rounding, double value, double nearby) noexcept {
    ++search.rounds;
    const double at = search.at;
    const double error = value - search.price;
    if (std::fabs(error) <= kTolerance * (search.price - search.least) + rounding) {
        search.close(at, IvStatus::ok);
        return;
    }
    if (std::isnan(value)) {
        search.close(kNaN, IvStatus::no_forward);
        return;
    }
    (error > 0.0 ? search.high : search.low) = at;
    if (search.low >= kAmericanIvMax) {
        search.close(kNaN, IvStatus::above_max);
        return;
    }
    const bool bounded = search.high < kInfinity;
    const double width = search.high - search.low;
    if (bounded && (width <= 1e-12 * search.high || search.rounds >= kAmericanIvStepsMax)) {
        search.close(0.5 * (search.low + search.high), IvStatus::ok);
        return;
    }
    if (search.rounds >= kAmericanIvStepsMax) {  // no volatility tried has a price that high
        search.close(kNaN, IvStatus::above_max);
        return;
    }
    const bool by_distance = !std::isnan(nearby);
    const double height = by_distance ? at - nearby : search.height(value);
    const double target = by_distance ? 0.0 : search.height(search.price);
    double slope = by_distance ? 1.0 : search.slope;
    if (search.by_distance && !by_distance) search.last_height = search.height(search.last_value);
    if (!search.by_distance && by_distance) search.last_at = kNaN;
    search.by_distance = by_distance;
    if (!std::isnan(search.last_at)) slope = (height - search.last_height) / (at - search.last_at);
    double next = at - (height - target) / slope;
    const bool inside = next > search.low && next < search.high && next < 4.0 * at;
    // A secant in the distance leaves less than a fiftieth of an error that small, if that is little
    // of what the volatility gives, too: nearer to exercise the price is no line.
    const double small = std::min(50.0 * rounding, 0.01 * (search.price - search.least));
    const bool last = std::fabs(error) <= small && inside;
    if (by_distance && !std::isnan(search.last_at) && last) {
        search.close(next, IvStatus::ok);
        return;
    }
    // Flat where exercise is due, and where nothing is left: no line to follow.
    const bool flat = value <= search.least;
    search.last_at = flat ? kNaN : at;
    search.last_height = height;
    search.last_value = value;
    if (!by_distance) search.slope = slope;
    // Three rounds must have halved the bracket or taken the error to a tenth.
    bool slow = false;
    if (search.rounds % 3 == 0) {
        slow = bounded && width > 0.5 * search.width_before &&
               std::fabs(error) > 0.1 * search.error_before;
        search.width_before = width;
        search.error_before = std::fabs(error);
    }
    if (flat || slow || !inside) {
        next = bounded ? 0.5 * (search.low + search.high) : std::min(2.0 * at, kAmericanIvMax);
    }
    search.at = next;
}

// The volatilities, without dividends, of prices of that market.
std::vector<double> without_dividends(const Market& market, std::span<const double> price,
                                      std::span<const double> strike,
                                      std::span<const Right> right) {
    BsmExpiry common = market.common;
    common.spot = market.on_x;
    std::vector<IvResult> found(price.size());
    american_implied_volatility(common, price, strike, right, found);
    std::vector<double> out(price.size(), kNaN);
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (found[i].status == IvStatus::ok) out[i] = found[i].volatility;
    }
    return out;
}

// Where prices are dear: from the volatility that the price has without dividends.
void start_nearby(const Market& market, std::vector<Search>& searches) {
    std::vector<double> price;
    std::vector<double> strike;
    std::vector<Right> right;
    for (const Search& search : searches) {
        price.push_back(search.price);
        strike.push_back(search.strike);
        right.push_back(search.right);
    }
    const std::vector<double> nearby = without_dividends(market, price, strike, right);
    for (std::size_t i = 0; i < nearby.size(); ++i) {
        if (nearby[i] > 0.0) searches[i].at = nearby[i];
    }
}

void solve(const Market& market, std::vector<Search>& searches, AmericanScheme scheme) {
    std::vector<double> strike;
    std::vector<double> volatility;
    std::vector<Right> right;
    std::vector<double> prices;
    std::vector<double> nearby;
    std::vector<std::size_t> open;
    const double rounding =
        market.common.spot * (market.has_dividends ? kCashTolerance : kSpotTolerance);
    for (;;) {
        strike.clear();
        volatility.clear();
        right.clear();
        open.clear();
        for (std::size_t i = 0; i < searches.size(); ++i) {
            if (!searches[i].open) continue;
            open.push_back(i);
            strike.push_back(searches[i].strike);
            volatility.push_back(searches[i].at);
            right.push_back(searches[i].right);
        }
        if (open.empty()) return;
        prices.resize(open.size());
        american_prices(market.common, market.dividends, strike, volatility, right, prices, scheme);
        nearby.assign(open.size(), kNaN);
        // All are in the same round. Where one has not settled by then, what the dividends change is
        // not even.
        if (market.has_dividends && searches[open.front()].rounds < kDistanceRounds) {
            BsmExpiry common = market.common;
            common.spot = market.on_x;
            american_prices(common, strike, volatility, right, nearby);
            for (std::size_t i = 0; i < open.size(); ++i) {
                nearby[i] += searches[open[i]].price - prices[i];
            }
            nearby = without_dividends(market, nearby, strike, right);
        }
        for (std::size_t i = 0; i < open.size(); ++i) {
            move(searches[open[i]], rounding, prices[i], nearby[i]);
        }
    }
}

// From the fast scheme's volatility, which is nearly the accurate one's.
void reopen(std::vector<Search>& searches) {
    for (Search& search : searches) {
        if (search.status != IvStatus::ok || search.volatility == 0.0) continue;
        search.open = true;
        search.at = search.volatility;
        search.low = 0.0;
        search.high = kInfinity;
        search.last_at = kNaN;
        search.width_before = kInfinity;
        search.error_before = kInfinity;
        search.rounds = 0;
    }
}

}  // namespace

IvResult american_implied_volatility(double price, const BsmInputs& in, Right right,
                                     AmericanScheme scheme) noexcept {
    IvResult out;
    american_implied_volatility(
        BsmExpiry{.spot = in.spot, .rate = in.rate, .yield = in.yield, .years = in.years},
        {&price, 1}, {&in.strike, 1}, {&right, 1}, {&out, 1}, scheme);
    return out;
}

void american_implied_volatility(const BsmExpiry& common, std::span<const double> price,
                                 std::span<const double> strike, std::span<const Right> right,
                                 std::span<IvResult> out, AmericanScheme scheme) noexcept {
    american_implied_volatility(common, {}, price, strike, right, out, scheme);
}

void american_implied_volatility(const BsmExpiry& common, std::span<const CashDividend> dividends,
                                 std::span<const double> price, std::span<const double> strike,
                                 std::span<const Right> right, std::span<IvResult> out,
                                 AmericanScheme scheme) noexcept {
    SCANMQ_ASSERT(strike.size() == out.size() && price.size() == out.size() &&
                  right.size() == out.size());
    Market market{common, dividends, escrowed_spot(common, dividends)};
    market.has_dividends = !dividends.empty() && market.on_x != common.spot;
    std::vector<Search> searches;
    searches.reserve(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        Search search = start(market, price[i], strike[i], right[i]);
        search.row = i;
        out[i] = {search.volatility, search.status};
        if (search.open) searches.push_back(search);
    }
    if (market.has_dividends) start_nearby(market, searches);
    solve(market, searches, AmericanScheme::fast);
    if (scheme == AmericanScheme::accurate) {
        reopen(searches);
        solve(market, searches, AmericanScheme::accurate);
    }
    for (const Search& search : searches) {
        const bool ok = search.status == IvStatus::ok;
        out[search.row] = {ok ? search.volatility : kNaN, search.status};
    }
}

}  // namespace scanmq::pricing
