#include "broker/store/materialiser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/model_state_store.hpp"
#include "tests/unit/broker/store/list_log.hpp"
#include "tests/unit/broker/store/record_maker.hpp"

namespace scanmq::broker {
namespace {

std::multiset<std::string> loaded(StateStore& store) {
    RowLines lines;
    const auto done = load(store, lines);
    EXPECT_TRUE(done.ok()) << done.error().sentence;
    return lines.lines;
}

// Writes after so many records.
void apply(StateStore& store, const std::vector<MadeRecord>& records, std::size_t each) {
    Materialiser materialiser(store);
    std::size_t added = 0;
    const auto write = [&] {
        for (;;) {
            const auto written = materialiser.write();
            ASSERT_TRUE(written.ok()) << written.error().sentence;
            if (!written->more) return;
        }
    };
    for (const MadeRecord& record : records) {
        const auto done = materialiser.add(record.view());
        ASSERT_TRUE(done.ok()) << done.error().sentence;
        if (++added % each == 0) write();
    }
    write();
}

class MaterialiserSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(MaterialiserSeeds, TablesDoNotDependOnWhenTheyWereWritten) {
    RecordMaker maker(GetParam());
    for (int i = 0; i < 600; ++i) {
        maker.step();
        if (i % 50 == 49) maker.late_record();
    }
    ModelStateStore one_by_one;
    apply(one_by_one, maker.records(), 1);
    ModelStateStore at_once;
    apply(at_once, maker.records(), maker.records().size() + 1);
    ModelStateStore in_parts;
    apply(in_parts, maker.records(), 17);
    for (std::size_t i = 0; i < kTables; ++i) {
        const auto table = static_cast<Table>(i);
        EXPECT_EQ(one_by_one.rows(table), at_once.rows(table)) << name_of(table);
        EXPECT_EQ(one_by_one.rows(table), in_parts.rows(table)) << name_of(table);
    }
    EXPECT_EQ(loaded(at_once), maker.expected());
}

INSTANTIATE_TEST_SUITE_P(Seeds, MaterialiserSeeds, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace scanmq::broker
