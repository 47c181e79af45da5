#include "scanner/pricing/implied_kernel.hpp"

#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/pricing/implied_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/pricing/mills-inl.hpp"
#include "scanner/pricing/vector_math-inl.hpp"

// A guess within 1e-5 of v, by rational functions, and one step of Householder's method of order
// four from it, which leaves an error of the fourth power: no loop, and no branch by region.
//
// The guess goes through Bachelier's model. There the out-of-the-money value of a moneyness gap G and
// a deviation w is w [n(A) - A (1 - N(A))] with A = G/w, so that value/G is a function of A alone,
// which inverts by two rational functions. With G the real difference of strike and forward, m/A has
// the leading term of the lognormal v for small v at any moneyness (Grunspan 2011), and what is
// left is a smooth factor of v^2 and m^2 close to 1.
//
// The step is taken on ln b, below the maximum's half on ln(maximum - b), written with Mills ratios
// as in implied_volatility.cpp.

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {
namespace {

using detail::ImpliedBlock;

constexpr double kSizeMin = 1e-100;
constexpr double kSizeMax = 1e100;
constexpr double kMoneynessMax = 3.02;
constexpr double kDeviationMin = 1e-50;  // its inverse is raised to the third power
constexpr double kDeviationMax = 3.05;
constexpr double kPriceMin = 2.3e-308;  // normalised: a normal double
// A step larger than this part of v came from a guess outside of the fit.
constexpr double kStepMax = 1e-4;

constexpr double kRootTwoPi = 2.50662827463100050241577;
constexpr double kInverseRootTwoPi = 0.398942280401432677939946;

template <class D>
HWY_INLINE hn::Mask<D> between(D d, hn::Vec<D> x, double low, double high) {
    return hn::And(hn::Ge(x, hn::Set(d, low)), hn::Le(x, hn::Set(d, high)));
}

// A normalised out-of-the-money quote.
template <class D>
struct Quotes {
    hn::Vec<D> beta;      // price
    hn::Vec<D> headroom;  // maximum - beta
    hn::Vec<D> m;         // |ln(F/K)|
    hn::Vec<D> gap;       // 2 sinh(m/2) / beta
    hn::Mask<D> taken;
};

template <class D>
HWY_INLINE Quotes<D> normalise(D d, const ImpliedBlock& block, std::size_t at) {
    const auto zero = hn::Zero(d);
    const auto forward = hn::Load(d, block.forward + at);
    const auto strike = hn::Load(d, block.strike + at);
    const auto discount = hn::Load(d, block.discount + at);
    const auto sign = hn::Load(d, block.sign + at);
    const auto undiscounted = hn::Div(hn::Load(d, block.price + at), discount);
    const auto ceiling = hn::IfThenElse(hn::Gt(sign, zero), forward, strike);
    const auto headroom = hn::Sub(ceiling, undiscounted);
    const auto intrinsic = hn::Max(hn::Mul(sign, hn::Sub(forward, strike)), zero);
    const auto value = hn::Sub(undiscounted, intrinsic);
    const auto low = hn::Min(forward, strike);
    const auto high = hn::Max(forward, strike);
    const auto scale = hn::Div(hn::Set(d, 1.0), hn::Sqrt(hn::Mul(low, high)));

    Quotes<D> out;
    out.beta = hn::Mul(value, scale);
    out.headroom = hn::Mul(headroom, scale);
    out.m = log_ratio(d, high, low);
    out.gap = hn::Div(hn::Sub(high, low), value);
    // In the money, a value within the roundings of the intrinsic one is for the scalar function.
    const auto noise =
        hn::Mul(hn::Set(d, std::numeric_limits<double>::epsilon()), hn::Add(forward, strike));
    const auto least = hn::IfThenElseZero(hn::Gt(intrinsic, zero), noise);
    const auto sizes = hn::And(
        between(d, forward, kSizeMin, kSizeMax),
        hn::And(between(d, strike, kSizeMin, kSizeMax), between(d, discount, kSizeMin, kSizeMax)));
    const auto prices = hn::And(hn::Gt(value, least), hn::Gt(headroom, zero));
    out.taken = hn::And(hn::And(sizes, prices), hn::And(hn::Ge(out.beta, hn::Set(d, kPriceMin)),
                                                        hn::Le(out.m, hn::Set(d, kMoneynessMax))));
    return out;
}

// m/A of the Bachelier model: the first term of v.
template <class D>
HWY_INLINE hn::Vec<D> bachelier_guess(D d, const Quotes<D>& quotes, hn::Vec<D> mu) {
    // Near the money, gap <= 12: A = gap Q / (sqrt(2 pi) P), error 9e-7; with gap = 2 sinh(m/2) /
    // beta, m/A is finite at the money, too.
    static constexpr double kNear[] = {1.0000009005107848, 1.4003782338245171, 0.53931967844847297,
                                       0.056399723099944369, 0.00095907993649529966};
    static constexpr double kNearBelow[] = {1.0, 0.90041937800898597, 0.16839993719406781,
                                            0.0048585645051082006};
    // m / (2 sinh(m/2)) in m^2, error 1.8e-6.
    static constexpr double kSinh[] = {0.99999823484020673, -0.04165737842145005,
                                       0.0012072331066348917, -2.9510628232980952e-05,
                                       4.7384030360008821e-07};
    // Beyond: A as a function of h = sqrt(2 ln gap), up to A = 38.5, error 7.4e-6.
    static constexpr double kFar[] = {-0.48479291263330742, 1.2261752688288581,
                                      -0.66638921480925287, 0.15391143130913674,
                                      0.030189987315559392};
    static constexpr double kFarBelow[] = {1.0, -0.32389676774798343, 0.15606002077116723,
                                           0.030180251877199824};
    const auto gap = quotes.gap;
    const auto is_near = hn::Le(gap, hn::Set(d, 12.0));
    const auto log_gap = log_bounded(d, gap);
    const auto h = hn::Sqrt(hn::Add(log_gap, log_gap));
    const auto near_top = hn::Mul(hn::Mul(hn::Set(d, kRootTwoPi), quotes.beta),
                                  hn::Mul(polynomial(d, mu, kSinh), polynomial(d, gap, kNear)));
    const auto far_top = hn::Mul(quotes.m, polynomial(d, h, kFarBelow));
    const auto top = hn::IfThenElse(is_near, near_top, far_top);
    const auto bottom =
        hn::IfThenElse(is_near, polynomial(d, gap, kNearBelow), polynomial(d, h, kFar));
    return hn::Div(top, bottom);
}

// v over bachelier_guess as a function of p, its square, and mu = m^2, for m <= 3.05 and v <= 3.1:
// error 8.1e-7.
template <class D>
HWY_INLINE hn::Vec<D> lognormal_factor(D d, hn::Vec<D> p, hn::Vec<D> mu) {
    static constexpr double kTop0[] = {1.0000008108400082, 0.012157213936160765,
                                       3.1409204274549354e-05, -3.0132716085103686e-08};
    static constexpr double kTop1[] = {-0.20746406949917815, -0.0013109733835679246,
                                       2.1918228331854046e-06, -7.7766196380080045e-09};
    static constexpr double kTop2[] = {0.0082036162948516622, 1.0013206221104501e-05,
                                       -2.5434305917562919e-07};
    static constexpr double kTop3[] = {0.00010472951410581235, -6.3505480082479782e-07};
    static constexpr double kTop4[] = {4.4573712069132317e-06};
    static constexpr double kBottom0[] = {1.0, 0.01215868223705531, 3.0986420847710118e-05};
    static constexpr double kBottom1[] = {-0.24912944679977859, -0.00147108101393234};
    static constexpr double kBottom2[] = {0.014934989395085924};
    auto top = hn::MulAdd(p, polynomial(d, mu, kTop4), polynomial(d, mu, kTop3));
    top = hn::MulAdd(p, top, polynomial(d, mu, kTop2));
    top = hn::MulAdd(p, top, polynomial(d, mu, kTop1));
    top = hn::MulAdd(p, top, polynomial(d, mu, kTop0));
    auto bottom = hn::MulAdd(p, polynomial(d, mu, kBottom2), polynomial(d, mu, kBottom1));
    bottom = hn::MulAdd(p, bottom, polynomial(d, mu, kBottom0));
    return hn::Div(top, bottom);
}

// What Householder's method of order four adds to v.
template <class D>
HWY_INLINE hn::Vec<D> step(D d, const Quotes<D>& quotes, hn::Vec<D> v) {
    const auto one = hn::Set(d, 1.0);
    const auto half = hn::Set(d, 0.5);
    const auto over_v = hn::Div(one, v);
    const auto a = hn::Mul(quotes.m, over_v);
    const auto t = hn::Mul(half, v);

    // rho is b/b' where b itself is worked on, else (maximum - b)/b'.
    const auto series = needs_series(d, a, t);
    const auto is_low = hn::Or(hn::Gt(a, t), series);
    auto rho = hn::Zero(d);
    if (!hn::AllTrue(d, series)) {
        const auto ratio = mills_pair(d, a, t);
        rho =
            hn::IfThenElse(is_low, hn::Sub(ratio.near, ratio.far), hn::Add(ratio.near, ratio.far));
    }
    if (!hn::AllFalse(d, series)) rho = hn::IfThenElse(series, difference_series(d, a, t), rho);

    // The objective ln(b(v)/beta), and its derivative `slope`.
    const auto wanted = hn::IfThenElse(is_low, quotes.beta, quotes.headroom);
    const auto scaled = hn::Div(hn::Mul(hn::Set(d, kInverseRootTwoPi), rho), wanted);
    const auto exponent = hn::Mul(half, hn::MulAdd(a, a, hn::Mul(t, t)));
    const auto objective = hn::Sub(log_bounded(d, scaled), exponent);
    const auto signed_rho = hn::IfThenElse(is_low, rho, hn::Neg(rho));
    const auto slope = hn::Div(one, signed_rho);
    const auto newton = hn::Neg(hn::Mul(objective, signed_rho));

    // b''/b' and b'''/b', and from them the same ratios of the objective.
    const auto a_over_v = hn::Mul(a, over_v);
    const auto vega_second = hn::MulSub(a, a_over_v, hn::Mul(hn::Set(d, 0.25), v));
    const auto vega_third =
        hn::MulAdd(vega_second, vega_second,
                   hn::NegMulAdd(hn::Mul(hn::Set(d, 3.0), a_over_v), a_over_v, hn::Set(d, -0.25)));
    const auto second = hn::Sub(vega_second, slope);
    const auto third = hn::MulAdd(
        slope, hn::MulAdd(hn::Set(d, -3.0), vega_second, hn::Add(slope, slope)), vega_third);
    const auto top = hn::MulAdd(hn::Mul(half, second), newton, one);
    const auto inner = hn::MulAdd(hn::Mul(third, newton), hn::Set(d, 1.0 / 6.0), second);
    return hn::Div(hn::Mul(newton, top), hn::MulAdd(newton, inner, one));
}

// One vector of rows, from row `at` on. Returns those that were taken.
template <class D>
HWY_INLINE hn::Mask<D> imply_rows(D d, ImpliedBlock& block, std::size_t at) {
    const auto quotes = normalise(d, block, at);
    const auto mu = hn::Mul(quotes.m, quotes.m);
    const auto first = bachelier_guess(d, quotes, mu);
    const auto guess = hn::Mul(first, lognormal_factor(d, hn::Mul(first, first), mu));
    const auto move = step(d, quotes, guess);
    const auto v = hn::Add(guess, move);
    hn::Store(v, d, block.deviation + at);
    const auto near = hn::Le(hn::Abs(move), hn::Mul(hn::Set(d, kStepMax), guess));
    return hn::And(quotes.taken, hn::And(near, between(d, v, kDeviationMin, kDeviationMax)));
}

std::uint64_t imply_block(ImpliedBlock& block, std::size_t size) {
    const hn::CappedTag<double, 16> d;
    std::uint64_t refused = 0;
    for (std::size_t at = 0; at < size; at += hn::Lanes(d)) {
        const auto taken = imply_rows(d, block, at);
        std::uint8_t bits[8] = {};
        hn::StoreMaskBits(d, hn::Not(taken), bits);
        refused |= (std::uint64_t{bits[0]} | std::uint64_t{bits[1]} << 8) << at;
    }
    return size < detail::kImpliedRows ? refused & ((std::uint64_t{1} << size) - 1) : refused;
}

}  // namespace
}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::pricing::detail {

HWY_EXPORT(imply_block);

std::uint64_t imply_block(ImpliedBlock& block, std::size_t size) noexcept {
    return HWY_DYNAMIC_DISPATCH(imply_block)(block, size);
}

}  // namespace scanmq::pricing::detail
#endif
