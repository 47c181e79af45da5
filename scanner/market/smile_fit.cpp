#include "scanner/market/smile_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "scanner/market/smile_arbitrage.hpp"
#include "scanner/market/svi_search.hpp"

namespace scanmq::market {

namespace {

// What no quote's volatility is surer than: ticks are rounded, and SVI is not the market's own form.
constexpr double kUncertaintyMin = 0.0005;
// Misses below so many uncertainties are no reason to doubt a quote.
constexpr double kScaleMin = 1.0;
constexpr double kCauchy = 2.385;
constexpr double kOutlier = 0.05;

}  // namespace

void SmileFitter::add(double k, double volatility, double uncertainty) {
    if (!std::isfinite(k) || !(volatility > 0) || !(volatility < 100.0)) return;
    if (!(uncertainty >= 0) || !std::isfinite(uncertainty)) return;
    quotes_.push_back(
        {.k = k, .volatility = volatility, .uncertainty = std::max(uncertainty, kUncertaintyMin)});
}

// The median volatility of the five quotes nearest to the money.
double SmileFitter::level() const noexcept {
    const auto above = std::lower_bound(quotes_.begin(), quotes_.end(), 0.0,
                                        [](const Quote& q, double k) { return q.k < k; });
    const std::size_t at = static_cast<std::size_t>(above - quotes_.begin());
    const std::size_t last = std::min(quotes_.size(), std::max<std::size_t>(at + 2, 5));
    std::array<double, 5> near{};
    for (std::size_t i = 0; i < 5; ++i) near[i] = quotes_[last - 5 + i].volatility;
    std::nth_element(near.begin(), near.begin() + 2, near.end());
    return near[2];
}

void SmileFitter::scale(double years) {
    sigma0_ = level();
    w0_ = sigma0_ * sigma0_ * years;
    const double over_v0 = 1.0 / std::sqrt(w0_);
    surest_ = quotes_.front().uncertainty;
    for (const auto& q : quotes_) surest_ = std::min(surest_, q.uncertainty);
    for (auto& q : quotes_) {
        const double ratio = q.volatility / sigma0_;
        q.x = q.k * over_v0;
        q.z = ratio * ratio;
        // An error of the volatility, in units of sigma0, is one of z over 2 ratio.
        const double doubt = 2.0 * ratio * q.uncertainty / surest_;
        q.weight = 1.0 / (doubt * doubt);
    }
}

void SmileFitter::group() {
    const std::size_t size = (quotes_.size() + kGroups - 1) / kGroups;
    points_.clear();
    for (std::size_t first = 0; first < quotes_.size(); first += size) {
        const std::size_t last = std::min(first + size, quotes_.size());
        double weight = 0;
        double x = 0;
        double z = 0;
        for (std::size_t i = first; i < last; ++i) {
            const auto& q = quotes_[i];
            const double w = q.weight * q.factor;
            weight += w;
            x += w * q.x;
            z += w * q.z;
        }
        points_.add(x / weight, z / weight, weight);
    }
    points_.finish(kWingSlopeMax * (1.0 - 1e-9) / std::sqrt(w0_));
}

// Cauchy's weights, by how many deviations a quote misses; their scale is the median's.
void SmileFitter::reweight(const Svi& svi) {
    scratch_.clear();
    for (auto& q : quotes_) {
        q.factor = std::sqrt(q.weight) * std::fabs(q.z - svi.at(q.x));
        scratch_.push_back(q.factor);
    }
    const auto middle = scratch_.begin() + static_cast<std::ptrdiff_t>(scratch_.size() / 2);
    std::nth_element(scratch_.begin(), middle, scratch_.end());
    // One uncertainty of the volatility is surest_ / sigma0_ in these units.
    const double scale = std::max(1.4826 * *middle, kScaleMin * surest_ / sigma0_);
    for (auto& q : quotes_) {
        const double u = q.factor / (kCauchy * scale);
        q.factor = 1.0 / (1.0 + u * u);
    }
}

Svi SmileFitter::fit_robustly() {
    constexpr int kReweightings = 2;
    constexpr int kPolishRounds = 6;
    for (auto& q : quotes_) q.factor = 1.0;
    group();
    Svi svi = search_svi(points_);
    for (int i = 0; i < kReweightings; ++i) {
        reweight(svi);
        group();
        polish_svi(points_, kPolishRounds, svi);
    }
    return svi;
}

void SmileFitter::judge(double years, SmileFit& out) const noexcept {
    double sum = 0;
    double weights = 0;
    for (const auto& q : quotes_) {
        if (q.factor < kOutlier) continue;
        ++out.quotes_used;
        const double miss = (q.volatility - out.smile.volatility(q.k, years)) / q.uncertainty;
        sum += miss * miss;
        weights += 1.0 / (q.uncertainty * q.uncertainty);
    }
    out.rms_error = std::sqrt(sum / weights);
}

SmileFit SmileFitter::fit(double years) {
    SmileFit out;
    out.status = SmileStatus::few_quotes;
    if (quotes_.size() < kQuotesMin || !(years > 0)) return out;
    scale(years);
    Svi svi = fit_robustly();
    out.status = SmileStatus::fitted;
    const Smile best = svi.unscaled(w0_);
    if (!(least_butterfly_density(best, DensityGrid::coarse) >= 0) ||
        !(least_butterfly_density(best) >= 0)) {
        out.status = repair_svi(points_, w0_, svi) ? SmileStatus::repaired : SmileStatus::butterfly;
    }
    out.smile = svi.unscaled(w0_);
    judge(years, out);
    return out;
}

}  // namespace scanmq::market
