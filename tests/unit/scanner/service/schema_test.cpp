// The JSON Schemas of docs/schema name what the engine has: a strategy, filter or field that is added
// without its line there fails here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scanner/filter/filter.hpp"
#include "scanner/score/score.hpp"
#include "scanner/service/request.hpp"
#include "scanner/service/result_fields.hpp"
#include "scanner/strategy/definition.hpp"

namespace scanmq::service {
namespace {

using ::testing::IsSupersetOf;
using ::testing::UnorderedElementsAreArray;
using Json = nlohmann::json;
using Names = std::vector<std::string>;

Json schema(const std::string& name) {
    std::ifstream file(SCANMQ_SOURCE_DIR "/docs/schema/" + name + ".schema.json");
    return Json::parse(file);
}

template <class Range>
Names names_of(const Range& range) {
    Names out;
    for (const auto& each : range) out.emplace_back(each);
    return out;
}

Names keys_of(const Json& object) {
    Names out;
    for (const auto& item : object.items()) out.push_back(item.key());
    return out;
}

template <class Struct, class Value, std::size_t N>
Names keys_of(const Field<Struct, Value> (&fields)[N]) {
    Names out;
    for (const auto& field : fields) out.emplace_back(field.key);
    return out;
}

TEST(RequestSchema, NamesEveryStrategyAndComponent) {
    const Json request = schema("scan_request");
    EXPECT_THAT(request["$defs"]["strategy"]["enum"].get<Names>(),
                UnorderedElementsAreArray(names_of(strategy::strategy_names())));
    EXPECT_THAT(keys_of(request["properties"]["weights"]["properties"]),
                UnorderedElementsAreArray(names_of(score::component_names())));
    EXPECT_THAT(request["properties"]["preset"]["enum"].get<Names>(),
                UnorderedElementsAreArray(names_of(score::preset_names())));
    EXPECT_EQ(request["properties"]["version"]["const"], kSchemaVersion);
    EXPECT_EQ(request["properties"]["limit"]["maximum"], kLimitMax);
    EXPECT_EQ(request["properties"]["fee_per_contract"]["maximum"], kFeeMax);
    EXPECT_EQ(request["properties"]["candidates_max"]["maximum"], kCandidatesMax);
}

TEST(RequestSchema, NamesEveryFilterWithItsParameters) {
    const Json request = schema("scan_request");
    Names types;
    for (const Json& each : request["$defs"]["filter"]["oneOf"]) {
        const std::string type = each["properties"]["type"]["const"];
        types.push_back(type);
        const auto catalogue = filter::catalogue();
        const auto at = std::ranges::find(catalogue, type, &filter::FilterInfo::type);
        if (at == catalogue.end()) continue;
        EXPECT_EQ(each["description"], std::string(at->meaning));
        const std::string params = each["properties"]["params"]["$ref"];
        Names known;
        for (const auto& param : at->params) known.emplace_back(param.name);
        EXPECT_THAT(keys_of(request["$defs"][params.substr(8)]["properties"]),
                    UnorderedElementsAreArray(known))
            << type;
    }
    Names known;
    for (const auto& info : filter::catalogue()) known.emplace_back(info.type);
    EXPECT_THAT(types, UnorderedElementsAreArray(known));
}

TEST(ResultSchema, NamesEveryField) {
    const Json defs = schema("scan_result")["$defs"];
    const auto keys = [&](const char* name) { return keys_of(defs[name]["properties"]); };
    EXPECT_THAT(keys("spread"), IsSupersetOf(keys_of(kSpreadNumbers)));
    EXPECT_THAT(keys("leg"), IsSupersetOf(keys_of(kLegNumbers)));
    EXPECT_THAT(keys("leg"), IsSupersetOf(keys_of(kLegCounts)));
    EXPECT_THAT(keys("greeks"), UnorderedElementsAreArray(keys_of(kGreeks)));
    EXPECT_THAT(keys("counts"), IsSupersetOf(keys_of(kCounts)));
    EXPECT_THAT(keys("components"), UnorderedElementsAreArray(names_of(score::component_names())));
}

}  // namespace
}  // namespace scanmq::service
