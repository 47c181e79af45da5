#include "scanner/api/worker_call.hpp"

#include <gmock/gmock.h>

namespace scanmq::api {
namespace {

using testing::HasSubstr;

std::vector<ContentId> ids(std::size_t n) {
    std::vector<ContentId> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(content_id(std::to_string(i)));
    return out;
}

TEST(WorkerCall, ReadsWhatItWrote) {
    for (const std::size_t size : {0U, 1U, 255U, 256U, 65'535U, 65'536U}) {
        for (const std::size_t inputs : {0U, 1U, 15U, 16U, 64U}) {
            const std::string request(size, '{');
            const auto wanted = ids(inputs);
            const std::string bytes = encode_worker_call(request, wanted, -5'000'000'000);
            const auto call = decode_worker_call(bytes);
            ASSERT_TRUE(call.ok()) << call.error();
            EXPECT_EQ(call->request, request);
            EXPECT_EQ(call->inputs, wanted);
            EXPECT_EQ(call->as_of_ns, -5'000'000'000);
        }
    }
    const std::string bytes = encode_worker_call("{}", ids(1), std::nullopt);
    EXPECT_EQ(decode_worker_call(bytes)->as_of_ns, std::nullopt);
}

// Other encoders choose the shortest form of a number.
TEST(WorkerCall, ReadsEveryFormOfAnInteger) {
    const auto as_of = [](const std::string& integer) {
        const auto call = decode_worker_call("\x93\xc4\x01x\x90" + integer);
        return call.ok() ? call->as_of_ns : std::nullopt;
    };
    EXPECT_EQ(as_of("\x07"), 7);
    EXPECT_EQ(as_of("\xff"), -1);
    EXPECT_EQ(as_of("\xcc\xc8"), 200);
    EXPECT_EQ(as_of(std::string("\xcd\x01\x00", 3)), 256);
    EXPECT_EQ(as_of(std::string("\xce\x80\x00\x00\x00", 5)), 2'147'483'648);
    EXPECT_EQ(as_of(std::string("\xcf\x18\x00\x00\x00\x00\x00\x00\x01", 9)), 0x1800000000000001);
    EXPECT_EQ(as_of("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), std::nullopt);
    EXPECT_EQ(as_of("\xd0\x80"), -128);
    EXPECT_EQ(as_of("\xd1\xff\xfe"), -2);
    EXPECT_EQ(as_of("\xd2\xff\xff\xff\xfd"), -3);
    EXPECT_EQ(as_of("\xd3\xff\xff\xff\xff\xff\xff\xff\xfc"), -4);
    EXPECT_EQ(as_of("\xc3"), std::nullopt);
}

TEST(WorkerCall, RefusesEveryTruncationAndWhatFollows) {
    const std::string bytes = encode_worker_call("{\"a\": 1}", ids(2), 7);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode_worker_call(ByteView(bytes).substr(0, size)).ok()) << size;
    }
    EXPECT_THAT(decode_worker_call(bytes + "x").error(), HasSubstr("nothing after it"));
}

TEST(WorkerCall, RefusesOtherShapes) {
    EXPECT_FALSE(decode_worker_call("{}").ok());
    EXPECT_FALSE(decode_worker_call("\x92\xc4\x01x\x90").ok());
    EXPECT_FALSE(decode_worker_call("\x93\xa1x\x90\xc0").ok());  // a text is no bin
    EXPECT_THAT(decode_worker_call("\x93\xc4\x01x\x91\xc4\x01x\xc0").error(),
                HasSubstr("32 bytes"));
    EXPECT_THAT(decode_worker_call("\x93\xc4\x01x\xdc\xff\xff").error(), HasSubstr("at most 64"));
    EXPECT_FALSE(decode_worker_call(std::string("\x93\xc6\xff\xff\xff\xff", 6) + "x").ok());
}

}  // namespace
}  // namespace scanmq::api
