#include "broker/store/blob_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>
#include <map>

#include "broker/store/blob_store.hpp"
#include "common/compress/zstd.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::broker {
namespace {

namespace fs = std::filesystem;
using tests::TempDir;

class BlobFilesTest : public testing::Test {
  protected:
    BlobFilesTest() { reopen(); }

    void reopen(bool verify = false) {
        files_.reset();
        auto files = BlobFiles::open({root(), verify, small_bytes_max_});
        ASSERT_TRUE(files.ok()) << files.error().sentence;
        files_ = std::move(*files);
    }
    ContentId put(const std::string& bytes) {
        const ContentId id = content_id(bytes);
        put({id, protocol::BlobType::snapshot, "SPY", bytes.size()}, bytes);
        return id;
    }
    void put(const BlobInfo& info, const std::string& bytes) {
        const BlobFiles::Held held[] = {{&info, bytes}};
        const auto done = files_->put(held);
        EXPECT_TRUE(done.ok()) << done.error().sentence;
    }
    std::string view(const ContentId& id) {
        const auto found = files_->view(id);
        if (!found) return "error: " + found.error().sentence;
        return *found ? std::string(**found) : "nothing";
    }
    fs::path root() const { return dir_.path() / "data" / "blobs"; }
    fs::path path(const ContentId& id) const { return root() / id.hex().substr(0, 2) / id.hex(); }
    static std::string content(const fs::path& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    TempDir dir_;
    std::unique_ptr<BlobFiles> files_;
    std::uint64_t small_bytes_max_ = 0;  // each has a file of its own
};

class SmallBlobsTest : public BlobFilesTest {
  protected:
    SmallBlobsTest() {
        small_bytes_max_ = BlobFiles::kSmallBytesMax;
        reopen();
    }
    fs::path segment() const { return root() / "sg" / "00000000"; }
};

TEST_F(BlobFilesTest, TellsBeforeItKeepsTheDiskBusy) {
    int told = 0;
    auto files = BlobFiles::open({.directory = root(),
                                  .small_bytes_max = BlobFiles::kSmallBytesMax,
                                  .before_sync = [&] { ++told; }});
    ASSERT_TRUE(files.ok());
    files_ = std::move(*files);
    put("small");
    EXPECT_EQ(told, 2) << "the segment is made, the batch is synced";
    put(std::string(BlobFiles::kSmallBytesMax + 1, 'x'));
    EXPECT_EQ(told, 3);
}

TEST_F(BlobFilesTest, KeepsBlobsAndWhatTheyAreAcrossRestarts) {
    const ContentId one = put("one");
    const ContentId large = put(std::string(3'000'000, 'x'));
    EXPECT_EQ(view(one), "one");
    reopen();
    EXPECT_EQ(files_->bytes(), 3'000'003U);
    const auto list = files_->list();
    ASSERT_EQ(list.size(), 2U);
    for (const BlobInfo& info : list) {
        EXPECT_EQ(info.label, "SPY");
        EXPECT_EQ(info.type, protocol::BlobType::snapshot);
    }
    EXPECT_EQ(view(one), "one");
    EXPECT_EQ(view(large), std::string(3'000'000, 'x'));
    EXPECT_EQ(view(content_id("two")), "nothing");
}

TEST_F(BlobFilesTest, RemovedBlobsAreGone) {
    const ContentId id = put("one");
    EXPECT_EQ(view(id), "one");
    ASSERT_TRUE(files_->remove(id).ok());
    EXPECT_EQ(view(id), "nothing");
    EXPECT_EQ(files_->bytes(), 0U);
    reopen();
    EXPECT_TRUE(files_->list().empty());
}

TEST_F(BlobFilesTest, WhatWasNotFinishedIsRemovedAtTheStart) {
    const ContentId id = put("one");
    const fs::path part = path(id).string() + ".part";
    tests::write_file(part, "half of");
    reopen();
    EXPECT_FALSE(fs::exists(part));
    EXPECT_EQ(files_->list().size(), 1U);
}

// A blob cut or changed anywhere is found out, at the start or when it is looked at.
TEST_F(BlobFilesTest, DamageAnywhereIsFound) {
    const std::string bytes(50, 'b');
    const ContentId id = put(bytes);
    const std::string whole = content(path(id));
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string changed = whole;
        changed[i] = static_cast<char>(changed[i] ^ 0x41);
        tests::write_file(path(id), changed);
        reopen();
        const bool listed = files_->has(id);
        if (listed) {
            EXPECT_THAT(view(id), testing::HasSubstr("do not hash")) << i;
        }
        EXPECT_EQ(files_->damaged().size(), listed ? 0U : 1U) << i;
        tests::write_file(path(id), whole.substr(0, i));
        reopen();
        EXPECT_FALSE(files_->has(id)) << i;
        EXPECT_EQ(files_->damaged().size(), 1U) << i;
    }
    EXPECT_EQ(put(bytes), id) << "it can be put again";
    EXPECT_EQ(view(id), bytes);
}

TEST_F(BlobFilesTest, EveryBlobIsHashedAtTheStartWhenAskedTo) {
    const ContentId id = put("some bytes");
    std::string changed = content(path(id));
    changed.back() = 'X';
    tests::write_file(path(id), changed);
    reopen(true);
    EXPECT_FALSE(files_->has(id));
    ASSERT_EQ(files_->damaged().size(), 1U);
    EXPECT_THAT(files_->damaged()[0].sentence, testing::HasSubstr(id.hex()));
}

TEST_F(BlobFilesTest, AFileUnderAnothersNameIsNotItsBlob) {
    const ContentId id = put("one");
    const ContentId other = put("two");
    fs::copy_file(path(id), path(other), fs::copy_options::overwrite_existing);
    reopen();
    EXPECT_FALSE(files_->has(other));
    EXPECT_TRUE(files_->has(id));
}

TEST_F(BlobFilesTest, LinksEveryBlobIntoABackup) {
    const ContentId one = put("one");
    ASSERT_TRUE(files_->copy_all(dir_.path() / "copy", BlobFiles::CopyBy::link).ok());
    const ContentId two = put("two");
    ASSERT_TRUE(files_->copy_all(dir_.path() / "copy", BlobFiles::CopyBy::link).ok());
    ASSERT_TRUE(files_->remove(one).ok());
    auto copy = BlobFiles::open({dir_.path() / "copy", true});
    ASSERT_TRUE(copy.ok());
    EXPECT_TRUE((*copy)->has(one));
    EXPECT_TRUE((*copy)->has(two));
}

TEST_F(BlobFilesTest, ABlobStoreKeepsCommittedBlobsInThem) {
    const std::string bytes = "hello world";
    const ContentId id = content_id(bytes);
    {
        BlobStore store(*files_);
        store.begin(id, bytes.size());
        store.write(id, 0, "hello ");
        store.write(id, 6, "world");
        EXPECT_EQ(store.memory(), 11U);
        ASSERT_TRUE(store.commit({id, protocol::BlobType::body, "", 11}).ok());
        EXPECT_EQ(store.memory(), 0U) << "the file has it";
        EXPECT_EQ(store.bytes(), 11U);
        EXPECT_EQ(store.view(id), bytes);
        const ContentId unfinished = content_id("never committed");
        store.begin(unfinished, 15);
        store.write(unfinished, 0, "never committed");
    }
    reopen();
    BlobStore store(*files_);
    EXPECT_EQ(store.view(id), bytes);
    EXPECT_EQ(files_->list().size(), 1U);
    store.drop(id);
    EXPECT_TRUE(store.view(id).empty());
    EXPECT_FALSE(fs::exists(path(id)));
    EXPECT_FALSE(store.error().has_value());
}

TEST_F(BlobFilesTest, ABlobStoreSaysWhatItCannotRead) {
    const ContentId id = put("some bytes");
    std::string changed = content(path(id));
    changed.back() = 'X';
    tests::write_file(path(id), changed);
    reopen();
    const BlobStore store(*files_);
    EXPECT_TRUE(store.view(id).empty());
    ASSERT_TRUE(store.error().has_value());
    EXPECT_EQ(store.error()->kind, StateError::Kind::damaged);
}

// A head of its own: what earlier releases would read as damage must stop them instead.
TEST_F(BlobFilesTest, KeepsEncodedBlobsAsTheyAreHeld) {
    const std::string raw(100'000, 'r');
    const std::string frame = *compress::zstd_if_it_pays(raw);
    const BlobInfo info{content_id(raw), protocol::BlobType::snapshot, "SPY",
                        raw.size(),      protocol::BlobEncoding::zstd, frame.size()};
    EXPECT_TRUE(holds_its_bytes(info, frame));
    EXPECT_FALSE(holds_its_bytes(info, raw));
    put(info, frame);
    for (const bool verify : {false, true}) {
        reopen(verify);
        ASSERT_TRUE(files_->damaged().empty());
        const auto list = files_->list();
        ASSERT_EQ(list.size(), 1U);
        EXPECT_EQ(list[0].bytes, raw.size());
        EXPECT_EQ(list[0].encoding, protocol::BlobEncoding::zstd);
        EXPECT_EQ(list[0].encoded_bytes, frame.size());
        EXPECT_EQ(files_->bytes(), frame.size());
        EXPECT_TRUE(view(info.id) == frame);
    }
    EXPECT_EQ(content(path(info.id))[12], 2) << "the version";
    EXPECT_EQ(content(path(put("raw")))[12], 1);
    // Other bytes of the same length.
    std::string changed = content(path(info.id));
    changed.back() = static_cast<char>(changed.back() ^ 1);
    std::ofstream(path(info.id), std::ios::binary) << changed;
    reopen();
    EXPECT_NE(view(info.id).find("do not hash"), std::string::npos);
}

TEST_F(BlobFilesTest, KnowsWhatWasUsedLongestAgo) {
    const ContentId one = put("one");
    const ContentId two = put("two");
    const ContentId three = put("three");
    const auto now = fs::last_write_time(path(three));
    using std::chrono::minutes;
    fs::last_write_time(path(one), now - minutes(10));
    fs::last_write_time(path(two), now - minutes(5));
    // Of a clock that was ahead: taken for now's, and no other is older for it.
    fs::last_write_time(path(three), now + std::chrono::hours(1000));
    reopen();
    std::map<ContentId, Duration> idle;
    for (const BlobInfo& info : files_->list()) idle[info.id] = info.idle;
    EXPECT_GE(idle[one], minutes(10));
    EXPECT_LT(idle[one], minutes(15));
    EXPECT_GE(idle[two], minutes(5));
    EXPECT_EQ(idle[three], Duration::zero());
    const std::vector<ContentId> used{one, content_id("gone")};
    files_->used(used);
    reopen();
    for (const BlobInfo& info : files_->list()) idle[info.id] = info.idle;
    EXPECT_LT(idle[one], minutes(1));
    EXPECT_GE(idle[two], minutes(5));
}

TEST_F(SmallBlobsTest, LieTogetherAcrossRestarts) {
    const ContentId one = put("one");
    const ContentId two = put(std::string(100'000, 'b'));
    const ContentId large = put(std::string(300'000, 'l'));
    EXPECT_EQ(view(one), "one");
    for (const bool verify : {false, true}) {
        reopen(verify);
        EXPECT_TRUE(files_->damaged().empty());
        EXPECT_EQ(files_->list().size(), 3U);
        EXPECT_EQ(files_->bytes(), 400'003U);
        EXPECT_EQ(view(one), "one");
        EXPECT_EQ(view(two), std::string(100'000, 'b'));
        EXPECT_EQ(view(large), std::string(300'000, 'l'));
    }
    EXPECT_FALSE(fs::exists(path(one)));
    EXPECT_TRUE(fs::exists(path(large)));
    ASSERT_TRUE(files_->remove(one).ok());
    EXPECT_EQ(view(one), "nothing");
    reopen();
    EXPECT_EQ(files_->list().size(), 2U);
}

TEST_F(SmallBlobsTest, AViewStaysWhileOthersComeAndGo) {
    const ContentId one = put("one");
    const auto seen = files_->view(one);
    ASSERT_TRUE(seen.ok() && *seen);
    for (int i = 0; i < 200; ++i) {
        const ContentId id = put(std::string(200'000, static_cast<char>('a' + i % 26)));
        EXPECT_EQ(view(id).size(), 200'000U);
        if (i % 2 == 0) {
            ASSERT_TRUE(files_->remove(id).ok());
        }
    }
    EXPECT_EQ(**seen, "one");
}

TEST_F(SmallBlobsTest, ThoseThatHadAFileOfTheirOwnKeepIt) {
    small_bytes_max_ = 0;
    reopen();
    const ContentId old = put("old");
    small_bytes_max_ = BlobFiles::kSmallBytesMax;
    reopen();
    put("new");
    put("old");
    reopen();
    EXPECT_EQ(files_->list().size(), 2U);
    EXPECT_EQ(view(old), "old");
    // A damaged file goes when its blob is put again.
    tests::write_file(path(old), "ruined");
    reopen();
    EXPECT_EQ(files_->damaged().size(), 1U);
    put("old");
    reopen();
    EXPECT_TRUE(files_->damaged().empty());
    EXPECT_EQ(view(old), "old");
}

TEST_F(SmallBlobsTest, OtherBytesThanItsOwnAreFound) {
    put("first");  // the newest batch is looked at when opening
    const ContentId id = put("some bytes");
    put("last");
    std::string changed = content(segment());
    const std::size_t at = changed.find("some bytes");
    ASSERT_NE(at, std::string::npos);
    changed[at] = 'S';
    tests::write_file(segment(), changed);
    reopen();
    EXPECT_THAT(view(id), testing::HasSubstr("do not hash"));
    reopen(true);
    EXPECT_FALSE(files_->has(id));
    ASSERT_EQ(files_->damaged().size(), 1U);
    EXPECT_THAT(files_->damaged()[0].sentence, testing::HasSubstr(id.hex()));
    EXPECT_EQ(put("some bytes"), id);
    EXPECT_EQ(view(id), "some bytes");
}

TEST_F(SmallBlobsTest, AreCopiedIntoABackup) {
    std::vector<ContentId> ids;
    for (int i = 0; i < 100; ++i) ids.push_back(put("blob " + std::to_string(i)));
    const fs::path copy = dir_.path() / "copy";
    ASSERT_TRUE(files_->copy_all(copy, BlobFiles::CopyBy::link).ok());
    ids.push_back(put("late"));
    ASSERT_TRUE(files_->copy_all(copy, BlobFiles::CopyBy::bytes).ok());
    ASSERT_TRUE(files_->remove(ids[0]).ok());
    auto opened = BlobFiles::open({copy, true});
    ASSERT_TRUE(opened.ok());
    EXPECT_EQ((*opened)->list().size(), 101U);
    for (const ContentId& id : ids) EXPECT_TRUE((*opened)->has(id));
}

// As the broker's threads do: one puts and notes use, one looks and removes, one copies.
TEST_F(SmallBlobsTest, AreCopiedWhileOthersComeAndGo) {
    constexpr std::size_t kBatches = 12;
    constexpr std::size_t kBlobs = 512;
    constexpr std::size_t kKept = 5;  // one more than a segment has entries for
    std::vector<std::vector<std::string>> bytes(kBatches);
    std::vector<std::vector<ContentId>> ids(kBatches);
    for (std::size_t batch = 0; batch < kBatches; ++batch) {
        for (std::size_t i = 0; i < kBlobs; ++i) {
            bytes[batch].push_back(std::to_string(batch) + "/" + std::to_string(i));
            ids[batch].push_back(content_id(bytes[batch].back()));
        }
    }
    const ContentId stays = put("stays");
    std::atomic<bool> over = false;
    std::size_t copies = 0;
    auto copier = std::async(std::launch::async, [&]() -> std::string {
        do {
            const fs::path to = dir_.path() / ("copy" + std::to_string(copies++));
            const auto done = files_->copy_all(to, BlobFiles::CopyBy::bytes);
            if (!done) return done.error().sentence;
        } while (!over);
        return {};
    });
    for (std::size_t batch = 0; batch < kBatches + kKept; ++batch) {
        auto putter = std::async(std::launch::async, [&]() -> std::string {
            if (batch >= kBatches) return {};
            std::vector<BlobInfo> infos;
            std::vector<BlobFiles::Held> held;
            for (std::size_t i = 0; i < kBlobs; ++i) {
                infos.push_back(
                    {ids[batch][i], protocol::BlobType::snapshot, "SPY", bytes[batch][i].size()});
            }
            for (std::size_t i = 0; i < kBlobs; ++i) held.push_back({&infos[i], bytes[batch][i]});
            const auto done = files_->put(held);
            files_->used(ids[batch]);
            return done ? "" : done.error().sentence;
        });
        for (std::size_t i = 0; batch >= kKept && i < kBlobs; ++i) {
            EXPECT_EQ(view(ids[batch - kKept][i]), bytes[batch - kKept][i]);
            EXPECT_TRUE(files_->remove(ids[batch - kKept][i]).ok());
        }
        EXPECT_EQ(putter.get(), "");
    }
    over = true;
    EXPECT_EQ(copier.get(), "");
    EXPECT_EQ(view(stays), "stays");
    for (std::size_t copy = 0; copy < copies; ++copy) {
        const fs::path at = dir_.path() / ("copy" + std::to_string(copy));
        const auto opened = BlobFiles::open({at, true});
        ASSERT_TRUE(opened.ok()) << opened.error().sentence;
        EXPECT_TRUE((*opened)->damaged().empty());
        EXPECT_TRUE((*opened)->has(stays));
    }
}

// What an earlier release, which looks at every file in folders of two characters, is to read there.
TEST_F(SmallBlobsTest, AnEarlierReleaseRefusesToStart) {
    put("one");
    BlobHead head;
    EXPECT_NE(decode_blob_head(content(segment()), head), 0U);
    EXPECT_GT(head.version, kEncodedBlobVersion);
    EXPECT_EQ(segment().parent_path().filename().string().size(), 2U);
}

}  // namespace
}  // namespace scanmq::broker
