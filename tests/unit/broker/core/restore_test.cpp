// What the core's tables take back after a restart, each by itself: streams, cursors, groups, aliases.

#include "broker/core/alias_handler.hpp"
#include "broker/core/group_handler.hpp"
#include "broker/core/publisher.hpp"
#include "broker/core/stream_writer.hpp"
#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace std::chrono_literals;
using protocol::EntryKind;
using protocol::ErrorCode;
using protocol::FinalOutcome;
using protocol::GroupPhase;
using testing::job_id;

constexpr WallMillis kWall = 1'800'000'000'000;  // the wall's time when the clock says 10 h

BrokerOptions options() {
    BrokerOptions out;
    out.seed = 1;
    out.wall_offset_ms = kWall - 36'000'000;
    return out;
}

class RestoreTest : public ::testing::Test {
  protected:
    RestoreTest() {
        state.now = Time{10h};
        state.effects = &effects;
        queue = &state.add_queue("q", {});
    }
    EntryRow entry(std::uint64_t number, WallMillis at, std::string_view body = "result") {
        EntryRow row;
        row.kind = EntryKind::job;
        row.outcome = FinalOutcome::done;
        row.id = job_id(number);
        row.subject = "SPY";
        row.appended = at;
        row.body.body.bytes = body;
        return row;
    }
    ContentId put_blob(const std::string& bytes) {
        BlobRecord record;
        record.id = content_id(bytes);
        record.bytes = bytes.size();
        std::vector<ContentId> dropped;
        EXPECT_TRUE(blobs.reserve(record, state.now, dropped));
        blobs.stored(record.id, state.now);
        return record.id;
    }
    void drop_all() { writer.drop(*queue, 1'000); }

    BlobTable blobs{{}};
    Effects effects;
    CoreState state{options(), blobs};
    StreamWriter writer{state};
    Publisher publisher{state};
    GroupHandler groups{state, writer};
    Queue* queue = nullptr;
};

TEST_F(RestoreTest, AStreamGoesOnWhereItWas) {
    writer.begin_at(*queue, 70, job_id(9));
    EntryRow rejected = entry(2, kWall - 5, "");
    rejected.outcome = FinalOutcome::rejected;
    rejected.code = ErrorCode::bad_payload;
    rejected.sentence = "no strikes";
    rejected.group = job_id(500);
    EXPECT_TRUE(writer.restore(*queue, 70, entry(1, kWall - 10), {1}));
    EXPECT_TRUE(writer.restore(*queue, 71, rejected, {}));
    EXPECT_FALSE(writer.restore(*queue, 73, entry(3, kWall), {3})) << "one is missing";
    const Stream& stream = queue->stream;
    EXPECT_EQ(stream.first(), 70U);
    EXPECT_EQ(stream.next(), 72U);
    EXPECT_EQ(stream.incarnation(), job_id(9));
    EXPECT_EQ(stream.bytes(), 64U + 6 + 64 + 10);
    EXPECT_EQ(stream.time_of(70), kWall - 10);
    EXPECT_EQ(stream.at(70).bytes, 70U);
    EXPECT_EQ(state.subjects.text(stream.at(70).subject), "SPY");
    EXPECT_EQ(stream.at(71).code, ErrorCode::bad_payload);
    EXPECT_EQ(state.texts.text(stream.at(71).text), "no strikes");
    EXPECT_EQ(state.texts.text(stream.at(71).group), job_id(500).view());
    state.commit();
    EXPECT_TRUE(effects.commits.empty()) << "the store knows it all";
    drop_all();
    EXPECT_EQ(effects.releases, std::vector<BodyHandle>{{1}});
    EXPECT_EQ(stream.bytes(), 0U);
    EXPECT_EQ(stream.first(), 72U);
}

TEST_F(RestoreTest, EntriesOfOneExecutionShareTheirBody) {
    writer.begin_at(*queue, 0, job_id(9));
    for (std::uint64_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(writer.restore(*queue, i, entry(i, kWall), {1}));
    }
    EXPECT_TRUE(writer.restore(*queue, 3, entry(3, kWall), {2}));
    drop_all();
    EXPECT_EQ(effects.releases, (std::vector<BodyHandle>{{1}, {2}}));
}

TEST_F(RestoreTest, ABlobIsPinnedOnceForItsEntries) {
    const ContentId blob = put_blob("large");
    EntryRow row = entry(1, kWall, blob.view());
    row.body.body.blob_size = 5;
    EXPECT_TRUE(writer.restore(*queue, 0, row, {1}));
    EXPECT_TRUE(writer.restore(*queue, 1, row, {1}));
    EXPECT_EQ(blobs.find(blob)->pins, 1U);
    EXPECT_EQ(queue->stream.at(0).bytes, 64U);
    drop_all();
    EXPECT_EQ(blobs.find(blob)->pins, 0U);
    const ContentId gone = content_id("gone");
    row.body.body.bytes = gone.view();
    EXPECT_TRUE(writer.restore(*queue, 2, row, {2})) << "its entry is still an answer";
    EXPECT_EQ(state.counters.value(Counter::restored_without_blob), 1U);
    drop_all();
    EXPECT_EQ(effects.releases.back(), BodyHandle{2});
}

TEST_F(RestoreTest, AGroupsCompletionEntryComesBack) {
    EntryRow row = entry(500, kWall, "\x93\x03\x01\x90");
    row.kind = EntryKind::group;
    row.subject = "";
    EXPECT_TRUE(writer.restore(*queue, 0, row, {}));
    const StreamEntry& back = queue->stream.at(0);
    EXPECT_EQ(back.kind, EntryKind::group);
    EXPECT_EQ(state.texts.text(back.text), "\x93\x03\x01\x90");
    EXPECT_EQ(state.texts.text(back.group), job_id(500).view());
    EXPECT_EQ(back.bytes, 68U);
}

TEST_F(RestoreTest, EntriesFromAClockThatWasAheadGrowOldFromNow) {
    EXPECT_TRUE(writer.restore(*queue, 0, entry(1, kWall + 1'000'000'000), {1}));
    EXPECT_EQ(queue->stream.time_of(0), kWall);
    EXPECT_LE(state.due, state.now) << "what is too old is looked for";
    state.now += std::chrono::milliseconds(queue->settings.stream_max_age_ms);
    EXPECT_EQ(writer.expire(*queue), Time::max());
    EXPECT_EQ(queue->stream.size(), 0U);
    state.commit();
    EXPECT_EQ(effects.commits.size(), 1U);
}

TEST_F(RestoreTest, ACursorsTimeGoesOn) {
    publisher.restore(*queue, "idle", {7, "SPY", kWall - 23 * 3'600'000, false});
    publisher.restore(*queue, "held", {8, ">", 0, false});
    publisher.restore(*queue, "ahead", {9, ">", kWall + 1'000'000, false});
    publisher.restore(*queue, "lapsed", {3, ">", kWall - 23 * 3'600'000, true});
    EXPECT_EQ(queue->cursors.idle(), 3U);
    EXPECT_LE(state.due, state.now);
    EXPECT_EQ(publisher.expire(*queue), state.now + 1h);
    state.now += 1h;
    EXPECT_EQ(publisher.expire(*queue), state.now + 23h)
        << "held and ahead: a day from the restart";
    EXPECT_TRUE(queue->cursors.find("idle")->lapsed);
    EXPECT_EQ(queue->cursors.find("lapsed"), nullptr);
    EXPECT_EQ(queue->cursors.find("held")->next_offset, 8U);
    EXPECT_EQ(state.counters.value(Counter::subscriptions_lapsed), 1U);
    EXPECT_EQ(state.counters.value(Counter::cursors_forgotten), 1U);
}

TEST_F(RestoreTest, GroupsComeBackInWhicheverOrder) {
    GroupRow open;
    open.phase = GroupPhase::open;
    open.submitted = 3;
    open.finished = 1;
    open.outcomes[1] = 1;
    open.generation = 4;
    open.opened = kWall - 3'600'000;
    groups.restore(*queue, job_id(1), open);
    open.opened = kWall - 23 * 3'600'000;  // a later id, an earlier group
    groups.restore(*queue, job_id(2), open);
    GroupRow ended = open;
    ended.phase = GroupPhase::complete;
    ended.count = ended.submitted = ended.finished;
    ended.ended = kWall - 5 * 60'000;
    groups.restore(*queue, job_id(3), ended);
    ended.ended = kWall - 9 * 60'000;
    groups.restore(*queue, job_id(4), ended);
    GroupRow sealed = open;
    sealed.phase = GroupPhase::sealed;
    sealed.count = 3;
    groups.restore(*queue, job_id(5), sealed);

    GroupTable& table = queue->groups;
    EXPECT_LE(table.next_expiry(), state.now) << "they are put in order first";
    groups.expire(*queue, 100);
    // Whatever the wall clock did meanwhile, those that ended are remembered for a whole window.
    EXPECT_EQ(table.next_expiry(), state.now + 10min);
    state.now += 10min - 1ms;
    groups.expire(*queue, 100);
    EXPECT_NE(table.find(job_id(3)), kNoSlot);
    EXPECT_NE(table.find(job_id(4)), kNoSlot);
    state.now += 1ms;
    groups.expire(*queue, 100);
    EXPECT_EQ(table.find(job_id(3)), kNoSlot);
    EXPECT_EQ(table.find(job_id(4)), kNoSlot);
    state.now += 50min;
    groups.expire(*queue, 100);
    EXPECT_EQ(table[table.find(job_id(2))].phase, GroupPhase::incomplete);
    EXPECT_EQ(table[table.find(job_id(1))].phase, GroupPhase::open);
    EXPECT_EQ(queue->stream.size(), 1U) << "its completion entry";
    EXPECT_EQ(queue->stream.at(0).id, job_id(2));
    const Slot slot = table.find(job_id(5));
    EXPECT_FALSE(table.finished(slot, FinalOutcome::done, state.now));
    EXPECT_TRUE(table.finished(slot, FinalOutcome::done, state.now));
    EXPECT_EQ(completion_body(table[slot]), std::string("\x93\x03\x03\x91\x92\x01\x03"));
}

TEST_F(RestoreTest, AnOpenGroupSeesTheAliasesItSaw) {
    const ContentId before = put_blob("before");
    const ContentId after = put_blob("after");
    EXPECT_EQ(state.aliases.restore("SPY@latest", {after, 5, {{before, 2, 5}}}, state.now), 0U);
    GroupRow open;
    open.phase = GroupPhase::open;
    open.generation = 4;
    open.opened = kWall;
    groups.restore(*queue, job_id(1), open);
    state.aliases.settle(state.now);
    const Group& group = queue->groups[queue->groups.find(job_id(1))];
    ASSERT_NE(state.aliases.resolve("SPY@latest", group.generation), nullptr);
    EXPECT_EQ(*state.aliases.resolve("SPY@latest", group.generation), before);
    EXPECT_EQ(*state.aliases.resolve("SPY@latest", state.aliases.generation()), after);
    state.now += 24h;
    groups.expire(*queue, 100);
    EXPECT_EQ(blobs.find(before)->pins, 0U);
    EXPECT_EQ(blobs.find(after)->pins, 1U);
}

TEST_F(RestoreTest, AnAliasWithoutItsBlobIsGoneFromTheStoreToo) {
    EXPECT_EQ(state.aliases.restore("lost", {content_id("lost"), 5, {}}, state.now), 1U);
    state.aliases.settle(state.now);
    EXPECT_EQ(state.aliases.resolve("lost", 5), nullptr);
    AliasHandler(state).tell_gone();
    state.commit();
    ASSERT_EQ(effects.commits.size(), 1U);
    ArchiveReader reader(effects.commits[0].bytes);
    change::Any any;
    ASSERT_TRUE(read_change(reader, any));
    EXPECT_EQ(std::get<change::AliasMoved>(any).alias, "lost");
    EXPECT_TRUE(std::get<change::AliasMoved>(any).id.is_zero());
}

}  // namespace
}  // namespace scanmq::broker
