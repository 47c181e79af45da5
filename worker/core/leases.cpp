// WorkerCore's attempts beyond their session or their time: kept, adopted, revoked, wedged; and how
// far they are.
#include <algorithm>

#include "worker/core/worker_core.hpp"

namespace scanmq::worker {

namespace {

using protocol::AttemptOutcome;
using protocol::ErrorCode;
using protocol::Token;

constexpr std::size_t kNoteBytesMax = 64;  // of a progress report

bool contains(const std::vector<Token>& sorted, const Token& token) {
    return std::binary_search(sorted.begin(), sorted.end(), token);
}

void sort_unique(std::vector<Token>& tokens) {
    std::sort(tokens.begin(), tokens.end());
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
}

std::string seconds_of(Duration duration) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

// The attempts stay: the broker may let them go on in the next session.
void WorkerCore::end_session(Effects& effects) {
    for (const Answered& answered : answered_) {
        HeldAttempt* attempt = attempts_.find(answered.attempt);
        if (attempt == nullptr) continue;
        if (attempt->unsent == AttemptState::free) {
            release(answered.attempt, effects);
        } else {
            attempt->state = attempt->unsent;
        }
    }
    outcomes_.clear();
    answered_.clear();
    reports_.clear();
    effects.puts.clear();  // of this batch: they are for the session, and asked for again
    effects.results.clear();
    adopted_ = {};
    attempts_.for_each([&](AttemptId id, HeldAttempt& attempt) {
        attempt.adopted = false;
        // What was revoked is the broker's again, and is not told in HELLO.
        if (!attempt.revoked || attempt.orphan) return;
        if (attempt.state == AttemptState::running) {
            orphan(id, attempt, effects);
        } else {
            release(id, effects);
        }
    });
    session_ = {};
    phase_ = Phase::offline;
}

// Those that were started come first: they are the ones that cost something to run again. What
// does not fit is not adopted and ends with WELCOME.
std::vector<protocol::WorkerInfo::Held> WorkerCore::held_attempts() {
    std::vector<protocol::WorkerInfo::Held> held;
    for (const bool started : {true, false}) {
        attempts_.for_each([&](AttemptId, HeldAttempt& attempt) {
            const bool waits =
                attempt.state == AttemptState::ready || attempt.state == AttemptState::fetching;
            if (attempt.orphan || waits == started) return;
            if (held.size() < limits_.items_per_frame_max) {
                held.push_back({attempt.token, started});
            }
        });
    }
    return held;
}

void WorkerCore::adopt(std::vector<Token> adopted, Effects& effects) {
    sort_unique(adopted);
    std::vector<Token> found;
    std::uint64_t dropped = 0;
    attempts_.for_each([&](AttemptId id, HeldAttempt& attempt) {
        if (attempt.orphan) return;
        if (!contains(adopted, attempt.token)) {
            ++dropped;
            if (attempt.state == AttemptState::running) {
                orphan(id, attempt, effects);
            } else {
                release(id, effects);
            }
            return;
        }
        found.push_back(attempt.token);
        attempt.adopted = true;
        attempt.reported = false;
        adopted_.items += 1;
        adopted_.bytes += attempt.bytes;
        if (attempt.state == AttemptState::storing) effects.puts.push_back(id);
        if (attempt.state == AttemptState::finished) effects.results.push_back(id);
    });
    std::erase_if(ready_, [this](AttemptId id) { return attempts_.find(id) == nullptr; });
    // Dropped between HELLO and WELCOME: the broker must not wait for them.
    std::sort(found.begin(), found.end());
    for (const Token& token : adopted) {
        if (contains(found, token)) continue;
        outcomes_.push_back({token.counter, AttemptOutcome::returned, {}, ErrorCode::none, {}});
        answered_.push_back({kNobody, token.epoch});
    }
    counters_.adopted += found.size();
    counters_.dropped += dropped;
    if (found.empty() && dropped == 0) return;
    effects.notes.push_back({NoteLevel::info, std::to_string(found.size()) +
                                                  " attempts of the former session go on, " +
                                                  std::to_string(dropped) + " were dropped"});
}

void WorkerCore::on_revoke(const protocol::Revoke& revoke, Effects& effects) {
    std::vector<Token> tokens = revoke.tokens;
    sort_unique(tokens);
    attempts_.for_each([&](AttemptId id, HeldAttempt& attempt) {
        if (attempt.orphan || attempt.revoked || !contains(tokens, attempt.token)) return;
        switch (attempt.state) {
            case AttemptState::running:
                attempt.revoked = true;
                ++counters_.revoked;
                effects.cancels.push_back(id);
                return;
            case AttemptState::ready:
            case AttemptState::fetching:
                ++counters_.revoked;
                return hand_back(id, effects);
            case AttemptState::storing:
            case AttemptState::finished:
            case AttemptState::answered:
            case AttemptState::free:
                return;  // it finished first
        }
    });
    std::erase_if(ready_, [this](AttemptId id) {
        const HeldAttempt* attempt = attempts_.find(id);
        return attempt == nullptr || attempt->state != AttemptState::ready;
    });
}

// Precondition: it runs. Its result will be dropped.
void WorkerCore::orphan(AttemptId id, HeldAttempt& attempt, Effects& effects) {
    attempt.orphan = true;
    ++orphans_;
    effects.cancels.push_back(id);
}

void WorkerCore::release(AttemptId id, Effects& effects) {
    attempts_.free(id);
    effects.releases.push_back(id);
}

void WorkerCore::tick_running(Time now, Effects& effects) {
    give_up_wedged(now, effects);
    if (now >= surplus_checked_ + kSurplusAfter) return_surplus(now, effects);
    if (options_.progress_interval == Duration{} || now < progress_due_) return;
    progress_due_ = now + options_.progress_interval;
    for (const AttemptId id : attempts_.running()) {
        const HeldAttempt& attempt = attempts_.at(id);
        if (attempt.orphan || attempt.revoked) continue;
        if (now - attempt.started >= options_.progress_interval) effects.polls.push_back(id);
    }
}

// The broker takes these leases back by itself, so that there is nobody to answer; but their
// threads are lost until the scans end.
void WorkerCore::give_up_wedged(Time now, Effects& effects) {
    for (const AttemptId id : attempts_.running()) {
        HeldAttempt& attempt = *attempts_.find(id);
        if (attempt.wedged || now - attempt.started < max_run_) continue;
        attempt.wedged = true;
        ++wedged_;
        ++counters_.wedged;
        credit_due_ = true;
        if (!attempt.orphan) {
            uncount(attempt);
            orphan(id, attempt, effects);
        }
        effects.notes.push_back(
            {NoteLevel::warning, "a scan runs longer than max_run (" + seconds_of(max_run_) +
                                     "): its attempt is given up, its thread gets no work"});
    }
    if (draining_ || wedged_ < (options_.threads + 1) / 2) return;
    drained_ = {kExitWedged,
                std::to_string(wedged_) + " of " + std::to_string(options_.threads) +
                    " threads are in scans that run longer than max_run (" + seconds_of(max_run_) +
                    ") and do not stop: start this worker again, and raise max_run or split the "
                    "scans"};
    effects.notes.push_back({NoteLevel::error, "draining: " + drained_.sentence});
    drain(now, effects);
}

void WorkerCore::on_progress(const ProgressEvent& event) {
    HeldAttempt* attempt = attempts_.find(event.attempt);
    if (attempt == nullptr || phase_ != Phase::open || attempt->orphan || attempt->revoked) return;
    if (attempt->state != AttemptState::running) return;
    const bool same =
        event.done == attempt->progress_done && event.total == attempt->progress_total;
    if (same && (attempt->reported || (event.done == 0 && event.total == 0))) return;
    attempt->progress_done = event.done;
    attempt->progress_total = event.total;
    attempt->reported = true;
    reports_.push_back({attempt->token, event.done, event.total,
                        std::string(event.note.substr(0, kNoteBytesMax))});
}

void WorkerCore::send_reports(Effects& effects) {
    const std::size_t room =
        limits_.frame_bytes_max / (protocol::kItemFixedBytesMax + kNoteBytesMax);
    const std::size_t most =
        std::clamp<std::size_t>(room, 2, limits_.items_per_frame_max + std::size_t{1}) - 1;
    for (std::size_t begin = 0; begin < reports_.size(); begin += most) {
        const std::size_t end = std::min(reports_.size(), begin + most);
        protocol::Progress progress;
        progress.reports.assign(reports_.begin() + static_cast<std::ptrdiff_t>(begin),
                                reports_.begin() + static_cast<std::ptrdiff_t>(end));
        send(std::move(progress), effects);
    }
    counters_.progress_reports += reports_.size();
    reports_.clear();
}

Time WorkerCore::running_deadline() const {
    Time due = Time::max();
    Time oldest = Time::max();
    bool wanted = false;
    for (const AttemptId id : attempts_.running()) {
        const HeldAttempt& attempt = attempts_.at(id);
        if (!attempt.wedged) due = std::min(due, attempt.started + max_run_);
        if (attempt.orphan) continue;
        wanted = true;
        oldest = std::min(oldest, attempt.started);
    }
    if (wanted) due = std::min(due, surplus_deadline(oldest));
    if (wanted && options_.progress_interval > Duration{}) due = std::min(due, progress_due_);
    return due;
}

}  // namespace scanmq::worker
