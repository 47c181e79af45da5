#pragma once
// AmericanCurve: what one American option is worth at a later moment, as a function of the underlying
//                then. The later legs of two-expiry spreads are repriced by it.
//
// Model:    from that moment on the underlying grows at `rate` less `yield` and pays the dividends.
//           Where early exercise is never worth anything the value is Black's (1976) with what is
//           paid out an amount, and not a share of the underlying, as for a European option.
// Method:   European value in closed form plus the premium of early exercise off a table: 33 points of
//           ln S, denser towards the exercise boundary, up to where the premium ends, with derivatives,
//           cubic in between (Hermite). american_kernel.hpp solves the boundary once for all. With
//           dividends the table is a column of finite_differences.hpp, extrapolated from two grids.
// Accuracy: at a strike of 100: 2e-5 of the accurate scheme for volatilities from 5 % to 100 %, rates and
//           yields up to 10 % and up to two years, exact where exercise is due; with dividends 3e-4.
//           Never below exercise.
// Bad input: dividends that cash_dividends.hpp does not take: NaN.
// Memory:   about 600 bytes, 3 KB with dividends.
// Threads:  a value; at() is pure.
// See:      docs/SCAN_REQUEST.md#two-expiries

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "scanner/pricing/american.hpp"
#include "scanner/pricing/cash_dividends.hpp"

namespace scanmq::pricing {

// From the moment on. The discounted forward at S is (S - PV(dividends)) e^(-yield years); paid_out is
// what it lacks of S - PV(dividends) at the forward of that moment, an amount.
struct CurveMarket {
    double rate{};
    double yield{};
    double years{};
    double paid_out{};
    std::vector<CashDividend> dividends{};  // years counted from the moment
};

struct CurveLeg {
    double strike{};
    double volatility{};  // > 0
    Right right{};
};

class AmericanCurve {
  public:
    struct Point {
        double value{};
        double slope{};  // by the underlying
    };
    // underlying >= 0.
    [[nodiscard]] Point at(double underlying) const noexcept;
    // Of a call: value less underlying, as the underlying grows without bound.
    [[nodiscard]] double far_above() const noexcept { return far_above_; }

  private:
    friend class CurveMaker;
    // european: as a grid, without a table and without lines.
    enum class Kind : std::uint8_t { european, boundary, grid };
    // value and derivative over a step of the table.
    struct Node {
        double value{};
        double slope{};
    };
    // The best exercise at some certain time: level + slope X.
    struct Line {
        double level{};
        double slope{};
    };
    [[nodiscard]] Point european(double carried) const noexcept;
    [[nodiscard]] Point exercised(double underlying) const noexcept;
    [[nodiscard]] Point at_boundary(double underlying) const noexcept;
    [[nodiscard]] Point on_grid(double underlying) const noexcept;
    [[nodiscard]] Point between_nodes(double x) const noexcept;

    Kind kind_{};
    double side_{};  // 1 call, -1 put
    double strike_{};
    double paid_strike_{};  // discounted
    double log_paid_strike_{};
    double deviation_{};
    double growth_{1.0};  // discounted forward = growth (S - shift)
    double shift_{};
    double far_above_{};
    double low_{};  // of the table
    double high_{};
    double over_step_{};  // grid; boundary: over the table's whole width
    std::vector<Node> nodes_;
    std::vector<Line> lines_;
};

// Spans of equal length; out overwritten, its memory used again. A curve never depends on its
// neighbours.
void american_curves(const CurveMarket& market, std::span<const CurveLeg> legs,
                     std::span<AmericanCurve> out);

}  // namespace scanmq::pricing
