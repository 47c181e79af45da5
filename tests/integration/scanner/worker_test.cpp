// What workers get: jobs in msgpack, byte for byte what the embedded scanner makes.

#include "scanner/api/worker_call.hpp"
#include "scanner/service/codec.hpp"
#include "scanner/service/job.hpp"
#include "tests/integration/scanner/scanner_fixture.hpp"

namespace scanmq::scand {
namespace {

using testing::HasSubstr;

constexpr const char* kMsgpack = "Content-Type: application/msgpack\r\n";

class WorkerApi : public ScannerTest {
  protected:
    RawAnswer scan(std::string_view request, const std::vector<ContentId>& inputs,
                   std::optional<std::int64_t> as_of_ns = std::nullopt,
                   const std::string& headers = {}) {
        return call("POST", "/api/v1/scan", api::encode_worker_call(request, inputs, as_of_ns),
                    kMsgpack + headers);
    }
    RawAnswer put(const std::string& bytes) {
        return call("PUT", "/api/v1/snapshots/" + content_id(bytes).hex(), bytes);
    }
    // What the embedded scanner makes of the same job.
    static std::string wanted(std::string_view request, const std::vector<std::string>& snapshots,
                              std::optional<std::int64_t> as_of_ns = std::nullopt) {
        std::vector<service::OpenedSnapshot> opened;
        for (const std::string& bytes : snapshots) opened.push_back(service::open_snapshot(bytes));
        const auto open = [&](std::size_t i) -> Result<service::JobChain, std::string> {
            return service::JobChain{content_id(snapshots[i]), opened[i].chain.get()};
        };
        auto result = service::run_job({request, as_of_ns, snapshots.size(), open}, {});
        EXPECT_TRUE(result.ok());
        return result.ok() ? *result : std::string();
    }
};

TEST_F(WorkerApi, AnswersTheBytesOfTheEmbeddedScanner) {
    serve({}, 0);
    const std::vector<std::string> snapshots = {sample_snapshot(0), sample_snapshot(1)};
    for (const std::string& bytes : snapshots) {
        EXPECT_EQ(put(bytes).status, 201);
        EXPECT_EQ(put(bytes).status, 200);
    }
    const std::string request = R"({"limit": 7})";
    const ContentId first = content_id(snapshots[0]);
    const ContentId second = content_id(snapshots[1]);
    const RawAnswer one = scan(request, {first});
    ASSERT_EQ(one.status, 200) << one.body;
    EXPECT_EQ(one.headers.at("content-type"), "application/msgpack");
    EXPECT_EQ(one.body, wanted(request, {snapshots[0]}));
    const std::int64_t as_of_ns = 1'718'200'000'000'000'123;
    const RawAnswer both = scan(request, {first, second}, as_of_ns);
    EXPECT_EQ(both.body, wanted(request, snapshots, as_of_ns));
    EXPECT_EQ(service::decode_result(both.body)->sources.size(), 2U);
    // A snapshot that was put serves its symbol, too.
    EXPECT_EQ(call("POST", "/api/v1/scan", scan_body(1)).status, 200);
}

TEST_F(WorkerApi, NamesTheSnapshotsThatAreNotHere) {
    serve({}, 0);
    const std::string here = sample_snapshot(0);
    put(here);
    const ContentId gone = content_id("gone");
    const RawAnswer answer = scan("{}", {content_id(here), gone});
    EXPECT_EQ(answer.status, 409);
    const json error = json::parse(answer.body)["error"];
    EXPECT_EQ(error["code"], "unknown_snapshot");
    EXPECT_EQ(error["hashes"], json::array({gone.hex()}));
    EXPECT_EQ(call("GET", "/api/v1/snapshots/" + gone.hex()).status, 404);
    EXPECT_EQ(call("HEAD", "/api/v1/snapshots/" + content_id(here).hex()).status, 200);
}

TEST_F(WorkerApi, JobsThatNeverCanBeRunAre422) {
    serve({}, 0);
    const std::string here = sample_snapshot(0);
    put(here);
    const std::vector<ContentId> inputs = {content_id(here)};
    EXPECT_EQ(scan("nonsense", inputs).status, 422);
    EXPECT_EQ(code_of(scan(R"({"limitt": 3})", inputs)), "invalid_request");
    EXPECT_EQ(code_of(scan(R"({"symbol": "OTHER"})", inputs)), "symbol_mismatch");
    EXPECT_EQ(code_of(scan("{}", {})), "invalid_request");
    const RawAnswer malformed = call("POST", "/api/v1/scan", "nonsense", kMsgpack);
    EXPECT_EQ(malformed.status, 400);
    EXPECT_EQ(code_of(malformed), "malformed");
}

TEST_F(WorkerApi, SnapshotsAreCheckedAndBounded) {
    Settings settings;
    settings.snapshot_bytes_max = 8U << 10;
    serve(settings, 0);
    const std::string bytes = sample_snapshot(0);
    ASSERT_LT(bytes.size(), 8U << 10);
    const std::string other = "/api/v1/snapshots/" + content_id("other").hex();
    EXPECT_EQ(code_of(call("PUT", other, bytes)), "hash_mismatch");
    EXPECT_EQ(code_of(put("no snapshot")), "bad_snapshot");
    EXPECT_EQ(code_of(call("PUT", "/api/v1/snapshots/abc", bytes)), "bad_value");
    EXPECT_EQ(call("PUT", other, std::string(9U << 10, 'x')).status, 413);
    EXPECT_EQ(metrics()["chains"], 0);
}

TEST_F(WorkerApi, TheCacheOfPutChainsIsBounded) {
    Settings settings;
    settings.cache_bytes = 20'000;
    serve(settings, 1);
    std::size_t put_chains = 0;
    for (std::size_t i = 1; i < 6; ++i) {
        if (put(sample_snapshot(i)).status == 201) ++put_chains;
    }
    ASSERT_EQ(put_chains, 5U);
    const json now = metrics();
    EXPECT_LE(now["cache_bytes"].get<std::uint64_t>(), 20'000U);
    EXPECT_GT(now["cache_evictions_total"].get<std::uint64_t>(), 0U);
    EXPECT_EQ(call("POST", "/api/v1/scan", scan_body(0)).status, 200);  // of --chains: stays
}

TEST_F(WorkerApi, FaultsAreSwitchedWhileRunning) {
    serve();
    const std::string here = sample_snapshot(0);
    const std::vector<ContentId> inputs = {content_id(here)};
    ASSERT_EQ(scan("{}", inputs).status, 200);
    EXPECT_EQ(call("PUT", "/debug/fault", "status:500").status, 200);
    EXPECT_EQ(scan("{}", inputs).status, 500);
    EXPECT_EQ(call("POST", "/api/v1/scan", scan_body()).status, 500);
    EXPECT_EQ(call("GET", "/healthz").status, 200);
    EXPECT_EQ(call("PUT", "/debug/fault", "garbage").status, 200);
    const RawAnswer garbage = scan("{}", inputs);
    EXPECT_EQ(garbage.status, 200);
    EXPECT_FALSE(service::decode_result(garbage.body).ok());
    EXPECT_EQ(call("PUT", "/debug/fault", "slow:1h").status, 200);
    const RawAnswer late = scan("{}", inputs, std::nullopt, "X-Scanmq-Deadline-Ms: 20\r\n");
    EXPECT_EQ(late.status, 504);
    EXPECT_EQ(code_of(late), "deadline_exceeded");
    EXPECT_THAT(call("PUT", "/debug/fault", "slower").body, HasSubstr("garbage"));
    EXPECT_EQ(call("PUT", "/debug/fault", "none").status, 200);
    EXPECT_EQ(scan("{}", inputs).status, 200);
}

}  // namespace
}  // namespace scanmq::scand
