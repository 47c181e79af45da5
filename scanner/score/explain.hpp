#pragma once
// Explain: one plain sentence for why a spread ranks where it does.
//
// Threads: pure functions.

#include <string>

#include "scanner/score/score.hpp"

namespace scanmq::score {

// "Score 71.3: strongest in a likely profit (probability 84.0, 21.0 points); weakest in risk for what
// it can gain (risk_reward 37.1, 12.6 points short)." By points: the component's share of the weights
// times its value, or times what it lacks to 100. Empty where nothing applies.
[[nodiscard]] std::string explain(const Components& components, const Weights& weights);

}  // namespace scanmq::score
