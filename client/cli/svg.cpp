#include "client/cli/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

namespace scanmq::cli {
namespace {

constexpr double kWidth = 720.0;  // of one chart
constexpr double kHeight = 450.0;
constexpr double kLeft = 72.0;  // room for labels around the plot
constexpr double kRight = 20.0;
constexpr double kTop = 114.0;
constexpr double kBottom = 52.0;
constexpr double kCharacter = 6.2;  // about the width of one at 11 pixels

constexpr std::string_view kHead = R"(<style>
.page { fill: #ffffff }
text { font: 11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #3c4043 }
.title { font-size: 15px; font-weight: 600; fill: #202124 }
.over { stroke: #ffffff; stroke-width: 4; stroke-linejoin: round; paint-order: stroke }
.grid { stroke: #e3e6ea; stroke-width: 1 }
.axis { stroke: #80868b; stroke-width: 1 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.dash { stroke-dasharray: 5 4; stroke-width: 1.3 }
.first { stroke: #1a5fb4 } .first-fill { fill: #1a5fb4 }
.second { stroke: #b3541e } .second-fill { fill: #b3541e }
.gain { stroke: #1e7d4f } .gain-fill { fill: #1e7d4f }
.loss { stroke: #b3261e } .loss-fill { fill: #b3261e }
.quiet { stroke: #80868b } .quiet-fill { fill: #80868b }
.area { fill-opacity: 0.16 }
.dot { fill-opacity: 0.75 }
@media (prefers-color-scheme: dark) {
.page { fill: #16181c }
text { fill: #c4c7cc }
.title { fill: #f1f3f4 }
.over { stroke: #16181c }
.grid { stroke: #2c3036 }
.axis, .quiet { stroke: #8b9198 } .quiet-fill { fill: #8b9198 }
.first { stroke: #78aef5 } .first-fill { fill: #78aef5 }
.second { stroke: #f0a36b } .second-fill { fill: #f0a36b }
.gain { stroke: #63c793 } .gain-fill { fill: #63c793 }
.loss { stroke: #f28b82 } .loss-fill { fill: #f28b82 }
}
</style>
)";

std::string_view class_of(Ink ink) {
    constexpr std::array<std::string_view, 5> kNames = {"first", "second", "gain", "loss", "quiet"};
    return kNames[static_cast<std::size_t>(ink)];
}

bool finite(const Point& point) { return std::isfinite(point.x) && std::isfinite(point.y); }

struct Span {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();

    void include(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
    // Never empty: axes need a length.
    void settle() {
        if (!(low <= high)) {
            low = 0.0;
            high = 1.0;
        }
        // Under a billionth of the values, ticks could not be told apart.
        const double least = 1e-9 * std::max({std::fabs(low), std::fabs(high), 1e-9});
        if (high - low >= least) return;
        const double middle = 0.5 * (low + high);
        const double room = std::max(std::fabs(middle) * 0.05, 0.5e-9);
        low = middle - room;
        high = middle + room;
    }
};

}  // namespace

std::vector<double> nice_ticks(double low, double high, int wanted) {
    const double rough = (high - low) / wanted;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    double step = 10.0 * power;
    for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
        if (factor * power < rough * (1.0 - 1e-9)) continue;
        step = factor * power;
        break;
    }
    std::vector<double> out;
    const double first = std::floor(low / step + 1e-9);
    const double last = std::ceil(high / step - 1e-9);
    for (double i = first; i <= last; ++i) out.push_back(i * step);
    return out;
}

std::string tick_text(double value, double step) {
    int places = 0;
    for (double scaled = step; places < 9 && std::fabs(scaled - std::round(scaled)) > 1e-6 * scaled;
         scaled *= 10.0) {
        ++places;
    }
    std::string text = fmt::format("{:.{}f}", value == 0.0 ? 0.0 : value, places);
    const auto point = std::min(text.find('.'), text.size());
    const std::size_t first = text[0] == '-' ? 1 : 0;
    for (std::size_t at = point; at > first + 3;) text.insert(at -= 3, ",");
    return text;
}

std::string escape_xml(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += static_cast<unsigned char>(c) < 0x20U || c == 0x7f ? '?' : c;
        }
    }
    return out;
}

// Where values lie on the page, and the text drawn so far.
class Chart::Canvas {
  public:
    Canvas(const Chart& chart, double width, double height)
        : right_(width - kRight), bottom_(height - kBottom) {
        for (const Series& series : chart.series_) {
            for (const Point& point : series.points) {
                if (!finite(point)) continue;
                x_.include(point.x);
                y_.include(point.y);
            }
        }
        if (chart.x_limits_.first < chart.x_limits_.second) {
            x_ = {chart.x_limits_.first, chart.x_limits_.second};
        }
        if (chart.zero_) y_.include(0.0);
        x_.settle();
        y_.settle();
        x_ticks_ = nice_ticks(x_.low, x_.high, 8);
        y_ticks_ = nice_ticks(y_.low, y_.high, 6);
        y_ = {y_ticks_.front(), y_ticks_.back()};
        // The x axis ends with the data: a curve that stops short of it would look cut off.
        std::erase_if(x_ticks_, [&](double tick) { return tick < x_.low || tick > x_.high; });
    }

    template <class... Args>
    void draw(fmt::format_string<Args...> format, Args&&... args) {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        out_ += '\n';
    }
    [[nodiscard]] double at_x(double x) const {
        return kLeft + (x - x_.low) / (x_.high - x_.low) * (right_ - kLeft);
    }
    [[nodiscard]] double at_y(double y) const {
        return bottom_ - (y - y_.low) / (y_.high - y_.low) * (bottom_ - kTop);
    }
    [[nodiscard]] bool shows(double x) const { return x >= x_.low && x <= x_.high; }

    void axes(const Titles& titles, bool zero) {
        const double y_step = y_ticks_[1] - y_ticks_[0];
        for (const double tick : y_ticks_) {
            const double y = at_y(tick);
            draw(R"x(<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)x", kLeft,
                 y, right_, y);
            draw(R"x(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)x", kLeft - 8.0,
                 y + 4.0, tick_text(tick, y_step));
        }
        const double x_step = x_ticks_.size() > 1 ? x_ticks_[1] - x_ticks_[0] : 1.0;
        for (const double tick : x_ticks_) {
            const double x = at_x(tick);
            draw(R"x(<line class="axis" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)x", x,
                 bottom_, x, bottom_ + 4.0);
            draw(R"x(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)x", x,
                 bottom_ + 18.0, tick_text(tick, x_step));
        }
        draw(R"x(<line class="axis" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)x", kLeft,
             bottom_, right_, bottom_);
        if (zero) {
            draw(R"x(<line class="axis" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)x", kLeft,
                 at_y(0.0), right_, at_y(0.0));
        }
        draw(R"x(<text class="title" x="{:.1f}" y="22">{}</text>)x", kLeft - 56.0,
             escape_xml(titles.title));
        draw(R"x(<text x="{:.1f}" y="40">{}</text>)x", kLeft - 56.0, escape_xml(titles.subtitle));
        draw(R"x(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)x",
             0.5 * (kLeft + right_), bottom_ + 40.0, escape_xml(titles.x));
        const double middle = 0.5 * (kTop + bottom_);
        draw(
            R"x(<text x="14" y="{0:.1f}" text-anchor="middle" transform="rotate(-90 14 {0:.1f})">{1}</text>)x",
            middle, escape_xml(titles.y));
    }

    void line(const Series& series) {
        std::string path;
        bool pen_down = false;
        for (const Point& point : series.points) {
            if (!finite(point) || !shows(point.x)) {
                pen_down = false;
                continue;
            }
            fmt::format_to(std::back_inserter(path), "{}{:.2f} {:.2f}", pen_down ? "L" : "M",
                           at_x(point.x), at_y(point.y));
            pen_down = true;
        }
        draw(R"x(<path class="line {}{}" d="{}"/>)x", class_of(series.ink),
             series.dashed ? " dash" : "", path);
    }
    void dots(const Series& series) {
        for (const Point& point : series.points) {
            if (!finite(point) || !shows(point.x)) continue;
            draw(R"x(<circle class="dot {}-fill" cx="{:.2f}" cy="{:.2f}" r="2.4"/>)x",
                 class_of(series.ink), at_x(point.x), at_y(point.y));
        }
    }
    void area(const Series& series) {
        std::string corners;
        std::array<double, 2> ends{};
        for (const Point& point : series.points) {
            if (!finite(point) || !shows(point.x)) continue;
            if (corners.empty()) ends[0] = at_x(point.x);
            ends[1] = at_x(point.x);
            fmt::format_to(std::back_inserter(corners), "{:.2f},{:.2f} ", at_x(point.x),
                           at_y(point.y));
        }
        if (corners.empty()) return;
        draw(R"x(<polygon class="area {}-fill" points="{}{:.2f},{:.2f} {:.2f},{:.2f}"/>)x",
             class_of(series.ink), corners, ends[1], at_y(0.0), ends[0], at_y(0.0));
    }

    // Texts that would run into the one before take the next of three lines.
    void marks(const std::vector<Mark>& marks) {
        std::array<double, 3> ends;
        ends.fill(-1e9);
        std::string texts;
        for (const Mark& mark : marks) {
            if (!shows(mark.x)) continue;
            const double x = at_x(mark.x);
            const double half = 0.5 * kCharacter * static_cast<double>(mark.text.size());
            std::size_t row = 0;
            while (row + 1 < ends.size() && x - half < ends[row] + 8.0) ++row;
            ends[row] = x + half;
            const double y = kTop - 33.0 + 14.0 * static_cast<double>(row);
            draw(R"x(<line class="{}{}" x1="{:.2f}" y1="{:.1f}" x2="{:.2f}" y2="{:.1f}"/>)x",
                 class_of(mark.ink), mark.dashed ? " dash" : "", x, y + 3.0, x, bottom_);
            fmt::format_to(
                std::back_inserter(texts),
                R"x(<text class="over" x="{:.2f}" y="{:.1f}" text-anchor="middle">{}</text>)x"
                "\n",
                std::clamp(x, kLeft, right_ - half), y, escape_xml(mark.text));
        }
        out_ += texts;  // over all lines
    }
    void legend(const std::vector<Series>& all) {
        double x = kLeft;
        for (const Series& series : all) {
            if (series.name.empty()) continue;
            const auto ink = class_of(series.ink);
            if (series.kind == Kind::line) {
                draw(R"x(<line class="line {}{}" x1="{:.1f}" y1="57" x2="{:.1f}" y2="57"/>)x", ink,
                     series.dashed ? " dash" : "", x, x + 18.0);
            } else {
                draw(
                    R"x(<rect class="{}{}-fill" x="{:.1f}" y="52" width="10" height="10" rx="2"/>)x",
                    series.kind == Kind::area ? "area " : "", ink, x + 4.0);
            }
            draw(R"x(<text x="{:.1f}" y="61">{}</text>)x", x + 23.0, escape_xml(series.name));
            x += 40.0 + kCharacter * static_cast<double>(series.name.size());
        }
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    double right_;
    double bottom_;
    Span x_;
    Span y_;
    std::vector<double> x_ticks_;
    std::vector<double> y_ticks_;
    std::string out_;
};

void Chart::add_line(std::vector<Point> points, Ink ink, std::string name, bool dashed) {
    series_.push_back({Kind::line, std::move(points), ink, std::move(name), dashed});
}
void Chart::add_dots(std::vector<Point> points, Ink ink, std::string name) {
    series_.push_back({Kind::dots, std::move(points), ink, std::move(name), false});
}
void Chart::add_area(std::vector<Point> points, Ink ink, std::string name) {
    series_.push_back({Kind::area, std::move(points), ink, std::move(name), false});
    zero_ = true;
}
void Chart::add_mark(double x, Ink ink, std::string text, bool dashed) {
    marks_.push_back({x, ink, std::move(text), dashed});
}

std::string Chart::group(double x, double y, double width, double height) const {
    Canvas canvas(*this, width, height);
    canvas.draw(R"x(<g transform="translate({:.1f} {:.1f})">)x", x, y);
    canvas.axes(titles_, zero_);
    for (const Series& series : series_) {
        if (series.kind == Kind::area) canvas.area(series);
    }
    std::vector<Mark> marks = marks_;
    std::stable_sort(marks.begin(), marks.end(),
                     [](const Mark& a, const Mark& b) { return a.x < b.x; });
    canvas.marks(marks);
    for (const Series& series : series_) {
        if (series.kind == Kind::dots) canvas.dots(series);
    }
    for (const Series& series : series_) {
        if (series.kind == Kind::line) canvas.line(series);
    }
    canvas.legend(series_);
    canvas.draw("</g>");
    return canvas.take();
}

std::string svg_document(std::span<const Chart> charts, std::size_t columns) {
    columns = std::clamp<std::size_t>(columns, 1, std::max<std::size_t>(charts.size(), 1));
    const std::size_t rows = (charts.size() + columns - 1) / columns;
    const double width = kWidth * static_cast<double>(columns);
    const double height = kHeight * static_cast<double>(std::max<std::size_t>(rows, 1));
    std::string out = fmt::format(
        R"x(<svg xmlns="http://www.w3.org/2000/svg" width="{0:g}" height="{1:g}" viewBox="0 0 {0:g} {1:g}" role="img">)x"
        "\n",
        width, height);
    out += kHead;
    out += R"(<rect class="page" width="100%" height="100%"/>)"
           "\n";
    for (std::size_t i = 0; i < charts.size(); ++i) {
        const std::size_t row = i / columns;
        const std::size_t column = i % columns;
        out += charts[i].group(kWidth * static_cast<double>(column),
                               kHeight * static_cast<double>(row), kWidth, kHeight);
    }
    return out + "</svg>\n";
}

}  // namespace scanmq::cli
