#include "client/cli/bench_payload.hpp"

#include <gtest/gtest.h>

namespace scanmq::cli {
namespace {

constexpr JobStamp kStamp{
    .run = 77, .producer = 2, .warm_up = 0, .id = 123'456, .due_ns = 987'654'321};

TEST(BenchPayload, RoundTrips) {
    for (const std::size_t bytes :
         {kStampBytes, kStampBytes + 1, std::size_t{200}, std::size_t{4096}}) {
        std::string payload;
        write_payload(kStamp, bytes, payload);
        ASSERT_EQ(payload.size(), bytes);
        const auto read = read_payload(payload, bytes, 77);
        ASSERT_TRUE(read) << bytes;
        EXPECT_EQ(read->id, kStamp.id);
        EXPECT_EQ(read->producer, kStamp.producer);
        EXPECT_EQ(read->due_ns, kStamp.due_ns);
    }
}

TEST(BenchPayload, RefusesWhatIsNotOfTheRun) {
    std::string payload;
    write_payload(kStamp, 200, payload);
    EXPECT_FALSE(read_payload(payload, 200, 78));
    EXPECT_FALSE(read_payload(ByteView(payload).substr(0, 199), 200, 77));
    EXPECT_FALSE(read_payload("", 0, 77));
    payload[20] = static_cast<char>(payload[20] ^ 1);
    EXPECT_FALSE(read_payload(payload, 200, 77));
}

TEST(BenchPayload, NeighboursDifferInTheirTails) {
    std::string a;
    std::string b;
    JobStamp next = kStamp;
    ++next.id;
    write_payload(kStamp, 200, a);
    write_payload(next, 200, b);
    EXPECT_NE(a.substr(kStampBytes), b.substr(kStampBytes));
}

TEST(SeenIds, CountsLostAndDuplicates) {
    SeenIds seen;
    for (std::uint64_t id = 0; id < 1000; ++id) {
        if (id % 10 == 3) continue;
        EXPECT_TRUE(seen.insert(id));
    }
    EXPECT_FALSE(seen.insert(999));
    EXPECT_FALSE(seen.insert(0));
    EXPECT_EQ(seen.count(), 900U);
    EXPECT_EQ(seen.missing(1000), 100U);
    EXPECT_EQ(seen.missing(4), 1U);
    EXPECT_EQ(seen.missing(3), 0U);
    EXPECT_EQ(seen.missing(2000), 1100U);
    EXPECT_EQ(seen.missing(0), 0U);
    EXPECT_TRUE(seen.insert(5'000'000));
    EXPECT_EQ(seen.missing(1000), 100U);
}

}  // namespace
}  // namespace scanmq::cli
