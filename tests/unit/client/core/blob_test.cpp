#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::Credit;
using protocol::ErrorCode;
using protocol::Link;

constexpr std::size_t kChunk = protocol::kLimits.chunk_bytes;

class ClientBlob : public testing::Test {
  protected:
    std::uint64_t put(ByteView bytes, Duration timeout = 60s) {
        const auto id =
            rig.core.put_blob({0, content_id(bytes), bytes, protocol::BlobType::snapshot, "label",
                               rig.now.time + timeout},
                              rig.now, rig.effects);
        rig.settle();
        return id;
    }
    std::uint64_t get(const ContentId& id, Duration timeout = 60s) {
        const auto request = rig.core.get_blob(id, rig.now.time + timeout, rig.now, rig.effects);
        rig.settle();
        return request;
    }
    void open() {
        rig.open();
        rig.tick();
    }
    void blob_connected() { rig.connected(Socket::blob); }
    void feed(protocol::Message message) { rig.feed(std::move(message), Socket::blob); }
    void chunks(const std::string& bytes, std::size_t from, std::size_t to) {
        for (std::size_t at = from; at < to; at += kChunk) {
            feed(protocol::BlobChunk{content_id(bytes), at, ByteView(bytes).substr(at, kChunk)});
        }
    }

    CoreRig rig;
    std::string bytes_ = [] {
        std::string out(3 * kChunk + 100, '.');
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 31 >> 3);
        return out;
    }();
    ContentId id_ = content_id(bytes_);
};

TEST_F(ClientBlob, PutSendsChunksInOrderUnderCredit) {
    const auto request = put(bytes_);
    EXPECT_EQ(rig.connects.size(), 1U);  // the blob socket only once its endpoint is known
    open();
    ASSERT_EQ(rig.connects.size(), 2U);
    EXPECT_EQ(rig.connects[1].endpoint, "tcp://a:2");
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 0U);
    blob_connected();
    const auto begin = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(begin);
    EXPECT_EQ(begin->frame.header.session, rig.session);
    EXPECT_EQ(rig.message<protocol::BlobPut>(begin).size, bytes_.size());
    const auto re = begin->frame.header.seq;
    feed(protocol::BlobReady{re, id_, false, {2, 3 * kChunk}});
    EXPECT_EQ(rig.count<protocol::BlobChunk>(), 2U);
    feed(protocol::CreditGrant{Link::blob_in, "", 0, {9, 3 * kChunk}});
    EXPECT_EQ(rig.count<protocol::BlobChunk>(), 3U);  // the bytes are the limit
    feed(protocol::CreditGrant{Link::blob_in, "", 0, {9, 10 * kChunk}});
    std::string put_together;
    while (const auto chunk = rig.take<protocol::BlobChunk>()) {
        EXPECT_EQ(rig.message<protocol::BlobChunk>(chunk).offset, put_together.size());
        put_together += rig.message<protocol::BlobChunk>(chunk).bytes;
    }
    EXPECT_EQ(put_together, bytes_);
    feed(protocol::BlobStored{re, id_, bytes_.size()});
    const auto done = rig.take_notices<PutDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].request, request);
    EXPECT_EQ(*done[0].result, id_);
}

TEST_F(ClientBlob, PutOfWhatIsThereSendsNothing) {
    open();
    put(bytes_);
    blob_connected();
    const auto begin = rig.take<protocol::BlobPut>();
    feed(protocol::BlobReady{begin->frame.header.seq, id_, true, {}});
    EXPECT_EQ(rig.count<protocol::BlobChunk>(), 0U);
    EXPECT_EQ(rig.take_notices<PutDone>().size(), 1U);
}

TEST_F(ClientBlob, SixtyFourPutsAreUnderWay) {
    open();
    std::vector<std::string> bytes;
    for (int i = 0; i < 70; ++i) bytes.push_back("blob " + std::to_string(i));
    for (const std::string& one : bytes) put(one);
    blob_connected();
    const auto first = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(first);
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 63U);
    rig.error(first, ErrorCode::not_permitted, "no");
    const auto done = rig.take_notices<PutDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].result.error().code, ErrorCode::not_permitted);
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 64U);
}

TEST_F(ClientBlob, NoMoreIsUnderWayThanTheBrokerTakes) {
    rig.connected();
    const auto hello = rig.take<protocol::Hello>();
    ASSERT_TRUE(hello);
    auto welcome = rig.welcome_to(hello->frame.header.seq);
    welcome.limits = {{"blob_puts_per_session_max", 2}, {"blob_gets_per_session_max", 1}};
    rig.feed(welcome);
    rig.tick();
    const std::vector<std::string> bytes{"one", "two", "three"};
    for (const std::string& one : bytes) put(one);
    get(content_id("four"));
    get(content_id("five"), 2s);
    blob_connected();
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 2U);
    EXPECT_EQ(rig.count<protocol::BlobGet>(), 1U);
}

// A small store: what is under way is in the way of the next, and makes room for it later.
TEST_F(ClientBlob, APutWithoutRoomIsTriedAgainAlone) {
    open();
    const std::vector<std::string> bytes{"one", "two", "three"};
    for (const std::string& one : bytes) put(one);
    blob_connected();
    const auto one = rig.take<protocol::BlobPut>();
    const auto two = rig.take<protocol::BlobPut>();
    const auto three = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(one && two && three);
    rig.error(two, ErrorCode::snapshots_full, "no room");
    EXPECT_TRUE(rig.take_notices<PutDone>().empty());
    feed(protocol::BlobReady{one->frame.header.seq, content_id(bytes[0]), true, {}});
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 0U) << "another is under way";
    feed(protocol::BlobReady{three->frame.header.seq, content_id(bytes[2]), true, {}});
    EXPECT_EQ(rig.take_notices<PutDone>().size(), 2U);
    const auto again = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(again);
    put("four");
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 0U) << "nothing goes beside it";
    rig.error(again, ErrorCode::snapshots_full, "no room");
    const auto done = rig.take_notices<PutDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].result.error().code, ErrorCode::snapshots_full);
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 1U);
}

TEST_F(ClientBlob, TheSameBlobIsPutOnceAtATime) {
    open();
    put(bytes_);
    put(bytes_);
    blob_connected();
    const auto first = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(first);
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 0U);
    feed(protocol::BlobReady{first->frame.header.seq, id_, true, {}});
    EXPECT_EQ(rig.take_notices<PutDone>().size(), 1U);
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 1U);
}

TEST_F(ClientBlob, AnErrorOfAChunkIsItsPuts) {
    open();
    const std::string other = "other";
    put(other);
    put(bytes_);
    blob_connected();
    const auto one = rig.take<protocol::BlobPut>();
    const auto two = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(one && two);
    feed(protocol::BlobReady{two->frame.header.seq, id_, false, {100, 100 * kChunk}});
    feed(protocol::BlobReady{one->frame.header.seq, content_id(other), false, {100, 100 * kChunk}});
    const auto chunk = rig.take<protocol::BlobChunk>();
    ASSERT_TRUE(chunk);
    EXPECT_EQ(rig.message<protocol::BlobChunk>(chunk).id, id_);
    rig.error(chunk, ErrorCode::bad_chunk);
    const auto again = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(again);
    EXPECT_EQ(rig.message<protocol::BlobPut>(again).id, id_);
    feed(protocol::BlobStored{one->frame.header.seq, content_id(other), other.size()});
    const auto done = rig.take_notices<PutDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(*done[0].result, content_id(other));
}

TEST_F(ClientBlob, AChunkOutOfOrderBeginsThePutAgain) {
    open();
    put(bytes_);
    blob_connected();
    const auto begin = rig.take<protocol::BlobPut>();
    feed(protocol::BlobReady{begin->frame.header.seq, id_, false, {100, 100 * kChunk}});
    rig.error(rig.take<protocol::BlobChunk>(), ErrorCode::bad_chunk);
    EXPECT_EQ(rig.count<protocol::BlobPut>(), 1U);
    EXPECT_TRUE(rig.take_notices<PutDone>().empty());
}

TEST_F(ClientBlob, GetPutsChunksTogetherAndGrantsOn) {
    CoreOptions options = rig_options();
    options.blob_chunks_ahead = 4;
    open();
    const auto request = get(id_);
    blob_connected();
    const auto begin = rig.take<protocol::BlobGet>();
    ASSERT_TRUE(begin);
    const Credit limit = rig.message<protocol::BlobGet>(begin).limit;
    EXPECT_EQ(limit, (Credit{64, 64 * kChunk}));
    feed(protocol::BlobInfo{begin->frame.header.seq, id_, bytes_.size(), protocol::BlobType::body,
                            "l"});
    chunks(bytes_, 0, bytes_.size());
    const auto done = rig.take_notices<GetDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].request, request);
    EXPECT_EQ(done[0].result->bytes, bytes_);
    EXPECT_EQ(done[0].result->label, "l");
}

TEST_F(ClientBlob, ALongGetGrantsAtThreeQuartersUsed) {
    const std::string large(60 * kChunk, 'z');
    open();
    get(content_id(large));
    blob_connected();
    const auto begin = rig.take<protocol::BlobGet>();
    feed(protocol::BlobInfo{begin->frame.header.seq, content_id(large), large.size(),
                            protocol::BlobType::body, ""});
    chunks(large, 0, 47 * kChunk);
    EXPECT_EQ(rig.count<protocol::CreditGrant>(), 0U);
    chunks(large, 47 * kChunk, 48 * kChunk);
    const auto grant = rig.take<protocol::CreditGrant>();
    ASSERT_TRUE(grant);
    EXPECT_EQ(rig.message<protocol::CreditGrant>(grant).link, Link::blob_out);
    EXPECT_EQ(rig.message<protocol::CreditGrant>(grant).limit, (Credit{112, 112 * kChunk}));
}

TEST_F(ClientBlob, UnknownBlobIsTold) {
    open();
    get(id_);
    blob_connected();
    rig.error(rig.take<protocol::BlobGet>(), ErrorCode::unknown_blob, "put it again");
    const auto done = rig.take_notices<GetDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].result.error().code, ErrorCode::unknown_blob);
}

TEST_F(ClientBlob, WrongBytesAreFetchedAgainAndNeverHandedOut) {
    open();
    get(id_);
    blob_connected();
    std::string wrong = bytes_;
    wrong[5] = static_cast<char>(wrong[5] + 1);
    for (int i = 0; i < 6; ++i) {
        const auto begin = rig.take<protocol::BlobGet>();
        ASSERT_TRUE(begin) << i;
        feed(protocol::BlobInfo{begin->frame.header.seq, id_, bytes_.size(),
                                protocol::BlobType::body, ""});
        for (std::size_t at = 0; at < wrong.size(); at += kChunk) {
            feed(protocol::BlobChunk{id_, at, ByteView(wrong).substr(at, kChunk)});
        }
    }
    const auto done = rig.take_notices<GetDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].result.error().code, ErrorCode::blob_mismatch);
}

TEST_F(ClientBlob, ALostBlobConnectionRenewsTheSessionAndBeginsAgain) {
    open();
    put(bytes_);
    blob_connected();
    const auto begin = rig.take<protocol::BlobPut>();
    feed(protocol::BlobReady{begin->frame.header.seq, id_, false, {2, 10 * kChunk}});
    rig.sent.clear();
    blob_connected();
    EXPECT_FALSE(rig.core.session().open);
    rig.greet();
    const auto again = rig.take<protocol::BlobPut>();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->frame.header.session, rig.session);
    feed(protocol::BlobReady{again->frame.header.seq, id_, true, {}});
    EXPECT_EQ(rig.take_notices<PutDone>().size(), 1U);
}

TEST_F(ClientBlob, ANewSessionUsesANewBlobConnection) {
    open();
    get(id_);
    blob_connected();
    ASSERT_TRUE(rig.take<protocol::BlobGet>());
    const std::size_t before = rig.connects.size();
    rig.connected();
    rig.greet();
    ASSERT_EQ(rig.connects.size(), before + 1);
    EXPECT_EQ(rig.connects.back().socket, Socket::blob);
    EXPECT_EQ(rig.count<protocol::BlobGet>(), 0U);
    blob_connected();
    EXPECT_EQ(rig.count<protocol::BlobGet>(), 1U);
}

TEST_F(ClientBlob, AStandstillMakesANewConnection) {
    open();
    put(bytes_);
    blob_connected();
    const std::size_t before = rig.connects.size();
    for (int i = 0; i < 7; ++i) {
        rig.advance(1250ms);
        rig.feed(protocol::Heartbeat{0, 1, {}});
    }
    ASSERT_EQ(rig.connects.size(), before + 1);
    EXPECT_EQ(rig.connects.back().socket, Socket::blob);
}

TEST_F(ClientBlob, DeadlinesEndTransfers) {
    put(bytes_, 1s);
    get(id_, 2s);
    rig.advance(1s);
    const auto puts = rig.take_notices<PutDone>();
    ASSERT_EQ(puts.size(), 1U);
    EXPECT_EQ(puts[0].result.error().kind, ErrorKind::timed_out);
    rig.advance(1s);
    EXPECT_EQ(rig.take_notices<GetDone>().size(), 1U);
}

// Encodings go only to brokers that announce them; otherwise the same put is raw.
TEST_F(ClientBlob, APutIsEncodedForABrokerThatTakesThat) {
    const std::string frame = "a frame of its bytes";
    for (const bool announced : {false, true}) {
        rig.connected();
        const auto hello = rig.take<protocol::Hello>();
        ASSERT_TRUE(hello);
        auto welcome = rig.welcome_to(hello->frame.header.seq);
        if (announced) welcome.limits = {{"blob_encodings", 1}};
        rig.feed(welcome);
        rig.tick();
        if (!announced) {
            BlobPutJob job{
                0, id_, bytes_, protocol::BlobType::snapshot, "label", rig.now.time + 60s};
            job.zstd = frame;
            rig.core.put_blob(job, rig.now, rig.effects);
            rig.settle();
        }
        blob_connected();
        const auto begin = rig.take<protocol::BlobPut>();
        ASSERT_TRUE(begin);
        const auto& put = rig.message<protocol::BlobPut>(begin);
        EXPECT_EQ(put.size, bytes_.size());
        EXPECT_EQ(put.id, id_);
        EXPECT_EQ(put.encoding,
                  announced ? protocol::BlobEncoding::zstd : protocol::BlobEncoding::raw);
        EXPECT_EQ(put.stored_size, announced ? frame.size() : bytes_.size());
        feed(protocol::BlobReady{begin->frame.header.seq, id_, false, {100, 100 * kChunk}});
        std::string sent;
        while (const auto chunk = rig.take<protocol::BlobChunk>()) {
            sent += rig.message<protocol::BlobChunk>(chunk).bytes;
        }
        EXPECT_TRUE(sent == (announced ? frame : bytes_));
    }
}

TEST_F(ClientBlob, AnEncodingThatWasNotAskedForEndsTheGet) {
    open();
    get(id_);
    blob_connected();
    const auto begin = rig.take<protocol::BlobGet>();
    ASSERT_TRUE(begin);
    EXPECT_EQ(rig.message<protocol::BlobGet>(begin).accepts, 0U) << "the core's default";
    feed(protocol::BlobInfo{begin->frame.header.seq, id_, bytes_.size(), protocol::BlobType::body,
                            "l", protocol::BlobEncoding::zstd, 100});
    const auto done = rig.take_notices<GetDone>();
    ASSERT_EQ(done.size(), 1U);
    ASSERT_FALSE(done[0].result.ok());
    EXPECT_EQ(done[0].result.error().code, ErrorCode::malformed);
}

}  // namespace
}  // namespace scanmq::client
