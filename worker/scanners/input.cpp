#include "worker/scanners/input.hpp"

#include <algorithm>
#include <stdexcept>

#include "common/base/assert.hpp"

namespace scanmq::worker {

void Input::fill(std::string bytes) {
    SCANMQ_ASSERT(!filled_);
    bytes_ = std::move(bytes);
    memory_.store(bytes_.capacity(), std::memory_order_relaxed);
    filled_ = true;
}

const Decoded& Input::decoded(const Decode& decode) {
    SCANMQ_ASSERT(filled_);
    // Not std::call_once: a decode that throws must leave the next thread free to try again, and under
    // ThreadSanitizer call_once does not.
    if (ready_.load(std::memory_order_acquire)) return decoded_;
    const std::lock_guard lock(mutex_);
    if (ready_.load(std::memory_order_relaxed)) return decoded_;
    if (spoiled())
        throw std::runtime_error("its snapshot was lost to a failure; it is fetched again");
    try {
        decoded_ = decode(bytes_);
    } catch (...) {
        spoiled_.store(bytes_.empty(), std::memory_order_relaxed);
        throw;
    }
    if (decodes_ != nullptr) decodes_->fetch_add(1, std::memory_order_relaxed);
    std::string().swap(bytes_);
    memory_.store(decoded_.bytes + decoded_.problem.capacity(), std::memory_order_relaxed);
    ready_.store(true, std::memory_order_release);
    return decoded_;
}

ByteView raw_bytes(Input& input) {
    const Decoded& decoded = input.decoded([](std::string& bytes) {
        const std::uint64_t size = bytes.size();
        return Decoded{std::make_shared<const std::string>(std::move(bytes)), size, {}};
    });
    return *static_cast<const std::string*>(decoded.object.get());
}

std::shared_ptr<Input> InputCache::get(const ContentId& id) {
    if (const auto old = inputs_.find(id); old != inputs_.end() && (*old->second)->spoiled()) {
        forget(id);
    }
    if (const auto found = inputs_.find(id); found != inputs_.end()) {
        ++hits_;
        order_.splice(order_.begin(), order_, found->second);
        return order_.front();
    }
    ++misses_;
    trim();  // before the new one: it is wanted, whatever its size
    order_.push_front(std::make_shared<Input>(id, decodes_));
    inputs_.emplace(id, order_.begin());
    return order_.front();
}

void InputCache::forget(const ContentId& id) {
    const auto found = inputs_.find(id);
    if (found == inputs_.end()) return;
    order_.erase(found->second);
    inputs_.erase(found);
}

std::uint64_t InputCache::memory() const {
    std::uint64_t sum = 0;
    for (const auto& input : order_) sum += input->memory();
    return sum;
}

// Sizes change when a thread decodes, so they are summed anew; a miss costs a fetch anyway.
void InputCache::trim() {
    std::uint64_t sum = memory();
    while (sum > bytes_max_ && !order_.empty()) {
        sum -= std::min(sum, order_.back()->memory());
        inputs_.erase(order_.back()->id());
        order_.pop_back();
    }
}

}  // namespace scanmq::worker
