#pragma once
// ReplayModel: what a replay of the journal makes of it, in the simplest form; says so when a change
//              does not fit what came before it.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "broker/core/record.hpp"

namespace scanmq::broker::testing {

class ReplayModel {
  public:
    using Worker = std::pair<std::string, Id128>;
    struct Execution {
        std::map<Id128, std::uint64_t> jobs;  // their bytes
        std::uint8_t failures = 0;
        std::uint8_t crashes = 0;
        bool suspect = false;
        std::uint64_t live = 0;  // counter of its attempt
        Worker worker;
        [[nodiscard]] bool alone() const { return crashes > 0 || suspect; }
    };
    struct Partition {
        std::map<std::uint64_t, Execution> executions;
        std::map<std::uint64_t, Id128> dead;  // its letters
        std::set<Id128> jobs;
        std::set<Id128> groups;  // opened, not ended
        std::uint64_t last_execution = 0;
        std::uint64_t stream_next = 0;
        std::uint64_t ids_next = 0;
        bool paused = false;
        bool draining = false;
        bool gone = false;
    };

    void apply(PartitionId partition, const change::Any& any) {
        std::visit([&](const auto& one) { on(partition, one); }, any);
    }
    [[nodiscard]] const Partition& at(PartitionId partition) { return partitions_[partition]; }

    // What runs alone is all that its worker has. Between batches only: within one, the changes of a
    // partition come before another's.
    void check_alone() const {
        std::map<Worker, std::pair<std::size_t, bool>> workers;
        for (const auto& [number, p] : partitions_) {
            for (const auto& [id, one] : p.executions) {
                if (one.live == 0) continue;
                auto& [count, alone] = workers[one.worker];
                ++count;
                alone = alone || one.alone();
            }
        }
        for (const auto& [worker, has] : workers) {
            EXPECT_TRUE(!has.second || has.first == 1)
                << worker.first << " has " << has.first << ", one of which runs alone";
        }
    }

  private:
    // Precondition of every change: its queue exists, and so does its execution.
    Partition& of(PartitionId partition) {
        Partition& out = partitions_[partition];
        EXPECT_FALSE(out.gone) << "a change of a queue that was deleted";
        return out;
    }
    Execution& execution(PartitionId partition, std::uint64_t number) {
        Partition& p = of(partition);
        EXPECT_TRUE(p.executions.contains(number)) << "no execution " << number;
        return p.executions[number];
    }
    void on(PartitionId partition, const change::Accepted& c) {
        Partition& p = of(partition);
        EXPECT_TRUE(p.jobs.insert(c.job.id).second) << "accepted twice";
        if (c.attached) {
            EXPECT_LT(execution(partition, c.execution).jobs.size(), 1'024U);
        } else {
            EXPECT_EQ(c.execution, p.last_execution + 1);
            p.last_execution = c.execution;
            EXPECT_FALSE(c.payload.body.bytes.empty());
        }
        p.executions[c.execution].jobs[c.job.id] = c.job.bytes;
    }
    void on(PartitionId partition, const change::Started& c) {
        const Worker worker{c.worker, c.instance};
        for (const auto& one : c.attempts) {
            Execution& e = execution(partition, one.execution);
            EXPECT_EQ(e.live, 0U) << "delivered twice at once";
            EXPECT_TRUE(counters_.insert(one.counter).second) << "a token came twice";
            e.live = one.counter;
            e.worker = worker;
        }
    }
    void on(PartitionId partition, const change::Released& c) {
        Execution& e = execution(partition, c.execution);
        EXPECT_NE(e.live, 0U) << "it did not run";
        EXPECT_GE(c.failures, e.failures);
        EXPECT_GE(c.crashes, e.crashes);
        EXPECT_EQ(c.kept, c.failures + c.crashes > e.failures + e.crashes)
            << "what is charged is told";
        e.live = 0;
        e.failures = c.failures;
        e.crashes = c.crashes;
        e.suspect = c.suspect;
    }
    void on(PartitionId partition, const change::Ended& c) {
        Partition& p = of(partition);
        Execution& e = execution(partition, c.execution);
        EXPECT_EQ(c.first_offset, p.stream_next);
        EXPECT_EQ(c.first_id_position, p.ids_next);
        EXPECT_FALSE(c.jobs.empty());
        p.stream_next += c.jobs.size();
        p.ids_next += c.jobs.size();
        for (const auto& one : c.jobs) {
            EXPECT_EQ(e.jobs.erase(one.id), 1U) << "not a job of it";
            p.jobs.erase(one.id);
        }
        EXPECT_EQ(c.over, e.jobs.empty());
        EXPECT_TRUE(!c.dead_letter || c.outcome == protocol::FinalOutcome::dead);
        EXPECT_TRUE(!c.dead_letter || c.has_attempt) << "its last attempt is told";
        if (c.dead_letter) p.dead[c.execution] = c.jobs.front().id;
        if (c.over) p.executions.erase(c.execution);
    }
    void on(PartitionId partition, const change::DeadDropped& c) {
        EXPECT_EQ(of(partition).dead.erase(c.execution), 1U);
    }
    void on(PartitionId partition, const change::GroupOpened& c) {
        EXPECT_TRUE(of(partition).groups.insert(c.group).second);
    }
    void on(PartitionId partition, const change::GroupEnded& c) {
        Partition& p = of(partition);
        EXPECT_EQ(p.groups.erase(c.group), 1U);
        EXPECT_EQ(c.offset, p.stream_next++);
    }
    void on(PartitionId partition, const change::QueueMarked& c) {
        Partition& p = of(partition);
        p.paused = c.paused;
        p.draining = c.draining;
    }
    void on(PartitionId partition, const change::QueueDeleted& c) {
        EXPECT_EQ(partition, 0U);
        EXPECT_TRUE(of(c.partition).executions.empty());
        EXPECT_TRUE(of(c.partition).dead.empty());
        partitions_[c.partition].gone = true;
    }
    template <class Other>
    void on(PartitionId partition, const Other&) {
        of(partition);
    }

    std::map<PartitionId, Partition> partitions_;
    std::set<std::uint64_t> counters_;
};

}  // namespace scanmq::broker::testing
