// docs/PROTOCOL.md is the contract: its tables and the code's numbers are the same.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "common/protocol/codec.hpp"

namespace scanmq::protocol {
namespace {

std::string section(int number) {
    std::ifstream in(std::string(SCANMQ_SOURCE_DIR) + "/docs/PROTOCOL.md");
    std::stringstream all;
    all << in.rdbuf();
    const std::string text = all.str();
    const auto begin = text.find("\n## " + std::to_string(number) + ".");
    const auto end = text.find("\n## ", begin + 1);
    return begin == std::string::npos ? std::string() : text.substr(begin, end - begin);
}

// Rows "| number | name |" of a section.
std::map<int, std::string> numbered_rows(int number) {
    std::map<int, std::string> rows;
    const std::regex row(R"(\n\| (\d+) \| (\w+) \|)");
    const std::string text = section(number);
    for (auto it = std::sregex_iterator(text.begin(), text.end(), row);
         it != std::sregex_iterator(); ++it)
        rows[std::stoi((*it)[1])] = (*it)[2];
    return rows;
}

TEST(ProtocolDocument, KindsAreTheCodesKinds) {
    const auto rows = numbered_rows(3);
    for (int n = 1; n < 256; ++n) {
        const auto name = to_string(static_cast<Kind>(n));
        const auto row = rows.find(n);
        if (name == "?") {
            // The table of job options shares the section: its rows are lower-case words.
            EXPECT_TRUE(row == rows.end() || std::islower(row->second.front())) << row->second;
            continue;
        }
        const std::string needle = "\n| " + std::to_string(n) + " | " + std::string(name) + " |";
        EXPECT_NE(section(3).find(needle), std::string::npos) << n << " " << name;
    }
}

TEST(ProtocolDocument, ErrorCodesAreTheCodesErrorCodes) {
    const auto rows = numbered_rows(5);
    for (int n = 1; n < 1000; ++n) {
        const auto name = to_string(static_cast<ErrorCode>(n));
        const auto row = rows.find(n);
        EXPECT_EQ(row == rows.end(), name == "?") << n;
        if (row != rows.end()) {
            EXPECT_EQ(row->second, name);
        }
    }
}

TEST(ProtocolDocument, LimitsAreTheCodesLimits) {
    const std::pair<const char*, std::uint64_t> limits[] = {
        {"frame_bytes_max", kLimits.frame_bytes_max},
        {"elements_max", kLimits.elements_max},
        {"depth_max", kLimits.depth_max},
        {"map_keys_max", kLimits.map_keys_max},
        {"inline_bytes_max", kLimits.inline_bytes_max},
        {"name_bytes_max", kLimits.name_bytes_max},
        {"queue_bytes_max", kLimits.queue_bytes_max},
        {"subject_bytes_max", kLimits.subject_bytes_max},
        {"sentence_bytes_max", kLimits.sentence_bytes_max},
        {"items_per_frame_max", kLimits.items_per_frame_max},
        {"inputs_per_job_max", kLimits.inputs_per_job_max},
        {"chunk_bytes", kLimits.chunk_bytes},
        {"blob_bytes_max", kLimits.blob_bytes_max},
        {"blob_puts_per_session_max", kLimits.blob_puts_per_session_max},
        {"blob_gets_per_session_max", kLimits.blob_gets_per_session_max},
        {"item_overhead_bytes", kLimits.item_overhead_bytes},
    };
    std::string text = section(4);
    text.erase(std::remove(text.begin(), text.end(), ','), text.end());
    for (const auto& [name, value] : limits)
        EXPECT_NE(text.find("| " + std::string(name) + " | " + std::to_string(value) + " |"),
                  std::string::npos)
            << name;
}

}  // namespace
}  // namespace scanmq::protocol
