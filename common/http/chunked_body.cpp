#include "common/http/chunked_body.hpp"

#include <algorithm>

namespace scanmq::http {

namespace {

constexpr unsigned kDigitsMax = 15;  // beyond any body

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

ChunkedBody::Step ChunkedBody::feed(ByteView& input, std::string& body, std::uint64_t body_max) {
    while (!input.empty()) {
        if (state_ == State::data) {
            const auto bytes =
                static_cast<std::size_t>(std::min<std::uint64_t>(size_, input.size()));
            body += input.substr(0, bytes);
            input.remove_prefix(bytes);
            size_ -= bytes;
            if (size_ == 0) state_ = State::data_end;
            continue;
        }
        const Step step = on_byte(input.front());
        input.remove_prefix(1);
        if (step != Step::more) return step;
        if (state_ == State::data &&
            size_ > body_max - std::min<std::uint64_t>(body.size(), body_max)) {
            return Step::too_large;
        }
    }
    return Step::more;
}

// Between pieces of data.
ChunkedBody::Step ChunkedBody::on_byte(char c) {
    const auto expect = [this, c](char wanted, State next) {
        state_ = next;
        return c == wanted ? Step::more : Step::malformed;
    };
    if (++line_bytes_ > kLineBytesMax) return Step::malformed;
    switch (state_) {
        case State::size:
            if (const int digit = digit_of(c); digit >= 0) {
                size_ = size_ * 16 + static_cast<unsigned>(digit);
                return ++digits_ <= kDigitsMax ? Step::more : Step::malformed;
            }
            if (digits_ == 0) return Step::malformed;
            if (c == ';' || c == ' ' || c == '\t') {
                state_ = State::extension;
                return Step::more;
            }
            return expect('\r', State::size_end);
        case State::extension:
            if (c == '\r') state_ = State::size_end;
            return c == '\n' ? Step::malformed : Step::more;
        case State::size_end:
            digits_ = 0;
            if (size_ > 0) line_bytes_ = 0;  // trailers count with the last chunk's line
            return expect('\n', size_ > 0 ? State::data : State::trailer);
        case State::data:
            break;
        case State::data_end:
            return expect('\r', State::data_end_lf);
        case State::data_end_lf:
            return expect('\n', State::size);
        case State::trailer:
            state_ = c == '\r' ? State::end : State::trailer_line;
            return c == '\n' ? Step::malformed : Step::more;
        case State::trailer_line:
            if (c == '\r') state_ = State::trailer_end;
            return c == '\n' ? Step::malformed : Step::more;
        case State::trailer_end:
            return expect('\n', State::trailer);
        case State::end:
            return c == '\n' ? Step::complete : Step::malformed;
    }
    return Step::malformed;
}

}  // namespace scanmq::http
