#pragma once
// Reader: walks a Tape field by field and remembers the first thing that was wrong.
//
// Use:     Record frame = r.enter("frame"); auto n = r.uint(frame, "seq"); ...; r.leave(frame);
// Errors:  sticky: after the first failure reads return defaults; check ok() in loops and at the
//          end.

#include <string>

#include "common/protocol/limits.hpp"
#include "common/protocol/messages.hpp"
#include "common/protocol/tape.hpp"

namespace scanmq::protocol {

// An array being read: how many of its elements are left.
struct Record {
    std::uint32_t left{};
};

class Reader {
  public:
    Reader(const Tape& tape, const Limits& limits) : lexemes_(tape.lexemes()), limits_(limits) {}

    [[nodiscard]] bool ok() const noexcept { return code_ == ErrorCode::none; }
    [[nodiscard]] ErrorCode code() const noexcept { return code_; }
    [[nodiscard]] const std::string& sentence() const noexcept { return sentence_; }
    [[nodiscard]] const Limits& limits() const noexcept { return limits_; }

    // The whole tape as a record.
    Record root();
    // A nested array as a record.
    Record enter(Record& in, const char* field);
    // A nested array of at most `max` items.
    std::uint32_t items(Record& in, const char* field, std::uint32_t max, const char* limit);
    Record item(const char* field);
    // Skips what is left of a record.
    void leave(Record& record);

    std::uint64_t uint(Record& in, const char* field, std::uint64_t max = ~0ULL);
    std::int64_t sint(Record& in, const char* field);
    bool boolean(Record& in, const char* field);
    bool nil(Record& in);  // consumes a nil when the next element is one
    std::string_view str(Record& in, const char* field, std::size_t max, const char* limit);
    // A str that must be UTF-8 without control characters: it ends up in logs and terminals.
    std::string text(Record& in, const char* field, std::size_t max, const char* limit);
    std::string_view text_view(Record& in, const char* field, std::size_t max, const char* limit);
    ByteView bin(Record& in, const char* field, std::size_t max, const char* limit);
    template <class Fixed>
    Fixed fixed(Record& in, const char* field) {
        const ByteView raw = bin(in, field, Fixed::kSize, "its size");
        if (!ok()) return {};
        if (raw.size() != Fixed::kSize) {
            refuse(ErrorCode::malformed, field, "is not of the id's size");
            return {};
        }
        return *Fixed::from_bytes(raw);
    }
    Body body(Record& in, const char* field);
    Credit credit(Record& in, const char* field);
    // Enters a map and returns its pairs; read each with key_uint/key_str and then a value.
    std::uint32_t map(Record& in, const char* field);
    std::string_view key_str(const char* field);
    std::uint64_t key_uint(const char* field);
    // A record of one element, for reading a map's value with the functions above.
    static Record value() { return {1}; }
    void skip_value();
    [[nodiscard]] LexemeType peek() const noexcept {
        return pos_ < lexemes_.size() ? lexemes_[pos_].type : LexemeType::nil;
    }

    void refuse(ErrorCode code, const char* field, std::string_view why);
    void set_index(std::uint32_t index) noexcept { index_ = index; }

  private:
    const Lexeme* take(Record& in, const char* field, LexemeType type, const char* expected);

    const std::vector<Lexeme>& lexemes_;
    const Limits& limits_;
    std::size_t pos_ = 0;
    std::uint32_t index_ = kNoIndex;
    ErrorCode code_{};
    std::string sentence_;

    static constexpr std::uint32_t kNoIndex = 0xffffffffU;
};

}  // namespace scanmq::protocol
