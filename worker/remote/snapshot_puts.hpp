#pragma once
// SnapshotPuts: brings snapshots to one target, each once at a time, whoever waits for it.
//
// Role:     owned by RemoteTarget. PUT /api/v1/snapshots/{hash}.
// Threads:  worker loop only.
// Owns:     the inputs whose bytes are under way. A put goes on when nobody waits for it any more: the next
//           try finds the snapshot there.
// Limits:   one put per snapshot; each ends within `timeout`. What the target has is the target's to
//           know: nothing is remembered.

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/http/client.hpp"
#include "worker/remote/answer.hpp"
#include "worker/scanners/input.hpp"

namespace scanmq::worker {

class SnapshotPuts {
  public:
    using Waiter = std::uint64_t;
    // All that the waiter wanted is there (ok), or the first of it that could not be put says why.
    // Never called from within want().
    using Ready = std::function<void(Waiter, const Answer&)>;

    SnapshotPuts(http::Client& client, Duration timeout, Ready ready)
        : client_(client), timeout_(timeout), ready_(std::move(ready)) {}

    // Preconditions: `inputs` is not empty, they are filled; this waiter waits for
    // nothing.
    void want(Waiter waiter, std::span<const std::shared_ptr<Input>> inputs);
    void forget(Waiter waiter);

    [[nodiscard]] std::uint64_t puts() const noexcept { return puts_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    struct Put {
        std::shared_ptr<Input> input;
        std::vector<Waiter> waiters;
    };

    void on_put(const ContentId& id, const http::ClientResult& result);

    http::Client& client_;
    Duration timeout_;
    Ready ready_;
    std::unordered_map<ContentId, Put> under_way_;
    std::unordered_map<Waiter, std::size_t> missing_;
    std::uint64_t puts_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace scanmq::worker
