#include "broker/store/body_store.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "common/base/id.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

protocol::Body bytes(const std::string& text) { return {text, 0}; }

TEST(BodyStore, GivesBackWhatWasPut) {
    BodyStore store;
    const BodyHandle one = store.put(bytes("one"));
    const BodyHandle two = store.put(bytes(std::string(200, 'x')));
    EXPECT_NE(one.value, 0U);
    EXPECT_NE(one, two);
    EXPECT_EQ(store.view(one).bytes, "one");
    EXPECT_EQ(store.view(two).bytes, std::string(200, 'x'));
    EXPECT_EQ(store.count(), 2U);
    EXPECT_EQ(store.bytes(), 203U);
    store.release(one);
    store.release(two);
    EXPECT_EQ(store.count(), 0U);
    EXPECT_EQ(store.bytes(), 0U);
}

TEST(BodyStore, AnEmptyBodyNeedsNoPlace) {
    BodyStore store;
    const BodyHandle none = store.put({});
    EXPECT_EQ(none.value, 0U);
    EXPECT_TRUE(store.view(none).bytes.empty());
    store.release(none);
    EXPECT_EQ(store.count(), 0U);
}

TEST(BodyStore, KeepsABlobReferenceAsOne) {
    BodyStore store;
    const ContentId id = content_id("bytes elsewhere");
    const BodyHandle handle = store.put({id.view(), 50'000'000});
    const protocol::Body body = store.view(handle);
    EXPECT_TRUE(body.is_blob());
    EXPECT_EQ(body.blob_size, 50'000'000U);
    EXPECT_EQ(body.bytes, id.view());
}

TEST(BodyStore, HoldsBodiesOfEverySize) {
    BodyStore store;
    std::vector<BodyHandle> handles;
    std::vector<std::size_t> sizes;
    for (std::size_t size = 1; size <= 300'000; size += std::max<std::size_t>(1, size / 40)) {
        handles.push_back(store.put(bytes(std::string(size, static_cast<char>('a' + size % 26)))));
        sizes.push_back(size);
    }
    for (std::size_t i = 0; i < handles.size(); ++i) {
        EXPECT_EQ(store.view(handles[i]).bytes,
                  std::string(sizes[i], static_cast<char>('a' + sizes[i] % 26)));
    }
    for (const BodyHandle handle : handles) store.release(handle);
    EXPECT_EQ(store.bytes(), 0U);
}

TEST(BodyStore, AMillionSmallBodiesCostLittleMoreThanTheirBytes) {
    BodyStore store;
    constexpr std::uint64_t kBodies = 1'000'000;
    const std::string body(200, 'p');
    for (std::uint64_t i = 0; i < kBodies; ++i) ASSERT_NE(store.put(bytes(body)).value, 0U);
    EXPECT_LE(store.memory(), kBodies * (200 + 24));
}

TEST(BodyStore, MemoryGoesBackWhenBodiesAreReleased) {
    BodyStore store;
    std::vector<BodyHandle> handles;
    for (int i = 0; i < 100'000; ++i) handles.push_back(store.put(bytes(std::string(300, 'p'))));
    const std::uint64_t full = store.memory();
    for (const BodyHandle handle : handles) store.release(handle);
    EXPECT_GT(full, 30'000'000U);
    EXPECT_LE(store.memory(), 4U << 20) << "but what is kept warm";
}

// Random puts and releases against a model that keeps copies.
TEST(BodyStore, AgreesWithAModel) {
    Rng rng(7);
    BodyStore store;
    std::map<std::uint32_t, std::string> model;
    std::vector<std::uint32_t> live;
    std::uint64_t sum = 0;
    for (int step = 0; step < 200'000; ++step) {
        const bool growing = (step / 20'000) % 2 == 0;
        if (live.empty() || rng.below(100) < (growing ? 70U : 30U)) {
            const std::size_t size =
                rng.below(100) == 0 ? rng.below(40'000) + 1 : rng.below(700) + 1;
            std::string body(size, '\0');
            for (std::size_t i = 0; i < size; i += 7) body[i] = static_cast<char>(rng.next());
            const BodyHandle handle = store.put(bytes(body));
            ASSERT_TRUE(model.emplace(handle.value, std::move(body)).second) << "handle in use";
            live.push_back(handle.value);
            sum += size;
        } else {
            const std::size_t which = rng.below(live.size());
            const BodyHandle handle{live[which]};
            const auto found = model.find(handle.value);
            ASSERT_EQ(store.view(handle).bytes, found->second);
            sum -= found->second.size();
            store.release(handle);
            model.erase(found);
            live[which] = live.back();
            live.pop_back();
        }
        ASSERT_EQ(store.bytes(), sum);
    }
    EXPECT_EQ(store.count(), model.size());
}

TEST(BodyStoreDeathTest, ReleasingTwiceIsOurMistake) {
    BodyStore store;
    const BodyHandle handle = store.put(bytes("x"));
    const BodyHandle other = store.put(bytes("y"));
    store.release(handle);
    EXPECT_DEATH(store.release(handle), "assertion failed");
    store.release(other);
}

}  // namespace
}  // namespace scanmq::broker
