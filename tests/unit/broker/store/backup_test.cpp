#include "broker/store/backup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/checkpoint.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/unit/broker/store/list_log.hpp"

namespace scanmq::broker {
namespace {

namespace fs = std::filesystem;
using tests::TempDir;

std::unique_ptr<LmdbStateStore> open_state(const fs::path& directory) {
    LmdbStateStore::Options options;
    options.directory = directory;
    options.sync = false;
    auto store = LmdbStateStore::open(options);
    if (!store) {
        ADD_FAILURE() << store.error().sentence;
        return nullptr;
    }
    return std::move(*store);
}

class Backup : public testing::Test {
  protected:
    Backup() : maker_(3) {
        fs::create_directory(data());
        state_ = open_state(data());
        auto blobs = BlobFiles::open({data() / kBlobFolder, false});
        SCANMQ_ASSERT(blobs.ok());
        blobs_ = std::move(*blobs);
        for (int i = 0; i < 300; ++i) maker_.step();
        log_.records = maker_.records();
        SCANMQ_ASSERT(recover(log_, *state_).ok());
        put("blob");
        put(kLarge);
    }
    void put(const std::string& bytes) {
        const BlobInfo info{content_id(bytes), protocol::BlobType::body, "l", bytes.size()};
        const BlobFiles::Held held[] = {{&info, bytes}};
        SCANMQ_ASSERT(blobs_->put(held).ok());
    }
    fs::path data() const { return dir_.path() / "data"; }
    fs::path copy() const { return dir_.path() / "copies" / "monday"; }
    fs::path fresh() const { return dir_.path() / "fresh"; }

    const std::string kLarge = std::string(BlobFiles::kSmallBytesMax + 1, 'l');
    TempDir dir_;
    RecordMaker maker_;
    ListLog log_;
    std::unique_ptr<LmdbStateStore> state_;
    std::unique_ptr<BlobFiles> blobs_;
};

TEST_F(Backup, ARestoredOneHasEverythingAndSaysThatItIsOne) {
    ASSERT_TRUE(backup(*state_, blobs_.get(), copy()).ok());
    ASSERT_TRUE(blobs_->remove(content_id("blob")).ok());
    ASSERT_TRUE(restore_backup(copy(), fresh()).ok());

    auto state = open_state(fresh());
    RowLines lines;
    ASSERT_TRUE(load(*state, lines).ok());
    std::multiset<std::string> expected = maker_.expected();
    // But for the row of the broker, which begins its log anew.
    const auto broker = std::find_if(expected.begin(), expected.end(),
                                     [](const auto& line) { return line.starts_with("broker"); });
    expected.erase(broker);
    const auto restored =
        std::find_if(lines.lines.begin(), lines.lines.end(),
                     [](const auto& line) { return line.starts_with("restored"); });
    ASSERT_NE(restored, lines.lines.end());
    lines.lines.erase(restored);
    EXPECT_EQ(lines.lines, expected);
    auto blobs = BlobFiles::open({fresh() / kBlobFolder, true});
    ASSERT_TRUE(blobs.ok());
    EXPECT_EQ(**(*blobs)->view(content_id("blob")), "blob");
    EXPECT_EQ(**(*blobs)->view(content_id(kLarge)), kLarge);
}

TEST_F(Backup, ARestoredStateGoesOnWithANewLog) {
    ASSERT_TRUE(backup(*state_, blobs_.get(), copy()).ok());
    ASSERT_TRUE(restore_backup(copy(), fresh()).ok());
    auto state = open_state(fresh());
    ASSERT_TRUE(mark_settled(*state).ok());
    const std::size_t before = maker_.records().size();
    for (int i = 0; i < 50; ++i) maker_.step();
    ListLog log;
    log.records.assign(maker_.records().begin() + static_cast<std::ptrdiff_t>(before),
                       maker_.records().end());
    ASSERT_TRUE(recover(log, *state).ok());
    RowLines lines;
    ASSERT_TRUE(load(*state, lines).ok());
    EXPECT_EQ(lines.lines, maker_.expected());
}

TEST_F(Backup, IsNotWrittenOverAnother) {
    ASSERT_TRUE(backup(*state_, nullptr, copy()).ok());
    const auto again = backup(*state_, nullptr, copy());
    ASSERT_FALSE(again.ok());
    EXPECT_THAT(again.error().sentence, testing::HasSubstr("is there already"));
    EXPECT_FALSE(fs::exists(copy().string() + ".part"));
}

TEST_F(Backup, IsRestoredIntoAnEmptyDirectoryOnly) {
    ASSERT_TRUE(backup(*state_, blobs_.get(), copy()).ok());
    fs::create_directory(fresh());
    tests::write_file(fresh() / "something", "precious");
    const auto done = restore_backup(copy(), fresh());
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().sentence, testing::HasSubstr("is not empty"));
    EXPECT_TRUE(fs::exists(fresh() / "something"));
}

TEST_F(Backup, WhatIsNoneIsNotRestored) {
    const auto done = restore_backup(dir_.path(), fresh());
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().sentence, testing::HasSubstr("is not a backup"));
}

TEST_F(Backup, OfADamagedFileNothingIsLeft) {
    ASSERT_TRUE(backup(*state_, blobs_.get(), copy()).ok());
    tests::write_file(copy() / LmdbStateStore::kFile, std::string(20'000, 'x'));
    const auto done = restore_backup(copy(), fresh());
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().kind, StateError::Kind::damaged);
    EXPECT_TRUE(fs::is_empty(fresh()));
}

}  // namespace
}  // namespace scanmq::broker
