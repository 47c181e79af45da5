#include "scanner/pricing/american_curve.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/base/assert.hpp"
#include "scanner/pricing/american_kernel.hpp"
#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/dividend_schedule.hpp"
#include "scanner/pricing/finite_differences.hpp"
#include "scanner/pricing/normal.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing {
namespace {

constexpr detail::DifferenceGrid kCoarse{96, 60, 5.5, 0.0};
constexpr detail::DifferenceGrid kFine{192, 60, 5.5, 0.0};
constexpr std::size_t kGridNodes = 2 * static_cast<std::size_t>(kCoarse.half_nodes) + 1;

}  // namespace

AmericanCurve::Point AmericanCurve::exercised(double underlying) const noexcept {
    return {side_ * (underlying - strike_), side_};
}

// Black (1976).
AmericanCurve::Point AmericanCurve::european(double carried) const noexcept {
    if (!(carried > 0.0)) return {side_ > 0.0 ? 0.0 : paid_strike_, 0.0};
    if (deviation_ == 0.0) {  // d1 is 0/0 at the strike
        const double value = side_ * (carried - paid_strike_);
        return value > 0.0 ? Point{value, growth_ * side_} : Point{};
    }
    const double d1 = (portable::log(carried) - log_paid_strike_) / deviation_ + 0.5 * deviation_;
    const double share = side_ * normal_cdf(side_ * d1);
    const double paid = side_ * paid_strike_ * normal_cdf(side_ * (d1 - deviation_));
    return {carried * share - paid, growth_ * share};
}

// x in steps of the table, derivative by steps.
AmericanCurve::Point AmericanCurve::between_nodes(double x) const noexcept {
    const double last = static_cast<double>(nodes_.size() - 1);
    const double cell = std::min(std::floor(x), last - 1.0);
    const double t = x - cell;
    const Node& a = nodes_[static_cast<std::size_t>(cell)];
    const Node& b = nodes_[static_cast<std::size_t>(cell) + 1];
    const double rise = b.value - a.value;
    const double square = 3.0 * rise - 2.0 * a.slope - b.slope;
    const double cube = a.slope + b.slope - 2.0 * rise;
    return {a.value + t * (a.slope + t * (square + t * cube)),
            a.slope + t * (2.0 * square + 3.0 * t * cube)};
}

// The table is of the put that the option is by symmetry: of K, in ln S/K, or of S, in ln K/S.
AmericanCurve::Point AmericanCurve::at_boundary(double underlying) const noexcept {
    const bool put = side_ < 0.0;
    const Point now = exercised(underlying);
    if (!(underlying > 0.0)) return put ? now : Point{};
    const double y = portable::log(put ? underlying / strike_ : strike_ / underlying);
    if (y <= low_) return now;
    Point out = european(growth_ * underlying);
    if (y < high_) {
        // Steps are even in the root.
        const double root = std::sqrt((y - low_) * over_step_);
        const Point premium = between_nodes(root * detail::kCurveCells);
        const double slope = 0.5 * detail::kCurveCells * over_step_ * premium.slope / root;
        out.value += put ? strike_ * premium.value : underlying * premium.value;
        out.slope += put ? strike_ * slope / underlying : premium.value - slope;
    }
    return out.value > now.value ? out : now;
}

AmericanCurve::Point AmericanCurve::on_grid(double underlying) const noexcept {
    const double x = std::max(underlying - shift_, 0.0);
    Point out = european(growth_ * x);
    if (x > 0.0 && !nodes_.empty()) {
        const double y = portable::log(x);
        if (y > low_ && y < high_) {
            const Point premium = between_nodes((y - low_) * over_step_);
            out.value += premium.value;
            out.slope += premium.slope * over_step_ / x;
        }
    }
    for (const Line& line : lines_) {
        const double value = line.level + line.slope * x;
        if (value > out.value) out = {value, line.slope};
    }
    const Point now = exercised(underlying);
    return out.value > now.value ? out : now;
}

AmericanCurve::Point AmericanCurve::at(double underlying) const noexcept {
    return kind_ == Kind::boundary ? at_boundary(underlying) : on_grid(underlying);
}

class CurveMaker {
  public:
    explicit CurveMaker(const CurveMarket& market)
        : market_(market), discount_(portable::exp(-market.rate * market.years)) {
        const detail::DividendSchedule dividends(market.dividends, market.years);
        usable_ = dividends.usable;
        plain_ = dividends.size == 0;
        puts_ = {market.yield, {dividends.inside().begin(), dividends.inside().end()}};
        calls_ = {std::max(market.yield, 0.0), puts_.schedule};
        // Forwards above what the rate gives are no yield of a call, which would make it worth more
        // than the underlying far above: an amount that is got at the end.
        if (market.yield < 0.0) {
            calls_.schedule.insert(calls_.schedule.begin(),
                                   {market.years, market.paid_out / discount_});
        }
    }

    void make(std::span<const CurveLeg> legs, std::span<AmericanCurve> out) {
        SCANMQ_ASSERT(legs.size() == out.size());
        for (std::size_t i = 0; i < legs.size(); ++i) start(legs[i], out[i]);
        for (const bool calm : {false, true}) solve_boundaries(legs, out, calm);
        solve_grids(legs, out, Right::call);
        solve_grids(legs, out, Right::put);
    }

  private:
    using Curve = AmericanCurve;

    // What the grids of a side take the underlying to pay.
    struct Paid {
        double yield{};
        std::vector<CashDividend> schedule;  // latest first
    };
    [[nodiscard]] const Paid& paid(Right right) const noexcept {
        return right == Right::put ? puts_ : calls_;
    }

    [[nodiscard]] BsmInputs inputs(const CurveLeg& leg) const noexcept {
        const BsmExpiry at_strike{.spot = leg.strike,
                                  .rate = market_.rate,
                                  .yield = market_.yield,
                                  .years = market_.years};
        return contract_of(at_strike, leg.strike, leg.volatility, leg.right).in;
    }

    void start(const CurveLeg& leg, Curve& out) {
        const bool put = leg.right == Right::put;
        out.side_ = put ? -1.0 : 1.0;
        out.strike_ = usable_ ? leg.strike : std::numeric_limits<double>::quiet_NaN();
        out.paid_strike_ = out.strike_ * discount_;
        out.log_paid_strike_ = portable::log(out.paid_strike_);
        out.deviation_ = leg.volatility * std::sqrt(market_.years);
        out.growth_ = 1.0;
        out.shift_ = market_.paid_out;
        out.far_above_ = std::max(-out.shift_ - out.paid_strike_, -out.strike_);
        out.nodes_.clear();
        out.lines_.clear();
        out.kind_ = Curve::Kind::european;
        if (!usable_) return;
        const BsmInputs in = inputs(leg);
        const auto regime =
            detail::put_regime(detail::put_form(in, leg.right), leg.volatility, market_.years);
        using enum detail::Regime;
        if (regime == bad || regime == exercise) return;
        if (plain_ && regime == european) return;
        if (plain_ && regime == boundary) {
            out.kind_ = Curve::Kind::boundary;
            out.growth_ = portable::exp(-market_.yield * market_.years);
            out.far_above_ = -leg.strike;
            return;
        }
        out.kind_ = Curve::Kind::grid;
        place_lines(paid(leg.right), out);
    }

    // Exercise just before and after each ex-moment, now and at the end, if X grew for certain.
    void place_lines(const Paid& paid, Curve& out) const {
        out.growth_ = portable::exp(-paid.yield * market_.years);
        out.shift_ = 0.0;
        out.far_above_ = -out.strike_;
        double unpaid = 0.0;
        const auto add = [&](double t) {
            const double level = out.strike_ * portable::exp(-market_.rate * t) - unpaid;
            const double slope = portable::exp(-paid.yield * t);
            out.lines_.push_back({-out.side_ * level, out.side_ * slope});
        };
        add(market_.years);
        for (const CashDividend& one : paid.schedule) {
            add(one.years);
            unpaid += one.amount * portable::exp(-market_.rate * one.years);
            add(one.years);
        }
        out.shift_ = unpaid;
        if (out.side_ < 0.0 || paid.yield > 0.0) return;
        for (const Curve::Line& line : out.lines_) {
            out.far_above_ = std::max(out.far_above_, line.level - out.shift_);
        }
    }

    [[nodiscard]] bool is_calm(const CurveLeg& leg) const noexcept {
        return detail::is_calm(inputs(leg));
    }

    void solve_boundaries(std::span<const CurveLeg> legs, std::span<Curve> out, bool calm) {
        const auto flush = [&] {
            if (block_.size == 0) return;
            detail::put_curves(detail::american_tables(AmericanScheme::fast, calm), block_,
                               curves_);
            for (std::size_t i = 0; i < block_.size; ++i) take_boundary(i, out[target_[i]]);
            block_.size = 0;
        };
        for (std::size_t i = 0; i < legs.size(); ++i) {
            const CurveLeg& leg = legs[i];
            if (out[i].kind_ != Curve::Kind::boundary || is_calm(leg) != calm) continue;
            const auto put = detail::put_form(inputs(leg), leg.right);
            target_[block_.size] = i;
            detail::add_put(block_, put, leg.volatility, market_.years);
            if (block_.size == detail::kPutBlock) flush();
        }
        flush();
    }

    void take_boundary(std::size_t row, Curve& out) const {
        out.low_ = curves_.low[row];
        out.high_ = curves_.high[row];
        const double width = out.high_ - out.low_;
        out.over_step_ = 1.0 / width;
        out.nodes_.resize(detail::kCurveCells + 1);
        for (std::size_t k = 0; k <= detail::kCurveCells; ++k) {
            const double by_step =
                2.0 * width * static_cast<double>(k) / (detail::kCurveCells * detail::kCurveCells);
            out.nodes_[k] = {curves_.premium[k][row], curves_.slope[k][row] * by_step};
        }
    }

    void solve_grids(std::span<const CurveLeg> legs, std::span<Curve> out, Right right) {
        detail::DifferenceBlock block{};
        block.years = market_.years;
        block.dividends = paid(right).schedule;
        block.european_control = true;
        const auto flush = [&] {
            if (block.size > 0) run_grids(block, out);
            block.size = 0;
        };
        for (std::size_t i = 0; i < legs.size(); ++i) {
            // Without deviation the lines are all.
            const bool empty = out[i].deviation_ < detail::kDeviationMin;
            if (out[i].kind_ != Curve::Kind::grid || legs[i].right != right || empty) continue;
            const std::size_t row = block.size++;
            target_[row] = i;
            block.spot[row] = legs[i].strike;
            block.strike[row] = legs[i].strike;
            block.rate[row] = market_.rate;
            block.yield[row] = paid(right).yield;
            block.volatility[row] = legs[i].volatility;
            block.sign[row] = -out[i].side_;
            if (block.size == detail::kDifferenceBlock) flush();
        }
        flush();
    }

    void run_grids(detail::DifferenceBlock& block, std::span<Curve> out) {
        std::array<double, detail::kDifferenceBlock> step{};
        coarse_.resize(kGridNodes * detail::kDifferenceBlock);
        fine_.resize((2 * kGridNodes - 1) * detail::kDifferenceBlock);
        detail::difference_premiums(kFine, block, fine_, step);
        detail::difference_premiums(kCoarse, block, coarse_, step);
        for (std::size_t i = 0; i < block.size; ++i) take_grid(i, step[i], out[target_[i]]);
    }

    void take_grid(std::size_t row, double step, Curve& out) const {
        const auto limit = [&](std::size_t node) {
            const double coarse = coarse_[node * detail::kDifferenceBlock + row];
            const double fine = fine_[2 * node * detail::kDifferenceBlock + row];
            return fine + (fine - coarse) / 3.0;
        };
        out.nodes_.resize(kGridNodes);
        for (std::size_t k = 0; k < kGridNodes; ++k) out.nodes_[k].value = limit(k);
        const auto value = [&](std::size_t k) { return out.nodes_[k].value; };
        for (std::size_t k = 1; k + 1 < kGridNodes; ++k) {
            const double near = 0.5 * (value(k + 1) - value(k - 1));
            const bool ends = k == 1 || k + 2 == kGridNodes;
            out.nodes_[k].slope =
                ends ? near : (8.0 * 2.0 * near - (value(k + 2) - value(k - 2))) / 12.0;
        }
        out.nodes_.front().slope = value(1) - value(0);
        out.nodes_.back().slope = value(kGridNodes - 1) - value(kGridNodes - 2);
        const double middle = portable::log(out.strike_);
        out.low_ = middle - kCoarse.half_nodes * step;
        out.high_ = middle + kCoarse.half_nodes * step;
        out.over_step_ = 1.0 / step;
    }

    const CurveMarket& market_;
    double discount_;
    bool usable_{};
    bool plain_{};  // no dividends
    Paid calls_;
    Paid puts_;
    std::array<std::size_t, detail::kPutBlock> target_{};
    detail::PutBlock block_{};
    detail::PutCurves curves_;
    std::vector<double> coarse_;
    std::vector<double> fine_;
};

void american_curves(const CurveMarket& market, std::span<const CurveLeg> legs,
                     std::span<AmericanCurve> out) {
    CurveMaker(market).make(legs, out);
}

}  // namespace scanmq::pricing
