#include "broker/store/file_log.hpp"

#include <algorithm>
#include <utility>

#include "broker/store/segment_reader.hpp"
#include "common/base/assert.hpp"
#include "common/base/rng.hpp"

namespace scanmq::broker {
namespace {

// A buffer that a burst has made larger is given back.
constexpr std::size_t kBufferKept = 16U << 20;

LogError cannot(const char* what, const FileError& error) {
    return {std::string("the commit log cannot be ") + what + ": " + error.sentence};
}

}  // namespace

FileLog::FileLog(FileSystem& files, FileLogOptions options, FoundLog found)
    : files_(files),
      options_(std::move(options)),
      findings_(std::move(found.findings)),
      appended_(found.end),
      written_(found.end),
      durable_(found.end),
      synced_(found.end) {
    const std::uint64_t frame_max = frame_bytes(options_.record_bytes_max);
    SCANMQ_ASSERT(options_.segment_bytes % kSegmentHeadBytes == 0);
    SCANMQ_ASSERT(options_.segment_bytes >= kSegmentHeadBytes + 2 * frame_max);
    SCANMQ_ASSERT(options_.spare_segments_max >= options_.reserve_segments);

    std::uint64_t seen = found.end;  // makes an incarnation differ from those before it
    std::uint64_t number = 1;
    for (const auto* list : {&found.rest, &found.segments, &found.unused}) {
        for (const FoundSegment& segment : *list) seen ^= segment.head.incarnation;
    }
    if (!found.segments.empty()) number = found.segments.back().segment.number + 1;
    if (found.segments.empty() && !found.unused.empty())
        number = found.unused.front().segment.number;
    SegmentPoolOptions pool;
    pool.folder = options_.folder;
    pool.segment_bytes = options_.segment_bytes;
    pool.room_bytes = options_.segment_bytes - kSegmentHeadBytes - frame_max;
    pool.reserve_segments = options_.reserve_segments;
    pool.spare_segments_max = options_.spare_segments_max;
    pool.incarnation = Rng(seen ^ (options_.seed != 0 ? options_.seed : Rng::random_seed())).next();
    pool.base = found.end;
    pool.next_number = number;
    pool_ = std::make_unique<SegmentPool>(files_, std::move(pool));
}

FileLog::~FileLog() = default;

Result<std::unique_ptr<FileLog>, LogError> FileLog::open(FileSystem& files,
                                                         FileLogOptions options) {
    auto found = find_log(files, options.folder, options.checkpoint);
    if (!found) return fail(std::move(found).error());
    std::unique_ptr<FileLog> log(new FileLog(files, std::move(options), *found));
    if (auto settled = log->settle(*found); !settled) return fail(std::move(settled).error());
    return log;
}

// Makes what was found the ground on which the log goes on.
Result<void, LogError> FileLog::settle(FoundLog& found) {
    const auto broken = [](const FileError& error) { return fail(cannot("opened", error)); };
    if (auto spares = pool_->find_spares(); !spares) return broken(spares.error());
    // After the end of a process alone, what it wrote is there but need not be durable; the next
    // segment's head will say that it is.
    for (const FoundSegment& segment : found.segments) {
        if (auto synced = segment.segment.file->sync(); !synced) return broken(synced.error());
    }
    // From the end, one by one: a gap must never come to stand behind records.
    for (auto at = found.unused.rbegin(); at != found.unused.rend(); ++at) {
        if (auto gone = pool_->retire({at->segment}); !gone) return broken(gone.error());
    }
    std::vector<LogSegment> rest;
    for (const FoundSegment& segment : found.rest) rest.push_back(segment.segment);
    if (!rest.empty()) {
        if (auto gone = pool_->retire(rest); !gone) return broken(gone.error());
    }
    for (FoundSegment& segment : found.segments) {
        live_.push_back({std::move(segment.segment), segment.first, segment.last, segment.end});
    }
    released_ = live_.empty() ? found.end : found.begin;
    // In mode async a crash may leave less than the checkpoint has: then nothing here is of use.
    const bool behind = !live_.empty() && live_.back().last < found.end;
    auto released = release(behind ? found.end : options_.checkpoint);
    if (!released) return released;
    if (live_.empty()) released_ = found.end;
    if (auto provided = pool_->provide(); !provided) return broken(provided.error());
    return {};
}

Result<LogPosition, LogError> FileLog::append(std::span<const CommitRecord> records,
                                              const BodyStore& bodies) {
    if (failed_.load(std::memory_order_acquire)) return fail(*error());
    LogPosition position = 0;
    bool signal = false;
    {
        const std::lock_guard lock(buffer_mutex_);
        const std::size_t before = buffer_.size();
        for (const CommitRecord& record : records) {
            const std::size_t start = buffer_.size();
            append_frame(buffer_, appended_ + 1, record, bodies);
            if (buffer_.size() - start > frame_bytes(options_.record_bytes_max)) {
                const std::size_t bytes = buffer_.size() - start;
                buffer_.resize(start);
                return fail(LogError{
                    "a commit record of partition " + std::to_string(record.partition) + " takes " +
                    std::to_string(bytes) + " bytes, at most " +
                    std::to_string(options_.record_bytes_max) + " are allowed; this is a defect"});
            }
            ++appended_;
        }
        position = appended_;
        unwritten_.fetch_add(buffer_.size() - before, std::memory_order_relaxed);
        signal = std::exchange(waiting_, false);
    }
    if (signal) work_.notify_one();
    records_.fetch_add(records.size(), std::memory_order_relaxed);
    return position;
}

bool FileLog::step(Time now) {
    if (failed_) return false;
    took_segment_ = false;
    const bool wrote = write_buffer();
    if (failed_ && !out_of_room_) return false;
    const bool sync = options_.mode == FileLogOptions::Mode::sync;
    if (wrote && !sync) {
        publish();
        if (!sync_due_) sync_due_ = now + options_.async_interval;
    }
    bool synced = false;
    if (!unsynced_.empty() && (sync || (sync_due_ && *sync_due_ <= now))) {
        synced = sync_written();
        if (synced && sync) publish();
    }
    if (took_segment_ && !failed_) {
        if (poke_) {
            poke_();
        } else {
            provide();
        }
    }
    return wrote || synced;
}

void FileLog::finish(Time now) {
    while (step(now)) {
    }
    if (!failed_ && !unsynced_.empty()) (void)sync_written();
}

// Writes what has been appended. A part of it may have been written when error() is set.
bool FileLog::write_buffer() {
    {
        const std::lock_guard lock(buffer_mutex_);
        std::swap(buffer_, writing_);
    }
    if (writing_.empty()) return false;
    const LogPosition before = written_;
    std::size_t start = 0;  // of what belongs into the current segment and is not yet written
    std::size_t at = 0;
    std::uint64_t count = 0;  // of the frames between them
    const auto write = [&] {
        return write_run(ByteView(writing_).substr(start, at - start), std::exchange(count, 0));
    };
    bool going = true;
    while (going && at < writing_.size()) {
        char* frame = writing_.data() + at;
        const std::uint64_t bytes = appended_frame_bytes(frame);
        if (current_end_ == 0 || current_end_ + (at - start) + bytes > options_.segment_bytes) {
            going = write() && take_segment();
            start = at;
            continue;
        }
        seal_frame(frame, current_.key, synced_);
        at += bytes;
        ++count;
    }
    if (going) (void)write();
    writing_.clear();
    if (writing_.capacity() > kBufferKept) std::string().swap(writing_);
    return written_ != before;
}

// Writes `count` frames into the current segment, in one piece.
bool FileLog::write_run(ByteView frames, std::uint64_t count) {
    if (frames.empty()) return true;
    const LogPosition first = written_ + 1;
    auto written = current_.file->pwrite(current_end_, frames);
    writes_.fetch_add(1, std::memory_order_relaxed);
    if (!written) {
        stop_on(written.error(), "written");
        return false;
    }
    bytes_.fetch_add(frames.size(), std::memory_order_relaxed);
    current_end_ += frames.size();
    written_ += count;
    if (unsynced_.empty() || unsynced_.back() != current_.file) unsynced_.push_back(current_.file);
    {
        const std::lock_guard lock(segments_mutex_);
        Live& live = live_.back();
        if (live.first == 0) live.first = first;
        live.last = written_;
        live.end = current_end_;
    }
    rest_.store(rest_room(), std::memory_order_relaxed);
    unwritten_.fetch_sub(frames.size(), std::memory_order_relaxed);
    return true;
}

bool FileLog::take_segment() {
    auto segment = pool_->take();
    if (!segment) {
        if (segment.error().kind == FileError::Kind::full) {
            out_of_room_ = true;  // but what has been written is good: step() syncs it
            stop_on({FileError::Kind::full, segment.error().sentence +
                                                "; all allocated segments are full: free room on "
                                                "the file system and start again"},
                    "written");
        } else {
            stop_on(segment.error(), "written");
        }
        return false;
    }
    current_ = std::move(*segment);
    current_end_ = kSegmentHeadBytes;
    took_segment_ = true;
    {
        const std::lock_guard lock(segments_mutex_);
        live_.push_back({current_, 0, written_, kSegmentHeadBytes});
        in_use_ = current_.number;
    }
    rest_.store(rest_room(), std::memory_order_relaxed);
    return true;
}

bool FileLog::sync_written() {
    const LogPosition upto = written_;
    for (const std::shared_ptr<File>& file : unsynced_) {
        auto synced = file->sync();
        syncs_.fetch_add(1, std::memory_order_relaxed);
        if (!synced) {
            stop_on(synced.error(), "synced");
            return false;
        }
    }
    unsynced_.clear();
    sync_due_.reset();
    synced_ = upto;
    return true;
}

void FileLog::publish() {
    if (durable_.load(std::memory_order_relaxed) == written_) return;
    durable_.store(written_, std::memory_order_release);
    if (wake_) wake_();
}

void FileLog::stop_on(const FileError& error, const char* consequence) {
    {
        const std::lock_guard lock(error_mutex_);
        if (error_) return;
        error_ = cannot(consequence, error);
    }
    failed_.store(true, std::memory_order_release);
    if (wake_) wake_();
}

std::optional<LogError> FileLog::error() const {
    if (!failed_.load(std::memory_order_acquire)) return std::nullopt;
    const std::lock_guard lock(error_mutex_);
    return error_;
}

void FileLog::provide() {
    if (failed_) return;
    if (auto provided = pool_->provide(); !provided) stop_on(provided.error(), "extended");
}

Result<void, LogError> FileLog::read(LogPosition after, const Visit& visit) {
    std::vector<Live> segments;
    const LogPosition last = durable();
    {
        const std::lock_guard lock(segments_mutex_);
        if (after < released_) {
            return fail(LogError{"the commit log begins behind record " +
                                 std::to_string(released_) + "; records from " +
                                 std::to_string(after + 1) + " on are asked for"});
        }
        for (const Live& live : live_) {
            if (live.first != 0 && live.last > after && live.first <= last)
                segments.push_back(live);
        }
    }
    LogPosition expected = after + 1;
    for (const Live& live : segments) {
        SegmentReader reader(*live.segment.file, live.segment.key, live.end);
        std::uint64_t offset = kSegmentHeadBytes;
        for (LogPosition p = live.first; p <= live.last && p <= last; ++p) {
            auto frame = reader.at(offset);
            if (!frame) return fail(cannot("read", frame.error()));
            if (!*frame || (*frame)->head.position != p || (p > after && p != expected)) {
                return fail(LogError{"the commit log is damaged: record " + std::to_string(p) +
                                     " cannot be read in " + options_.folder + "/" +
                                     segment_name(live.segment.number) + " at offset " +
                                     std::to_string(offset)});
            }
            offset += (*frame)->head.bytes;
            if (p <= after) continue;
            if (auto visited = visit((*frame)->record); !visited) return visited;
            ++expected;
        }
    }
    return {};
}

Result<void, LogError> FileLog::release(LogPosition up_to) {
    std::vector<LogSegment> out;
    {
        const std::lock_guard lock(segments_mutex_);
        std::size_t count = 0;
        while (count < live_.size() && live_[count].last <= up_to &&
               live_[count].segment.number != in_use_) {
            released_ = std::max(released_, live_[count].last);
            out.push_back(std::move(live_[count].segment));
            ++count;
        }
        live_.erase(live_.begin(), live_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (out.empty()) return {};
    if (auto retired = pool_->retire(out); !retired)
        return fail(cannot("released", retired.error()));
    if (poke_) poke_();
    return {};
}

LogRoom FileLog::room() const {
    LogRoom out;
    const std::uint64_t unwritten = unwritten_.load(std::memory_order_relaxed);
    const std::uint64_t all = pool_->room_bytes() + rest_.load(std::memory_order_relaxed);
    out.bytes = all > unwritten ? all - unwritten : 0;
    out.reason = pool_->low();
    out.low = !out.reason.empty();
    return out;
}

// Of the current segment; the last frame that does not fit leaves its rest unused.
std::uint64_t FileLog::rest_room() const noexcept {
    const std::uint64_t rest = options_.segment_bytes - current_end_;
    const std::uint64_t frame_max = frame_bytes(options_.record_bytes_max);
    return rest > frame_max ? rest - frame_max : 0;
}

LogStats FileLog::stats() const {
    LogStats out;
    out.records = records_.load(std::memory_order_relaxed);
    out.bytes = bytes_.load(std::memory_order_relaxed);
    out.writes = writes_.load(std::memory_order_relaxed);
    out.syncs = syncs_.load(std::memory_order_relaxed);
    out.spares = pool_->count();
    out.allocated = pool_->allocated();
    out.recycled = pool_->recycled();
    const std::lock_guard lock(segments_mutex_);
    out.segments = live_.size();
    return out;
}

bool FileLog::wait_for_work(std::optional<Time> until) {
    std::unique_lock lock(buffer_mutex_);
    const auto ready = [&] { return !buffer_.empty() || interrupted_; };
    while (!ready()) {
        waiting_ = true;
        if (!until) {
            work_.wait(lock);
        } else if (work_.wait_until(lock, *until) == std::cv_status::timeout) {
            break;
        }
    }
    waiting_ = false;
    return !interrupted_;
}

void FileLog::interrupt() {
    {
        const std::lock_guard lock(buffer_mutex_);
        interrupted_ = true;
    }
    work_.notify_all();
}

}  // namespace scanmq::broker
