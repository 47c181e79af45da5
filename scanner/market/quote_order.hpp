#pragma once
// QuoteOrder: which quotes of one expiry and right cannot stand beside the others.
//
// Rule:    the value of a call falls with the strike, by no more than the strike rises; a put's rises
//          alike. Quotes agree when one such curve runs through all of them, between bid and ask. Of
//          those that do not, the lightest set is named whose removal lets the rest agree. Of the rest
//          those that bulge out of a convex curve by more than their spreads are, too.
// Threads: pure.
// Cost:    one pass where all agree; else quotes times the pieces of the dynamic program, which are at
//          most two a quote. Beyond kQuoteOrderWindow quotes each window of so many is judged for itself.
// See:     docs/SCANNER.md, "What is left out".

#include <cstddef>
#include <span>
#include <vector>

namespace scanmq::market {

// One quote, for a value that falls as `at` rises: the strike of calls, the strike with its sign turned
// of puts. A missing bid is 0, a missing ask infinity.
struct OrderedQuote {
    double at{};
    double bid{};
    double ask{};
    int weight{1};  // how much it takes to distrust it
};

inline constexpr std::size_t kQuoteOrderWindow = 512;
// The value may fall faster than the strike rises by this share: rates below zero.
inline constexpr double kQuoteSlopeMax = 1.02;

// Quotes by rising `at`, bid <= ask. Does none contradict the others, whatever the weights? One pass.
[[nodiscard]] bool in_line(std::span<const OrderedQuote> quotes) noexcept;

// The same quotes. Returns the places of those that are out of line, rising.
[[nodiscard]] std::vector<std::size_t> out_of_line(std::span<const OrderedQuote> quotes);

// The first half of it: the heaviest set through which one curve runs, by place. Not windowed.
[[nodiscard]] std::vector<bool> heaviest_in_order(std::span<const OrderedQuote> quotes);

}  // namespace scanmq::market
