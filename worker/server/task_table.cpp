#include "worker/server/task_table.hpp"

#include <algorithm>
#include <functional>

namespace scanmq::worker {

namespace {

// A slot that once had a large payload or result does not keep the memory for ever.
constexpr std::size_t kKeptCapacity = 64U << 10;

// No queue keeps a result longer than a day.
constexpr std::uint64_t kKeepMostMs = 86'400'000;

void shrink(std::string& text) {
    text.clear();
    if (text.capacity() > kKeptCapacity) std::string().swap(text);
}

}  // namespace

void TaskSlot::own() {
    if (!borrowed) return;
    borrowed = false;
    const ByteView body = outcome.body;
    const std::less_equal<> before;  // of pointers that may have nothing to do with each other
    const bool echoed =
        !body.empty() && before(task.payload.data(), body.data()) &&
        before(body.data() + body.size(), task.payload.data() + task.payload.size());
    const std::size_t echoed_at =
        echoed ? static_cast<std::size_t>(body.data() - task.payload.data()) : 0;
    // The views may be into `owned` itself.
    std::string copy;
    copy.reserve(task.queue.size() + task.subject.size() + task.payload.size());
    copy.append(task.queue).append(task.subject).append(task.payload);
    owned = std::move(copy);
    const ByteView all = owned;
    const std::size_t queue = task.queue.size();
    const std::size_t subject = task.subject.size();
    task.queue = all.substr(0, queue);
    task.subject = all.substr(queue, subject);
    task.payload = all.substr(queue + subject);
    if (echoed) outcome.body = task.payload.substr(echoed_at, body.size());
}

void TaskSlot::set_payload(ByteView bytes) {
    task.payload = bytes;
    borrowed = true;
    own();
}

void TaskTable::take(const Taken& taken) {
    while (slots_.size() <= taken.id.slot) slots_.push_back(std::make_unique<TaskSlot>());
    TaskSlot& slot = *slots_[taken.id.slot];
    slot.id = taken.id;
    slot.live = true;
    slot.borrowed = true;
    slot.task.queue = taken.deliver->queue;
    slot.task.subject = taken.attempt->subject;
    slot.task.payload =
        taken.attempt->payload.is_blob() ? ByteView() : taken.attempt->payload.bytes;
    slot.task.inputs = {};
    slot.task.as_of_ns = taken.attempt->as_of_ns;
    slot.payload_id = {};
    if (taken.attempt->payload.is_blob()) {
        slot.payload_id = ContentId::from_bytes(taken.attempt->payload.bytes).value_or(ContentId{});
    }
    slot.input_ids.clear();
    for (ByteView ids = taken.attempt->inputs; ids.size() >= ContentId::kSize;
         ids.remove_prefix(ContentId::kSize)) {
        slot.input_ids.push_back(*ContentId::from_bytes(ids.substr(0, ContentId::kSize)));
    }
    slot.task.cancel = &slot.cancel;
    slot.task.progress = &slot.progress;
    slot.progress.reset();
    slot.missing = 0;
    slot.body_hashed = false;
    slot.cancel.store(false, std::memory_order_relaxed);
    const auto fingerprint = ContentId::from_bytes(taken.attempt->fingerprint);
    slot.keyed = fingerprint.has_value();
    if (!slot.keyed) return;
    ++keyed_;
    slot.kept = false;
    slot.fingerprint = *fingerprint;
    slot.keep_for = std::chrono::milliseconds(std::min(taken.attempt->keep_ms, kKeepMostMs));
    slot.known_age = {};
    slot.wanted_until = {};
}

void TaskTable::release(AttemptId id) noexcept {
    TaskSlot* slot = find(id);
    if (slot == nullptr) return;
    slot->live = false;
    if (slot->keyed) {
        --keyed_;
        slot->keyed = false;
        slot->known.reset();
    }
    slot->inputs.clear();
    shrink(slot->owned);
    shrink(slot->outcome.storage);
    slot->outcome.sentence.clear();
    slot->outcome.code = {};
    slot->outcome.status = ScanStatus::done;
    slot->outcome.body = {};
}

void TaskTable::cancel_all() noexcept {
    for (const auto& slot : slots_) slot->cancel.store(true, std::memory_order_relaxed);
}

}  // namespace scanmq::worker
