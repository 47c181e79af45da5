#include "client/cli/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace scanmq::cli {
namespace {

struct CloseFile {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Failure<Problem> cannot(std::string_view code, std::string_view verb, const std::string& path) {
    return fail(Problem{ExitCode::failed, std::string(code),
                        fmt::format("cannot {} {}: {}", verb, path, std::strerror(errno))});
}

}  // namespace

Result<std::string, Problem> read_file(const std::string& path) {
    const File opened(path == "-" ? nullptr : std::fopen(path.c_str(), "rb"));
    std::FILE* file = path == "-" ? stdin : opened.get();
    if (file == nullptr) return cannot("cannot_read_file", "read", path);
    std::string bytes;
    std::array<char, 65'536> chunk{};
    while (const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), file))
        bytes.append(chunk.data(), n);
    if (std::ferror(file) != 0) return cannot("cannot_read_file", "read", path);
    return bytes;
}

Result<void, Problem> write_file(const std::string& path, std::string_view bytes) {
    const std::string beside = fmt::format("{}.{}.part", path, ::getpid());
    File file(std::fopen(beside.c_str(), "wb"));
    if (!file) return cannot("cannot_write_file", "write", path);
    const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
    const bool closed = std::fclose(file.release()) == 0;
    if (written && closed && std::rename(beside.c_str(), path.c_str()) == 0) return {};
    auto problem = cannot("cannot_write_file", "write", path);
    std::remove(beside.c_str());
    return problem;
}

Result<void, Problem> make_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!error) return {};
    return fail(Problem{ExitCode::failed, "cannot_write_file",
                        fmt::format("cannot make the directory {}: {}", path, error.message())});
}

}  // namespace scanmq::cli
