// The blob socket: puts and gets over real sockets.

#include <gmock/gmock.h>

#include "common/compress/zstd.hpp"
#include "tests/integration/broker/harness.hpp"

namespace scanmq::broker {
namespace {

using protocol::BlobChunk;
using protocol::ErrorCode;
using protocol::kProducer;

class BlobSocket : public testing::Test {
  protected:
    explicit BlobSocket(const ServerOptions& options = {}) : broker(options) {
        main.hello();
        blobs.session = main.session;
    }
    static std::string bytes(std::size_t size) {
        std::string out(size, '\0');
        Rng rng(3);
        for (char& c : out) c = static_cast<char>(rng.next());
        return out;
    }
    void begin(const ContentId& id, std::uint64_t size) {
        blobs.send(protocol::BlobPut{id, size, protocol::BlobType::snapshot, "SPY"});
        put_seq = blobs.seq;
        const auto* ready = blobs.expect<protocol::BlobReady>();
        ASSERT_NE(ready, nullptr);
        have = ready->have;
        limit = ready->limit;
        EXPECT_EQ(ready->re, put_seq);
    }
    // Sends the chunks as credit allows; true: all went out.
    void send_chunks(const ContentId& id, const std::string& data) {
        for (std::size_t offset = 0; offset < data.size();
             offset += protocol::kLimits.chunk_bytes) {
            const ByteView part = ByteView(data).substr(offset, protocol::kLimits.chunk_bytes);
            while (sent.items + 1 > limit.items || sent.bytes + part.size() > limit.bytes) {
                const auto* grant = blobs.expect<protocol::CreditGrant>();
                ASSERT_NE(grant, nullptr);
                ASSERT_EQ(grant->link, protocol::Link::blob_in);
                limit = grant->limit;
            }
            blobs.send(BlobChunk{id, offset, part});
            ++sent.items;
            sent.bytes += part.size();
        }
    }
    // Reads frames, credit aside, until one of the kind comes.
    template <class M>
    const M* after_credit() {
        for (;;) {
            const protocol::Frame* frame = blobs.next();
            if (frame == nullptr) return nullptr;
            if (const M* message = std::get_if<M>(&frame->message)) return message;
            if (!std::holds_alternative<protocol::CreditGrant>(frame->message)) {
                ADD_FAILURE() << to_string(kind_of(frame->message));
                return nullptr;
            }
        }
    }
    std::string get(const ContentId& id, std::uint64_t chunks_ahead) {
        protocol::Credit credit{got.items + chunks_ahead, got.bytes + (chunks_ahead << 16)};
        blobs.send(protocol::BlobGet{id, credit});
        const auto* info = blobs.expect<protocol::BlobInfo>();
        if (info == nullptr) return {};
        const std::uint64_t size = info->size;
        EXPECT_EQ(info->label, "SPY");
        std::string out;
        while (out.size() < size) {
            const auto* chunk = blobs.expect<BlobChunk>();
            if (chunk == nullptr) return out;
            EXPECT_EQ(chunk->offset, out.size());
            out += chunk->bytes;
            ++got.items;
            got.bytes += chunk->bytes.size();
            if (credit.items == got.items && out.size() < size) {
                credit = {got.items + chunks_ahead, got.bytes + (chunks_ahead << 16)};
                blobs.send(protocol::CreditGrant{protocol::Link::blob_out, "", 0, credit});
            }
        }
        return out;
    }

    TestBroker broker;
    transport::Context context;
    Peer main{context, broker.endpoint(), kProducer};
    Peer blobs{context, broker.blob_endpoint(), kProducer};
    protocol::Credit limit;
    protocol::Credit sent;
    protocol::Credit got;
    std::uint64_t put_seq = 0;
    bool have = false;
};

TEST_F(BlobSocket, RoundTripOfManySizes) {
    for (const std::size_t size : {1UL, 65'535UL, 65'536UL, 65'537UL, 5'000'000UL}) {
        const std::string data = bytes(size);
        const ContentId id = content_id(data);
        begin(id, size);
        ASSERT_FALSE(have);
        send_chunks(id, data);
        const auto* stored = after_credit<protocol::BlobStored>();
        ASSERT_NE(stored, nullptr) << size;
        EXPECT_EQ(stored->re, put_seq);
        EXPECT_EQ(stored->size, size);
        EXPECT_TRUE(get(id, 4) == data) << size;
    }
}

TEST_F(BlobSocket, SecondPutOfTheSameIsThereAlready) {
    const std::string data = bytes(100);
    const ContentId id = content_id(data);
    begin(id, data.size());
    send_chunks(id, data);
    ASSERT_NE(after_credit<protocol::BlobStored>(), nullptr);
    begin(id, data.size());
    EXPECT_TRUE(have);
}

TEST_F(BlobSocket, WrongHashIsAMismatchAndLeavesNothing) {
    for (const std::size_t size : {1000UL, 300'000UL}) {
        const std::string data = bytes(size);
        const ContentId id = content_id(data + "x");
        begin(id, size);
        send_chunks(id, data);
        const auto* error = after_credit<protocol::Error>();
        ASSERT_NE(error, nullptr);
        EXPECT_EQ(error->code, ErrorCode::blob_mismatch);
        EXPECT_EQ(error->re, put_seq);
        blobs.send(protocol::BlobGet{id, {1, 1}});
        blobs.expect_error(ErrorCode::unknown_blob);
    }
}

TEST_F(BlobSocket, ChunkOutOfOrderEndsThePutOnce) {
    const std::string data = bytes(200'000);
    const ContentId id = content_id(data);
    begin(id, data.size());
    const std::string chunk = data.substr(0, 65'536);
    blobs.send(BlobChunk{id, 65'536, chunk});
    blobs.send(BlobChunk{id, 131'072, chunk});
    sent = {2, 131'072};
    blobs.expect_error(ErrorCode::bad_chunk);
    begin(id, data.size());
    send_chunks(id, data);
    EXPECT_NE(after_credit<protocol::BlobStored>(), nullptr);
}

TEST_F(BlobSocket, WithoutASessionNothingIsServed) {
    Peer stranger(context, broker.blob_endpoint(), kProducer);
    stranger.send(protocol::BlobGet{});
    stranger.expect_error(ErrorCode::unknown_session);
    stranger.session = protocol::SessionId{main.session.value + 1};
    stranger.send(protocol::BlobGet{});
    stranger.expect_error(ErrorCode::unknown_session);
    stranger.send_bytes("garbage");
    stranger.expect_error(ErrorCode::malformed);
}

TEST_F(BlobSocket, OtherKindsAreUnknownHere) {
    blobs.send(protocol::Query{"broker", ""});
    blobs.expect_error(ErrorCode::unknown_kind);
}

TEST_F(BlobSocket, SnapshotsAreListed) {
    const std::string data = bytes(1234);
    const ContentId id = content_id(data);
    begin(id, data.size());
    send_chunks(id, data);
    ASSERT_NE(after_credit<protocol::BlobStored>(), nullptr);
    main.send(protocol::Query{"snapshots", ""});
    const auto* answer = main.expect<protocol::Answer>();
    ASSERT_NE(answer, nullptr);
    ASSERT_EQ(answer->rows.size(), 1U);
    EXPECT_EQ(answer->rows[0][0].second, protocol::Value(id.hex()));
}

// Encoded blobs: the hash is that of the raw bytes, whoever sends or gets what.
class EncodedBlobs : public BlobSocket {
  protected:
    void put(const ContentId& id, std::uint64_t size, const std::string& frame) {
        blobs.send(protocol::BlobPut{id, size, protocol::BlobType::snapshot, "SPY",
                                     protocol::BlobEncoding::zstd, frame.size()});
        put_seq = blobs.seq;
        const auto* ready = blobs.expect<protocol::BlobReady>();
        ASSERT_NE(ready, nullptr);
        limit = ready->limit;
        send_chunks(id, frame);
    }
    std::string get_frame(const ContentId& id, std::uint64_t size) {
        blobs.send(protocol::BlobGet{
            id, {got.items + 1000, got.bytes + (1000U << 16)}, protocol::kTakesZstd});
        const auto* info = blobs.expect<protocol::BlobInfo>();
        if (info == nullptr) return {};
        EXPECT_EQ(info->size, size);
        EXPECT_EQ(info->encoding, protocol::BlobEncoding::zstd);
        const std::uint64_t stored = info->stored_size;
        std::string out;
        while (out.size() < stored) {
            const auto* chunk = blobs.expect<BlobChunk>();
            if (chunk == nullptr) return out;
            out += chunk->bytes;
            ++got.items;
            got.bytes += chunk->bytes.size();
        }
        return out;
    }
    static std::string half_noise(std::size_t size) {
        return bytes(size / 2) + std::string(size - size / 2, 'h');
    }
};

TEST_F(EncodedBlobs, ComeBackAsTheyWerePutOrRaw) {
    for (const std::size_t size : {10'000UL, 1'000'000UL, 5'000'000UL}) {
        const std::string data = half_noise(size);
        const ContentId id = content_id(data);
        const auto frame = compress::zstd_if_it_pays(data);
        ASSERT_TRUE(frame);
        put(id, size, *frame);
        const auto* stored = after_credit<protocol::BlobStored>();
        ASSERT_NE(stored, nullptr) << size;
        EXPECT_EQ(stored->size, size);
        EXPECT_TRUE(get_frame(id, size) == *frame);
        EXPECT_TRUE(get(id, 100) == data) << "for a peer that knows of no encodings";
    }
    main.send(protocol::Query{"snapshots", ""});
    const auto* answer = main.expect<protocol::Answer>();
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(answer->rows.size(), 3U);
    EXPECT_EQ(main.counter("blob_gets_decoded"), 3U);
    EXPECT_EQ(main.counter("blob_memory_bytes"), main.counter("blob_bytes_held"))
        << "nothing decoded is left";
    EXPECT_GT(main.counter("blob_raw_bytes"), main.counter("blob_bytes_held"));
}

TEST_F(EncodedBlobs, WhatDoesNotDecodeToItsSizeAndHashIsAMismatch) {
    const std::string data = half_noise(200'000);
    const ContentId id = content_id(data);
    const std::string frame = *compress::zstd_if_it_pays(data);
    const std::string bomb = *compress::zstd_if_it_pays(std::string(60'000'000, 'b'));
    const std::pair<std::uint64_t, std::string> bad[] = {
        {data.size(), bomb},            // gives more than it says
        {data.size() + 1, frame},       // less
        {data.size(), frame + "x"},     // has more behind it
        {data.size(), bytes(100'000)},  // is none
        {data.size(), *compress::zstd_if_it_pays(std::string(200'000, 'x'))}};  // another's
    for (const auto& [size, sent_bytes] : bad) {
        put(id, size, sent_bytes);
        const auto* error = after_credit<protocol::Error>();
        ASSERT_NE(error, nullptr);
        EXPECT_EQ(error->code, ErrorCode::blob_mismatch);
        EXPECT_EQ(error->re, put_seq);
    }
    put(id, data.size(), frame);
    ASSERT_NE(after_credit<protocol::BlobStored>(), nullptr) << "the right one still may come";
}

// A store for two blobs of 100,000 bytes, without grace.
class FullBlobStore : public BlobSocket {
  protected:
    FullBlobStore() : BlobSocket(small()) {}
    static ServerOptions small() {
        ServerOptions options;
        options.blobs.bytes_max = 250'000;
        options.blobs.grace = {};
        return options;
    }
    ContentId put(char name) {
        const std::string data = bytes(99'999) + name;
        const ContentId id = content_id(data);
        begin(id, data.size());
        if (have) return id;
        send_chunks(id, data);
        EXPECT_NE(after_credit<protocol::BlobStored>(), nullptr);
        return id;
    }
    void alias(const std::string& name, const ContentId& id) {
        main.send(protocol::AliasSet{name, id});
        EXPECT_NE(main.expect<protocol::Ok>(), nullptr);
    }
};

TEST_F(FullBlobStore, SaysSoWhenAllIsPinnedAndTakesMoreWhenAPinGoes) {
    const ContentId first = put('a');
    const ContentId second = put('b');
    alias("A", first);
    alias("B", second);
    const std::string data = bytes(99'999) + 'c';
    blobs.send(
        protocol::BlobPut{content_id(data), data.size(), protocol::BlobType::snapshot, "SPY"});
    const protocol::Error error = blobs.expect_error(ErrorCode::snapshots_full);
    EXPECT_THAT(error.sentence, testing::HasSubstr("snapshot_bytes_max"));
    EXPECT_EQ(main.counter("blob_puts_full"), 1U);
    alias("B", first);
    put('c');
    EXPECT_FALSE(have);
    blobs.send(protocol::BlobGet{second, {1, 1}});
    blobs.expect_error(ErrorCode::unknown_blob);
    put('a');
    EXPECT_TRUE(have) << "what is pinned stayed";
}

}  // namespace
}  // namespace scanmq::broker
