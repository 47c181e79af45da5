#pragma once
// TopK: the k best of a stream, exactly, in O(log k) each and O(k) memory.
//
// Better:    a strict total order, better(a, b) when a ranks before b. A total order makes the
//            result independent of the order of arrival.
// Threads:   one.

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace scanmq::score {

template <class T, class Better>
class TopK {
  public:
    TopK(std::size_t k, Better better) : k_(k), better_(std::move(better)) {}

    [[nodiscard]] bool full() const noexcept { return heap_.size() >= k_; }
    // The k-th best so far. Precondition: full() and k > 0.
    [[nodiscard]] const T& worst() const noexcept { return heap_.front(); }

    void offer(const T& item) {
        if (!full()) {
            heap_.push_back(item);
            std::push_heap(heap_.begin(), heap_.end(), better_);
        } else if (k_ > 0 && better_(item, heap_.front())) {
            std::pop_heap(heap_.begin(), heap_.end(), better_);
            heap_.back() = item;
            std::push_heap(heap_.begin(), heap_.end(), better_);
        }
    }

    // Best first. Leaves this empty.
    [[nodiscard]] std::vector<T> take() {
        std::sort(heap_.begin(), heap_.end(), better_);
        return std::exchange(heap_, {});
    }

  private:
    std::size_t k_;
    Better better_;
    std::vector<T> heap_;  // worst on top
};

}  // namespace scanmq::score
