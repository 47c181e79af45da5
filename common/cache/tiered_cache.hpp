#pragma once
// TieredCache: a fast tier in front of a shared one, as one tier.
//
//   get ──> fast ──hit──> answered
//             └──miss──> known to be missing (a moment ago)? ──> nothing
//                          └──> being looked up? ──> shares that look-up
//                                 └──> shared tier ──hit──> kept in the fast one, too; answered
//                                            └──miss──> remembered for negative_ttl; nothing
//
// Role:      what workers and brokers ask. A stampede on a key that nobody has asks the shared tier once.
// Threads:   one loop. Time comes from the Clock; tick() is called by the owner's timer.
// Borrows:   both tiers and the Clock, which must outlive it. A callback may destroy it.
// Deadline:  believes no tier to answer: tick() ends what is overdue as misses. One that shares a look-up
//            is answered at the look-up's deadline or its own, whichever comes first.
// Races:     a put or erase of a key that is being looked up answers all who wait, with what was put or
//            nothing, and the look-up's own answer is dropped.
// Age:       a value filled into the fast tier is kept for fill_ttl at most, however long its own time is;
//            it may be served for so long after it has left the shared one.
// Limits:    TieredCacheOptions; beyond waiting_max a get is a miss (`overflow`).

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/time.hpp"
#include "common/cache/tier.hpp"

namespace scanmq::cache {

struct TieredCacheOptions {
    Duration fill_ttl = std::chrono::seconds(60);
    // A failing tier's misses are believed for so long, too.
    Duration negative_ttl = std::chrono::milliseconds(50);  // 0: none is remembered
    std::uint32_t negative_max = 65'536;                    // keys known to be missing
    std::uint32_t waiting_max = 65'536;                     // keys of all who wait
};

class TieredCache final : public Tier {
  public:
    TieredCache(const TieredCacheOptions& options, Tier& fast, Tier& shared, const Clock& clock);
    ~TieredCache() override;

    void get(std::vector<ContentId> keys, Time deadline, GetDone done) override;
    void put(std::vector<TierPut> items, Time deadline) override;
    void erase(std::vector<ContentId> keys, Time deadline) override;
    // Of the two tiers together, as an asker sees it. Each tier has its own beside that.
    [[nodiscard]] TierStats stats() const override;

    // Answers what is overdue.
    void tick(Time now);
    // When tick() has something to do.
    [[nodiscard]] std::optional<Time> next_deadline() const;

  private:
    class Impl;
    std::shared_ptr<Impl>
        impl_;  // shared: tiers' callbacks hold it weakly, and a callback may end us
};

}  // namespace scanmq::cache
