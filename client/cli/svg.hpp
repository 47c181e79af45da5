#pragma once
// Charts as SVG text: lines, dots and areas over axes with round ticks, readable on a light and on a
// dark page, without scripts, fonts or images from elsewhere.
//
// Use:     Chart chart({...}); chart.add_line(...); svg_document({chart}, 1).
// Values:  points that are not finite break a line and are no dots. A chart without a finite point
//          shows its axes from 0 to 1.
// Text:    escaped; control characters become '?'.
// Threads: values.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace scanmq::cli {

struct Point {
    double x{};
    double y{};
};

// What a mark is drawn as. Colours belong to the roles, one for light and one for dark.
enum class Ink : std::uint8_t { first, second, gain, loss, quiet };

// Rising round numbers (1, 2, 2.5 or 5 times a power of ten apart) that cover [low, high], about
// `wanted` of them. Precondition: finite, low < high, wanted >= 1.
[[nodiscard]] std::vector<double> nice_ticks(double low, double high, int wanted);
// With as many decimals as ticks `step` apart need: "0.25", "4,500".
[[nodiscard]] std::string tick_text(double value, double step);
[[nodiscard]] std::string escape_xml(std::string_view text);

class Chart {
  public:
    struct Titles {
        std::string title;
        std::string subtitle;
        std::string x;
        std::string y;
    };
    explicit Chart(Titles titles) : titles_(std::move(titles)) {}

    // A name makes an entry of the legend.
    void add_line(std::vector<Point> points, Ink ink, std::string name = {}, bool dashed = false);
    void add_dots(std::vector<Point> points, Ink ink, std::string name = {});
    // Between the points and y = 0.
    void add_area(std::vector<Point> points, Ink ink, std::string name = {});
    // Over the chart's whole height, with a text at its top (vertical, when there are many).
    void add_mark(double x, Ink ink, std::string text, bool dashed = true);
    // Keeps the axis to these values in place of what the points span.
    void limit_x(double low, double high) { x_limits_ = {low, high}; }
    // y = 0 is part of the axis, and a line.
    void show_zero() { zero_ = true; }

    // The chart as a group whose top left corner is at (x, y) of the document.
    [[nodiscard]] std::string group(double x, double y, double width, double height) const;

  private:
    enum class Kind : std::uint8_t { line, dots, area };
    struct Series {
        Kind kind{};
        std::vector<Point> points;
        Ink ink{};
        std::string name;
        bool dashed{};
    };
    struct Mark {
        double x{};
        Ink ink{};
        std::string text;
        bool dashed{};
    };
    class Canvas;

    Titles titles_;
    std::vector<Series> series_;
    std::vector<Mark> marks_;
    std::pair<double, double> x_limits_{0.0, 0.0};
    bool zero_ = false;
};

// The charts in rows of `columns`, as the text of a file.
[[nodiscard]] std::string svg_document(std::span<const Chart> charts, std::size_t columns);

}  // namespace scanmq::cli
