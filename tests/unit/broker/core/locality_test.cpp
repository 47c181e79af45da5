// BrokerCore: deliveries go to workers that hold their inputs; see held_inputs_test.cpp for the rules.

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

class LocalityTest : public CoreTest {
  protected:
    // A job with the snapshot of that name as its input.
    protocol::Job on(const std::string& snapshot, std::uint64_t number) {
        protocol::Job out = job(number);
        const auto known = ids_.find(snapshot);
        const auto& id = known != ids_.end()
                             ? known->second
                             : ids_.emplace(snapshot, h.put_blob(snapshot).view()).first->second;
        out.inputs = id;
        return out;
    }
    std::uint64_t counter(const std::string& name) {
        h.op().send(protocol::Query{"counters", ""});
        for (const protocol::Row& row : h.op().next<protocol::Answer>().rows) {
            if (value(row, "name") == name) return std::stoull(value(row, "value"));
        }
        ADD_FAILURE() << name;
        return 0;
    }
    void finish(Peer& peer) { answer(peer, counters, AttemptOutcome::done); }

  private:
    std::map<std::string, std::string> ids_;
};

TEST_F(LocalityTest, AnIdleWorkerThatHoldsTheInputsGoesFirst) {
    Peer& a = worker("a");
    Peer& b = worker("b");
    accept(jobs(on("spy", 1)));
    EXPECT_EQ(given(a), Numbers{1});
    finish(a);
    accept(jobs(on("qqq", 2)));
    EXPECT_EQ(given(b), Numbers{2}) << "it is idle for longer";
    finish(b);
    // Nobody has had a job of it since.
    for (std::uint64_t i = 3; i < 7; ++i) {
        accept(jobs(on("spy", i)));
        EXPECT_EQ(given(a), Numbers{i});
        finish(a);
    }
    EXPECT_EQ(counter("deliveries_local"), 4U);
    EXPECT_EQ(counter("deliveries_fetch"), 2U);
    accept(jobs(job(7)));
    EXPECT_EQ(given(b), Numbers{7}) << "without inputs it goes by turns";
    EXPECT_EQ(counter("deliveries_local") + counter("deliveries_fetch"), 6U);
}

TEST_F(LocalityTest, JobsInARowStayTogetherWithinTheBound) {
    Peer& a = worker("a");
    Peer& b = worker("b");
    accept(jobs(on("spy", 1), on("qqq", 2)));
    EXPECT_EQ(given(a), Numbers{1});
    EXPECT_EQ(given(b), Numbers{2});
    accept(jobs(on("iwm", 3), on("iwm", 4), on("spy", 5), on("iwm", 6), on("qqq", 7)));
    EXPECT_EQ(given(a), (Numbers{3, 4, 5, 6}));
    EXPECT_EQ(given(b), Numbers{7});
    accept(jobs(on("spy", 8), on("spy", 9), on("spy", 10)));
    EXPECT_EQ(given(a), (Numbers{8, 9}));
    EXPECT_EQ(given(b), Numbers{10}) << "a has five more already";
}

TEST_F(LocalityTest, AnIdleWorkerTakesWhatWouldWait) {
    Peer& a = worker("a");
    accept(jobs(on("spy", 1)));
    EXPECT_EQ(given(a), Numbers{1});
    Peer& b = worker("b");
    accept(jobs(on("spy", 2)));
    EXPECT_EQ(given(b), Numbers{2});
}

TEST_F(LocalityTest, ANewSessionHoldsNothing) {
    Peer& a = worker("a");
    accept(jobs(on("spy", 1)));
    given(a);
    finish(a);
    worker("b");
    EXPECT_TRUE(a.hello());
    grant(a, kPlenty);
    accept(jobs(on("spy", 2)));
    EXPECT_EQ(given(a), Numbers{});
    EXPECT_EQ(counter("deliveries_local"), 0U);
}

TEST_F(LocalityTest, TheQueuesVersionGoesBeforeTheInputs) {
    alter({{"pure", 1}});
    Peer& a = of_version("a");
    accept(jobs(on("spy", 1)));
    EXPECT_EQ(given(a), Numbers{1});
    finish(a);
    Peer& b = worker("b", kPlenty, {1, "2", {}, {}});
    auto held_by_b = on("qqq", 2);
    held_by_b.options = std::make_unique<JobOptions>();
    held_by_b.options->flags = JobOptions::kNotPure;
    accept(jobs(job_with(3, {.flags = JobOptions::kNotPure}), std::move(held_by_b)));
    EXPECT_EQ(given(a), Numbers{3});
    EXPECT_EQ(given(b), Numbers{2});
    finish(b);
    accept(jobs(on("qqq", 4)));
    EXPECT_EQ(given(b), Numbers{});
    EXPECT_EQ(given(a), Numbers{4}) << "of the queue's version";
}

}  // namespace
}  // namespace scanmq::broker
