#pragma once
// LaterLegs: what the later legs of a lane's candidates are worth when the nearer expiry settles, where
//            they are American: a curve for each leg, made when a candidate first asks, sixteen at once.
//
// Role:     private to scanner/service.
// Memory:   at most kBlocks blocks of curves for each later leg of the strategy; a block that comes to
//           another's place is made again when it is asked for again. A curve does not depend on that.
// Lifetime: chain and lane must outlive this.
// Threads:  one.

#include <array>
#include <cstdint>
#include <vector>

#include "scanner/market/later_market.hpp"
#include "scanner/service/lane.hpp"

namespace scanmq::service {

class LaterLegs {
  public:
    LaterLegs(const market::PricedChain& chain, const Lane& lane);

    // Of a leg of the later expiry at this place in its rank's columns; null where options are
    // European. Good until the same leg is asked for at another place.
    [[nodiscard]] const pricing::AmericanCurve* curve(std::size_t leg, std::uint32_t place);

  private:
    static constexpr std::uint32_t kBlock = 16;
    static constexpr std::uint32_t kBlocks = 64;
    static constexpr std::uint32_t kNoBlock = 0xffffffffU;
    struct Block {
        std::uint32_t number{kNoBlock};
        std::array<pricing::AmericanCurve, kBlock> curves;
    };
    void fill(Block& block, std::size_t leg) const;

    const market::PricedChain& chain_;
    const Lane& lane_;
    bool american_{};
    pricing::CurveMarket market_;
    std::array<std::vector<Block>, strategy::kMaxLegs> blocks_;
};

}  // namespace scanmq::service
