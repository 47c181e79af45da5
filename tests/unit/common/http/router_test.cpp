#include "common/http/router.hpp"

#include <gmock/gmock.h>

namespace scanmq::http {
namespace {

using testing::HasSubstr;

class RouterTest : public testing::Test {
  protected:
    RouterTest() {
        for (const auto& [method, pattern] : std::vector<std::pair<const char*, const char*>>{
                 {"GET", "/"},
                 {"POST", "/api/v1/scan"},
                 {"GET", "/api/v1/scan/{id}"},
                 {"DELETE", "/api/v1/scan/{id}"},
                 {"POST", "/api/v1/scan/batch"},
                 {"GET", "/api/v1/queues/{queue}/jobs/{id}"}}) {
            router.add(method, pattern, [](const Request&, const Responder&) {});
        }
    }
    std::string pattern(std::string_view method, std::string_view path) {
        const auto* route = router.find(method, path, parameters);
        return route == nullptr ? "" : route->pattern;
    }

    Router router;
    Pairs parameters;
};

TEST_F(RouterTest, FindsRoutesAndParameters) {
    EXPECT_EQ(pattern("GET", "/"), "/");
    EXPECT_EQ(pattern("POST", "/api/v1/scan"), "/api/v1/scan");
    EXPECT_EQ(pattern("POST", "/api/v1/scan/"), "/api/v1/scan");
    EXPECT_EQ(pattern("GET", "/api/v1/queues/q/jobs/7"), "/api/v1/queues/{queue}/jobs/{id}");
    EXPECT_EQ(parameters, (Pairs{{"queue", "q"}, {"id", "7"}}));
    EXPECT_EQ(pattern("HEAD", "/api/v1/scan/1"), "/api/v1/scan/{id}");
    EXPECT_EQ(pattern("GET", "/api//scan"), "");
    EXPECT_EQ(pattern("GET", "/api/v1/queues//jobs/7"), "");
}

TEST_F(RouterTest, FixedSegmentsWin) {
    EXPECT_EQ(pattern("POST", "/api/v1/scan/batch"), "/api/v1/scan/batch");
    EXPECT_EQ(pattern("GET", "/api/v1/scan/batch"), "/api/v1/scan/{id}");
}

TEST_F(RouterTest, TellsTheMethodsOfAPath) {
    EXPECT_EQ(router.allowed("/api/v1/scan/batch"), "DELETE, GET, HEAD, POST");
    EXPECT_EQ(router.allowed("/api/v1/scan"), "POST");
    EXPECT_EQ(router.allowed("/api/v2/scan"), "");
}

TEST_F(RouterTest, NamesTheNearestRoute) {
    EXPECT_THAT(router.unknown("/api/v1/scam"), HasSubstr("did you mean /api/v1/scan?"));
    EXPECT_THAT(Router().unknown("/x\n"), HasSubstr("nothing at /x?"));
}

}  // namespace
}  // namespace scanmq::http
