#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "broker/store/body_reader.hpp"
#include "broker/store/body_store.hpp"
#include "common/base/rng.hpp"
#include "tests/support/model_state_store.hpp"

namespace scanmq::broker {
namespace {

protocol::Body bytes(const std::string& text) { return {text, 0}; }
BodyKey payload(std::uint64_t number, PartitionId partition = 1) {
    return {BodyKey::Kind::payload, partition, number};
}
BodyKey result(std::uint64_t offset, PartitionId partition = 1) {
    return {BodyKey::Kind::result, partition, offset};
}

void put_execution(ModelStateStore& store, const BodyKey& key, const protocol::Body& body,
                   Table table = Table::executions) {
    ExecutionRow row;
    row.jobs.emplace_back();
    row.payload.body = body;
    std::string value;
    if (table == Table::dead) encode_row(DeadRow{}, value);
    encode_row(row, value);
    store.overwrite(table, std::string(ByteView(NumberKey(key.partition, key.number))), value);
}

void put_entries(ModelStateStore& store, PartitionId partition, std::uint64_t first,
                 const std::vector<std::string>& bodies, bool in_results = false) {
    std::string value;
    for (const std::string& body : bodies) {
        EntryRow row;
        row.in_results = in_results;
        row.body.body.bytes = body;
        encode_row(row, value);
    }
    store.overwrite(Table::entries, std::string(ByteView(NumberKey(partition, first))), value);
}

void put_result(ModelStateStore& store, PartitionId partition, std::uint64_t last,
                std::uint64_t entries, const std::string& body) {
    ResultRow row;
    row.entries = entries;
    row.body.body.bytes = body;
    std::string value;
    encode_row(row, value);
    store.overwrite(Table::results, std::string(ByteView(NumberKey(partition, last))), value);
}

std::string read(BodyReader& reader, const BodyKey& key) {
    const auto found = reader.read(key);
    if (!found) return "error: " + found.error().sentence;
    return *found ? std::string((*found)->bytes) : "nothing";
}

TEST(BodyReader, FindsPayloadsOfLiveExecutionsAndOfDeadLetters) {
    ModelStateStore store;
    put_execution(store, payload(7), bytes("alive"));
    put_execution(store, payload(8), bytes("dead"), Table::dead);
    const std::string hash(32, 'h');
    put_execution(store, payload(9), {hash, 1'000});
    BodyReader reader(store);
    EXPECT_EQ(read(reader, payload(7)), "alive");
    EXPECT_EQ(read(reader, payload(8)), "dead");
    EXPECT_EQ(read(reader, payload(10)), "nothing");
    EXPECT_EQ(read(reader, payload(7, 2)), "nothing");
    EXPECT_EQ(**reader.read(payload(9)), (protocol::Body{hash, 1'000}));
}

TEST(BodyReader, FindsResultsInTheirEntriesInAnyOrder) {
    ModelStateStore store;
    put_entries(store, 1, 10, {"a", "b", "c"});
    put_entries(store, 1, 13, {"d"});
    put_entries(store, 2, 0, {"e"});
    BodyReader reader(store);
    const std::map<std::uint64_t, std::string> all = {{10, "a"}, {11, "b"}, {12, "c"}, {13, "d"}};
    Rng rng(5);
    for (int i = 0; i < 200; ++i) {
        const std::uint64_t offset = 9 + rng.below(6);
        const auto it = all.find(offset);
        ASSERT_EQ(read(reader, result(offset)), it == all.end() ? "nothing" : it->second) << offset;
    }
    EXPECT_EQ(read(reader, result(0, 2)), "e");
}

TEST(BodyReader, ASharedResultOutlivesItsFirstEntry) {
    ModelStateStore store;
    put_entries(store, 1, 300, {"", ""}, true);
    put_result(store, 1, 301, 50, "shared");
    put_result(store, 1, 400, 2, "another");
    BodyReader reader(store);
    EXPECT_EQ(read(reader, result(252)), "shared") << "the chunk of 252 was trimmed";
    EXPECT_EQ(read(reader, result(300)), "shared");
    EXPECT_EQ(read(reader, result(251)), "nothing");
    EXPECT_EQ(read(reader, result(302)), "nothing");
}

TEST(BodyReader, SeesWhatACheckpointPutThere) {
    ModelStateStore store;
    BodyReader reader(store);
    EXPECT_EQ(read(reader, payload(7)), "nothing");
    put_execution(store, payload(7), bytes("alive"));
    EXPECT_EQ(read(reader, payload(7)), "alive");
    reader.rest();
    EXPECT_EQ(read(reader, payload(7)), "alive");
}

TEST(BodyReader, SaysWhichRowIsDamaged) {
    ModelStateStore store;
    store.overwrite(Table::executions, std::string(ByteView(NumberKey(3, 7))), "\x05");
    store.overwrite(Table::entries, std::string(ByteView(NumberKey(3, 7))), "\x05");
    BodyReader reader(store);
    EXPECT_THAT(read(reader, payload(7, 3)),
                testing::StartsWith("error: payload 7 of partition 3"));
    EXPECT_THAT(read(reader, result(7, 3)), testing::StartsWith("error: result 7 of partition 3"));
}

class ColdBodies : public testing::Test {
  protected:
    ColdBodies() { bodies_.set_reader(reader_); }

    // Bodies with keys 1.., all of them in the state.
    void fill(std::uint64_t count, std::size_t size) {
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::string body = std::to_string(handles_.size()) + std::string(size, 'b');
            const BodyKey key = payload(handles_.size() + 1);
            handles_.push_back(bodies_.put(bytes(body)));
            bodies_.set_key(handles_.back(), key, handles_.size());
            put_execution(state_, key, bytes(body));
            texts_.push_back(body);
        }
    }
    void expect_all() {
        for (std::size_t i = 0; i < handles_.size(); ++i) {
            ASSERT_EQ(bodies_.view(handles_[i]).bytes, texts_[i]) << i;
        }
    }

    ModelStateStore state_;
    BodyReader reader_{state_};
    BodyStore bodies_;
    std::vector<BodyHandle> handles_;
    std::vector<std::string> texts_;
};

TEST_F(ColdBodies, EvictedBodiesAreReadFromTheState) {
    fill(2000, 300);
    const std::uint64_t before = bodies_.memory();
    EXPECT_EQ(bodies_.evict(handles_.size(), 0), 2000U);
    EXPECT_EQ(bodies_.cold(), 2000U);
    EXPECT_EQ(bodies_.count(), 2000U);
    EXPECT_EQ(bodies_.bytes(), 0U);
    EXPECT_LT(bodies_.memory(), before / 30);
    expect_all();
    for (const BodyHandle handle : handles_) bodies_.release(handle);
    EXPECT_EQ(bodies_.count(), 0U);
    EXPECT_EQ(bodies_.cold(), 0U);
    EXPECT_EQ(bodies_.memory(), 0U);
}

TEST_F(ColdBodies, OnlyWhatACheckpointHasIsEvicted) {
    fill(2000, 300);
    const BodyHandle without_key = bodies_.put(bytes(std::string(303, 'n')));
    EXPECT_EQ(bodies_.evict(0, 0), 0U);
    const std::uint64_t cold = bodies_.evict(1000, 0);
    EXPECT_GT(cold, 700U);
    EXPECT_LE(cold, 1000U);
    bodies_.evict(2000, 0);
    EXPECT_EQ(bodies_.view(without_key).bytes, std::string(303, 'n'));
    EXPECT_LT(bodies_.cold(), 2000U) << "those beside the one without a key stay";
    expect_all();
}

TEST_F(ColdBodies, TheNewestGoFirstAndOnlyAsManyAsNeeded) {
    fill(4000, 300);
    bodies_.evict(4000, bodies_.memory() / 2);
    EXPECT_GT(bodies_.cold(), 1800U);
    EXPECT_LT(bodies_.cold(), 2600U);
    state_.overwrite(Table::executions, std::string(ByteView(NumberKey(1, 1))), std::nullopt);
    EXPECT_EQ(bodies_.view(handles_.front()).bytes, texts_.front()) << "it is in memory";
}

TEST_F(ColdBodies, LargeBodiesGoColdOneByOne) {
    fill(20, 40'000);
    EXPECT_EQ(bodies_.evict(10, 0), 10U);
    expect_all();
    for (const BodyHandle handle : handles_) bodies_.release(handle);
    EXPECT_EQ(bodies_.memory(), 0U);
}

TEST_F(ColdBodies, ABodyThatCannotBeReadIsEmptyAndSaidToBe) {
    fill(1, 300);
    bodies_.evict(1, 0);
    EXPECT_FALSE(bodies_.read_error().has_value());
    state_.overwrite(Table::executions, std::string(ByteView(NumberKey(1, 1))), std::nullopt);
    EXPECT_TRUE(bodies_.view(handles_[0]).bytes.empty());
    EXPECT_EQ(bodies_.read_error(), "body 1 of partition 1 is not in the state");
}

TEST_F(ColdBodies, KeysOfAnySizeAreKept) {
    const BodyKey far = payload(~0ULL >> 1, 0xffffffff);
    put_execution(state_, far, bytes("far"));
    const BodyHandle handle = bodies_.put_cold(far);
    EXPECT_EQ(bodies_.view(handle).bytes, "far");
    bodies_.release(handle);
    EXPECT_EQ(bodies_.put_cold({}).value, 0U);
}

TEST_F(ColdBodies, TenMillionTakeLessThanTwelveBytesEach) {
    constexpr std::uint64_t kBodies = 10'000'000;
    std::uint32_t last = 0;
    for (std::uint64_t i = 1; i <= kBodies; ++i) last = bodies_.put_cold(payload(i)).value;
    EXPECT_LT(bodies_.memory(), kBodies * 12);
    EXPECT_EQ(bodies_.cold(), kBodies);
    put_execution(state_, payload(kBodies), bytes("the last"));
    EXPECT_EQ(bodies_.view(BodyHandle{last}).bytes, "the last");
}

// Random puts, keys, evictions and releases against copies.
TEST_F(ColdBodies, AgreeWithAModel) {
    Rng rng(11);
    struct One {
        BodyHandle handle;
        std::string text;
    };
    std::vector<One> live;
    std::uint64_t number = 0;
    for (int step = 0; step < 60'000; ++step) {
        const bool growing = (step / 5'000) % 2 == 0;
        if (live.empty() || rng.below(100) < (growing ? 70U : 30U)) {
            const std::size_t size =
                rng.below(200) == 0 ? rng.below(40'000) + 1 : 1 + rng.below(700);
            std::string text(size, static_cast<char>('a' + rng.below(26)));
            const BodyKey key = payload(++number);
            const bool cold = rng.below(4) == 0;
            reader_.rest();  // a snapshot makes the model copy its table
            if (cold || rng.below(20) != 0) put_execution(state_, key, bytes(text));
            const BodyHandle handle = cold ? bodies_.put_cold(key) : bodies_.put(bytes(text));
            if (state_.rows(Table::executions)
                    .contains(std::string(ByteView(NumberKey(1, number))))) {
                bodies_.set_key(handle, key, number);
            }
            live.push_back({handle, std::move(text)});
        } else {
            const std::size_t which = rng.below(live.size());
            ASSERT_EQ(bodies_.view(live[which].handle).bytes, live[which].text);
            bodies_.release(live[which].handle);
            live[which] = std::move(live.back());
            live.pop_back();
        }
        if (rng.below(500) == 0) bodies_.evict(number - rng.below(number + 1), rng.below(4U << 20));
        ASSERT_EQ(bodies_.count(), live.size());
    }
    for (const One& one : live) {
        ASSERT_EQ(bodies_.view(one.handle).bytes, one.text);
        bodies_.release(one.handle);
    }
    EXPECT_EQ(bodies_.bytes(), 0U);
    EXPECT_EQ(bodies_.cold(), 0U);
    EXPECT_LE(bodies_.memory(), 5U << 20) << "but what is kept warm";
}

TEST(ColdBodiesDeathTest, ReleasingAColdBodyTwiceIsOurMistake) {
    BodyStore bodies;
    const BodyHandle handle = bodies.put_cold(payload(1));
    const BodyHandle other = bodies.put_cold(payload(2));
    bodies.release(handle);
    EXPECT_DEATH(bodies.release(handle), "assertion failed");
    bodies.release(other);
}

}  // namespace
}  // namespace scanmq::broker
