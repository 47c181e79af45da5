#include "common/telemetry/histogram.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <memory>

namespace scanmq::telemetry {

std::size_t Histogram::index_of(std::uint64_t value) noexcept {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kSubBits + 1 ? width - (kSubBits + 1) : 0;
    return (std::size_t{shift} << kSubBits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::upper_edge(std::size_t index) noexcept {
    constexpr std::size_t kSub = std::size_t{1} << kSubBits;
    if (index < 2 * kSub) return index;
    const std::size_t shift = (index >> kSubBits) - 1;
    const std::uint64_t mantissa = kSub + (index & (kSub - 1));
    return ((mantissa + 1) << shift) - 1;
}

void Histogram::record(Duration value) noexcept {
    const std::int64_t clamped = std::clamp<std::int64_t>(value.count(), 0, kMaxValue.count());
    ++counts_[index_of(static_cast<std::uint64_t>(clamped))];
    ++count_;
    min_ = std::min(min_, clamped);
    max_ = std::max(max_, clamped);
}

void Histogram::merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
}

Duration Histogram::min() const noexcept { return Duration{count_ == 0 ? 0 : min_}; }

Duration Histogram::percentile(double fraction) const noexcept {
    if (count_ == 0) return Duration{0};
    const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
    const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += counts_[i];
        if (seen >= rank) return Duration{std::min(static_cast<std::int64_t>(upper_edge(i)), max_)};
    }
    return Duration{max_};
}

std::string Histogram::encode() const {
    std::string text = std::to_string(min_) + ' ' + std::to_string(max_);
    for (std::size_t i = 0; i < kBuckets; ++i) {
        if (counts_[i] == 0) continue;
        text += ' ' + std::to_string(i) + ':' + std::to_string(counts_[i]);
    }
    return text;
}

namespace {
// Takes one unsigned number and, unless it ends the text, the separator after it.
template <class T>
bool take(std::string_view& text, char separator, T& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return true;
    if (text.front() != separator) return false;
    text.remove_prefix(1);
    return true;
}
}  // namespace

bool Histogram::merge_encoded(std::string_view text) {
    const auto read = std::make_unique<Histogram>();  // too large for a stack frame of its own
    if (!take(text, ' ', read->min_) || !take(text, ' ', read->max_)) return false;
    while (!text.empty()) {
        std::size_t index = 0;
        std::uint64_t count = 0;
        if (!take(text, ':', index) || index >= kBuckets) return false;
        if (!take(text, ' ', count)) return false;
        read->counts_[index] += count;
        read->count_ += count;
    }
    if (read->max_ < 0 || read->max_ > kMaxValue.count() || read->min_ < 0) return false;
    if (read->count_ > 0) merge(*read);
    return true;
}

}  // namespace scanmq::telemetry
