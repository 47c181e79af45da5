#include "common/http/request_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>
#include <utility>

#include "common/http/chunked_body.hpp"

namespace scanmq::http {

namespace {

namespace beast = boost::beast;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

using Parser = beast::http::request_parser<beast::http::empty_body>;

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

struct RequestReader::Impl {
    explicit Impl(std::uint64_t header_max) : header_bytes_max(header_max) { reset(); }

    void reset() {
        parser.emplace();
        parser->header_limit(std::numeric_limits<std::uint32_t>::max());  // checked here
        parser->body_limit(std::numeric_limits<std::uint64_t>::max());    // it reads no bodies
        parser->eager(false);
        head_done = false;
        begun = false;
        searched = 0;
        chunked.reset();
        length.reset();
        request = {};
    }
    [[nodiscard]] ByteView unread() const { return ByteView(buffer).substr(read); }
    void consume(std::size_t bytes) {
        read += bytes;
        if (read == buffer.size()) {
            buffer.clear();
            read = 0;
        }
    }
    Step step();
    Step read_head();
    Step on_head();
    Step read_body();
    Step refuse(std::string why) {
        problem = std::move(why);
        return Step::malformed;
    }

    const std::uint64_t header_bytes_max;
    std::optional<Parser> parser;  // of heads
    std::string buffer;
    std::size_t read = 0;  // bytes at its front that are done with
    bool head_done = false;
    bool begun = false;
    std::size_t searched = 0;  // of the head's bytes, for its end
    std::uint64_t body_max = 0;
    std::optional<std::uint64_t> length;
    std::optional<ChunkedBody> chunked;
    Request request;
    std::string problem;
};

RequestReader::Step RequestReader::Impl::step() {
    if (head_done) return read_body();
    while (!begun && unread().starts_with("\r\n")) consume(2);  // blank lines before a request
    if (unread().empty() || (!begun && unread() == "\r")) return Step::more;
    begun = true;
    return read_head();
}

// Beast is given whole heads only: its limit and its errors depend on where the bytes are cut.
RequestReader::Step RequestReader::Impl::read_head() {
    const std::size_t end = unread().find(kHeadEnd, searched);
    const std::size_t bytes = end == ByteView::npos ? unread().size() : end + kHeadEnd.size();
    if (bytes > header_bytes_max) return Step::header_too_large;
    if (end == ByteView::npos) {
        searched = bytes - std::min(bytes, kHeadEnd.size() - 1);
        return Step::more;
    }
    beast::error_code error;
    std::size_t used = 0;
    while (used < bytes && !error && !parser->is_header_done()) {
        used += parser->put(boost::asio::buffer(unread().data() + used, bytes - used), error);
    }
    if (error) return refuse(error.message());
    if (used != bytes || !parser->is_header_done()) return refuse("its head is broken");
    consume(bytes);
    return on_head();
}

RequestReader::Step RequestReader::Impl::on_head() {
    head_done = true;
    const auto& head = parser->get();
    request.method = text(head.method_string());
    if (!read_target({head.target().data(), head.target().size()}, request)) {
        return refuse("the target is no path");
    }
    std::size_t lengths = 0;
    std::size_t hosts = 0;
    std::size_t encodings = 0;
    for (const auto& field : head) {
        request.headers.emplace_back(text(field.name_string()), text(field.value()));
        if (field.name() == beast::http::field::content_length) ++lengths;
        if (field.name() == beast::http::field::host) ++hosts;
        if (field.name() == beast::http::field::transfer_encoding) ++encodings;
    }
    // Two ways to tell a body's end are how one request is hidden in another (RFC 9112, 6.3).
    if (lengths + encodings > 1) return refuse("the length of the body is given twice");
    if (encodings == 1) {
        if (!equal_names(request.header("Transfer-Encoding"), "chunked") || head.version() < 11) {
            return refuse("chunked is the only transfer encoding there is, and it is of HTTP/1.1");
        }
        chunked.emplace();
    } else if (const auto given = parser->content_length()) {
        length = *given;
    }
    if (head.version() >= 11 && hosts != 1) return refuse("there must be one Host header");
    return Step::head;
}

RequestReader::Step RequestReader::Impl::read_body() {
    ByteView input = unread();
    if (!chunked) {
        const std::uint64_t wanted = length.value_or(0);
        if (wanted > body_max) return Step::body_too_large;
        const auto bytes = static_cast<std::size_t>(
            std::min<std::uint64_t>(wanted - request.body.size(), input.size()));
        request.body += input.substr(0, bytes);
        consume(bytes);
        return request.body.size() == wanted ? Step::complete : Step::more;
    }
    const ChunkedBody::Step step = chunked->feed(input, request.body, body_max);
    consume(unread().size() - input.size());
    switch (step) {
        case ChunkedBody::Step::more:
            return Step::more;
        case ChunkedBody::Step::complete:
            return Step::complete;
        case ChunkedBody::Step::too_large:
            return Step::body_too_large;
        case ChunkedBody::Step::malformed:
            break;
    }
    return refuse("the chunks of its body are broken");
}

RequestReader::RequestReader(std::uint64_t header_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max)) {}
RequestReader::~RequestReader() = default;

void RequestReader::append(ByteView bytes) {
    Impl& in = *impl_;
    if (in.read > 0) in.buffer.erase(0, std::exchange(in.read, 0));
    in.buffer += bytes;
}
std::size_t RequestReader::buffered() const noexcept { return impl_->unread().size(); }
RequestReader::Step RequestReader::step() { return impl_->step(); }
const std::string& RequestReader::problem() const noexcept { return impl_->problem; }
bool RequestReader::begun() const noexcept { return impl_->begun; }
const Request& RequestReader::request() const noexcept { return impl_->request; }
bool RequestReader::http11() const noexcept { return impl_->parser->get().version() >= 11; }
bool RequestReader::keep_alive() const noexcept { return impl_->parser->keep_alive(); }
std::optional<std::uint64_t> RequestReader::content_length() const noexcept {
    return impl_->length;
}
std::uint64_t RequestReader::body_bytes() const noexcept { return impl_->request.body.size(); }
void RequestReader::set_body_max(std::uint64_t bytes) { impl_->body_max = bytes; }

Request RequestReader::take() {
    Request out = std::move(impl_->request);
    impl_->reset();
    return out;
}

}  // namespace scanmq::http
