#pragma once
// What the HTTP request reader promises for any bytes: it never fails otherwise than by a Step, keeps its
// limits, and where the bytes are cut makes no difference.

#include <string>
#include <string_view>
#include <vector>

#include "common/http/request_reader.hpp"

namespace scanmq::tests {

inline constexpr std::uint64_t kFuzzHeaderMax = 2000;
inline constexpr std::uint64_t kFuzzBodyMax = 1000;

// Everything that is read, as text, with how it ended. Empty: a promise was broken.
inline std::string read_requests(std::string_view bytes, std::size_t piece) {
    using Step = http::RequestReader::Step;
    http::RequestReader reader(kFuzzHeaderMax);
    std::string out;
    while (true) {
        const Step step = reader.step();
        switch (step) {
            case Step::more:
                if (bytes.empty()) return out + "more";
                reader.append(bytes.substr(0, piece));
                bytes.remove_prefix(std::min(piece, bytes.size()));
                break;
            case Step::head:
                reader.set_body_max(kFuzzBodyMax);
                break;
            case Step::complete: {
                const http::Request request = reader.take();
                if (request.body.size() > kFuzzBodyMax || request.path.empty()) return {};
                out += request.method + " " + request.target + " " + request.path + "\n";
                for (const auto& [name, value] : request.headers) out += name + "=" + value + "\n";
                for (const auto& [name, value] : request.query) out += name + "=" + value + "\n";
                out += request.body + "\n";
                break;
            }
            case Step::header_too_large:
                return out + "header_too_large";
            case Step::body_too_large:
                return out + "body_too_large";
            case Step::malformed:
                return reader.problem().empty() ? "" : out + "malformed";
        }
    }
}

inline bool requests_keep_promises(std::string_view bytes) {
    const std::string whole = read_requests(bytes, 4096);
    return !whole.empty() && read_requests(bytes, 1) == whole && read_requests(bytes, 7) == whole;
}

}  // namespace scanmq::tests
