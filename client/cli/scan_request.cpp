#include "client/cli/scan_request.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "client/cli/contracts_file.hpp"
#include "client/cli/files.hpp"
#include "client/cli/session.hpp"
#include "common/base/nearest.hpp"
#include "common/config/values.hpp"
#include "scanner/market/calendar.hpp"
#include "scanner/market/date_text.hpp"
#include "scanner/service/codec.hpp"

namespace scanmq::cli {
namespace {

std::optional<strategy::Stance> stance_of(std::string_view name) {
    if (name == "neutral") return strategy::Stance::neutral;
    if (name == "long") return strategy::Stance::long_stance;
    if (name == "short") return strategy::Stance::short_stance;
    return std::nullopt;
}

Result<strategy::Fill, Problem> fill_of(const std::string& text) {
    if (text == "natural") return strategy::kNaturalFill;
    if (text == "mid") return strategy::kMidFill;
    const auto number = config::parse_decimal(text);
    if (number && *number >= 0.0 && *number <= 1.0) return strategy::Fill{*number};
    return fail(usage_problem(fmt::format(
        "--fill is \"{}\", it must be natural, mid or a number from 0 (natural) to 1 (mid)",
        text)));
}

// "smile", "flat", "realised", "realised:0.18", or a volatility.
Result<service::VolatilityChoice, Problem> volatility_of(const std::string& text) {
    using service::VolatilityMode;
    constexpr std::array kNamed{std::pair{"smile", VolatilityMode::smile},
                                std::pair{"flat", VolatilityMode::flat},
                                std::pair{"realised", VolatilityMode::realised}};
    const auto colon = text.find(':');
    const std::string mode = text.substr(0, colon);
    const std::string value = colon == std::string::npos ? std::string{} : text.substr(colon + 1);
    const auto number = config::parse_decimal(value.empty() ? text : value);
    if (number && value.empty()) return service::VolatilityChoice{VolatilityMode::user, *number};
    for (const auto& [name, named] : kNamed) {
        if (mode != name || (!value.empty() && !number)) continue;
        service::VolatilityChoice out{named, std::nullopt};
        if (number) out.value = *number;
        return out;
    }
    return fail(usage_problem(fmt::format(
        "--volatility is \"{}\", it must be smile, flat, realised, realised:0.18 or a number such "
        "as 0.2",
        text)));
}

Result<service::BestPer, Problem> best_per_of(const std::string& text) {
    constexpr std::array<std::string_view, 4> kNames = {"spread", "symbol", "expiry",
                                                        "short_strikes"};
    const auto at = std::find(kNames.begin(), kNames.end(), text);
    if (at != kNames.end()) return static_cast<service::BestPer>(at - kNames.begin());
    return fail(
        usage_problem(fmt::format("--best-per is \"{}\", it must be one of {}; did you mean {}?",
                                  text, fmt::join(kNames, ", "), nearest_name(text, kNames))));
}

// "2024-05-10:0.50": paid to whoever holds at the session's open that day.
Result<service::Dividend, Problem> dividend_of(const std::string& text) {
    const auto colon = text.find(':');
    const auto date = market::parse_date_text(text.substr(0, colon));
    const auto amount =
        config::parse_decimal(colon == std::string::npos ? "" : text.substr(colon + 1));
    if (date && amount && *amount > 0.0) {
        return service::Dividend{.symbol = {},
                                 .ex_moment = market::new_york_moment(*date, market::kOpenMinute),
                                 .amount = *amount};
    }
    return fail(usage_problem(fmt::format(
        "--dividend \"{}\": write the ex-date and the amount per share: 2024-05-10:0.50", text)));
}

// One end of a range; empty text leaves it open.
bool read_bound(std::string_view text, const char* name, filter::FilterSpec& spec) {
    if (text.empty()) return true;
    const auto number = config::parse_decimal(text);
    if (number) spec.params[name] = *number;
    return number.ok();
}

constexpr const char* kDefaultWidth = "..100";

// A later filter of the same type replaces one that --request brought.
void put_filter(std::vector<filter::FilterSpec>& filters, filter::FilterSpec spec,
                std::size_t from_file) {
    for (std::size_t i = 0; i < from_file; ++i) {
        if (filters[i].type != spec.type) continue;
        filters[i] = std::move(spec);
        return;
    }
    filters.push_back(std::move(spec));
}

std::optional<Problem> add_filters(const RequestFlags& flags, service::ScanRequest& request) {
    const std::size_t from_file = request.filters.size();
    const std::array<std::pair<const char*, const std::string*>, 5> ranges{{{"delta", &flags.delta},
                                                                            {"dte", &flags.dte},
                                                                            {"iv", &flags.iv},
                                                                            {"width", &flags.width},
                                                                            {"pop", &flags.pop}}};
    for (const auto& [type, text] : ranges) {
        if (text->empty()) continue;
        auto spec = parse_range(type, *text);
        if (!spec) return spec.error();
        put_filter(request.filters, std::move(*spec), from_file);
    }
    for (const std::string& text : flags.filters) {
        auto spec = parse_filter(text);
        if (!spec) return spec.error();
        put_filter(request.filters, std::move(*spec), from_file);
    }
    // Deep in-the-money spreads as wide as the chain are seldom meant. A request file says what it means.
    const bool says_width =
        std::any_of(request.filters.begin(), request.filters.end(),
                    [](const filter::FilterSpec& spec) { return spec.type == "width"; });
    if (flags.request_file.empty() && !says_width) {
        request.filters.push_back(*parse_range("width", kDefaultWidth));
    }
    return std::nullopt;
}

Result<service::ScanRequest, Problem> base_request(const RequestFlags& flags) {
    service::ScanRequest request;
    request.limit = flags.limit;
    if (flags.request_file.empty()) return request;
    const auto bytes = read_file(flags.request_file);
    if (!bytes) return fail(bytes.error());
    auto decoded = service::decode_request(*bytes);
    if (!decoded) {
        return fail(
            usage_problem(fmt::format("{}: {}", flags.request_file, decoded.error().message)));
    }
    return std::move(*decoded);
}

}  // namespace

void add_request_flags(config::Options& declared, RequestFlags& flags) {
    declared.text(
        "request", flags.request_file,
        "File with a scan request (docs/SCAN_REQUEST.md); other flags change what it says");
    declared.list("strategy", flags.strategies, ',',
                  "Strategies to look for (docs/SCAN_REQUEST.md), the verticals when not given");
    declared.text("delta", flags.delta,
                  "Range of the short legs' absolute delta, such as 0.1..0.3");
    declared.text("dte", flags.dte, "Range of calendar days to expiry, such as 7..45");
    declared.text("iv", flags.iv, "Range of the legs' implied volatility, such as 0.1..");
    declared.text("width", flags.width,
                  "Range of the distance between strikes, such as ..50; without one, ..100");
    declared.text("pop", flags.pop, "Range of the probability of profit, such as 0.6..");
    declared.list(
        "filter", flags.filters, ';',
        "Any filter as TYPE:PARAM=VALUE,..., such as liquidity:min_bid=0.1,min_volume=10");
    declared.text("preset", flags.preset,
                  "Weights of the score: balanced, conservative or aggressive");
    declared.text("fill", flags.fill,
                  "Price assumed for each leg: natural, mid, or 0 to 1 between them");
    declared.number("fee", flags.fee, {0.0, service::kFeeMax}, "currency", "Fee of one contract");
    declared.number("rate", flags.rate, {-1.0, 1.0}, "per year",
                    "Continuous rate, in place of the one fitted to the chain");
    declared.text("volatility", flags.volatility,
                  "What probabilities come from: smile, flat, realised or a number such as 0.2");
    declared.list("dividend", flags.dividends, ',',
                  "Cash dividends to come as EX-DATE:AMOUNT, such as 2024-05-10:0.5");
    declared.text("best-per", flags.best_per,
                  "Keep only the best of each spread, symbol, expiry or short_strikes");
    declared.flag("exact-count", flags.exact_count,
                  "Look at every candidate, so that every filter's count is exact");
    declared.text("delta-stance", flags.delta_stance,
                  "Neutral, long or short, in place of the strategy's own");
    declared.text("vega-stance", flags.vega_stance,
                  "Neutral, long or short, in place of the strategy's own");
    declared.number("limit", flags.limit, {1U, service::kLimitMax}, "spreads",
                    "How many of the best to show");
}

std::string request_flag_of(const Invocation& invocation) {
    RequestFlags flags;
    config::Options declared(invocation.program, "");
    add_request_flags(declared, flags);
    for (const std::string& name : declared.names()) {
        if (on_command_line(invocation, name)) return fmt::format("--{}", name);
    }
    return {};
}

Result<filter::FilterSpec, Problem> parse_range(std::string_view type, std::string_view text) {
    filter::FilterSpec spec{std::string(type), {}};
    const auto dots = text.find("..");
    if (dots == std::string_view::npos || !read_bound(text.substr(0, dots), "min", spec) ||
        !read_bound(text.substr(dots + 2), "max", spec) || spec.params.empty()) {
        return fail(usage_problem(fmt::format(
            "--{} is \"{}\", it must be a range such as 0.1..0.3, 0.1.. or ..0.3", type, text)));
    }
    return spec;
}

Result<filter::FilterSpec, Problem> parse_filter(std::string_view text) {
    const auto colon = text.find(':');
    filter::FilterSpec spec{std::string(text.substr(0, colon)), {}};
    std::string_view rest =
        colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        const std::string_view item = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        const auto equals = item.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            return fail(usage_problem(fmt::format(
                "--filter \"{}\": write TYPE:PARAM=VALUE,..., such as dte:min=7,max=45", text)));
        }
        const std::string_view value = item.substr(equals + 1);
        filter::ParamValue& param = spec.params[std::string(item.substr(0, equals))];
        if (const auto number = config::parse_decimal(value)) {
            param = *number;
        } else if (value == "true" || value == "false") {
            param = value == "true";
        } else {
            param = std::string(value);
        }
    }
    return spec;
}

namespace {

// What says how the chain is priced and looked at.
std::optional<Problem> add_model(const config::Options& declared, const RequestFlags& flags,
                                 service::ScanRequest& request) {
    if (declared.given("rate")) {
        request.rate = flags.rate;
        request.rate_curve.clear();
    }
    if (declared.given("fill")) {
        const auto fill = fill_of(flags.fill);
        if (!fill) return fill.error();
        request.fill = *fill;
    }
    if (declared.given("volatility")) {
        const auto volatility = volatility_of(flags.volatility);
        if (!volatility) return volatility.error();
        request.volatility = *volatility;
    }
    if (declared.given("best-per")) {
        const auto best_per = best_per_of(flags.best_per);
        if (!best_per) return best_per.error();
        request.best_per = *best_per;
    }
    if (flags.exact_count) request.exact_count = true;
    if (!flags.dividends.empty()) request.dividends.clear();
    for (const std::string& text : flags.dividends) {
        auto dividend = dividend_of(text);
        if (!dividend) return dividend.error();
        request.dividends.push_back(*std::move(dividend));
    }
    return std::nullopt;
}

// Over the request file's, and under what the request's own flags say: --fee outranks a table's fee.
void add_read_settings(const ReadSettings& read, service::ScanRequest& request) {
    if (const auto* table = read.contracts()) add_contracts(*table, request);
    if (read.as_of()) request.as_of = read.as_of();
    if (std::isfinite(read.spot())) request.spot = read.spot();
}

}  // namespace

Result<service::ScanRequest, Problem> make_request(const config::Options& declared,
                                                   const RequestFlags& flags,
                                                   const ReadSettings* read) {
    auto base = base_request(flags);
    if (!base) return base;
    service::ScanRequest request = std::move(*base);
    const auto given = [&](std::string_view name) { return declared.given(name); };
    if (read != nullptr) add_read_settings(*read, request);
    if (given("limit")) request.limit = flags.limit;
    if (given("strategy")) request.strategies = flags.strategies;
    if (given("preset")) {
        request.preset = flags.preset;
        request.weights.reset();
    }
    if (given("fee")) request.fee_per_contract = flags.fee;
    if (auto problem = add_model(declared, flags, request)) return fail(*std::move(problem));
    for (const auto& [name, text, target] :
         {std::tuple{"delta-stance", &flags.delta_stance, &request.delta_stance},
          std::tuple{"vega-stance", &flags.vega_stance, &request.vega_stance}}) {
        if (text->empty()) continue;
        *target = stance_of(*text);
        if (!*target) {
            return fail(usage_problem(
                fmt::format("--{} is \"{}\", it must be neutral, long or short", name, *text)));
        }
    }
    if (auto problem = add_filters(flags, request)) return fail(*std::move(problem));
    if (const auto plan = service::make_plan(request); !plan) {
        return fail(usage_problem(plan.error().message));
    }
    return request;
}

}  // namespace scanmq::cli
