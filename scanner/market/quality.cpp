#include "scanner/market/quality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "scanner/market/quote_order.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::market {

namespace {

constexpr std::array<const char*, kReasons> kNames{
    "adjusted", "other_symbol", "other_style", "duplicate", "split_adjusted", "negative",
    "crossed",  "locked",       "one_sided",   "no_quote",  "out_of_line",    "stale"};

// How far ln(F/S) of one expiry may lie from that of the chain before a split is the only cause left:
// the smallest common split is 3:2, ln 1.5 = 0.41, and rates and dividends move a forward by far less
// than 10 % a year.
constexpr double kSplitLogBase = 0.25;
constexpr double kSplitLogPerYear = 0.10;
constexpr double kMillisPerYear = 365.0 * 86'400'000.0;

// Takes out rows marked for it, and expiries left without one.
void remove_rows(Chain& chain, const std::vector<bool>& leaves) {
    const auto compact = [&](auto& column) {
        if (column.empty()) return;
        std::size_t kept = 0;
        for (std::size_t i = 0; i < leaves.size(); ++i) {
            if (!leaves[i]) column[kept++] = column[i];
        }
        column.resize(kept);
    };
    std::vector<Expiry> expiries;
    std::vector<std::uint16_t> rank(chain.expiries.size());
    std::uint32_t at = 0;
    for (std::size_t e = 0; e < chain.expiries.size(); ++e) {
        auto& expiry = chain.expiries[e];
        const auto stay = [&](std::uint32_t begin, std::uint32_t end) {
            return static_cast<std::uint32_t>(
                std::count(leaves.begin() + begin, leaves.begin() + end, false));
        };
        const auto calls = stay(expiry.call_begin, expiry.put_begin);
        const auto puts = stay(expiry.put_begin, expiry.end);
        rank[e] = static_cast<std::uint16_t>(expiries.size());
        if (calls + puts == 0) continue;
        expiry.call_begin = at;
        expiry.put_begin = at + calls;
        expiry.end = at = at + calls + puts;
        expiries.push_back(std::move(expiry));
    }
    for (auto& e : chain.expiry) e = rank[e];
    chain.expiries = std::move(expiries);
    compact(chain.bid);
    compact(chain.ask);
    compact(chain.last);
    compact(chain.vendor_iv);
    compact(chain.vendor_delta);
    compact(chain.volume);
    compact(chain.open_interest);
    compact(chain.expiry);
    compact(chain.right);
    compact(chain.quoted);
    compact(chain.vendor.gamma);
    compact(chain.vendor.theta);
    compact(chain.vendor.vega);
    compact(chain.vendor.rho);
    compact(chain.strike);
}

bool two_sided(const Chain& chain, std::size_t i) noexcept {
    return chain.bid[i] > 0 && chain.ask[i] >= chain.bid[i] && std::isfinite(chain.ask[i]);
}

// Calls f(call, put) for each strike of the expiry that has both with two sides.
template <class F>
void for_each_pair(const Chain& chain, const Expiry& expiry, F f) {
    std::size_t put = expiry.put_begin;
    for (std::size_t call = expiry.call_begin; call < expiry.put_begin; ++call) {
        while (put < expiry.end && chain.strike[put] < chain.strike[call]) ++put;
        if (put == expiry.end) return;
        if (chain.strike[put] == chain.strike[call] && two_sided(chain, call) &&
            two_sided(chain, put)) {
            f(call, put);
        }
    }
}

double mid(const Chain& chain, std::size_t i) noexcept {
    return 0.5 * (chain.bid[i] + chain.ask[i]);
}

double median(std::vector<double>& values) noexcept {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Where C - P changes its sign, to the nearest pair; the discount hardly matters there. NaN without
// three pairs, which is too few to accuse anyone by.
double rough_forward(const Chain& chain, const Expiry& expiry) noexcept {
    double nearest = std::numeric_limits<double>::infinity();
    double forward = kMissing;
    int pairs = 0;
    for_each_pair(chain, expiry, [&](std::size_t call, std::size_t put) {
        const double difference = mid(chain, call) - mid(chain, put);
        ++pairs;
        if (std::abs(difference) < nearest) {
            nearest = std::abs(difference);
            forward = chain.strike[call] + difference;
        }
    });
    return pairs >= 3 && forward > 0 ? forward : kMissing;
}

// Marks contracts whose strikes and prices are of two sides of a split.
class SplitCheck {
  public:
    SplitCheck(const Chain& chain, const ContractTable& contracts, std::vector<bool>& leaves)
        : chain_(chain), contracts_(contracts), leaves_(leaves) {}

    std::uint64_t run() {
        std::vector<double> known;
        for (const auto& expiry : chain_.expiries) {
            forwards_.push_back(rough_forward(chain_, expiry));
            if (forwards_.back() > 0) known.push_back(forwards_.back());
        }
        if (known.empty()) return 0;
        middle_ = median(known);
        for (std::size_t e = 0; e < chain_.expiries.size(); ++e) check(e);
        return marked_;
    }
    // What the options say the underlying is worth, roughly; NaN when they do not.
    [[nodiscard]] double middle() const noexcept { return middle_; }
    // An expiry's own, roughly; NaN where its quotes do not say.
    [[nodiscard]] double forward(std::size_t expiry) const noexcept { return forwards_[expiry]; }

  private:
    void mark(std::size_t row) {
        if (!leaves_[row]) ++marked_;
        leaves_[row] = true;
    }

    void check(std::size_t e) {
        const Expiry& expiry = chain_.expiries[e];
        const double forward = forwards_[e];
        const double years =
            std::max(0.0, static_cast<double>(expiry.moment - chain_.as_of) / kMillisPerYear);
        if (!(forward > 0)) return;
        if (!contracts_.find(expiry.root).own_forward &&
            std::abs(portable::log(forward / middle_)) > kSplitLogBase + kSplitLogPerYear * years) {
            for (std::size_t i = expiry.call_begin; i < expiry.end; ++i) mark(i);
            return;
        }
        // One strike among good ones: C - P must be near F - K, whatever the rate.
        for_each_pair(chain_, expiry, [&](std::size_t call, std::size_t put) {
            const double strike = chain_.strike[call];
            const double off = std::abs(mid(chain_, call) - mid(chain_, put) - (forward - strike));
            const double spreads =
                0.5 * (chain_.ask[call] - chain_.bid[call] + chain_.ask[put] - chain_.bid[put]);
            const double slack =
                (kSplitLogBase + kSplitLogPerYear * years) * std::max(forward, strike);
            if (off > slack + spreads) {
                mark(call);
                mark(put);
            }
        });
    }

    const Chain& chain_;
    const ContractTable& contracts_;
    std::vector<bool>& leaves_;
    std::vector<double> forwards_;
    double middle_{kMissing};
    std::uint64_t marked_ = 0;
};

// How far from parity a price may lie before it is the less credible of two that contradict each other:
// of the forward, and of |F - K| a year for rates, dividends and early exercise.
constexpr double kParityBase = 0.005;
constexpr double kParityPerYear = 0.06;
constexpr int kCredible = 2;  // weight of a quote that parity does not speak against, of others 1

// Marks quotes that cannot stand beside the others of their expiry and right.
class OrderCheck {
  public:
    OrderCheck(const Chain& chain, std::vector<bool>& leaves) : chain_(chain), leaves_(leaves) {}

    // forward: roughly; NaN where it is not known.
    std::uint64_t run(const Expiry& expiry, double forward) {
        const double years =
            std::max(0.0, static_cast<double>(expiry.moment - chain_.as_of) / kMillisPerYear);
        const auto calls = quotes(expiry.call_begin, expiry.put_begin, Right::call);
        const auto puts = quotes(expiry.put_begin, expiry.end, Right::put);
        return mark(calls, expiry.put_begin, expiry.end, forward, years) +
               mark(puts, expiry.call_begin, expiry.put_begin, forward, years);
    }

  private:
    struct Side {
        Right right{};
        std::vector<OrderedQuote> quotes;
        std::vector<std::size_t> rows;
    };

    [[nodiscard]] Side quotes(std::size_t begin, std::size_t end, Right right) const {
        Side out{right, {}, {}};
        for (std::size_t i = begin; i < end; ++i) {
            const double bid = chain_.bid[i] > 0 ? chain_.bid[i] : 0.0;
            const double ask =
                chain_.ask[i] > 0 ? chain_.ask[i] : std::numeric_limits<double>::infinity();
            if (leaves_[i] || bid > ask || (bid == 0.0 && std::isinf(ask))) continue;
            const double at = right == Right::call ? chain_.strike[i] : -chain_.strike[i];
            out.quotes.push_back({at, bid, ask});
            out.rows.push_back(i);
        }
        if (right == Right::put) {
            std::reverse(out.quotes.begin(), out.quotes.end());
            std::reverse(out.rows.begin(), out.rows.end());
        }
        return out;
    }

    // [begin, end): the rows of the other right, by rising strike.
    std::uint64_t mark(Side side, std::size_t begin, std::size_t end, double forward,
                       double years) {
        if (market::in_line(side.quotes)) return 0;  // nearly always
        for (std::size_t i = 0; i < side.rows.size(); ++i) {
            const double strike = chain_.strike[side.rows[i]];
            const double inside = side.right == Right::call ? forward - strike : strike - forward;
            const double room =
                kParityBase * forward + kParityPerYear * years * std::abs(forward - strike);
            const auto first = chain_.strike.begin();
            const auto other = static_cast<std::size_t>(
                std::lower_bound(first + static_cast<std::ptrdiff_t>(begin),
                                 first + static_cast<std::ptrdiff_t>(end), strike) -
                first);
            const bool known =
                other < end && chain_.strike[other] == strike && chain_.ask[other] > 0;
            const double time_value =
                known ? chain_.ask[other] : std::numeric_limits<double>::infinity();
            const bool doubtful = inside > 0 && (side.quotes[i].bid > inside + time_value + room ||
                                                 side.quotes[i].ask < inside - room);
            side.quotes[i].weight = doubtful ? 1 : kCredible;
        }
        std::uint64_t marked = 0;
        for (const std::size_t place : market::out_of_line(side.quotes)) {
            leaves_[side.rows[place]] = true;
            ++marked;
        }
        return marked;
    }

    const Chain& chain_;
    std::vector<bool>& leaves_;
};

}  // namespace

const char* to_string(Reason reason) noexcept { return kNames[static_cast<std::size_t>(reason)]; }

std::uint64_t ReasonCounts::total() const noexcept {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

void ReasonCounts::add(const ReasonCounts& more) noexcept {
    for (std::size_t i = 0; i < kReasons; ++i) counts_[i] += more.counts_[i];
}

std::string ReasonCounts::sentence() const {
    std::string out;
    for (std::size_t i = 0; i < kReasons; ++i) {
        if (counts_[i] == 0) continue;
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", counts_[i], kNames[i]);
    }
    return out;
}

bool check_quotes(Chain& chain, const QualityRules& rules, ReasonCounts& skipped,
                  ReasonCounts& flagged, const ContractTable& contracts) {
    std::vector<bool> leaves(chain.size());
    SplitCheck splits(chain, contracts, leaves);
    const auto split = splits.run();
    const bool drop_split = rules.drop.has(Reason::split_adjusted);
    (drop_split ? skipped : flagged)[Reason::split_adjusted] += split;
    if (!drop_split && split > 0) leaves.assign(chain.size(), false);
    auto lines = leaves;
    std::uint64_t off_line = 0;
    OrderCheck order(chain, lines);
    for (std::size_t e = 0; e < chain.expiries.size(); ++e) {
        off_line += order.run(chain.expiries[e], splits.forward(e));
    }
    const bool drop_lines = rules.drop.has(Reason::out_of_line);
    (drop_lines ? skipped : flagged)[Reason::out_of_line] += off_line;
    if (drop_lines) leaves.swap(lines);
    bool any = (drop_split && split > 0) || (drop_lines && off_line > 0);

    const bool timed = !chain.quoted.empty();
    const auto oldest = chain.as_of - rules.quote_age_max.count();
    for (std::size_t i = 0; i < chain.size(); ++i) {
        if (leaves[i]) continue;
        const double bid = chain.bid[i];
        const double ask = chain.ask[i];
        const bool stale = timed && chain.quoted[i] != 0 && chain.quoted[i] < oldest;
        const bool good = bid > 0 && ask > bid;
        if (good && !stale) continue;
        std::array<Reason, 2> found{};
        std::size_t count = 0;
        if (!good) {
            const bool has_bid = bid > 0;
            const bool has_ask = ask > 0;
            found[count++] = has_bid && has_ask   ? (bid > ask ? Reason::crossed : Reason::locked)
                             : has_bid || has_ask ? Reason::one_sided
                                                  : Reason::no_quote;
        }
        if (stale) found[count++] = Reason::stale;
        const Reason* const begin = found.data();
        const Reason* const end = begin + count;
        const Reason* const why =
            std::find_if(begin, end, [&](Reason reason) { return rules.drop.has(reason); });
        if (why != end) {
            leaves[i] = any = true;
            ++skipped[*why];
        } else {
            for (const Reason* at = begin; at != end; ++at) ++flagged[*at];
        }
    }
    if (any) remove_rows(chain, leaves);

    // The spot is the same market's as the options', or of the other side of a split.
    const bool off =
        std::abs(portable::log(chain.spot / splits.middle())) > kSplitLogBase + kSplitLogPerYear;
    const bool own =
        std::any_of(chain.expiries.begin(), chain.expiries.end(),
                    [&](const Expiry& e) { return contracts.find(e.root).own_forward; });
    if (!off || own || !drop_split) return false;
    chain.spot = kMissing;
    return true;
}

}  // namespace scanmq::market
