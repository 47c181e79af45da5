#include "worker/remote/answer.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "scanner/service/result_check.hpp"

namespace scanmq::worker {

namespace {

constexpr std::size_t kErrorBodyMax = 64U << 10;  // read as JSON
constexpr std::size_t kSentenceMax = 256;         // of the service's
constexpr std::size_t kRawMax = 80;               // of a body that is no error of ours
constexpr std::int64_t kRetryAfterMax = 86'400;   // seconds

// {"error": {"code", "sentence"}}; null when it is not that.
nlohmann::json error_of(const http::ClientResponse& response) {
    if (response.body.size() > kErrorBodyMax) return {};
    auto document = nlohmann::json::parse(response.body, nullptr, false);
    if (!document.is_object()) return {};
    const auto error = document.find("error");
    if (error == document.end() || !error->is_object()) return {};
    return std::move(*error);
}

std::string text_of(const nlohmann::json& error, const char* key) {
    if (!error.is_object()) return {};
    const auto found = error.find(key);
    if (found == error.end() || !found->is_string()) return {};
    return found->get<std::string>();
}

std::optional<Duration> retry_after(const http::ClientResponse& response) {
    const std::string_view text = response.header("Retry-After");
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || seconds < 0) {
        return std::nullopt;  // a date: as if it had not been said
    }
    return std::chrono::seconds(std::min(seconds, kRetryAfterMax));
}

bool is_msgpack(const http::ClientResponse& response) {
    std::string_view type = response.header("Content-Type");
    type = type.substr(0, type.find(';'));
    while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
    return http::equal_names(type, http::kMsgpack) ||
           http::equal_names(type, "application/x-msgpack") ||
           http::equal_names(type, "application/vnd.msgpack");
}

Answer of_failure(const http::ClientFailure& failure) {
    Answer out;
    out.sentence = failure.sentence;
    switch (failure.error) {
        case http::ClientError::unreachable:
            out.what = CallClass::no_connection;
            out.sent = false;
            break;
        case http::ClientError::broken:
            out.what = CallClass::no_connection;
            break;
        case http::ClientError::timeout:
            out.what = CallClass::timed_out;
            break;
        case http::ClientError::malformed:
        case http::ClientError::header_too_large:
        case http::ClientError::body_too_large:
            out.what = CallClass::bad_response;
            break;
        case http::ClientError::refused:
            out.what = CallClass::throttled;
            out.sent = false;
            break;
    }
    return out;
}

CallClass class_of(int status) {
    switch (status) {
        case 401:
        case 403:
        case 407:
        case 408:
        case 425:
            return CallClass::retryable;
        case 429:
        case 503:
            return CallClass::throttled;
        case 501:
            return CallClass::final_error;
        case 504:
            return CallClass::timed_out;
        default:
            break;
    }
    if (status / 100 == 4) return CallClass::final_error;
    return status / 100 == 5 ? CallClass::retryable : CallClass::bad_response;
}

Answer of_error(const http::ClientResponse& response) {
    Answer out;
    out.what = class_of(response.status);
    out.sentence = error_sentence(response);
    // It was answered, in time to say so: not a call that took the service down.
    if (out.what == CallClass::timed_out) out.sent = false;
    if (out.what == CallClass::throttled) out.retry_after = retry_after(response);
    return out;
}

}  // namespace

std::string error_sentence(const http::ClientResponse& response) {
    std::string out = "HTTP " + std::to_string(response.status);
    const std::string sentence = text_of(error_of(response), "sentence");
    if (!sentence.empty()) return out + ": " + http::printable(sentence, kSentenceMax);
    if (response.body.empty()) return out;
    return out + ", not in our words: " + http::printable(response.body, kRawMax);
}

Answer read_scan_answer(const http::ClientResult& result) {
    if (!result) return of_failure(result.error());
    if (result->status == 409 && text_of(error_of(*result), "code") == "unknown_snapshot") {
        Answer out = of_error(*result);
        out.what = CallClass::retryable;
        out.unknown_snapshot = true;
        return out;
    }
    if (result->status != 200) return of_error(*result);
    Answer out;
    if (!is_msgpack(*result)) {
        out.what = CallClass::bad_response;
        out.sentence = "HTTP 200 with content type '" +
                       http::printable(result->header("Content-Type"), kRawMax) +
                       "', not application/msgpack";
    } else if (auto checked = service::check_result(result->body); !checked) {
        out.what = CallClass::bad_response;
        out.sentence = "HTTP 200 with a body that is no result: " + checked.error();
    }
    return out;
}

Answer read_put_answer(const http::ClientResult& result) {
    if (!result) return of_failure(result.error());
    if (result->status / 100 == 2) return {};
    return of_error(*result);
}

}  // namespace scanmq::worker
