// The log against a machine that loses power at any moment: what was acknowledged is there, what is
// there is a prefix of what was appended, and nothing comes back that was once cut off.

#include <gtest/gtest.h>

#include "tests/unit/broker/store/log_harness.hpp"

namespace scanmq::broker {
namespace {

// One life of the broker: batches, steps, checkpoints. Ends when the file system halts.
void live(LogHarness& harness, Rng& rng, int steps) {
    for (int i = 0; i < steps && !harness.files.halted(); ++i) {
        if (!harness.append(1 + rng.below(rng.below(4) == 0 ? 30 : 4))) return;
        if (rng.below(5) != 0) harness.step();
        harness.now += std::chrono::milliseconds(rng.below(40));
        if (rng.below(6) == 0 && harness.acknowledged > harness.checkpoint) {
            harness.release(harness.checkpoint +
                            rng.below(harness.acknowledged - harness.checkpoint + 1));
        }
    }
}

// The script, the machine halting after so many changes of the disk, and more lives that are
// cut off, too. How often the first one changed the disk.
std::uint64_t run(std::uint64_t script, std::uint64_t halt, std::uint64_t crash) {
    LogHarness harness;
    Rng story(script);
    Rng fate(crash * 7919 + halt);
    EXPECT_TRUE(harness.files.sync_directory(".").ok());
    if (halt != 0) harness.files.faults.halt_after = halt;
    auto opened = harness.open();
    if (opened) live(harness, story, 25);
    const std::uint64_t changes = harness.files.counters().changes;
    if (halt == 0) return changes;
    EXPECT_TRUE(opened || harness.files.halted()) << opened.message();

    for (int life = 0; life < 5; ++life) {
        if (fate.below(4) == 0) {
            harness.log.reset();
            harness.files.end_process();  // what was written stays, for the time being
        } else {
            harness.crash(fate);
        }
        // Opening may be cut short, too, but for the last one.
        if (life < 4) {
            const std::uint64_t left = fate.below(fate.below(3) == 0 ? 12 : 70);
            harness.files.faults.halt_after = harness.files.counters().changes + left;
        }
        const auto again = harness.open();
        if (!again && harness.files.halted()) continue;
        EXPECT_TRUE(again) << "script " << script << " halt " << halt << " crash " << crash
                           << " life " << life << ": " << again.message();
        if (!again) break;
        live(harness, fate, 12);
    }
    return changes;
}

TEST(FileLogCrash, AtEveryChangeOfTheDiskOfAScriptedRun) {
    for (const std::uint64_t script : {1, 2}) {
        const std::uint64_t changes = run(script, 0, 0);
        ASSERT_GT(changes, 80U);
        for (std::uint64_t halt = 2; halt <= changes; ++halt) {
            for (std::uint64_t crash = 0; crash < 3; ++crash) {
                run(script, halt, crash);
                ASSERT_FALSE(testing::Test::HasFailure());
            }
        }
    }
}

TEST(FileLogCrash, AtRandomMomentsOfManyRuns) {
    for (std::uint64_t script = 100; script < 500; ++script) {
        run(script, 2 + Rng(script).below(150), script);
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

// In mode async the tail that was not synced may be lost; what is there is still a prefix.
TEST(FileLogCrash, AsyncLosesAtMostWhatWasNotSynced) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        LogHarness harness;
        ASSERT_TRUE(harness.files.sync_directory(".").ok());
        harness.options.mode = FileLogOptions::Mode::async;
        Rng rng(seed);
        ASSERT_TRUE(harness.open());
        for (int life = 0; life < 3; ++life) {
            LogPosition synced = harness.appended;
            for (int i = 0; i < 20; ++i) {
                const std::uint64_t syncs = harness.log->stats().syncs;
                harness.append(1 + rng.below(5));
                harness.step();
                EXPECT_EQ(harness.acknowledged, harness.appended) << "durable when written";
                if (harness.log->stats().syncs != syncs) synced = harness.appended;
                harness.now += std::chrono::milliseconds(rng.below(30));
                if (rng.below(10) == 0) harness.release(harness.acknowledged);
            }
            harness.crash(rng);
            // Of what was said to be durable, that much a power failure must leave.
            harness.acknowledged = std::max(synced, harness.checkpoint);
            ASSERT_TRUE(harness.open()) << "seed " << seed << " life " << life;
        }
    }
}

}  // namespace
}  // namespace scanmq::broker
