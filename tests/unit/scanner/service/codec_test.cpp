#include "scanner/service/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scanner/service/engine.hpp"
#include "scanner/service/table.hpp"
#include "tests/support/priced_chains.hpp"

namespace scanmq::service {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

ScanRequest full_request() {
    ScanRequest request;
    request.symbol = "SPX";
    request.strategies = {"bull_put", "bear_call"};
    request.filters = {{"delta", {{"min", 0.15}, {"max", 0.30}, {"absolute", true}}},
                       {"liquidity", {{"min_bid", 0.05}, {"legs", std::string("short")}}}};
    request.weights = score::Weights{};
    (*request.weights)[score::Component::probability] = 0.75;
    (*request.weights)[score::Component::time_decay] = 0.25;
    request.fill = strategy::Fill{0.3};
    request.fee_per_contract = 0.5;
    request.delta_stance = strategy::Stance::neutral;
    request.vega_stance = strategy::Stance::short_stance;
    request.limit = 25;
    request.as_of = 1'694'721'600'000;
    request.rate = 0.0525;
    request.volatility = {VolatilityMode::user, 0.22};
    request.best_per = BestPer::short_strikes;
    request.exact_count = true;
    request.candidates_max = 77'000'000'000;
    request.spot = 4510.5;
    request.dividends = {{"SPX", 1'694'800'000'000, 1.25}, {"", 1'700'000'000'000, 0.5}};
    request.events = {{"SPX", 1'694'900'000'000, EventKind::ex_dividend, false}};
    request.histories = {{"SPX", {4500.0, 4510.25}, {0.14, 0.15}}};
    request.ticks = {{"SPX", 2.0, 0.05, 0.25}, {"", 3.0, 0.01, 0.10}};
    request.margins = {{"SPX", 0.15, 0.10}, {"", 0.30, 0.20}};
    return request;
}

TEST(RequestCodec, EveryFieldSurvivesBothEncodings) {
    const ScanRequest request = full_request();
    for (const Encoding encoding : {Encoding::json, Encoding::msgpack}) {
        const auto decoded = decode_request(encode(request, encoding));
        ASSERT_TRUE(decoded.ok()) << decoded.error().message;
        EXPECT_EQ(decoded->symbol, request.symbol);
        EXPECT_EQ(decoded->strategies, request.strategies);
        EXPECT_EQ(decoded->filters, request.filters);
        EXPECT_EQ(decoded->weights, request.weights);
        EXPECT_EQ(decoded->fill.toward_mid, request.fill.toward_mid);
        EXPECT_EQ(decoded->fee_per_contract, request.fee_per_contract);
        EXPECT_EQ(decoded->delta_stance, request.delta_stance);
        EXPECT_EQ(decoded->vega_stance, request.vega_stance);
        EXPECT_EQ(decoded->limit, request.limit);
        EXPECT_EQ(decoded->as_of, request.as_of);
        EXPECT_EQ(decoded->rate, request.rate);
        EXPECT_EQ(decoded->volatility, request.volatility);
        EXPECT_EQ(decoded->best_per, request.best_per);
        EXPECT_EQ(decoded->exact_count, request.exact_count);
        EXPECT_EQ(decoded->candidates_max, request.candidates_max);
        EXPECT_EQ(decoded->spot, request.spot);
        EXPECT_EQ(decoded->dividends, request.dividends);
        EXPECT_EQ(decoded->events, request.events);
        EXPECT_EQ(decoded->histories, request.histories);
        EXPECT_EQ(decoded->ticks, request.ticks);
        EXPECT_EQ(decoded->margins, request.margins);
    }
    ScanRequest curve;
    curve.rate_curve = {{0.25, 0.05}, {1.0, 0.04}};
    const auto decoded = decode_request(encode(curve, Encoding::msgpack));
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    ASSERT_EQ(decoded->rate_curve.size(), 2U);
    EXPECT_EQ(decoded->rate_curve[1].years, 1.0);
    EXPECT_EQ(decoded->rate_curve[1].rate, 0.04);
    EXPECT_EQ(decode_request(R"({"volatility":"flat"})")->volatility.mode, VolatilityMode::flat);
}

TEST(RequestCodec, EmptyRequestIsTheDefault) {
    const auto decoded = decode_request(" {} ");
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    EXPECT_EQ(encode(*decoded, Encoding::json), encode(ScanRequest{}, Encoding::json));
    EXPECT_EQ(decoded->limit, kLimitDefault);
    EXPECT_FALSE(decoded->as_of.has_value());
    EXPECT_EQ(decode_request(R"({"fill":"mid"})")->fill.toward_mid, 1.0);
    EXPECT_EQ(decode_request(R"({"fill":"natural"})")->fill.toward_mid, 0.0);
    EXPECT_EQ(decode_request(R"({"fill":1})")->fill.toward_mid, 1.0);
}

void expect_refused(std::string_view text, ErrorCode code, const std::string& part) {
    const auto decoded = decode_request(text);
    ASSERT_FALSE(decoded.ok()) << text;
    EXPECT_EQ(decoded.error().code, code) << text;
    EXPECT_THAT(decoded.error().message, HasSubstr(part)) << text;
}

TEST(RequestCodec, RefusesWithTheFieldAndTheNearestName) {
    constexpr auto kInvalid = ErrorCode::invalid_request;
    expect_refused(R"({"filter":[]})", kInvalid, "\"filters\"");
    expect_refused(R"({"limit":"5"})", kInvalid, "\"limit\"");
    expect_refused(R"({"limit":2.5})", kInvalid, "\"limit\"");
    expect_refused(R"({"limit":-1})", kInvalid, "\"limit\"");
    expect_refused(R"({"limit":4294967297})", kInvalid, "\"limit\"");
    expect_refused(R"({"limit":10001})", kInvalid, "10000");
    expect_refused(R"({"symbol":5})", kInvalid, "\"symbol\"");
    expect_refused(R"({"ticks":[{"below":0.03}]})", kInvalid, "divide 1.00");
    expect_refused(R"({"ticks":[{"above":1e-7}]})", kInvalid, "divide 1.00");
    expect_refused(R"({"ticks":[{"below":5e-324}]})", kInvalid, "divide 1.00");
    expect_refused(R"({"strategies":"bull_put"})", kInvalid, "a list");
    expect_refused(R"({"strategies":[1]})", kInvalid, "strategies[0]");
    expect_refused(R"({"strategies":["bull_puts"]})", kInvalid, "\"bull_put\"");
    expect_refused(R"({"fill":"middle"})", kInvalid, "\"mid\"");
    expect_refused(R"({"fill":null})", kInvalid, "\"fill\"");
    expect_refused(R"({"rate":null})", kInvalid, "\"rate\"");
    expect_refused(R"({"delta_stance":"bullish"})", kInvalid, "\"neutral\"");
    expect_refused(R"({"preset":"calm"})", kInvalid, "preset");
    expect_refused(R"({"preset":"balanced","weights":{"delta":1}})", kInvalid, "one of them");
    expect_refused(R"({"weights":{"risk-reward":1}})", kInvalid, "\"risk_reward\"");
    expect_refused(R"({"weights":{"delta":"1"}})", kInvalid, "\"delta\"");
    expect_refused(R"({"weights":{"delta":1e308,"theta":1e308}})", kInvalid,
                   "from 1e-06 to 1000000");
    expect_refused(R"({"weights":{"delta":5e-324}})", kInvalid, "from 1e-06 to 1000000");
    expect_refused(R"({"weights":[]})", kInvalid, "a map");
    expect_refused(R"({"filters":[{"params":{}}]})", kInvalid, "type");
    expect_refused(R"({"filters":[{"type":"dte","param":{}}]})", kInvalid, "\"params\"");
    expect_refused(R"({"filters":[{"type":"dte","params":[1]}]})", kInvalid, "a map");
    expect_refused(R"({"filters":[{"type":"dte","params":{"min":[1]}}]})", kInvalid, "\"min\"");
    expect_refused(R"({"filters":[{"type":"dtx","params":{"min":1}}]})", kInvalid, "\"dte\"");
    expect_refused(R"({"filters":[3]})", kInvalid, "filters[0]");
    expect_refused(R"({"version":2})", kInvalid, "\"version\"");
    expect_refused(R"({"best_per":"strike"})", kInvalid, "short_strikes");
    expect_refused(R"({"count":"all"})", kInvalid, "\"exact\"");
    expect_refused(R"({"candidates_max":0})", kInvalid, "candidates_max");
}

TEST(RequestCodec, RefusesInputsThatMakeNoSense) {
    constexpr auto kInvalid = ErrorCode::invalid_request;
    expect_refused(R"({"volatility":"wild"})", kInvalid, "\"realised\"");
    expect_refused(R"({"volatility":{"mode":"user"}})", kInvalid, "value");
    expect_refused(R"({"volatility":{"mode":"flat","value":0.2}})", kInvalid, "no value");
    expect_refused(R"({"volatility":{"mode":"user","value":-0.2}})", kInvalid, "decimal");
    expect_refused(R"({"volatility":{"mode":"user","value":20.5}})", kInvalid, "20");
    expect_refused(R"({"volatility":{"mod":"user"}})", kInvalid, "\"mode\"");
    expect_refused(R"({"spot":0})", kInvalid, "spot");
    expect_refused(R"({"rate":0.05,"rate_curve":[{"years":1,"rate":0.05}]})", kInvalid, "one of");
    expect_refused(R"({"rate_curve":[{"years":1,"rate":0.05},{"years":1,"rate":0.05}]})", kInvalid,
                   "rising");
    expect_refused(R"({"rate_curve":[{"years":1,"rate":5}]})", kInvalid, "rate_curve");
    expect_refused(R"({"dividends":[{"ex_ms":5}]})", kInvalid, "dividends");
    expect_refused(R"({"dividends":[{"ex_ms":5,"amount":"1"}]})", kInvalid, "\"amount\"");
    expect_refused(R"({"events":[{"symbol":"A","moment_ms":5}]})", kInvalid, "kind");
    expect_refused(R"({"events":[{"symbol":"A","moment_ms":5,"kind":"split"}]})", kInvalid,
                   "ex_dividend");
    expect_refused(R"({"events":[{"moment_ms":5,"kind":"earnings"}]})", kInvalid, "symbol");
    expect_refused(R"({"histories":[{"symbol":"A","closes":[1,-2]}]})", kInvalid, "positive");
    expect_refused(R"({"histories":[{"symbol":"A","closes":[null]}]})", kInvalid, "number");
    expect_refused(R"({"histories":[{"closes":[1]}]})", kInvalid, "symbol");
}

TEST(RequestCodec, MalformedDocuments) {
    constexpr auto kMalformed = ErrorCode::malformed;
    expect_refused("", kMalformed, "");
    expect_refused("{", kMalformed, "byte");
    expect_refused(R"({"limit":5} x)", kMalformed, "");
    expect_refused(R"({"limit":5,"limit":6})", kMalformed, "twice");
    expect_refused(R"({"rate":1e999})", kMalformed, "");
    expect_refused(R"({"symbol":)" + std::string(100, '[') + "}", kMalformed, "deep");
    const std::string nan = std::string("\x81\xa4rate\xcb\x7f\xf8", 9) + std::string(6, '\0');
    expect_refused(nan, kMalformed, "finite");
    expect_refused(std::string("\x81\xa6symbol\xc4\x01x", 11), kMalformed, "binary");
    expect_refused(std::string("\x80\x00", 2), kMalformed, "");              // trailing byte
    expect_refused(std::string("\xdd\xff\xff\xff\xff", 5), kMalformed, "");  // claims 4 G elements
    expect_refused(std::string(1'000'000, '\x91'), kMalformed, "deep");      // a million deep
    expect_refused("\x05", ErrorCode::invalid_request, "a map");
}

ScanResult sample_result() {
    Rng rng(21);
    const market::PricedChain chain = testing::random_chain(rng, {});
    ScanRequest request;
    request.limit = 20;
    request.filters = {{"dte", {{"max", 90.0}}}};
    auto result = scan(chain, request);
    EXPECT_TRUE(result.ok());
    result->snapshot = "00ff";
    result->as_of = 1'694'721'600'000;
    for (Spread& spread : result->spreads) spread.as_of = result->as_of;
    for (Spread& spread : result->arbitrage) spread.as_of = result->as_of;
    return *std::move(result);
}

TEST(ResultCodec, EveryBitSurvivesBothEncodings) {
    const ScanResult result = sample_result();
    ASSERT_EQ(result.spreads.size(), 20U);
    const std::string json = encode(result, Encoding::json);
    for (const Encoding encoding : {Encoding::json, Encoding::msgpack}) {
        const auto decoded = decode_result(encode(result, encoding));
        ASSERT_TRUE(decoded.ok()) << decoded.error().message;
        EXPECT_EQ(encode(*decoded, Encoding::json), json);
        EXPECT_EQ(decoded->spreads[3].score, result.spreads[3].score);
        EXPECT_EQ(decoded->spreads[3].legs[1].greeks.delta, result.spreads[3].legs[1].greeks.delta);
    }
}

// Whatever bytes come: an answer, never an exception, and what decodes can be written again.
TEST(Codec, DamagedDocumentsAreAnsweredOrStillGood) {
    Rng rng(77);
    ScanResult result = sample_result();
    result.spreads.resize(1);
    std::vector<std::string> documents;
    for (const Encoding encoding : {Encoding::json, Encoding::msgpack}) {
        documents.push_back(encode(full_request(), encoding));
        documents.push_back(encode(result, encoding));
    }
    int good = 0;
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = documents[rng.below(documents.size())];
        for (std::uint64_t i = 0; i <= rng.below(4); ++i) {
            const std::size_t at = rng.below(bytes.size());
            switch (rng.below(4)) {
                case 0:
                    bytes[at] = static_cast<char>(rng.below(256));
                    break;
                case 1:
                    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
                    break;
                case 2:
                    bytes.resize(at + 1);
                    break;
                default:
                    bytes.insert(at, 1, static_cast<char>(rng.below(256)));
                    break;
            }
        }
        const auto request = decode_request(bytes);
        const auto decoded = decode_result(bytes);
        if (request.ok()) {
            EXPECT_TRUE(decode_request(encode(*request, Encoding::msgpack)).ok());
        }
        if (decoded.ok()) {
            EXPECT_TRUE(decode_result(encode(*decoded, Encoding::msgpack)).ok());
        }
        ++(request.ok() || decoded.ok() ? good : refused);
    }
    EXPECT_GT(good, 100);
    EXPECT_GT(refused, 1'000);
}

TEST(ResultCodec, SpreadsHaveTheKeysThatAreDocumented) {
    const ScanResult result = sample_result();
    const std::string json = encode_spreads({result.spreads[0]});
    for (const char* key :
         {"\"legs\":[{", "\"strike\":", "\"expiry\":\"2026-", "\"right\":", "\"side\":",
          "\"ratio\":1", "\"net_price\":", "\"max_profit\":", "\"max_loss\":", "\"breakevens\":[",
          "\"pop\":", "\"ev\":", "\"score\":", "\"components\":{", "\"volatility\":null"}) {
        EXPECT_THAT(json, HasSubstr(key));
    }
    EXPECT_EQ(json.front(), '[');
    EXPECT_EQ(encode_spreads({}), "[]");
}

TEST(ResultCodec, RefusesWhatIsNotAResult) {
    const auto refused = [](std::string_view text) {
        const auto decoded = decode_result(text);
        EXPECT_FALSE(decoded.ok()) << text;
        return decoded.ok() ? Error{} : decoded.error();
    };
    EXPECT_EQ(refused("{}").code, ErrorCode::invalid_result);
    EXPECT_THAT(refused(R"({"engine":"x","spread":[]})").message, HasSubstr("\"spreads\""));
    EXPECT_THAT(refused(R"({"engine":"x","spreads":[{"score":1,"max_loss":1,"legs":[]}]})").message,
                HasSubstr("legs"));
    std::string text = encode(sample_result(), Encoding::json);
    const std::size_t at = text.find("\"score\":");
    text.replace(at, text.find_first_of(",}", at) - at, "\"score\":null");
    EXPECT_THAT(refused(text).message, AllOf(HasSubstr("score"), HasSubstr("spreads[")));
}

TEST(Table, HasOneLineASpreadAndAlignedColumns) {
    const ScanResult result = sample_result();
    const std::string table = format_table(result, 5);
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 6);
    std::vector<std::size_t> lengths;
    std::size_t start = 0;
    for (std::size_t end = table.find('\n'); end != std::string::npos;
         end = table.find('\n', start)) {
        lengths.push_back(end - start);
        start = end + 1;
    }
    EXPECT_THAT(lengths, ::testing::Each(lengths.front()));
    EXPECT_THAT(table, HasSubstr(result.spreads[0].strategy));
    const std::string heading = format_table({}, 5);
    EXPECT_EQ(std::count(heading.begin(), heading.end(), '\n'), 1);
}

}  // namespace
}  // namespace scanmq::service
