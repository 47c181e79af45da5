// What requests say: waits, ids, base64, the body of POST /v1/jobs; what problems become in HTTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/http/job_request.hpp"
#include "broker/http/metrics.hpp"
#include "broker/http/problem.hpp"
#include "broker/http/request_values.hpp"
#include "common/protocol/codec.hpp"

namespace scanmq::gateway {
namespace {

using namespace std::chrono_literals;
using protocol::ErrorCode;
using protocol::FinalOutcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

http::Request with(http::Pairs query, http::Pairs headers = {}) {
    http::Request out;
    out.query = std::move(query);
    out.headers = std::move(headers);
    return out;
}

TEST(WaitOf, TakesTheQueryThenPreferThenTheDefault) {
    EXPECT_EQ(*wait_of(with({{"timeout_ms", "250"}}, {{"Prefer", "wait=7"}}), 1s, 1min), 250ms);
    EXPECT_EQ(*wait_of(with({}, {{"Prefer", "respond-async, wait=7"}}), 1s, 1min), 7s);
    EXPECT_EQ(*wait_of(with({}, {{"prefer", "respond-async"}}), 1s, 1min), 0s);
    EXPECT_EQ(*wait_of(with({}, {{"Prefer", "return=minimal"}}), 1s, 1min), 1s);
    EXPECT_EQ(*wait_of(with({}), 1s, 500ms), 500ms);
}

TEST(WaitOf, CapsAndRefuses) {
    EXPECT_EQ(*wait_of(with({{"timeout_ms", "99999999999999999"}}), 1s, 1min), 1min);
    EXPECT_EQ(*wait_of(with({}, {{"Prefer", "wait=99999999999999999"}}), 1s, 1min), 1min);
    for (const char* text : {"-1", "1.5", "", "soon"}) {
        const auto wait = wait_of(with({{"timeout_ms", text}}), 1s, 1min);
        ASSERT_FALSE(wait.ok()) << text;
        EXPECT_EQ(wait.error().status, 400);
        EXPECT_THAT(wait.error().sentence, HasSubstr("timeout_ms"));
    }
}

TEST(ParseJobId, TakesHexAndDashesAndOnlyUuidv7) {
    const std::string hex = "0192a3b4c5d67e8f9a0b1c2d3e4f5061";
    ASSERT_TRUE(parse_job_id(hex, "job_id").ok());
    EXPECT_EQ(parse_job_id("0192a3b4-c5d6-7e8f-9a0b-1c2d3e4f5061", "job_id")->hex(), hex);
    for (const char* wrong :
         {"", "12", "0192a3b4c5d64e8f9a0b1c2d3e4f5061", "0192a3b4-c5d6-7e8f-9a0b1c2d3e4f50610",
          "zz92a3b4c5d67e8f9a0b1c2d3e4f5061"}) {
        EXPECT_FALSE(parse_job_id(wrong, "job_id").ok()) << wrong;
    }
}

TEST(Base64, GoesBothWaysAndRefusesWhatIsNone) {
    const std::string bytes("\x00\xff any bytes", 12);
    EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    EXPECT_EQ(base64_decode("aGk=\n"), "hi");
    EXPECT_EQ(base64_encode(""), "");
    EXPECT_EQ(base64_decode("a"), std::nullopt);
    EXPECT_EQ(base64_decode("!!!!"), std::nullopt);
}

TEST(ParseJobs, ReadsOneJobWithAllItsFields) {
    const std::string hash(64, 'a');
    const auto read = parse_jobs(R"({"queue":"scans","subject":"SPY.x","payload":{"symbol":"SPY"},
        "inputs":[")" + hash + R"("],"aliases":["VIX@latest"],"wait_ms":250,
        "job_id":"0192a3b4c5d67e8f9a0b1c2d3e4f5061",
        "options":{"priority":7,"delay_ms":1,"deadline_ms":2000,"flow":"desk","conflate_key":"k",
                   "sheddable":true,"pure":false,"finish_late":true,"as_of_ns":-5}})",
                                 10);
    ASSERT_TRUE(read.ok()) << read.error().sentence;
    EXPECT_FALSE(read->many);
    const JobRequest& job = read->jobs.at(0);
    EXPECT_EQ(job.queue, "scans");
    EXPECT_EQ(job.payload, R"({"symbol":"SPY"})");
    EXPECT_EQ(job.wait, 250ms);
    const client::Job out = job.job();
    EXPECT_EQ(out.inputs.size(), ContentId::kSize);
    EXPECT_EQ(out.aliases.size(), 1U);
    EXPECT_EQ(out.priority, 7U);
    EXPECT_EQ(out.deadline, 2s);
    EXPECT_EQ(out.flow, "desk");
    EXPECT_TRUE(out.sheddable);
    EXPECT_EQ(out.pure, false);
    EXPECT_EQ(out.as_of_ns, -5);
    const auto options = client::options_of(out);
    ASSERT_NE(options, nullptr);
    EXPECT_EQ(options->flow, "desk");
    EXPECT_EQ(options->flags, protocol::JobOptions::kSheddable | protocol::JobOptions::kNotPure |
                                  protocol::JobOptions::kFinishLate);
}

TEST(ParseJobs, TakesASymbolsNewestSnapshotWhenNoneIsNamed) {
    const auto read = parse_jobs(
        R"([{"queue":"q","payload":{"symbol":"BRK.B","strategies":["bull_put"]}},
            {"queue":"q","payload":{"symbol":"SPY"},"aliases":[]},
            {"queue":"q","payload_base64":"AAE="}])",
        3);
    ASSERT_TRUE(read.ok()) << read.error().sentence;
    EXPECT_TRUE(read->many);
    EXPECT_THAT(read->jobs[0].aliases, ElementsAre("BRK.B@latest"));
    EXPECT_THAT(read->jobs[1].aliases, IsEmpty());
    EXPECT_EQ(read->jobs[2].payload, std::string("\0\1", 2));
    Id128 id;
    id.bytes[0] = 1;
    const std::string subject = subject_of(read->jobs[0].symbol, read->jobs[0].what, id);
    EXPECT_EQ(subject, "BRK/B.bull_put.http." + id.hex());
    EXPECT_TRUE(protocol::valid_subject(subject));
    EXPECT_TRUE(protocol::valid_subject(subject_of("", std::string(200, '.'), id)));
}

TEST(ParseJobs, NamesWhatIsWrong) {
    const std::pair<const char*, const char*> cases[] = {
        {"nonsense", "not JSON"},
        {"[]", "1 to 10"},
        {R"({"queue":"q","payload":{},"prioriti":1})", "did you mean"},
        {R"({"queue":"q","payload":{},"options":{"priorty":1}})", "\"priority\""},
        {R"({"queue":"no blank","payload":{}})", "queue"},
        {R"({"payload":{}})", "queue"},
        {R"({"queue":"q"})", "payload"},
        {R"({"queue":"q","payload":{},"payload_base64":"AAE="})", "one of the two"},
        {R"({"queue":"q","payload_base64":"%"})", "base64"},
        {R"({"queue":"q","payload":{},"inputs":["12"]})", "64 hexadecimal"},
        {R"({"queue":"q","payload":{},"options":{"priority":10}})", "from 0 to 9"},
        {R"({"queue":"q","payload":{},"options":{"delay_ms":-1}})", "whole number"},
        {R"([{"queue":"q","payload":{},"wait_ms":5}])", "not waited for"},
        {R"({"queue":"q","payload":{},"job_id":"12"})", "UUIDv7"},
        {R"({"queue":"q","payload":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]})", "deeper"},
    };
    for (const auto& [body, wanted] : cases) {
        const auto read = parse_jobs(body, 10);
        ASSERT_FALSE(read.ok()) << body;
        EXPECT_EQ(read.error().status, 400) << body;
        EXPECT_THAT(read.error().sentence, HasSubstr(wanted)) << body;
    }
    EXPECT_FALSE(parse_jobs(std::string(1'000'000, '['), 10).ok());
}

TEST(ProblemOf, GivesEachRefusalItsStatus) {
    const std::pair<ErrorCode, int> cases[] = {
        {ErrorCode::queue_full, 429},    {ErrorCode::overloaded, 429},
        {ErrorCode::store_full, 503},    {ErrorCode::memory_full, 503},
        {ErrorCode::shutting_down, 503}, {ErrorCode::unknown_queue, 404},
        {ErrorCode::unknown_alias, 404}, {ErrorCode::id_conflict, 409},
        {ErrorCode::bad_option, 400},    {ErrorCode::item_too_large, 413}};
    for (const auto& [code, status] : cases) {
        const Problem problem = problem_of(code, "why");
        EXPECT_EQ(problem.status, status) << problem.code;
        const http::Response response = response_of(problem);
        EXPECT_EQ(response.status, status);
        EXPECT_THAT(response.body, HasSubstr(problem.code));
        EXPECT_EQ(response.headers.empty(), status != 429 && status != 503);
    }
}

TEST(ProblemOf, GivesEachOutcomeItsStatus) {
    const std::pair<FinalOutcome, int> cases[] = {
        {FinalOutcome::rejected, 422},   {FinalOutcome::cancelled, 499},
        {FinalOutcome::expired, 504},    {FinalOutcome::shed, 503},
        {FinalOutcome::superseded, 409}, {FinalOutcome::dead, 502}};
    for (const auto& [outcome, status] : cases) {
        Ended ended;
        ended.outcome = outcome;
        ended.code = ErrorCode::scan_failed;
        EXPECT_EQ(problem_of(ended).status, status) << ended.name();
    }
}

TEST(Metrics, GoOutAsPrometheusTextAndJson) {
    Metrics metrics;
    metrics.broker = {{{"name", std::string("b")}, {"sessions", std::uint64_t{3}}}};
    metrics.counters = {{{"name", std::string("jobs-in")}, {"value", std::uint64_t{4}}}};
    metrics.queues = {{{"queue", std::string("a")}, {"waiting", std::uint64_t{1}}},
                      {{"queue", std::string("b")}, {"waiting", std::uint64_t{2}}}};
    metrics.cache = {{{"tier", std::string("memory")}, {"hits", std::uint64_t{7}}}};
    metrics.http = {{"waits", 5}};
    EXPECT_EQ(prometheus_text(metrics),
              "# TYPE scanmq_broker_sessions untyped\nscanmq_broker_sessions 3\n"
              "# TYPE scanmq_jobs_in untyped\nscanmq_jobs_in 4\n"
              "# TYPE scanmq_http_waits untyped\nscanmq_http_waits 5\n"
              "# TYPE scanmq_cache_hits untyped\nscanmq_cache_hits{tier=\"memory\"} 7\n"
              "# TYPE scanmq_queue_waiting untyped\n"
              "scanmq_queue_waiting{queue=\"a\"} 1\nscanmq_queue_waiting{queue=\"b\"} 2\n");
    EXPECT_EQ(metrics_json(metrics),
              R"({"broker_sessions":3,"jobs_in":4,"http_waits":5,)"
              R"("queues":[{"queue":"a","waiting":1},{"queue":"b","waiting":2}],)"
              R"("cache":[{"tier":"memory","hits":7}]})");
}

}  // namespace
}  // namespace scanmq::gateway
