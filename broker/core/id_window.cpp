#include "broker/core/id_window.hpp"

namespace scanmq::broker {

std::uint64_t IdWindow::position_of(Slot slot) const noexcept {
    // Positions are kept modulo 2^31; at most that many are there, counted from begin().
    const std::uint64_t begin = finished_.begin();
    const Slot low = slot & (kFinishedBit - 1);
    const Slot begin_low = static_cast<Slot>(begin & (kFinishedBit - 1));
    return begin + ((low - begin_low) & (kFinishedBit - 1));
}

IdWindow::Known IdWindow::find(const Id128& id) const {
    const Slot slot = index_.find(hash_id(id), [&](Slot s) {
        return (s & kFinishedBit) != 0 ? finished_[position_of(s)].id == id
                                       : jobs_->jobs[s].id == id;
    });
    if (slot == kNoSlot) return {};
    if ((slot & kFinishedBit) != 0)
        return {true, true, kNoSlot, finished_[position_of(slot)].digest};
    return {true, false, slot, jobs_->jobs[slot].digest};
}

void IdWindow::add_live(Slot job) { index_.insert(hash_id(jobs_->jobs[job].id), job); }

void IdWindow::finish(Slot job, Time now) {
    const JobRecord& record = jobs_->jobs[job];
    const std::uint64_t hash = hash_id(record.id);
    if (options_.finished_max == 0) {
        index_.erase(hash, job);
        return;
    }
    if (finished_.size() >= options_.finished_max) forget_oldest();
    const std::uint64_t position = finished_.push({record.id, record.digest, now});
    index_.replace(hash, job, finished_slot(position));
    // The next ones to be forgotten: near when their turn comes.
    if (finished_.size() + kPrefetchAhead > options_.finished_max &&
        finished_.size() > kPrefetchAhead) {
        index_.prefetch(hash_id(finished_[finished_.begin() + kPrefetchAhead].id));
    }
}

void IdWindow::restore(const Id128& id, std::uint64_t digest, Time ended) {
    if (options_.finished_max == 0) return;
    if (finished_.size() >= options_.finished_max) forget_oldest();
    const std::uint64_t position = finished_.push({id, digest, ended});
    index_.insert(hash_id(id), finished_slot(position));
}

void IdWindow::forget_oldest() {
    const Finished& oldest = finished_.front();
    index_.erase(hash_id(oldest.id), finished_slot(finished_.begin()));
    finished_.pop();
}

std::size_t IdWindow::shrink(std::uint64_t left, std::size_t budget) {
    std::size_t count = 0;
    for (; count < budget && finished_.size() > left; ++count) forget_oldest();
    return count;
}

std::size_t IdWindow::expire(Time now, std::size_t budget) {
    std::size_t count = 0;
    while (count < budget && !finished_.empty() && next_expiry() <= now) {
        forget_oldest();
        ++count;
    }
    return count;
}

}  // namespace scanmq::broker
