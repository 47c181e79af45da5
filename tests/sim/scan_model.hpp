#pragma once
// ScanModel: what the commit records say of what jobs read: aliases, groups at one generation, standing
// scans, and results that were served though they were not the newest.
//
// Role:      owned by Oracle, which gives it every batch's records, partition 0's first.
// Checks:    a job's inputs are its aliases' at one moment of its batch, or of its group's; a stale result
//            is one that its request had, not older than it may be, and of the age that it tells; a job of
//            the broker's own is a refresh or a run that was due; no scan is under way twice, and no execution
//            is made for what another one has room for.
// Failures:  World::fail().

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/core/record.hpp"
#include "tests/sim/job_info.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

class ScanModel {
  public:
    using Jobs = std::unordered_map<Id128, JobInfo>;
    struct Standing {
        std::string queue;
        std::string subject;
        std::string payload;
        std::vector<std::string> aliases;
        Duration min_interval{};
        bool has_deadline{};
        std::uint64_t seen{};  // moves, by its last run
        bool due{true};        // set, and not run since
        std::uint64_t runs{};
        std::optional<Time> last_run{};  // in this life of the broker
        bool restored{};                 // one run more may come
    };
    using StandingKey = std::pair<broker::PartitionId, std::string>;

    ScanModel(const World& world, const Options& options) : world_(&world), options_(&options) {}

    void clear();
    // Records that were checked before are applied again; the broker starts from them.
    void replay(broker::PartitionId partition, const std::string& queue, ByteView changes,
                Jobs& jobs);
    void replayed();

    // A batch: partition 0's records, then the others.
    void begin_batch() { before_ = moves_; }
    void apply_broker(ByteView changes);
    void apply(broker::PartitionId partition, const std::string& queue, ByteView changes, Time at,
               Jobs& jobs);

    // A result of that offset was stale: what it has to be; nullptr: it was not.
    [[nodiscard]] const std::uint64_t* stale_body(broker::PartitionId partition,
                                                  std::uint64_t offset) const;
    [[nodiscard]] std::optional<ContentId> alias(const std::string& name) const;
    [[nodiscard]] const std::map<StandingKey, Standing>& standing() const noexcept {
        return standing_;
    }
    // Standing scans that have not seen the newest of their aliases; empty: none.
    [[nodiscard]] std::string behind() const;
    // Content ids that live executions and aliases need.
    [[nodiscard]] std::vector<ContentId> needed() const;

  private:
    struct Execution {
        std::string inputs;
        ContentId fingerprint;
        std::uint64_t stamp{};
        std::string version;
        bool shared{};  // later jobs of its fingerprint share its work
        std::uint32_t jobs{};
        bool runs{};
        std::string payload;
        std::vector<std::string> requests;  // keys of its jobs
    };
    struct Made {
        Time at;
        std::uint64_t body{};  // hash
    };
    struct Part {
        std::unordered_map<std::uint64_t, Execution> executions;
        std::map<Id128, std::uint64_t> groups;          // the moves that they see
        std::map<std::string, std::vector<Made>> made;  // by request and version
        std::map<std::uint64_t, std::uint64_t> stale;   // offsets, to the hash of the body
        std::map<Id128, Id128> retry_of;
        std::string version;
        std::uint64_t stamp{};
        bool gone{};
    };
    struct Served {  // with a stale result, in this batch
        std::string subject;
        std::string payload;
        std::string inputs;    // beside its aliases
        std::string resolved;  // all
        std::vector<std::string> aliases;
        std::uint64_t age_ms{};
    };
    struct Context {
        broker::PartitionId number;
        const std::string& queue;
        Part& part;
        Time at;
        Jobs& jobs;
        std::deque<Served> served{};
        std::vector<std::uint64_t> twice{};  // executions that do what another does
    };

    void on(Context& in, const broker::change::Accepted& change);
    void on(Context& in, const broker::change::Started& change);
    void on(Context& in, const broker::change::Released& change);
    void on(Context& in, const broker::change::Ended& change);
    void on(Context& in, const broker::change::GroupOpened& change);
    void on(Context& in, const broker::change::QueueMarked& change);
    void on(Context& in, const broker::change::StandingSet& change);
    void on(Context& in, const broker::change::StandingRan& change);
    void on(Context& in, const broker::change::StandingDropped& change);
    template <class Other>
    void on(Context&, const Other&) {}
    void check_inputs(const Context& in, const JobInfo& job, const Id128& group,
                      const std::string& inputs) const;
    // An execution of its own though the one that takes jobs of its fingerprint had room.
    [[nodiscard]] bool does_twice(const Context& in, std::uint64_t number,
                                  const Execution& execution) const;
    void check_stale(Context& in, const Execution& execution, const JobInfo& job,
                     const broker::change::Ended& change);
    JobInfo own_job(Context& in, const broker::change::Accepted& change,
                    const Execution& execution);
    // What the aliases named after so many moves; nullopt: one of them nothing.
    [[nodiscard]] std::optional<std::string> resolve(const std::vector<std::string>& aliases,
                                                     std::uint64_t moves) const;
    // The moves that belong to the broker's generation. A restart may take it back to what is still
    // needed of it, so that a later move has the number of an earlier one.
    [[nodiscard]] std::uint64_t moves_of(std::uint64_t generation) const;
    void move(const std::string& alias, const ContentId& id, std::uint64_t generation);
    [[nodiscard]] bool resolves(const std::vector<std::string>& aliases, ByteView inputs) const;
    [[nodiscard]] static std::string request_key(const JobInfo& job, const std::string& version);
    [[noreturn]] void fail(const Context& in, const std::string& what) const;

    const World* world_;
    const Options* options_;
    bool checking_ = true;
    std::uint64_t moves_ = 0;
    std::uint64_t before_ = 0;                              // moves when the batch began
    std::uint64_t recovered_ = 0;                           // moves when the broker was started
    std::map<std::uint64_t, std::uint64_t> by_generation_;  // since then
    std::map<std::string, std::map<std::uint64_t, ContentId>> aliases_;  // by move
    // As they were seen when they were recorded, for the next restart.
    std::map<Id128, std::uint64_t> seen_by_group_;
    std::map<std::pair<StandingKey, std::uint64_t>, std::uint64_t> seen_by_run_;
    std::map<broker::PartitionId, Part> parts_;
    std::map<StandingKey, Standing> standing_;
};

}  // namespace scanmq::sim
