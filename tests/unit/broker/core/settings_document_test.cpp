// docs/PROTOCOL.md, section 10, and kQueueSettings are the same table.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include "broker/core/queue_settings.hpp"

namespace scanmq::broker {
namespace {

std::string section_ten() {
    std::ifstream in(std::string(SCANMQ_SOURCE_DIR) + "/docs/PROTOCOL.md");
    std::stringstream all;
    all << in.rdbuf();
    const std::string text = all.str();
    const auto begin = text.find("\n## 10.");
    const auto end = text.find("\n## ", begin + 1);
    return begin == std::string::npos ? std::string() : text.substr(begin, end - begin);
}

// "1,073,741,824" or "2^40".
std::uint64_t number(std::string text) {
    text.erase(std::remove(text.begin(), text.end(), ','), text.end());
    if (text.starts_with("2^")) return 1ULL << std::stoul(text.substr(2));
    return std::stoull(text);
}

TEST(QueueSettingsDocument, TheTableIsTheCodes) {
    // | setting | unit | default | meaning ... least … most, which end the meaning |
    const std::regex row(R"(\n\| (\w+) \| [^|]+ \| ([\d,]+) \| [^|]*?([\d,^]+) … ([\d,^]+)\.? \|)");
    const std::string text = section_ten();
    std::size_t i = 0;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), row);
         it != std::sregex_iterator(); ++it, ++i) {
        ASSERT_LT(i, kQueueSettings.size());
        const QueueSetting& setting = kQueueSettings[i];
        EXPECT_EQ((*it)[1].str(), setting.name);
        EXPECT_EQ(number((*it)[2]), QueueSettings{}.*(setting.value)) << setting.name;
        EXPECT_EQ(number((*it)[3]), setting.least) << setting.name;
        EXPECT_EQ(number((*it)[4]), setting.most) << setting.name;
    }
    EXPECT_EQ(i, kQueueSettings.size()) << "the first row that differs or has no range";
}

}  // namespace
}  // namespace scanmq::broker
