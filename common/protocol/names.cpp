#include "common/protocol/codec.hpp"
#include "common/protocol/subject.hpp"

namespace scanmq::protocol {

namespace {
bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}
bool printable(char c) { return c > ' ' && c <= '~'; }

// The token at the front of `rest`, which is moved past it and its dot.
std::string_view next_token(std::string_view& rest, bool& more) {
    const std::size_t dot = rest.find('.');
    const std::string_view token = rest.substr(0, dot);
    more = dot != std::string_view::npos;
    rest = more ? rest.substr(dot + 1) : std::string_view{};
    return token;
}

bool valid_tokens(std::string_view text, bool wildcards) {
    bool more = true;
    while (more) {
        const std::string_view token = next_token(text, more);
        if (token.empty()) return false;
        if (wildcards && (token == "*" || (token == ">" && !more))) continue;
        for (const char c : token)
            if (!printable(c) || c == '*' || c == '>') return false;
    }
    return true;
}
}  // namespace

std::string subject_token(std::string_view text) {
    constexpr std::size_t kBytesMax = 40;
    std::string token(text.substr(0, kBytesMax));
    for (char& c : token) {
        if (c == '.') c = '/';
        if (!printable(c) || c == '*' || c == '>') c = '_';
    }
    return token.empty() ? "_" : token;
}

bool valid_queue_name(std::string_view name, const Limits& limits) noexcept {
    if (name.empty() || name.size() > limits.queue_bytes_max) return false;
    for (const char c : name)
        if (!name_char(c)) return false;
    return true;
}

bool valid_subject(std::string_view subject, const Limits& limits) noexcept {
    return subject.size() <= limits.subject_bytes_max &&
           (subject.empty() || valid_tokens(subject, false));
}

bool valid_pattern(std::string_view pattern, const Limits& limits) noexcept {
    return pattern.size() <= limits.subject_bytes_max && !pattern.empty() &&
           valid_tokens(pattern, true);
}

bool subject_matches(std::string_view pattern, std::string_view subject) noexcept {
    if (pattern == ">") return true;
    if (subject.empty()) return false;
    bool pattern_more = true;
    bool subject_more = true;
    while (pattern_more && subject_more) {
        const std::string_view want = next_token(pattern, pattern_more);
        if (want == ">") return true;
        const std::string_view have = next_token(subject, subject_more);
        if (want != "*" && want != have) return false;
    }
    return !pattern_more && !subject_more;
}

}  // namespace scanmq::protocol
