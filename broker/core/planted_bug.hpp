#pragma once
// PlantedBug: bugs put in on purpose, to show that the simulator finds them (tests/sim, canaries).
//
// Role:    each is one condition at the place where it would be a slip. Only builds with SCANMQ_CANARY
//          have them, one at a time; in every other planted() is false when it is compiled.
// Threads: planted_bug is set before the core is made.

#include <cstdint>

namespace scanmq::broker {

enum class PlantedBug : std::uint8_t {
    none,
    forgets_ids,         // a job that ended is not known any more
    leaks_room,          // its place in the queue is not given back
    acknowledges_early,  // ACCEPTED does not wait for the commit
    publishes_early,     // RESULTS do not
    strands_followers,   // what follows an execution that ends without a result is not run
    runs_followers,      // what has to follow a full execution is run beside it
    follows_early,       // a job follows an execution that has room for it
    mixes_versions,      // a fingerprint leaves the scanner version out
    serves_too_old,      // a stale result may have any age
    mixes_generations,   // a group's jobs see the newest aliases
    forgets_standing,    // a standing scan that was set has no record
    drops_pinned,        // room for a blob is made of what is pinned
    drops_unread,        // a lossless stream drops what is not acknowledged
};

#ifdef SCANMQ_CANARY
inline PlantedBug planted_bug = PlantedBug::none;
inline bool planted(PlantedBug bug) noexcept { return planted_bug == bug; }
#else
constexpr bool planted(PlantedBug) noexcept { return false; }
#endif

}  // namespace scanmq::broker
