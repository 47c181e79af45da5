#include "broker/core/worker_ring.hpp"

#include <algorithm>

namespace scanmq::broker {

void Worker::set_serves(std::uint16_t queue, const std::string& name) {
    if (serves_.size() <= queue) serves_.resize(queue + std::size_t{1});
    serves_[queue] = std::find(info.queues.begin(), info.queues.end(), name) != info.queues.end();
}

void Worker::set_current(std::uint16_t queue, bool current) {
    if (current_.size() <= queue) current_.resize(queue + std::size_t{1});
    current_[queue] = current;
}

void WorkerRing::append(List& list, Worker& worker) noexcept {
    worker.before_ = list.last;
    worker.after_ = nullptr;
    (list.last == nullptr ? list.first : list.last->after_) = &worker;
    list.last = &worker;
}

void WorkerRing::unlink(Worker& worker) noexcept {
    if (worker.place_ == Worker::Place::none) return;
    List& list = worker.place_ == Worker::Place::idle ? idle_ : busy_;
    (worker.before_ == nullptr ? list.first : worker.before_->after_) = worker.after_;
    (worker.after_ == nullptr ? list.last : worker.after_->before_) = worker.before_;
    worker.before_ = worker.after_ = nullptr;
    worker.place_ = Worker::Place::none;
}

void WorkerRing::leave(Worker& worker) noexcept {
    unlink(worker);
    if (reserved_ == &worker) reserved_ = nullptr;
}

void WorkerRing::update(Worker& worker) {
    unlink(worker);
    if (worker.credit.available().items == 0 || worker.exclusive || worker.detached ||
        worker.slow || reserved_ == &worker) {
        return;
    }
    const bool idle = worker.running.empty();
    append(idle ? idle_ : busy_, worker);
    worker.place_ = idle ? Worker::Place::idle : Worker::Place::busy;
}

void WorkerRing::reserve(Worker& worker) noexcept {
    SCANMQ_ASSERT(reserved_ == nullptr);
    unlink(worker);
    reserved_ = &worker;
}

void WorkerRing::release_reserved() {
    Worker* const worker = reserved_;
    reserved_ = nullptr;
    if (worker != nullptr) update(*worker);
}

Worker* WorkerRing::pick(std::uint16_t queue, std::uint64_t bytes, bool versioned) const noexcept {
    for (const List* list : {&idle_, &busy_}) {
        for (Worker* worker = list->first; worker != nullptr; worker = worker->after_) {
            if (worker->credit.available().bytes >= bytes && worker->takes(queue, versioned))
                return worker;
        }
    }
    return nullptr;
}

}  // namespace scanmq::broker
