#include "common/http/request_reader.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>
#include <utility>

namespace scanmq::http {

namespace {

namespace beast = boost::beast;
using Parser = beast::http::request_parser<beast::http::string_body>;

std::string text(beast::string_view view) { return {view.data(), view.size()}; }

}  // namespace

struct RequestReader::Impl {
    explicit Impl(std::uint64_t header_max) : header_bytes_max(header_max) { reset(); }

    void reset() {
        parser.emplace();
        parser->header_limit(static_cast<std::uint32_t>(header_bytes_max));
        parser->body_limit(std::numeric_limits<std::uint64_t>::max());  // body_max, checked here
        parser->eager(false);
        head_done = false;
        begun = false;
        request = {};
        length.reset();
    }
    Step step();
    Step read_head();
    Step refuse(std::string why) {
        problem = std::move(why);
        return Step::malformed;
    }

    const std::uint64_t header_bytes_max;
    std::optional<Parser> parser;
    beast::flat_buffer buffer;
    bool head_done = false;
    bool begun = false;
    std::uint64_t body_max = 0;
    std::optional<std::uint64_t> length;
    Request request;
    std::string problem;
};

RequestReader::Step RequestReader::Impl::step() {
    while (true) {
        if (head_done && parser->is_done()) return Step::complete;
        if (buffer.size() == 0) return Step::more;
        begun = true;
        beast::error_code error;
        const std::size_t used = parser->put(buffer.data(), error);
        buffer.consume(used);
        if (error == beast::http::error::need_more) {
            error = {};
            if (used == 0) return Step::more;
        }
        if (error == beast::http::error::header_limit) return Step::header_too_large;
        if (error) return refuse(error.message());
        if (!head_done) {
            if (!parser->is_header_done()) continue;
            head_done = true;
            return read_head();
        }
        if (parser->get().body().size() > body_max) return Step::body_too_large;
        if (used == 0 && !parser->is_done()) return Step::more;
    }
}

RequestReader::Step RequestReader::Impl::read_head() {
    const auto& head = parser->get();
    request.method = text(head.method_string());
    if (!read_target({head.target().data(), head.target().size()}, request)) {
        return refuse("the target is no path");
    }
    std::size_t lengths = 0;
    std::size_t hosts = 0;
    for (const auto& field : head) {
        request.headers.emplace_back(text(field.name_string()), text(field.value()));
        if (field.name() == beast::http::field::content_length) ++lengths;
        if (field.name() == beast::http::field::host) ++hosts;
    }
    // Two ways to tell a body's end are how one request is hidden in another (RFC 9112, 6.3).
    if (lengths > 1 || (lengths == 1 && parser->chunked())) {
        return refuse("the length of the body is given twice");
    }
    if (head.version() >= 11 && hosts != 1) return refuse("there must be one Host header");
    if (const auto given = parser->content_length()) length = *given;
    parser->eager(true);
    return Step::head;
}

RequestReader::RequestReader(std::uint64_t header_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max)) {}
RequestReader::~RequestReader() = default;

void RequestReader::append(ByteView bytes) {
    const auto room = impl_->buffer.prepare(bytes.size());
    boost::asio::buffer_copy(room, boost::asio::buffer(bytes.data(), bytes.size()));
    impl_->buffer.commit(bytes.size());
}
std::size_t RequestReader::buffered() const noexcept { return impl_->buffer.size(); }
RequestReader::Step RequestReader::step() { return impl_->step(); }
const std::string& RequestReader::problem() const noexcept { return impl_->problem; }
bool RequestReader::begun() const noexcept { return impl_->begun; }
const Request& RequestReader::request() const noexcept { return impl_->request; }
bool RequestReader::http11() const noexcept { return impl_->parser->get().version() >= 11; }
bool RequestReader::keep_alive() const noexcept { return impl_->parser->keep_alive(); }
std::optional<std::uint64_t> RequestReader::content_length() const noexcept {
    return impl_->length;
}
std::uint64_t RequestReader::body_bytes() const noexcept {
    return impl_->parser->get().body().size();
}
void RequestReader::set_body_max(std::uint64_t bytes) { impl_->body_max = bytes; }

Request RequestReader::take() {
    Request out = std::move(impl_->request);
    out.body = std::move(impl_->parser->get().body());
    impl_->reset();
    return out;
}

}  // namespace scanmq::http
