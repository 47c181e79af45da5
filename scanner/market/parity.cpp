#include "scanner/market/parity.hpp"

#include <algorithm>
#include <cmath>

#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

namespace {

constexpr double kPairsMin = 4;  // for a slope
constexpr double kWidestWindow = 0.6;
constexpr double kTrim = 4.0;           // residuals beyond so many deviations do not count
constexpr double kDecayYears = 1.0;     // of the curve's slope and hump
constexpr double kCurveError = 0.0005;  // what the curve's shape itself may be off, per expiry
constexpr double kQuoteError =
    0.0002;  // relative error of D that all quotes of an expiry may share

// Prior deviations of level, slope and hump around zero.
constexpr std::array<double, 3> kPriorDeviation{0.05, 0.05, 0.08};

using Basis = std::array<double, 3>;

Basis basis_at(double years) noexcept {
    const double x = std::max(years, 1e-9) / kDecayYears;
    const double p = -portable::expm1(-x) / x;
    return {1.0, p, p - portable::exp(-x)};
}

double dot(const Basis& a, const Basis& b) noexcept {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Solves the symmetric positive definite system a x = b by Cholesky's method, for the leading `n`
// unknowns; the rest are zero. Returns 1/a[0][0] of the factor squared: the variance of x[0] for n
// = 1.
double solve(std::array<Basis, 3> a, Basis b, std::size_t n, Basis& x) noexcept {
    for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
        a[j][j] = std::sqrt(a[j][j]);
        for (std::size_t i = j + 1; i < n; ++i) {
            for (std::size_t k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
    }
    x = {};
    for (std::size_t i = 0; i < n; ++i) {
        x[i] = b[i];
        for (std::size_t k = 0; k < i; ++k) x[i] -= a[i][k] * x[k];
        x[i] /= a[i][i];
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) x[i] -= a[k][i] * x[k];
        x[i] /= a[i][i];
    }
    return 1.0 / (a[0][0] * a[0][0]);
}

struct Line {
    double mean_x{};
    double mean_y{};
    double slope{};
    double sxx{};
    double weight{};
};

// Weighted least squares of y on x.
Line fit_line(std::span<const ParityPair> pairs, std::span<const double> weights) noexcept {
    Line line;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        line.weight += weights[i];
        line.mean_x += weights[i] * pairs[i].strike;
        line.mean_y += weights[i] * pairs[i].difference;
    }
    line.mean_x /= line.weight;
    line.mean_y /= line.weight;
    double sxy = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const double dx = pairs[i].strike - line.mean_x;
        line.sxx += weights[i] * dx * dx;
        sxy += weights[i] * dx * (pairs[i].difference - line.mean_y);
    }
    line.slope = sxy / line.sxx;
    return line;
}

// The pairs within a window around the forward.
std::span<const ParityPair> within(std::span<const ParityPair> pairs, double forward,
                                   double window) {
    const auto below = [](const ParityPair& pair, double strike) { return pair.strike < strike; };
    const auto first =
        std::lower_bound(pairs.begin(), pairs.end(), forward * portable::exp(-window), below);
    const auto last = std::lower_bound(first, pairs.end(), forward * portable::exp(window), below);
    return {first, last};
}

// Drops pairs from the outside until the nearest `count` are left.
std::span<const ParityPair> nearest(std::span<const ParityPair> pairs, double forward,
                                    std::size_t count) noexcept {
    while (pairs.size() > count) {
        const bool drop_first = forward - pairs.front().strike > pairs.back().strike - forward;
        pairs = drop_first ? pairs.subspan(1) : pairs.first(pairs.size() - 1);
    }
    return pairs;
}

}  // namespace

void find_parity_pairs(const Chain& chain, const Expiry& expiry, std::vector<ParityPair>& pairs) {
    pairs.clear();
    const auto quoted = [&](std::size_t i) {
        return chain.bid[i] > 0 && chain.ask[i] > 0 && chain.ask[i] >= chain.bid[i];
    };
    std::size_t call = expiry.call_begin;
    std::size_t put = expiry.put_begin;
    while (call < expiry.put_begin && put < expiry.end) {
        if (chain.strike[call] < chain.strike[put]) {
            ++call;
        } else if (chain.strike[put] < chain.strike[call]) {
            ++put;
        } else {
            if (quoted(call) && quoted(put)) {
                const double spreads =
                    chain.ask[call] - chain.bid[call] + chain.ask[put] - chain.bid[put];
                const double difference =
                    0.5 * (chain.bid[call] + chain.ask[call] - chain.bid[put] - chain.ask[put]);
                // A locked market is still not certain to more than a tick.
                pairs.push_back({chain.strike[call], difference, std::max(0.5 * spreads, 0.01),
                                 0.5 * (chain.bid[call] + chain.ask[call])});
            }
            ++call;
            ++put;
        }
    }
}

double rough_forward(std::span<const ParityPair> pairs) noexcept {
    if (pairs.empty()) return kMissing;
    const auto closest =
        std::min_element(pairs.begin(), pairs.end(), [](const ParityPair& a, const ParityPair& b) {
            return std::fabs(a.difference) < std::fabs(b.difference);
        });
    // One stale pair may look like the money; its neighbours then say otherwise.
    const auto at = static_cast<std::size_t>(closest - pairs.begin());
    const std::size_t first = at < 2 ? 0 : at - 2;
    const std::size_t last = std::min(pairs.size(), at + 3);
    std::array<double, 5> implied{};
    std::size_t count = 0;
    for (std::size_t i = first; i < last; ++i)
        implied[count++] = pairs[i].strike + pairs[i].difference;
    std::sort(implied.begin(), implied.begin() + static_cast<std::ptrdiff_t>(count));
    return implied[count / 2];
}

std::span<const ParityPair> nearest_pairs(std::span<const ParityPair> pairs, double forward,
                                          double window, std::size_t pairs_max) noexcept {
    return nearest(within(pairs, forward, window), forward, pairs_max);
}

bool estimate_rate(std::span<const ParityPair> pairs, double forward, NearMoney near_money,
                   double years, RateEstimate& out) {
    auto near = within(pairs, forward, near_money.window);
    if (near.size() < near_money.pairs_wanted) {
        near = nearest(within(pairs, forward, kWidestWindow), forward, near_money.pairs_wanted);
    }
    if (static_cast<double>(near.size()) < kPairsMin || years <= 0) return false;
    std::vector<double> weights(near.size());
    for (std::size_t i = 0; i < near.size(); ++i) {
        weights[i] = 1.0 / (near[i].uncertainty * near[i].uncertainty);
    }
    std::vector<double> distances;
    Line line;
    double residuals = 0;
    double kept = 0;
    for (int round = 0; round < 3; ++round) {
        line = fit_line(near, weights);
        distances.clear();
        const auto residual = [&](std::size_t i) {
            return near[i].difference - line.mean_y - line.slope * (near[i].strike - line.mean_x);
        };
        for (std::size_t i = 0; i < near.size(); ++i) distances.push_back(std::fabs(residual(i)));
        const double cut = kTrim * 1.4826 * median(distances) + 1e-6;
        residuals = 0;
        kept = 0;
        for (std::size_t i = 0; i < near.size(); ++i) {
            const double r = residual(i);
            if (std::fabs(r) > cut) {
                weights[i] = 0;
                continue;
            }
            weights[i] = 1.0 / (near[i].uncertainty * near[i].uncertainty);
            residuals += weights[i] * r * r;
            kept += 1;
        }
        if (kept < kPairsMin) return false;
    }
    const double discount = -line.slope;
    if (!(discount > 0.2 && discount < 2.0) || !(line.sxx > 0)) return false;
    // Residuals cannot say less than rounding to ticks does, hence the floor of a cent.
    const double floor = 1e-4 * line.weight / static_cast<double>(near.size());
    const double spread = std::max(residuals / (kept - 2), floor);
    out.years = years;
    out.rate = -portable::log(discount) / years;
    out.variance =
        (spread / line.sxx / (discount * discount) + kQuoteError * kQuoteError) / (years * years);
    return std::isfinite(out.rate) && std::isfinite(out.variance);
}

RateCurve RateCurve::flat(double rate) noexcept {
    RateCurve curve;
    curve.coefficients_[0] = rate;
    return curve;
}

RateCurve RateCurve::fit(std::span<const RateEstimate> estimates, bool level_only) {
    RateCurve curve;
    if (estimates.empty()) return curve;
    const std::size_t unknowns = level_only ? 1 : 3;
    std::vector<bool> used(estimates.size(), true);
    std::vector<double> distances(estimates.size());
    std::vector<double> scratch;
    constexpr int kRounds = 10;
    for (int round = 0; round < kRounds; ++round) {
        std::array<Basis, 3> matrix{};
        Basis right{};
        for (std::size_t k = 0; k < 3; ++k) {
            matrix[k][k] = 1.0 / (kPriorDeviation[k] * kPriorDeviation[k]);
        }
        for (std::size_t i = 0; i < estimates.size(); ++i) {
            if (!used[i]) continue;
            const auto row = basis_at(estimates[i].years);
            const double weight = 1.0 / (estimates[i].variance + kCurveError * kCurveError);
            for (std::size_t a = 0; a < 3; ++a) {
                right[a] += weight * row[a] * estimates[i].rate;
                for (std::size_t b = 0; b < 3; ++b) matrix[a][b] += weight * row[a] * row[b];
            }
        }
        curve.level_deviation_ = std::sqrt(solve(matrix, right, unknowns, curve.coefficients_));

        for (std::size_t i = 0; i < estimates.size(); ++i) {
            const double miss =
                estimates[i].rate - dot(curve.coefficients_, basis_at(estimates[i].years));
            distances[i] =
                std::fabs(miss) / std::sqrt(estimates[i].variance + kCurveError * kCurveError);
        }
        scratch = distances;
        const double cut = 3.0 * std::max(1.0, 1.4826 * median(scratch));
        bool changed = false;
        for (std::size_t i = 0; i < estimates.size(); ++i) {
            const bool keep = distances[i] <= cut;
            changed |= keep != used[i];
            used[i] = keep;
        }
        if (!changed) break;
    }
    for (std::size_t i = 0; i < estimates.size(); ++i) {
        if (used[i]) curve.years_max_ = std::max(curve.years_max_, estimates[i].years);
    }
    return curve;
}

RateCurve RateCurve::through(std::span<const RatePoint> points) {
    RateCurve curve;
    for (const auto& point : points) {
        if (std::isfinite(point.rate) && std::isfinite(point.years) && point.years >= 0) {
            curve.points_.push_back(point);
        }
    }
    std::stable_sort(curve.points_.begin(), curve.points_.end(),
                     [](const RatePoint& a, const RatePoint& b) { return a.years < b.years; });
    return curve;
}

double RateCurve::rate(double years) const noexcept {
    if (!points_.empty()) {
        const auto after =
            std::upper_bound(points_.begin(), points_.end(), years,
                             [](double t, const RatePoint& point) { return t < point.years; });
        if (after == points_.begin()) return points_.front().rate;
        if (after == points_.end()) return points_.back().rate;
        const auto& left = *(after - 1);
        const double share = (years - left.years) / (after->years - left.years);
        return left.rate + share * (after->rate - left.rate);
    }
    return dot(coefficients_, basis_at(std::min(years, years_max_)));
}

double RateCurve::discount(double years) const noexcept {
    return portable::exp(-rate(years) * years);
}

double parity_forward(std::span<const ParityPair> pairs, double rough, double discount,
                      std::size_t pairs_max) {
    constexpr double kNear = 0.05;
    constexpr double kFar = 0.20;
    auto near = within(pairs, rough, kNear);
    if (near.empty()) near = within(pairs, rough, kFar);
    near = nearest(near, rough, pairs_max);
    struct Candidate {
        double forward;
        double weight;
    };
    std::vector<Candidate> candidates;
    double total = 0;
    for (const auto& pair : near) {
        const double weight = 1.0 / pair.uncertainty;
        candidates.push_back({pair.strike + pair.difference / discount, weight});
        total += weight;
    }
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.forward < b.forward; });
    double sum = 0;
    for (const auto& candidate : candidates) {
        sum += candidate.weight;
        if (sum >= 0.5 * total) return candidate.forward;
    }
    return kMissing;
}

}  // namespace scanmq::market
