#include "scanner/market/quote_order.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace scanmq::market {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

// Convex enough: a bulge within half of the spreads and a thousandth of the price is quotes of different
// seconds.
constexpr double kBulgeSpreads = 0.5;
constexpr double kBulgeShare = 0.001;

// Prices within rounding are in order.
double slack(double price) noexcept { return 1e-9 * (1.0 + price); }
double low(const OrderedQuote& quote) noexcept { return quote.bid - slack(quote.bid); }
double high(const OrderedQuote& quote) noexcept {
    return std::isinf(quote.ask) ? quote.ask : quote.ask + slack(quote.ask);
}
double fall_max(const OrderedQuote& a, const OrderedQuote& b) noexcept {
    return kQuoteSlopeMax * (b.at - a.at);
}

bool all_agree(std::span<const OrderedQuote> quotes) noexcept {
    double bottom = -kInfinity;
    double top = kInfinity;
    for (std::size_t i = 0; i < quotes.size(); ++i) {
        if (i > 0) bottom -= fall_max(quotes[i - 1], quotes[i]);
        bottom = std::max(bottom, low(quotes[i]));
        top = std::min(top, high(quotes[i]));
        if (bottom > top) return false;
    }
    return true;
}

// Forward over the quotes: for every value that the curve may have at this one, the heaviest set of
// quotes that some curve there has run through. That is constant between few values.
class HeaviestSet {
  public:
    explicit HeaviestSet(std::span<const OrderedQuote> quotes) : quotes_(quotes) {
        pieces_.push_back({-kInfinity, kInfinity, 0, kNone});
    }

    // The places of the set.
    std::vector<bool> run() {
        for (std::size_t i = 0; i < quotes_.size(); ++i) {
            if (i > 0) fall(fall_max(quotes_[i - 1], quotes_[i]));
            take(i);
        }
        std::vector<bool> in(quotes_.size());
        const auto best =
            std::max_element(pieces_.begin(), pieces_.end(),
                             [](const Piece& a, const Piece& b) { return a.weight < b.weight; });
        for (std::size_t at = best->last; at != kNone; at = taken_[at].before) {
            in[taken_[at].quote] = true;
        }
        return in;
    }

  private:
    struct Piece {  // values from bottom to top
        double bottom;
        double top;
        long weight;
        std::size_t last;  // in taken_
    };
    struct Taken {
        std::size_t quote;
        std::size_t before;  // in taken_
    };

    // The curve may fall by up to `most` from one quote to the next: each piece reaches down so far, over
    // all that weigh less.
    void fall(double most) {
        next_.clear();
        for (Piece piece : pieces_) {
            const double reach = piece.bottom - most;
            while (!next_.empty() && next_.back().weight < piece.weight &&
                   next_.back().bottom >= reach) {
                next_.pop_back();
            }
            piece.bottom = reach;
            if (!next_.empty()) {
                Piece& below = next_.back();
                if (below.weight < piece.weight) {
                    below.top = std::min(below.top, reach);
                } else {
                    piece.bottom = std::max(reach, below.top);
                }
            }
            next_.push_back(piece);
        }
        pieces_.swap(next_);
    }

    // Values between bid and ask run through this quote, too.
    void take(std::size_t quote) {
        const double bid = low(quotes_[quote]);
        const double ask = high(quotes_[quote]);
        next_.clear();
        for (const Piece& piece : pieces_) {
            const double bottom = std::max(piece.bottom, bid);
            const double top = std::min(piece.top, ask);
            if (piece.bottom < bid) {
                next_.push_back({piece.bottom, std::min(piece.top, bid), piece.weight, piece.last});
            }
            if (bottom <= top) {
                taken_.push_back({quote, piece.last});
                next_.push_back(
                    {bottom, top, piece.weight + quotes_[quote].weight, taken_.size() - 1});
            }
            if (piece.top > ask) {
                next_.push_back({std::max(piece.bottom, ask), piece.top, piece.weight, piece.last});
            }
        }
        pieces_.swap(next_);
    }

    std::span<const OrderedQuote> quotes_;
    std::vector<Piece> pieces_;  // by rising value, without gaps
    std::vector<Piece> next_;
    std::vector<Taken> taken_;
};

// How much more the middle one of three is bid than the others, asked for, make up, beyond half of what
// their spreads come to. Above 0: the three are not convex.
double bulge(const OrderedQuote& a, const OrderedQuote& b, const OrderedQuote& c) noexcept {
    if (!(b.bid > 0.0) || std::isinf(a.ask) || std::isinf(c.ask)) return 0.0;
    const double w = (b.at - a.at) / (c.at - a.at);
    const double wings = (1.0 - w) * a.ask + w * c.ask;
    const double spreads = (1.0 - w) * (a.ask - a.bid) + w * (c.ask - c.bid) +
                           (std::isinf(b.ask) ? 0.0 : b.ask - b.bid);
    return std::max(0.0, b.bid - wings - kBulgeSpreads * spreads - kBulgeShare * b.bid);
}

// Takes quotes out of `in`, the one at a time that leaves least, until the others are convex enough.
void make_convex(std::span<const OrderedQuote> quotes, std::vector<bool>& in) {
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < quotes.size(); ++i) {
        if (in[i]) kept.push_back(i);
    }
    const auto at = [&](std::size_t place) -> const OrderedQuote& { return quotes[kept[place]]; };
    // Of the triples around the one at `place`, were `without` not there.
    const auto near = [&](std::size_t place, std::size_t without) {
        constexpr std::size_t kReach = 3;
        double sum = 0.0;
        std::size_t a = kNone;
        std::size_t b = kNone;
        for (std::size_t c = place < kReach ? 0 : place - kReach;
             c < std::min(kept.size(), place + kReach + 1); ++c) {
            if (c == without) continue;
            if (a != kNone) sum += bulge(at(a), at(b), at(c));
            a = b;
            b = c;
        }
        return sum;
    };
    std::size_t next = 1;
    while (next + 1 < kept.size()) {
        if (bulge(at(next - 1), at(next), at(next + 1)) <= 0.0) {
            ++next;
            continue;
        }
        std::size_t least = next;
        double left = kInfinity;
        for (const std::size_t each : {next, next - 1, next + 1}) {
            const double sum = at(each).weight * near(next, each);
            if (sum < left) {
                left = sum;
                least = each;
            }
        }
        in[kept[least]] = false;
        kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(least));
        next = std::max<std::size_t>(1, next > 2 ? next - 2 : 1);
    }
}

bool all_convex(std::span<const OrderedQuote> quotes) noexcept {
    for (std::size_t i = 1; i + 1 < quotes.size(); ++i) {
        if (bulge(quotes[i - 1], quotes[i], quotes[i + 1]) > 0.0) return false;
    }
    return true;
}

}  // namespace

bool in_line(std::span<const OrderedQuote> quotes) noexcept {
    return all_agree(quotes) && all_convex(quotes);
}

std::vector<bool> heaviest_in_order(std::span<const OrderedQuote> quotes) {
    return HeaviestSet(quotes).run();
}

std::vector<std::size_t> out_of_line(std::span<const OrderedQuote> quotes) {
    std::vector<std::size_t> out;
    for (std::size_t begin = 0; begin < quotes.size(); begin += kQuoteOrderWindow) {
        const auto window =
            quotes.subspan(begin, std::min(kQuoteOrderWindow, quotes.size() - begin));
        if (in_line(window)) continue;
        auto in = heaviest_in_order(window);
        make_convex(window, in);
        for (std::size_t i = 0; i < window.size(); ++i) {
            if (!in[i]) out.push_back(begin + i);
        }
    }
    return out;
}

}  // namespace scanmq::market
