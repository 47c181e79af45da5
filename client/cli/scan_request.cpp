#include "client/cli/scan_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "client/cli/files.hpp"
#include "client/cli/session.hpp"
#include "common/config/values.hpp"
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
    declared.list("strategy", flags.strategies, ',', "Strategies to look for, all when not given");
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
    declared.text("delta-stance", flags.delta_stance,
                  "Neutral, long or short, in place of the strategy's own");
    declared.text("vega-stance", flags.vega_stance,
                  "Neutral, long or short, in place of the strategy's own");
    declared.number("limit", flags.limit, {1U, service::kLimitMax}, "spreads",
                    "How many of the best to show");
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

Result<service::ScanRequest, Problem> make_request(const config::Options& declared,
                                                   const RequestFlags& flags) {
    auto base = base_request(flags);
    if (!base) return base;
    service::ScanRequest request = std::move(*base);
    const auto given = [&](std::string_view name) { return declared.given(name); };
    if (given("limit")) request.limit = flags.limit;
    if (given("strategy")) request.strategies = flags.strategies;
    if (given("preset")) {
        request.preset = flags.preset;
        request.weights.reset();
    }
    if (given("fee")) request.fee_per_contract = flags.fee;
    if (given("rate")) request.rate = flags.rate;
    if (given("fill")) {
        const auto fill = fill_of(flags.fill);
        if (!fill) return fail(fill.error());
        request.fill = *fill;
    }
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
