#include "broker/http/request_values.hpp"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace scanmq::gateway {

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t out = 0;
    const char* last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, out);
    if (text.empty() || error != std::errc{} || end != last) return std::nullopt;
    return out;
}

// The value of wait= in `Prefer: respond-async, wait=10` (RFC 7240); "0" for respond-async alone.
std::optional<std::string_view> prefer_wait(std::string_view header) {
    std::optional<std::string_view> out;
    while (!header.empty()) {
        const std::size_t end = std::min(header.find_first_of(",;"), header.size());
        std::string_view one = header.substr(0, end);
        header.remove_prefix(std::min(end + 1, header.size()));
        while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
        while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
        if (one.size() > 5 && http::equal_names(one.substr(0, 5), "wait=")) return one.substr(5);
        if (http::equal_names(one, "respond-async")) out = "0";
    }
    return out;
}

}  // namespace

Problem bad_request(std::string sentence) {
    return {400, "invalid_request", std::move(sentence), {}};
}

Result<Duration, Problem> wait_of(const http::Request& request, Duration otherwise, Duration most) {
    const auto capped = [most](std::uint64_t count, auto unit) {
        const auto highest = static_cast<std::uint64_t>(most / Duration(unit));
        return std::min<Duration>(
            most, Duration(unit) * static_cast<std::int64_t>(std::min(count, highest + 1)));
    };
    if (const auto text = request.query_value("timeout_ms")) {
        const auto ms = number_of(*text);
        if (!ms) {
            return fail(bad_request("timeout_ms is \"" + http::printable(*text, 32) +
                                    "\"; it is a whole number of milliseconds"));
        }
        return capped(*ms, std::chrono::milliseconds(1));
    }
    if (const auto text = prefer_wait(request.header("Prefer"))) {
        const auto seconds = number_of(*text);
        if (!seconds) {
            return fail(bad_request("Prefer: wait=" + http::printable(*text, 32) +
                                    " is not a whole number of seconds"));
        }
        return capped(*seconds, std::chrono::seconds(1));
    }
    return std::min(otherwise, most);
}

Result<Duration, Problem> deadline_of(const http::Request& request) {
    constexpr std::uint64_t kMostMs = 86'400'000;
    const std::string_view text = request.header("X-Scanmq-Deadline-Ms");
    if (text.empty()) return Duration{};
    const auto ms = number_of(text);
    if (!ms) {
        return fail(
            bad_request("X-Scanmq-Deadline-Ms must be the milliseconds that remain, such as 1500"));
    }
    return Duration(std::chrono::milliseconds(std::clamp<std::uint64_t>(*ms, 1, kMostMs)));
}

std::optional<Id128> parse_id(std::string_view text) {
    if (text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' &&
        text[23] == '-') {
        std::string plain(text);
        std::erase(plain, '-');
        return Id128::parse_hex(plain);
    }
    return Id128::parse_hex(text);
}

Result<Id128, Problem> parse_job_id(std::string_view text, std::string_view where) {
    const auto id = parse_id(text);
    if (id && !id->is_zero() && (id->bytes[6] >> 4) == 7) return *id;
    return fail(bad_request(std::string(where) + " is \"" + http::printable(text, 64) +
                            "\"; a job's id is a UUIDv7, 32 hexadecimal digits"));
}

std::optional<std::string> base64_decode(std::string_view text) {
    std::string out(text.size() / 4 * 3 + 3, '\0');
    std::size_t size = 0;
    const char* end = nullptr;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                          text.size(), " \r\n\t", &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text.data() + text.size()) {
        return std::nullopt;
    }
    out.resize(size);
    return out;
}

std::string base64_encode(ByteView bytes) {
    std::string out(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    out.pop_back();  // the terminator
    return out;
}

}  // namespace scanmq::gateway
