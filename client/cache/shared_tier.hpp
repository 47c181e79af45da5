#pragma once
// The shared tier that --cache names: a Redis, or another broker.
//
// Role:      one way from the option to a Tier, for brokers and workers.
// Threads:   make_shared_tier() on the loop's thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/cache/tier.hpp"

namespace boost::asio {
class io_context;
}

namespace scanmq::client {

struct SharedTierOptions {
    std::string where;   // redis://..., tcp://HOST:PORT
    std::string prefix;  // of every key in a Redis
    Duration wait = std::chrono::milliseconds(20);
    std::uint64_t seed = 1;
    // For another broker: who asks, and whether it puts and drops, too.
    std::string name;
    std::string agent;
    Id128 instance;
    bool writes = true;
    std::function<void(const std::string&)> log;  // gets a sentence when an operator is needed
};

// What is wrong with a value of --cache: memory, off, redis://... or tcp://HOST:PORT; nullopt: nothing.
[[nodiscard]] std::optional<std::string> check_cache(std::string_view where);

// Whether it names a shared tier, beside memory.
[[nodiscard]] inline bool is_shared(std::string_view where) noexcept {
    return where != "memory" && where != "off";
}

// In the topic `cache`: redis, broker. Precondition: is_shared().
[[nodiscard]] std::string tier_name(std::string_view where);

// Precondition: check_cache() found nothing wrong, and is_shared().
[[nodiscard]] std::unique_ptr<cache::Tier> make_shared_tier(boost::asio::io_context& loop,
                                                            const SharedTierOptions& options);

}  // namespace scanmq::client
