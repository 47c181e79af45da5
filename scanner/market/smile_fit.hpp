#pragma once
// SmileFitter: raw SVI through the volatilities of one expiry.
//
// Role:    used by price_chain, once an expiry, on its out-of-the-money quotes.
// Method:  docs/SCANNER.md, "The smile". Least squares in volatility, weighted by 1/uncertainty^2;
//          quotes far from the fit count less in the next round (Cauchy's weights), those that end up
//          with less than a twentieth of their weight are outliers and not counted as used.
// Threads: one owner; the buffers are kept from one expiry to the next.
// Limits:  the fit works on at most kGroups points: neighbours are merged, by their weights.

#include <cstdint>
#include <limits>
#include <vector>

#include "scanner/market/smile.hpp"
#include "scanner/market/svi_points.hpp"

namespace scanmq::market {

struct SmileFit {
    Smile smile;  // meaningless unless status is fitted or repaired
    SmileStatus status{SmileStatus::none};
    std::uint32_t quotes_used{};
    double rms_error{std::numeric_limits<double>::quiet_NaN()};  // weighted as the fit is
};

class SmileFitter {
  public:
    static constexpr std::size_t kQuotesMin = 6;

    void clear() noexcept { quotes_.clear(); }
    // k = ln(K/F), ascending. What is not finite or not positive (volatility, uncertainty) is left
    // out. uncertainty: what the volatility may be off, such as half the spread over vega.
    void add(double k, double volatility, double uncertainty);
    // years > 0.
    [[nodiscard]] SmileFit fit(double years);

  private:
    static constexpr std::size_t kGroups = 64;

    struct Quote {
        double k;
        double volatility;
        double uncertainty;
        double x{};  // scaled, see svi_points.hpp
        double z{};
        double weight{};
        double factor{1.0};  // what reweighting leaves of the weight
    };
    [[nodiscard]] double level() const noexcept;
    void scale(double years);
    void group();
    void reweight(const Svi& svi);
    [[nodiscard]] Svi fit_robustly();
    void judge(double years, SmileFit& out) const noexcept;

    std::vector<Quote> quotes_;
    std::vector<double> scratch_;
    SviPoints points_;
    double sigma0_{};  // near the volatility at the money
    double w0_{};
    double surest_{};  // the least uncertainty
};

}  // namespace scanmq::market
