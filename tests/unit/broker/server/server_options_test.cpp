#include "broker/server/server_options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::broker {
namespace {

using testing::HasSubstr;

TEST(ServerOptions, LoopbackIsWhatOnlyThisMachineReaches) {
    for (const char* endpoint :
         {"tcp://127.0.0.1:5701", "tcp://127.8.9.1:1", "tcp://localhost:5701", "tcp://[::1]:5701",
          "ipc:///tmp/x", "tcp://lo:5701"}) {
        EXPECT_TRUE(is_loopback(endpoint)) << endpoint;
    }
    for (const char* endpoint :
         {"tcp://0.0.0.0:5701", "tcp://*:5701", "tcp://10.0.0.1:5701", "tcp://[::]:5701",
          "tcp://eth0:5701", "tcp://localhost.evil.org:1", "127.0.0.1:5701", "", "tcp://"}) {
        EXPECT_FALSE(is_loopback(endpoint)) << endpoint;
    }
}

TEST(ServerOptions, BlobSocketListensOnTheNextPort) {
    EXPECT_EQ(next_port("tcp://127.0.0.1:5701"), "tcp://127.0.0.1:5702");
    EXPECT_EQ(next_port("tcp://[::1]:9"), "tcp://[::1]:10");
    EXPECT_EQ(next_port("tcp://127.0.0.1:0"), "tcp://127.0.0.1:0") << "any free port";
    EXPECT_EQ(next_port("ipc:///tmp/x"), "");
    EXPECT_EQ(next_port("tcp://127.0.0.1:65535"), "");
    EXPECT_EQ(next_port("tcp://127.0.0.1:57x1"), "");
}

TEST(ServerOptions, QueueSpecsCarrySettings) {
    const auto plain = parse_queue("scans");
    ASSERT_TRUE(plain.ok());
    EXPECT_EQ(plain->name, "scans");
    EXPECT_TRUE(plain->settings.empty());
    const auto set = parse_queue("scans,pure=1,max_bytes=64MiB");
    ASSERT_TRUE(set.ok());
    const protocol::Settings expected = {{"pure", 1}, {"max_bytes", 64U << 20}};
    EXPECT_EQ(set->settings, expected);
}

TEST(ServerOptions, WrongQueueSpecsNameWhatIsWrong) {
    const auto error = [](const char* text) {
        const auto spec = parse_queue(text);
        return spec.ok() ? std::string("accepted") : spec.error().sentence;
    };
    EXPECT_THAT(error("no spaces"), HasSubstr("letters, digits"));
    EXPECT_THAT(error(""), HasSubstr("letters, digits"));
    EXPECT_THAT(error("scans,pure"), HasSubstr("\"pure\" is not setting=value"));
    EXPECT_THAT(error("scans,pure=maybe"), HasSubstr("pure: \"maybe\""));
    EXPECT_THAT(error("scans,purr=1"), HasSubstr("purr"));
    EXPECT_THAT(error("scans,pure=2"), HasSubstr("pure"));
}

TEST(ServerOptions, DefaultsAreInOrder) { EXPECT_TRUE(check(ServerOptions{}).ok()); }

TEST(ServerOptions, DeadAfterLeavesRoomForALateHeartbeat) {
    ServerOptions options;
    options.core.heartbeat = std::chrono::seconds(5);
    const auto checked = check(options);
    ASSERT_FALSE(checked.ok());
    EXPECT_THAT(checked.error().sentence, HasSubstr("--dead-after"));
}

TEST(ServerOptions, CommandLineReachesTheCore) {
    ServerOptions settings;
    config::Options options("scanmq-broker", "test");
    declare(options, settings);
    const std::vector<std::string> arguments = {"--listen",
                                                "tcp://127.0.0.1:0",
                                                "--queue",
                                                "scans,pure=1",
                                                "--queue",
                                                "other",
                                                "--sessions-max",
                                                "7",
                                                "--group-ttl",
                                                "1h",
                                                "--snapshot-bytes-max",
                                                "2GiB",
                                                "--blob-grace",
                                                "5s"};
    const auto parsed = options.parse(arguments, {});
    ASSERT_TRUE(parsed.ok()) << parsed.error().sentence;
    EXPECT_EQ(settings.queues, (std::vector<std::string>{"scans,pure=1", "other"}));
    EXPECT_EQ(settings.sessions_max, 7U);
    EXPECT_EQ(settings.core.group_ttl, std::chrono::hours(1));
    EXPECT_EQ(settings.blobs.bytes_max, 2ULL << 30);
    EXPECT_EQ(settings.blobs.grace, std::chrono::seconds(5));
}

TEST(ServerOptions, TheCacheIsMemoryOffARedisOrAnotherBroker) {
    ServerOptions options;
    for (const char* good : {"memory", "off", "redis://h:1/0", "tcp://cache:5701", "tcp://[::1]:9",
                             "tcp://127.0.0.1:5711"}) {
        options.cache = good;
        EXPECT_TRUE(check(options).ok()) << good << ": " << check(options).error().sentence;
    }
    for (const char* bad : {"elsewhere", "tcp://", "tcp://h", "tcp://h:0", "tcp://h:70000",
                            "tcp://:5701", "tcp://*:5701", "tcp://::1:5701", "tcp://h:5701x",
                            "tcp://h;a:5701", "ipc://file", "redis://"}) {
        options.cache = bad;
        const auto checked = check(options);
        ASSERT_FALSE(checked.ok()) << bad;
        EXPECT_THAT(checked.error().sentence, HasSubstr("--cache is memory, off")) << bad;
    }
}

TEST(ServerOptions, ABrokerIsNotItsOwnTier) {
    EXPECT_TRUE(is_same_place("tcp://127.0.0.1:5701", "tcp://127.0.0.1:5701"));
    EXPECT_TRUE(is_same_place("tcp://localhost:5701", "tcp://0.0.0.0:5701"));
    EXPECT_TRUE(is_same_place("tcp://host:5701", "tcp://host:5701"));
    EXPECT_FALSE(is_same_place("tcp://127.0.0.1:5702", "tcp://127.0.0.1:5701"));
    EXPECT_FALSE(is_same_place("tcp://other:5701", "tcp://0.0.0.0:5701")) << "found when it asks";
    EXPECT_FALSE(is_same_place("tcp://127.0.0.1:5701", "tcp://127.0.0.1:0"));
    EXPECT_FALSE(is_same_place("memory", "tcp://127.0.0.1:5701"));
    ServerOptions options;
    options.cache = "tcp://localhost:5701";
    const auto checked = check(options);
    ASSERT_FALSE(checked.ok());
    EXPECT_THAT(checked.error().sentence, HasSubstr("listens itself"));
}

}  // namespace
}  // namespace scanmq::broker
