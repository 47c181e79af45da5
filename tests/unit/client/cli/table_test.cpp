#include "client/cli/table.hpp"

#include <gtest/gtest.h>

namespace scanmq::cli {
namespace {

TEST(Table, AlignsColumnsByCharacters) {
    Table table({{"name"}, {"jobs", Align::right}, {"note"}});
    table.add({"a", "12", ""});
    table.add({"größe", "1,234", "x"});
    EXPECT_EQ(table.text(),
              "name    jobs  note\n"
              "a         12\n"
              "größe  1,234  x\n");
}

TEST(Table, HidesControlCharacters) {
    Table table({{"name"}});
    table.add({"evil\x1b[2J"});
    EXPECT_EQ(table.text(), "name\nevil?[2J\n");
}

TEST(Table, GroupsDigits) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(1234567890), "1,234,567,890");
}

}  // namespace
}  // namespace scanmq::cli
