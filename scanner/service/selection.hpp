#pragma once
// Selection: the candidates a scan keeps: the k best, or the k best with one for each key, exactly.
//
// Exact:    with keys, a key that was put out has a best that k other keys beat, and they only get
//           better; should it get a better one it comes back like any other.
// Role:     private to scanner/service and scanner/search.
// Memory:   k candidates.
// Threads:  one.

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "scanner/score/top_k.hpp"
#include "scanner/service/candidate_order.hpp"

namespace scanmq::service {

class Selection {
  public:
    Selection(const market::PricedChain& chain, const ScanPlan& plan, const ScanRequest& request)
        : plan_(&plan),
          per_(request.best_per),
          k_(request.limit),
          order_(chain, plan),
          best_(request.limit, order_),
          ranked_(order_) {}

    // Is the list full: can a candidate under threshold() be left out?
    [[nodiscard]] bool full() const noexcept {
        return per_ == BestPer::spread ? best_.full() : ranked_.size() >= k_;
    }
    // The k-th best's score so far. Precondition: full().
    [[nodiscard]] double threshold() const noexcept {
        return per_ == BestPer::spread ? best_.worst().score : ranked_.rbegin()->score;
    }
    void offer(const Candidate& candidate);
    // Best first. Leaves this empty.
    [[nodiscard]] std::vector<Candidate> take();

  private:
    using Key = std::vector<std::uint32_t>;
    [[nodiscard]] Key key_of(const Candidate& candidate) const;

    const ScanPlan* plan_;
    BestPer per_;
    std::size_t k_;
    CandidateOrder order_;
    score::TopK<Candidate, CandidateOrder> best_;
    std::set<Candidate, CandidateOrder> ranked_;  // one of each key
    std::map<Key, Candidate> of_key_;             // those in ranked_
};

}  // namespace scanmq::service
