#include "client/cli/time_text.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "common/config/values.hpp"

namespace scanmq::cli {
namespace {

using std::chrono::nanoseconds;

constexpr int kFirstYear = 1678;  // what 64 bits of nanoseconds reach, in whole years
constexpr int kLastYear = 2261;

// Reads a text from its front.
class Reader {
  public:
    explicit Reader(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    bool skip(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    // Exactly so many digits.
    std::optional<int> number(std::size_t digits) {
        if (rest_.size() < digits) return std::nullopt;
        int out = 0;
        for (const char c : rest_.substr(0, digits)) {
            if (c < '0' || c > '9') return std::nullopt;
            out = out * 10 + (c - '0');
        }
        rest_.remove_prefix(digits);
        return out;
    }
    // One to nine digits behind a point, as nanoseconds.
    std::optional<std::int64_t> fraction() {
        std::int64_t out = 0;
        int digits = 0;
        for (; digits < 9 && !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; ++digits) {
            out = out * 10 + (rest_[0] - '0');
            rest_.remove_prefix(1);
        }
        if (digits == 0) return std::nullopt;
        for (; digits < 9; ++digits) out *= 10;
        return out;
    }

  private:
    std::string_view rest_;
};

std::optional<nanoseconds> time_of_day(Reader& in) {
    const auto hour = in.number(2);
    if (!hour || *hour > 23 || !in.skip(':')) return std::nullopt;
    const auto minute = in.number(2);
    if (!minute || *minute > 59) return std::nullopt;
    nanoseconds out = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
    if (!in.skip(':')) return out;
    const auto second = in.number(2);
    if (!second || *second > 59) return std::nullopt;
    out += std::chrono::seconds(*second);
    if (!in.skip('.')) return out;
    const auto fraction = in.fraction();
    if (!fraction) return std::nullopt;
    return out + nanoseconds(*fraction);
}

// East of Greenwich; zero when nothing or a Z follows.
std::optional<nanoseconds> zone(Reader& in) {
    if (in.empty() || in.skip('Z')) return nanoseconds{0};
    const bool east = in.skip('+');
    if (!east && !in.skip('-')) return std::nullopt;
    const auto hours = in.number(2);
    if (!hours || *hours > 15) return std::nullopt;
    in.skip(':');
    const auto minutes = in.empty() ? std::optional(0) : in.number(2);
    if (!minutes || *minutes > 59) return std::nullopt;
    const nanoseconds out = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    return east ? out : -out;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
    Reader in(text);
    const auto year = in.number(4);
    if (!year || !in.skip('-')) return std::nullopt;
    const auto month = in.number(2);
    if (!month || !in.skip('-')) return std::nullopt;
    const auto day = in.number(2);
    if (!day || *year < kFirstYear || *year > kLastYear) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    nanoseconds out = std::chrono::sys_days(date).time_since_epoch();
    if (in.skip('T') || in.skip(' ')) {
        const auto time = time_of_day(in);
        if (!time) return std::nullopt;
        const auto east = zone(in);
        if (!east) return std::nullopt;
        out += *time - *east;
    }
    if (!in.empty()) return std::nullopt;
    return out.count();
}

}  // namespace

Result<std::int64_t, std::string> parse_moment(std::string_view text, WallMillis now) {
    if (const auto date = parse_date(text)) return *date;
    // Minutes may be short here: "10m" is what people type.
    std::string ago(text);
    if (ago.size() > 1 && ago.back() == 'm') ago += "in";
    if (const auto duration = config::parse_duration(ago)) {
        return std::int64_t{now} * 1'000'000 - duration->count();
    }
    return fail(
        fmt::format("\"{}\" is no moment; write it like 2024-05-01, 2024-05-01T09:30:00Z, "
                    "or how long ago: 10m, 24h",
                    text));
}

}  // namespace scanmq::cli
