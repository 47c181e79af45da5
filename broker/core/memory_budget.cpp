#include "broker/core/memory_budget.hpp"

#include <algorithm>

namespace scanmq::broker {

using protocol::excess;

namespace {

constexpr std::uint64_t kNoBound = ~std::uint64_t{0};
// Of 32: the base and the traffic have what is left.
constexpr std::uint64_t kParts = 32;
constexpr std::uint64_t kReceivePipes = 8;
constexpr std::uint64_t kBlobPipes = 1;
constexpr std::uint64_t kSendPipes = 5;
constexpr std::uint64_t kBlobSendPipes = 1;
constexpr std::uint64_t kOutgoing = 2;
constexpr std::uint64_t kBlobOutgoing = 1;
constexpr std::uint64_t kBlobs = 3;
constexpr std::uint64_t kLogBuffer = 1;
constexpr std::uint64_t kCheckpoint = 2;

}  // namespace

MemoryPlan MemoryPlan::of(std::uint64_t bytes_max) noexcept {
    MemoryPlan plan;
    plan.bytes_max = bytes_max;
    std::uint64_t left = excess(bytes_max, kBaseBytes);
    const auto take = [&](std::uint64_t parts) {
        const std::uint64_t share = bytes_max == 0 ? kNoBound : bytes_max / kParts * parts;
        left = excess(left, share);
        return share;
    };
    plan.receive_pipes = take(kReceivePipes);
    plan.blob_pipes = take(kBlobPipes);
    plan.send_pipes = take(kSendPipes);
    plan.blob_send_pipes = take(kBlobSendPipes);
    plan.outgoing = take(kOutgoing);
    plan.blob_outgoing = take(kBlobOutgoing);
    plan.blobs = take(kBlobs);
    plan.log_buffer = take(kLogBuffer);
    plan.checkpoint = take(kCheckpoint);
    plan.traffic = bytes_max == 0 ? kNoBound : left;
    return plan;
}

MemoryBudget::MemoryBudget(const MemoryPlan& plan) : plan_(plan) {
    if (!limited()) return;
    pool_.item_bytes = excess(kJobBytes, protocol::kLimits.item_overhead_bytes);
    pool_.room = high_mark();
}

bool MemoryBudget::count(const Figures& figures) {
    if (!limited()) return false;
    const bool was_held = grants_held();
    const bool was_outgoing_held = outgoing_held_;
    counted_ = figures.body_bytes + figures.jobs * kJobBytes + figures.entries * kEntryBytes +
               figures.ids * kIdBytes + figures.peer_bytes;
    outgoing_ = figures.outgoing_bytes;
    streams_ = figures.stream_bytes;
    return judge(was_held, was_outgoing_held);
}

bool MemoryBudget::resident(std::uint64_t bytes, bool trimmed) {
    if (!limited()) return false;
    const bool was_held = grants_held();
    resident_ = bytes;
    const std::uint64_t part = plan_.bytes_max / 16;
    if (resident_held_) {
        resident_held_ = bytes > part * 12;
    } else {
        // What the allocator keeps is no reason: it is only believed once it gave back what it could.
        resident_held_ = trimmed && bytes >= part * 14;
    }
    return judge(was_held, outgoing_held_);
}

bool MemoryBudget::judge(bool was_held, bool was_outgoing_held) {
    grants_held_ = counted_ >= (grants_held_ ? low_mark() : high_mark());
    outgoing_held_ = outgoing_ > (outgoing_held_ ? plan_.outgoing / 4 : plan_.outgoing / 2);
    pool_.taken = 0;
    pool_.room = grants_held() ? 0 : excess(high_mark(), counted_);
    if (grants_held() && !was_held) ++holds_;
    return (was_held && !grants_held()) || (was_outgoing_held && !outgoing_held_);
}

bool MemoryBudget::wants_trim() const noexcept {
    if (!limited()) return false;
    const std::uint64_t known = MemoryPlan::kBaseBytes + counted_ + outgoing_;
    return resident_ > known + plan_.bytes_max / 4 || resident_ >= plan_.bytes_max / 16 * 13;
}

bool MemoryBudget::sessions_held() const noexcept {
    return resident_held_ || (limited() && counted_ >= plan_.traffic / 16 * 15);
}

std::uint64_t MemoryBudget::outgoing_room() const noexcept {
    return limited() ? excess(plan_.outgoing / 2, outgoing_) : kNoBound;
}

std::uint64_t MemoryBudget::attempts(std::uint64_t running,
                                     std::uint64_t result_bytes) const noexcept {
    if (!limited()) return kNoBound;
    const std::uint64_t free = excess(plan_.traffic, counted_ + pool_.granted);
    const std::uint64_t most =
        std::max(kRunningMin, free / std::max<std::uint64_t>(result_bytes, 1));
    return excess(most, running);
}

}  // namespace scanmq::broker
