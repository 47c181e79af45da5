// BlobLink in virtual time, the broker's blob socket played by the test.
#include "worker/core/blob_link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::worker {
namespace {

using protocol::ErrorCode;
using protocol::Kind;
using protocol::Link;
using std::chrono::seconds;

class BlobLinkTest : public testing::Test {
  protected:
    BlobLinkTest() {
        options.window_chunks = 8;
        link = BlobLink(options);
        limits.chunk_bytes = 1000;
        link.open({7}, limits, now);
        link.connected(now, fx);
        fx.clear();
    }
    void frame(protocol::Message message) {
        protocol::Frame frame;
        frame.header = {protocol::kBroker, {7}, 1};
        frame.message = std::move(message);
        fx.clear();
        link.on_frame(frame, now, fx);
    }
    template <class M>
    std::vector<M> sent() const {
        std::vector<M> out;
        for (const Send& send : fx.sends) {
            if (const M* message = std::get_if<M>(&send.message)) out.push_back(*message);
        }
        return out;
    }
    // Plays the broker's side of a get, keeping to the credit. Returns what came of it.
    GotBlob serve(const std::string& bytes, const ContentId& id) {
        frame(protocol::BlobInfo{1, id, bytes.size(), protocol::BlobType::snapshot, "label"});
        std::vector<GotBlob> got = std::move(fx.got);
        for (std::size_t at = 0; at < bytes.size() && got.empty(); at += 1000) {
            EXPECT_LT(chunks, granted) << "the worker left the broker without credit";
            frame(protocol::BlobChunk{id, at, ByteView(bytes).substr(at, 1000)});
            ++chunks;
            for (const auto& credit : sent<protocol::CreditGrant>()) {
                EXPECT_EQ(credit.link, Link::blob_out);
                granted = credit.limit.items;
                EXPECT_LE(granted - chunks, 8U);
            }
            for (GotBlob& blob : fx.got) got.push_back(std::move(blob));
        }
        EXPECT_EQ(got.size(), 1U);
        return got.empty() ? GotBlob{} : std::move(got.front());
    }

    BlobLink::Options options;
    protocol::Limits limits;
    BlobLink link{BlobLink::Options{}};
    BlobEffects fx;
    Time now{seconds(100)};
    std::uint64_t chunks = 0;
    std::uint64_t granted = 8;
};

TEST_F(BlobLinkTest, GetIsAssembledUnderCreditAndChecked) {
    const std::string bytes(50'123, 'b');
    const ContentId id = content_id(bytes);
    link.get(id, now, fx);
    const auto asked = sent<protocol::BlobGet>();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(fx.sends[0].header.session.value, 7U);
    EXPECT_EQ(fx.sends[0].header.seq, 1U);
    EXPECT_EQ(asked[0].limit, (protocol::Credit{8, 8000}));
    const GotBlob blob = serve(bytes, id);
    EXPECT_EQ(blob.code, ErrorCode::none);
    EXPECT_EQ(blob.bytes, bytes);
    EXPECT_EQ(link.gets(), 0U);
    EXPECT_FALSE(link.next_deadline().has_value());
}

TEST_F(BlobLinkTest, EmptyBlobIsCompleteWithItsInfo) {
    link.get(content_id({}), now, fx);
    frame(protocol::BlobInfo{1, content_id({}), 0, protocol::BlobType::body, ""});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::none);
}

TEST_F(BlobLinkTest, WrongBytesAreNotHandedOut) {
    const ContentId id = content_id("right");
    link.get(id, now, fx);
    const GotBlob blob = serve("wrong", id);
    EXPECT_EQ(blob.code, ErrorCode::blob_mismatch);
    EXPECT_TRUE(blob.bytes.empty());
    EXPECT_TRUE(blob.retry);
}

TEST_F(BlobLinkTest, UnknownBlobIsForGood) {
    link.get(content_id("x"), now, fx);
    frame(protocol::Error{99, Kind::blob_get, ErrorCode::unknown_blob, "of another get"});
    EXPECT_TRUE(fx.got.empty());
    frame(protocol::Error{1, Kind::blob_get, ErrorCode::unknown_blob, "put it again"});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::unknown_snapshot);
    EXPECT_FALSE(fx.got[0].retry);
    EXPECT_THAT(fx.got[0].sentence, testing::HasSubstr("put it again"));
}

TEST_F(BlobLinkTest, NoMoreGetsAtOnceThanAllowed) {
    for (int i = 0; i < 20; ++i) link.get(content_id(std::to_string(i)), now, fx);
    EXPECT_EQ(sent<protocol::BlobGet>().size(), options.gets_max);
    frame(protocol::Error{3, Kind::blob_get, ErrorCode::unknown_blob, ""});
    EXPECT_EQ(sent<protocol::BlobGet>().size(), 1U) << "the next takes its place";
    EXPECT_EQ(link.gets(), 19U);
}

TEST_F(BlobLinkTest, ChunkOutOfOrderEndsTheGet) {
    const ContentId id = content_id("abcdef");
    link.get(id, now, fx);
    frame(protocol::BlobInfo{1, id, 6, protocol::BlobType::body, ""});
    frame(protocol::BlobChunk{id, 3, "def"});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::bad_chunk);
    frame(protocol::BlobChunk{id, 6, "g"});
    EXPECT_TRUE(fx.got.empty()) << "what still comes is ignored";
}

TEST_F(BlobLinkTest, ChunkPastTheSizeEndsTheGet) {
    const ContentId id = content_id("abcdef");
    link.get(id, now, fx);
    frame(protocol::BlobInfo{1, id, 6, protocol::BlobType::body, ""});
    frame(protocol::BlobChunk{id, 0, "abcdefg"});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::bad_chunk);
}

TEST_F(BlobLinkTest, ChunksBeyondCreditEndTheConnection) {
    const ContentId id = content_id("abcdef");
    link.get(id, now, fx);
    for (int i = 0; i < 8; ++i) frame(protocol::BlobChunk{content_id("other"), 0, "x"});
    EXPECT_FALSE(fx.reconnect) << "nothing it asked for, but within credit";
    // Credit was given anew meanwhile; use all of it in bytes.
    frame(protocol::BlobChunk{content_id("other"), 0, std::string(20'000, 'x')});
    EXPECT_TRUE(fx.reconnect);
    EXPECT_EQ(sent<protocol::Error>().at(0).code, ErrorCode::over_credit);
}

TEST_F(BlobLinkTest, OversizedBlobIsRefused) {
    const ContentId id = content_id("x");
    link.get(id, now, fx);
    frame(protocol::BlobInfo{1, id, ~0ULL, protocol::BlobType::body, ""});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::over_limit);
}

TEST_F(BlobLinkTest, GetWithoutProgressIsGivenUp) {
    link.get(content_id("x"), now, fx);
    ASSERT_EQ(link.next_deadline(), now + seconds(15));
    fx.clear();
    now += seconds(15);
    link.tick(now, fx);
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_TRUE(fx.got[0].retry);
    EXPECT_EQ(link.gets(), 0U);
}

TEST_F(BlobLinkTest, UnreachableEndpointIsGivenUp) {
    BlobLink unconnected(options);
    unconnected.open({8}, limits, now);
    unconnected.get(content_id("x"), now, fx);
    unconnected.put({1, 1}, content_id("y"), "y", now, fx);
    EXPECT_TRUE(fx.sends.empty());
    ASSERT_EQ(unconnected.next_deadline(), now + seconds(15));
    unconnected.tick(now + seconds(15), fx);
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_TRUE(fx.got[0].retry);
    ASSERT_EQ(fx.stored.size(), 1U);
    EXPECT_NE(fx.stored[0].code, ErrorCode::none);
}

TEST_F(BlobLinkTest, GetsBeginAnewInTheNextSession) {
    const std::string bytes(2'500, 'q');
    const ContentId id = content_id(bytes);
    link.get(id, now, fx);
    frame(protocol::BlobInfo{1, id, bytes.size(), protocol::BlobType::body, ""});
    frame(protocol::BlobChunk{id, 0, ByteView(bytes).substr(0, 1000)});
    link.close();
    link.open({7}, limits, now);
    fx.clear();
    link.connected(now, fx);
    ASSERT_EQ(sent<protocol::BlobGet>().size(), 1U);
    granted = 8;
    EXPECT_EQ(serve(bytes, id).bytes, bytes);
}

TEST_F(BlobLinkTest, LostConnectionGivesFreshCredit) {
    const std::string bytes(6'500, 'q');
    const ContentId id = content_id(bytes);
    link.get(id, now, fx);
    fx.clear();
    link.connected(now, fx);
    const auto asked = sent<protocol::BlobGet>();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].limit.items, 16U) << "all of the first grant may have been used";
}

TEST_F(BlobLinkTest, PutGoesOutUnderCredit) {
    const std::string bytes(4'500, 'r');
    const ContentId id = content_id(bytes);
    link.put({3, 1}, id, bytes, now, fx);
    const auto put = sent<protocol::BlobPut>();
    ASSERT_EQ(put.size(), 1U);
    EXPECT_EQ(put[0].size, bytes.size());
    EXPECT_EQ(put[0].type, protocol::BlobType::body);
    frame(protocol::BlobReady{1, id, false, {2, 3'999}});
    EXPECT_EQ(sent<protocol::BlobChunk>().size(), 2U);
    frame(protocol::CreditGrant{Link::blob_in, {}, 0, {100, 3'999}});
    EXPECT_EQ(sent<protocol::BlobChunk>().size(), 1U) << "the next would pass the limit in bytes";
    frame(protocol::CreditGrant{Link::blob_in, {}, 0, {100, 200'000}});
    EXPECT_EQ(sent<protocol::BlobChunk>().size(), 2U);
    EXPECT_EQ(sent<protocol::BlobChunk>().at(1).bytes.size(), 500U);
    frame(protocol::BlobStored{1, id, bytes.size()});
    ASSERT_EQ(fx.stored.size(), 1U);
    EXPECT_EQ(fx.stored[0].attempt, (AttemptId{3, 1}));
    EXPECT_EQ(fx.stored[0].code, ErrorCode::none);
    EXPECT_EQ(fx.stored[0].size, bytes.size());
}

TEST_F(BlobLinkTest, BlobThatIsThereIsNotSentAgain) {
    const ContentId id = content_id("there");
    link.put({3, 1}, id, "there", now, fx);
    frame(protocol::BlobReady{1, id, true, {}});
    EXPECT_TRUE(sent<protocol::BlobChunk>().empty());
    ASSERT_EQ(fx.stored.size(), 1U);
    EXPECT_EQ(fx.stored[0].code, ErrorCode::none);
}

TEST_F(BlobLinkTest, PutsGoOneAfterAnother) {
    link.put({1, 1}, content_id("a"), "a", now, fx);
    link.put({2, 1}, content_id("b"), "b", now, fx);
    EXPECT_EQ(sent<protocol::BlobPut>().size(), 1U);
    frame(protocol::Error{1, Kind::blob_put, ErrorCode::snapshots_full, "wait"});
    ASSERT_EQ(fx.stored.size(), 1U);
    EXPECT_EQ(fx.stored[0].code, ErrorCode::snapshots_full);
    EXPECT_EQ(sent<protocol::BlobPut>().at(0).id, content_id("b"));
}

TEST_F(BlobLinkTest, PutsEndWithTheSession) {
    link.put({1, 1}, content_id("a"), "a", now, fx);
    link.close();
    EXPECT_EQ(link.puts(), 0U);
    fx.clear();
    link.put({2, 1}, content_id("b"), "b", now, fx);
    EXPECT_EQ(link.puts(), 0U) << "nobody waits for it";
}

// What the broker holds encoded comes so; the shell decodes and checks it.
TEST_F(BlobLinkTest, AnEncodedBlobIsHandedOutAsItCame) {
    const ContentId id = content_id("raw");
    link.get(id, now, fx);
    EXPECT_EQ(sent<protocol::BlobGet>().at(0).accepts, protocol::kTakesZstd);
    frame(protocol::BlobInfo{1, id, 5000, protocol::BlobType::snapshot, "",
                             protocol::BlobEncoding::zstd, 1500});
    frame(protocol::BlobChunk{id, 0, std::string(1000, 'z')});
    EXPECT_TRUE(fx.got.empty());
    frame(protocol::BlobChunk{id, 1000, std::string(500, 'z')});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::none);
    EXPECT_EQ(fx.got[0].encoding, protocol::BlobEncoding::zstd);
    EXPECT_EQ(fx.got[0].bytes, std::string(1500, 'z'));
    EXPECT_EQ(fx.got[0].size, 5000U);
}

TEST_F(BlobLinkTest, AnEncodedBlobLargerThanItsBytesIsRefused) {
    const ContentId id = content_id("raw");
    link.get(id, now, fx);
    frame(protocol::BlobInfo{1, id, 5000, protocol::BlobType::snapshot, "",
                             protocol::BlobEncoding::zstd, 5001});
    ASSERT_EQ(fx.got.size(), 1U);
    EXPECT_EQ(fx.got[0].code, ErrorCode::malformed);
}

}  // namespace
}  // namespace scanmq::worker
