#include "client/cli/chain_summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "client/cli/figures.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/market/parity.hpp"

namespace scanmq::cli {
namespace {

using Json = nlohmann::ordered_json;

const char* settlement_text(market::Settlement settlement) {
    return settlement == market::Settlement::am ? "am" : "pm";
}

// "120 no_bid, 3 crossed".
std::string reasons(const std::map<pricing::IvStatus, std::uint64_t>& dropped) {
    std::string out;
    for (const auto& [status, count] : dropped) {
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", grouped(count),
                           pricing::to_string(status));
    }
    return out;
}

bool has_smile(const ExpirySummary& summary) {
    return std::isfinite(summary.market->forward) && summary.market->smile.variance(0.0) > 0.0;
}

// Out of the money, with an implied volatility of its own.
std::vector<Point> quotes_of(const market::PricedChain& priced, const ExpirySummary& summary,
                             market::Right right) {
    const market::Expiry& expiry = *summary.expiry;
    const bool calls = right == market::Right::call;
    std::vector<Point> out;
    for (std::size_t i = calls ? expiry.call_begin : expiry.put_begin;
         i < (calls ? expiry.put_begin : expiry.end); ++i) {
        const double strike = priced.chain->strike[i];
        if (priced.iv_status[i] != pricing::IvStatus::ok) continue;
        if (calls == (strike >= summary.market->forward)) {
            out.push_back({strike, 100.0 * priced.iv[i]});
        }
    }
    return out;
}

constexpr int kCurvePoints = 240;
constexpr double kDeviationsShown = 6.0;  // farther out, a quote is a few cents of nothing

Chart smile_chart(const market::PricedChain& priced, const ExpirySummary& summary) {
    const market::ExpiryMarket& market = *summary.market;
    const auto puts = quotes_of(priced, summary, market::Right::put);
    const auto calls = quotes_of(priced, summary, market::Right::call);
    const double reach = kDeviationsShown * std::sqrt(market.smile.variance(0.0));
    double low = market.forward * std::exp(-0.25 * reach);
    double high = market.forward * std::exp(0.25 * reach);
    for (const auto& quotes : {puts, calls}) {
        for (const Point& quote : quotes) {
            if (std::fabs(std::log(quote.x / market.forward)) > reach) continue;
            low = std::min(low, quote.x);
            high = std::max(high, quote.x);
        }
    }
    std::vector<Point> curve;
    for (int i = 0; i <= kCurvePoints; ++i) {
        const double strike = low + (high - low) * i / kCurvePoints;
        curve.push_back({strike, 100.0 * market.smile.volatility(std::log(strike / market.forward),
                                                                 market.years)});
    }
    const auto within = [&](std::vector<Point> quotes) {
        std::erase_if(quotes, [&](const Point& q) { return q.x < low || q.x > high; });
        return quotes;
    };
    const std::string fit =
        std::isfinite(market.smile_report.rms_error)
            ? fmt::format(", fit error {:.2f} points", 100.0 * market.smile_report.rms_error)
            : std::string{};
    Chart chart({fmt::format("{} {}", priced.chain->symbol, summary.name()),
                 fmt::format("{} {}, forward {:.2f}, at the money {:.1f} %{}", market.dte,
                             market.dte == 1 ? "day" : "days", market.forward,
                             100.0 * market.atm_volatility, fit),
                 "strike", "implied volatility, %"});
    chart.limit_x(low, high);
    chart.add_dots(within(puts), Ink::second, "puts");
    chart.add_dots(within(calls), Ink::gain, "calls");
    chart.add_line(std::move(curve), Ink::first, "smile");
    chart.add_mark(market.forward, Ink::quiet, "forward");
    return chart;
}

// Roughly what an expiry's options say that the underlying is worth today; NaN where they say nothing of it,
// as a volatility index's. A carried forward is the spot's, but there may be pairs: at a wrong spot American
// quotes have no volatility, and parity is given up.
double spot_by_options(const market::PricedChain& priced, std::size_t e) {
    const market::ExpiryMarket& market = priced.expiries[e];
    if (!market.tradable || market.has_own_spot) return market::kMissing;
    if (!market.forward_is_carried) return market.spot;
    std::vector<market::ParityPair> pairs;
    market::find_parity_pairs(*priced.chain, priced.chain->expiries[e], pairs);
    return market::rough_forward(pairs);
}

Json smile_json(const market::ExpiryMarket& market) {
    const market::Smile& smile = market.smile;
    const market::SmileReport& report = market.smile_report;
    return {{"status", market::to_string(report.status)},
            {"a", number(smile.a)},
            {"b", number(smile.b)},
            {"rho", number(smile.rho)},
            {"m", number(smile.m)},
            {"s", number(smile.s)},
            {"quotes_used", report.quotes_used},
            {"rms_error", number(report.rms_error)},
            {"arbitrage_free", report.arbitrage_free},
            {"calendar_free", report.calendar_free}};
}

}  // namespace

std::string date_text(market::YearMonthDay date) {
    return fmt::format("{:04}-{:02}-{:02}", date / 10'000, date / 100 % 100, date % 100);
}

std::string ExpirySummary::name() const {
    return fmt::format("{}@{}{}", expiry->root, date_text(expiry->date),
                       expiry->settlement == market::Settlement::am ? " am" : "");
}

Result<ExpiryChoice, std::string> parse_expiry_choice(std::string_view text) {
    ExpiryChoice out;
    const auto at = text.rfind('@');
    if (at != std::string_view::npos) out.root = text.substr(0, at);
    const auto date =
        market::parse_date_text(at == std::string_view::npos ? text : text.substr(at + 1));
    if (!date) {
        return fail(fmt::format(
            "\"{}\" is no expiry; write a date such as 2024-06-21, or SPXW@2024-06-21", text));
    }
    out.date = *date;
    return out;
}

std::vector<ExpirySummary> summarise(const market::PricedChain& priced,
                                     const std::vector<ExpiryChoice>& choices) {
    std::vector<ExpirySummary> out;
    const market::Chain& chain = *priced.chain;
    for (std::uint32_t e = 0; e < chain.expiries.size(); ++e) {
        const market::Expiry& expiry = chain.expiries[e];
        const bool chosen =
            choices.empty() ||
            std::any_of(choices.begin(), choices.end(), [&](const ExpiryChoice& choice) {
                return choice.date == expiry.date &&
                       (choice.root.empty() || choice.root == expiry.root);
            });
        if (!chosen) continue;
        ExpirySummary summary{.index = e,
                              .expiry = &expiry,
                              .market = &priced.expiries[e],
                              .contracts = expiry.end - expiry.call_begin,
                              .used = 0,
                              .dropped = {}};
        for (std::size_t i = expiry.call_begin; i < expiry.end; ++i) {
            if (priced.iv_status[i] == pricing::IvStatus::ok) {
                ++summary.used;
            } else {
                ++summary.dropped[priced.iv_status[i]];
            }
        }
        out.push_back(std::move(summary));
    }
    return out;
}

std::string spot_warning(const market::PricedChain& priced, double given) {
    // Of the forward's value today: no dividend and no rate goes so far.
    constexpr double kFar = 0.20;
    if (!std::isfinite(given)) return {};
    for (std::size_t e = 0; e < priced.expiries.size(); ++e) {
        const double said = spot_by_options(priced, e);
        if (std::isnan(said)) continue;
        if (std::fabs(std::log(given / said)) <= kFar) return {};
        return fmt::format(
            "the spot of {} is given as {:g}, and its options say {:.2f}; all that is priced off "
            "the spot is wrong if that is",
            priced.chain->symbol, given, said);
    }
    return {};
}

Table summary_table(const std::vector<ExpirySummary>& summaries) {
    Table table({{"root"},
                 {"expiry"},
                 {""},
                 {"dte", Align::right},
                 {"forward", Align::right},
                 {"discount", Align::right},
                 {"rate", Align::right},
                 {"atm vol", Align::right},
                 {"skew", Align::right},
                 {"fit error", Align::right},
                 {"used", Align::right},
                 {"dropped", Align::right},
                 {"why"}});
    for (const ExpirySummary& summary : summaries) {
        const market::ExpiryMarket& market = *summary.market;
        std::string why = reasons(summary.dropped);
        if (market.tradable && !market.problem.empty()) {
            why += (why.empty() ? "" : ": ") + market.problem;
        }
        table.add({summary.expiry->root, date_text(summary.expiry->date),
                   settlement_text(summary.expiry->settlement), fmt::format("{}", market.dte),
                   shown(market.forward, 2), market.years > 0.0 ? shown(market.discount, 5) : "-",
                   market.years > 0.0 ? shown(market.rate, 4) : "-",
                   shown(market.atm_volatility, 4), shown(market.skew, 4),
                   shown(market.smile_report.rms_error, 4), grouped(summary.used),
                   grouped(summary.contracts - summary.used),
                   market.problem.empty() || !summary.dropped.empty() ? why : market.problem});
    }
    return table;
}

Json summary_json(const market::PricedChain& priced, const std::vector<ExpirySummary>& summaries) {
    const market::Chain& chain = *priced.chain;
    Json list = Json::array();
    for (const ExpirySummary& summary : summaries) {
        const market::ExpiryMarket& market = *summary.market;
        Json dropped = Json::object();
        for (const auto& [status, count] : summary.dropped) {
            dropped[pricing::to_string(status)] = count;
        }
        const bool alive = market.years > 0.0;
        list.push_back({{"root", summary.expiry->root},
                        {"date", date_text(summary.expiry->date)},
                        {"settlement", settlement_text(summary.expiry->settlement)},
                        {"dte", market.dte},
                        {"years", market.years},
                        {"tradable", market.tradable},
                        {"forward", number(market.forward)},
                        {"forward_is_carried", market.forward_is_carried},
                        {"discount", alive ? number(market.discount) : Json()},
                        {"rate", alive ? number(market.rate) : Json()},
                        {"atm_volatility", number(market.atm_volatility)},
                        {"skew", number(market.skew)},
                        {"move_1sd", number(market.move_1sd)},
                        {"move_straddle", number(market.move_straddle)},
                        {"smile", has_smile(summary) ? smile_json(market) : Json()},
                        {"contracts", summary.contracts},
                        {"used", summary.used},
                        {"dropped", std::move(dropped)},
                        {"problem", market.problem.empty() ? Json() : Json(market.problem)}});
    }
    return {{"symbol", chain.symbol},
            {"source", chain.source},
            {"style", chain.style == market::ExerciseStyle::american ? "american" : "european"},
            {"as_of_ms", chain.as_of},
            {"date", date_text(chain.as_of_date)},
            {"spot", number(priced.spot)},
            {"spot_is_implied", priced.spot_is_implied},
            {"spot_in_file", number(chain.spot)},
            {"rate", number(priced.rate)},
            {"rate_is_input", priced.rate_source == market::RateSource::given},
            {"rate_source", market::to_string(priced.rate_source)},
            {"contracts", chain.size()},
            {"expiries", std::move(list)}};
}

std::vector<Chart> smile_charts(const market::PricedChain& priced,
                                const std::vector<ExpirySummary>& summaries, std::size_t panels) {
    std::vector<const ExpirySummary*> with;
    for (const ExpirySummary& summary : summaries) {
        if (has_smile(summary)) with.push_back(&summary);
    }
    const std::size_t count = std::min(panels, with.size());
    std::vector<Chart> out;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = count == 1 ? 0 : i * (with.size() - 1) / (count - 1);
        out.push_back(smile_chart(priced, *with[at]));
    }
    return out;
}

}  // namespace scanmq::cli
