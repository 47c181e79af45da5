#pragma once
// AmericanTables: the constants of an Andersen-Lake-Offengenden scheme, none of which depends on a
// contract: where the boundary is known, where its integrals sample it, and the matrices between.
//
// Role:     internal to scanner/pricing; american_kernel.cpp reads them.
// Formulas: x = sqrt(tau). Nodes x_i = x_max (1 + z_i)/2, z_i = -cos(i pi/n), i = 1..n; at x_0 = 0
//           the transformed boundary H = ln(B/X)^2 is 0. Integrals over u in (0, tau_i) are taken by
//           Gauss-Legendre in the angle a, sqrt(tau_i - u) = x_i sin a, sqrt(u) = x_i cos a: the
//           integrands are smooth in both roots, hence in a at both ends. (The paper's variable,
//           sin a, leaves a root at u = 0 and needs four times the points for 1e-5.) So sqrt(u)/x_max
//           is a constant too, and H there is a constant matrix times the nodes' values (Lagrange).
// Threads:  immutable after the first use.

#include <vector>

#include "scanner/pricing/american.hpp"

namespace scanmq::pricing::detail {

enum class FixedPoint : unsigned char { a, b };

struct AmericanTables {
    AmericanTables(int node_count, int sample_count, int price_count, int iteration_count,
                   FixedPoint equation_used);

    int nodes;       // n
    int samples;     // l, of each node's integrals
    int prices;      // p, of the premium
    int iterations;  // m, of the fixed point
    FixedPoint equation;

    std::vector<double> root;  // n: x_i/x_max

    // l: g = sin a, 1/g, and the weights over 2 dg and over 2 g dg.
    std::vector<double> gap;
    std::vector<double> over_gap;
    std::vector<double> weight;
    std::vector<double> weight_gap;
    std::vector<double> at_sample;  // n l (n): H at the samples of each node from the nodes' H

    // p, the same for the premium, at tau_max.
    std::vector<double> price_gap;
    std::vector<double> over_price_gap;
    std::vector<double> price_weight;
    std::vector<double> price_weight_gap;
    std::vector<double> at_price;  // p (n)
};

inline constexpr int kNodesMax = 32;
inline constexpr int kSamplesMax = 64;

// calm: for contracts whose drift is large against their volatility.
[[nodiscard]] const AmericanTables& american_tables(AmericanScheme scheme, bool calm);

}  // namespace scanmq::pricing::detail
