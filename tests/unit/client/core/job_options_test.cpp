// Options of a job on their way into SUBMIT.

#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::ErrorCode;
using protocol::JobOptions;

constexpr std::uint64_t kMany = 1'000'000;

class ClientJobOptions : public testing::Test {
  protected:
    void SetUp() override {
        p = rig.producer();
        rig.open();
    }
    // The options in the SUBMIT of this job; null: none.
    std::unique_ptr<JobOptions> sent(const Job& job) {
        EXPECT_TRUE(rig.submit_job(p, job).ok());
        rig.tick();
        rig.grant(kMany, kMany);
        last = rig.take<protocol::Submit>();
        if (!last) {
            ADD_FAILURE() << "no SUBMIT";
            return nullptr;
        }
        const auto& options = rig.message<protocol::Submit>(last).jobs.at(0).options;
        return options ? std::make_unique<JobOptions>(*options) : nullptr;
    }

    CoreRig rig;
    std::uint32_t p = 0;
    std::unique_ptr<Sent> last;
};

TEST_F(ClientJobOptions, AJobWithoutAnySendsNone) {
    Job job;
    job.payload = "x";
    EXPECT_EQ(sent(job), nullptr);
    EXPECT_EQ(options_of(job), nullptr);
}

TEST_F(ClientJobOptions, EachReachesTheBroker) {
    const std::vector<std::string> aliases{"SPY@latest", "QQQ@latest"};
    Job job;
    job.payload = "x";
    job.priority = 9;
    job.delay = 1500ms;
    job.deadline = 10s;
    job.conflate_key = "SPY";
    job.pure = true;
    job.finish_late = true;
    job.sheddable = true;
    job.as_of_ns = -7;
    job.aliases = aliases;
    const auto options = sent(job);
    ASSERT_TRUE(options);
    EXPECT_EQ(options->priority, 9U);
    EXPECT_EQ(options->delay_ms, 1500U);
    EXPECT_EQ(options->deadline_ms, 10'000U);
    EXPECT_EQ(options->conflate_key, "SPY");
    EXPECT_EQ(options->flags, JobOptions::kPure | JobOptions::kFinishLate | JobOptions::kSheddable);
    EXPECT_EQ(options->as_of_ns, -7);
    EXPECT_EQ(options->aliases, aliases);
    rig.accept(last);
    EXPECT_EQ(rig.core.producer_stats(p).buffered_bytes, 0U);
}

TEST_F(ClientJobOptions, NotPureIsAFlagOfItsOwnAndDurationsAreRoundedUp) {
    Job job;
    job.pure = false;
    job.deadline = 1us;
    const auto options = sent(job);
    ASSERT_TRUE(options);
    EXPECT_EQ(options->flags, JobOptions::kNotPure);
    EXPECT_EQ(options->deadline_ms, 1U);
    EXPECT_EQ(options->delay_ms, 0U);
}

TEST_F(ClientJobOptions, StayWithTheirJobsWhenThoseAreSentAgain) {
    Job job;
    job.payload = "first";
    job.priority = 1;
    ASSERT_TRUE(rig.submit_job(p, job).ok());
    ASSERT_TRUE(rig.submit(p, "second").ok());
    job.payload = "third";
    job.priority = 3;
    ASSERT_TRUE(rig.submit_job(p, job).ok());
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>(), {{1, protocol::Verdict::duplicate, {}, {}, {}}});
    for (const std::uint32_t priority : {2U, 4U}) {
        job.priority = priority;
        ASSERT_TRUE(rig.submit_job(p, job).ok());
    }
    rig.tick();
    rig.connected();
    rig.greet();
    rig.sent.clear();
    rig.grant(kMany, kMany);
    const auto again = rig.take<protocol::Submit>();
    ASSERT_TRUE(again);
    const auto& jobs = rig.message<protocol::Submit>(again).jobs;
    ASSERT_EQ(jobs.size(), 2U);
    EXPECT_EQ(jobs[0].options->priority, 2U);
    EXPECT_EQ(jobs[1].options->priority, 4U);
}

TEST_F(ClientJobOptions, OutsideTheirRangesAreRefusedBeforeTheJobIsTaken) {
    const auto code = [&](const Job& job) {
        const auto taken = rig.submit_job(p, job);
        return taken.ok() ? ErrorCode::none : taken.error().code;
    };
    Job priority;
    priority.priority = 10;
    EXPECT_EQ(code(priority), ErrorCode::bad_option);
    Job delay;
    delay.delay = -1ms;
    EXPECT_EQ(code(delay), ErrorCode::bad_option);
    Job deadline;
    deadline.deadline = -1ms;
    EXPECT_EQ(code(deadline), ErrorCode::bad_option);
    const std::string long_key(protocol::kLimits.name_bytes_max + 1, 'k');
    Job key;
    key.conflate_key = long_key;
    EXPECT_EQ(code(key), ErrorCode::bad_option);
    const std::vector<std::string> empty{""};
    Job alias;
    alias.aliases = empty;
    EXPECT_EQ(code(alias), ErrorCode::bad_option);
    const std::vector<std::string> many(protocol::kLimits.inputs_per_job_max, "a");
    const std::string input(ContentId::kSize, 'i');
    Job inputs;
    inputs.aliases = many;
    EXPECT_EQ(code(inputs), ErrorCode::none);
    inputs.inputs = input;
    EXPECT_EQ(code(inputs), ErrorCode::bad_option);
    EXPECT_EQ(rig.core.producer_stats(p).submitted, 1U);
}

TEST_F(ClientJobOptions, BatchesOfManyKeepTheFramesLimitsOfBytesAndElements) {
    const auto wide = rig.core.add_producer("wide", {}, {4096, 100U << 20, 64});
    const std::vector<std::string> aliases(30, std::string(20, 'a'));
    Job job;
    job.aliases = aliases;
    for (int i = 0; i < 3000; ++i) ASSERT_TRUE(rig.submit_job(wide, job).ok());
    rig.grant(kMany, kMany, "wide");
    std::size_t jobs = 0;
    std::size_t frames = 0;
    while (const auto submit = rig.take<protocol::Submit>()) {  // the rig's decoder checks elements
        EXPECT_LE(submit->bytes.size(), protocol::kLimits.frame_bytes_max);
        jobs += rig.message<protocol::Submit>(submit).jobs.size();
        ++frames;
    }
    EXPECT_EQ(jobs, 3000U);
    EXPECT_GT(frames, 1U);
}

TEST_F(ClientJobOptions, ACoalescedJobIsTakenAndTellsWhatItJoined) {
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.grant(kMany, kMany);
    rig.accept(rig.take<protocol::Submit>(),
               {{0, protocol::Verdict::coalesced, protocol::JobState::running, {}, {}}});
    ASSERT_EQ(rig.answers.size(), 1U);
    EXPECT_TRUE(rig.answers[0].taken());
    EXPECT_EQ(rig.answers[0].verdict, protocol::Verdict::coalesced);
    EXPECT_EQ(rig.answers[0].state, protocol::JobState::running);
    EXPECT_EQ(rig.core.producer_stats(p).coalesced, 1U);
    EXPECT_EQ(rig.core.producer_stats(p).accepted, 1U);
}

}  // namespace
}  // namespace scanmq::client
