#pragma once
// StorageSink: rows of a store on their way into the core, their bodies cold.
//
// Role:      between load() and the core's Restorer. Streams of a restored backup get new
//            incarnations: readers of what came after the backup must not go on in it.
// Threads:   the loop's, before it runs. Borrows: Restorer, BodyStore (outlive this).

#include <map>
#include <string>

#include "broker/core/restorer.hpp"
#include "broker/store/body_store.hpp"
#include "broker/store/recovery.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {

class StorageSink final : public RestoreSink {
  public:
    StorageSink(Restorer& restorer, BodyStore& bodies)
        : restorer_(restorer), bodies_(bodies), rng_(Rng::random_seed()) {}

    bool broker(const BrokerRow& row, bool restored) override;
    bool queue(PartitionId partition, const QueueRow& row) override;
    bool group(PartitionId partition, const Id128& id, const GroupRow& row) override;
    bool execution(PartitionId partition, std::uint64_t number, const ExecutionRow& row,
                   const RunRow* run) override;
    bool entry(PartitionId partition, std::uint64_t offset, const EntryRow& row) override;
    bool id(PartitionId partition, std::uint64_t position, const IdRow& row) override;
    bool flow(PartitionId partition, std::string_view name, const FlowRow& row) override;
    bool cursor(PartitionId partition, std::string_view name, const CursorRow& row) override;
    bool dead(PartitionId partition, std::uint64_t number, const DeadRow& row,
              const ExecutionRow& execution) override;
    bool alias(std::string_view alias, const AliasRow& row) override;
    bool standing(PartitionId partition, std::string_view name, const StandingRow& row,
                  const StandingRunRow& run) override;

    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const BrokerRow& broker_row() const noexcept { return broker_; }
    [[nodiscard]] std::uint64_t executions() const noexcept { return executions_; }
    [[nodiscard]] std::uint64_t entries() const noexcept { return entries_; }
    // The state is a backup's, and its streams were renewed.
    [[nodiscard]] bool renewed() const noexcept { return restored_; }
    // Writes the new incarnations down and takes the backup's mark off.
    [[nodiscard]] Result<void, StateError> keep_incarnations(StateStore& state) const;

  private:
    [[nodiscard]] bool check(const Restorer::Done& done);

    Restorer& restorer_;
    BodyStore& bodies_;
    Rng rng_;
    std::string problem_;
    BrokerRow broker_;
    bool restored_ = false;
    std::map<PartitionId, std::string> renewed_;  // encoded rows
    std::uint64_t executions_ = 0;
    std::uint64_t entries_ = 0;
    // Entries of one execution share a body.
    BodyKey last_key_;
    BodyHandle last_body_;
};

}  // namespace scanmq::broker
