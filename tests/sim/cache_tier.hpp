#pragma once
// CacheTier: a tier that brokers share, and that is not to be trusted: it loses, delays, repeats, forgets
//            and damages what it is given.
//
// Role:      stands in for Redis and the thread that asks it; values go through the real envelope.
// Lifetime:  outlives the broker's processes.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/core/events.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

struct CacheAnswer {
    std::uint64_t look_up{};
    std::optional<std::string> body;
    Duration age{};
};

class CacheTier {
  public:
    using Answered = std::function<void(CacheAnswer)>;

    CacheTier(World& world, const FaultOptions& faults) : world_(world), faults_(faults) {}

    // Answers once, twice or never, now or after a while.
    void ask(const broker::CacheAsk& ask, const Answered& answered);
    void keep(const ContentId& key, ByteView body, WallMillis wall);
    [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }

  private:
    static constexpr std::size_t kValuesMax = 500;

    [[nodiscard]] std::optional<std::string> read(const ContentId& key);

    World& world_;
    const FaultOptions& faults_;
    std::map<ContentId, std::string> values_;
    std::uint64_t hits_ = 0;
};

}  // namespace scanmq::sim
