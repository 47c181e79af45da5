#pragma once
// DividendSchedule: the cash dividends of an option's life.
//
// Role:    internal to scanner/pricing: cash_dividends.cpp, american_curve.cpp.
// Limits:  at most kDividendsMax; more, one that is negative or not finite: not usable.
// Threads: a value.

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "scanner/pricing/american_put.hpp"
#include "scanner/pricing/cash_dividends.hpp"
#include "scanner/pricing/portable_math.hpp"

namespace scanmq::pricing::detail {

// Those in (0, years], latest first.
struct DividendSchedule {
    DividendSchedule(std::span<const CashDividend> dividends, double years) noexcept {
        for (const CashDividend& dividend : dividends) {
            usable = usable && is_finite(dividend.years) && is_finite(dividend.amount) &&
                     dividend.amount >= 0.0;
            if (!(dividend.years > 0.0 && dividend.years <= years)) continue;
            if (size == kDividendsMax) {
                usable = false;
                return;
            }
            rows[size++] = dividend;
        }
        std::sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(size),
                  [](const CashDividend& a, const CashDividend& b) { return a.years > b.years; });
    }
    [[nodiscard]] std::span<const CashDividend> inside() const noexcept {
        return std::span(rows).first(size);
    }
    [[nodiscard]] double present_value(double rate) const noexcept {
        double sum = 0.0;
        for (const CashDividend& row : inside())
            sum += row.amount * portable::exp(-rate * row.years);
        return sum;
    }

    std::array<CashDividend, kDividendsMax> rows;
    std::size_t size = 0;
    bool usable = true;
};

}  // namespace scanmq::pricing::detail
