#include "common/base/nearest.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace scanmq {
namespace {

constexpr std::array<std::string_view, 4> kKnown = {"delta", "dte", "liquidity", "width"};

TEST(NearestName, CountsInsertionsDeletionsAndChanges) {
    EXPECT_EQ(nearest_name("detla", kKnown), "delta");
    EXPECT_EQ(nearest_name("liquidty", kKnown), "liquidity");
    EXPECT_EQ(nearest_name("widths", kKnown), "width");
    EXPECT_EQ(nearest_name("dte", kKnown), "dte");
}

TEST(NearestName, FirstOfEqualsAndEmptyLists) {
    EXPECT_EQ(nearest_name("", kKnown), "dte");
    EXPECT_EQ(nearest_name("x", std::array<std::string_view, 2>{"a", "b"}), "a");
    EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(NearestName, LongNamesAreCut) {
    EXPECT_EQ(nearest_name("width" + std::string(100'000, 'h'), kKnown).empty(), false);
}

}  // namespace
}  // namespace scanmq
