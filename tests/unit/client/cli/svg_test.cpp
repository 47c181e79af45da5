#include "client/cli/svg.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace scanmq::cli {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST(Svg, TicksAreRoundAndCoverTheRange) {
    EXPECT_EQ(nice_ticks(0.0, 10.0, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
    EXPECT_EQ(nice_ticks(-1.0, 7.0, 4), (std::vector<double>{-2, 0, 2, 4, 6, 8}));
    for (const auto& [low, high] : {std::pair{3912.0, 4688.0}, std::pair{-0.0031, 0.0012},
                                    std::pair{1e-7, 3e-7}, std::pair{-5e8, 2e9}}) {
        const auto ticks = nice_ticks(low, high, 6);
        ASSERT_GE(ticks.size(), 3U);
        ASSERT_LE(ticks.size(), 14U);
        const double step = ticks[1] - ticks[0];
        EXPECT_LE(ticks.front(), low);
        EXPECT_GE(ticks.back(), high);
        const double digits = step / std::pow(10.0, std::floor(std::log10(step) + 1e-9));
        EXPECT_TRUE(std::fabs(digits - 1.0) < 1e-6 || std::fabs(digits - 2.0) < 1e-6 ||
                    std::fabs(digits - 2.5) < 1e-6 || std::fabs(digits - 5.0) < 1e-6)
            << step;
    }
}

TEST(Svg, TickTextsHaveTheDecimalsOfTheirStep) {
    EXPECT_EQ(tick_text(4500.0, 250.0), "4,500");
    EXPECT_EQ(tick_text(-1234567.0, 1.0), "-1,234,567");
    EXPECT_EQ(tick_text(0.25, 0.05), "0.25");
    EXPECT_EQ(tick_text(2.5, 2.5), "2.5");
    EXPECT_EQ(tick_text(-0.0, 0.5), "0.0");
    EXPECT_EQ(tick_text(-100.0, 50.0), "-100");
}

TEST(Svg, TextIsEscaped) {
    EXPECT_EQ(escape_xml("a<b & \"c\">\x01"), "a&lt;b &amp; &quot;c&quot;&gt;?");
    Chart chart({"<script>", "&", "\x1b", "y"});
    chart.add_line({{0, 0}, {1, 1}}, Ink::first, "</svg>");
    chart.add_mark(0.5, Ink::quiet, "<mark>");
    const std::string text = svg_document(std::span(&chart, 1), 1);
    EXPECT_FALSE(has(text, "<script>"));
    EXPECT_FALSE(has(text, "<mark>"));
    EXPECT_FALSE(has(text, "\x1b"));
    EXPECT_EQ(text.find("</svg>"), text.size() - 7);
}

TEST(Svg, PointsThatAreNoNumbersBreakALine) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    Chart chart({"t", "", "x", "y"});
    chart.add_line({{0, 0}, {1, 1}, {2, nan}, {3, 3}, {4, infinity}, {5, 5}}, Ink::first);
    chart.add_dots({{nan, 1}, {1, 1}}, Ink::gain);
    const std::string text = svg_document(std::span(&chart, 1), 1);
    EXPECT_FALSE(has(text, "nan"));
    EXPECT_FALSE(has(text, "inf"));
    const auto path = text.substr(text.find(" d=\""));
    EXPECT_EQ(std::count(path.begin(), path.begin() + static_cast<long>(path.find("/>")), 'M'), 3);
}

TEST(Svg, EmptyAndConstantChartsStillHaveAxes) {
    for (const std::vector<Point>& points :
         {std::vector<Point>{}, {{100, 5}}, {{0, 0}, {0, 0}}, {{1e9, -1e-300}}}) {
        Chart chart({"t", "", "x", "y"});
        chart.add_line(points, Ink::first);
        const std::string text = svg_document(std::span(&chart, 1), 1);
        EXPECT_TRUE(has(text, "class=\"axis\""));
        EXPECT_FALSE(has(text, "nan"));
        EXPECT_FALSE(has(text, "inf"));
    }
}

TEST(Svg, ChartsStandInColumns) {
    const std::vector<Chart> charts(3, Chart({"t", "", "x", "y"}));
    const std::string text = svg_document(charts, 2);
    EXPECT_TRUE(has(text, "viewBox=\"0 0 1440 900\""));
    EXPECT_TRUE(has(text, "translate(720.0 0.0)"));
    EXPECT_TRUE(has(text, "translate(0.0 450.0)"));
    EXPECT_TRUE(has(text, "prefers-color-scheme: dark"));
}

TEST(Svg, AreasReachTheZeroLine) {
    Chart chart({"t", "", "x", "y"});
    chart.add_area({{0, 2}, {1, 4}}, Ink::gain, "profit");
    const std::string text = svg_document(std::span(&chart, 1), 1);
    EXPECT_TRUE(has(text, "<polygon class=\"area gain-fill\""));
    EXPECT_TRUE(has(text, "profit"));
}

}  // namespace
}  // namespace scanmq::cli
