#include "client/cpp/journal_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace scanmq::client {

using protocol::ErrorCode;

namespace {

constexpr mode_t kMode = 0600;  // payloads are the owner's business

bool write_all(int file, ByteView bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return true;
}

bool read_all(int file, std::uint64_t offset, std::size_t size, std::string& out) {
    const std::size_t from = out.size();
    out.resize(from + size);
    std::size_t have = 0;
    while (have < size) {
        const ssize_t n =
            ::pread(file, out.data() + from + have, size - have, static_cast<off_t>(offset + have));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        have += static_cast<std::size_t>(n);
    }
    return true;
}

// So that a rename is on the disk, too.
void sync_directory(const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    (void)::fsync(file);
    ::close(file);
}

}  // namespace

Error JournalFile::io_error(std::string_view what) const {
    return {ErrorKind::io, ErrorCode::none,
            "cannot " + std::string(what) + " the journal " + options_.path + ": " +
                std::strerror(errno) + "; see that its directory exists, is writable and has room"};
}

Result<std::unique_ptr<JournalFile>> JournalFile::open(const JournalOptions& options) {
    std::unique_ptr<JournalFile> out(new JournalFile(options));
    if (auto locked = out->lock(); !locked) return fail(std::move(locked).error());
    if (auto loaded = out->load(); !loaded) return fail(std::move(loaded).error());
    return out;
}

JournalFile::~JournalFile() {
    if (file_ >= 0) ::close(file_);
    if (lock_ >= 0) ::close(lock_);
}

Result<void> JournalFile::lock() {
    const std::string path = options_.path + ".lock";
    lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode);
    if (lock_ < 0) return fail(io_error("lock"));
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK) return fail(io_error("lock"));
    return fail(Error{ErrorKind::invalid, ErrorCode::none,
                      "the journal " + options_.path +
                          " is in use by another producer: stop that one, or name another file"});
}

Result<void> JournalFile::load() {
    file_ = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode);
    struct stat status {};
    if (file_ < 0 || ::fstat(file_, &status) != 0) return fail(io_error("open"));
    if (!S_ISREG(status.st_mode)) {
        return fail(Error{ErrorKind::invalid, ErrorCode::none,
                          "the journal " + options_.path + " is not a file: name another"});
    }
    // Another's file may be of any size: its first bytes tell.
    const auto size = static_cast<std::size_t>(status.st_size);
    const std::size_t first = std::min(size, journal::kMagic.size());
    if (!read_all(file_, 0, first, old_)) return fail(io_error("read"));
    if (old_ == journal::kMagic && !read_all(file_, first, size - first, old_)) {
        return fail(io_error("read"));
    }
    auto contents = journal::read(old_);
    if (!contents) {
        return fail(Error{ErrorKind::invalid, ErrorCode::none,
                          "cannot use the journal " + options_.path + ": " + contents.error() +
                              "; name another file, or move this one away"});
    }
    if (!contents->queue.empty() && contents->queue != options_.queue) {
        return fail(Error{ErrorKind::invalid, ErrorCode::none,
                          "the journal " + options_.path + " is of queue " + contents->queue +
                              ", not of " + options_.queue + ": name another file"});
    }
    old_jobs_ = std::move(contents->jobs);
    info_.torn_bytes = contents->torn_bytes;
    return {};
}

Result<void> JournalFile::restore(const std::function<Result<Ticket>(const Job&)>& take) {
    std::string bytes;
    journal::begin(options_.queue, bytes);
    const std::uint64_t head = bytes.size();
    std::map<std::uint64_t, Place> live;
    for (const journal::Kept& kept : old_jobs_) {
        const ByteView record = ByteView(old_).substr(kept.offset, kept.bytes);
        const auto restored = journal::RestoredJob::decode(record, kept.id);
        if (!restored) {
            return fail(Error{
                ErrorKind::invalid, ErrorCode::malformed,
                "a job of the journal " + options_.path + " cannot be read: " + restored.error() +
                    "; it was written by another version: use that, or move it away"});
        }
        const auto ticket = take(restored->job());
        if (!ticket) {
            Error error = ticket.error();
            error.sentence = "a job of the journal " + options_.path +
                             " cannot be submitted again: " + error.sentence;
            return fail(std::move(error));
        }
        const std::uint64_t at = bytes.size();
        journal::append_job(*ticket, restored->job(), bytes);
        live.emplace(ticket->value, Place{at, bytes.size() - at, {}});
    }
    if (auto replaced = replace(bytes); !replaced) return replaced;
    head_bytes_ = head;
    live_bytes_ = bytes.size() - head;
    info_.restored = live.size();
    live_ = std::move(live);
    old_ = {};
    old_jobs_ = {};
    return {};
}

Result<void> JournalFile::replace(const std::string& bytes) {
    const std::string beside = options_.path + ".new";
    const int file = ::open(beside.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
    if (file < 0) return fail(io_error("write"));
    const bool written = write_all(file, bytes, 0) && (!options_.sync || ::fdatasync(file) == 0) &&
                         std::rename(beside.c_str(), options_.path.c_str()) == 0;
    if (!written) {
        Error error = io_error("write");
        ::close(file);
        (void)::unlink(beside.c_str());
        return fail(std::move(error));
    }
    if (options_.sync) sync_directory(options_.path);
    if (file_ >= 0) ::close(file_);
    file_ = file;
    file_bytes_ = bytes.size();
    return {};
}

// At the end; after an error the file ends where it did.
Result<void> JournalFile::write(const std::string& bytes) {
    if (write_all(file_, bytes, file_bytes_) && (!options_.sync || ::fdatasync(file_) == 0)) {
        file_bytes_ += bytes.size();
        return {};
    }
    Error error = io_error("write");
    if (::ftruncate(file_, static_cast<off_t>(file_bytes_)) != 0) broken_ = error;
    return fail(std::move(error));
}

Result<void> JournalFile::append(Ticket ticket, const Job& job) {
    if (broken_) return fail(Error(*broken_));
    scratch_.clear();
    journal::append_job(ticket, job, scratch_);
    // One job always fits: it was within the producer's buffer.
    if (!live_.empty() && live_bytes_ + scratch_.size() > options_.bytes_max) {
        return fail(Error{ErrorKind::buffer_full, ErrorCode::none,
                          "the journal " + options_.path + " is full: wait for answers"});
    }
    const std::uint64_t at = file_bytes_;
    if (auto written = write(scratch_); !written) return written;
    live_.emplace(ticket.value, Place{at, scratch_.size(), {}});
    live_bytes_ += scratch_.size();
    return {};
}

void JournalFile::stamp(std::span<const JobStamped> stamps) {
    if (broken_ || stamps.empty()) return;
    for (const JobStamped& stamp : stamps) {
        const auto found = live_.find(stamp.ticket.value);
        if (found != live_.end()) found->second.id = stamp.id;
    }
    scratch_.clear();
    journal::append_stamps(stamps, scratch_);
    if (auto written = write(scratch_); !written) broken_ = std::move(written).error();
}

void JournalFile::answer(std::span<const Ticket> answered) {
    std::size_t gone = 0;
    for (const Ticket ticket : answered) {
        const auto found = live_.find(ticket.value);
        if (found == live_.end()) continue;
        live_bytes_ -= found->second.bytes;
        live_.erase(found);
        ++gone;
    }
    if (broken_ || gone == 0) return;
    if (live_.empty()) {
        if (::ftruncate(file_, static_cast<off_t>(head_bytes_)) == 0) {
            file_bytes_ = head_bytes_;
        } else {
            broken_ = io_error("cut");
        }
        return;
    }
    scratch_.clear();
    journal::append_answers(answered, scratch_);
    Result<void> kept = write(scratch_);
    if (kept && file_bytes_ > 2 * live_bytes_ + kSlackBytes) kept = rewrite();
    if (!kept) broken_ = std::move(kept).error();
}

Result<void> JournalFile::rewrite() {
    std::string bytes;
    journal::begin(options_.queue, bytes);
    std::map<std::uint64_t, Place> live;
    std::vector<JobStamped> stamps;
    for (const auto& [ticket, place] : live_) {
        const std::uint64_t at = bytes.size();
        if (!read_all(file_, place.offset, place.bytes, bytes)) return fail(io_error("read"));
        live.emplace(ticket, Place{at, place.bytes, place.id});
        if (!place.id.is_zero()) stamps.push_back({0, Ticket{ticket}, place.id});
    }
    if (!stamps.empty()) journal::append_stamps(stamps, bytes);
    if (auto replaced = replace(bytes); !replaced) return replaced;
    live_ = std::move(live);
    ++info_.rewrites;
    return {};
}

JournalInfo JournalFile::info() const {
    JournalInfo out = info_;
    out.jobs = live_.size();
    out.file_bytes = file_bytes_;
    return out;
}

}  // namespace scanmq::client
