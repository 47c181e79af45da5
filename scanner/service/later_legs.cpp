#include "scanner/service/later_legs.hpp"

#include <algorithm>

namespace scanmq::service {

LaterLegs::LaterLegs(const market::PricedChain& chain, const Lane& lane)
    : chain_(chain), lane_(lane) {
    american_ = lane.between && chain.chain->style == market::ExerciseStyle::american;
    if (american_) market_ = market::later_market(chain, lane.expiry, lane.back);
}

const pricing::AmericanCurve* LaterLegs::curve(std::size_t leg, std::uint32_t place) {
    if (!american_) return nullptr;
    std::vector<Block>& blocks = blocks_[leg];
    if (blocks.empty()) {
        const std::size_t needed = rows_of_leg(lane_, leg).size() / kBlock + 1;
        blocks.resize(std::min<std::size_t>(needed, kBlocks));
    }
    const std::uint32_t number = place / kBlock;
    Block& block = blocks[number % blocks.size()];
    if (block.number != number) {
        block.number = number;
        fill(block, leg);
    }
    return &block.curves[place % kBlock];
}

void LaterLegs::fill(Block& block, std::size_t leg) const {
    const std::vector<std::uint32_t>& rows = rows_of_leg(lane_, leg);
    const std::size_t begin = std::size_t{block.number} * kBlock;
    const std::size_t size = std::min<std::size_t>(kBlock, rows.size() - begin);
    std::array<pricing::CurveLeg, kBlock> legs{};
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint32_t row = rows[begin + i];
        // Without a volatility of its own nobody asks for the curve.
        legs[i] = {chain_.chain->strike[row], chain_.iv[row], lane_.definition->legs[leg].right};
    }
    pricing::american_curves(market_, std::span(legs).first(size),
                             std::span(block.curves).first(size));
}

}  // namespace scanmq::service
