#pragma once
// BodyReader: reads bodies that are not in memory from the state, by key.
//
// Role:      of BodyStore, for its cold bodies.
// Threads:   one at a time; the state may be written by another. Borrows: StateStore (outlives
//            this).
// Cost:      a place in each table is kept: keys asked for in rising order cost about 0.2 us each.
// Views:     until the next call. The snapshot behind them is renewed when a checkpoint was made; it
//            keeps old pages from being used again, so rest() lets go of it when there is nothing
//            to read for a while.

#include <memory>
#include <optional>

#include "broker/store/state_keys.hpp"
#include "broker/store/state_store.hpp"

namespace scanmq::broker {

class BodyReader {
  public:
    using Found = Result<std::optional<protocol::Body>, StateError>;

    explicit BodyReader(StateStore& store) : store_(&store) {}

    // Nothing: it is not there, as of the last checkpoint. Errors: io, damaged.
    [[nodiscard]] Found read(const BodyKey& key);
    void rest() noexcept;

  private:
    [[nodiscard]] Result<void, StateError> renew();
    [[nodiscard]] Found payload(const BodyKey& key);
    [[nodiscard]] Found result(const BodyKey& key);
    [[nodiscard]] Found shared_result(const BodyKey& key);
    // Brings entry_ to that offset. False: it has no entry.
    [[nodiscard]] Result<bool, StateError> seek_entry(const BodyKey& key);
    void begin_chunk() noexcept;
    [[nodiscard]] Result<bool, StateError> walk(const BodyKey& key);
    [[nodiscard]] static Failure<StateError> damage(const BodyKey& key);

    StateStore* store_;
    std::unique_ptr<StateSnapshot> snapshot_;
    std::uint64_t generation_ = 0;  // of the snapshot
    ExecutionRow execution_;        // read into again, for its list's memory
    // The chunk of entries asked for last, and where in it.
    ArchiveReader rest_{ByteView()};
    ByteView chunk_;
    PartitionId partition_ = 0;
    std::uint64_t chunk_first_ = 0;
    std::uint64_t next_ = 0;  // offset at rest_
    EntryRow entry_;          // at next_ - 1
};

}  // namespace scanmq::broker
