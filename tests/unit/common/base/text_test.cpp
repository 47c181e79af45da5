#include "common/base/text.hpp"

#include <gtest/gtest.h>

namespace scanmq {
namespace {

TEST(PrintableUtf8, TakesTextAndNothingElse) {
    EXPECT_TRUE(printable_utf8(""));
    EXPECT_TRUE(printable_utf8("plain, \xc3\xa4, \xe2\x82\xac, \xf0\x9f\x98\x80"));
    for (const char* bad : {"\n", "\x7f", "\xc2\x85", "\x80", "\xc3", "\xe2\x82", "\xc0\xaf",
                            "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
        EXPECT_FALSE(printable_utf8(bad)) << bad;
        EXPECT_FALSE(printable_utf8(std::string("a") + bad + "b")) << bad;
    }
}

TEST(ToPrintable, ReplacesWhatCannotBeShown) {
    EXPECT_EQ(to_printable("a\nb\x1b[0m\xff\xc3", 100), "a b [0m??");
    EXPECT_EQ(to_printable("\xc2\x85|\xed\xa0\x80", 100), " |???");
    EXPECT_EQ(to_printable(std::string("\0x", 2), 100), " x");
}

TEST(ToPrintable, NeverCutsACharacter) {
    const std::string text = "a\xe2\x82\xac";
    EXPECT_EQ(to_printable(text, 4), text);
    EXPECT_EQ(to_printable(text, 3), "a");
    EXPECT_EQ(to_printable(text, 0), "");
    for (std::size_t max = 0; max < 8; ++max) {
        const std::string cut = to_printable("\xff\xe2\x82\xac\xf0\x9f\x98\x80", max);
        EXPECT_LE(cut.size(), max);
        EXPECT_TRUE(printable_utf8(cut));
    }
}

}  // namespace
}  // namespace scanmq
