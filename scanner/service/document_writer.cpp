#include "scanner/service/document_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>

#include "scanner/service/document.hpp"

namespace scanmq::service {
namespace {

// Printable ASCII that JSON takes as it is.
bool is_plain(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

}  // namespace

void DocumentWriter::big_endian(std::uint64_t value, std::size_t bytes) {
    std::array<char, 8> raw;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        raw[i] = static_cast<char>(value >> (8 * (raw.size() - 1 - i)) & 0xff);
    }
    out_.append(raw.data() + raw.size() - bytes, bytes);
}

// The head of a msgpack map, list or text.
void DocumentWriter::head(std::size_t size, unsigned char fix, std::size_t fix_max,
                          unsigned char wide16, unsigned char wide32) {
    if (size <= fix_max) {
        out_ += static_cast<char>(fix | size);
    } else if (size <= 0xffff) {
        out_ += static_cast<char>(wide16);
        big_endian(size, 2);
    } else {
        out_ += static_cast<char>(wide32);
        big_endian(size, 4);
    }
}

// JSON: the comma before an element. Called before every value and key.
void DocumentWriter::separate() {
    if (!json_ || open_.empty()) return;
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (!open_.back().first) out_ += ',';
    open_.back().first = false;
}

void DocumentWriter::map(std::size_t entries) {
    separate();
    if (!json_) return head(entries, 0x80, 15, 0xde, 0xdf);
    out_ += '{';
    open_.push_back({'}'});
}

void DocumentWriter::list(std::size_t elements) {
    separate();
    if (!json_) return head(elements, 0x90, 15, 0xdc, 0xdd);
    out_ += '[';
    open_.push_back({']'});
}

void DocumentWriter::end() {
    if (!json_) return;
    out_ += open_.back().close;
    open_.pop_back();
}

void DocumentWriter::json_string(std::string_view value) {
    if (!is_plain(value)) {
        out_ += print_document(Json(value), Encoding::json);
        return;
    }
    out_ += '"';
    out_ += value;
    out_ += '"';
}

void DocumentWriter::string(std::string_view value) {
    if (json_) return json_string(value);
    if (value.size() > 31 && value.size() <= 0xff) {
        out_ += '\xd9';
        big_endian(value.size(), 1);
    } else {
        head(value.size(), 0xa0, 31, 0xda, 0xdb);
    }
    out_ += value;
}

void DocumentWriter::key(std::string_view name) {
    separate();
    string(name);
    if (json_) {
        out_ += ':';
        after_key_ = true;
    }
}

void DocumentWriter::text(std::string_view value) {
    separate();
    string(value);
}

void DocumentWriter::number(double value) {
    if (!std::isfinite(value)) return null();
    separate();
    if (json_) {
        fmt::format_to(std::back_inserter(out_), "{}", value);
    } else {
        out_ += '\xcb';
        big_endian(std::bit_cast<std::uint64_t>(value), 8);
    }
}

void DocumentWriter::integer(std::int64_t value) {
    if (value >= 0) return count(static_cast<std::uint64_t>(value));
    separate();
    if (json_) {
        fmt::format_to(std::back_inserter(out_), "{}", value);
    } else {
        out_ += '\xd3';
        big_endian(static_cast<std::uint64_t>(value), 8);
    }
}

void DocumentWriter::count(std::uint64_t value) {
    separate();
    if (json_) {
        fmt::format_to(std::back_inserter(out_), "{}", value);
    } else if (value <= 0x7f) {
        big_endian(value, 1);
    } else if (value <= 0xffff'ffff) {
        out_ += '\xce';
        big_endian(value, 4);
    } else {
        out_ += '\xcf';
        big_endian(value, 8);
    }
}

void DocumentWriter::flag(bool value) {
    separate();
    if (json_) {
        out_ += value ? "true" : "false";
    } else {
        out_ += value ? '\xc3' : '\xc2';
    }
}

void DocumentWriter::null() {
    separate();
    if (json_) {
        out_ += "null";
    } else {
        out_ += '\xc0';
    }
}

}  // namespace scanmq::service
