#include "common/cache/envelope.hpp"

#include <gtest/gtest.h>

#include "tests/fuzz/envelope_check.hpp"
#include "tests/support/corpus.hpp"

namespace scanmq::cache {
namespace {

const ContentId kKey = content_id("key");

EnvelopeError error_of(ByteView bytes, const ContentId& key = kKey) {
    const auto decoded = decode_envelope(key, bytes);
    EXPECT_FALSE(decoded.ok());
    return decoded ? EnvelopeError::other_key : decoded.error();
}

TEST(Envelope, GivesBackWhatWasPutIn) {
    for (const std::string& body : {std::string(), std::string("x"), std::string(100'000, '\0')}) {
        const std::string bytes = encode_envelope(kKey, 1'700'000'000'123, body);
        EXPECT_EQ(bytes.size(), kEnvelopeBytes + body.size());
        const auto decoded = decode_envelope(kKey, bytes);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(decoded->made, 1'700'000'000'123);
        EXPECT_EQ(decoded->body, body);
    }
}

TEST(Envelope, IsTheSameBytesInEveryBuild) {
    const std::string bytes = encode_envelope(ContentId{}, 1, "a");
    EXPECT_EQ(bytes.substr(0, 8), std::string("smqc\x01\0\0\0", 8));
    EXPECT_EQ(bytes.substr(40, 17), std::string("\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0a", 17));
}

TEST(Envelope, SaysWhyNot) {
    const std::string good = encode_envelope(kKey, 5, "body");
    EXPECT_EQ(error_of(""), EnvelopeError::truncated);
    EXPECT_EQ(error_of("smq"), EnvelopeError::truncated);
    EXPECT_EQ(error_of("other"), EnvelopeError::wrong_magic);
    EXPECT_EQ(error_of("x"), EnvelopeError::wrong_magic);
    EXPECT_EQ(error_of(good.substr(0, good.size() - 1)), EnvelopeError::truncated);
    EXPECT_EQ(error_of(good.substr(0, 20)), EnvelopeError::truncated);
    EXPECT_EQ(error_of(good + "x"), EnvelopeError::trailing);
    EXPECT_EQ(error_of(good, content_id("another")), EnvelopeError::other_key);
    std::string of_another_version = good;
    of_another_version[4] = 2;
    EXPECT_EQ(error_of(of_another_version), EnvelopeError::other_format);
    EXPECT_EQ(error_of(std::string("smqc\x02", 5)), EnvelopeError::other_format);
}

// Found by fuzzing: a sealed envelope with something in the reserved bytes was taken for one of ours.
TEST(Envelope, ReservedBytesAreOfAnotherFormat) {
    for (const std::size_t at : {5, 6, 7}) {
        std::string bytes = encode_envelope(kKey, 5, "body");
        bytes[at] = 1;
        EXPECT_EQ(error_of(bytes), EnvelopeError::other_format);
        EXPECT_EQ(error_of(bytes.substr(0, at + 1)), EnvelopeError::other_format);
    }
}

TEST(Envelope, EveryFlippedBitIsFound) {
    const std::string good = encode_envelope(kKey, 5, "some body");
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        std::string bytes = good;
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(decode_envelope(kKey, bytes).ok()) << bit;
    }
}

TEST(Envelope, ErrorsHaveNames) {
    EXPECT_EQ(name_of(EnvelopeError::wrong_magic), "wrong_magic");
    EXPECT_EQ(name_of(EnvelopeError::other_key), "other_key");
}

TEST(FuzzCorpus, EnvelopesKeepTheirPromises) {
    const auto files = testing::corpus_of("envelope");
    for (const auto& file : files) {
        EXPECT_TRUE(tests::envelope_keeps_promises(file.bytes)) << file.name;
    }
    EXPECT_GE(files.size(), 8U);
}

}  // namespace
}  // namespace scanmq::cache
