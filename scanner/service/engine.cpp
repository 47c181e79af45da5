#include "scanner/service/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "scanner/service/lane.hpp"
#include "scanner/service/vector_search.hpp"

namespace scanmq::service {
namespace {

class Scan {
  public:
    Scan(const market::PricedChain& chain, const ScanRequest& request, const ScanPlan& plan,
         const ScanInputs& inputs, Counts& counts, const ScanControl& control)
        : chain_(chain),
          request_(request),
          plan_(plan),
          inputs_(inputs),
          counts_(counts),
          control_(control),
          book_(chain, request, plan, inputs),
          lanes_(chain, request, plan, inputs, book_),
          vectors_(chain, request, plan, control.metrics),
          best_(chain, plan, request),
          arbitrage_(chain, plan, without_keys(request)) {}

    // Nothing, or why it ended early.
    std::optional<Error> run() {
        for (std::uint32_t e = 0; e < chain_.expiries.size(); ++e) {
            if (cancelled()) return cancelled_error();
            book_.load(e, counts_);
        }
        if (auto error = check_size()) return error;
        for (std::uint32_t e = 0; e < chain_.expiries.size(); ++e) {
            if (cancelled()) return cancelled_error();
            for (std::size_t s = 0; s < plan_.strategies.size(); ++s) {
                const std::size_t waiting = vectors_waiting_;
                if (!scan_lanes(e, s)) return cancelled_error();
                // A lane that waits is a step when it was searched.
                if (control_.steps != nullptr && vectors_waiting_ == waiting) {
                    control_.steps->fetch_add(1, std::memory_order_relaxed);
                }
            }
        }
        SearchState state = search_state();
        if (!vectors_.run(state, control_.steps)) return cancelled_error();
        return std::nullopt;
    }

    std::vector<Spread> best() { return spreads(best_.take()); }
    std::vector<Spread> arbitrage() { return spreads(arbitrage_.take()); }

    [[nodiscard]] bool cancelled() const noexcept {
        return control_.cancel != nullptr && control_.cancel->load(std::memory_order_relaxed);
    }
    static Error cancelled_error() { return Error{ErrorCode::cancelled, "the scan was cancelled"}; }

  private:
    static ScanRequest without_keys(ScanRequest request) {
        request.best_per = BestPer::spread;
        return request;
    }

    // Calls visit(lane) for each lane of a strategy at its nearer expiry, until it returns false.
    template <class Visit>
    bool each_lane(std::uint32_t expiry, std::size_t strategy, const Visit& visit) {
        const strategy::Strategy& definition = *plan_.strategies[strategy];
        if (!book_[expiry].near) return true;
        if (definition.stock != 0 && !has_stock(chain_, expiry)) return true;
        if (definition.expiries() == 1) return visit(lanes_.make(expiry, kNoExpiry, strategy));
        const auto& expiries = chain_.chain->expiries;
        for (std::uint32_t back = 0; back < expiries.size(); ++back) {
            const bool after = expiries[back].moment > expiries[expiry].moment ||
                               (expiries[back].moment == expiries[expiry].moment &&
                                expiries[back].date > expiries[expiry].date);
            if (!book_[back].later || !after || expiries[back].root != expiries[expiry].root) {
                continue;
            }
            if (!visit(lanes_.make(expiry, back, strategy))) return false;
        }
        return true;
    }

    // Counts candidates and wings without going through them, so that a request nobody can wait for
    // ends at once.
    std::optional<Error> check_size() {
        for (std::size_t s = 0; s < plan_.strategies.size(); ++s) {
            double candidates = 0.0;
            double weight = 1.0;
            for (std::uint32_t e = 0; e < chain_.expiries.size(); ++e) {
                each_lane(e, s, [&](const Lane& lane) {
                    candidates += count_lane(lane);
                    if (lane.between) weight = kTwoExpiryWeight;
                    return true;
                });
            }
            if (candidates * weight <= static_cast<double>(request_.candidates_max)) continue;
            return Error{
                ErrorCode::too_many_candidates,
                fmt::format(
                    "{} has {:.0f} candidates in {}{}, over candidates_max of {}: bound "
                    "\"width\", \"dte\", \"delta\" or \"strikes\" by filters, or raise "
                    "candidates_max",
                    plan_.strategies[s]->name, candidates, chain_.chain->symbol,
                    weight > 1.0 ? fmt::format(", each as much work as {:.0f}", weight) : "",
                    request_.candidates_max)};
        }
        return std::nullopt;
    }

    bool scan_lanes(std::uint32_t expiry, std::size_t strategy) {
        if (plan_.strategies[strategy]->stock != 0 && book_[expiry].near &&
            !has_stock(chain_, expiry)) {
            ++counts_.lanes_without_stock;
        }
        return each_lane(expiry, strategy, [this](const Lane& lane) {
            if (!control_.brute_force && vectors_.takes(lane)) {
                vectors_.add(lane);
                ++vectors_waiting_;
                return true;
            }
            SearchState state = search_state();
            return search_lane(lane, state);
        });
    }

    [[nodiscard]] SearchState search_state() {
        return {
            chain_, request_,   plan_,           counts_,
            best_,  arbitrage_, control_.cancel, !(request_.exact_count || control_.brute_force)};
    }

    // How many candidates there are; charges the width filter with wings.
    double count_lane(const Lane& lane) {
        const auto lists = lane.strikes();
        const std::span<const strategy::StrikeList> strikes(lists.data(), lane.rank_count());
        if (!plan_.filters.width) return strategy::count_candidates(strikes, lane.gaps);
        const auto wings = strategy::count_wings(strikes, lane.gaps);
        FilterCount& count = counts_.filters[plan_.filters.width->spec];
        count.evaluated += wings.pairs;
        count.removed += wings.out_of_bounds;
        if (strikes.size() == 2 && strategy::is_wing(lane.gaps[0].kind)) {
            return static_cast<double>(wings.pairs - wings.out_of_bounds);
        }
        return strategy::count_candidates(strikes, lane.gaps);
    }

    std::vector<Spread> spreads(const std::vector<Candidate>& candidates) const {
        std::vector<Spread> out;
        out.reserve(candidates.size());
        for (const Candidate& each : candidates) {
            if (cancelled()) break;
            out.push_back(build_spread(chain_, request_, plan_, inputs_, book_, each));
        }
        return out;
    }

    const market::PricedChain& chain_;
    const ScanRequest& request_;
    const ScanPlan& plan_;
    const ScanInputs& inputs_;
    Counts& counts_;
    ScanControl control_;
    LegBook book_;
    LaneMaker lanes_;
    VectorSearch vectors_;
    std::size_t vectors_waiting_ = 0;  // lanes
    Selection best_;
    Selection arbitrage_;
};

Assumptions assumptions_of(const market::PricedChain& chain, const ScanRequest& request,
                           const ScanPlan& plan, const ScanInputs& inputs) {
    Assumptions out;
    out.fill = request.fill.toward_mid;
    out.fee_per_contract = request.fee_per_contract;
    out.volatility = to_string(request.volatility.mode);
    out.weights = plan.weights;
    out.rate = chain.rate;
    out.rate_is_input = chain.rate_source == market::RateSource::given;
    out.rate_source = market::to_string(chain.rate_source);
    out.forward_is_carried =
        std::ranges::any_of(chain.expiries, &market::ExpiryMarket::forward_is_carried);
    out.spot = chain.spot;
    out.spot_is_implied = chain.spot_is_implied;
    out.best_per = to_string(request.best_per);
    if (request.volatility.mode == VolatilityMode::realised) {
        out.volatility_value = request.volatility.value.value_or(inputs.realised);
    } else if (request.volatility.mode == VolatilityMode::user) {
        out.volatility_value = request.volatility.value.value_or(market::kMissing);
    }
    out.realised_volatility = inputs.realised;
    out.dividends = inputs.dividends.size();
    out.events = inputs.events.size();
    out.ticks = request.ticks.size();
    out.margins = request.margins.size();
    return out;
}

}  // namespace

Result<ScanResult, Error> scan(const market::PricedChain& chain, const ScanRequest& request,
                               const ScanControl& control) {
    const auto plan = make_plan(request);
    if (!plan) return fail(plan.error());
    if (!request.symbol.empty() && request.symbol != chain.chain->symbol) {
        return fail(Error{ErrorCode::symbol_mismatch,
                          fmt::format("the request is for {}, the chain is of {}", request.symbol,
                                      chain.chain->symbol)});
    }
    const auto inputs = scan_inputs(chain, request);
    if (!inputs) return fail(inputs.error());
    ScanResult result;
    result.symbol = chain.chain->symbol;
    result.as_of = request.as_of.value_or(chain.chain->as_of);
    result.engine = kEngineVersion;
    result.assumptions = assumptions_of(chain, request, *plan, *inputs);
    for (const filter::FilterSpec& spec : request.filters) {
        result.counts.filters.push_back({.type = spec.type});
    }
    Scan run(chain, request, *plan, *inputs, result.counts, control);
    if (auto error = run.run()) return fail(*std::move(error));
    result.spreads = run.best();
    result.arbitrage = run.arbitrage();
    if (run.cancelled()) return fail(Scan::cancelled_error());
    return result;
}

std::uint64_t scan_steps(const market::Chain& chain, const ScanRequest& request) {
    const auto plan = make_plan(request);
    return plan ? chain.expiries.size() * plan->strategies.size() : 0;
}

}  // namespace scanmq::service
