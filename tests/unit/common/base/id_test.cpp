#include "common/base/id.hpp"

#include <gtest/gtest.h>

#include <set>

namespace scanmq {
namespace {

TEST(ContentId, IsBlake2b256) {
    // BLAKE2b-256 of "" and of "abc" (b2sum -l 256).
    EXPECT_EQ(content_id("").hex(),
              "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
    EXPECT_EQ(content_id("abc").hex(),
              "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(UuidV7, CarriesTimeVersionAndVariant) {
    UuidV7 ids(1);
    const Id128 id = ids.next(0x0123456789abLL);
    EXPECT_EQ(id.hex().substr(0, 12), "0123456789ab");
    EXPECT_EQ(id.bytes[6] >> 4, 7);
    EXPECT_EQ(id.bytes[8] >> 6, 2);
}

TEST(UuidV7, RisesWithinAMillisecondAndWhenTheClockGoesBack) {
    UuidV7 ids(1);
    Id128 last = ids.next(1000);
    for (int i = 0; i < 10'000; ++i) {
        const Id128 next = ids.next(1000 - i % 7);
        ASSERT_LT(last.view().substr(0, 8), next.view().substr(0, 8));
        last = next;
    }
}

TEST(FixedBytes, HexRoundTripAndRefusals) {
    const auto id = Id128::parse_hex("000102030405060708090a0b0c0d0e0f");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->hex(), "000102030405060708090a0b0c0d0e0f");
    EXPECT_FALSE(Id128::parse_hex("00"));
    EXPECT_FALSE(Id128::parse_hex("zz0102030405060708090a0b0c0d0e0f"));
    EXPECT_FALSE(Id128::from_bytes("short"));
}

}  // namespace
}  // namespace scanmq
