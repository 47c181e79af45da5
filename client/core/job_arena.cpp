#include "client/core/job_arena.hpp"

#include <cstring>
#include <utility>

#include "common/base/assert.hpp"

namespace scanmq::client {

std::size_t encoded_bytes_max(const protocol::JobOptions* options) noexcept {
    if (options == nullptr) return 0;
    constexpr std::size_t kNumbers = 64;  // the map, keys, and what is no text
    constexpr std::size_t kText = 5;      // before each text
    std::size_t bytes = kNumbers + 2 * kText + options->conflate_key.size() + options->flow.size();
    for (const std::string& alias : options->aliases) bytes += kText + alias.size();
    return bytes;
}

StoredJob JobArena::store(const Job& job, const ContentId* content) {
    SCANMQ_ASSERT(job.subject.size() <= 0xffff && job.inputs.size() <= 0xffff &&
                  job.payload.size() <= 0xffffffffU);
    StoredJob out;
    out.id = job.id;
    out.group = job.group;
    out.subject_bytes = static_cast<std::uint16_t>(job.subject.size());
    out.inputs_bytes = static_cast<std::uint16_t>(job.inputs.size());
    out.payload_bytes = static_cast<std::uint32_t>(job.payload.size());
    out.blob = content != nullptr;
    if (auto options = options_of(job)) {
        out.options_bytes = static_cast<std::uint32_t>(encoded_bytes_max(options.get()));
        if (options_free_.empty()) {
            options_.emplace_back();
            options_free_.reserve(options_.capacity());  // so that giving back never allocates
            out.options = static_cast<std::uint32_t>(options_.size());
        } else {
            out.options = options_free_.back();
            options_free_.pop_back();
        }
        options_[out.options - 1] = std::move(options);
    }
    out.block = take(out.stored_bytes());

    Block& block = blocks_[out.block];
    char* to = block.bytes.get() + block.used;
    out.data = to;
    block.used += out.stored_bytes();
    ++block.jobs;
    const auto append = [&to](ByteView bytes) {
        if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
        to += bytes.size();
    };
    if (content != nullptr) append(content->view());
    append(job.subject);
    append(job.inputs);
    append(job.payload);
    return out;
}

void JobArena::release(const StoredJob& job) noexcept {
    Block& block = blocks_[job.block];
    SCANMQ_ASSERT(block.jobs > 0);
    if (job.options != 0) {
        options_[job.options - 1].reset();
        options_free_.push_back(job.options);
    }
    if (--block.jobs > 0) return;
    if (job.block == current_) {
        block.used = 0;  // nothing points into it any more: fill it again from the start
    } else {
        give_back(job.block);
    }
}

std::uint32_t JobArena::take(std::size_t size) {
    if (current_ != kNone && blocks_[current_].size - blocks_[current_].used >= size) {
        return current_;
    }
    const bool large = size > kBlockBytes / 4;
    std::uint32_t index = kNone;
    if (!large && !free_.empty()) {
        index = free_.back();
        free_.pop_back();
    } else {
        if (empty_.empty()) {
            index = static_cast<std::uint32_t>(blocks_.size());
            blocks_.emplace_back();
            free_.reserve(blocks_.capacity());  // so that giving back never allocates
            empty_.reserve(blocks_.capacity());
        } else {
            index = empty_.back();
            empty_.pop_back();
        }
        Block& block = blocks_[index];
        block.size = large ? size : kBlockBytes;
        block.bytes = std::make_unique_for_overwrite<char[]>(block.size);
    }
    blocks_[index].used = 0;
    blocks_[index].jobs = 0;
    if (large) return index;
    const std::uint32_t before = current_;
    current_ = index;
    if (before != kNone && blocks_[before].jobs == 0) give_back(before);
    return index;
}

void JobArena::give_back(std::uint32_t index) noexcept {
    Block& block = blocks_[index];
    if (block.size == kBlockBytes && free_.size() < kFreeMax) {
        free_.push_back(index);
        return;
    }
    block = Block{};
    empty_.push_back(index);
}

}  // namespace scanmq::client
