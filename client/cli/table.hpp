#pragma once
// Table: rows of text in aligned columns, for people.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/time.hpp"

namespace scanmq::cli {

enum class Align : std::uint8_t { left, right };

struct Column {
    std::string title;
    Align align = Align::left;
};

class Table {
  public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // Precondition: as many cells as columns. Control characters are shown as '?'.
    void add(std::vector<std::string> cells);
    // A line of titles, then one per row, each ending in a line feed; columns two blanks apart.
    [[nodiscard]] std::string text() const;

  private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);
// What is safe to show on a terminal: control characters become '?'.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace scanmq::cli
