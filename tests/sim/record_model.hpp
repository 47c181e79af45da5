#pragma once
// RecordModel: what the commit records say, kept as plainly as possible, checked as they come.
//
// Role:      owned by Oracle. The broker's tables, its streams and what peers see are compared with it.
// Checks:    an execution has at most one live attempt; a job is accepted once and ends once; offsets
//            have no gaps; a group ends with the counts of its jobs.
// Failures:  World::fail().

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/record.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

// What a result was made of.
struct ModelOrigin {
    bool ran{};           // by an attempt; otherwise it was kept
    std::string version;  // the queue's scanner version: when it ran, or when it was accepted
    std::string inputs;
    ContentId fingerprint;  // zero: not pure
    std::uint64_t stamp{};  // the partition's when it was accepted
};

struct ModelEntry {
    protocol::EntryKind kind{};
    Id128 id;
    protocol::FinalOutcome outcome{};
    protocol::ErrorCode code{};
    Id128 group;
    bool holds_body{};                            // the last entry that refers to its body
    std::shared_ptr<const ModelOrigin> origin{};  // of jobs
};

struct ModelGroup {
    bool sealed{};
    bool ended{};
    protocol::GroupPhase phase = protocol::GroupPhase::open;
    std::uint64_t count{};
    std::uint64_t submitted{};
    std::uint64_t finished{};
    std::map<protocol::FinalOutcome, std::uint64_t> outcomes;
};

struct ModelExecution {
    std::vector<Id128> jobs;
    std::uint64_t live_counter{};  // 0: it waits
    bool has_payload{};
    ModelOrigin origin;
};

struct ModelPartition {
    std::string name;
    Id128 incarnation;
    bool deleted{};
    std::string version;  // of scanners
    bool version_pinned{};
    std::uint64_t stamp{};  // how often the version moved
    std::unordered_map<std::uint64_t, ModelExecution> executions;
    std::unordered_map<Id128, std::uint64_t> live;   // jobs, to their execution
    std::unordered_map<Id128, std::uint64_t> ended;  // jobs, to their offset
    std::unordered_map<Id128, Id128> retry_of;       // of dead letters, by the new job
    std::unordered_map<Id128, Id128> group_of;       // live jobs
    std::vector<ModelEntry> entries;                 // by offset
    std::uint64_t first{};                           // kept from here on
    // Of what ended last with a result: its origin, and the entry that holds its body.
    std::shared_ptr<const ModelOrigin> last_origin{};
    std::optional<std::uint64_t> last_holder{};
    std::map<Id128, ModelGroup> groups;
    std::unordered_map<std::uint64_t, bool> dead;  // dead letters, whether with a payload
};

class RecordModel {
  public:
    explicit RecordModel(const World& world) : world_(&world) {}

    // Records that were checked before are applied again, up to replayed().
    void clear() { partitions_.clear(), sequences_.clear(), bodies_ = 0, replaying_ = true; }
    // `changes`: bodies in place.
    void apply(broker::PartitionId partition, std::uint64_t previous, std::uint64_t sequence,
               ByteView changes);
    // The records so far are what a broker starts from: it reads each body by itself.
    void replayed();

    // The one of this name that was not deleted; nullptr: none.
    [[nodiscard]] const ModelPartition* find(std::string_view queue) const;
    [[nodiscard]] const ModelPartition* find(const Id128& incarnation) const;
    [[nodiscard]] const std::map<broker::PartitionId, ModelPartition>& partitions() const {
        return partitions_;
    }
    // Payloads and results that the broker has to hold.
    [[nodiscard]] std::uint64_t bodies() const noexcept { return bodies_; }

  private:
    using Part = ModelPartition;
    ModelExecution& execution(Part& part, std::uint64_t number, const char* what);
    void on(Part& part, const broker::change::Accepted& change);
    void on(Part& part, const broker::change::Started& change);
    void on(Part& part, const broker::change::Released& change);
    void on(Part& part, const broker::change::Ended& change);
    void on(Part& part, const broker::change::GroupOpened& change);
    void on(Part& part, const broker::change::GroupSealed& change);
    void on(Part& part, const broker::change::GroupEnded& change);
    void on(Part& part, const broker::change::GroupForgotten& change);
    void on(Part& part, const broker::change::DeadDropped& change);
    void on(Part& part, const broker::change::StreamTrimmed& change);
    void on(Part& part, const broker::change::QueueMarked& change);
    void on(Part& part, const broker::change::VersionPinned& change);
    void on(Part& part, const broker::change::QueueCreated& change);
    void on(Part& part, const broker::change::QueueDeleted& change);
    template <class Other>
    void on(Part&, const Other&) {}
    [[nodiscard]] static bool follows_last(const Part& part, const ModelExecution& execution,
                                           protocol::FinalOutcome outcome);
    void trim(Part& part, std::uint64_t first);
    [[noreturn]] void fail(const Part& part, const std::string& what) const;

    const World* world_;
    std::map<broker::PartitionId, ModelPartition> partitions_;
    std::map<broker::PartitionId, std::uint64_t> sequences_;
    std::uint64_t bodies_ = 0;
    bool replaying_ = false;
};

}  // namespace scanmq::sim
