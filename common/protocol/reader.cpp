#include "common/protocol/reader.hpp"

#include <fmt/format.h>

#include "common/base/text.hpp"

namespace scanmq::protocol {

void Reader::refuse(ErrorCode code, const char* field, std::string_view why) {
    if (!ok()) return;
    code_ = code;
    sentence_ = index_ == kNoIndex ? fmt::format("{} {}", field, why)
                                   : fmt::format("item {}: {} {}", index_, field, why);
}

const Lexeme* Reader::take(Record& in, const char* field, LexemeType type, const char* expected) {
    if (!ok()) return nullptr;
    if (in.left == 0) {
        refuse(ErrorCode::malformed, field, "is missing");
        return nullptr;
    }
    const Lexeme& lexeme = lexemes_[pos_];
    if (lexeme.type != type) {
        refuse(ErrorCode::malformed, field, expected);
        return nullptr;
    }
    --in.left;
    ++pos_;
    return &lexeme;
}

Record Reader::root() {
    Record whole{1};
    return enter(whole, "the frame");
}

Record Reader::enter(Record& in, const char* field) {
    const Lexeme* lexeme = take(in, field, LexemeType::array, "is not an array");
    return lexeme ? Record{lexeme->size} : Record{};
}

std::uint32_t Reader::items(Record& in, const char* field, std::uint32_t max, const char* limit) {
    const Lexeme* lexeme = take(in, field, LexemeType::array, "is not an array");
    if (!lexeme) return 0;
    if (lexeme->size > max) {
        refuse(ErrorCode::over_limit, field,
               fmt::format("has {} items, over {} ({})", lexeme->size, limit, max));
        return 0;
    }
    return lexeme->size;
}

Record Reader::item(const char* field) {
    Record one{1};
    return enter(one, field);
}

void Reader::leave(Record& record) {
    for (; ok() && record.left > 0; --record.left) skip_value();
}

void Reader::skip_value() {
    std::uint64_t pending = 1;
    while (ok() && pending > 0 && pos_ < lexemes_.size()) {
        const Lexeme& lexeme = lexemes_[pos_++];
        --pending;
        if (lexeme.type == LexemeType::array) pending += lexeme.size;
        if (lexeme.type == LexemeType::map) pending += 2ULL * lexeme.size;
    }
}

std::uint64_t Reader::uint(Record& in, const char* field, std::uint64_t max) {
    const Lexeme* lexeme = take(in, field, LexemeType::uint, "is not an unsigned integer");
    if (!lexeme) return 0;
    if (lexeme->number > max) {
        refuse(ErrorCode::malformed, field, fmt::format("is {}, over {}", lexeme->number, max));
        return 0;
    }
    return lexeme->number;
}

std::int64_t Reader::sint(Record& in, const char* field) {
    if (ok() && in.left > 0 && peek() == LexemeType::negative) {
        --in.left;
        return static_cast<std::int64_t>(lexemes_[pos_++].number);
    }
    return static_cast<std::int64_t>(uint(in, field, static_cast<std::uint64_t>(INT64_MAX)));
}

bool Reader::boolean(Record& in, const char* field) {
    const Lexeme* lexeme = take(in, field, LexemeType::boolean, "is not a bool");
    return lexeme && lexeme->number != 0;
}

bool Reader::nil(Record& in) {
    if (!ok() || in.left == 0 || peek() != LexemeType::nil) return false;
    --in.left;
    ++pos_;
    return true;
}

std::string_view Reader::str(Record& in, const char* field, std::size_t max, const char* limit) {
    const Lexeme* lexeme = take(in, field, LexemeType::str, "is not a str");
    if (!lexeme) return {};
    if (lexeme->size > max) {
        refuse(ErrorCode::over_limit, field,
               fmt::format("has {} bytes, over {} ({})", lexeme->size, limit, max));
        return {};
    }
    return lexeme->bytes();
}

std::string_view Reader::text_view(Record& in, const char* field, std::size_t max,
                                   const char* limit) {
    const std::string_view raw = str(in, field, max, limit);
    if (ok() && !printable_utf8(raw)) {
        refuse(ErrorCode::malformed, field, "is not UTF-8 without control characters");
        return {};
    }
    return raw;
}

std::string Reader::text(Record& in, const char* field, std::size_t max, const char* limit) {
    return std::string(text_view(in, field, max, limit));
}

ByteView Reader::bin(Record& in, const char* field, std::size_t max, const char* limit) {
    const Lexeme* lexeme = take(in, field, LexemeType::bin, "is not a bin");
    if (!lexeme) return {};
    if (lexeme->size > max) {
        refuse(ErrorCode::over_limit, field,
               fmt::format("has {} bytes, over {} ({})", lexeme->size, limit, max));
        return {};
    }
    return lexeme->bytes();
}

Body Reader::body(Record& in, const char* field) {
    if (!ok()) return {};
    if (in.left > 0 && peek() == LexemeType::array) {
        Record ref = enter(in, field);
        Body body;
        body.bytes = bin(ref, field, ContentId::kSize, "a content id's size");
        body.blob_size = uint(ref, field, limits_.blob_bytes_max);
        leave(ref);
        if (ok() && (body.bytes.size() != ContentId::kSize || body.blob_size == 0))
            refuse(ErrorCode::malformed, field, "is not a blob reference [hash, size]");
        return body;
    }
    return {bin(in, field, limits_.inline_bytes_max, "inline_bytes_max"), 0};
}

Credit Reader::credit(Record& in, const char* field) {
    Record pair = enter(in, field);
    Credit credit;
    credit.items = uint(pair, field);
    credit.bytes = uint(pair, field);
    leave(pair);
    return credit;
}

std::uint32_t Reader::map(Record& in, const char* field) {
    const Lexeme* lexeme = take(in, field, LexemeType::map, "is not a map");
    return lexeme ? lexeme->size : 0;
}

std::string_view Reader::key_str(const char* field) {
    Record one{1};
    const Lexeme* lexeme = take(one, field, LexemeType::str, "has a key that is not a str");
    return lexeme ? lexeme->bytes() : std::string_view{};
}

std::uint64_t Reader::key_uint(const char* field) {
    Record one{1};
    const Lexeme* lexeme =
        take(one, field, LexemeType::uint, "has a key that is not an unsigned integer");
    return lexeme ? lexeme->number : 0;
}

}  // namespace scanmq::protocol
