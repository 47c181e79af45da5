#include "scanner/service/request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/nearest.hpp"
#include "scanner/market/contracts.hpp"

namespace scanmq::service {
namespace {

Failure<Error> invalid(std::string message) {
    return fail(Error{ErrorCode::invalid_request, std::move(message)});
}

std::optional<Error> refuse(std::string message) {
    return Error{ErrorCode::invalid_request, std::move(message)};
}

bool positive(double value) { return value > 0.0 && std::isfinite(value); }

std::optional<Error> check_numbers(const ScanRequest& request) {
    if (request.limit < 1 || request.limit > kLimitMax) {
        return refuse(fmt::format("limit is {}, it must be 1 to {}", request.limit, kLimitMax));
    }
    if (!(request.fill.toward_mid >= 0.0 && request.fill.toward_mid <= 1.0)) {
        return refuse("fill must be \"natural\", \"mid\" or a number from 0 (natural) to 1 (mid)");
    }
    if (!(request.fee_per_contract >= 0.0 && request.fee_per_contract <= kFeeMax)) {
        return refuse(fmt::format("fee_per_contract must be 0 to {}", kFeeMax));
    }
    if (request.rate && !(std::fabs(*request.rate) <= 1.0)) {
        return refuse("rate must be a decimal from -1 to 1, such as 0.05");
    }
    if (request.as_of && *request.as_of <= 0) {
        return refuse("as_of_ms must be positive, in ms since 1970-01-01 UTC");
    }
    if (request.candidates_max < 1 || request.candidates_max > kCandidatesMax) {
        return refuse(fmt::format("candidates_max is {}, it must be 1 to {}",
                                  request.candidates_max, kCandidatesMax));
    }
    return std::nullopt;
}

std::optional<Error> check_volatility(const VolatilityChoice& volatility) {
    const bool may_have_value =
        volatility.mode == VolatilityMode::user || volatility.mode == VolatilityMode::realised;
    if (volatility.value && !may_have_value) {
        return refuse(fmt::format("volatility mode \"{}\" takes no value; it is read off the chain",
                                  to_string(volatility.mode)));
    }
    if (volatility.mode == VolatilityMode::user && !volatility.value) {
        return refuse("volatility mode \"user\" needs a value, such as 0.2");
    }
    if (volatility.value && !(*volatility.value > 0.0 && *volatility.value <= kVolatilityMax)) {
        return refuse(fmt::format("volatility value must be above 0 and at most {}, as a decimal",
                                  kVolatilityMax));
    }
    return std::nullopt;
}

std::optional<Error> check_inputs(const ScanRequest& request) {
    const auto too_many = [](const char* what, std::size_t size, std::size_t max) {
        return refuse(fmt::format("{} has {} entries, at most {} may be", what, size, max));
    };
    if (request.rate && !request.rate_curve.empty()) {
        return refuse("the request has both \"rate\" and \"rate_curve\"; give one of them");
    }
    if (request.rate_curve.size() > kRatePointsMax) {
        return too_many("rate_curve", request.rate_curve.size(), kRatePointsMax);
    }
    double years = 0.0;
    for (const market::RatePoint& point : request.rate_curve) {
        if (!(point.years > years) || !std::isfinite(point.years) ||
            !(std::fabs(point.rate) <= 1.0)) {
            return refuse("rate_curve must have rising positive years and rates from -1 to 1");
        }
        years = point.years;
    }
    if (request.spot && !positive(*request.spot)) return refuse("spot must be a positive number");
    if (request.dividends.size() > kDividendsMax) {
        return too_many("dividends", request.dividends.size(), kDividendsMax);
    }
    for (const Dividend& each : request.dividends) {
        if (!positive(each.amount) || each.ex_moment <= 0) {
            return refuse("dividends must have a positive amount and ex_ms");
        }
    }
    if (request.ticks.size() > kTicksMax) {
        return too_many("ticks", request.ticks.size(), kTicksMax);
    }
    for (const RootTicks& each : request.ticks) {
        if (!(each.threshold >= 0.0) || !std::isfinite(each.threshold) ||
            !market::valid_tick(each.below) || !market::valid_tick(each.above)) {
            return refuse(
                "ticks must have a threshold of 0 or more and ticks that divide 1.00, like 0.01, "
                "0.05 or 0.10");
        }
    }
    if (request.margins.size() > kMarginsMax) {
        return too_many("margins", request.margins.size(), kMarginsMax);
    }
    for (const RootMargin& each : request.margins) {
        const auto share = [](double value) {  // leverage inside
            return value >= 0.0 && value <= market::kLeverageMax;
        };
        if (!share(each.share) || !share(each.floor)) {
            return refuse(fmt::format("margins must have a share and a floor between 0 and {}",
                                      market::kLeverageMax));
        }
    }
    if (request.events.size() > kEventsMax) {
        return too_many("events", request.events.size(), kEventsMax);
    }
    for (const Event& each : request.events) {
        if (each.symbol.empty() || each.moment <= 0) {
            return refuse("events must have a symbol and a positive moment_ms");
        }
    }
    if (request.histories.size() > kHistoriesMax) {
        return too_many("histories", request.histories.size(), kHistoriesMax);
    }
    for (const History& each : request.histories) {
        if (each.symbol.empty()) return refuse("histories must have a symbol");
        for (const auto* series : {&each.closes, &each.implied_30d}) {
            if (series->size() > kHistoryDaysMax) {
                return too_many("a history", series->size(), kHistoryDaysMax);
            }
            if (!std::ranges::all_of(*series, positive)) {
                return refuse(fmt::format("histories of {} must be positive numbers", each.symbol));
            }
        }
    }
    return std::nullopt;
}

Result<score::Weights, Error> weights_of(const ScanRequest& request) {
    if (!request.weights) {
        if (const auto preset = score::preset(request.preset)) return *preset;
        return invalid(fmt::format("there is no preset \"{}\"; did you mean \"{}\"?",
                                   request.preset,
                                   nearest_name(request.preset, score::preset_names())));
    }
    double usable = 0.0;
    for (std::size_t i = 0; i < score::kComponents; ++i) {
        const double weight = request.weights->value[i];
        if (weight != 0.0 && !(weight >= kWeightMin && weight <= kWeightMax)) {
            return invalid(fmt::format("weight \"{}\" must be 0, or from {} to {:.0f}",
                                       score::component_names()[i], kWeightMin, kWeightMax));
        }
        usable += weight;
    }
    if (!(usable > 0.0)) {
        return invalid("weights must give a positive weight to at least one component");
    }
    return *request.weights;
}

}  // namespace

const char* to_string(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::malformed:
            return "malformed";
        case ErrorCode::invalid_request:
            return "invalid_request";
        case ErrorCode::invalid_result:
            return "invalid_result";
        case ErrorCode::symbol_mismatch:
            return "symbol_mismatch";
        case ErrorCode::too_many_candidates:
            return "too_many_candidates";
        case ErrorCode::cancelled:
            return "cancelled";
    }
    return "malformed";
}

const char* to_string(VolatilityMode mode) noexcept {
    switch (mode) {
        case VolatilityMode::smile:
            return "smile";
        case VolatilityMode::flat:
            return "flat";
        case VolatilityMode::realised:
            return "realised";
        case VolatilityMode::user:
            return "user";
    }
    return "smile";
}

const char* to_string(BestPer per) noexcept {
    switch (per) {
        case BestPer::spread:
            return "spread";
        case BestPer::symbol:
            return "symbol";
        case BestPer::expiry:
            return "expiry";
        case BestPer::short_strikes:
            return "short_strikes";
    }
    return "spread";
}

const char* to_string(EventKind kind) noexcept {
    return kind == EventKind::earnings ? "earnings" : "ex_dividend";
}

market::PricingOptions pricing_options(const ScanRequest& request, std::string_view symbol) {
    market::PricingOptions options;
    options.rate = request.rate.value_or(market::kMissing);
    options.rate_curve = request.rate_curve;
    options.spot = request.spot.value_or(market::kMissing);
    options.as_of = request.as_of.value_or(0);
    for (const Dividend& each : request.dividends) {
        if (!each.symbol.empty() && each.symbol != symbol) continue;
        options.dividends.push_back({.ex_moment = each.ex_moment, .amount = each.amount});
    }
    return options;
}

bool wants_own_pricing(const ScanRequest& request) noexcept {
    return request.rate || request.as_of || request.spot || !request.rate_curve.empty() ||
           !request.dividends.empty();
}

Result<ScanPlan, Error> make_plan(const ScanRequest& request) {
    if (auto error = check_numbers(request)) return fail(*std::move(error));
    if (auto error = check_volatility(request.volatility)) return fail(*std::move(error));
    if (auto error = check_inputs(request)) return fail(*std::move(error));
    ScanPlan plan;
    const auto& defaults = strategy::default_strategy_names();
    std::vector<std::string_view> names(request.strategies.begin(), request.strategies.end());
    if (names.empty()) names.assign(defaults.begin(), defaults.end());
    for (const std::string_view name : names) {
        const strategy::Strategy* found = strategy::find_strategy(name);
        if (found == nullptr) {
            return invalid(fmt::format("there is no strategy \"{}\"; did you mean \"{}\"?", name,
                                       nearest_name(name, strategy::strategy_names())));
        }
        plan.strategies.push_back(found);
    }
    // The table is in order of name, so its addresses are.
    std::sort(plan.strategies.begin(), plan.strategies.end());
    plan.strategies.erase(std::unique(plan.strategies.begin(), plan.strategies.end()),
                          plan.strategies.end());

    auto filters = filter::compile(request.filters);
    if (!filters) return invalid(filters.error().message);
    plan.filters = *std::move(filters);
    auto weights = weights_of(request);
    if (!weights) return fail(std::move(weights).error());
    plan.weights = *weights;
    return plan;
}

namespace {

// The root's row, else the one for every other root, else none.
template <class Row>
const Row* row_of(const std::vector<Row>& rows, std::string_view root) noexcept {
    const Row* found = nullptr;
    for (const Row& each : rows) {
        if (each.root == root) found = &each;
        if (each.root.empty() && found == nullptr) found = &each;
    }
    return found;
}

}  // namespace

strategy::TickRule ticks_of(const ScanRequest& request, std::string_view root) noexcept {
    const RootTicks* const found = row_of(request.ticks, root);
    if (found == nullptr) return strategy::tick_rule(root);
    market::RootSpec spec;
    spec.tick_threshold = found->threshold;
    spec.tick_below = found->below;
    spec.tick_above = found->above;
    return strategy::tick_rule(spec);
}

strategy::MarginRate margin_of(const ScanRequest& request, std::string_view root) noexcept {
    const RootMargin* const found = row_of(request.margins, root);
    if (found == nullptr) return strategy::margin_rate(root);
    return {found->share, found->floor};
}

}  // namespace scanmq::service
