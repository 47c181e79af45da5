#include "broker/core/worker_ring.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::broker {

void Worker::set_serves(std::uint16_t queue, const std::string& name) {
    if (serves_.size() <= queue) serves_.resize(queue + std::size_t{1});
    serves_[queue] = std::find(info.queues.begin(), info.queues.end(), name) != info.queues.end();
}

void Worker::set_current(std::uint16_t queue, bool current) {
    if (current_.size() <= queue) current_.resize(queue + std::size_t{1});
    current_[queue] = current;
}

void WorkerRing::append(Worker::Place place, Worker& worker) noexcept {
    List& list = this->list(place);
    worker.before_ = list.last;
    worker.after_ = nullptr;
    (list.last == nullptr ? list.first : list.last->after_) = &worker;
    list.last = &worker;
    worker.place_ = place;
}

void WorkerRing::unlink(Worker& worker) noexcept {
    if (worker.place_ == Worker::Place::none) return;
    List& list = this->list(worker.place_);
    (worker.before_ == nullptr ? list.first : worker.before_->after_) = worker.after_;
    (worker.after_ == nullptr ? list.last : worker.after_->before_) = worker.before_;
    worker.before_ = worker.after_ = nullptr;
    worker.place_ = Worker::Place::none;
}

void WorkerRing::leave(Worker& worker) noexcept {
    unlink(worker);
    held_.forget(worker);
    if (reserved_ == &worker) reserved_ = nullptr;
}

void WorkerRing::update(Worker& worker) {
    unlink(worker);
    if (worker.credit.available().items == 0 || worker.exclusive || worker.detached ||
        worker.slow || reserved_ == &worker) {
        return;
    }
    const bool idle = worker.running.empty();
    append(idle                  ? Worker::Place::idle
           : worker.has_thread() ? Worker::Place::free
                                 : Worker::Place::full,
           worker);
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
    for (const List& list : lists_) {
        for (Worker* worker = list.first; worker != nullptr; worker = worker->after_) {
            if (worker->credit.available().bytes >= bytes && worker->takes(queue, versioned))
                return worker;
        }
    }
    return nullptr;
}

std::uint32_t WorkerRing::load(const Worker& worker) noexcept {
    const std::uint32_t running = worker.running.size();
    if (worker.place_ != Worker::Place::full) return running;
    return running - std::max(worker.info.threads, 1U);
}

Worker* WorkerRing::pick(std::uint16_t queue, std::uint64_t bytes, bool versioned,
                         std::uint64_t inputs) const {
    Worker* const next = pick(queue, bytes, versioned);
    if (next == nullptr || inputs == 0) return next;
    Worker* best = nullptr;
    held_.each_holder(inputs, [&](Worker& holder) {
        if (holder.place_ == Worker::Place::none || holder.credit.available().bytes < bytes ||
            !holder.takes(queue, versioned)) {
            return;
        }
        if (best == nullptr ||
            std::pair(holder.place_, load(holder)) < std::pair(best->place_, load(*best))) {
            best = &holder;
        }
    });
    if (best == nullptr) return next;
    // It would wait there, and here it begins at once.
    if (best->place_ == Worker::Place::full && next->place_ != Worker::Place::full) return next;
    return load(*best) <= load(*next) + kBusierMax ? best : next;
}

}  // namespace scanmq::broker
