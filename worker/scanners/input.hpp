#pragma once
// Input: one immutable blob that scans read, decoded once and shared by all of them. InputCache:
//        those that were read lately.
//
// Threads:   InputCache and Input::fill() belong to the worker's loop. decoded() may be called by
//            any number of threads, after fill(): one decodes, the others wait for it.
// Ownership: shared_ptr, because a scan must keep its inputs however the cache decides meanwhile.
// Limits:    InputCache drops what was used longest ago when it holds more than bytes_max; what a
//            scan still holds is dropped from the cache's view, not freed.

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/base/bytes.hpp"
#include "common/base/id.hpp"

namespace scanmq::worker {

// What a scanner made of an input's bytes.
struct Decoded {
    std::shared_ptr<const void> object;  // null: it could not be read
    std::uint64_t bytes{};               // of memory, for the cache
    std::string problem;                 // a sentence, when there is no object
};

class Input {
  public:
    // It may take the bytes, so that they are gone before it is done.
    using Decode = std::function<Decoded(std::string&)>;

    // `decodes` counts them, if given.
    explicit Input(const ContentId& id, std::shared_ptr<std::atomic<std::uint64_t>> decodes = {})
        : id_(id), decodes_(std::move(decodes)) {}

    [[nodiscard]] const ContentId& id() const noexcept { return id_; }
    // True once fill() was called.
    [[nodiscard]] bool filled() const noexcept { return filled_; }
    // Precondition: not filled. The bytes were checked against the id.
    void fill(std::string bytes);

    // Decodes on the first call and lets go of the bytes; later calls return what the first made. When
    // `decode` throws, nothing is kept and the next call tries again, unless it took the bytes: then
    // later calls throw, too, and InputCache makes a new one. Precondition: filled.
    [[nodiscard]] const Decoded& decoded(const Decode& decode);

    [[nodiscard]] bool spoiled() const noexcept { return spoiled_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t memory() const noexcept {
        return memory_.load(std::memory_order_relaxed);
    }

  private:
    const ContentId id_;
    const std::shared_ptr<std::atomic<std::uint64_t>> decodes_;
    bool filled_ = false;
    std::string bytes_;
    std::mutex mutex_;  // guards bytes_ and decoded_ until ready_
    std::atomic<bool> ready_{false};
    std::atomic<bool> spoiled_{false};
    Decoded decoded_;
    std::atomic<std::uint64_t> memory_{0};
};

// The bytes as they came, for a scanner that passes them on; all scanners of a process decode its inputs
// in one way. They live as long as the input. Precondition: filled.
[[nodiscard]] ByteView raw_bytes(Input& input);

class InputCache {
  public:
    explicit InputCache(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

    // The input of this id, made when it is new; then it has to be filled. Counts as a use.
    [[nodiscard]] std::shared_ptr<Input> get(const ContentId& id);
    // Forgets an input that could not be filled, so that the next get() begins anew.
    void forget(const ContentId& id);

    [[nodiscard]] std::size_t count() const noexcept { return inputs_.size(); }
    [[nodiscard]] std::uint64_t memory() const;
    [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }
    [[nodiscard]] std::uint64_t misses() const noexcept { return misses_; }
    // How many were decoded.
    [[nodiscard]] std::uint64_t decodes() const noexcept {
        return decodes_->load(std::memory_order_relaxed);
    }

  private:
    void trim();

    std::uint64_t bytes_max_;
    std::list<std::shared_ptr<Input>> order_;  // the latest used first
    std::unordered_map<ContentId, std::list<std::shared_ptr<Input>>::iterator> inputs_;
    std::uint64_t hits_ = 0;
    std::uint64_t misses_ = 0;
    // Shared, because a scan's inputs may outlive the cache.
    std::shared_ptr<std::atomic<std::uint64_t>> decodes_ =
        std::make_shared<std::atomic<std::uint64_t>>(0);
};

}  // namespace scanmq::worker
