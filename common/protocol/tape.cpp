#include "common/protocol/tape.hpp"

#include <fmt/format.h>

#include <cmath>
#include <exception>
#include <msgpack/null_visitor.hpp>
#include <msgpack/unpack.hpp>

namespace scanmq::protocol {

namespace {
constexpr std::uint32_t kArray = 0xffffffffU;

bool same_key(const Lexeme& a, const Lexeme& b) {
    if (a.type != b.type) return false;
    return a.type == LexemeType::str ? a.bytes() == b.bytes() : a.number == b.number;
}
}  // namespace

class Tape::Visitor : public msgpack::null_visitor {
  public:
    Visitor(Tape& tape, std::size_t input_bytes) : tape_(tape), input_bytes_(input_bytes) {}

    bool visit_nil() { return scalar(lexeme(LexemeType::nil)); }
    bool visit_boolean(bool value) { return scalar(lexeme(LexemeType::boolean, value ? 1 : 0)); }
    bool visit_positive_integer(std::uint64_t value) {
        return scalar(lexeme(LexemeType::uint, value));
    }
    bool visit_negative_integer(std::int64_t value) {
        return scalar(lexeme(LexemeType::negative, static_cast<std::uint64_t>(value)));
    }
    bool visit_float32(float value) { return real(value); }
    bool visit_float64(double value) { return real(value); }
    bool visit_str(const char* data, std::uint32_t size) {
        return text(LexemeType::str, data, size);
    }
    bool visit_bin(const char* data, std::uint32_t size) {
        return text(LexemeType::bin, data, size);
    }
    bool visit_ext(const char* /*data*/, std::uint32_t /*size*/) {
        return refuse(ErrorCode::malformed, "an ext type: this protocol has none");
    }
    bool start_array(std::uint32_t size) { return open(LexemeType::array, size, size); }
    bool start_map(std::uint32_t pairs) {
        if (pairs > tape_.limits_.map_keys_max)
            return refuse(ErrorCode::over_limit,
                          fmt::format("a map of {} keys is over map_keys_max ({})", pairs,
                                      tape_.limits_.map_keys_max));
        return open(LexemeType::map, pairs, 2ULL * pairs);
    }
    bool end_array() {
        tape_.containers_.pop_back();
        return true;
    }
    bool start_map_key() {
        key_next_ = true;
        return true;
    }
    bool end_map() {
        tape_.keys_.resize(tape_.containers_.back());
        tape_.containers_.pop_back();
        return true;
    }
    void parse_error(std::size_t /*parsed*/, std::size_t offset) {
        (void)refuse(ErrorCode::malformed, fmt::format("not msgpack at byte {}", offset));
    }
    void insufficient_bytes(std::size_t /*parsed*/, std::size_t offset) {
        (void)refuse(ErrorCode::malformed,
                     fmt::format("the frame ends at byte {} within a value", offset));
    }

  private:
    static Lexeme lexeme(LexemeType type, std::uint64_t number = 0) {
        Lexeme t;
        t.type = type;
        t.number = number;
        return t;
    }

    bool refuse(ErrorCode code, std::string why) {
        if (tape_.code_ == ErrorCode::none) {
            tape_.code_ = code;
            tape_.error_ = std::move(why);
        }
        return false;
    }

    // Room for `more` elements: within what the bytes can hold, and within the budget.
    bool room(std::uint64_t more) {
        const std::uint64_t have = tape_.lexemes_.size();
        if (have + more > input_bytes_)
            return refuse(ErrorCode::malformed, "the frame ends within a container");
        if (have + more > tape_.limits_.elements_max)
            return refuse(ErrorCode::over_limit, fmt::format("more elements than elements_max ({})",
                                                             tape_.limits_.elements_max));
        return true;
    }

    bool push(const Lexeme& t) {
        if (!room(1)) return false;
        tape_.lexemes_.push_back(t);
        return true;
    }

    bool key(const Lexeme& t) {
        key_next_ = false;
        if (t.type != LexemeType::str && t.type != LexemeType::uint)
            return refuse(ErrorCode::malformed, "a map key that is neither str nor uint");
        for (std::size_t i = tape_.containers_.back(); i < tape_.keys_.size(); ++i)
            if (same_key(tape_.keys_[i], t))
                return refuse(ErrorCode::malformed, "a map with a repeated key");
        tape_.keys_.push_back(t);
        return true;
    }

    bool scalar(const Lexeme& t) {
        if (key_next_ && !key(t)) return false;
        return push(t);
    }

    bool real(double value) {
        if (!std::isfinite(value))
            return refuse(ErrorCode::malformed, "a float that is not finite");
        Lexeme t;
        t.type = LexemeType::real;
        t.real = value;
        return scalar(t);
    }

    bool text(LexemeType type, const char* data, std::uint32_t size) {
        Lexeme t;
        t.type = type;
        t.size = size;
        t.data = data;
        return scalar(t);
    }

    bool open(LexemeType type, std::uint32_t size, std::uint64_t elements) {
        if (key_next_)
            return refuse(ErrorCode::malformed, "a map key that is neither str nor uint");
        if (tape_.containers_.size() >= tape_.limits_.depth_max)
            return refuse(
                ErrorCode::over_limit,
                fmt::format("nesting is deeper than depth_max ({})", tape_.limits_.depth_max));
        if (!room(1 + elements)) return false;
        Lexeme t;
        t.type = type;
        t.size = size;
        if (!push(t)) return false;
        tape_.containers_.push_back(
            type == LexemeType::map ? static_cast<std::uint32_t>(tape_.keys_.size()) : kArray);
        return true;
    }

    Tape& tape_;
    std::size_t input_bytes_;
    bool key_next_ = false;
};

Tape::Tape(const Limits& limits) : limits_(limits) {}

bool Tape::parse(ByteView bytes) {
    lexemes_.clear();
    keys_.clear();
    containers_.clear();
    code_ = ErrorCode::none;
    error_.clear();
    std::size_t offset = 0;
    Visitor visitor(*this, bytes.size());
    try {
        const bool parsed = msgpack::parse(bytes.data(), bytes.size(), offset, visitor);
        if (parsed && code_ == ErrorCode::none) {
            if (offset == bytes.size()) return true;
            code_ = ErrorCode::malformed;
            error_ = fmt::format("{} bytes follow the frame's value", bytes.size() - offset);
        }
    } catch (const std::exception& e) {  // msgpack-c reports its own limits by throwing
        code_ = ErrorCode::malformed;
        error_ = e.what();
    }
    if (code_ == ErrorCode::none) {
        code_ = ErrorCode::malformed;
        error_ = "not a complete msgpack value";
    }
    return false;
}

}  // namespace scanmq::protocol
