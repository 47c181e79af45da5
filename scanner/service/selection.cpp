#include "scanner/service/selection.hpp"

namespace scanmq::service {

Selection::Key Selection::key_of(const Candidate& candidate) const {
    if (per_ == BestPer::symbol) return {};
    if (per_ == BestPer::expiry) return {candidate.expiry};
    Key key{candidate.expiry};
    const auto& legs = plan_->strategies[candidate.strategy]->legs;
    for (std::size_t i = 0; i < legs.size(); ++i) {
        if (legs[i].side == strategy::Side::short_leg) key.push_back(candidate.row[i]);
    }
    return key;
}

void Selection::offer(const Candidate& candidate) {
    if (per_ == BestPer::spread) return best_.offer(candidate);
    if (full() && !order_(candidate, *ranked_.rbegin())) return;
    const Key key = key_of(candidate);
    const auto known = of_key_.find(key);
    if (known != of_key_.end()) {
        if (!order_(candidate, known->second)) return;
        ranked_.erase(known->second);
        known->second = candidate;
    } else {
        if (full()) {
            const auto worst = std::prev(ranked_.end());
            of_key_.erase(key_of(*worst));
            ranked_.erase(worst);
        }
        of_key_.emplace(key, candidate);
    }
    ranked_.insert(candidate);
}

std::vector<Candidate> Selection::take() {
    if (per_ == BestPer::spread) return best_.take();
    std::vector<Candidate> out(ranked_.begin(), ranked_.end());
    ranked_.clear();
    of_key_.clear();
    return out;
}

}  // namespace scanmq::service
