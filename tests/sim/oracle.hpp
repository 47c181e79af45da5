#pragma once
// Oracle: what was promised to whom, and whether it was kept.
//
// Role:      nodes report what leaves and reaches them; the broker's node reports its commit records.
// Checks:    continuously: records (RecordModel); every entry a subscriber sees is the one of that
//            offset and never another; results belong to their payloads; nothing comes that was not
//            sent. After a restart of the broker: everything acknowledged, and everything seen, is
//            there. At the end: each acknowledged job has its entry; groups have their counts.
// Deletion:  a queue that is deleted takes its jobs along: of jobs sent before, only "at most one entry in
//            each incarnation" is left.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/store/body_store.hpp"
#include "broker/store/commit_log.hpp"
#include "common/protocol/messages.hpp"
#include "tests/sim/flow_model.hpp"
#include "tests/sim/record_model.hpp"
#include "tests/sim/scan_model.hpp"
#include "tests/sim/workload.hpp"

namespace scanmq::sim {

class Oracle {
  public:
    Oracle(World& world, const Options& options)
        : world_(world), options_(options), model_(world), flows_(world), scans_(world, options) {}

    // --- producers
    void sent(const std::string& queue, const protocol::Job& job, const Id128& group);
    void acknowledged(const std::string& queue, const Id128& id);
    void refused(const std::string& queue, const Id128& id, protocol::ErrorCode code,
                 std::string_view sentence);
    // --- the broker
    void sets_version(const std::string& queue);  // a QUEUE_VERSION of it is sent
    void version_set(const std::string& queue, const std::string& version);  // and answered
    // A request is sent that sets, or takes away ("" and zero): of an alias, of a standing scan.
    void sets_alias(const std::string& alias);
    void alias_set(const std::string& alias, const ContentId& id);
    void sets_standing(const std::string& name);
    void standing_set(const std::string& name, const std::string& queue);
    void deletes(const std::string& queue);  // it takes a QUEUE_DELETE in
    void cancels(const std::string& queue, const Id128& id);
    void purges(const std::string& queue) { purged_[queue] = true; }
    void appended(std::span<const broker::CommitRecord> records, broker::LogPosition last,
                  const broker::BodyStore& bodies, Time broker_now);
    void durable(broker::LogPosition position);
    // It starts anew from its log, which goes to this position.
    void recovered(broker::LogPosition position);
    // --- subscribers
    void seen(const std::string& who, const std::string& queue, const Id128& incarnation,
              const protocol::Entry& entry);
    // Whether the group ended by itself, or is forgotten.
    [[nodiscard]] bool group_over(const std::string& queue, const Id128& group) const;
    // Whether the queue was deleted at or after this moment.
    [[nodiscard]] bool deleted_since(const std::string& queue, Time at) const;

    // --- in the end
    void check_all();
    // What is still on its way, one line each; empty: nothing.
    [[nodiscard]] std::string unfinished() const;

    [[nodiscard]] const RecordModel& model() const noexcept { return model_; }
    [[nodiscard]] const ScanModel& scans() const noexcept { return scans_; }
    // Of the job or what it is a retry of.
    [[nodiscard]] std::string subject_of(const std::string& queue, const ModelPartition& part,
                                         const Id128& id) const;
    [[nodiscard]] const std::string* payload_of(const std::string& queue, const Id128& id) const;
    struct Counts {
        std::uint64_t sent{}, acknowledged{}, refused{}, entries{}, dead{}, recoveries{},
            lost_records{};
    };
    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

  private:
    struct Record {
        broker::LogPosition position{};
        broker::PartitionId partition{};
        std::uint64_t previous{};
        std::uint64_t sequence{};
        std::string changes;
        Time at;
    };
    struct Seen {
        Id128 id;
        protocol::FinalOutcome outcome{};
        std::uint64_t body{};  // hash
    };
    void check_acknowledged(bool in_the_end) const;
    void check_outcome(const std::string& queue, const JobInfo& job, const Id128& id,
                       protocol::FinalOutcome outcome, protocol::ErrorCode code) const;
    // The body is what the payload's scan makes, of the inputs and under the version that it should be.
    void check_result(const std::string& what, const std::string& payload,
                      const ModelOrigin& origin, ByteView body) const;
    // What an operator was told stands in the records.
    void check_versions() const;
    void check_told() const;
    [[nodiscard]] const std::string& name_of_queue(broker::PartitionId partition) const;
    void check_completion(const ModelPartition& part, const protocol::Entry& entry) const;
    [[nodiscard]] bool excused(const std::string& queue, const JobInfo& job) const;

    World& world_;
    const Options& options_;
    RecordModel model_;
    FlowModel flows_;
    ScanModel scans_;
    std::vector<Record> records_;
    broker::LogPosition durable_ = 0;
    std::map<std::string, std::unordered_map<Id128, JobInfo>> jobs_;
    std::map<std::string, Time> deleted_;
    // As last asked for, and when; answered, if it has a value.
    std::map<std::string, std::pair<std::optional<std::string>, Time>> versions_;
    std::map<std::string, bool> purged_;
    std::map<Id128, std::unordered_map<std::uint64_t, Seen>> seen_;  // by incarnation, offset
    std::map<std::string, std::optional<ContentId>> alias_told_;
    std::map<std::string, std::pair<std::optional<std::string>, Time>> standing_told_;
    std::string scratch_;
    Counts counts_;
};

}  // namespace scanmq::sim
