#pragma once
// Progress: one line on stderr that tells how far a run is.
//
// On a terminal the line is redrawn in place, at most twenty times a second, and taken away at the
// end; elsewhere a line is written at each tenth. Threads: one.

#include <cstdint>
#include <string>

#include "common/base/time.hpp"

namespace scanmq::cli {

class Progress {
  public:
    enum class Mode : std::uint8_t { off, terminal, lines };

    // terminal when stderr is one, lines when it is not but `wanted`, else off.
    [[nodiscard]] static Mode choose(bool wanted);

    explicit Progress(Mode mode) noexcept : mode_(mode) {}
    ~Progress() { finish(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // failed: of the done ones.
    void update(std::uint64_t done, std::uint64_t total, std::uint64_t failed, Time now);
    void finish();

    // The line itself: "[########------------]  12/30 jobs  40 %  1 failed  31.5 jobs/s".
    [[nodiscard]] static std::string line(std::uint64_t done, std::uint64_t total,
                                          std::uint64_t failed, Duration elapsed);

  private:
    Mode mode_;
    bool drawn_ = false;
    std::uint64_t tenth_ = 0;
    Time started_{};
    Time last_{};
};

}  // namespace scanmq::cli
