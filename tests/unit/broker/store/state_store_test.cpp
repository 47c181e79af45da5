#include "broker/store/state_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "broker/store/lmdb_state_store.hpp"
#include "broker/store/state_keys.hpp"
#include "common/base/rng.hpp"
#include "tests/support/model_state_store.hpp"
#include "tests/support/temp_dir.hpp"

namespace scanmq::broker {
namespace {

using tests::TempDir;

std::unique_ptr<LmdbStateStore> open(const TempDir& dir, std::uint64_t map_bytes = 1ULL << 30) {
    auto store = LmdbStateStore::open({dir.path(), map_bytes, 126, false});
    if (!store) {
        ADD_FAILURE() << store.error().sentence;
        return nullptr;
    }
    return std::move(*store);
}

std::vector<std::pair<std::string, std::string>> rows(StateSnapshot& snapshot, Table table,
                                                      ByteView from = {}) {
    std::vector<std::pair<std::string, std::string>> out;
    EXPECT_TRUE(snapshot
                    .scan(table, from,
                          [&](ByteView key, ByteView value) {
                              out.emplace_back(key, value);
                              return true;
                          })
                    .ok());
    return out;
}

void put_one(StateStore& store, Table table, ByteView key, ByteView value) {
    ASSERT_TRUE(store.begin().ok());
    ASSERT_TRUE(store.put(table, key, value).ok());
    ASSERT_TRUE(store.commit().ok());
}

TEST(LmdbStateStore, KeepsWhatWasCommittedAcrossReopening) {
    const TempDir dir;
    put_one(*open(dir), Table::runs, "key", "value");
    auto store = open(dir);
    auto snapshot = store->snapshot();
    ASSERT_TRUE(snapshot.ok());
    EXPECT_EQ((*snapshot)->get(Table::runs, "key").value(), "value");
    EXPECT_EQ((*snapshot)->get(Table::dead, "key").value(), std::nullopt);
}

TEST(LmdbStateStore, ForgetsAnAbortedTransaction) {
    const TempDir dir;
    auto store = open(dir);
    ASSERT_TRUE(store->begin().ok());
    ASSERT_TRUE(store->put(Table::runs, "key", "value").ok());
    EXPECT_EQ(store->get(Table::runs, "key").value(), "value") << "it sees its own changes";
    store->abort();
    EXPECT_TRUE(rows(**store->snapshot(), Table::runs).empty());
}

TEST(LmdbStateStore, ASnapshotStaysAsItWasWhileAnotherThreadWrites) {
    const TempDir dir;
    auto store = open(dir);
    put_one(*store, Table::runs, "key", "old");
    auto snapshot = store->snapshot();
    ASSERT_TRUE(snapshot.ok());
    const std::uint64_t generation = store->generation();
    std::thread([&] { put_one(*store, Table::runs, "key", "new"); }).join();
    EXPECT_EQ((*snapshot)->get(Table::runs, "key").value(), "old");
    EXPECT_GT(store->generation(), generation);
    EXPECT_EQ((*store->snapshot())->get(Table::runs, "key").value(), "new");
}

TEST(LmdbStateStore, SaysThatItsMapIsFull) {
    const TempDir dir;
    auto store = open(dir, 4U << 20);
    ASSERT_TRUE(store->begin().ok());
    Result<void, StateError> done;
    for (std::uint64_t i = 0; done && i < 1000; ++i) {
        done = store->put_append(Table::entries, NumberKey(1, i), std::string(32U << 10, 'x'));
    }
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().kind, StateError::Kind::full);
    EXPECT_THAT(done.error().sentence, testing::HasSubstr("map is full"));
    store->abort();
    put_one(*store, Table::entries, "key", "a small one still fits");
}

TEST(LmdbStateStore, IsNotOpenedWhenALaterReleaseWroteIt) {
    const TempDir dir;
    put_one(*open(dir), Table::meta, kMetaVersion, NumberKey(0, kStateVersion + 1));
    auto store = LmdbStateStore::open({dir.path(), 1ULL << 30, 126, false});
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().kind, StateError::Kind::newer_version);
}

TEST(LmdbStateStore, OneOfAnEarlierReleaseBecomesThisVersion) {
    const TempDir dir;
    put_one(*open(dir), Table::meta, kMetaVersion, NumberKey(0, 1));
    auto store = open(dir);
    auto there = store->snapshot();
    ASSERT_TRUE(there.ok());
    const auto version = (*there)->get(Table::meta, kMetaVersion);
    ASSERT_TRUE(version.ok() && version->has_value());
    EXPECT_EQ(**version, ByteView(NumberKey(0, kStateVersion)));
}

TEST(LmdbStateStore, IsNotOpenedWhenItsFileIsSomethingElse) {
    const TempDir dir;
    tests::write_file(dir.path() / LmdbStateStore::kFile, std::string(64U << 10, 'x'));
    auto store = LmdbStateStore::open({dir.path(), 1ULL << 30, 126, false});
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().kind, StateError::Kind::damaged) << store.error().sentence;
}

TEST(LmdbStateStore, IsNotOpenedWithoutItsDirectory) {
    auto store = LmdbStateStore::open({"/nowhere/at/all", 1ULL << 30, 126, false});
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().kind, StateError::Kind::io);
    EXPECT_THAT(store.error().sentence, testing::HasSubstr("/nowhere/at/all"));
}

TEST(LmdbStateStore, CopiesItselfWhileATransactionIsOpen) {
    const TempDir dir;
    const TempDir copy;
    auto store = open(dir);
    put_one(*store, Table::runs, "key", "committed");
    ASSERT_TRUE(store->begin().ok());
    ASSERT_TRUE(store->put(Table::runs, "key", "not yet").ok());
    std::thread([&] { EXPECT_TRUE(store->copy_to(copy.path()).ok()); }).join();
    store->abort();
    EXPECT_EQ((*open(copy)->snapshot())->get(Table::runs, "key").value(), "committed");
}

// Random operations on both stores, step by step: answers and contents are the same.
class BothStores : public testing::TestWithParam<std::uint64_t> {
  protected:
    BothStores() : rng_(GetParam()), lmdb_(open(dir_)) { sync_versions(); }

    // The version row is LMDB's own.
    void sync_versions() {
        put_one(model_, Table::meta, kMetaVersion, NumberKey(0, kStateVersion));
    }
    Table table() { return static_cast<Table>(1 + rng_.below(3)); }
    std::string key() {
        return std::string(ByteView(NumberKey(static_cast<PartitionId>(rng_.below(3)),
                                              rng_.below(4) == 0 ? rng_.below(500) : next_)));
    }
    std::string value() {
        return std::string(rng_.below(20) == 0 ? rng_.below(40'000) : rng_.below(300),
                           static_cast<char>(rng_.next()));
    }
    void change() {
        const Table where = table();
        const std::string at = key();
        switch (rng_.below(6)) {
            case 0: {
                const std::string what = value();
                ASSERT_TRUE(lmdb_->put(where, at, what).ok());
                ASSERT_TRUE(model_.put(where, at, what).ok());
                break;
            }
            case 1:
            case 2: {
                ++next_;
                const std::string what = value();
                ASSERT_TRUE(lmdb_->put_append(where, at, what).ok());
                ASSERT_TRUE(model_.put_append(where, at, what).ok());
                break;
            }
            case 3:
                ASSERT_EQ(lmdb_->erase(where, at).value(), model_.erase(where, at).value());
                break;
            case 4: {
                const std::string to = key();
                const std::size_t budget = rng_.below(5) == 0 ? 0 : rng_.below(40);
                ASSERT_EQ(lmdb_->erase_range(where, at, to, budget).value(),
                          model_.erase_range(where, at, to, budget).value());
                break;
            }
            default:
                ASSERT_EQ(lmdb_->get(where, at).value(), model_.get(where, at).value());
        }
    }
    void compare() {
        auto left = lmdb_->snapshot();
        auto right = model_.snapshot();
        ASSERT_TRUE(left.ok() && right.ok());
        for (std::size_t i = 0; i < kTables; ++i) {
            ASSERT_EQ(rows(**left, static_cast<Table>(i)), rows(**right, static_cast<Table>(i)));
        }
        const Table where = table();
        for (int i = 0; i < 20; ++i) {
            const std::string at = key();
            ASSERT_EQ((*left)->get(where, at).value(), (*right)->get(where, at).value());
            same((*left)->floor(where, at), (*right)->floor(where, at));
            same((*left)->ceiling(where, at), (*right)->ceiling(where, at));
            ASSERT_EQ(rows(**left, where, at), rows(**right, where, at));
        }
    }
    static void same(const StateSnapshot::Row& left, const StateSnapshot::Row& right) {
        ASSERT_EQ(left->has_value(), right->has_value());
        if (!left->has_value()) return;
        ASSERT_EQ((*left)->key, (*right)->key);
        ASSERT_EQ((*left)->value, (*right)->value);
    }

    TempDir dir_;
    Rng rng_;
    std::unique_ptr<LmdbStateStore> lmdb_;
    ModelStateStore model_;
    std::uint64_t next_ = 1;
};

TEST_P(BothStores, AgreeStepByStep) {
    for (int transaction = 0; transaction < 40; ++transaction) {
        ASSERT_TRUE(lmdb_->begin().ok());
        ASSERT_TRUE(model_.begin().ok());
        for (auto steps = rng_.below(200); steps > 0; --steps) ASSERT_NO_FATAL_FAILURE(change());
        if (rng_.below(4) == 0) {
            lmdb_->abort();
            model_.crash();
        } else {
            ASSERT_TRUE(lmdb_->commit().ok());
            ASSERT_TRUE(model_.commit().ok());
        }
        if (rng_.below(8) == 0) {
            lmdb_.reset();
            lmdb_ = open(dir_);
        }
        ASSERT_NO_FATAL_FAILURE(compare());
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BothStores, testing::Range<std::uint64_t>(1, 11));

TEST(ModelStateStore, AFaultTakesTheWholeTransactionWithIt) {
    ModelStateStore store;
    put_one(store, Table::runs, "a", "1");
    store.fail_at(3, StateError::Kind::full);
    ASSERT_TRUE(store.begin().ok());
    ASSERT_TRUE(store.put(Table::runs, "b", "2").ok());
    const auto done = store.put(Table::runs, "c", "3");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().kind, StateError::Kind::full);
    store.abort();
    EXPECT_EQ(store.rows(Table::runs).size(), 1U);
}

}  // namespace
}  // namespace scanmq::broker
