#include "common/http/response_reader.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

namespace scanmq::http {

namespace {

namespace beast = boost::beast;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::uint64_t kReserveMax = 1U << 20;  // at once: a peer may promise more than it sends

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

void ResponseReader::begin(bool head_only) {
    head_only_ = head_only;
    head_done_ = false;
    interim_ = 0;
    head_.clear();
    chunks_.reset();
    keep_alive_ = surplus_ = false;
    response_ = {};
}

std::uint64_t ResponseReader::expected() const noexcept {
    return head_done_ && body_ == Body::length ? length_ - response_.body.size() : 0;
}

ResponseReader::Step ResponseReader::feed(ByteView bytes) {
    Step step = Step::more;
    while (!head_done_ && step == Step::more) {
        if (bytes.empty()) return Step::more;
        step = read_head(bytes);
    }
    if (head_done_ && step == Step::more) step = read_body(bytes);
    surplus_ = !bytes.empty();
    return step;
}

ResponseReader::Step ResponseReader::read_head(ByteView& bytes) {
    // The end may lie across what came before and what comes now.
    const std::size_t from = head_.size() - std::min(head_.size(), kHeadEnd.size() - 1);
    const std::size_t had = head_.size();
    head_.append(bytes.substr(0, header_bytes_max_ + 1 - std::min(had, header_bytes_max_)));
    const std::size_t end = head_.find(kHeadEnd, from);
    if (end == std::string::npos || end + kHeadEnd.size() > header_bytes_max_) {
        if (head_.size() > header_bytes_max_) return Step::header_too_large;
        bytes = {};
        // Not HTTP at all is known long before a blank line comes.
        const ByteView begins = ByteView(head_).substr(0, 5);
        if (begins != ByteView("HTTP/").substr(0, begins.size())) {
            return refuse("it does not begin with HTTP/");
        }
        return Step::more;
    }
    head_.resize(end + kHeadEnd.size());
    bytes.remove_prefix(head_.size() - had);
    const Step step = parse_head(head_);
    head_.clear();
    return step;
}

ResponseReader::Step ResponseReader::parse_head(ByteView head) {
    beast::http::response_parser<beast::http::empty_body> parser;
    parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // checked here
    parser.eager(false);
    parser.skip(true);  // it reads no bodies
    beast::error_code error;
    std::size_t used = 0;
    while (used < head.size() && !error && !parser.is_header_done()) {
        used += parser.put(boost::asio::buffer(head.data() + used, head.size() - used), error);
    }
    if (error) return refuse(error.message());
    if (used != head.size() || !parser.is_header_done()) return refuse("its head is broken");
    const auto& message = parser.get();
    response_.status = static_cast<int>(message.result_int());
    if (response_.status == 101) return refuse("it changes the protocol");
    if (response_.status / 100 == 1) {
        return ++interim_ > kInterimMax ? refuse("it is interim for ever") : Step::more;
    }
    response_.headers.reserve(8);
    for (const auto& field : message) {
        response_.headers.emplace_back(text(field.name_string()), text(field.value()));
    }
    head_done_ = true;
    const auto length = parser.content_length();
    if (head_only_ || response_.status == 204 || response_.status == 304) {
        body_ = Body::none;
    } else if (parser.chunked()) {
        body_ = Body::chunks;
        chunks_.emplace();
    } else if (length) {
        body_ = Body::length;
        length_ = *length;
        if (length_ > body_bytes_max_) return Step::body_too_large;
        response_.body.reserve(std::min(length_, kReserveMax));
    } else {
        body_ = Body::until_end;
    }
    keep_alive_ = parser.keep_alive() && body_ != Body::until_end;
    return Step::more;
}

ResponseReader::Step ResponseReader::read_body(ByteView& bytes) {
    std::string& body = response_.body;
    switch (body_) {
        case Body::none:
            return Step::complete;
        case Body::length: {
            const auto take = static_cast<std::size_t>(
                std::min<std::uint64_t>(length_ - body.size(), bytes.size()));
            body.append(bytes.substr(0, take));
            bytes.remove_prefix(take);
            return body.size() == length_ ? Step::complete : Step::more;
        }
        case Body::chunks:
            switch (chunks_->feed(bytes, body, body_bytes_max_)) {
                case ChunkedBody::Step::more:
                    return Step::more;
                case ChunkedBody::Step::complete:
                    return Step::complete;
                case ChunkedBody::Step::malformed:
                    return refuse("its chunks are broken");
                case ChunkedBody::Step::too_large:
                    return Step::body_too_large;
            }
            break;
        case Body::until_end:
            if (bytes.size() > body_bytes_max_ - body.size()) return Step::body_too_large;
            body.append(bytes);
            bytes = {};
            return Step::more;
    }
    return Step::more;
}

ResponseReader::Step ResponseReader::end() {
    return head_done_ && body_ == Body::until_end ? Step::complete : Step::more;
}

}  // namespace scanmq::http
