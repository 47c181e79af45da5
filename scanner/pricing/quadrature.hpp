#pragma once
// Gauss-Legendre quadrature on (-1, 1), any number of points.
//
// Role:    internal to scanner/pricing: constants, made once.
// Threads: pure functions.

#include <cmath>
#include <numbers>
#include <vector>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing::detail {

struct Quadrature {
    std::vector<double> at;  // ascending
    std::vector<double> weight;
};

// Newton on the Legendre polynomial from Tricomi's estimate of its roots.
[[nodiscard]] inline Quadrature gauss_legendre(int count) {
    Quadrature out;
    for (int k = 0; k < count; ++k) {
        double y = -portable::cos(std::numbers::pi * (k + 0.75) / (count + 0.5));
        double slope = 1.0;
        for (int step = 0; step < 8; ++step) {
            double previous = 1.0;
            double value = y;
            for (int degree = 2; degree <= count; ++degree) {
                const double next = ((2.0 * degree - 1.0) * y * value - (degree - 1.0) * previous) /
                                    static_cast<double>(degree);
                previous = value;
                value = next;
            }
            slope = count * (y * value - previous) / (y * y - 1.0);
            y -= value / slope;
        }
        out.at.push_back(y);
        out.weight.push_back(2.0 / ((1.0 - y * y) * slope * slope));
    }
    return out;
}

}  // namespace scanmq::pricing::detail
