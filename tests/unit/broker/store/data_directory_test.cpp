#include "broker/store/data_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/sim_file.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::SimFileSystem;
using Kind = DataDirectoryError::Kind;

DataDirectoryOptions small() { return {"data", 8192}; }

TEST(DataDirectory, MakesWhatIsMissing) {
    SimFileSystem files;
    const auto data = DataDirectory::open(files, small());
    ASSERT_TRUE(data.ok()) << data.error().sentence;
    EXPECT_THAT(*files.list("data"),
                ElementsAre("EPOCH", "LOCK", "VERSION", "blobs", "log", "reserve", "state"));
    EXPECT_EQ(files.contents("data/VERSION"), "scanmq store 1\n");
    EXPECT_EQ(data->log_path(), "data/log");
    EXPECT_EQ(data->state_path(), "data/state");
    EXPECT_EQ(data->blobs_path(), "data/blobs");
    EXPECT_TRUE(data->reserve_held());
    EXPECT_EQ(files.contents("data/reserve").size(), 8192U);
}

TEST(DataDirectory, EpochsRiseAcrossRestarts) {
    SimFileSystem files;
    for (std::uint64_t epoch = 1; epoch < 5; ++epoch) {
        auto data = DataDirectory::open(files, small());
        ASSERT_TRUE(data.ok());
        EXPECT_EQ(*data->next_epoch(), epoch);
    }
    auto data = DataDirectory::open(files, small());
    EXPECT_EQ(*data->next_epoch(70), 71U) << "a restored backup knows higher ones";
    EXPECT_EQ(*data->next_epoch(70), 72U);
}

TEST(DataDirectory, NoEpochIsGivenOutTwiceWhereverThePowerFails) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        SimFileSystem files;
        Rng rng(seed);
        std::uint64_t highest = 0;
        bool made = false;
        for (int life = 0; life < 8; ++life) {
            files.faults.halt_after = files.counters().changes + rng.below(30);
            auto data = DataDirectory::open(files, small());
            if (data) {
                made = true;
                for (int i = 0; i < 3; ++i) {
                    const auto epoch = data->next_epoch();
                    if (!epoch) break;
                    ASSERT_GT(*epoch, highest) << "seed " << seed;
                    highest = *epoch;
                }
            } else {
                ASSERT_TRUE(files.halted()) << "seed " << seed << ": " << data.error().sentence;
            }
            files.crash(rng);
        }
        auto data = DataDirectory::open(files, small());
        ASSERT_TRUE(data.ok()) << "seed " << seed << ": " << data.error().sentence;
        ASSERT_GT(*data->next_epoch(), highest);
        ASSERT_TRUE(made || highest == 0);
    }
}

TEST(DataDirectory, ASecondBrokerIsToldWhoHasIt) {
    const tests::TempDir folder;
    PosixFileSystem files;
    const DataDirectoryOptions options{folder.path().string() + "/data", 4096};
    {
        const auto first = DataDirectory::open(files, options);
        ASSERT_TRUE(first.ok()) << first.error().sentence;
        const auto second = DataDirectory::open(files, options);
        ASSERT_FALSE(second.ok());
        EXPECT_EQ(second.error().kind, Kind::held);
        EXPECT_THAT(second.error().sentence,
                    HasSubstr("locked by process " + std::to_string(getpid()) + "; stop it"));
    }
    EXPECT_TRUE(DataDirectory::open(files, options).ok());
}

TEST(DataDirectory, ANewerVersionIsRefused) {
    SimFileSystem files;
    ASSERT_TRUE(DataDirectory::open(files, small()).ok());
    files.set_contents("data/VERSION", "scanmq store 2\n");
    const auto data = DataDirectory::open(files, small());
    ASSERT_FALSE(data.ok());
    EXPECT_EQ(data.error().kind, Kind::newer);
    EXPECT_EQ(
        data.error().sentence,
        "data was written by a newer scanmq-broker (store version 2; this one reads up to 1); "
        "start that version");
}

TEST(DataDirectory, GarbageIsRefused) {
    for (const std::string name : {"VERSION", "EPOCH"}) {
        for (const std::string& bytes :
             {std::string(), std::string("scanmq store"), std::string("scanmq store 1"),
              std::string("scanmq store x\n"), std::string("scanmq epoch -1\n"),
              std::string("scanmq epoch 99999999999999999999\n"), std::string(5000, 'x'),
              std::string(16, '\0')}) {
            SimFileSystem files;
            ASSERT_TRUE(DataDirectory::open(files, small()).ok());
            files.set_contents("data/" + name, bytes);
            const auto data = DataDirectory::open(files, small());
            ASSERT_FALSE(data.ok()) << name << " of " << bytes;
            EXPECT_THAT(data.error().sentence, HasSubstr("data/" + name));
        }
    }
}

TEST(DataDirectory, WhatIsMissingIsNamed) {
    for (const std::string name : {"EPOCH", "VERSION"}) {
        SimFileSystem files;
        ASSERT_TRUE(DataDirectory::open(files, small()).ok());
        files.set_contents("data/log/1", "x");
        ASSERT_TRUE(files.remove("data/" + name));
        ASSERT_TRUE(files.remove("data/reserve"));
        const auto data = DataDirectory::open(files, small());
        ASSERT_FALSE(data.ok());
        EXPECT_EQ(data.error().kind, Kind::damaged);
        EXPECT_THAT(data.error().sentence, HasSubstr("data/" + name + " is missing"));
    }
}

TEST(DataDirectory, AFolderOfSomethingElseIsLeftAlone) {
    SimFileSystem files;
    ASSERT_TRUE(files.make_directory("data"));
    files.set_contents("data/thesis.tex", "x");
    const auto data = DataDirectory::open(files, small());
    ASSERT_FALSE(data.ok());
    EXPECT_EQ(data.error().kind, Kind::foreign);
    EXPECT_THAT(data.error().sentence, HasSubstr("data holds thesis.tex and no VERSION"));
}

TEST(DataDirectory, TheReserveComesAndGoes) {
    SimFileSystem files;
    auto data = DataDirectory::open(files, small());
    ASSERT_TRUE(data.ok());
    files.faults.capacity = files.used_bytes();
    EXPECT_EQ(*files.free_bytes("data"), 0U);
    ASSERT_TRUE(data->free_reserve());
    EXPECT_FALSE(data->reserve_held());
    EXPECT_EQ(*files.free_bytes("data"), 8192U);
    ASSERT_TRUE(data->free_reserve());

    auto other = files.create("data/state/checkpoint");
    ASSERT_TRUE((*other)->pwrite(0, std::string(100, 'c')));
    const auto restored = data->restore_reserve();
    ASSERT_FALSE(restored.ok());
    EXPECT_EQ(restored.error().kind, Kind::full);
    ASSERT_TRUE(files.remove("data/state/checkpoint"));
    ASSERT_TRUE(data->restore_reserve());
    EXPECT_TRUE(data->reserve_held());
    EXPECT_EQ(files.contents("data/reserve").size(), 8192U);
}

TEST(DataDirectory, AFullDiskIsNoReasonNotToOpen) {
    SimFileSystem files;
    files.faults.capacity = 4096;
    const auto data = DataDirectory::open(files, small());
    ASSERT_TRUE(data.ok()) << data.error().sentence;
    EXPECT_FALSE(data->reserve_held());
}

}  // namespace
}  // namespace scanmq::broker
