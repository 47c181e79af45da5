#pragma once
// LineFile: lines that survive the writer's kill: each append is one write(), and a line that a kill cut
// short is taken off before the next process goes on.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace scanmq::kill9 {

[[noreturn]] inline void stop(int code, const std::string& sentence) {
    fmt::print(stderr, "{}\n", sentence);
    std::exit(code);
}

class LineFile {
  public:
    explicit LineFile(const std::string& path)
        : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
        if (fd_ < 0) stop(1, "cannot open " + path);
    }
    LineFile(const LineFile&) = delete;
    LineFile& operator=(const LineFile&) = delete;
    ~LineFile() { ::close(fd_); }

    // The whole lines that are there; cuts the rest off. To be called once, first.
    [[nodiscard]] std::vector<std::string> read() {
        std::string text(static_cast<std::size_t>(::lseek(fd_, 0, SEEK_END)), '\0');
        if (::pread(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
            stop(1, "cannot read a file of lines");
        }
        const auto end = text.rfind('\n');
        text.resize(end == std::string::npos ? 0 : end + 1);
        if (::ftruncate(fd_, static_cast<off_t>(text.size())) != 0) stop(1, "cannot cut a file");
        std::vector<std::string> lines;
        for (std::size_t at = 0; at < text.size();) {
            const auto cut = text.find('\n', at);
            lines.push_back(text.substr(at, cut - at));
            at = cut + 1;
        }
        return lines;
    }

    void append(std::string_view lines) {
        if (!lines.empty() &&
            ::write(fd_, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) {
            stop(1, "cannot append to a file of lines");
        }
    }

  private:
    int fd_;
};

}  // namespace scanmq::kill9
