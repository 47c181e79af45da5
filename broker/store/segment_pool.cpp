#include "broker/store/segment_pool.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::broker {
namespace {

constexpr std::size_t kDigits = 16;
constexpr std::string_view kSuffix = ".log";
constexpr std::string_view kSpare = "spare-";
constexpr std::string_view kMaking = "making-";

}  // namespace

std::string segment_name(std::uint64_t number) {
    std::string digits = std::to_string(number);
    SCANMQ_ASSERT(digits.size() <= kDigits);
    digits.insert(0, kDigits - digits.size(), '0');
    return digits.append(kSuffix);
}

std::optional<std::uint64_t> segment_number(const std::string& name) {
    if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
    std::uint64_t number = 0;
    const char* end = name.data() + kDigits;
    const auto [stop, code] = std::from_chars(name.data(), end, number);
    if (code != std::errc() || stop != end) return std::nullopt;
    return number;
}

SegmentPool::SegmentPool(FileSystem& files, SegmentPoolOptions options)
    : files_(files), options_(std::move(options)), next_number_(options_.next_number) {}

FileResult<void> SegmentPool::find_spares() {
    auto names = files_.list(options_.folder);
    if (!names) return fail(std::move(names).error());
    for (const std::string& name : *names) {
        const bool spare = name.starts_with(kSpare);
        if (!spare && !name.starts_with(kMaking)) continue;
        if (spare) {
            auto file = files_.open(path(name));
            if (!file) return fail(std::move(file).error());
            auto size = (*file)->size();
            if (!size) return fail(std::move(size).error());
            if (*size == options_.segment_bytes) {
                add({path(name), std::move(*file), true});
                continue;
            }
        }
        if (auto gone = files_.remove(path(name)); !gone) return gone;
    }
    {
        const std::lock_guard lock(mutex_);
        for (const std::string& name : *names) {
            // New names follow the highest there is, removed or not.
            const std::size_t dash = name.find('-');
            if (dash == std::string::npos) continue;
            std::uint64_t n = 0;
            std::from_chars(name.data() + dash + 1, name.data() + name.size(), n);
            next_spare_ = std::max(next_spare_, n + 1);
        }
    }
    // A process that ended may have renamed a segment without syncing that: before the spare gets
    // another number, its old name must be gone for good.
    return files_.sync_directory(options_.folder);
}

FileResult<LogSegment> SegmentPool::take() {
    const std::lock_guard lock(ready_mutex_);
    if (!ready_) {
        if (auto got = get_ready(); !got) return fail(std::move(got).error());
    }
    LogSegment out = std::move(*ready_);
    ready_.reset();
    --count_;
    return out;
}

FileResult<void> SegmentPool::provide() {
    for (;;) {
        {
            const std::lock_guard lock(ready_mutex_);
            const bool spare = count_ > 0;
            if (!ready_ && spare) {
                if (auto got = get_ready(); !got) return got;
            }
        }
        if (count_ >= options_.reserve_segments) return {};
        auto allocated = allocate();
        if (allocated) continue;
        return allocated.error().kind == FileError::Kind::io ? allocated : FileResult<void>();
    }
}

FileResult<void> SegmentPool::allocate() {
    const std::lock_guard lock(allocate_mutex_);
    const auto refuse = [&](FileError error) {
        const std::lock_guard state(mutex_);
        low_ = error.sentence;
        return fail(std::move(error));
    };
    // An allocation that fails would take the last room for a moment.
    auto free = files_.free_bytes(options_.folder);
    if (!free) return refuse(std::move(free).error());
    if (*free < options_.segment_bytes) {
        return refuse({FileError::Kind::full, "cannot allocate a log segment of " +
                                                  std::to_string(options_.segment_bytes) +
                                                  " bytes in " + options_.folder + ": " +
                                                  std::to_string(*free) + " bytes are free"});
    }
    const std::string making = path(new_name(kMaking.data()));
    const std::string spare = path(new_name(kSpare.data()));
    const auto make = [&]() -> FileResult<std::shared_ptr<File>> {
        auto file = files_.create(making);
        if (!file) return fail(std::move(file).error());
        if (auto got = (*file)->preallocate(options_.segment_bytes); !got)
            return fail(std::move(got).error());
        if (auto synced = (*file)->sync(); !synced) return fail(std::move(synced).error());
        if (auto renamed = files_.rename(making, spare); !renamed)
            return fail(std::move(renamed).error());
        if (auto synced = files_.sync_directory(options_.folder); !synced)
            return fail(std::move(synced).error());
        return std::shared_ptr<File>(std::move(*file));
    };
    auto file = make();
    if (!file) {
        (void)files_.remove(making);  // half made; else removed at the next start
        return refuse(std::move(file).error());
    }
    ++allocated_;
    add({spare, std::move(*file), false});
    return {};
}

FileResult<void> SegmentPool::get_ready() {
    std::optional<Spare> spare;
    while (!spare) {
        {
            const std::lock_guard lock(mutex_);
            if (!spares_.empty()) {
                spare = std::move(spares_.back());
                spares_.pop_back();
                --count_;
            }
        }
        if (!spare) {
            // provide() may be allocating: then this waits for it, and finds what it made.
            { const std::lock_guard wait(allocate_mutex_); }
            const std::lock_guard lock(mutex_);
            if (!spares_.empty()) continue;
        }
        if (!spare) {
            if (auto allocated = allocate(); !allocated) return allocated;
        }
    }
    const SegmentHead head{next_number_, options_.segment_bytes, options_.incarnation,
                           options_.base};
    const std::string name = path(segment_name(next_number_));
    if (auto done = spare->file->pwrite(0, encode_segment_head(head)); !done) return done;
    if (auto done = spare->file->sync(); !done) return done;
    if (auto done = files_.rename(spare->path, name); !done) return done;
    if (auto done = files_.sync_directory(options_.folder); !done) return done;
    if (spare->used) ++recycled_;
    ready_ = LogSegment{next_number_, std::move(spare->file),
                        FrameKey(options_.incarnation, next_number_)};
    ++next_number_;
    ++count_;
    return {};
}

FileResult<void> SegmentPool::retire(const std::vector<LogSegment>& segments) {
    std::vector<Spare> spares;
    FileResult<void> result;
    for (const LogSegment& segment : segments) {
        const std::string from = path(segment_name(segment.number));
        auto size = segment.file->size();
        if (!size) {
            result = fail(std::move(size).error());
            break;
        }
        if (*size != options_.segment_bytes ||
            count_ + spares.size() >= options_.spare_segments_max) {
            result = files_.remove(from);
        } else {
            const std::string to = path(new_name(kSpare.data()));
            result = files_.rename(from, to);
            if (result) spares.push_back({to, segment.file, true});
        }
        if (!result) break;
    }
    // Before one of them gets another number: after a crash its old name must not hold new records.
    auto synced = files_.sync_directory(options_.folder);
    if (!synced) return synced;
    for (Spare& spare : spares) add(std::move(spare));
    return result;
}

void SegmentPool::add(Spare spare) {
    const std::lock_guard lock(mutex_);
    spares_.push_back(std::move(spare));
    if (++count_ >= options_.reserve_segments) low_.clear();
}

std::string SegmentPool::low() const {
    const std::lock_guard lock(mutex_);
    return low_;
}

std::string SegmentPool::new_name(const char* kind) {
    const std::lock_guard lock(mutex_);
    return kind + std::to_string(next_spare_++) + std::string(kSuffix);
}

}  // namespace scanmq::broker
