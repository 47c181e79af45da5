#pragma once
// Fleet: which scanner version a worker that starts announces; mixed in the middle of a roll-out.
//
// Role:    one for all workers. A release moves the base: workers that start from then on have it, those
//          that run keep what they have.
// Heal:    all workers get the base; or the fleet stays mixed, and the operator pins the base, which the
//          first worker has.

#include <string>

#include "tests/sim/options.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

class Fleet {
  public:
    Fleet(World& world, const Options& options) : world_(world), options_(options) {}

    // Of a worker that starts; empty: scanners have no versions here.
    [[nodiscard]] std::string draw();
    [[nodiscard]] std::string any() const;
    // Another base.
    void release();
    // No fault happens any more.
    void heal();
    // What the worker has to be started anew for; `first`: it is the first one.
    [[nodiscard]] bool unfit(const std::string& version, bool first) const {
        return healed_ && version != base() && (first || !mixed_);
    }
    // What the operator sets in the end: the version that somebody has, or that queues follow.
    [[nodiscard]] std::string pinned() const { return mixed_ ? base() : std::string(); }
    [[nodiscard]] std::string base() const;

  private:
    World& world_;
    const Options& options_;
    std::uint64_t base_ = 1;
    bool healed_ = false;
    bool mixed_ = false;
};

}  // namespace scanmq::sim
