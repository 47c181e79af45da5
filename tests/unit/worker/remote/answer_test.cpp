#include "worker/remote/answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scanmq::worker {
namespace {

using testing::HasSubstr;
using testing::Not;

http::ClientResult answered(int status, std::string body = {}, http::Pairs headers = {}) {
    http::ClientResponse response;
    response.status = status;
    response.body = std::move(body);
    response.headers = std::move(headers);
    return response;
}

http::ClientResult failed(http::ClientError error) {
    return fail(http::ClientFailure{error, "seen this"});
}

http::ClientResult refused(int status, const std::string& code, const std::string& sentence,
                           http::Pairs headers = {}) {
    return answered(status,
                    R"({"error":{"code":")" + code + R"(","sentence":")" + sentence + "\"}}",
                    std::move(headers));
}

constexpr const char* kResult = "\x81\xa7spreads\x90";

TEST(ScanAnswer, AResultInMsgpackIsOk) {
    for (const char* type : {"application/msgpack", "Application/X-MsgPack",
                             "application/vnd.msgpack", "application/msgpack; v=1"}) {
        const Answer answer = read_scan_answer(answered(200, kResult, {{"content-type", type}}));
        EXPECT_EQ(answer.what, CallClass::ok) << type << answer.sentence;
    }
}

TEST(ScanAnswer, AnythingElseWith200IsABadResponse) {
    const http::Pairs type{{"Content-Type", "application/msgpack"}};
    for (const auto& answer :
         {answered(200, kResult), answered(200, kResult, {{"Content-Type", "text/html"}}),
          answered(200, "", type), answered(200, "<html>", type), answered(200, "\x80", type),
          answered(200, std::string(kResult) + "x", type), answered(202, kResult, type),
          answered(301, kResult, type)}) {
        EXPECT_EQ(read_scan_answer(answer).what, CallClass::bad_response) << answer->body;
    }
}

TEST(ScanAnswer, EachStatusHasItsClass) {
    const std::vector<std::pair<int, CallClass>> table{
        {400, CallClass::final_error}, {404, CallClass::final_error}, {409, CallClass::final_error},
        {413, CallClass::final_error}, {415, CallClass::final_error}, {422, CallClass::final_error},
        {501, CallClass::final_error}, {401, CallClass::retryable},   {403, CallClass::retryable},
        {408, CallClass::retryable},   {500, CallClass::retryable},   {502, CallClass::retryable},
        {599, CallClass::retryable},   {504, CallClass::timed_out},   {429, CallClass::throttled},
        {503, CallClass::throttled},
    };
    for (const auto& [status, what] : table) {
        const Answer answer = read_scan_answer(refused(status, "code", "the reason"));
        EXPECT_EQ(answer.what, what) << status;
        EXPECT_THAT(answer.sentence, HasSubstr("the reason")) << status;
        EXPECT_FALSE(answer.unknown_snapshot) << status;
    }
}

TEST(ScanAnswer, AnUnknownSnapshotIsToBePut) {
    EXPECT_TRUE(read_scan_answer(refused(409, "unknown_snapshot", "put it")).unknown_snapshot);
    EXPECT_FALSE(read_scan_answer(refused(422, "unknown_snapshot", "put it")).unknown_snapshot);
}

TEST(ScanAnswer, RetryAfterIsReadInSeconds) {
    const auto after = [](const std::string& value) {
        return read_scan_answer(refused(429, "c", "s", {{"Retry-After", value}})).retry_after;
    };
    EXPECT_EQ(after("3"), std::chrono::seconds(3));
    EXPECT_EQ(after("0"), Duration{});
    EXPECT_EQ(after("99999999999"), std::chrono::seconds(86'400));
    EXPECT_EQ(after("-1"), std::nullopt);
    EXPECT_EQ(after("99999999999999999999999"), std::nullopt);
    EXPECT_EQ(after("Fri, 31 Dec 1999 23:59:59 GMT"), std::nullopt);
    EXPECT_EQ(read_scan_answer(refused(429, "c", "s")).retry_after, std::nullopt);
}

TEST(ScanAnswer, FailuresOfTheConnectionHaveTheirClass) {
    using http::ClientError;
    const auto of = [](ClientError error) { return read_scan_answer(failed(error)); };
    EXPECT_EQ(of(ClientError::unreachable).what, CallClass::no_connection);
    EXPECT_FALSE(of(ClientError::unreachable).sent);
    EXPECT_EQ(of(ClientError::broken).what, CallClass::no_connection);
    EXPECT_TRUE(of(ClientError::broken).sent);
    EXPECT_EQ(of(ClientError::timeout).what, CallClass::timed_out);
    EXPECT_EQ(of(ClientError::malformed).what, CallClass::bad_response);
    EXPECT_EQ(of(ClientError::body_too_large).what, CallClass::bad_response);
    EXPECT_EQ(of(ClientError::refused).what, CallClass::throttled);
    EXPECT_EQ(of(ClientError::broken).sentence, "seen this");
}

TEST(ScanAnswer, WhatAPeerSaysIsFitForASentence) {
    const Answer long_one = read_scan_answer(refused(500, "c", std::string(5000, 'x')));
    EXPECT_LE(long_one.sentence.size(), 300U);
    const Answer odd = read_scan_answer(answered(500, "<html>\x01\xff\n</html>"));
    EXPECT_THAT(odd.sentence, HasSubstr("HTTP 500"));
    EXPECT_THAT(odd.sentence, Not(HasSubstr("\n")));
    EXPECT_THAT(odd.sentence, Not(HasSubstr("\xff")));
    EXPECT_EQ(read_scan_answer(answered(500)).sentence, "HTTP 500");
    EXPECT_EQ(read_scan_answer(answered(500, R"({"error":5})")).what, CallClass::retryable);
    EXPECT_EQ(read_scan_answer(answered(500, R"({"error":{"sentence":5}})")).what,
              CallClass::retryable);
    EXPECT_EQ(read_scan_answer(answered(500, std::string(100'000, '['))).what,
              CallClass::retryable);
}

TEST(PutAnswer, AnySuccessIsOk) {
    for (const int status : {200, 201, 204}) {
        EXPECT_EQ(read_put_answer(answered(status)).what, CallClass::ok);
    }
    EXPECT_EQ(read_put_answer(refused(422, "bad_snapshot", "no")).what, CallClass::final_error);
    EXPECT_EQ(read_put_answer(failed(http::ClientError::timeout)).what, CallClass::timed_out);
}

}  // namespace
}  // namespace scanmq::worker
