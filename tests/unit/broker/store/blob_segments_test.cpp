#include "broker/store/blob_segments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/support/sim_file.hpp"

namespace scanmq::broker {
namespace {

using Place = BlobSegments::Place;
constexpr std::uint64_t kFirst = BlobSegments::kFirstPageAt;

std::string bytes_of(std::uint64_t seed, std::size_t size) {
    Rng rng(seed);
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(rng.next());
    return out;
}

class BlobSegmentsTest : public testing::Test {
  protected:
    struct Kept {
        std::string bytes;
        Place place;
    };

    BlobSegmentsTest() {
        EXPECT_TRUE(fs_.make_directory("d").ok());
        EXPECT_TRUE(fs_.sync_directory(".").ok());
        reopen();
    }

    void reopen() {
        opened_ = {};
        // 16 pages a file.
        auto opened = BlobSegments::open(fs_, {"d/sg", kFirst + (16U << 12)});
        ASSERT_TRUE(opened.ok()) << opened.error().sentence;
        opened_ = std::move(*opened);
    }
    static BlobInfo info_of(const std::string& bytes) {
        return {content_id(bytes), protocol::BlobType::snapshot, "SPY", bytes.size()};
    }
    Result<std::vector<Place>, StateError> put(const std::vector<std::string>& blobs) {
        std::vector<BlobInfo> infos;
        for (const std::string& bytes : blobs) infos.push_back(info_of(bytes));
        std::vector<BlobSegments::Held> held;
        for (std::size_t i = 0; i < blobs.size(); ++i) held.push_back({&infos[i], blobs[i]});
        return segments().put(held, 1000);
    }
    Place put_one(const std::string& bytes) {
        auto places = put({bytes});
        EXPECT_TRUE(places.ok()) << places.error().sentence;
        return places ? places->at(0) : Place{};
    }
    BlobSegments& segments() { return *opened_.segments; }
    std::string read(const Place& place) {
        auto bytes = segments().read(place);
        return bytes ? *bytes : "error: " + bytes.error().sentence;
    }

    tests::SimFileSystem fs_;
    BlobSegments::Opened opened_;
};

TEST_F(BlobSegmentsTest, KeepsABatchAcrossACrash) {
    const std::vector<std::string> blobs{"one", bytes_of(1, 4096), bytes_of(2, 20'000)};
    ASSERT_TRUE(put(blobs).ok());
    Rng rng(7);
    fs_.crash(rng);
    reopen();
    ASSERT_EQ(opened_.found.size(), 3U);
    std::set<std::string> seen;
    for (const BlobSegments::Found& found : opened_.found) {
        EXPECT_EQ(found.info.label, "SPY");
        EXPECT_EQ(found.used, 1000);
        seen.insert(read(found.place));
    }
    EXPECT_EQ(seen, std::set<std::string>(blobs.begin(), blobs.end()));
    EXPECT_TRUE(opened_.damaged.empty());
}

TEST_F(BlobSegmentsTest, ABatchIsTwoWritesAndOneSync) {
    put_one("the file is made");
    const tests::SimFileCounters before = fs_.counters();
    ASSERT_TRUE(put({"a", bytes_of(1, 5000), "b"}).ok());
    ASSERT_TRUE(put({"c"}).ok());
    EXPECT_EQ(fs_.counters().writes - before.writes, 4U) << "its bytes, its entries";
    EXPECT_EQ(fs_.counters().syncs - before.syncs, 2U);
    EXPECT_EQ(fs_.counters().directory_syncs, before.directory_syncs);
}

TEST_F(BlobSegmentsTest, ASmallerNumberOfWritesAlsoWhereOthersWereRemoved) {
    std::vector<Place> places;
    for (std::uint64_t i = 0; i < 4; ++i) places.push_back(put_one(bytes_of(i, 4000)));
    for (int i : {2, 0, 3, 1}) segments().remove(places[static_cast<std::size_t>(i)]);
    put_one("its sync lets their pages and entries go");
    const tests::SimFileCounters before = fs_.counters();
    ASSERT_TRUE(put({"a", "b", "c", "d"}).ok());
    EXPECT_EQ(fs_.counters().writes - before.writes, 2U);
}

TEST_F(BlobSegmentsTest, TellsBeforeEachSync) {
    std::vector<std::uint64_t> syncs;
    opened_ = {};
    auto opened = BlobSegments::open(
        fs_, {.folder = "d/sg", .before_sync = [&] { syncs.push_back(fs_.counters().syncs); }});
    ASSERT_TRUE(opened.ok());
    opened_ = std::move(*opened);
    const std::uint64_t before = fs_.counters().syncs;
    put_one("the file is made");
    put_one("a");
    EXPECT_THAT(syncs, testing::ElementsAre(before, before + 1, before + 2));
    EXPECT_EQ(fs_.counters().syncs, before + 3);
}

TEST_F(BlobSegmentsTest, AWriteThatFailsHalfDoneCostsNothingThatIsThere) {
    const Place one = put_one("one");
    fs_.faults.failing_writes = 1;
    const auto failed = put({bytes_of(1, 9000), "x"});
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().kind, StateError::Kind::io);
    const std::string later = bytes_of(2, 5000);
    EXPECT_EQ(put_one(later).page, one.page + 1) << "its pages are free, and may be half written";
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto fs = fs_.copy();
        Rng rng(seed);
        fs->crash(rng);
        auto opened = BlobSegments::open(*fs, {"d/sg", kFirst + (16U << 12)});
        ASSERT_TRUE(opened.ok());
        EXPECT_EQ(opened->found.size(), 2U);
        EXPECT_EQ(opened->unfinished, 0U);
        EXPECT_TRUE(opened->damaged.empty());
    }
}

TEST_F(BlobSegmentsTest, PagesAreGivenOutAgainOnlyAfterASync) {
    const Place one = put_one(bytes_of(1, 3 * 4096));
    segments().remove(one);
    const Place two = put_one(bytes_of(2, 3 * 4096));
    EXPECT_NE(two.page, one.page) << "its sync was the first one since";
    const Place three = put_one(bytes_of(3, 2 * 4096));
    EXPECT_EQ(three.page, one.page);
    const Place four = put_one(bytes_of(4, 100));
    EXPECT_EQ(four.page, one.page + 2);
}

TEST_F(BlobSegmentsTest, FillsOneFileAfterTheOtherAndRemovesEmptyOnes) {
    std::vector<Place> places;
    for (std::uint64_t i = 0; i < 6; ++i) places.push_back(put_one(bytes_of(i, 8 * 4096)));
    EXPECT_EQ(places.back().segment, 2U);
    for (int i : {0, 1, 2, 3}) segments().remove(places[static_cast<std::size_t>(i)]);
    put_one("x");
    EXPECT_THAT(segments().take_removed(), testing::ElementsAre(0U, 1U));
    const auto names = fs_.list("d/sg");
    ASSERT_TRUE(names.ok());
    EXPECT_EQ(names->size(), 2U);
    reopen();
    EXPECT_EQ(opened_.found.size(), 3U);
}

// A backup's thread may have looked a blob up that was removed before it reads.
TEST_F(BlobSegmentsTest, ReadingFromAFileThatIsGoneIsAnError) {
    std::vector<Place> places;
    for (std::uint64_t i = 0; i < 3; ++i) places.push_back(put_one(bytes_of(i, 8 * 4096)));
    segments().remove(places[0]);
    segments().remove(places[1]);
    put_one("x");
    ASSERT_THAT(segments().take_removed(), testing::ElementsAre(0U));
    EXPECT_THAT(read(places[0]), testing::HasSubstr("00000000: the file was removed"));
    EXPECT_EQ(read(places[2]), bytes_of(2, 8 * 4096));
}

TEST_F(BlobSegmentsTest, UsedIsKept) {
    const Place one = put_one("one");
    segments().used(one, 5000);
    fs_.end_process();
    reopen();
    ASSERT_EQ(opened_.found.size(), 1U);
    EXPECT_EQ(opened_.found[0].used, 5000);
}

TEST_F(BlobSegmentsTest, AFullDiskCostsNothingThatIsThere) {
    const std::string small = "small";
    const Place one = put_one(small);
    fs_.faults.capacity = fs_.used_bytes();
    const auto failed = put({"fits", bytes_of(1, 8 * 4096)});
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().kind, StateError::Kind::full);
    fs_.faults.capacity.reset();
    EXPECT_EQ(put_one("fits").page, one.page + 1) << "what the failed one took is free";
    EXPECT_TRUE(put({bytes_of(1, 8 * 4096)}).ok());
    EXPECT_EQ(read(one), small);
    reopen();
    EXPECT_EQ(opened_.found.size(), 3U);
}

TEST_F(BlobSegmentsTest, NothingIsPutAfterAFailedSync) {
    const Place one = put_one("one");
    fs_.faults.failing_syncs = 1;
    const auto failed = put({"two"});
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().kind, StateError::Kind::io);
    EXPECT_NE(put_one("three").segment, one.segment);
    EXPECT_EQ(read(one), "one");
    // Nor is what was not acknowledged believed once there is a later batch.
    fs_.end_process();
    reopen();
    EXPECT_EQ(opened_.found.size(), 2U);
}

TEST_F(BlobSegmentsTest, AnEntryThatCannotBeReadIsToldAndItsBlobIsGone) {
    put_one("one");
    const Place two = put_one("two");
    std::string file = fs_.contents("d/sg/00000000");
    const std::size_t entry = 4096 + two.entry * BlobSegments::kEntryBytes;
    for (const std::size_t at : {entry + 8, entry + 9, entry + 20, entry + 40}) {
        std::string changed = file;
        changed[at] = static_cast<char>(changed[at] ^ 0x11);
        fs_.set_contents("d/sg/00000000", changed);
        reopen();
        EXPECT_EQ(opened_.found.size(), 1U) << at;
        EXPECT_EQ(opened_.damaged.size(), 1U) << at;
    }
    file.replace(0, 8, "ruined!!");
    fs_.set_contents("d/sg/00000000", file);
    reopen();
    EXPECT_TRUE(opened_.found.empty());
    EXPECT_EQ(opened_.damaged.size(), 1U);
    EXPECT_NE(put_one("three").segment, two.segment);
}

// The entries were on the disk, what they speak of was not, nor that the file is longer.
TEST_F(BlobSegmentsTest, ATornBatchBeyondTheEndWasNeverThere) {
    put_one("one");
    const Place two = put_one("two");
    const std::string file = fs_.contents("d/sg/00000000");
    fs_.set_contents("d/sg/00000000", file.substr(0, BlobSegments::offset(two)));
    reopen();
    EXPECT_EQ(opened_.found.size(), 1U);
    EXPECT_EQ(opened_.unfinished, 1U);
    EXPECT_TRUE(opened_.damaged.empty());
    put_one("three");
    // Of an older batch it is damage.
    fs_.set_contents("d/sg/00000000", file.substr(0, kFirst));
    reopen();
    EXPECT_TRUE(opened_.found.empty());
    EXPECT_EQ(opened_.unfinished, 1U);
    EXPECT_EQ(opened_.damaged.size(), 1U);
}

// Later on it is not of the newest batch any more, and nobody would look.
TEST_F(BlobSegmentsTest, WhatWasTornStaysAwayAfterTheNextCrash) {
    const Place first = put_one(bytes_of(1, 8 * 4096));
    put_one(bytes_of(2, 8 * 4096));
    segments().remove(first);
    const Place torn = put_one(bytes_of(3, 100));
    ASSERT_EQ(torn.segment, 1U);
    std::string file = fs_.contents("d/sg/00000001");
    file[BlobSegments::offset(torn)] ^= 1;
    fs_.set_contents("d/sg/00000001", file);
    const auto copy = fs_.copy();
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto fs = copy->copy();
        auto opened = BlobSegments::open(*fs, {"d/sg", kFirst + (16U << 12)});
        ASSERT_TRUE(opened.ok());
        EXPECT_EQ(opened->unfinished, 1U);
        const std::string bytes = bytes_of(4, 8 * 4096);
        const BlobInfo info = info_of(bytes);
        const BlobSegments::Held held[] = {{&info, bytes}};
        ASSERT_EQ(opened->segments->put(held, 1)->at(0).segment, 0U);
        Rng rng(seed);
        fs->crash(rng);
        opened = BlobSegments::open(*fs, {"d/sg", kFirst + (16U << 12)});
        ASSERT_TRUE(opened.ok());
        EXPECT_EQ(opened->found.size(), 2U) << seed;
    }
}

// Whatever a crash leaves: what was acknowledged and not removed is there, and everything that is there
// is whole.
TEST_F(BlobSegmentsTest, ACrashAtAnyMomentKeepsWhatWasAcknowledged) {
    Rng rng(11);
    std::uint64_t unfinished = 0;
    for (int round = 0; round < 300; ++round) {
        tests::SimFileSystem fresh;
        ASSERT_TRUE(fresh.make_directory("d").ok());
        ASSERT_TRUE(fresh.sync_directory(".").ok());
        auto opened = BlobSegments::open(fresh, {"d/sg", kFirst + (16U << 12)});
        ASSERT_TRUE(opened.ok());
        std::map<ContentId, Kept> kept;
        for (int crash = 0; crash < 3; ++crash) {
            if (rng.below(4) != 0) fresh.faults.halt_after = rng.below(60);
            for (int step = 0; step < 30 && !fresh.halted(); ++step) {
                if (!kept.empty() && rng.below(3) == 0) {
                    const auto victim = std::next(
                        kept.begin(), static_cast<std::ptrdiff_t>(rng.below(kept.size())));
                    opened->segments->remove(victim->second.place);
                    kept.erase(victim);
                    continue;
                }
                std::vector<std::string> blobs;
                std::vector<BlobInfo> infos;
                for (std::uint64_t i = 0; i <= rng.below(3); ++i) {
                    blobs.push_back(bytes_of(rng.next(), 1 + rng.below(16'000)));
                }
                for (const std::string& bytes : blobs) infos.push_back(info_of(bytes));
                std::vector<BlobSegments::Held> held;
                for (std::size_t i = 0; i < blobs.size(); ++i) {
                    held.push_back({&infos[i], blobs[i]});
                }
                const auto places = opened->segments->put(held, 1);
                if (!places || fresh.halted()) continue;
                for (std::size_t i = 0; i < blobs.size(); ++i) {
                    kept[infos[i].id] = {blobs[i], (*places)[i]};
                }
            }
            fresh.crash(rng);
            opened = BlobSegments::open(fresh, {"d/sg", kFirst + (16U << 12)});
            ASSERT_TRUE(opened.ok()) << opened.error().sentence;
            unfinished += opened->unfinished;
            std::map<ContentId, Kept> there;
            for (const BlobSegments::Found& found : opened->found) {
                const auto bytes = opened->segments->read(found.place);
                ASSERT_TRUE(bytes.ok());
                ASSERT_TRUE(holds_its_bytes(found.info, *bytes)) << round;
                ASSERT_TRUE(there.emplace(found.info.id, Kept{*bytes, found.place}).second);
            }
            for (const auto& [id, blob] : kept) ASSERT_EQ(there.count(id), 1U) << round;
            kept = std::move(there);
        }
    }
    EXPECT_GT(unfinished, 10U) << "crashes met batches half written";
}

}  // namespace
}  // namespace scanmq::broker
