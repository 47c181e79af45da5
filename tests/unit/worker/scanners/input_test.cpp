#include "worker/scanners/input.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <stdexcept>
#include <thread>
#include <vector>

namespace scanmq::worker {
namespace {

ContentId id_of(std::uint8_t n) {
    ContentId id;
    id.bytes[0] = n;
    return id;
}

Decoded decoded_of(std::uint64_t bytes) { return {std::make_shared<const int>(1), bytes, {}}; }

TEST(Input, EightThreadsDecodeOnce) {
    Input input(id_of(1));
    input.fill("bytes");
    std::atomic<int> decodes{0};
    const auto decode = [&](ByteView bytes) {
        ++decodes;
        EXPECT_EQ(bytes, "bytes");
        return Decoded{std::make_shared<const int>(42), 4, {}};
    };
    std::vector<const void*> seen(8);
    std::latch ready(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        threads.emplace_back([&, i] {
            ready.arrive_and_wait();
            seen[i] = input.decoded(decode).object.get();
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(decodes.load(), 1);
    for (const void* object : seen) EXPECT_EQ(object, seen[0]);
    EXPECT_EQ(*static_cast<const int*>(seen[0]), 42);
}

TEST(Input, DecodeThatThrowsIsTriedAgain) {
    Input input(id_of(1));
    input.fill("bytes");
    EXPECT_THROW(
        static_cast<void>(input.decoded([](ByteView) -> Decoded { throw std::bad_alloc(); })),
        std::bad_alloc);
    EXPECT_NE(input.decoded([](ByteView bytes) { return decoded_of(bytes.size()); }).object,
              nullptr);
}

TEST(InputCache, ADecodeThatTookTheBytesAndThrewBeginsAnew) {
    InputCache cache(1000);
    const auto first = cache.get(id_of(1));
    first->fill("bytes");
    const auto take = [](std::string& bytes) -> Decoded {
        std::string().swap(bytes);
        throw std::bad_alloc();
    };
    EXPECT_THROW(static_cast<void>(first->decoded(take)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(first->decoded(take)), std::runtime_error) << "for who has it";
    const auto second = cache.get(id_of(1));
    EXPECT_NE(second, first);
    EXPECT_FALSE(second->filled());
    EXPECT_EQ(cache.decodes(), 0U);
    second->fill("bytes");
    static_cast<void>(second->decoded([](std::string&) { return decoded_of(1); }));
    static_cast<void>(second->decoded([](std::string&) { return decoded_of(1); }));
    EXPECT_EQ(cache.decodes(), 1U);
}

TEST(Input, LetsGoOfItsBytesOnceDecoded) {
    Input input(id_of(1));
    input.fill(std::string(100'000, 'x'));
    EXPECT_GE(input.memory(), 100'000U);
    static_cast<void>(input.decoded([](ByteView) { return decoded_of(10); }));
    EXPECT_LT(input.memory(), 100U);
}

TEST(InputCache, SameIdIsTheSameInput) {
    InputCache cache(1000);
    const auto first = cache.get(id_of(1));
    EXPECT_EQ(cache.get(id_of(1)), first);
    EXPECT_NE(cache.get(id_of(2)), first);
    EXPECT_EQ(cache.hits(), 1U);
    EXPECT_EQ(cache.misses(), 2U);
}

TEST(InputCache, DropsWhatWasUsedLongestAgo) {
    InputCache cache(250);
    for (std::uint8_t n = 1; n <= 3; ++n) {
        const auto input = cache.get(id_of(n));
        input->fill("b");
        static_cast<void>(input->decoded([](ByteView) { return decoded_of(100); }));
        if (n == 2) static_cast<void>(cache.get(id_of(1)));
    }
    static_cast<void>(cache.get(id_of(4)));  // 300 bytes are too many: 2 goes
    EXPECT_EQ(cache.count(), 3U);
    EXPECT_TRUE(cache.get(id_of(1))->filled());
    EXPECT_TRUE(cache.get(id_of(3))->filled());
    EXPECT_FALSE(cache.get(id_of(2))->filled());
}

TEST(InputCache, DroppedInputStaysWithItsScan) {
    InputCache cache(0);
    const auto held = cache.get(id_of(1));
    held->fill("bytes");
    static_cast<void>(cache.get(id_of(2)));
    EXPECT_EQ(cache.count(), 1U);
    EXPECT_EQ(held->decoded([](ByteView bytes) { return decoded_of(bytes.size()); }).bytes, 5U);
}

TEST(InputCache, ForgottenInputBeginsAnew) {
    InputCache cache(1000);
    const auto first = cache.get(id_of(1));
    cache.forget(id_of(1));
    cache.forget(id_of(9));
    EXPECT_NE(cache.get(id_of(1)), first);
}

}  // namespace
}  // namespace scanmq::worker
