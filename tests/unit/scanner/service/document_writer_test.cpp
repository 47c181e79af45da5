#include "scanner/service/document_writer.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "scanner/service/document.hpp"

namespace scanmq::service {
namespace {

// Writes one map with `value` under "v" and reads it back with the parser of the decoder.
template <class Write>
Json written(Encoding encoding, Write write) {
    DocumentWriter out(encoding);
    out.map(1);
    out.key("v");
    write(out);
    out.end();
    const std::string bytes = out.take();
    auto document = parse_document(bytes);
    EXPECT_TRUE(document.ok()) << document.error().message;
    return document.ok() ? (*document)["v"] : Json();
}

class DocumentWriterTest : public ::testing::TestWithParam<Encoding> {};

TEST_P(DocumentWriterTest, TextsOfEveryLengthClass) {
    for (const std::size_t size : {0U, 1U, 31U, 32U, 255U, 256U, 65'535U, 65'536U}) {
        const std::string text(size, 'x');
        EXPECT_EQ(written(GetParam(), [&](auto& out) { out.text(text); }), Json(text)) << size;
    }
    const std::string special = "a\"b\\c\n\x01 \xc3\xa9";
    EXPECT_EQ(written(GetParam(), [&](auto& out) { out.text(special); }), Json(special));
}

TEST_P(DocumentWriterTest, ListsAndMapsOfEveryLengthClass) {
    for (const std::size_t size : {0U, 1U, 15U, 16U, 65'535U, 65'536U}) {
        const Json list = written(GetParam(), [&](auto& out) {
            out.list(size);
            for (std::size_t i = 0; i < size; ++i) out.count(i);
            out.end();
        });
        ASSERT_EQ(list.size(), size);
        const Json map = written(GetParam(), [&](auto& out) {
            out.map(size);
            for (std::size_t i = 0; i < size; ++i) {
                out.key(std::to_string(i));
                out.flag(i % 2 == 1);
            }
            out.end();
        });
        ASSERT_EQ(map.size(), size);
        if (size == 0) continue;
        EXPECT_EQ(list.back(), Json(size - 1));
    }
}

TEST_P(DocumentWriterTest, NumbersKeepEveryBit) {
    for (const double value :
         {0.1, -1e-300, 5.0, 1e20, 4503599627370497.5, std::numeric_limits<double>::denorm_min()}) {
        EXPECT_EQ(written(GetParam(), [&](auto& out) { out.number(value); }).template get<double>(),
                  value);
    }
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        EXPECT_TRUE(written(GetParam(), [&](auto& out) { out.number(value); }).is_null());
    }
    for (const std::uint64_t value :
         {0ULL, 127ULL, 128ULL, 0xffff'ffffULL, 0x1'0000'0000ULL, ~0ULL}) {
        EXPECT_EQ(written(GetParam(), [&](auto& out) { out.count(value); }), Json(value));
    }
    for (const std::int64_t value :
         {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(), std::int64_t{7}}) {
        EXPECT_EQ(written(GetParam(), [&](auto& out) { out.integer(value); }), Json(value));
    }
}

TEST_P(DocumentWriterTest, NestsAndSeparates) {
    const Json value = written(GetParam(), [](auto& out) {
        out.list(3);
        out.map(2);
        out.key("a");
        out.null();
        out.key("b");
        out.list(0);
        out.end();
        out.end();
        out.flag(false);
        out.text("t");
        out.end();
    });
    EXPECT_EQ(value.dump(), R"([{"a":null,"b":[]},false,"t"])");
}

TEST(DocumentWriter, BytesThatAreNoTextAreReplacedInJson) {
    const Json value = written(Encoding::json, [](auto& out) { out.text("a\xff"); });
    EXPECT_EQ(value, Json("a\xef\xbf\xbd"));
}

INSTANTIATE_TEST_SUITE_P(Encodings, DocumentWriterTest,
                         ::testing::Values(Encoding::json, Encoding::msgpack),
                         [](const auto& each) {
                             return each.param == Encoding::json ? "json" : "msgpack";
                         });

}  // namespace
}  // namespace scanmq::service
