#include "client/cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace scanmq::cli {
namespace {
constexpr Duration kRedraw = std::chrono::milliseconds(50);
constexpr std::uint64_t kBarWidth = 30;
}  // namespace

Progress::Mode Progress::choose(bool wanted) {
    if (::isatty(STDERR_FILENO) == 1) return Mode::terminal;
    return wanted ? Mode::lines : Mode::off;
}

std::string Progress::line(std::uint64_t done, std::uint64_t total, std::uint64_t failed,
                           Duration elapsed) {
    const std::uint64_t share = total == 0 ? 0 : std::min(done, total) * kBarWidth / total;
    const double seconds = std::chrono::duration<double>(elapsed).count();
    const double rate = seconds > 0.0 ? static_cast<double>(done) / seconds : 0.0;
    return fmt::format("[{:#<{}}{:-<{}}] {}/{} jobs  {} %{}  {:.1f} jobs/s", "", share, "",
                       kBarWidth - share, done, total,
                       total == 0 ? 0 : std::min(done, total) * 100 / total,
                       failed == 0 ? std::string{} : fmt::format("  {} failed", failed), rate);
}

void Progress::update(std::uint64_t done, std::uint64_t total, std::uint64_t failed, Time now) {
    if (mode_ == Mode::off) return;
    if (started_ == Time{}) started_ = now;
    if (mode_ == Mode::lines) {
        const std::uint64_t tenth = total == 0 ? 0 : done * 10 / total;
        if (tenth == tenth_) return;
        tenth_ = tenth;
        fmt::print(stderr, "{}\n", line(done, total, failed, now - started_));
        return;
    }
    if (drawn_ && done < total && now - last_ < kRedraw) return;
    last_ = now;
    drawn_ = true;
    fmt::print(stderr, "\r\x1b[K{}", line(done, total, failed, now - started_));
    std::fflush(stderr);
}

void Progress::finish() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
}

}  // namespace scanmq::cli
