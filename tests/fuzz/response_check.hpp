#pragma once
// What the HTTP response reader promises for any bytes: it ends, keeps its limits, and where the bytes
// are cut makes no difference; and every answer means something to a worker.

#include <string>
#include <string_view>

#include "common/base/text.hpp"
#include "common/http/response_reader.hpp"
#include "worker/remote/answer.hpp"

namespace scanmq::tests {

inline bool answer_is_sound(const http::ClientResponse& response) {
    const http::ClientResult result(response);
    for (const auto& answer : {worker::read_scan_answer(result), worker::read_put_answer(result)}) {
        if (answer.what != worker::CallClass::ok && answer.sentence.empty()) return false;
        if (!printable_utf8(answer.sentence)) return false;
        if (answer.retry_after && *answer.retry_after < Duration::zero()) return false;
    }
    return true;
}

// What was read, as text, with how it ended. Empty: a promise was broken.
inline std::string read_response(std::string_view bytes, std::size_t piece, bool head_only) {
    constexpr std::uint64_t kHeaderMax = 2000;
    constexpr std::uint64_t kBodyMax = 1000;
    using Step = http::ResponseReader::Step;
    http::ResponseReader reader(kHeaderMax, kBodyMax);
    reader.begin(head_only);
    Step step = Step::more;
    while (step == Step::more && !bytes.empty()) {
        step = reader.feed(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    if (step == Step::more) step = reader.end();
    switch (step) {
        case Step::more:
            return "more";
        case Step::malformed:
            return reader.problem().empty() ? "" : "malformed";
        case Step::header_too_large:
            return "header_too_large";
        case Step::body_too_large:
            return "body_too_large";
        case Step::complete:
            break;
    }
    const http::ClientResponse response = reader.take();
    if (response.body.size() > kBodyMax || !answer_is_sound(response)) return {};
    std::string out = std::to_string(response.status) + "\n";
    for (const auto& [name, value] : response.headers) out += name + "=" + value + "\n";
    return out + response.body;
}

inline bool responses_keep_promises(std::string_view bytes) {
    for (const bool head_only : {false, true}) {
        const std::string whole = read_response(bytes, bytes.size() + 1, head_only);
        if (whole.empty() || read_response(bytes, 1, head_only) != whole ||
            read_response(bytes, 7, head_only) != whole) {
            return false;
        }
    }
    return true;
}

}  // namespace scanmq::tests
