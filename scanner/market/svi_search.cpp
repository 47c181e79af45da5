#include "scanner/market/svi_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "scanner/market/smile_arbitrage.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

namespace {

// The vertex as the simplex sees it; s by its logarithm.
struct Vertex {
    double m{};
    double log_s{};
    double cost{};
    double least{};  // of g where butterflies count, else zero

    // By Deb's rule (2000): what has no arbitrage is better than what has, and that by how little.
    [[nodiscard]] bool better_than(const Vertex& other) const noexcept {
        if (least >= 0 && other.least >= 0) return cost < other.cost;
        if (least >= 0 || other.least >= 0) return least >= 0;
        return least > other.least;
    }
};

struct Bounds {
    double m_low{};
    double m_high{};
    double log_s_low{};
    double log_s_high{};
};

// Below 0.05 standard deviations the smile would be a kink between two strikes.
constexpr double kSharpest = 0.05;

Bounds bounds_of(const SviPoints& points) noexcept {
    // By rising strike, but where all are of one strike their rounded means may fall.
    const auto [low, high] = std::minmax(points.x().front(), points.x().back());
    const double range = std::max(high - low, 0.5);
    return {.m_low = low,
            .m_high = high,
            .log_s_low = portable::log(kSharpest),
            .log_s_high = portable::log(3.0 * range)};
}

// What butterflies are looked for with: nothing, or where g is looked at and what it must be at least.
struct DensityRule {
    double w0{};
    DensityGrid grid{};
    double margin{};

    [[nodiscard]] double left(const Svi& svi) const noexcept {
        return least_butterfly_density(svi.unscaled(w0), grid) - margin;
    }
};

class VertexSearch {
  public:
    // No rule: the best fit, whether or not it has butterflies.
    VertexSearch(const SviPoints& points, const DensityRule* rule) noexcept
        : points_(points), rule_(rule), bounds_(bounds_of(points)) {}

    Svi run() const noexcept {
        Vertex best = coarse();
        refine(best);
        Svi svi;
        points_.solve(best.m, portable::exp(best.log_s), svi);
        return svi;
    }

  private:
    Vertex at(double m, double log_s) const noexcept {
        Vertex v{.m = std::clamp(m, bounds_.m_low, bounds_.m_high),
                 .log_s = std::clamp(log_s, bounds_.log_s_low, bounds_.log_s_high)};
        Svi svi;
        v.cost = points_.solve(v.m, portable::exp(v.log_s), svi);
        if (rule_ != nullptr) v.least = rule_->left(svi);
        return v;
    }

    Vertex coarse() const noexcept {
        Vertex best{.cost = std::numeric_limits<double>::infinity(),
                    .least = -std::numeric_limits<double>::infinity()};
        for (const double m : {-1.0, 0.0, 0.7, 1.6}) {
            for (const double s : {0.2, 0.7, 2.0}) {
                const Vertex v = at(m, portable::log(s));
                if (v.better_than(best)) best = v;
            }
        }
        return best;
    }

    void refine(Vertex& best) const noexcept {
        constexpr int kRounds = 30;
        const auto better = [](const Vertex& a, const Vertex& b) { return a.better_than(b); };
        std::array<Vertex, 3> v{best, at(best.m + 0.4, best.log_s), at(best.m, best.log_s + 0.5)};
        for (int round = 0; round < kRounds; ++round) {
            std::sort(v.begin(), v.end(), better);
            if (v[2].least >= 0 && v[2].cost - v[0].cost <= 1e-4 * v[0].cost) break;
            const double m = 0.5 * (v[0].m + v[1].m);
            const double log_s = 0.5 * (v[0].log_s + v[1].log_s);
            const auto along = [&](double t) {
                return at(m + t * (v[2].m - m), log_s + t * (v[2].log_s - log_s));
            };
            const Vertex reflected = along(-1.0);
            if (reflected.better_than(v[0])) {
                const Vertex expanded = along(-2.0);
                v[2] = expanded.better_than(reflected) ? expanded : reflected;
            } else if (reflected.better_than(v[1])) {
                v[2] = reflected;
            } else {
                const bool outside = reflected.better_than(v[2]);
                const Vertex inner = along(outside ? -0.5 : 0.5);
                if (inner.better_than(outside ? reflected : v[2])) {
                    v[2] = inner;
                } else {
                    for (std::size_t i = 1; i < 3; ++i) {
                        v[i] = at(0.5 * (v[0].m + v[i].m), 0.5 * (v[0].log_s + v[i].log_s));
                    }
                }
            }
        }
        best = *std::min_element(v.begin(), v.end(), better);
    }

    const SviPoints& points_;
    const DensityRule* rule_;
    Bounds bounds_;
};

constexpr std::size_t kUnknowns = 5;  // a, d, c, m, ln s
using Unknowns = std::array<double, kUnknowns>;

struct Normal {
    std::array<Unknowns, kUnknowns> matrix{};  // lower triangle
    Unknowns right{};
    double cost{};

    void add(const Unknowns& slope, double miss, double weight) noexcept {
        for (std::size_t i = 0; i < kUnknowns; ++i) {
            const double ws = weight * slope[i];
            right[i] += ws * miss;
            for (std::size_t j = 0; j <= i; ++j) matrix[i][j] += ws * slope[j];
        }
        cost += weight * miss * miss;
    }
};

Svi stepped(const Svi& from, const Unknowns& step) noexcept {
    Svi to = from;
    to.a += step[0];
    to.d += step[1];
    to.c += step[2];
    to.m += step[3];
    to.s *= portable::exp(std::clamp(step[4], -1.0, 1.0));
    return to;
}

// Solves (matrix + damping * its diagonal) x = right by Cholesky's method.
bool solve_damped(const Normal& normal, double damping, Unknowns& x) noexcept {
    auto l = normal.matrix;
    for (std::size_t j = 0; j < kUnknowns; ++j) {
        l[j][j] += damping * l[j][j] + 1e-300;
        for (std::size_t k = 0; k < j; ++k) l[j][j] -= l[j][k] * l[j][k];
        if (!(l[j][j] > 0)) return false;
        l[j][j] = std::sqrt(l[j][j]);
        for (std::size_t i = j + 1; i < kUnknowns; ++i) {
            for (std::size_t k = 0; k < j; ++k) l[i][j] -= l[i][k] * l[j][k];
            l[i][j] /= l[j][j];
        }
    }
    for (std::size_t i = 0; i < kUnknowns; ++i) {
        x[i] = normal.right[i];
        for (std::size_t k = 0; k < i; ++k) x[i] -= l[i][k] * x[k];
        x[i] /= l[i][i];
    }
    for (std::size_t i = kUnknowns; i-- > 0;) {
        for (std::size_t k = i + 1; k < kUnknowns; ++k) x[i] -= l[k][i] * x[k];
        x[i] /= l[i][i];
    }
    return true;
}

double quote_cost(const SviPoints& points, const Svi& svi) noexcept {
    const auto x = points.x();
    const auto z = points.z();
    const auto w = points.weights();
    double cost = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double miss = z[i] - svi.at(x[i]);
        cost += w[i] * miss * miss;
    }
    return cost;
}

void add_quotes(const SviPoints& points, const Svi& svi, Normal& normal) noexcept {
    const auto x = points.x();
    const auto z = points.z();
    const auto w = points.weights();
    const double square = svi.s * svi.s;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double t = x[i] - svi.m;
        const double r = std::sqrt(t * t + square);
        const double over = 1.0 / r;
        normal.add({1.0, t, r, -svi.d - svi.c * t * over, svi.c * square * over},
                   z[i] - (svi.a + svi.d * t + svi.c * r), w[i]);
    }
}

}  // namespace

Svi search_svi(const SviPoints& points) noexcept { return VertexSearch(points, nullptr).run(); }

void polish_svi(const SviPoints& points, int rounds_max, Svi& svi) noexcept {
    constexpr double kEnough = 1e-4;  // relative fall of the cost
    const Bounds bounds = bounds_of(points);
    double damping = 1e-4;
    Normal normal;
    bool stale = true;
    for (int round = 0; round < rounds_max; ++round) {
        if (stale) {
            normal = {};
            add_quotes(points, svi, normal);
        }
        Unknowns step;
        double next = std::numeric_limits<double>::infinity();
        Svi candidate;
        if (solve_damped(normal, damping, step)) {
            candidate = stepped(svi, step);
            // Back into bounds: a step along one is still a step.
            candidate.m = std::clamp(candidate.m, bounds.m_low, bounds.m_high);
            candidate.s = std::clamp(candidate.s, kSharpest, portable::exp(bounds.log_s_high));
            points.make_feasible(candidate);
            next = quote_cost(points, candidate);
        }
        stale = next < normal.cost;
        if (!stale) {
            damping = std::max(damping, 1e-6) * 10.0;
            if (damping > 1e6) break;
            continue;
        }
        svi = candidate;
        damping *= 0.1;
        if (normal.cost - next <= kEnough * next) break;
    }
}

namespace {

bool repair_with(const SviPoints& points, const DensityRule& rule, Svi& svi) noexcept {
    const Svi safe = VertexSearch(points, &rule).run();
    if (!(rule.left(safe) >= 0)) return false;
    constexpr int kHalvings = 6;
    const Svi wanted = svi;
    svi = safe;
    double cost = quote_cost(points, safe);
    double low = 0;
    double high = 1;
    for (int i = 0; i < kHalvings; ++i) {
        const double t = 0.5 * (low + high);
        const Svi mixed{.a = safe.a + t * (wanted.a - safe.a),
                        .d = safe.d + t * (wanted.d - safe.d),
                        .c = safe.c + t * (wanted.c - safe.c),
                        .m = safe.m + t * (wanted.m - safe.m),
                        .s = safe.s + t * (wanted.s - safe.s)};
        const bool allowed = rule.left(mixed) >= 0;
        (allowed ? low : high) = t;
        const double mixed_cost = allowed ? quote_cost(points, mixed) : cost;
        if (mixed_cost < cost) {
            svi = mixed;
            cost = mixed_cost;
        }
    }
    return true;
}

}  // namespace

bool repair_svi(const SviPoints& points, double w0, Svi& svi) noexcept {
    // Between the points of the coarse grid g is a little lower, with wild quotes more than that.
    constexpr std::array kRules{DensityRule{.grid = DensityGrid::coarse, .margin = 1e-3},
                                DensityRule{.grid = DensityGrid::coarse, .margin = 4e-3},
                                DensityRule{.grid = DensityGrid::fine, .margin = 1e-3}};
    for (DensityRule rule : kRules) {
        rule.w0 = w0;
        Svi repaired = svi;
        if (!repair_with(points, rule, repaired)) return false;
        if (least_butterfly_density(repaired.unscaled(w0)) >= 0) {
            svi = repaired;
            return true;
        }
    }
    return false;
}

}  // namespace scanmq::market
