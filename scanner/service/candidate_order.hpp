#pragma once
// CandidateOrder: the order of engine.hpp over the candidates of one chain, without their spreads.
//
// Role:     private to scanner/service and scanner/search.
// Lifetime: chain and plan must outlive it.

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "scanner/service/candidate.hpp"

namespace scanmq::service {

class CandidateOrder {
  public:
    explicit CandidateOrder(const market::PricedChain& chain, const ScanPlan& plan)
        : strike_(&chain.chain->strike), plan_(&plan), place_(chain.chain->expiries.size()) {
        const auto& expiries = chain.chain->expiries;
        std::vector<std::uint32_t> by_contract(expiries.size());
        for (std::uint32_t i = 0; i < by_contract.size(); ++i) by_contract[i] = i;
        std::ranges::sort(by_contract, {}, [&expiries](std::uint32_t i) {
            return std::tie(expiries[i].root, expiries[i].date, expiries[i].settlement);
        });
        for (std::uint32_t i = 0; i < by_contract.size(); ++i) place_[by_contract[i]] = i;
    }

    bool operator()(const Candidate& a, const Candidate& b) const {
        if (a.score != b.score) return a.score > b.score;
        if (a.risk != b.risk) return a.risk < b.risk;
        if (a.expiry != b.expiry) return place_[a.expiry] < place_[b.expiry];
        if (a.strategy != b.strategy) return a.strategy < b.strategy;
        const std::size_t legs = plan_->strategies[a.strategy]->legs.size();
        for (std::size_t i = 0; i < legs; ++i) {
            const double left = (*strike_)[a.row[i]];
            const double right = (*strike_)[b.row[i]];
            if (left != right) return left < right;
        }
        if (a.back != b.back) return place_[a.back] < place_[b.back];
        return false;
    }

  private:
    const std::vector<double>* strike_;
    const ScanPlan* plan_;
    std::vector<std::uint32_t> place_;
};

}  // namespace scanmq::service
