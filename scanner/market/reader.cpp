#include "scanner/market/reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "scanner/market/calendar.hpp"
#include "scanner/market/formats.hpp"
#include "scanner/market/snapshot.hpp"

namespace scanmq::market {

namespace {

constexpr std::string_view kKnownFormats =
    "known are the CSV files of Cboe's dashboard, iVolatility, historicaloptiondata (L3), Lean and "
    "optionlab, TD Ameritrade's JSON and scanmq snapshots; read other CSV files by a column "
    "mapping "
    "(--columns)";

class FileHandle {
  public:
    explicit FileHandle(const std::string& path)
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~FileHandle() {
        if (fd_ >= 0) ::close(fd_);
    }
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

Error read_failure(const std::string& path, int error_number) {
    return {ErrorCode::cannot_read_file,
            fmt::format("{}: cannot read it: {}; check the path and its permissions", path,
                        std::strerror(error_number))};
}

// A file's bytes; not a string, which would be zeroed before it is filled.
struct FileBytes {
    std::unique_ptr<char[]> data;
    std::size_t size{};
};

MarketResult<FileBytes> read_bytes(const std::string& path) {
    const FileHandle file(path);
    struct stat info {};
    if (file.fd() < 0 || ::fstat(file.fd(), &info) != 0) return fail(read_failure(path, errno));
    if (!S_ISREG(info.st_mode)) {
        return fail(
            Error{ErrorCode::cannot_read_file, fmt::format("{}: is not a regular file", path)});
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size > kFileBytesMax) {
        return fail(
            Error{ErrorCode::too_large,
                  fmt::format("{}: has {} bytes, the limit is {}; split it by day or symbol", path,
                              size, kFileBytesMax)});
    }
    FileBytes bytes{std::make_unique_for_overwrite<char[]>(size), 0};
    while (bytes.size < size) {
        const auto got = ::read(file.fd(), bytes.data.get() + bytes.size, size - bytes.size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(read_failure(path, errno));
        if (got == 0) break;
        bytes.size += static_cast<std::size_t>(got);
    }
    return bytes;
}

MarketResult<ReadReport> read_snapshot(ByteView bytes, std::string_view name) {
    auto chain = decode_snapshot(bytes);
    if (!chain) {
        auto error = std::move(chain).error();
        error.message = fmt::format("{}: {}", name, error.message);
        return fail(std::move(error));
    }
    ReadReport report;
    report.files = 1;
    report.rows = report.contracts = chain->size();
    report.chains.push_back(std::move(chain).value());
    return report;
}

MarketResult<ReadReport> read_vendor_text(ByteView text, std::string_view name,
                                          const ReadOptions& options) {
    if (options.columns != nullptr) return read_long(text, name, *options.columns, options);
    if (looks_like_cboe(text)) return read_cboe(text, name, options);
    if (looks_like_tda(text)) return read_tda(text, name, options);
    if (const auto* known = find_long_format(text)) {
        return read_long(text, name, known->mapping, options);
    }
    return fail(Error{ErrorCode::unknown_format,
                      fmt::format("{}: not a format that can be read; {}", name, kKnownFormats)});
}

// What every vendor's file goes through: its quotes are checked, and chains of which nothing is left
// go.
MarketResult<ReadReport> checked(ReadReport report, std::string_view name,
                                 const ReadOptions& options) {
    for (auto& chain : report.chains) {
        if (!storable_moment(chain.as_of) || !valid_date(chain.as_of_date)) {
            return fail(
                Error{ErrorCode::bad_date,
                      fmt::format("{}: its quotes are not of the years 1900 to 2999", name)});
        }
        if (check_quotes(chain, options.quality, report.skipped, report.flagged, options.table())) {
            ++report.spots_dropped;
        }
        report.contracts += chain.size();
    }
    std::erase_if(report.chains, [](const Chain& chain) { return chain.size() == 0; });
    if (report.chains.empty()) return fail(no_contracts(name, report));
    report.files = 1;
    return report;
}

void add(ReadReport& total, ReadReport&& part) {
    std::move(part.chains.begin(), part.chains.end(), std::back_inserter(total.chains));
    total.files += part.files;
    total.rows += part.rows;
    total.contracts += part.contracts;
    total.interpolated += part.interpolated;
    total.saturdays += part.saturdays;
    total.skipped.add(part.skipped);
    total.flagged.add(part.flagged);
    total.spots_dropped += part.spots_dropped;
}

MarketResult<ReadReport> read_directory(const std::string& path, const ReadOptions& options) {
    std::error_code failure;
    std::vector<std::string> files;
    std::filesystem::directory_iterator entry(path, failure);
    for (; !failure && entry != std::filesystem::directory_iterator{}; entry.increment(failure)) {
        std::error_code ignored;  // an entry that vanished meanwhile is no regular file
        if (entry->is_regular_file(ignored)) files.push_back(entry->path().string());
    }
    if (failure) {
        return fail(Error{ErrorCode::cannot_read_file,
                          fmt::format("{}: cannot list it: {}", path, failure.message())});
    }
    std::sort(files.begin(), files.end());
    ReadReport total;
    for (const auto& file : files) {
        auto part = read_chain_file(file, options);
        if (part) {
            add(total, std::move(part).value());
        } else if (part.error().code == ErrorCode::unknown_format) {
            ++total.files_unknown;
        } else {
            total.files_failed.push_back(std::move(part).error());
        }
    }
    if (total.chains.empty()) {
        auto message = fmt::format(
            "{}: none of its {} files gave a chain ({} of unknown format, {} failed); {}", path,
            files.size(), total.files_unknown, total.files_failed.size(), kKnownFormats);
        if (!total.files_failed.empty()) {
            message += fmt::format("; first failure: {}", total.files_failed.front().message);
        }
        return fail(Error{ErrorCode::no_contracts, std::move(message)});
    }
    return total;
}

}  // namespace

const char* to_string(FileFormat format) noexcept {
    switch (format) {
        case FileFormat::unknown:
            return "unknown";
        case FileFormat::cboe_csv:
            return "cboe_csv";
        case FileFormat::ivolatility_csv:
            return "ivolatility_csv";
        case FileFormat::hod_l3:
            return "hod_l3";
        case FileFormat::lean_csv:
            return "lean_csv";
        case FileFormat::optionlab_csv:
            return "optionlab_csv";
        case FileFormat::tda_json:
            return "tda_json";
        case FileFormat::snapshot:
            return "snapshot";
    }
    return "unknown";
}

FileFormat detect_format(ByteView text) noexcept {
    if (text.substr(0, kSnapshotMagic.size()) == kSnapshotMagic) return FileFormat::snapshot;
    if (looks_like_cboe(text)) return FileFormat::cboe_csv;
    if (looks_like_tda(text)) return FileFormat::tda_json;
    const auto* known = find_long_format(text);
    return known == nullptr ? FileFormat::unknown : known->format;
}

MarketResult<ReadReport> read_chain_text(ByteView text, std::string_view name,
                                         const ReadOptions& options) {
    if (text.find_first_not_of(" \t\r\n") == ByteView::npos) {
        return fail(Error{ErrorCode::empty_file,
                          fmt::format("{}: is empty; download or export it again", name)});
    }
    if (text.substr(0, kSnapshotMagic.size()) == kSnapshotMagic) return read_snapshot(text, name);
    auto report = read_vendor_text(text, name, options);
    if (report) return checked(std::move(report).value(), name, options);
    return report;
}

MarketResult<ReadReport> read_chain_file(const std::string& path, const ReadOptions& options) {
    auto bytes = read_bytes(path);
    if (!bytes) return fail(std::move(bytes).error());
    return read_chain_text({bytes->data.get(), bytes->size}, path, options);
}

MarketResult<ReadReport> read_chains(const std::string& path, const ReadOptions& options) {
    std::error_code ignored;  // what is no directory is read as a file, whose error is clearer
    if (std::filesystem::is_directory(path, ignored)) return read_directory(path, options);
    return read_chain_file(path, options);
}

std::vector<std::string> report_lines(const ReadReport& report) {
    std::vector<std::string> lines;
    if (report.skipped.total() > 0) {
        lines.push_back(fmt::format("{} contracts left out: {}", report.skipped.total(),
                                    report.skipped.sentence()));
    }
    if (report.flagged.total() > 0) {
        lines.push_back(fmt::format("kept as they are: {}", report.flagged.sentence()));
    }
    if (report.saturdays > 0) {
        lines.push_back(fmt::format(
            "{} rows with an expiry on a Saturday: taken as the Friday before", report.saturdays));
    }
    if (report.interpolated > 0) {
        lines.push_back(
            fmt::format("{} volatilities of the source left out: not from their own quotes",
                        report.interpolated));
    }
    if (report.spots_dropped > 0) {
        lines.push_back(
            fmt::format("{} spot prices left out: a split away from what the options say",
                        report.spots_dropped));
    }
    if (report.files_unknown > 0) {
        lines.push_back(fmt::format("{} files of no known format left out", report.files_unknown));
    }
    return lines;
}

}  // namespace scanmq::market
