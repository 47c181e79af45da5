#include "client/core/producer_book.hpp"

#include <utility>

namespace scanmq::client {

std::uint32_t ProducerBook::add(const ProducerSettings& settings, std::size_t link) {
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
        if (rows_[i].removed && idle(i)) {
            rows_[i] = Row{settings, link, {}, false, {}, {}};
            return i;
        }
    }
    rows_.push_back({settings, link, {}, false, {}, {}});
    return static_cast<std::uint32_t>(rows_.size() - 1);
}

void ProducerBook::remove(std::uint32_t producer) {
    rows_[producer].removed = true;
    rows_[producer].settings.wants_answers = false;
    rows_[producer].answers.clear();
}

bool ProducerBook::room(std::uint32_t producer, std::size_t bytes) const noexcept {
    const Row& row = rows_[producer];
    if (idle(producer)) return true;
    return row.stats.waiting + row.stats.unanswered < row.settings.buffer_items_max &&
           row.stats.buffered_bytes + bytes <= row.settings.buffer_bytes_max;
}

bool ProducerBook::idle(std::uint32_t producer) const noexcept {
    return rows_[producer].stats.waiting + rows_[producer].stats.unanswered == 0;
}

Ticket ProducerBook::take(std::uint32_t producer, std::size_t bytes) {
    ProducerStats& stats = rows_[producer].stats;
    ++stats.waiting;
    stats.buffered_bytes += bytes;
    return Ticket{++stats.submitted};
}

void ProducerBook::sent(const StoredJob& job) noexcept {
    ProducerStats& stats = rows_[job.producer].stats;
    --stats.waiting;
    ++stats.unanswered;
}

void ProducerBook::unsent(const StoredJob& job) noexcept {
    ProducerStats& stats = rows_[job.producer].stats;
    ++stats.waiting;
    --stats.unanswered;
}

void ProducerBook::drop(const StoredJob& job) noexcept {
    ProducerStats& stats = rows_[job.producer].stats;
    --stats.waiting;
    stats.buffered_bytes -= job.buffered_bytes();
}

void ProducerBook::answer(const StoredJob& job, JobAnswer answer, bool was_sent) {
    Row& row = rows_[job.producer];
    --(was_sent ? row.stats.unanswered : row.stats.waiting);
    row.stats.buffered_bytes -= job.buffered_bytes();
    if (answer.taken()) {
        ++row.stats.accepted;
        if (answer.verdict == protocol::Verdict::duplicate) ++row.stats.duplicates;
        if (answer.verdict == protocol::Verdict::coalesced) ++row.stats.coalesced;
        if (answer.verdict == protocol::Verdict::cached) ++row.stats.cached;
    } else {
        ++row.stats.refused;
    }
    if (!row.settings.wants_answers) return;
    if (row.answers.empty()) dirty_.push_back(job.producer);
    answer.ticket = job.ticket;
    answer.id = job.id;
    if (!answer.sentence.empty()) row.sentences.emplace_back(answer.sentence);
    row.answers.push_back(answer);
}

void ProducerBook::flush(Outbox& outbox) {
    for (const std::uint32_t producer : dirty_) {
        Row& row = rows_[producer];
        if (row.answers.empty()) continue;
        JobsAnswered out{producer, std::move(row.answers), std::move(row.sentences)};
        row.answers.clear();
        row.sentences.clear();
        std::size_t next = 0;
        for (JobAnswer& answer : out.answers) {
            if (!answer.sentence.empty()) answer.sentence = out.sentences[next++];
        }
        outbox.notify(std::move(out));
    }
    dirty_.clear();
}

}  // namespace scanmq::client
