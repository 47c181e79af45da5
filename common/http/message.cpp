#include "common/http/message.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace scanmq::http {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

}  // namespace

bool equal_names(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view Request::header(std::string_view name) const noexcept {
    for (const auto& [key, value] : headers) {
        if (equal_names(key, name)) return value;
    }
    return {};
}

std::string_view Request::parameter(std::string_view name) const noexcept {
    for (const auto& [key, value] : parameters) {
        if (key == name) return value;
    }
    return {};
}

std::optional<std::string_view> Request::query_value(std::string_view name) const noexcept {
    for (const auto& [key, value] : query) {
        if (key == name) return std::string_view(value);
    }
    return std::nullopt;
}

bool Request::content_is(std::string_view media_type) const noexcept {
    const std::string_view value = header("Content-Type");
    return equal_names(trim(value.substr(0, value.find(';'))), media_type);
}

std::string Request::accepted_first() const {
    std::string_view value = header("Accept");
    value = value.substr(0, value.find(','));
    value = trim(value.substr(0, value.find(';')));
    std::string out(value);
    std::ranges::transform(out, out.begin(), lower);
    return out;
}

Response json_response(int status, std::string body) {
    Response out;
    out.status = status;
    out.body = std::move(body);
    return out;
}

Response error_response(int status, std::string_view code, std::string_view sentence) {
    return json_response(status, fmt::format("{{\"error\":{{\"code\":{},\"sentence\":{}}}}}",
                                             json_quote(code), json_quote(sentence)));
}

Response retry_response(int status, std::string_view code, std::string_view sentence,
                        Duration retry_after) {
    Response out = error_response(status, code, sentence);
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
    out.headers.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(1, seconds)));
    return out;
}

const char* reason_of(int status) noexcept {
    struct Reason {
        int status;
        const char* text;
    };
    static constexpr Reason kReasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Payload Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Entity"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    const auto* at = std::ranges::find(kReasons, status, &Reason::status);
    return at == std::end(kReasons) ? "Unknown" : at->text;
}

std::string json_quote(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
            out += c;
        }
    }
    out += '"';
    return out;
}

std::string printable(std::string_view text, std::size_t bytes_max) {
    std::string out(text.substr(0, bytes_max));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
    }
    if (text.size() > bytes_max) out += "...";
    return out;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = digit_of(text[i + 1]);
            const int low = digit_of(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (c == '\0') return std::nullopt;
        out += c;
    }
    return out;
}

bool read_target(std::string_view target, Request& out) {
    out.target = target;
    for (const std::string_view scheme : {"http://", "https://"}) {  // the form proxies use
        if (!target.starts_with(scheme)) continue;
        const std::size_t slash = target.find('/', scheme.size());
        target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
    }
    target = target.substr(0, target.find('#'));
    const std::size_t mark = target.find('?');
    auto path = percent_decode(target.substr(0, mark), false);
    if (!path || (!path->starts_with('/') && *path != "*")) return false;
    out.path = std::move(*path);
    out.query.clear();
    if (mark == std::string_view::npos) return true;
    std::string_view rest = target.substr(mark + 1);
    while (!rest.empty()) {
        const std::size_t end = rest.find('&');
        const std::string_view item = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
        if (item.empty()) continue;
        const std::size_t equals = item.find('=');
        auto key = percent_decode(item.substr(0, equals), true);
        auto value = equals == std::string_view::npos
                         ? std::optional<std::string>(std::string())
                         : percent_decode(item.substr(equals + 1), true);
        if (!key || !value) return false;
        out.query.emplace_back(std::move(*key), std::move(*value));
    }
    return true;
}

}  // namespace scanmq::http
