#include "scanner/market/contract.hpp"

#include "scanner/market/calendar.hpp"

namespace scanmq::market {

namespace {

// Digits only; -1 otherwise.
long to_integer(std::string_view text) noexcept {
    long value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

}  // namespace

RootTerms root_terms(std::string_view root, const ContractTable& table) noexcept {
    const RootSpec& spec = table.find(root);
    return {spec.symbol.empty() ? root : std::string_view(spec.symbol), spec.settlement, spec.style,
            spec.multiplier};
}

std::optional<OccSymbol> parse_occ_symbol(std::string_view text) noexcept {
    constexpr std::size_t kTail = 15;  // YYMMDD, right, eight digits of strike
    if (text.size() <= kTail || text.size() > kTail + 6) return std::nullopt;
    const auto tail = text.substr(text.size() - kTail);
    auto root = text.substr(0, text.size() - kTail);
    while (!root.empty() && root.back() == ' ') root.remove_suffix(1);
    if (root.empty()) return std::nullopt;
    for (const char c : root) {
        const bool fits = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/';
        if (!fits) return std::nullopt;
    }
    const long date = to_integer(tail.substr(0, 6));
    const long strike = to_integer(tail.substr(7));
    const char right = tail[6];
    if (date < 0 || strike <= 0 || (right != 'C' && right != 'P')) return std::nullopt;
    const auto full_date = static_cast<YearMonthDay>(20000000 + date);
    if (!valid_date(full_date)) return std::nullopt;
    return OccSymbol{root, full_date, right == 'C' ? Right::call : Right::put,
                     static_cast<double>(strike) / 1000.0};
}

bool is_adjusted_root(std::string_view root) noexcept {
    return !root.empty() && root.back() >= '0' && root.back() <= '9';
}

void set_settlement_moments(Expiry& expiry) noexcept {
    const YearMonthDay day = is_session(expiry.date) ? expiry.date : previous_session(expiry.date);
    if (expiry.settlement == Settlement::am) {
        const YearMonthDay before = previous_session(day);
        expiry.moment = new_york_moment(day, kOpenMinute);
        expiry.last_trade = new_york_moment(before, close_minute(before));
    } else {
        expiry.moment = new_york_moment(day, close_minute(day));
        expiry.last_trade = expiry.moment;
    }
}

}  // namespace scanmq::market
