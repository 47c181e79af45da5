#include "broker/http/desk.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "common/base/nearest.hpp"

namespace scanmq::gateway {

using protocol::ErrorCode;

namespace {

LinkOptions link_options(const DeskOptions& options) {
    LinkOptions out = options.link;
    out.subscriptions_max = options.watches_max + options.lookups_max;
    return out;
}

}  // namespace

Desk::Desk(boost::asio::io_context& loop, DeskOptions options)
    : options_(std::move(options)),
      loop_(loop),
      book_(options_.book),
      watches_(options_.watches_max, options_.watch_linger),
      timer_(loop),
      link_(loop, link_options(options_),
            {[this](auto answers) { on_answers(answers); },
             [this](std::uint64_t subscription, const client::EntryBatch& batch) {
                 on_entries(subscription, batch);
             },
             [this](std::uint64_t subscription, const client::SubscriptionInfo& info) {
                 on_changed(subscription, info);
             },
             [](const client::SessionInfo&) {}}) {}

Desk::~Desk() { *alive_ = false; }

client::Result<void> Desk::start() { return link_.start(); }

void Desk::stop() {
    if (stopping_) return;
    stopping_ = true;
    for (const Wake& wake : book_.waiting()) {
        if (auto waiting = waiters_.extract(wake.waiter)) {
            waiting.mapped()(WakeReason::no_room, wake.id, nullptr);
        }
    }
    timer_.cancel();
    link_.close();
}

void Desk::with_queue(const std::string& queue, bool create, OnQueue then) {
    if (queues_.contains(queue)) {
        boost::asio::post(loop_, [then = std::move(then)] { then(std::nullopt); });
        return;
    }
    const auto known = [this, queue, then](std::optional<Problem> problem) {
        // A name that is not remembered is asked for each time.
        if (!problem && queues_.size() < options_.link.queues_max) queues_.insert(queue);
        then(std::move(problem));
    };
    if (create) {
        link_.request(protocol::QueueCreate{queue, {{"pure", 1}}}, options_.request_timeout,
                      [known](const client::Result<protocol::Message>& reply) {
                          // A queue with settings of its own serves as well.
                          if (!reply && reply.error().code != ErrorCode::queue_exists) {
                              return known(problem_of(reply.error()));
                          }
                          known(std::nullopt);
                      });
        return;
    }
    query("queues", queue, [this, queue, known](Answer<std::vector<protocol::Row>> rows) {
        if (rows && !rows->empty()) return known(std::nullopt);
        if (!rows && rows.error().status != 404) return known(rows.error());
        unknown_queue(queue, known);
    });
}

void Desk::unknown_queue(const std::string& queue, const OnQueue& then) {
    query("queues", "", [queue, then](Answer<std::vector<protocol::Row>> rows) {
        std::vector<std::string> names;
        for (const protocol::Row& row : rows ? *rows : std::vector<protocol::Row>{}) {
            for (const auto& [name, value] : row) {
                const auto* text = std::get_if<std::string>(&value);
                if (name == "queue" && text != nullptr) names.push_back(*text);
            }
        }
        const std::vector<std::string_view> known(names.begin(), names.end());
        std::string sentence = "there is no queue \"" + http::printable(queue) + "\"";
        sentence += names.empty()
                        ? "; make one with scanmq queue create"
                        : "; did you mean \"" + std::string(nearest_name(queue, known)) + "\"?";
        then(Problem{404, "unknown_queue", std::move(sentence), {}});
    });
}

std::optional<Problem> Desk::watch(const WatchTable::Key& key) {
    if (key.second.empty() || watches_.find(key) != nullptr) return std::nullopt;
    if (watches_.full(key)) {
        ++counts_.watches_refused;
        return Problem{503, "watches_max",
                       "results of too many subjects are waited for; leave the subject out, or the "
                       "wait, or try again later",
                       std::chrono::seconds(1)};
    }
    for (const std::uint64_t idle : watches_.retire(now(), true)) link_.unsubscribe(idle);
    client::StreamOptions options;
    options.queue = key.first;
    options.pattern = key.second;
    options.on_reset = client::ResetPolicy::latest;
    options.credit_items = 4096;
    options.credit_bytes = 4U << 20;
    auto subscription = link_.subscribe(options);
    if (!subscription) return problem_of(subscription.error());
    watches_.add(key, *subscription);
    return std::nullopt;
}

std::optional<Problem> Desk::submit(NewJob track, const client::Job& job) {
    if (stopping_) return problem_of(ErrorCode::shutting_down, "the broker is stopping");
    if (!book_.reserve(1, effects_)) {
        return Problem{503, "jobs_max", "too many jobs are under way here; try again later",
                       std::chrono::seconds(1)};
    }
    // Before the job: what is appended from now on arrives.
    if (auto problem = watch({track.queue, track.pattern})) return problem;
    if (auto taken = link_.submit(track.queue, job); !taken) return problem_of(taken.error());
    book_.add(std::move(track), now(), effects_);
    obey();
    return std::nullopt;
}

std::optional<Problem> Desk::begin_batch(NewJob batch, std::uint32_t symbols, std::uint32_t limit) {
    if (!book_.reserve(symbols + 1, effects_)) {
        return Problem{503, "jobs_max", "too many jobs are under way here; try again later",
                       std::chrono::seconds(1)};
    }
    book_.add_batch(std::move(batch), symbols, limit, now());
    obey();
    return std::nullopt;
}

void Desk::refuse_member(const Id128& batch, const std::string& symbol, const Problem& why) {
    book_.refuse_member(batch, symbol, why.code, why.sentence, now(), effects_);
    obey();
}

std::optional<Problem> Desk::wait(const Id128& id, Duration patience, const http::Responder& client,
                                  OnWake on_wake) {
    const Waiter waiter = ++last_waiter_;
    if (!book_.wait(id, waiter, now() + patience)) {
        return Problem{429, "waits_max",
                       "too many requests wait for results; try again later, or ask with "
                       "timeout_ms=0 and come back for the result",
                       std::chrono::seconds(1)};
    }
    waiters_.emplace(waiter, std::move(on_wake));
    client.on_gone([this, waiter, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        waiters_.erase(waiter);
        book_.leave(waiter, now(), effects_);
        obey();
    });
    arm();
    return std::nullopt;
}

void Desk::keep(NewJob track, Ended ended) {
    if (book_.find(track.id) != nullptr) return end(track.id, std::move(ended));
    if (!book_.reserve(1, effects_)) return;
    const Id128 id = track.id;
    track.pattern.clear();
    book_.add(std::move(track), now(), effects_);
    end(id, std::move(ended));
}

void Desk::cancel(const std::string& queue, const std::vector<Id128>& jobs,
                  const OnStates& on_states) {
    for (const Id128& id : jobs) book_.abandon(id);
    // In frames that the broker takes; the last one's answer completes the states.
    const std::size_t frame = link_.limits().items_per_frame_max;
    auto states = std::make_shared<std::vector<protocol::JobState>>();
    auto left = std::make_shared<std::size_t>((jobs.size() + frame - 1) / frame);
    auto failed = std::make_shared<std::optional<Problem>>();
    for (std::size_t at = 0; at < jobs.size(); at += frame) {
        const std::size_t count = std::min(frame, jobs.size() - at);
        const auto first = jobs.begin() + static_cast<std::ptrdiff_t>(at);
        protocol::Cancel request{queue, {first, first + static_cast<std::ptrdiff_t>(count)}};
        link_.request(
            std::move(request), options_.request_timeout,
            [=](client::Result<protocol::Message> reply) {
                const auto* done = reply ? std::get_if<protocol::Cancelled>(&*reply) : nullptr;
                if (done != nullptr) {
                    states->insert(states->end(), done->states.begin(), done->states.end());
                } else if (!*failed) {
                    *failed = reply
                                  ? Problem{502, "bad_answer", "the broker gave another answer", {}}
                                  : problem_of(reply.error());
                }
                if (--*left > 0) return;
                if (*failed) return on_states(fail(**failed));
                on_states(std::move(*states));
            });
    }
}

void Desk::query(std::string topic, std::string key, OnRows on_rows) {
    link_.request(protocol::Query{std::move(topic), std::move(key)}, options_.request_timeout,
                  [on_rows = std::move(on_rows)](client::Result<protocol::Message> reply) {
                      if (!reply) return on_rows(fail(problem_of(reply.error())));
                      auto* answer = std::get_if<protocol::Answer>(&*reply);
                      if (answer == nullptr) {
                          return on_rows(fail(
                              Problem{502, "bad_answer", "the broker gave another answer", {}}));
                      }
                      on_rows(std::move(answer->rows));
                  });
}

void Desk::group(protocol::Message request, OnGroup on_group) {
    link_.request(std::move(request), options_.request_timeout,
                  [on_group = std::move(on_group)](client::Result<protocol::Message> reply) {
                      if (!reply) return on_group(fail(problem_of(reply.error())));
                      auto* state = std::get_if<protocol::GroupState>(&*reply);
                      if (state == nullptr) {
                          return on_group(fail(
                              Problem{502, "bad_answer", "the broker gave another answer", {}}));
                      }
                      on_group(std::move(*state));
                  });
}

// Carries out what the book wants. Callbacks may come back to it: effects are taken out first.
void Desk::obey() {
    BookEffects todo = std::exchange(effects_, {});
    for (const auto& [queue, pattern] : todo.watches_begun) watches_.begin({queue, pattern});
    for (const auto& [queue, pattern] : todo.watches_ended) watches_.end({queue, pattern}, now());
    for (const auto& [queue, id] : todo.cancels) {
        link_.request(protocol::Cancel{queue, {id}}, options_.request_timeout,
                      [](const client::Result<protocol::Message>&) {});
    }
    for (const Seal& seal : todo.seals) {
        // So that the broker can forget the group; the results do not wait for it.
        link_.request(protocol::GroupSeal{seal.queue, seal.batch, seal.taken},
                      options_.request_timeout, [](const client::Result<protocol::Message>&) {});
    }
    for (const Wake& wake : todo.wakes) {
        auto waiting = waiters_.extract(wake.waiter);
        if (waiting) waiting.mapped()(wake.reason, wake.id, book_.find(wake.id));
    }
    arm();
}

void Desk::on_answers(std::span<const client::JobAnswer> answers) {
    for (const client::JobAnswer& answer : answers) {
        if (answer.taken()) {
            book_.accepted(answer.id, answer.verdict, now(), effects_);
            const Track* track = book_.find(answer.id);
            const bool ended_before = answer.verdict == protocol::Verdict::duplicate &&
                                      answer.state == protocol::JobState::finished;
            if (ended_before && track != nullptr && track->stage != Stage::ended) {
                look_up(track->queue, track->subject.empty() ? ">" : track->subject, answer.id,
                        true, 1, [this, id = answer.id](Found found) {
                            if (!found.entries.empty()) end(id, std::move(found.entries[0].second));
                        });
            }
            continue;
        }
        if (answer.code == ErrorCode::unknown_queue) {
            if (const Track* track = book_.find(answer.id)) queues_.erase(track->queue);
        }
        Ended refused;
        refused.refused = true;
        refused.code = answer.code;
        refused.sentence = answer.sentence;
        book_.end(answer.id, std::move(refused), now(), effects_);
    }
    obey();
}

void Desk::end(const Id128& id, Ended ended) {
    const Time at = now();
    book_.end(id, std::move(ended), at, effects_);
    obey();
    book_.trim(at, effects_);  // once those who waited have it
    obey();
}

// Does what is due.
void Desk::look() {
    const Time at = now();
    book_.tick(at, effects_);
    obey();
    book_.trim(at, effects_);
    obey();
    for (const std::uint64_t idle : watches_.retire(at)) link_.unsubscribe(idle);
    std::vector<std::uint64_t> late;
    for (const auto& [subscription, lookup] : lookups_) {
        if (!lookup.ended && lookup.deadline <= at) late.push_back(subscription);
    }
    for (const std::uint64_t subscription : late) end_lookup(subscription, false);
    ping_lookups(at);
    arm();
}

void Desk::arm() {
    if (stopping_) return;
    Time due = std::min(book_.next_deadline(), watches_.next_deadline());
    for (const auto& [subscription, lookup] : lookups_) {
        if (!lookup.ended) due = std::min({due, lookup.deadline, lookup.next_ping});
    }
    if (due == armed_) return;
    armed_ = due;
    if (due == Time::max()) return static_cast<void>(timer_.cancel());
    timer_.expires_at(due);
    timer_.async_wait(
        [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
            if (error || alive.expired()) return;
            armed_ = Time::max();
            look();
        });
}

}  // namespace scanmq::gateway
