#include "broker/core/blob_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace scanmq::broker {
namespace {

using protocol::BlobChunk;
using protocol::BlobGet;
using protocol::BlobInfo;
using protocol::BlobPut;
using protocol::BlobReady;
using protocol::BlobStored;
using protocol::BlobType;
using protocol::Credit;
using protocol::CreditGrant;
using protocol::ErrorCode;
using protocol::Kind;
using protocol::Link;
using protocol::SessionId;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::uint64_t kChunk = protocol::kLimits.chunk_bytes;

ContentId id_of(std::uint8_t n) {
    ContentId id;
    id.bytes[0] = n;
    return id;
}

// One BlobCore with a window of four chunks; sessions 1 to 3 are open, connections are 10 times as
// much.
class BlobCoreTest : public testing::Test {
  protected:
    BlobCoreTest() {
        options.window_chunks = 4;
        options.puts_per_session_max = 2;
        options.gets_per_session_max = 2;
        options.chunks_per_pump = 3;
        options.gather_puts = 1;  // but where a test is about it
    }

    void frame(std::uint64_t session, protocol::Message message, std::uint64_t connection = 0) {
        protocol::Frame in;
        in.header = {protocol::kProducer, SessionId{session}, ++seq};
        in.message = std::move(message);
        core().frame(ConnectionId{connection == 0 ? session * 10 : connection}, in, at, effects);
    }
    void put(std::uint64_t session, std::uint8_t id, std::uint64_t size) {
        frame(session, BlobPut{id_of(id), size, BlobType::snapshot, "SPY"});
    }
    void chunk(std::uint64_t session, std::uint8_t id, std::uint64_t offset, std::uint64_t bytes) {
        frame(session, BlobChunk{id_of(id), offset, ByteView(data).substr(0, bytes)});
    }
    // A put, its chunks and the proof, all at once.
    void store(std::uint64_t session, std::uint8_t id, std::uint64_t size) {
        put(session, id, size);
        for (std::uint64_t offset = 0; offset < size; offset += kChunk) {
            chunk(session, id, offset, std::min(kChunk, size - offset));
        }
        core().verified(id_of(id), BlobVerdict::kept, at, effects);
        ASSERT_NE(blobs.find(id_of(id)), nullptr);
        effects.clear();
    }

    // The only effect of its type, which is taken out; nullopt when there is none or are several.
    template <class E>
    std::optional<E> only() {
        std::optional<E> found;
        std::size_t count = 0;
        for (BlobEffect& effect : effects) {
            if (auto* match = std::get_if<E>(&effect)) {
                ++count;
                found = std::move(*match);
            }
        }
        std::erase_if(effects, [](const BlobEffect& e) { return std::holds_alternative<E>(e); });
        if (count > 1) ADD_FAILURE() << count << " effects instead of one";
        return found;
    }
    // The next message that was sent, to this session.
    template <class M>
    std::optional<M> sent(std::uint64_t session) {
        const auto found = std::find_if(effects.begin(), effects.end(), [](const BlobEffect& e) {
            return std::holds_alternative<BlobSend>(e);
        });
        if (found == effects.end()) {
            ADD_FAILURE() << "nothing was sent";
            return std::nullopt;
        }
        last = std::move(std::get<BlobSend>(*found));
        effects.erase(found);
        EXPECT_EQ(last.to.value / 10, session);
        const M* message = std::get_if<M>(&last.message);
        if (message == nullptr) {
            ADD_FAILURE() << "sent " << to_string(kind_of(last.message));
            return std::nullopt;
        }
        return *message;
    }
    void expect_error(std::uint64_t session, ErrorCode code, const std::string& part = "") {
        const auto error = sent<protocol::Error>(session);
        ASSERT_TRUE(error.has_value());
        EXPECT_EQ(to_string(error->code), to_string(code)) << error->sentence;
        EXPECT_THAT(error->sentence, HasSubstr(part));
    }
    std::size_t sends() const {
        return static_cast<std::size_t>(
            std::count_if(effects.begin(), effects.end(),
                          [](const BlobEffect& e) { return std::holds_alternative<BlobSend>(e); }));
    }
    BlobCore& core() {
        if (!core_) {
            core_ = std::make_unique<BlobCore>(
                options, blobs, [this](SessionId s) { return open.contains(s.value); });
        }
        return *core_;
    }

    BlobOptions options;
    BlobTable blobs{{.bytes_max = 20 * kChunk, .count_max = 10, .grace = seconds(60)}};
    std::set<std::uint64_t> open{1, 2, 3};
    std::vector<BlobEffect> effects;
    BlobSend last;
    Time at{seconds(1000)};
    std::uint64_t seq = 0;
    const std::string data = std::string(2 * kChunk, 'd');

  private:
    std::unique_ptr<BlobCore> core_;
};

TEST_F(BlobCoreTest, PutIsGrantedWrittenVerifiedAndStored) {
    put(1, 7, kChunk + 10);
    const std::uint64_t put_seq = seq;
    EXPECT_EQ(only<BlobBegin>()->bytes, kChunk + 10);
    const auto ready = sent<BlobReady>(1);
    EXPECT_FALSE(ready->have);
    EXPECT_EQ(ready->re, put_seq);
    EXPECT_EQ(ready->limit, (Credit{4, 4 * kChunk}));
    EXPECT_EQ(last.header.seq, 1U);
    EXPECT_EQ(last.header.session.value, 1U);

    chunk(1, 7, 0, kChunk);
    EXPECT_EQ(only<BlobWrite>()->offset, 0U);
    EXPECT_FALSE(only<BlobVerify>().has_value());
    chunk(1, 7, kChunk, 10);
    EXPECT_EQ(only<BlobWrite>()->bytes.size(), 10U);
    EXPECT_EQ(only<BlobVerify>()->id, id_of(7));
    EXPECT_EQ(blobs.find(id_of(7)), nullptr) << "not before its hash was checked";
    EXPECT_EQ(sends(), 0U);

    core().verified(id_of(7), BlobVerdict::kept, at, effects);
    const auto stored = sent<BlobStored>(1);
    EXPECT_EQ(stored->re, put_seq);
    EXPECT_EQ(stored->size, kChunk + 10);
    EXPECT_NE(blobs.find(id_of(7)), nullptr);
    EXPECT_EQ(last.header.seq, 2U);
}

TEST_F(BlobCoreTest, CreditFollowsAsChunksAreTaken) {
    put(1, 7, 12 * kChunk);
    sent<BlobReady>(1);
    for (std::uint64_t i = 0; i < 2; ++i) chunk(1, 7, i * kChunk, kChunk);
    EXPECT_EQ(sends(), 0U) << "half the window is left";
    chunk(1, 7, 2 * kChunk, kChunk);
    const auto grant = sent<CreditGrant>(1);
    EXPECT_EQ(grant->link, Link::blob_in);
    EXPECT_EQ(grant->limit, (Credit{7, 7 * kChunk}));
}

TEST_F(BlobCoreTest, ChunkBeyondCreditIsRefusedAndNotTaken) {
    options.window_chunks = 1;
    put(1, 7, 3 * kChunk);
    const auto ready = sent<BlobReady>(1);
    ASSERT_EQ(ready->limit.items, 1U);
    frame(1, BlobChunk{id_of(7), 0, ByteView(data).substr(0, kChunk + 2)});
    expect_error(1, ErrorCode::over_credit, "wait for CREDIT");
    EXPECT_FALSE(only<BlobWrite>().has_value());
    chunk(1, 7, 0, kChunk);
    EXPECT_TRUE(only<BlobWrite>().has_value()) << "the put goes on";
    EXPECT_EQ(sent<CreditGrant>(1)->limit.items, 2U);
}

TEST_F(BlobCoreTest, ChunkOutOfOrderEndsThePutAndItsFollowersAreDroppedQuietly) {
    put(1, 7, 4 * kChunk);
    sent<BlobReady>(1);
    chunk(1, 7, kChunk, kChunk);
    expect_error(1, ErrorCode::bad_chunk, "offset 0");
    EXPECT_EQ(only<BlobDrop>()->id, id_of(7));
    EXPECT_EQ(blobs.bytes(), 0U);
    effects.clear();
    chunk(1, 7, 2 * kChunk, kChunk);
    EXPECT_EQ(sends(), 0U);
    chunk(1, 7, 3 * kChunk, kChunk);
    EXPECT_TRUE(sent<CreditGrant>(1).has_value()) << "they were sent under credit, which goes on";
}

TEST_F(BlobCoreTest, ChunkOfTheWrongSizeEndsThePut) {
    for (const std::uint64_t bytes : {kChunk - 1, std::uint64_t{0}}) {
        put(1, 7, 2 * kChunk);
        sent<BlobReady>(1);
        chunk(1, 7, 0, bytes);
        expect_error(1, ErrorCode::bad_chunk, "expected 65536 bytes");
        effects.clear();
    }
    put(1, 8, 10);
    sent<BlobReady>(1);
    chunk(1, 8, 0, 11);
    expect_error(1, ErrorCode::bad_chunk, "expected 10 bytes");
}

TEST_F(BlobCoreTest, ChunkWithoutAPutIsRefusedOnce) {
    put(1, 7, kChunk);  // for credit
    sent<BlobReady>(1);
    chunk(1, 9, 0, 10);
    expect_error(1, ErrorCode::bad_chunk, "BLOB_PUT");
    chunk(1, 9, 10, 10);
    EXPECT_EQ(sends(), 0U);
}

TEST_F(BlobCoreTest, MismatchFreesThePlace) {
    put(1, 7, 10);
    sent<BlobReady>(1);
    chunk(1, 7, 0, 10);
    effects.clear();
    core().verified(id_of(7), BlobVerdict::mismatch, at, effects);
    expect_error(1, ErrorCode::blob_mismatch);
    EXPECT_EQ(only<BlobDrop>()->id, id_of(7));
    EXPECT_EQ(blobs.find_any(id_of(7)), nullptr);
}

TEST_F(BlobCoreTest, PutOfWhatIsThereIsAnsweredAtOnce) {
    store(1, 7, 100);
    put(2, 7, 100);
    EXPECT_TRUE(sent<BlobReady>(2)->have);
    EXPECT_FALSE(only<BlobBegin>().has_value());
    put(2, 7, 99);
    expect_error(2, ErrorCode::blob_mismatch, "100 bytes");
}

TEST_F(BlobCoreTest, OwnerMayBeginAgain) {
    put(1, 7, 2 * kChunk);
    chunk(1, 7, 0, kChunk);
    effects.clear();
    put(1, 7, 2 * kChunk);
    EXPECT_TRUE(only<BlobBegin>().has_value());
    EXPECT_FALSE(sent<BlobReady>(1)->have);
    chunk(1, 7, 0, kChunk);
    EXPECT_EQ(only<BlobWrite>()->offset, 0U);
    EXPECT_EQ(blobs.bytes(), 2 * kChunk);
}

TEST_F(BlobCoreTest, SecondPutterWaitsForTheFirstAndFindsItThere) {
    put(1, 7, 10);
    sent<BlobReady>(1);
    put(2, 7, 10);
    const std::uint64_t second = seq;
    EXPECT_EQ(sends(), 0U);
    chunk(1, 7, 0, 10);
    core().verified(id_of(7), BlobVerdict::kept, at, effects);
    sent<BlobStored>(1);
    const auto ready = sent<BlobReady>(2);
    EXPECT_TRUE(ready->have);
    EXPECT_EQ(ready->re, second);
}

TEST_F(BlobCoreTest, SecondPutterTakesOverWhenTheFirstFails) {
    put(1, 7, 10);
    put(2, 7, 10);
    chunk(1, 7, 5, 5);
    effects.clear();
    chunk(2, 7, 0, 10);
    EXPECT_TRUE(only<BlobWrite>().has_value());
    core().verified(id_of(7), BlobVerdict::kept, at, effects);
    EXPECT_EQ(sends(), 1U);
    EXPECT_TRUE(sent<BlobStored>(2).has_value());
}

TEST_F(BlobCoreTest, SecondPutterTakesOverWhenTheFirstIsGone) {
    put(1, 7, 10);
    put(2, 7, 10);
    effects.clear();
    open.erase(1);
    core().tick(at, effects);
    EXPECT_FALSE(sent<BlobReady>(2)->have);
}

TEST_F(BlobCoreTest, WhatIsBeingVerifiedIsSeenToItsEndWithoutItsSender) {
    put(1, 7, 10);
    chunk(1, 7, 0, 10);
    effects.clear();
    open.erase(1);
    core().tick(at, effects);
    core().verified(id_of(7), BlobVerdict::kept, at, effects);
    EXPECT_EQ(sends(), 0U);
    EXPECT_NE(blobs.find(id_of(7)), nullptr);
}

TEST_F(BlobCoreTest, IdlePutIsGivenUp) {
    put(1, 7, 10);
    effects.clear();
    at += seconds(29);
    core().tick(at, effects);
    EXPECT_EQ(sends(), 0U);
    at += seconds(1);
    core().tick(at, effects);
    expect_error(1, ErrorCode::bad_chunk, "begin the put again");
    EXPECT_EQ(blobs.bytes(), 0U);
}

TEST_F(BlobCoreTest, LimitsOfAPutAreNamed) {
    put(1, 7, protocol::kLimits.blob_bytes_max + 1);
    expect_error(1, ErrorCode::over_limit, "blob_bytes_max");
    put(1, 7, 0);
    expect_error(1, ErrorCode::malformed, "size");
    put(1, 7, 10);
    put(1, 8, 10);
    effects.clear();
    put(1, 9, 10);
    expect_error(1, ErrorCode::over_limit, "blob_puts_per_session_max");
}

TEST_F(BlobCoreTest, AFullStoreNamesTheLimitThatWasHit) {
    blobs = BlobTable({.bytes_max = 20 * kChunk, .count_max = 1});
    store(1, 1, kChunk);
    put(1, 2, kChunk);
    expect_error(1, ErrorCode::snapshots_full, "snapshots_max");
}

TEST_F(BlobCoreTest, FullStoreIsSaidAndRoomIsMadeWhereItMay) {
    store(1, 1, 12 * kChunk);
    store(1, 2, 8 * kChunk);
    put(1, 3, kChunk);
    expect_error(1, ErrorCode::snapshots_full, "snapshot_bytes_max");
    at += seconds(61);
    blobs.touch(id_of(2), at);
    put(1, 3, kChunk);
    EXPECT_EQ(only<BlobDrop>()->id, id_of(1));
    EXPECT_FALSE(sent<BlobReady>(1)->have);
}

TEST_F(BlobCoreTest, GetIsPumpedUnderCreditAndPinned) {
    store(1, 7, 6 * kChunk + 5);
    frame(2, BlobGet{id_of(7), {2, 100 * kChunk}});
    const auto info = sent<BlobInfo>(2);
    EXPECT_EQ(info->size, 6 * kChunk + 5);
    EXPECT_EQ(info->label, "SPY");
    EXPECT_EQ(blobs.find(id_of(7))->pins, 1U);

    EXPECT_FALSE(core().pump(at, effects)) << "credit is used up";
    EXPECT_EQ(sent<BlobChunk>(2)->offset, 0U);
    EXPECT_EQ(last.chunk_bytes, kChunk);
    EXPECT_EQ(sent<BlobChunk>(2)->offset, kChunk);
    EXPECT_EQ(sends(), 0U);

    frame(2, CreditGrant{Link::blob_out, "", 0, {100, 100 * kChunk}});
    EXPECT_TRUE(core().pump(at, effects)) << "a few at a time";
    EXPECT_EQ(sends(), 3U);
    EXPECT_FALSE(core().pump(at, effects));
    EXPECT_EQ(sends(), 5U);
    EXPECT_EQ(std::get<BlobSend>(effects.back()).chunk_bytes, 5U) << "the last is shorter";
    EXPECT_EQ(blobs.find(id_of(7))->pins, 0U);
}

TEST_F(BlobCoreTest, CreditInBytesHoldsChunksBack) {
    store(1, 7, 2 * kChunk);
    frame(1, BlobGet{id_of(7), {10, kChunk + 1}});
    sent<BlobInfo>(1);
    core().pump(at, effects);
    EXPECT_EQ(sends(), 1U);
}

TEST_F(BlobCoreTest, GetsOfASessionShareItsCreditInOrder) {
    store(1, 7, kChunk);
    store(1, 8, kChunk);
    frame(1, BlobGet{id_of(8), {1, kChunk}});
    frame(1, BlobGet{id_of(7), {2, 2 * kChunk}});
    effects.clear();
    EXPECT_FALSE(core().pump(at, effects));
    EXPECT_EQ(sent<BlobChunk>(1)->id, id_of(8));
    EXPECT_EQ(sent<BlobChunk>(1)->id, id_of(7));
}

TEST_F(BlobCoreTest, BlockedConnectionIsLeftOut) {
    store(1, 7, kChunk);
    frame(1, BlobGet{id_of(7), {10, 10 * kChunk}});
    effects.clear();
    core().set_blocked(ConnectionId{10}, true);
    EXPECT_FALSE(core().pump(at, effects));
    EXPECT_EQ(sends(), 0U);
    core().set_blocked(ConnectionId{10}, false);
    core().pump(at, effects);
    EXPECT_EQ(sends(), 1U);
}

TEST_F(BlobCoreTest, UnknownBlobAndTooManyGetsAreRefused) {
    store(1, 7, kChunk);
    frame(1, BlobGet{id_of(9), {}});
    expect_error(1, ErrorCode::unknown_blob);
    for (int i = 0; i < 2; ++i) frame(1, BlobGet{id_of(7), {}});
    effects.clear();
    frame(1, BlobGet{id_of(7), {}});
    expect_error(1, ErrorCode::over_limit, "blob_gets_per_session_max");
}

TEST_F(BlobCoreTest, ClosedSessionLosesItsPins) {
    store(1, 7, kChunk);
    frame(2, BlobGet{id_of(7), {}});
    ASSERT_EQ(blobs.find(id_of(7))->pins, 1U);
    open.erase(2);
    core().tick(at, effects);
    EXPECT_EQ(blobs.find(id_of(7))->pins, 0U);
}

TEST_F(BlobCoreTest, LostConnectionEndsItsTransfers) {
    store(1, 7, kChunk);
    frame(2, BlobGet{id_of(7), {}});
    put(2, 8, 10);
    core().disconnected(ConnectionId{20}, at, effects);
    EXPECT_EQ(blobs.find(id_of(7))->pins, 0U);
    EXPECT_EQ(blobs.find_any(id_of(8)), nullptr);
}

TEST_F(BlobCoreTest, OnlyOpenSessionsAreServed) {
    frame(9, BlobGet{id_of(7), {}});
    expect_error(9, ErrorCode::unknown_session);
    EXPECT_TRUE(core().idle());
    put(1, 7, 10);
    effects.clear();
    open.erase(1);
    chunk(1, 7, 0, 10);
    EXPECT_TRUE(only<BlobDrop>().has_value()) << "what it had begun ends with it";
    expect_error(1, ErrorCode::unknown_session);
    EXPECT_TRUE(core().idle());
}

TEST_F(BlobCoreTest, SecondConnectionOfASessionReplacesTheFirstAndCountsGoOn) {
    put(1, 7, 4 * kChunk);
    chunk(1, 7, 0, kChunk);
    effects.clear();
    frame(1, BlobPut{id_of(8), 10, BlobType::body, ""}, 15);
    EXPECT_EQ(only<BlobDrop>()->id, id_of(7));
    const auto ready = sent<BlobReady>(1);
    EXPECT_EQ(last.to.value, 15U);
    EXPECT_EQ(ready->limit.items, 5U) << "one chunk was taken";
    EXPECT_GT(last.header.seq, 1U);
}

TEST_F(BlobCoreTest, ConnectionMayMoveToItsNewSession) {
    put(1, 7, 10);
    effects.clear();
    open.erase(1);
    frame(2, BlobPut{id_of(8), 10, BlobType::body, ""}, 10);
    EXPECT_EQ(only<BlobDrop>()->id, id_of(7));
    EXPECT_EQ(only<BlobBegin>()->id, id_of(8));
}

TEST_F(BlobCoreTest, WhatDoesNotBelongHereIsRefused) {
    frame(1, protocol::Query{"broker", ""});
    expect_error(1, ErrorCode::unknown_kind, "blob socket");
    frame(1, CreditGrant{Link::submit, "q", 0, {}});
    expect_error(1, ErrorCode::malformed, "blob_out");
    protocol::DecodeError bad;
    bad.code = ErrorCode::malformed;
    bad.sentence = "field x";
    core().bad_frame(ConnectionId{10}, bad, effects);
    expect_error(1, ErrorCode::malformed, "field x");
    core().bad_frame(ConnectionId{990}, bad, effects);
    expect_error(99, ErrorCode::malformed, "field x");
}

// What was written is verified together with what is coming in meanwhile.
class BlobGatherTest : public BlobCoreTest {
  protected:
    BlobGatherTest() {
        options.puts_per_session_max = 8;
        options.gather_puts = 3;
        options.gather_bytes = 2 * kChunk;
        options.gather_wait = std::chrono::milliseconds(5);
    }

    // Ids that were handed over to be verified, which are taken out.
    std::vector<std::uint8_t> handed_over() {
        std::vector<std::uint8_t> out;
        for (const BlobEffect& effect : effects) {
            if (const auto* verify = std::get_if<BlobVerify>(&effect)) {
                out.push_back(verify->id.bytes[0]);
            }
        }
        std::erase_if(effects,
                      [](const BlobEffect& e) { return std::holds_alternative<BlobVerify>(e); });
        return out;
    }
    void verified(std::uint8_t id) { core().verified(id_of(id), BlobVerdict::kept, at, effects); }

    using Ids = std::vector<std::uint8_t>;
};

TEST_F(BlobGatherTest, ALonePutWaitsForNobody) {
    put(1, 1, 10);
    chunk(1, 1, 0, 10);
    EXPECT_EQ(handed_over(), (Ids{1}));
    EXPECT_EQ(core().gather_until(), std::nullopt);
}

TEST_F(BlobGatherTest, WaitsUntilNobodyIsComing) {
    put(1, 1, 10);
    put(2, 2, 10);
    chunk(1, 1, 0, 10);
    EXPECT_EQ(handed_over(), Ids{});
    chunk(2, 2, 0, 10);
    EXPECT_EQ(handed_over(), (Ids{1, 2}));
}

TEST_F(BlobGatherTest, DoesNotWaitForOneThatWentAway) {
    put(1, 1, 10);
    put(2, 2, 10);
    chunk(1, 1, 0, 10);
    core().disconnected(ConnectionId{20}, at, effects);
    EXPECT_EQ(handed_over(), (Ids{1}));
}

TEST_F(BlobGatherTest, WaitsForSoLong) {
    put(1, 1, 10);
    put(2, 2, 10);
    chunk(1, 1, 0, 10);
    EXPECT_EQ(core().gather_until(), at + std::chrono::milliseconds(5));
    at += std::chrono::milliseconds(4);
    core().verify_written(at, effects);
    EXPECT_EQ(handed_over(), Ids{});
    at += std::chrono::milliseconds(1);
    core().verify_written(at, effects);
    EXPECT_EQ(handed_over(), (Ids{1}));
}

TEST_F(BlobGatherTest, SoManyAndSoManyBytesAreEnough) {
    for (std::uint8_t id = 1; id <= 4; ++id) put(1, id, 10);
    for (std::uint8_t id = 1; id <= 3; ++id) chunk(1, id, 0, 10);
    EXPECT_EQ(handed_over(), (Ids{1, 2, 3}));
    for (std::uint8_t id = 1; id <= 3; ++id) verified(id);
    put(1, 5, 2 * kChunk);
    chunk(1, 5, 0, kChunk);
    chunk(1, 5, kChunk, kChunk);
    EXPECT_EQ(handed_over(), (Ids{5})) << "beside 4, which is still coming";
}

TEST_F(BlobGatherTest, GathersWhileOthersAreBeingVerified) {
    put(1, 1, 10);
    chunk(1, 1, 0, 10);
    EXPECT_EQ(handed_over(), (Ids{1}));
    put(1, 2, 10);
    chunk(1, 2, 0, 10);
    put(1, 3, 10);
    chunk(1, 3, 0, 10);
    at += seconds(1);
    core().tick(at, effects);
    EXPECT_EQ(handed_over(), Ids{});
    EXPECT_EQ(core().gather_until(), std::nullopt) << "the verdict is what it waits for";
    core().verified(id_of(1), BlobVerdict::mismatch, at, effects);
    EXPECT_EQ(handed_over(), (Ids{2, 3}));
    verified(2);
    EXPECT_EQ(handed_over(), Ids{});
    verified(3);
    EXPECT_EQ(blobs.count(), 2U);
}

// Encodings: what is held, what is sent, and to whom it is decoded.
class BlobEncodingTest : public BlobCoreTest {
  protected:
    // Raw bytes of ten chunks in two and a half.
    void put_zstd(std::uint64_t session, std::uint8_t id, std::uint64_t stored = kStored) {
        frame(session, BlobPut{id_of(id), 10 * kChunk, BlobType::snapshot, "SPY",
                               protocol::BlobEncoding::zstd, stored});
    }
    void store_zstd(std::uint64_t session, std::uint8_t id) {
        put_zstd(session, id);
        chunk(session, id, 0, kChunk);
        chunk(session, id, kChunk, kChunk);
        chunk(session, id, 2 * kChunk, kStored - 2 * kChunk);
        core().verified(id_of(id), BlobVerdict::kept, at, effects);
        ASSERT_NE(blobs.find(id_of(id)), nullptr);
        effects.clear();
    }
    void get(std::uint64_t session, std::uint8_t id, std::uint64_t accepts) {
        frame(session, BlobGet{id_of(id), {100, 100 * kChunk}, accepts});
    }
    std::uint64_t counter(const std::string& name) {
        for (const auto& [key, value] : core().counters()) {
            if (key == name) return value;
        }
        ADD_FAILURE() << name;
        return 0;
    }
    // Everything pump() sends of gets; how many bytes, and whether they are decoded.
    std::uint64_t pump_all(bool decoded) {
        std::uint64_t bytes = 0;
        while (core().pump(at, effects)) {
        }
        for (const BlobEffect& effect : effects) {
            const auto* out = std::get_if<BlobSend>(&effect);
            if (out == nullptr) continue;
            bytes += out->chunk_bytes;
            EXPECT_EQ(out->decoded, decoded);
        }
        std::erase_if(effects,
                      [](const BlobEffect& e) { return std::holds_alternative<BlobSend>(e); });
        return bytes;
    }
    static constexpr std::uint64_t kStored = 2 * kChunk + kChunk / 2;
};

TEST_F(BlobEncodingTest, IsHeldAsItWasPut) {
    put_zstd(1, 7);
    EXPECT_EQ(only<BlobBegin>()->bytes, kStored);
    effects.clear();
    chunk(1, 7, 0, kChunk);
    chunk(1, 7, kChunk, kChunk);
    chunk(1, 7, 2 * kChunk, kStored - 2 * kChunk);
    EXPECT_TRUE(only<BlobVerify>().has_value());
    effects.clear();
    core().verified(id_of(7), BlobVerdict::kept, at, effects);
    EXPECT_EQ(sent<BlobStored>(1)->size, 10 * kChunk) << "of the raw bytes";
    EXPECT_EQ(blobs.bytes(), kStored);
    EXPECT_EQ(blobs.raw_bytes(), 10 * kChunk);
}

TEST_F(BlobEncodingTest, IsSentAsItIsHeldToWhoTakesThat) {
    store_zstd(1, 7);
    get(2, 7, protocol::kTakesZstd);
    const auto info = sent<BlobInfo>(2);
    EXPECT_EQ(info->size, 10 * kChunk);
    EXPECT_EQ(info->encoding, protocol::BlobEncoding::zstd);
    EXPECT_EQ(info->stored_size, kStored);
    EXPECT_EQ(pump_all(false), kStored);
    EXPECT_EQ(blobs.find(id_of(7))->pins, 0U);
    EXPECT_FALSE(only<BlobPrepare>().has_value());
}

TEST_F(BlobEncodingTest, IsDecodedOnceForThoseThatDoNot) {
    store_zstd(1, 7);
    get(2, 7, 0);
    EXPECT_TRUE(only<BlobPrepare>()->decode);
    EXPECT_EQ(sends(), 0U) << "its bytes are not there yet";
    EXPECT_FALSE(core().pump(at, effects));
    get(3, 7, 0);
    EXPECT_FALSE(only<BlobPrepare>().has_value());
    core().prepared(id_of(7), true, true, at, effects);
    for (int i = 0; i < 2; ++i) {
        const auto out = only<BlobPrepare>();
        EXPECT_FALSE(out.has_value());
    }
    EXPECT_EQ(sends(), 2U) << "two BLOB_INFOs";
    for (const BlobEffect& effect : effects) {
        const auto& info = std::get<BlobInfo>(std::get<BlobSend>(effect).message);
        EXPECT_EQ(info.encoding, protocol::BlobEncoding::raw);
        EXPECT_EQ(info.size, 10 * kChunk);
    }
    effects.clear();
    get(1, 7, 0);  // while the bytes are there
    EXPECT_EQ(sends(), 1U);
    effects.clear();
    EXPECT_EQ(pump_all(true), 30 * kChunk);
    EXPECT_TRUE(only<BlobForget>().has_value()) << "with the last get";
    EXPECT_EQ(blobs.find(id_of(7))->pins, 0U);
    EXPECT_EQ(counter("blob_gets_decoded"), 1U);
    EXPECT_EQ(counter("blob_put_bytes"), 0U);
}

TEST_F(BlobEncodingTest, DecodedBytesGoWithThoseThatAskedForThem) {
    store_zstd(1, 7);
    get(2, 7, 0);
    core().disconnected(ConnectionId{20}, at, effects);
    effects.clear();
    EXPECT_EQ(blobs.find(id_of(7))->pins, 1U) << "another thread reads it";
    core().prepared(id_of(7), true, true, at, effects);
    EXPECT_TRUE(only<BlobForget>().has_value());
    EXPECT_EQ(blobs.find(id_of(7))->pins, 0U);
    EXPECT_EQ(counter("blob_put_bytes"), 0U);
}

TEST_F(BlobEncodingTest, DecodedBytesWaitForMemory) {
    options.put_bytes_max = 12 * kChunk;
    store_zstd(1, 7);
    store_zstd(1, 8);
    get(2, 7, 0);
    EXPECT_EQ(only<BlobPrepare>()->id, id_of(7));
    get(3, 8, 0);
    EXPECT_FALSE(only<BlobPrepare>().has_value());
    core().prepared(id_of(7), true, true, at, effects);
    effects.clear();
    EXPECT_EQ(pump_all(true), 10 * kChunk);
    EXPECT_EQ(only<BlobPrepare>()->id, id_of(8)) << "its turn";
    get(2, 7, 0);
    effects.clear();
    core().disconnected(ConnectionId{20}, at, effects);  // while it waits
    core().prepared(id_of(8), true, true, at, effects);
    effects.clear();
    EXPECT_EQ(pump_all(true), 10 * kChunk);
    EXPECT_FALSE(only<BlobPrepare>().has_value());
    EXPECT_EQ(counter("blob_put_bytes"), 0U);
}

TEST_F(BlobEncodingTest, AGetOfDecodedBytesWithoutCreditIsGivenUp) {
    store_zstd(1, 7);
    frame(2, BlobGet{id_of(7), {1, kChunk}, 0});
    core().prepared(id_of(7), true, true, at, effects);
    effects.clear();
    EXPECT_EQ(pump_all(true), kChunk);
    at += options.put_idle - seconds(1);
    core().tick(at, effects);
    EXPECT_EQ(sends(), 0U);
    at += seconds(1);
    core().tick(at, effects);
    expect_error(2, ErrorCode::bad_chunk, "get the blob again");
    EXPECT_TRUE(only<BlobForget>().has_value());
}

TEST_F(BlobEncodingTest, ARestoredBlobIsHashedBeforeItIsSent) {
    BlobRecord record;
    record.id = id_of(9);
    record.bytes = kChunk;
    record.type = BlobType::snapshot;
    blobs.restore(record, at);
    get(2, 9, 0);
    get(3, 9, protocol::kTakesZstd);
    const auto check = only<BlobPrepare>();
    ASSERT_TRUE(check.has_value());
    EXPECT_FALSE(check->decode);
    EXPECT_EQ(sends(), 0U);
    core().prepared(id_of(9), false, true, at, effects);
    EXPECT_EQ(sends(), 2U);
    effects.clear();
    EXPECT_EQ(pump_all(false), 2 * kChunk);
    get(2, 9, 0);
    EXPECT_FALSE(only<BlobPrepare>().has_value()) << "once is enough";
    EXPECT_EQ(sends(), 1U);
}

TEST_F(BlobEncodingTest, ADamagedBlobIsUnknownAndMayBePutAgain) {
    BlobRecord record;
    record.id = id_of(9);
    record.bytes = kChunk;
    record.type = BlobType::snapshot;
    blobs.restore(record, at);
    get(2, 9, 0);
    effects.clear();
    core().prepared(id_of(9), false, false, at, effects);
    expect_error(2, ErrorCode::unknown_blob, "put it again");
    EXPECT_EQ(only<BlobDrop>()->id, id_of(9));
    EXPECT_EQ(blobs.find(id_of(9)), nullptr);
    EXPECT_EQ(counter("blob_damaged"), 1U);
    put(2, 9, kChunk);
    EXPECT_FALSE(sent<BlobReady>(2)->have);
}

TEST_F(BlobEncodingTest, SizesThatCannotBeAreRefused) {
    put_zstd(1, 7, 0);
    expect_error(1, ErrorCode::malformed, "stored_size");
    put_zstd(1, 7, 10 * kChunk + 1);
    expect_error(1, ErrorCode::malformed, "stored_size");
    EXPECT_EQ(blobs.count(), 0U);
}

TEST_F(BlobEncodingTest, SecondPutterMayTakeOverInAnotherEncoding) {
    put_zstd(1, 7);
    frame(2, BlobPut{id_of(7), 10 * kChunk, BlobType::snapshot, "SPY"});
    effects.clear();
    core().disconnected(ConnectionId{10}, at, effects);
    EXPECT_EQ(only<BlobBegin>()->bytes, 10 * kChunk);
    EXPECT_FALSE(sent<BlobReady>(2)->have);
}

}  // namespace
}  // namespace scanmq::broker
