#include "scanner/pricing/american_kernel.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scanner/pricing/american_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "scanner/pricing/vector_math-inl.hpp"

// Andersen, Lake and Offengenden (2016) for as many puts at once as a vector has lanes, in units of
// strike 1 and volatility 1. With y = ln B, d(-+) between two times is (y(tau) - y(u) + (r - q -+
// 1/2) s^2) / s, s^2 = tau - u; y(u) = ln X - sqrt(H(u)), so that no logarithm is needed, and
// e^(qu) n(d+) = e^(ru) n(d-) e^(-(r-q) tau) B(u)/B(tau) saves an exponential.

HWY_BEFORE_NAMESPACE();
namespace scanmq::pricing::HWY_NAMESPACE {

using detail::AmericanTables;
using detail::PutBlock;
using detail::PutValues;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

inline constexpr double kInvSqrtTwoPi = 0.398942280401432677939946;

HWY_INLINE V set(double value) { return hn::Set(D(), value); }
HWY_INLINE V exp_low(V x) { return exp_bounded(D(), hn::Max(x, set(-700.0))); }

// e^x n(d).
HWY_INLINE V density(V x, V d) {
    return hn::Mul(set(kInvSqrtTwoPi), exp_low(hn::NegMulAdd(hn::Mul(set(0.5), d), d, x)));
}

// c N(d) from c and c n(d).
HWY_INLINE V cumulative(V c, V scaled_density, V d) {
    const V tail = hn::Mul(scaled_density, mills_ratio(D(), hn::Min(hn::Abs(d), set(64.0))));
    return hn::IfThenElse(hn::Lt(d, hn::Zero(D())), tail, hn::Sub(c, tail));
}

// What one group of lanes shares.
struct Put {
    V rate;
    V yield;
    V deviation;  // sqrt of the time left
    V log_first;  // ln X, X = B(0+) = min(1, r/q)
    V log_last;   // ln of the perpetual put's boundary, below every B
    bool no_yield;
};

HWY_INLINE V log_perpetual(V rate, V yield) {
    // S = lambda/(lambda - 1), lambda the negative root of lambda^2 + (b - 1) lambda = 2r, b = 2(r-q).
    const V b = hn::Sub(hn::Mul(set(2.0), hn::Sub(rate, yield)), set(1.0));
    const V root = hn::Sqrt(hn::MulAdd(b, b, hn::Mul(set(8.0), rate)));
    // Where b < 0 the sum would cancel: the product of the roots is -2r.
    const V sum = hn::Add(hn::Abs(b), root);
    const V lambda =
        hn::IfThenElse(hn::Lt(b, hn::Zero(D())), hn::Div(hn::Mul(set(4.0), rate), sum),  // -lambda
                       hn::Mul(set(0.5), sum));
    return log_bounded(D(), hn::Max(hn::Div(lambda, hn::Add(lambda, set(1.0))), set(1e-300)));
}

// Li (2010), QD+: one equation in the boundary S at time t left, solved by Newton in ln S from
// Barone-Adesi and Whaley's estimate.
HWY_INLINE V first_guess(const Put& put, V t) {
    const V one = set(1.0);
    const V half = set(0.5);
    const V zero = hn::Zero(D());
    const V v = hn::Sqrt(t);
    const V carry = hn::Sub(put.rate, put.yield);
    const V b = hn::Sub(hn::Add(carry, carry), one);
    const V rt = hn::Mul(put.rate, t);
    const V discount = exp_low(hn::Neg(rt));
    const V yield_discount = exp_low(hn::Neg(hn::Mul(put.yield, t)));
    // (1 - e^(-rt))/r.
    const auto small = hn::Lt(rt, set(1e-4));
    const V h =
        hn::Mul(t, hn::IfThenElse(small, hn::NegMulAdd(half, rt, one),
                                  hn::Div(hn::Sub(one, discount), hn::IfThenElse(small, one, rt))));
    const V root = hn::Sqrt(hn::MulAdd(b, b, hn::Div(set(8.0), h)));
    const V lambda = hn::Mul(set(-0.5), hn::Add(b, root));
    const V a = hn::Div(set(-2.0), root);  // over the discount
    const V slope = hn::Sub(
        lambda, hn::Mul(hn::Mul(a, discount),
                        hn::Sub(hn::Div(one, h),
                                hn::Div(set(2.0), hn::Mul(hn::Mul(h, h), hn::Mul(root, root))))));
    const V first = exp_low(put.log_first);
    const V last = exp_low(put.log_last);
    const V reach = hn::Min(hn::Sub(hn::Mul(carry, t), hn::Add(v, v)), zero);
    const V gap = hn::Sub(first, last);
    const V seed = hn::MulAdd(gap, exp_low(hn::Mul(reach, hn::Div(first, gap))), last);
    V y = log_bounded(D(), hn::Max(seed, set(1e-300)));
    y = hn::Min(hn::Max(y, put.log_last), put.log_first);
    const V drift = hn::Mul(hn::Add(carry, half), t);
    const V over_v = hn::Div(one, v);
    for (int step = 0; step < 4; ++step) {
        const V s = exp_low(y);
        const V d1 = hn::Mul(hn::Add(y, drift), over_v);
        const V d2 = hn::Sub(d1, v);
        const V n2 = hn::Mul(discount, density(zero, d2));  // = s e^(-qt) n(d1)
        const V below1 = cumulative(yield_discount, hn::Div(n2, s), hn::Neg(d1));
        const V below2 = cumulative(discount, n2, hn::Neg(d2));
        const V price = hn::NegMulAdd(s, below1, below2);
        const V theta =
            hn::Sub(hn::NegMulAdd(hn::Mul(put.yield, s), below1, hn::Mul(put.rate, below2)),
                    hn::Mul(hn::Mul(half, n2), over_v));
        const V rest = hn::Sub(one, below1);
        const V value = hn::MulAdd(
            a, theta, hn::MulAdd(slope, hn::Sub(hn::Sub(one, s), price), hn::Mul(s, rest)));
        // d/dy = S d/dS.
        const V n2_v = hn::Mul(n2, over_v);
        const V theta_slope = hn::NegMulAdd(
            put.rate, n2_v,
            hn::Sub(hn::MulAdd(put.yield, n2_v, hn::Mul(hn::Mul(half, n2_v), hn::Mul(d2, over_v))),
                    hn::Mul(hn::Mul(put.yield, s), below1)));
        const V derivative =
            hn::MulAdd(a, theta_slope, hn::MulAdd(hn::Sub(one, slope), hn::Mul(s, rest), n2_v));
        const V next = hn::Sub(y, hn::Div(value, derivative));
        const V inside = hn::Min(hn::Max(next, put.log_last), put.log_first);
        y = hn::IfThenElse(hn::IsNaN(next), y, inside);
    }
    return y;
}

// The boundary: H and y = ln B at the nodes.
struct Boundary {
    V h[detail::kNodesMax];
    V y[detail::kNodesMax];
};

HWY_INLINE V interpolate(const double* basis, const V* h, int nodes) {
    V sum = hn::Mul(set(basis[0]), h[0]);
    for (int j = 1; j < nodes; ++j) sum = hn::MulAdd(set(basis[j]), h[j], sum);
    return hn::Sqrt(hn::Max(sum, hn::Zero(D())));
}

// The parts of one node's equation that its integrals are: FP-A samples densities, FP-B cumulatives.
struct Sums {
    V plain;         // FP-A: e^(ru) n(d-); FP-B: g e^(ru) N(d-)
    V scaled;        // FP-A: e^(qu) n(d+); FP-B: g e^(qu) N(d+)
    V reach;         // FP-A: g e^(qu) N(d+)
    V plain_slope;   // FP-A: e^(ru) n(d-) d-/s
    V scaled_slope;  // FP-A: e^(qu) n(d+) d+/s
};

// scale: e^(-(r-q) tau)/B(tau), which turns e^(ru) n(d-) B(u) into e^(qu) n(d+).
template <detail::FixedPoint kEquation>
HWY_INLINE Sums sample(const AmericanTables& tables, const Put& put, const Boundary& boundary,
                       int i, V x, V over_x, V scale) {
    const V zero = hn::Zero(D());
    const V t = hn::Mul(x, x);
    const V d2_shift = hn::Sub(hn::Sub(put.rate, put.yield), set(0.5));
    const V distance = hn::Sub(put.log_first, boundary.y[i]);
    const double* basis = &tables.at_sample[i * tables.samples * tables.nodes];
    Sums out{zero, zero, zero, zero, zero};
    for (int k = 0; k < tables.samples; ++k, basis += tables.nodes) {
        const V root_h = interpolate(basis, boundary.h, tables.nodes);
        const V s = hn::Mul(x, set(tables.gap[k]));
        const V over_s = hn::Mul(over_x, set(tables.over_gap[k]));
        const V d2 = hn::MulAdd(d2_shift, s, hn::Mul(hn::Sub(root_h, distance), over_s));
        const V d1 = hn::Add(d2, s);
        const V u = hn::NegMulAdd(s, s, t);
        const V weight = set(tables.weight[k]);
        const V weight_gap = set(tables.weight_gap[k]);
        const V g2 = density(hn::Mul(put.rate, u), d2);
        if constexpr (kEquation == detail::FixedPoint::a) {
            const V weighted = hn::Mul(weight, g2);
            out.plain = hn::Add(out.plain, weighted);
            out.plain_slope = hn::MulAdd(weighted, hn::Mul(d2, over_s), out.plain_slope);
            if (put.no_yield) continue;
        }
        const V g1 = hn::Mul(hn::Mul(g2, scale), exp_low(hn::Sub(put.log_first, root_h)));
        const V reached = cumulative(exp_low(hn::Mul(put.yield, u)), g1, d1);
        if constexpr (kEquation == detail::FixedPoint::a) {
            const V weighted = hn::Mul(weight, g1);
            out.scaled = hn::Add(out.scaled, weighted);
            out.scaled_slope = hn::MulAdd(weighted, hn::Mul(d1, over_s), out.scaled_slope);
            out.reach = hn::MulAdd(weight_gap, reached, out.reach);
        } else {
            const V below = cumulative(exp_low(hn::Mul(put.rate, u)), g2, d2);
            out.plain = hn::MulAdd(weight_gap, below, out.plain);
            out.scaled = hn::MulAdd(weight_gap, reached, out.scaled);
        }
    }
    return out;
}

// ln of the right-hand side at node i, and an estimate of its derivative by ln B.
struct Step {
    V log_value;
    V slope;
};
template <detail::FixedPoint kEquation>
HWY_INLINE Step fixed_point(const AmericanTables& tables, const Put& put, const Boundary& boundary,
                            int i) {
    const V one = set(1.0);
    const V x = hn::Mul(put.deviation, set(tables.root[i]));
    const V over_x = hn::Div(one, x);
    const V carry = hn::Sub(put.rate, put.yield);
    const V y = boundary.y[i];
    const V forward = exp_low(hn::Neg(hn::Mul(carry, hn::Mul(x, x))));
    const V scale = hn::Mul(forward, exp_low(hn::Neg(y)));
    const Sums sums = sample<kEquation>(tables, put, boundary, i, x, over_x, scale);
    const V d2 = hn::MulAdd(hn::Sub(carry, set(0.5)), x, hn::Mul(y, over_x));
    const V d1 = hn::Add(d2, x);
    const V n2 = density(hn::Zero(D()), d2);
    const V n1 = hn::Mul(n2, scale);
    const V interest = hn::Mul(put.rate, x);
    const V dividends = hn::Mul(put.yield, x);
    const V reached = cumulative(one, n1, d1);
    if constexpr (kEquation == detail::FixedPoint::b) {
        const V numerator = hn::MulAdd(hn::Mul(interest, x), sums.plain, cumulative(one, n2, d2));
        const V denominator = hn::MulAdd(hn::Mul(dividends, x), sums.scaled, reached);
        const V ratio = hn::Div(hn::Mul(numerator, forward), denominator);
        return {log_bounded(D(), hn::Max(ratio, set(1e-300))), hn::Zero(D())};
    } else {
        const V n1_x = hn::Mul(n1, over_x);
        const V n2_x = hn::Mul(n2, over_x);
        const V numerator = hn::MulAdd(interest, sums.plain, n2_x);
        const V denominator = hn::Add(hn::Add(reached, n1_x),
                                      hn::Mul(dividends, hn::MulAdd(x, sums.reach, sums.scaled)));
        // With all of the past held the derivative would be too large, with all of it moved along
        // too small, as the nodes before this one have been moved already and the rest will be.
        const V held = set(0.65);
        const V numerator_slope = hn::Neg(hn::MulAdd(hn::Mul(held, interest), sums.plain_slope,
                                                     hn::Mul(hn::Mul(d2, over_x), n2_x)));
        const V denominator_slope =
            hn::MulAdd(hn::Mul(held, dividends), hn::Sub(sums.scaled, sums.scaled_slope),
                       hn::NegMulAdd(hn::Mul(d1, over_x), n1_x, n1_x));
        const V over = hn::Div(one, hn::Mul(numerator, denominator));
        const V ratio = hn::Mul(hn::Mul(hn::Mul(numerator, numerator), over), forward);
        const V slope = hn::Mul(over, hn::Sub(hn::Mul(numerator_slope, denominator),
                                              hn::Mul(denominator_slope, numerator)));
        return {log_bounded(D(), hn::Max(ratio, set(1e-300))), slope};
    }
}

HWY_INLINE void place(const Put& put, Boundary& boundary, int i, V y) {
    const V inside = hn::Min(hn::Max(y, put.log_last), put.log_first);
    const V kept = hn::IfThenElse(hn::IsNaN(y), boundary.y[i], inside);
    const V distance = hn::Sub(put.log_first, kept);
    boundary.y[i] = kept;
    boundary.h[i] = hn::Mul(distance, distance);
}

// FP-A: node by node, each with what is known of the others (Gauss and Seidel), Newton with the
// estimated derivative first and then secants through a node's last two steps.
HWY_INLINE void iterate_a(const AmericanTables& tables, const Put& put, Boundary& boundary) {
    V last_y[detail::kNodesMax];
    V last_value[detail::kNodesMax];
    for (int step = 0; step < tables.iterations; ++step) {
        for (int i = 0; i < tables.nodes; ++i) {
            const V y = boundary.y[i];
            const Step to = fixed_point<detail::FixedPoint::a>(tables, put, boundary, i);
            V slope = to.slope;
            if (step > 0) {
                const V move = hn::Sub(y, last_y[i]);
                const auto moved = hn::Gt(hn::Abs(move), set(1e-11));
                const V secant = hn::Div(hn::Sub(to.log_value, last_value[i]),
                                         hn::IfThenElse(moved, move, set(1.0)));
                slope = hn::IfThenElse(moved, hn::Max(secant, set(-3.0)), slope);
            }
            last_y[i] = y;
            last_value[i] = to.log_value;
            const V rest = hn::Sub(set(1.0), hn::Min(slope, set(0.6)));
            place(put, boundary, i, hn::Add(y, hn::Div(hn::Sub(to.log_value, y), rest)));
        }
    }
}

// FP-B: plain steps of all nodes at once, as its derivative by one node says little.
HWY_INLINE void iterate_b(const AmericanTables& tables, const Put& put, Boundary& boundary) {
    V next[detail::kNodesMax];
    for (int step = 0; step < tables.iterations; ++step) {
        for (int i = 0; i < tables.nodes; ++i) {
            next[i] = fixed_point<detail::FixedPoint::b>(tables, put, boundary, i).log_value;
        }
        for (int i = 0; i < tables.nodes; ++i) place(put, boundary, i, next[i]);
    }
}

HWY_INLINE void solve_boundary(const AmericanTables& tables, const Put& put, Boundary& boundary) {
    for (int i = 0; i < tables.nodes; ++i) {
        const V x = hn::Mul(put.deviation, set(tables.root[i]));
        boundary.y[i] = put.log_first;
        place(put, boundary, i, first_guess(put, hn::Mul(x, x)));
    }
    if (tables.equation == detail::FixedPoint::a) {
        iterate_a(tables, put, boundary);
    } else {
        iterate_b(tables, put, boundary);
    }
}

struct Values {
    V price;
    V delta;
    V gamma;
    V premium;
    V premium_delta;
};

// Kim's integral (1990) over the time from now, u = tau g^2.
template <bool kGreeks>
HWY_INLINE Values integrate(const AmericanTables& tables, const Put& put, const Boundary& boundary,
                            V log_spot) {
    const V zero = hn::Zero(D());
    const V one = set(1.0);
    const V half = set(0.5);
    const V x = put.deviation;
    const V t = hn::Mul(x, x);
    const V over_x = hn::Div(one, x);
    const V carry = hn::Sub(put.rate, put.yield);
    const V d2_shift = hn::Sub(carry, half);
    const V spot = exp_low(log_spot);
    const V over_spot = hn::Div(one, spot);
    const V distance = hn::Sub(log_spot, put.log_first);
    const double* basis = tables.at_price.data();
    V interest = zero;
    V dividends = zero;
    V slope = zero;
    V bend = zero;
    for (int k = 0; k < tables.prices; ++k, basis += tables.nodes) {
        const V root_h = interpolate(basis, boundary.h, tables.nodes);
        const V s = hn::Mul(x, set(tables.price_gap[k]));
        const V over_s = hn::Mul(over_x, set(tables.over_price_gap[k]));
        const V u = hn::Mul(s, s);
        const V moneyness = hn::Add(distance, root_h);  // ln S/B
        const V d2 = hn::MulAdd(d2_shift, s, hn::Mul(moneyness, over_s));
        const V d1 = hn::Add(d2, s);
        const V discount = hn::Neg(hn::Mul(put.rate, u));
        const V g2 = density(discount, d2);
        const V weight = set(tables.price_weight[k]);
        const V weight_gap = set(tables.price_weight_gap[k]);
        interest = hn::MulAdd(weight_gap, cumulative(exp_low(discount), g2, hn::Neg(d2)), interest);
        V g1 = zero;
        if (!put.no_yield) {
            // S e^(-qu) n(d1) = B e^(-ru) n(d2).
            g1 = hn::Mul(hn::Mul(g2, over_spot), exp_low(hn::Sub(put.log_first, root_h)));
            dividends = hn::MulAdd(
                weight_gap, cumulative(exp_low(hn::Neg(hn::Mul(put.yield, u))), g1, hn::Neg(d1)),
                dividends);
        }
        if constexpr (kGreeks) {
            // r n2/S - q n1 and its derivative.
            const V gain =
                hn::Sub(hn::Mul(hn::Mul(put.rate, g2), over_spot), hn::Mul(put.yield, g1));
            slope = hn::MulAdd(weight, gain, slope);
            const V second =
                hn::MulAdd(hn::Mul(hn::Mul(put.rate, g2), over_spot), hn::MulAdd(d2, over_s, one),
                           hn::Mul(hn::Mul(put.yield, g1), hn::Sub(one, hn::Mul(d1, over_s))));
            bend = hn::MulAdd(weight, second, bend);
        }
    }
    Values out;
    const V discount = hn::Neg(hn::Mul(put.rate, t));
    const V d2 = hn::MulAdd(d2_shift, x, hn::Mul(log_spot, over_x));
    const V d1 = hn::Add(d2, x);
    const V g2 = density(discount, d2);
    const V g1 = hn::Mul(g2, over_spot);
    const V paid = cumulative(exp_low(discount), g2, hn::Neg(d2));
    const V given = cumulative(exp_low(hn::Neg(hn::Mul(put.yield, t))), g1, hn::Neg(d1));
    const V european = hn::NegMulAdd(spot, given, paid);
    const V yield_gain = hn::Mul(hn::Mul(put.yield, t), dividends);
    const V premium = hn::NegMulAdd(spot, yield_gain, hn::Mul(hn::Mul(put.rate, t), interest));
    out.price = hn::Max(hn::Max(hn::Add(european, premium), european), hn::Sub(one, spot));
    out.premium = premium;
    if constexpr (kGreeks) {
        const V lost = hn::MulAdd(x, slope, yield_gain);
        out.premium_delta = hn::Neg(lost);
        out.delta = hn::Neg(hn::Add(lost, given));
        out.gamma = hn::Mul(over_spot, hn::MulAdd(x, bend, hn::Mul(g1, over_x)));
        out.delta = hn::Min(hn::Max(out.delta, set(-1.0)), zero);
        out.gamma = hn::Max(out.gamma, zero);
    } else {
        out.delta = zero;
        out.gamma = zero;
        out.premium_delta = zero;
    }
    return out;
}

HWY_INLINE Put load_put(const PutBlock& block, std::size_t at) {
    const D d;
    const V zero = hn::Zero(d);
    Put put;
    put.rate = hn::Load(d, block.rate.data() + at);
    put.yield = hn::Load(d, block.yield.data() + at);
    put.deviation = hn::Load(d, block.deviation.data() + at);
    put.no_yield = hn::AllTrue(d, hn::Eq(put.yield, zero));
    const auto early = hn::Gt(put.yield, put.rate);
    const V quotient = hn::Div(put.rate, hn::IfThenElse(early, put.yield, set(1.0)));
    put.log_first = hn::IfThenElseZero(early, log_bounded(d, hn::Max(quotient, set(1e-300))));
    put.log_last = log_perpetual(put.rate, put.yield);
    return put;
}

// Where the spot is so far above every boundary that it is hardly reached.
HWY_INLINE V beyond_exercise(const Put& put) {
    constexpr double kDeviations = 5.5;
    const V x = put.deviation;
    const V drift = hn::Sub(hn::Sub(put.rate, put.yield), set(0.5));
    const V falls = hn::Max(hn::Neg(hn::Mul(drift, hn::Mul(x, x))), hn::Zero(D()));
    return hn::Add(hn::MulAdd(set(kDeviations), x, put.log_first), falls);
}

void curve_lanes(const AmericanTables& tables, const PutBlock& block, detail::PutCurves& out,
                 std::size_t at) {
    const D d;
    const Put put = load_put(block, at);
    Boundary boundary;
    solve_boundary(tables, put, boundary);
    const V low = boundary.y[tables.nodes - 1];
    const V high = beyond_exercise(put);
    const V width = hn::Sub(high, low);
    for (std::size_t k = 0; k <= detail::kCurveCells; ++k) {
        const V log_spot = hn::MulAdd(width, set(detail::curve_share(k)), low);
        const Values values = integrate<true>(tables, put, boundary, log_spot);
        hn::Store(values.premium, d, out.premium[k].data() + at);
        hn::Store(hn::Mul(values.premium_delta, exp_low(log_spot)), d, out.slope[k].data() + at);
    }
    hn::Store(low, d, out.low.data() + at);
    hn::Store(high, d, out.high.data() + at);
}

void price_lanes(const AmericanTables& tables, const PutBlock& block, PutValues& out,
                 std::size_t at, bool with_greeks) {
    const D d;
    const Put put = load_put(block, at);
    Boundary boundary;
    solve_boundary(tables, put, boundary);
    const V log_spot = hn::Load(d, block.log_spot.data() + at);
    const V last = boundary.y[tables.nodes - 1];
    const auto exercised = hn::Le(log_spot, last);
    const V intrinsic = hn::Sub(set(1.0), exp_low(log_spot));
    hn::Store(last, d, out.boundary.data() + at);
    if (with_greeks) {
        const Values values = integrate<true>(tables, put, boundary, log_spot);
        hn::Store(hn::IfThenElse(exercised, intrinsic, values.price), d, out.price.data() + at);
        hn::Store(hn::IfThenElse(exercised, set(-1.0), values.delta), d, out.delta.data() + at);
        hn::Store(hn::IfThenZeroElse(exercised, values.gamma), d, out.gamma.data() + at);
    } else {
        const Values values = integrate<false>(tables, put, boundary, log_spot);
        hn::Store(hn::IfThenElse(exercised, intrinsic, values.price), d, out.price.data() + at);
    }
}

// Lanes without a row repeat the last.
void fill_lanes(PutBlock& block) {
    for (std::size_t i = block.size; i % hn::Lanes(D()) != 0; ++i) {
        block.log_spot[i] = block.log_spot[block.size - 1];
        block.rate[i] = block.rate[block.size - 1];
        block.yield[i] = block.yield[block.size - 1];
        block.deviation[i] = block.deviation[block.size - 1];
    }
}

void curve_block(const AmericanTables& tables, PutBlock& block, detail::PutCurves& out) {
    const std::size_t lanes = hn::Lanes(D());
    fill_lanes(block);
    for (std::size_t at = 0; at < block.size; at += lanes) curve_lanes(tables, block, out, at);
}

void price_block(const AmericanTables& tables, PutBlock& block, PutValues& out, bool with_greeks) {
    const std::size_t lanes = hn::Lanes(D());
    fill_lanes(block);
    for (std::size_t at = 0; at < block.size; at += lanes) {
        price_lanes(tables, block, out, at, with_greeks);
    }
}

}  // namespace scanmq::pricing::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace scanmq::pricing {
HWY_EXPORT(price_block);
HWY_EXPORT(curve_block);

void detail::put_curves(const AmericanTables& tables, PutBlock& block, PutCurves& out) {
    HWY_DYNAMIC_DISPATCH(curve_block)(tables, block, out);
}

void detail::price_puts(const AmericanTables& tables, PutBlock& block, PutValues& out,
                        bool with_greeks) {
    HWY_DYNAMIC_DISPATCH(price_block)(tables, block, out, with_greeks);
}
}  // namespace scanmq::pricing
#endif
