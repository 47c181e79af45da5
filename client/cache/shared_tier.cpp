#include "client/cache/shared_tier.hpp"

#include <algorithm>
#include <charconv>

#include "client/cache/broker_tier.hpp"
#include "common/cache/redis/redis_tier.hpp"

namespace scanmq::client {

namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::size_t kEndpointBytesMax = 256;

// What is wrong with tcp://HOST:PORT; empty: nothing.
std::string problem_of_endpoint(std::string_view where) {
    const bool printable =
        std::all_of(where.begin(), where.end(), [](char c) { return c > ' ' && c < '\x7f'; });
    if (where.size() > kEndpointBytesMax || !printable) {
        return "it has at most 256 printable ASCII characters";
    }
    const std::size_t colon = where.rfind(':');
    if (colon < kTcp.size()) return "the port is missing";
    const std::string_view host = where.substr(kTcp.size(), colon - kTcp.size());
    const bool bare_six = host.find(':') != std::string_view::npos && !host.starts_with('[');
    if (host.empty() || host == "*" || bare_six || host.find_first_of("/;@") != host.npos) {
        return "the host is a name, an address, or an IPv6 address in brackets";
    }
    std::uint16_t port = 0;
    const char* const last = where.data() + where.size();
    const auto [end, error] = std::from_chars(where.data() + colon + 1, last, port);
    if (error != std::errc{} || end != last || port == 0) {
        return "the port must be a number from 1 to 65535";
    }
    return {};
}

}  // namespace

std::optional<std::string> check_cache(std::string_view where) {
    if (!is_shared(where)) return std::nullopt;
    std::string problem;
    if (where.starts_with(kTcp)) {
        problem = "not the endpoint of a broker: " + problem_of_endpoint(where);
        if (problem_of_endpoint(where).empty()) return std::nullopt;
    } else {
        const auto url = cache::parse_redis_url(where);
        if (url) return std::nullopt;
        problem = url.error();
    }
    return "--cache is memory, off, redis://HOST or tcp://HOST:PORT: " + problem;
}

std::string tier_name(std::string_view where) {
    return where.starts_with(kTcp) ? "broker" : "redis";
}

std::unique_ptr<cache::Tier> make_shared_tier(boost::asio::io_context& loop,
                                              const SharedTierOptions& options) {
    if (options.where.starts_with(kTcp)) {
        BrokerTierOptions tier;
        tier.endpoint = options.where;
        tier.name = options.name;
        tier.agent = options.agent;
        tier.instance = options.instance;
        tier.writes = options.writes;
        tier.timeout = options.wait;
        tier.log = options.log;
        return std::make_unique<BrokerTier>(loop, tier);
    }
    cache::RedisTierOptions tier;
    tier.url = cache::parse_redis_url(options.where).value();
    tier.prefix = options.prefix;
    tier.timeout = options.wait;
    tier.seed = options.seed;
    tier.log = options.log;
    return std::make_unique<cache::RedisTier>(loop, std::move(tier));
}

}  // namespace scanmq::client
