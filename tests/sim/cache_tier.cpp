#include "tests/sim/cache_tier.hpp"

#include <iterator>

#include "common/cache/envelope.hpp"

namespace scanmq::sim {

using namespace std::chrono_literals;

void CacheTier::ask(const broker::CacheAsk& ask, const Answered& answered) {
    if (world_.chance(faults_.cache_lose_share)) return;
    CacheAnswer answer{ask.look_up, read(ask.fingerprint), {}};
    if (answer.body) ++hits_;
    // Some answers come after the broker's patience.
    const Duration delay =
        world_.between(10us, world_.chance(faults_.cache_late_share) ? 60ms : 2ms);
    world_.after(delay, [answered, answer] { answered(answer); });
    if (world_.chance(faults_.cache_lie_share * 0.5)) {
        world_.after(delay + world_.between(1us, 30ms), [answered, answer] { answered(answer); });
    }
}

std::optional<std::string> CacheTier::read(const ContentId& key) {
    auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    std::string bytes = found->second;
    if (world_.chance(faults_.cache_lie_share)) {
        switch (world_.rng.below(4)) {
            case 0:  // another key's value
                bytes = values_.begin()->second;
                break;
            case 1:  // cut short
                bytes.resize(world_.rng.below(bytes.size()));
                break;
            case 2:  // one bit
                bytes[world_.rng.below(bytes.size())] ^=
                    static_cast<char>(1U << world_.rng.below(8));
                break;
            default:  // forgotten
                values_.erase(found);
                return std::nullopt;
        }
    }
    const auto value = cache::decode_envelope(key, bytes);
    if (!value) return std::nullopt;
    return std::string(value->body);
}

void CacheTier::keep(const ContentId& key, ByteView body, WallMillis wall) {
    if (world_.chance(faults_.cache_lose_share)) return;
    if (values_.size() >= kValuesMax) values_.erase(std::next(values_.begin(), kValuesMax / 2));
    values_[key] = cache::encode_envelope(key, wall, body);
}

}  // namespace scanmq::sim
