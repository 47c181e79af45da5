// A scanner service that fails in turn in every way: how soon its workers notice, and go on.

#include <gtest/gtest.h>

#include <memory>

#include "tests/sim/cluster.hpp"

namespace scanmq::sim {
namespace {

using namespace std::chrono_literals;
using State = RemoteTarget::State;

// Load without end, nothing else that fails.
Options under_load(std::uint64_t seed) {
    Options options;
    options.seed = seed;
    options.remote = true;
    options.workers = 3;
    options.producers = 2;
    options.queues = 1;
    options.jobs = 12'000;
    options.busy = 20s;
    options.max_jobs = 100'000;
    options.submit_window = 2'000;
    options.group_share = 0.0;
    return options;
}

class RemoteOutage : public ::testing::TestWithParam<std::uint64_t> {
  protected:
    // Runs a cluster whose target is in this state from the 5th second on, for `length` and a bit.
    Summary run(State state, bool healthy, Duration length) {
        cluster = std::make_unique<Cluster>(under_load(GetParam()));
        World& world = cluster->world();
        length += 230ms;  // not a multiple of anything
        world.after(5s, [this, state, healthy] { cluster->target().set(state, healthy); });
        world.after(5s + length, [this] { cluster->target().set(State::well); });
        // In the middle of it, who is held back?
        world.after(5s + length / 2, [this] {
            for (const auto& worker : cluster->workers()) {
                if (worker->remote() == nullptr) continue;
                const auto mode = worker->remote()->gate().mode;
                if (mode != worker::GateMode::open) ++held_back;
            }
        });
        try {
            return cluster->run();
        } catch (const CheckFailed& failure) {
            ADD_FAILURE() << failure.what();
        }
        return {};
    }
    [[nodiscard]] const RemoteTarget::Outage& outage() const {
        return cluster->target().outages().at(0);
    }
    [[nodiscard]] Duration resumed_after() const {
        EXPECT_TRUE(outage().first_ok_after.has_value());
        return outage().first_ok_after.value_or(Time::max()) - outage().ended.value_or(Time{});
    }
    static void expect_all_done(const Summary& summary) {
        EXPECT_EQ(summary.reached.at("jobs_dead"), 0U) << "no job pays for the target";
        EXPECT_GT(summary.counts.acknowledged, 10'000U);
    }

    std::unique_ptr<Cluster> cluster;
    int held_back = 0;
};

TEST_P(RemoteOutage, DeadTargetIsNoticedWithinASecondAndUsedWithinTwoOfItsReturn) {
    const Summary summary = run(State::dead, false, 8s);
    EXPECT_EQ(held_back, 3);
    EXPECT_LT(outage().last_request - outage().began, 1s) << "then all breakers were open";
    EXPECT_LT(outage().requests, 60U);
    EXPECT_LT(resumed_after(), 2s);
    expect_all_done(summary);
}

TEST_P(RemoteOutage, HungTargetIsNoticedAndCostsNoJob) {
    const Summary summary = run(State::silent, false, 12s);
    EXPECT_EQ(held_back, 3);
    EXPECT_LT(resumed_after(), 2s);
    expect_all_done(summary);
}

TEST_P(RemoteOutage, FailingTargetThatSaysItIsWell) {
    const Summary summary = run(State::errors, true, 10s);
    EXPECT_LT(outage().requests, 200U) << "after the first, three trials each two seconds";
    EXPECT_LT(resumed_after(), 3s);
    expect_all_done(summary);
}

TEST_P(RemoteOutage, GarbageIsAFailure) {
    const Summary summary = run(State::garbage, false, 8s);
    EXPECT_LT(resumed_after(), 2s);
    expect_all_done(summary);
}

TEST_P(RemoteOutage, SlowTargetIsRelieved) {
    const Summary summary = run(State::slow, true, 10s);
    EXPECT_LT(outage().requests, 200U);
    EXPECT_LT(resumed_after(), 3s);
    expect_all_done(summary);
}

TEST_P(RemoteOutage, ThrottlingTargetIsWaitedFor) {
    const Summary summary = run(State::throttling, true, 8s);
    EXPECT_LT(resumed_after(), 4s) << "its last Retry-After was up to 3 s";
    expect_all_done(summary);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RemoteOutage, ::testing::Values(1, 2));

}  // namespace
}  // namespace scanmq::sim
