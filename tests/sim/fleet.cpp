#include "tests/sim/fleet.hpp"

namespace scanmq::sim {

std::string Fleet::base() const { return options_.versions == 0 ? "" : std::to_string(base_); }

std::string Fleet::any() const { return std::to_string(1 + world_.rng.below(options_.versions)); }

std::string Fleet::draw() {
    if (options_.versions < 2 || healed_ || !world_.chance(options_.version_share)) return base();
    // Now and then somebody announces none.
    return world_.chance(0.1) ? std::string() : any();
}

void Fleet::release() {
    base_ = 1 + base_ % options_.versions;
    world_.trace("fleet", "workers that start are of version " + base());
}

void Fleet::heal() {
    healed_ = true;
    mixed_ = options_.versions > 1 && world_.chance(0.4);
}

}  // namespace scanmq::sim
