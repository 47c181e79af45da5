#pragma once
// DocumentWriter: writes a document straight into bytes, as JSON text or msgpack, without a tree in
//                 between: results are written once for every job.
//
// Use:     map(2); key("a"); count(1); key("b"); list(0); end(); end(); take();
// Errors:  none; a number that is not finite becomes null, bytes that are no UTF-8 are replaced in
//          JSON.
// Threads: one.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scanner/service/codec.hpp"

namespace scanmq::service {

class DocumentWriter {
  public:
    explicit DocumentWriter(Encoding encoding) : json_(encoding == Encoding::json) {}

    // Followed by exactly that many entries (key and value) or elements, and end().
    void map(std::size_t entries);
    void list(std::size_t elements);
    void end();
    void key(std::string_view name);

    void text(std::string_view value);
    void number(double value);
    void integer(std::int64_t value);
    void count(std::uint64_t value);
    void flag(bool value);
    void null();

    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    struct Open {
        char close{};
        bool first{true};
    };
    void separate();
    void string(std::string_view value);
    void json_string(std::string_view value);
    void head(std::size_t size, unsigned char fix, std::size_t fix_max, unsigned char wide16,
              unsigned char wide32);
    void big_endian(std::uint64_t value, std::size_t bytes);  // its lowest 1 to 8 bytes

    bool json_;
    bool after_key_{};
    std::vector<Open> open_;  // JSON only
    std::string out_;
};

}  // namespace scanmq::service
