#pragma once
// SviPoints: the quotes of one expiry in the form that the SVI fit works on, and the fit's inner
//            problem: for a given vertex (m, s) raw SVI is linear in the rest (Zeliade 2009,
//            "Quasi-explicit calibration of Gatheral's SVI model").
//
// Units:   x = k / sqrt(w0), z = w / w0 with w0 near the total variance at the money, so that every
//          expiry looks alike: z(x) = a + d (x - m) + c sqrt((x - m)^2 + s^2).
// Method:  with x and z centred, the normal equations need three sums that depend on (m, s), one square
//          root a quote. The optimum inside |d| <= c, c + |d| <= the wings' bound is a quadratic's
//          over a polygon: its inside, else the best point of its four edges.
// Threads: one owner.

#include <cstddef>
#include <span>
#include <vector>

#include "scanner/market/smile.hpp"

namespace scanmq::market {

// SVI in scaled units.
struct Svi {
    double a{};
    double d{};
    double c{};
    double m{};
    double s{1.0};

    [[nodiscard]] double at(double x) const noexcept {
        const double t = x - m;
        return a + d * t + c * std::sqrt(t * t + s * s);
    }
    [[nodiscard]] double vertex() const noexcept { return a + s * std::sqrt(c * c - d * d); }
    [[nodiscard]] Smile unscaled(double w0) const noexcept;
};

// Scaled variance nowhere falls below this: a tenth of the volatility at the money.
inline constexpr double kVertexMin = 0.01;
inline constexpr double kRhoMax = 0.999;

class SviPoints {
  public:
    void clear() noexcept;
    // x ascending; weight > 0, of a squared error of z.
    void add(double x, double z, double weight);
    // What the wings' slopes may be at most, |d| + c <= wing. Ends the adding.
    void finish(double wing);

    [[nodiscard]] std::size_t size() const noexcept { return x_.size(); }
    [[nodiscard]] std::span<const double> x() const noexcept { return x_; }
    [[nodiscard]] std::span<const double> z() const noexcept { return z_; }
    [[nodiscard]] std::span<const double> weights() const noexcept { return weight_; }

    // The best feasible a, d, c for this vertex; returns the weighted sum of squared errors.
    double solve(double m, double s, Svi& out) const noexcept;

    // Moves a, d and c to where slopes and vertex are within their bounds.
    void make_feasible(Svi& svi) const noexcept;

  private:
    struct Quadratic;

    std::vector<double> x_;
    std::vector<double> z_;
    std::vector<double> weight_;
    // Centred by the weighted means, padded to a multiple of four with zeros.
    std::vector<double> cx_;
    std::vector<double> cw_;
    std::vector<double> cwx_;
    std::vector<double> cwz_;
    double mean_x_ = 0;
    double mean_z_ = 0;
    double weight_sum_ = 0;
    double sxx_ = 0;
    double sxz_ = 0;
    double szz_ = 0;
    double wing_ = 2;
};

}  // namespace scanmq::market
