// PosixFileSystem against a temporary folder, and the model against what it promises.

#include "broker/store/file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/sim_file.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::broker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::SimFileSystem;
using Kind = FileError::Kind;

std::string read_all(FileSystem& files, const std::string& path) {
    auto bytes = read_small_file(files, path, 1 << 20);
    return bytes ? *bytes : bytes.error().sentence;
}

template <class Files>
void behaves_like_a_file_system(Files& files, const std::string& folder) {
    ASSERT_TRUE(files.make_directory(folder + "/d"));
    ASSERT_TRUE(files.make_directory(folder + "/d")) << "it is there already";
    const std::string path = folder + "/d/a";
    {
        auto file = files.create(path);
        ASSERT_TRUE(file.ok());
        ASSERT_TRUE((*file)->preallocate(3 << 20));
        EXPECT_EQ(*(*file)->size(), 3U << 20);
        ASSERT_TRUE((*file)->pwrite(5000, "hello"));
        ASSERT_TRUE((*file)->sync());
    }
    auto file = files.open(path);
    ASSERT_TRUE(file.ok());
    std::string bytes(9, 'x');
    EXPECT_EQ(*(*file)->pread(4998, bytes.data(), 9), 9U);
    EXPECT_EQ(bytes, std::string("\0\0hello\0\0", 9));
    EXPECT_EQ(*(*file)->pread((3 << 20) - 4, bytes.data(), 9), 4U) << "the end of the file";
    EXPECT_EQ(*(*file)->pread(4 << 20, bytes.data(), 9), 0U);

    ASSERT_TRUE(files.rename(path, folder + "/d/b"));
    ASSERT_TRUE(files.create(folder + "/d/c").ok());
    ASSERT_TRUE(files.sync_directory(folder + "/d"));
    EXPECT_THAT(*files.list(folder + "/d"), ElementsAre("b", "c"));
    ASSERT_TRUE(files.remove(folder + "/d/b"));
    EXPECT_EQ(files.open(folder + "/d/b").error().kind, Kind::missing);
    EXPECT_EQ(files.remove(folder + "/d/b").error().kind, Kind::missing);
    EXPECT_GT(*files.free_bytes(folder), 0U);

    ASSERT_TRUE(replace_small_file(files, folder + "/small", "one"));
    ASSERT_TRUE(replace_small_file(files, folder + "/small", "two"));
    EXPECT_EQ(read_all(files, folder + "/small"), "two");
    EXPECT_EQ(read_small_file(files, folder + "/small", 2).error().kind, Kind::other);
}

TEST(PosixFileSystem, DoesWhatItSays) {
    const tests::TempDir folder;
    PosixFileSystem files;
    behaves_like_a_file_system(files, folder.path().string());
}

TEST(SimFileSystem, BehavesLikeTheRealOne) {
    SimFileSystem files;
    behaves_like_a_file_system(files, ".");
}

TEST(PosixFileSystem, FilesAndFoldersAreTheUsersOnly) {
    const tests::TempDir folder;
    PosixFileSystem files;
    ASSERT_TRUE(files.make_directory(folder.path().string() + "/d"));
    ASSERT_TRUE(files.create(folder.path().string() + "/d/a").ok());
    struct stat status {};
    ASSERT_EQ(stat((folder.path().string() + "/d").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    ASSERT_EQ(stat((folder.path().string() + "/d/a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(PosixFileSystem, AnErrorNamesTheFileAndTheReason) {
    PosixFileSystem files;
    const auto opened = files.open("/nowhere/at/all");
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().sentence, "cannot open /nowhere/at/all: No such file or directory");
}

TEST(PosixFileSystem, ALockIsHeldByOneAndNamesItsProcess) {
    const tests::TempDir folder;
    PosixFileSystem files;
    const std::string path = folder.path().string() + "/LOCK";
    {
        const auto lock = files.lock(path);
        ASSERT_TRUE(lock.ok());
        const auto second = files.lock(path);
        ASSERT_FALSE(second.ok());
        EXPECT_EQ(second.error().kind, Kind::held);
        EXPECT_THAT(second.error().sentence, HasSubstr("process " + std::to_string(getpid())));
    }
    EXPECT_TRUE(files.lock(path).ok());
}

TEST(SimFileSystem, ACrashKeepsWhatWasSyncedAndOnlyThat) {
    Rng rng(1);
    bool kept_all = false;
    bool kept_none = false;
    bool kept_some = false;
    for (int i = 0; i < 100; ++i) {
        SimFileSystem files;
        auto file = files.create("a");
        ASSERT_TRUE((*file)->pwrite(0, std::string(2048, 's')));
        ASSERT_TRUE((*file)->sync());
        ASSERT_TRUE(files.sync_directory("."));
        ASSERT_TRUE((*file)->pwrite(2048, std::string(2048, 'u')));
        EXPECT_EQ(files.contents("a").size(), 4096U);
        files.crash(rng);
        const std::string left = files.contents("a");
        ASSERT_EQ(left.substr(0, 2048), std::string(2048, 's'));
        const std::string tail = left.substr(2048);
        kept_all |= tail == std::string(2048, 'u');
        kept_none |= tail.empty();
        kept_some |= tail.find('u') != std::string::npos && tail.find('\0') != std::string::npos;
        EXPECT_EQ((*file)->pwrite(0, "x").error().kind, Kind::io) << "a file of before the crash";
    }
    EXPECT_TRUE(kept_all && kept_none && kept_some);
}

TEST(SimFileSystem, ANameWhoseFolderWasNotSyncedMayBeLost) {
    Rng rng(1);
    int there = 0;
    for (int i = 0; i < 100; ++i) {
        SimFileSystem files;
        ASSERT_TRUE((*files.create("a"))->sync());
        files.crash(rng);
        there += files.open("a").ok() ? 1 : 0;
    }
    EXPECT_GT(there, 20);
    EXPECT_LT(there, 80);
}

TEST(SimFileSystem, WhatAFailedSyncWasForNeverBecomesDurable) {
    Rng rng(1);
    int lost = 0;
    for (int i = 0; i < 100; ++i) {
        SimFileSystem files;
        auto file = files.create("a");
        ASSERT_TRUE(files.sync_directory("."));
        ASSERT_TRUE((*file)->pwrite(0, "x"));
        files.faults.failing_syncs = 1;
        EXPECT_EQ((*file)->sync().error().kind, Kind::io);
        EXPECT_TRUE((*file)->sync().ok()) << "the second one says that all is well";
        files.crash(rng);
        lost += files.contents("a") == "x" ? 0 : 1;
    }
    EXPECT_GT(lost, 20);
}

TEST(SimFileSystem, ALaterWriteThatWasSyncedIsNotUndoneByOneWhoseSyncFailed) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Rng rng(seed);
        SimFileSystem files;
        ASSERT_TRUE(files.make_directory("d"));
        ASSERT_TRUE(files.sync_directory("."));
        auto file = files.create("d/a");
        ASSERT_TRUE(file.ok());
        ASSERT_TRUE((*file)->pwrite(0, "older"));
        files.faults.failing_syncs = 1;
        ASSERT_FALSE((*file)->sync());
        ASSERT_TRUE((*file)->pwrite(0, "newer"));
        ASSERT_TRUE((*file)->sync());
        ASSERT_TRUE(files.sync_directory("d"));
        files.crash(rng);
        EXPECT_EQ(read_all(files, "d/a"), "newer");
    }
}

TEST(SimFileSystem, FaultsHappenWhenAskedFor) {
    SimFileSystem files;
    auto file = files.create("a");
    files.faults.capacity = 100;
    EXPECT_TRUE((*file)->pwrite(0, std::string(100, 'x')).ok());
    EXPECT_EQ((*file)->pwrite(100, "x").error().kind, Kind::full);
    EXPECT_EQ(*files.free_bytes("."), 0U);
    files.faults.failing_writes = 1;
    EXPECT_EQ((*file)->pwrite(0, "yy").error().kind, Kind::io);
    EXPECT_TRUE((*file)->pwrite(0, "yy").ok());
    files.faults.halt_after = files.counters().changes + 1;
    EXPECT_TRUE((*file)->sync().ok());
    EXPECT_FALSE((*file)->sync().ok());
    EXPECT_FALSE(files.remove("a").ok());
    EXPECT_TRUE(files.halted());
}

}  // namespace
}  // namespace scanmq::broker
