#pragma once
// BrokerTier: a Tier in another broker's cache, over the ZeroMQ protocol.
//
// Role:      the shell of BrokerTierCore, which decides; here are the socket, the clocks and the timer.
// Threads:   the io_context must be run by one thread; everything here is called on it. ZeroMQ has one of
//            its own beside it.
// Lifetime:  the io_context outlives the tier. The destructor answers nothing any more; a callback may end
//            the tier.
// Never waits: as RedisTier: a get is answered by min(deadline, now + timeout); not connected, or with the
//            breaker open, from within get().
// Limits:    BrokerTierOptions. Frames that wait to be sent are bounded by its windows.
// Security:  nothing is encrypted, nobody identified: the broker that is asked may say what results say.

#include <memory>
#include <vector>

#include "client/cache/broker_tier_core.hpp"
#include "common/cache/tier.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::client {

class BrokerTier final : public cache::Tier {
  public:
    // Begins to connect. Precondition: the endpoint is one that check_cache() takes.
    BrokerTier(boost::asio::io_context& io, const BrokerTierOptions& options);
    ~BrokerTier() override;

    void get(std::vector<ContentId> keys, Time deadline, GetDone done) override;
    void put(std::vector<cache::TierPut> items, Time deadline) override;
    void erase(std::vector<ContentId> keys, Time deadline) override;
    [[nodiscard]] cache::TierStats stats() const override;

    // It has a session.
    [[nodiscard]] bool ready() const noexcept;
    [[nodiscard]] cache::TierBreaker::State breaker() const noexcept;

  private:
    class Impl;
    std::shared_ptr<Impl>
        impl_;  // shared: the loop's handlers hold it weakly, and a callback may end us
};

}  // namespace scanmq::client
