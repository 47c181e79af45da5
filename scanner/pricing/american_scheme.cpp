#include "scanner/pricing/american_scheme.hpp"

#include <cmath>
#include <cstddef>
#include <numbers>

#include "common/base/assert.hpp"
#include "scanner/pricing/portable_math.hpp"
#include "scanner/pricing/quadrature.hpp"

namespace scanmq::pricing::detail {
namespace {

// sin a at Gauss and Legendre's points of a in (0, pi/2), with the weights over 2 d(sin a).
Quadrature quarter_turn(int count) {
    Quadrature out = gauss_legendre(count);
    for (int k = 0; k < count; ++k) {
        const double angle = 0.25 * std::numbers::pi * (1.0 + out.at[k]);
        out.at[k] = portable::sin(angle);
        out.weight[k] *= 0.5 * std::numbers::pi * portable::cos(angle);
    }
    return out;
}

// Lagrange's basis on the nodes 0..n (x/x_max = (1 - cos(i pi/n))/2), those of 1..n, at x/x_max = at.
void append_basis(int n, double at, std::vector<double>& out) {
    std::vector<double> node;
    for (int i = 0; i <= n; ++i)
        node.push_back(0.5 - 0.5 * portable::cos(i * std::numbers::pi / n));
    for (int j = 1; j <= n; ++j) {
        double product = 1.0;
        for (int i = 0; i <= n; ++i) {
            if (i != j) product *= (at - node[i]) / (node[j] - node[i]);
        }
        out.push_back(product);
    }
}

}  // namespace

AmericanTables::AmericanTables(int node_count, int sample_count, int price_count,
                               int iteration_count, FixedPoint equation_used)
    : nodes(node_count),
      samples(sample_count),
      prices(price_count),
      iterations(iteration_count),
      equation(equation_used) {
    SCANMQ_ASSERT(nodes >= 2 && nodes <= kNodesMax && samples >= 2 && samples <= kSamplesMax);
    for (int i = 1; i <= nodes; ++i) {
        root.push_back(0.5 - 0.5 * portable::cos(i * std::numbers::pi / nodes));
    }
    const Quadrature inner = quarter_turn(samples);
    gap = inner.at;
    weight = inner.weight;
    for (int k = 0; k < samples; ++k) {
        over_gap.push_back(1.0 / gap[k]);
        weight_gap.push_back(weight[k] * gap[k]);
    }
    for (const double x : root) {
        for (const double g : gap) append_basis(nodes, x * std::sqrt(1.0 - g * g), at_sample);
    }
    const Quadrature outer = quarter_turn(prices);
    price_gap = outer.at;
    price_weight = outer.weight;
    for (int k = 0; k < prices; ++k) {
        over_price_gap.push_back(1.0 / price_gap[k]);
        price_weight_gap.push_back(price_weight[k] * price_gap[k]);
        append_basis(nodes, std::sqrt(1.0 - price_gap[k] * price_gap[k]), at_price);
    }
}

const AmericanTables& american_tables(AmericanScheme scheme, bool calm) {
    const bool is_fast = scheme == AmericanScheme::fast;
    if (calm) {
        static const AmericanTables fast(16, 24, 151, 40, FixedPoint::b);
        static const AmericanTables accurate(32, 40, 201, 60, FixedPoint::b);
        return is_fast ? fast : accurate;
    }
    static const AmericanTables fast(12, 9, 41, 3, FixedPoint::a);
    static const AmericanTables accurate(32, 32, 151, 8, FixedPoint::a);
    return is_fast ? fast : accurate;
}

}  // namespace scanmq::pricing::detail
