#include "scanner/server/scan_desk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

namespace scanmq::scand {

namespace {

namespace asio = boost::asio;

Time now() { return std::chrono::steady_clock::now(); }

asio::steady_timer::duration clock_ticks(Duration duration) {
    return std::chrono::duration_cast<asio::steady_timer::duration>(duration);
}

}  // namespace

class ScanDesk::Ticket {
  public:
    Ticket(asio::io_context& io, Work what) : work(std::move(what)), deadline(io), hold(io) {}

    [[nodiscard]] service::ScanHooks hooks() {
        return {.cancel = &cancel, .done = &done, .total = &total};
    }

    Work work;
    asio::steady_timer deadline;
    asio::steady_timer hold;  // Work::slow
    bool settled = false;
    std::atomic<bool> cancel{false};
    std::atomic<std::uint64_t> done{0};
    std::atomic<std::uint64_t> total{0};
};

ScanDesk::ScanDesk(asio::io_context& io, const Options& options)
    : io_(io), options_(options), pool_(options.threads) {}

ScanDesk::~ScanDesk() {
    *alive_ = false;
    for (const Held& ticket : running_) ticket->cancel = true;
    pool_.join();
}

Result<ScanDesk::Held, api::Error> ScanDesk::submit(Work work) {
    ++stats_.submitted;
    const bool place = stats_.running < options_.concurrency;
    if (!place && waiting_.size() >= options_.queue) {
        ++stats_.refused;
        return fail(api::Error{
            429,
            "busy",
            fmt::format("{} scans run and {} wait, more are not taken; try again in {} s",
                        stats_.running, waiting_.size(),
                        std::chrono::ceil<std::chrono::seconds>(retry_after()).count()),
            {}});
    }
    auto ticket = std::make_shared<Ticket>(io_, std::move(work));
    ticket->deadline.expires_after(clock_ticks(ticket->work.timeout));
    ticket->deadline.async_wait([this, alive = alive_, ticket](const auto& error) {
        if (error || !*alive || ticket->settled) return;
        ++stats_.timeouts;
        settle(ticket,
               fail(api::Error{504,
                               "deadline_exceeded",
                               "the scan did not end in its time; give it more, or a smaller "
                               "request",
                               {}}));
    });
    if (place) {
        start(ticket);
    } else {
        waiting_.push_back(ticket);
        stats_.waiting = waiting_.size();
    }
    return ticket;
}

Duration ScanDesk::retry_after() const noexcept {
    const Duration wait = mean_ * static_cast<std::int64_t>(waiting_.size() + 1) /
                          static_cast<std::int64_t>(options_.concurrency);
    return std::clamp<Duration>(wait, std::chrono::seconds(1), std::chrono::seconds(60));
}

void ScanDesk::start(const Held& ticket) {
    ++stats_.running;
    running_.insert(ticket);
    if (ticket->work.started) ticket->work.started();
    if (ticket->work.slow <= Duration{}) return run(ticket);
    ticket->hold.expires_after(clock_ticks(ticket->work.slow));
    ticket->hold.async_wait([this, alive = alive_, ticket](const auto& /*cancelled or not*/) {
        if (!*alive) return;
        if (ticket->settled) {
            running_.erase(ticket);
            return release();
        }
        run(ticket);
    });
}

void ScanDesk::run(const Held& ticket) {
    asio::post(pool_, [this, alive = alive_, ticket] {
        const Time begun = now();
        const auto scan = [&]() -> ScanOutcome {
            try {
                return ticket->work.run(ticket->hooks());
            } catch (const std::exception& error) {
                return fail(api::Error{
                    500, "scan_failed", std::string("the scan threw: ") + error.what(), {}});
            }
        };
        auto outcome = std::make_shared<ScanOutcome>(scan());
        asio::post(io_, [this, alive, ticket, outcome, took = Duration(now() - begun)] {
            if (*alive) on_run(ticket, std::move(*outcome), took);
        });
    });
}

void ScanDesk::on_run(const Held& ticket, ScanOutcome outcome, Duration took) {
    run_times_.record(took);
    run_time_sum_ += took;
    mean_ += (took - mean_) / 8;
    if (!ticket->settled) ++(outcome ? stats_.completed : stats_.failed);
    running_.erase(ticket);
    settle(ticket, std::move(outcome));
    release();
}

void ScanDesk::settle(const Held& ticket, ScanOutcome outcome) {
    if (std::exchange(ticket->settled, true)) return;
    ticket->cancel = true;
    ticket->deadline.cancel();
    ticket->hold.cancel();
    if (const auto at = std::ranges::find(waiting_, ticket); at != waiting_.end()) {
        waiting_.erase(at);
        stats_.waiting = waiting_.size();
    }
    const auto done = std::exchange(ticket->work.done, nullptr);
    ticket->work.started = nullptr;
    done(std::move(outcome));
    if (on_free_) on_free_();
}

void ScanDesk::release() {
    --stats_.running;
    while (stats_.running < options_.concurrency && !waiting_.empty()) {
        const Held next = waiting_.front();
        waiting_.pop_front();
        stats_.waiting = waiting_.size();
        start(next);
    }
    if (on_free_) on_free_();
}

void ScanDesk::cancel(const Held& ticket, api::Error why) {
    if (ticket->settled) return;
    ++stats_.cancelled;
    settle(ticket, fail(std::move(why)));
}

void ScanDesk::cancel_all(const api::Error& why) {
    std::deque<Held> all = waiting_;
    all.insert(all.end(), running_.begin(), running_.end());
    for (const Held& ticket : all) cancel(ticket, why);
}

std::pair<std::uint64_t, std::uint64_t> ScanDesk::progress(const Ticket& ticket) {
    return {ticket.done.load(std::memory_order_relaxed),
            ticket.total.load(std::memory_order_relaxed)};
}

}  // namespace scanmq::scand
