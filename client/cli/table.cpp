#include "client/cli/table.hpp"

#include <algorithm>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"

namespace scanmq::cli {
namespace {

// Characters, not bytes, of UTF-8 text.
std::size_t shown_width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
    SCANMQ_ASSERT(cells.size() == columns_.size());
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back(std::move(cells));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        std::size_t width = shown_width(columns_[c].title);
        for (const auto& row : rows_) width = std::max(width, shown_width(row[c]));
        widths.push_back(width);
    }
    std::string out;
    const auto add_line = [&](const auto& cell_of) {
        std::string line;
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            const std::string& cell = cell_of(c);
            const std::string padding(widths[c] - shown_width(cell), ' ');
            if (c > 0) line += "  ";
            line += columns_[c].align == Align::right ? padding + cell : cell + padding;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    };
    add_line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
    for (const auto& row : rows_) {
        add_line([&](std::size_t c) -> const std::string& { return row[c]; });
    }
    return out;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
    return digits;
}

std::string printable(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20U || c == 0x7f) c = '?';
    }
    if (printable_utf8(out)) return out;
    for (char& c : out) {
        if (static_cast<unsigned char>(c) > 0x7eU) c = '?';
    }
    return out;
}

}  // namespace scanmq::cli
