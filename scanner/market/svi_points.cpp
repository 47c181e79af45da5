#include "scanner/market/svi_points.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace scanmq::market {

Smile Svi::unscaled(double w0) const noexcept {
    // w = w0 z, k = sqrt(w0) x.
    const double v0 = std::sqrt(w0);
    Smile smile;
    smile.a = w0 * a;
    smile.b = v0 * c;
    smile.rho = c > 0 ? d / c : 0.0;
    smile.m = v0 * m;
    smile.s = v0 * s;
    return smile;
}

void SviPoints::clear() noexcept {
    x_.clear();
    z_.clear();
    weight_.clear();
}

void SviPoints::add(double x, double z, double weight) {
    x_.push_back(x);
    z_.push_back(z);
    weight_.push_back(weight);
}

void SviPoints::finish(double wing) {
    wing_ = wing;
    const std::size_t n = x_.size();
    const std::size_t padded = (n + 3) / 4 * 4;
    for (auto* column : {&cx_, &cw_, &cwx_, &cwz_}) column->assign(padded, 0.0);
    weight_sum_ = mean_x_ = mean_z_ = sxx_ = sxz_ = szz_ = 0;
    for (std::size_t i = 0; i < n; ++i) {
        weight_sum_ += weight_[i];
        mean_x_ += weight_[i] * x_[i];
        mean_z_ += weight_[i] * z_[i];
    }
    mean_x_ /= weight_sum_;
    mean_z_ /= weight_sum_;
    for (std::size_t i = 0; i < n; ++i) {
        const double x = x_[i] - mean_x_;
        const double z = z_[i] - mean_z_;
        cx_[i] = x;
        cw_[i] = weight_[i];
        cwx_[i] = weight_[i] * x;
        cwz_[i] = weight_[i] * z;
        sxx_ += cwx_[i] * x;
        sxz_ += cwx_[i] * z;
        szz_ += cwz_[i] * z;
    }
}

// f(d, c) = szz - 2 d sxz - 2 c srz + d^2 sxx + 2 d c sxr + c^2 srr.
struct SviPoints::Quadratic {
    double szz, sxz, srz, sxx, sxr, srr;

    [[nodiscard]] double at(double d, double c) const noexcept {
        return szz - 2.0 * (d * sxz + c * srz) + d * d * sxx + 2.0 * d * c * sxr + c * c * srr;
    }
    // The least on the segment from (d, c) to (d, c) + t (dd, dc), t in [0, 1].
    void try_edge(double d, double c, double dd, double dc, double& best, double& best_d,
                  double& best_c) const noexcept {
        const double bend = dd * dd * sxx + 2.0 * dd * dc * sxr + dc * dc * srr;
        const double fall = dd * (sxz - d * sxx - c * sxr) + dc * (srz - d * sxr - c * srr);
        const double t = bend > 0 ? std::clamp(fall / bend, 0.0, 1.0) : (fall > 0 ? 1.0 : 0.0);
        const double value = at(d + t * dd, c + t * dc);
        if (value < best) {
            best = value;
            best_d = d + t * dd;
            best_c = c + t * dc;
        }
    }
};

double SviPoints::solve(double m, double s, Svi& out) const noexcept {
    const double shift = m - mean_x_;
    const double square = s * s;
    std::array<double, 4> r0{};
    std::array<double, 4> r1{};
    std::array<double, 4> r2{};
    for (std::size_t i = 0; i < cx_.size(); i += 4) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            const double t = cx_[i + lane] - shift;
            const double r = std::sqrt(t * t + square);
            r0[lane] += cw_[i + lane] * r;
            r1[lane] += cwx_[i + lane] * r;
            r2[lane] += cwz_[i + lane] * r;
        }
    }
    const double sum_r = (r0[0] + r0[1]) + (r0[2] + r0[3]);
    const double mean_r = sum_r / weight_sum_;
    Quadratic f{};
    f.szz = szz_;
    f.sxz = sxz_;
    f.sxx = sxx_;
    f.sxr = (r1[0] + r1[1]) + (r1[2] + r1[3]);
    f.srz = (r2[0] + r2[1]) + (r2[2] + r2[3]);
    f.srr = std::max(0.0, sxx_ + weight_sum_ * (shift * shift + square) - sum_r * mean_r);

    const double det = f.sxx * f.srr - f.sxr * f.sxr;
    double d = 0;
    double c = 0;
    double cost = 0;
    bool inside = false;
    if (det > 1e-12 * f.sxx * f.srr) {
        d = (f.sxz * f.srr - f.srz * f.sxr) / det;
        c = (f.srz * f.sxx - f.sxz * f.sxr) / det;
        inside = std::fabs(d) <= kRhoMax * c && std::fabs(d) + c <= wing_;
    }
    if (inside) {
        cost = f.at(d, c);
    } else {
        cost = f.szz;  // flat
        d = c = 0;
        const double far = wing_ / (1.0 + kRhoMax);
        const double tilt = kRhoMax * far;
        f.try_edge(0, 0, tilt, far, cost, d, c);
        f.try_edge(0, 0, -tilt, far, cost, d, c);
        f.try_edge(tilt, far, -tilt, wing_ - far, cost, d, c);
        f.try_edge(-tilt, far, tilt, wing_ - far, cost, d, c);
    }
    out.d = d;
    out.c = c;
    out.m = m;
    out.s = s;
    out.a = mean_z_ - c * mean_r + d * shift;
    const double low = kVertexMin - out.vertex();
    if (low > 0) {  // lifted as a whole: not the best such smile, but one, at its true cost
        out.a += low;
        cost += weight_sum_ * low * low;
    }
    return std::max(cost, 0.0);
}

void SviPoints::make_feasible(Svi& svi) const noexcept {
    svi.c = std::clamp(svi.c, 0.0, wing_);
    const double tilt = std::min(kRhoMax * svi.c, wing_ - svi.c);
    svi.d = std::clamp(svi.d, -tilt, tilt);
    svi.a += std::max(0.0, kVertexMin - svi.vertex());
}

}  // namespace scanmq::market
