#pragma once
// Request, Response: what an HTTP handler sees and says. Values without sockets.
//
// Names:   header names compare without case. `path` and the parameters are percent-decoded, `target`
//          is as sent.
// Errors:  every error answer is {"error": {"code": "...", "sentence": "..."}}; the sentence says what
//          to do.
// See:     common/http/server.hpp, docs/HTTP_API.md

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.hpp"

namespace scanmq::http {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // in the order sent

struct Request {
    std::string method;  // upper case: GET, POST ...
    std::string target;
    std::string path;
    Pairs parameters;  // of the route's pattern: {id}
    Pairs query;
    Pairs headers;
    std::string body;
    std::string peer;  // "127.0.0.1:40312"
    Time received{};   // when its last byte came

    // The first of that name; empty when there is none. The views live as long as the request.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
    [[nodiscard]] std::string_view parameter(std::string_view name) const noexcept;
    [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const noexcept;
    // Does the Content-Type name this media type (parameters like charset aside)?
    [[nodiscard]] bool content_is(std::string_view media_type) const noexcept;
    // The first media type of Accept, lower case, without its parameters; empty when there is none.
    [[nodiscard]] std::string accepted_first() const;
};

struct Response {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";  // left out where it is empty
    Pairs headers;
    bool close = false;  // the connection, after this answer
};

inline constexpr const char* kJson = "application/json";
inline constexpr const char* kJsonLines = "application/x-ndjson";
inline constexpr const char* kMsgpack = "application/msgpack";
inline constexpr const char* kPlainText = "text/plain; version=0.0.4; charset=utf-8";

[[nodiscard]] Response json_response(int status, std::string body);
[[nodiscard]] Response error_response(int status, std::string_view code, std::string_view sentence);
// An error answer that says when to come back (Retry-After, whole seconds, at least 1).
[[nodiscard]] Response retry_response(int status, std::string_view code, std::string_view sentence,
                                      Duration retry_after);

// "Not Found" for 404; "Unknown" for what is none of ours.
[[nodiscard]] const char* reason_of(int status) noexcept;
// `text` as a JSON string with its quotes. Bytes are passed on as they are: it must be UTF-8.
[[nodiscard]] std::string json_quote(std::string_view text);
// At most `bytes_max` bytes of what a peer sent, fit for a sentence: ASCII, others as '?'.
[[nodiscard]] std::string printable(std::string_view text, std::size_t bytes_max = 128);
[[nodiscard]] bool equal_names(std::string_view a, std::string_view b) noexcept;
// Percent-decoding; nullopt when a '%' is not followed by two digits, or for a NUL. `plus_is_blank`:
// as in a query.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank);
// Fills target, path and query from the request line's target. False: it is not one.
[[nodiscard]] bool read_target(std::string_view target, Request& out);

}  // namespace scanmq::http
