#include <gtest/gtest.h>

#include "common/protocol/codec.hpp"

namespace scanmq::protocol {
namespace {

TEST(Subjects, Grammar) {
    EXPECT_TRUE(valid_subject(""));
    EXPECT_TRUE(valid_subject("SPY.iron_condor"));
    EXPECT_TRUE(valid_subject("BRK/B.vertical"));
    for (const char* bad : {".", "a.", ".a", "a..b", "a b", "*", "a.>", "a*b", "caf\xc3\xa9"})
        EXPECT_FALSE(valid_subject(bad)) << bad;
    EXPECT_FALSE(valid_subject(std::string(kLimits.subject_bytes_max + 1, 'a')));
}

TEST(Subjects, PatternGrammar) {
    for (const char* good : {">", "*", "a", "a.*", "*.b", "a.>", "*.*.>"})
        EXPECT_TRUE(valid_pattern(good)) << good;
    for (const char* bad : {"", ">.a", "a.>.b", "a>", "a*", "a..b", " "})
        EXPECT_FALSE(valid_pattern(bad)) << bad;
}

TEST(Subjects, Matching) {
    EXPECT_TRUE(subject_matches(">", ""));
    EXPECT_TRUE(subject_matches(">", "a.b"));
    EXPECT_TRUE(subject_matches("a.b", "a.b"));
    EXPECT_FALSE(subject_matches("a.b", "a"));
    EXPECT_FALSE(subject_matches("a", "a.b"));
    EXPECT_TRUE(subject_matches("a.*", "a.b"));
    EXPECT_FALSE(subject_matches("a.*", "a"));
    EXPECT_FALSE(subject_matches("a.*", "a.b.c"));
    EXPECT_TRUE(subject_matches("a.>", "a.b.c"));
    EXPECT_FALSE(subject_matches("a.>", "a"));
    EXPECT_FALSE(subject_matches("*", ""));
    EXPECT_TRUE(subject_matches("*.x", "a.x"));
}

TEST(QueueNames, Grammar) {
    EXPECT_TRUE(valid_queue_name("scans"));
    EXPECT_TRUE(valid_queue_name("desk-1.scans:eu_2"));
    EXPECT_FALSE(valid_queue_name(""));
    EXPECT_FALSE(valid_queue_name("a b"));
    EXPECT_FALSE(valid_queue_name("a/b"));
    EXPECT_FALSE(valid_queue_name(std::string(kLimits.queue_bytes_max + 1, 'q')));
}

}  // namespace
}  // namespace scanmq::protocol
