#include <gtest/gtest.h>

#include <msgpack.hpp>

#include "common/protocol/codec.hpp"
#include "tests/support/frames.hpp"

namespace scanmq::protocol {
namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;

// Packs an envelope of `fields` more elements, then whatever `body` packs.
template <class Body>
std::string frame(Kind kind, std::uint32_t fields, Body body, std::uint64_t version = 1) {
    msgpack::sbuffer buffer;
    Packer packer(buffer);
    packer.pack_array(5 + fields);
    packer.pack_uint64(version);
    packer.pack_uint64(static_cast<std::uint64_t>(kind));
    packer.pack_uint64(1);
    packer.pack_uint64(77);
    packer.pack_uint64(3);
    body(packer);
    return {buffer.data(), buffer.size()};
}

DecodeError refusal(ByteView bytes, const Limits& limits = kLimits) {
    Decoder decoder(limits);
    auto result = decoder.decode(bytes);
    if (result.ok()) {
        ADD_FAILURE() << "accepted " << to_hex(bytes.substr(0, 64));
        return {};
    }
    EXPECT_FALSE(result.error().sentence.empty());
    return result.error();
}

std::string ok_frame() {
    return frame(Kind::ok, 1, [](Packer& p) { p.pack_uint64(9); });
}

TEST(DecoderRefusals, TrailingBytes) {
    EXPECT_EQ(refusal(ok_frame() + '\0').code, ErrorCode::malformed);
}

TEST(DecoderRefusals, EveryTruncationOfEveryKind) {
    for (const Message& message : tests::one_of_each_kind()) {
        std::string bytes;
        encode({kProducer, SessionId{5}, 1}, message, bytes);
        Decoder decoder;
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            auto result = decoder.decode(ByteView(bytes).substr(0, size));
            ASSERT_FALSE(result.ok()) << to_string(kind_of(message)) << " cut to " << size;
            EXPECT_EQ(result.error().code, ErrorCode::malformed);
        }
    }
}

TEST(DecoderRefusals, OversizedFrame) {
    const std::string bytes(kLimits.frame_bytes_max + 1, '\0');
    EXPECT_EQ(refusal(bytes).code, ErrorCode::frame_too_large);
}

TEST(DecoderRefusals, WrongVersionIsToldWithTheHeader) {
    const auto error = refusal(frame(
        Kind::ok, 1, [](Packer& p) { p.pack_uint64(9); }, 2));
    EXPECT_EQ(error.code, ErrorCode::unsupported_version);
}

TEST(DecoderRefusals, UnknownKindCarriesHeaderForTheAnswer) {
    const auto error = refusal(frame(static_cast<Kind>(99), 0, [](Packer&) {}));
    EXPECT_EQ(error.code, ErrorCode::unknown_kind);
    EXPECT_EQ(error.header.session.value, 77U);
    EXPECT_EQ(error.header.seq, 3U);
}

TEST(DecoderRefusals, WrongTypeNamesTheField) {
    const auto error = refusal(frame(Kind::ok, 1, [](Packer& p) { p.pack(std::string("nine")); }));
    EXPECT_EQ(error.code, ErrorCode::malformed);
    EXPECT_NE(error.sentence.find("re "), std::string::npos) << error.sentence;
}

TEST(DecoderRefusals, MissingFieldNamesTheField) {
    const auto error = refusal(frame(Kind::want, 1, [](Packer& p) { p.pack(std::string("q")); }));
    EXPECT_NE(error.sentence.find("sent is missing"), std::string::npos) << error.sentence;
}

TEST(DecoderRefusals, ItemErrorNamesItsIndex) {
    const auto bytes = frame(Kind::heartbeat, 3, [](Packer& p) {
        p.pack_uint64(1);
        p.pack_uint64(2);
        p.pack_array(2);
        for (int i = 0; i < 2; ++i) {
            p.pack_array(2);
            p.pack_uint64(1);
            i == 0 ? p.pack_uint64(1) : p.pack_nil();
        }
    });
    EXPECT_NE(refusal(bytes).sentence.find("item 1: counter"), std::string::npos);
}

TEST(DecoderRefusals, RepeatedMapKey) {
    const auto bytes = frame(Kind::queue_create, 2, [](Packer& p) {
        p.pack(std::string("q"));
        p.pack_map(2);
        for (int i = 0; i < 2; ++i) {
            p.pack(std::string("max_jobs"));
            p.pack_uint64(1);
        }
    });
    EXPECT_NE(refusal(bytes).sentence.find("repeated key"), std::string::npos);
}

TEST(DecoderRefusals, RepeatedKeyInASkippedElement) {
    const auto bytes = frame(Kind::ok, 2, [](Packer& p) {
        p.pack_uint64(9);
        p.pack_map(2);
        for (int i = 0; i < 2; ++i) {
            p.pack_uint64(4);
            p.pack_map(1);
            p.pack_uint64(4);
            p.pack_nil();
        }
    });
    EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, ContainerAsMapKey) {
    const auto bytes = frame(Kind::ok, 2, [](Packer& p) {
        p.pack_uint64(9);
        p.pack_map(1);
        p.pack_array(0);
        p.pack_nil();
    });
    EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, NanAndInfinityAnywhere) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        const auto bytes = frame(Kind::ok, 2, [&](Packer& p) {
            p.pack_uint64(9);
            p.pack_double(bad);
        });
        EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed);
    }
}

TEST(DecoderRefusals, ExtType) {
    const auto bytes = frame(Kind::ok, 2, [](Packer& p) {
        p.pack_uint64(9);
        p.pack_ext(1, 1);
        p.pack_ext_body("x", 1);
    });
    EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, CountBeyondTheBytesIsRefusedBeforeAllocating) {
    const std::string bomb("\xdd\xff\xff\xff\xff", 5);  // array of 2^32-1
    EXPECT_EQ(refusal(bomb).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, ElementBudgetIsForTheWholeFrame) {
    Limits limits;
    limits.elements_max = 64;
    const auto bytes = frame(Kind::ok, 3, [](Packer& p) {
        p.pack_uint64(9);
        for (int i = 0; i < 2; ++i) {
            p.pack_array(30);
            for (int k = 0; k < 30; ++k) p.pack_uint64(1);
        }
    });
    EXPECT_EQ(refusal(bytes, limits).code, ErrorCode::over_limit);
    limits.elements_max = 80;
    Decoder decoder(limits);
    EXPECT_TRUE(decoder.decode(bytes).ok());
}

TEST(DecoderRefusals, Nesting) {
    const auto bytes = frame(Kind::ok, 2, [](Packer& p) {
        p.pack_uint64(9);
        for (std::uint32_t i = 0; i < kLimits.depth_max; ++i) p.pack_array(1);
        p.pack_nil();
    });
    EXPECT_EQ(refusal(bytes).code, ErrorCode::over_limit);
}

TEST(DecoderRefusals, TooManyMapKeys) {
    const auto bytes = frame(Kind::ok, 2, [](Packer& p) {
        p.pack_uint64(9);
        p.pack_map(kLimits.map_keys_max + 1);
        for (std::uint32_t i = 0; i <= kLimits.map_keys_max; ++i) {
            p.pack_uint64(i);
            p.pack_nil();
        }
    });
    EXPECT_EQ(refusal(bytes).code, ErrorCode::over_limit);
}

TEST(DecoderRefusals, TooManyItems) {
    const auto bytes = frame(Kind::heartbeat, 3, [](Packer& p) {
        p.pack_uint64(1);
        p.pack_uint64(2);
        p.pack_array(kLimits.items_per_frame_max + 1);
        for (std::uint32_t i = 0; i <= kLimits.items_per_frame_max; ++i) {
            p.pack_array(2);
            p.pack_uint64(1);
            p.pack_uint64(i);
        }
    });
    const auto error = refusal(bytes);
    EXPECT_EQ(error.code, ErrorCode::over_limit);
    EXPECT_NE(error.sentence.find("items_per_frame_max"), std::string::npos);
}

TEST(DecoderRefusals, InlineBodyOverItsLimit) {
    const std::string body(kLimits.inline_bytes_max + 1, 'x');
    Done done;
    done.outcomes.push_back({1, AttemptOutcome::done, {body, 0}, ErrorCode::none, {}});
    std::string bytes;
    encode({kWorker, SessionId{5}, 1}, Message(std::move(done)), bytes);
    const auto error = refusal(bytes);
    EXPECT_EQ(error.code, ErrorCode::over_limit);
    EXPECT_NE(error.sentence.find("inline_bytes_max"), std::string::npos);
}

TEST(DecoderRefusals, AStandingScansFieldsHaveTheLimitsOfAJobs) {
    const auto with = [](const auto& change) {
        StandingSet set{"desk", "q", "desk", {"payload", 0}, {"SPY@latest"}, 0, {}};
        change(set);
        std::string bytes;
        encode({kProducer, SessionId{5}, 1}, Message(std::move(set)), bytes);
        return refusal(bytes);
    };
    const auto many = with(
        [](StandingSet& set) { set.aliases.assign(kLimits.inputs_per_job_max + 1, "SPY@latest"); });
    EXPECT_EQ(many.code, ErrorCode::over_limit);
    EXPECT_NE(many.sentence.find("inputs_per_job_max"), std::string::npos) << many.sentence;
    const std::string body(kLimits.inline_bytes_max + 1, 'x');
    EXPECT_EQ(with([&](StandingSet& set) { set.payload.bytes = body; }).code,
              ErrorCode::over_limit);
    EXPECT_EQ(with([](StandingSet& set) { set.name.assign(129, 'x'); }).code,
              ErrorCode::over_limit);
    EXPECT_EQ(with([](StandingSet& set) { set.aliases = {"a\nb"}; }).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, EnumerationOutsideItsValues) {
    Done done;
    done.outcomes.push_back(
        {1, AttemptOutcome::lost, {}, ErrorCode::none, {}});  // the broker's word only
    std::string bytes;
    encode({kWorker, SessionId{5}, 1}, Message(std::move(done)), bytes);
    EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, TextMustBePrintableUtf8) {
    for (const std::string& bad : {std::string("a\xff"), std::string("\xc0\xaf"),
                                   std::string("a\x1b[2J"), std::string("\xed\xa0\x80")}) {
        const auto bytes = frame(Kind::reclaim, 1, [&](Packer& p) { p.pack(bad); });
        EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed) << to_hex(bad);
    }
    Decoder decoder;
    EXPECT_TRUE(
        decoder.decode(frame(Kind::reclaim, 1, [](Packer& p) { p.pack(std::string("köln ✓")); }))
            .ok());
}

TEST(DecoderRefusals, IdsHaveTheirSize) {
    const auto bytes = frame(Kind::group_open, 2, [](Packer& p) {
        p.pack(std::string("q"));
        p.pack_bin(15);
        p.pack_bin_body("123456789012345", 15);
    });
    EXPECT_EQ(refusal(bytes).code, ErrorCode::malformed);
}

TEST(DecoderRefusals, AFingerprintIsABinOf32Bytes) {
    const auto with = [](auto pack) {
        return frame(Kind::deliver, 3, [&](Packer& p) {
            p.pack_uint64(1);
            p.pack(std::string("q"));
            p.pack_array(1);
            p.pack_array(6);
            p.pack_uint64(7);
            p.pack_bin(16);
            p.pack_bin_body("0123456789abcdef", 16);
            p.pack(std::string("S"));
            p.pack_bin(0);
            p.pack_bin(0);
            p.pack_map(1);
            p.pack_uint64(10);
            pack(p);
        });
    };
    const auto bin = [&](std::uint32_t size) {
        return with([size](Packer& p) {
            p.pack_bin(size);
            p.pack_bin_body(std::string(size, 'f').data(), size);
        });
    };
    Decoder decoder;
    const std::string good = bin(32);
    const auto decoded = decoder.decode(good);
    ASSERT_TRUE(decoded.ok()) << decoded.error().sentence;
    EXPECT_EQ(std::get<Deliver>(decoded->message).attempts[0].fingerprint, std::string(32, 'f'));
    for (const std::uint32_t size : {0U, 31U}) {
        const auto error = refusal(bin(size));
        EXPECT_EQ(error.code, ErrorCode::malformed);
        EXPECT_NE(error.sentence.find("fingerprint"), std::string::npos);
    }
    EXPECT_EQ(refusal(bin(33)).code, ErrorCode::over_limit);
    const auto text = with([](Packer& p) { p.pack(std::string(32, 'f')); });
    EXPECT_EQ(refusal(text).code, ErrorCode::malformed);
}

TEST(DecoderAccepts, MoreElementsThanItKnows) {
    const auto bytes = frame(Kind::heartbeat, 6, [](Packer& p) {
        p.pack_uint64(1);
        p.pack_uint64(2);
        p.pack_array(1);
        p.pack_array(3);
        p.pack_uint64(1);
        p.pack_uint64(5);
        p.pack(std::string("later"));
        p.pack_map(2);
        p.pack(std::string("later"));
        p.pack_double(1.5);
        p.pack(std::string("hits"));
        p.pack_uint64(7);
        p.pack_map(1);
        p.pack_uint64(1);
        p.pack_double(1.5);
        p.pack_nil();
    });
    Decoder decoder;
    auto result = decoder.decode(bytes);
    ASSERT_TRUE(result.ok()) << result.error().sentence;
    EXPECT_EQ(std::get<Heartbeat>(result->message).running.at(0).counter, 5U);
    ASSERT_TRUE(std::get<Heartbeat>(result->message).cache);
    EXPECT_EQ(std::get<Heartbeat>(result->message).cache->hits, 7U);
}

TEST(DecoderAccepts, UnknownJobOptionIsReportedNotIgnored) {
    const auto bytes = frame(Kind::submit, 4, [](Packer& p) {
        p.pack(std::string("q"));
        for (int i = 0; i < 1; ++i) {
            p.pack_bin(16);
            p.pack_bin_body("0123456789abcdef", 16);
        }
        p.pack_uint64(0);
        p.pack_array(1);
        p.pack_array(5);
        p.pack_bin(16);
        p.pack_bin_body("0123456789abcdef", 16);
        p.pack(std::string("s"));
        p.pack_bin(0);
        p.pack_bin(0);
        p.pack_map(1);
        p.pack_uint64(42);
        p.pack_array(1);
        p.pack_nil();
    });
    Decoder decoder;
    auto result = decoder.decode(bytes);
    ASSERT_TRUE(result.ok()) << result.error().sentence;
    const auto& job = std::get<Submit>(result->message).jobs.at(0);
    ASSERT_TRUE(job.options);
    EXPECT_EQ(job.options->unknown_key, 42U);
}

}  // namespace
}  // namespace scanmq::protocol
