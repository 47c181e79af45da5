#include "scanner/server/scan_desk.hpp"

#include <gmock/gmock.h>

#include <boost/asio/executor_work_guard.hpp>
#include <future>

namespace scanmq::scand {
namespace {

// The loop is run by hand, until something holds. Scans wait for the test, not for time.
class Desk : public testing::Test {
  protected:
    using Options = ScanDesk::Options;

    void open(Options options) { desk.emplace(io, options); }
    void until(const std::function<bool()>& holds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!holds()) {
            ASSERT_LT(std::chrono::steady_clock::now(), end);
            io.run_one_for(std::chrono::milliseconds(50));
            if (io.stopped()) io.restart();
        }
    }
    // A scan that runs until `release` or its cancel flag; its end goes into `log`.
    Work held(const std::string& name, Duration timeout = std::chrono::hours(1)) {
        Work work;
        work.timeout = timeout;
        work.run = [this, name](const service::ScanHooks& hooks) -> ScanOutcome {
            while (!release && !hooks.cancelled()) std::this_thread::yield();
            if (hooks.cancelled()) return fail(api::Error{499, "cancelled", "", {}});
            return name;
        };
        work.done = [this, name](const ScanOutcome& outcome) {
            log.push_back(name + ":" + (outcome ? *outcome : outcome.error().code));
        };
        work.started = [this, name] { log.push_back(name + ":started"); };
        return work;
    }
    ScanDesk::Held submitted(Work work) {
        auto ticket = desk->submit(std::move(work));
        EXPECT_TRUE(ticket.ok());
        return ticket.ok() ? *ticket : nullptr;
    }
    api::Error refused(Work work) {
        const auto ticket = desk->submit(std::move(work));
        EXPECT_FALSE(ticket.ok());
        return ticket.ok() ? api::Error{} : ticket.error();
    }

    boost::asio::io_context io;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{
        io.get_executor()};
    std::atomic<bool> release{false};
    std::vector<std::string> log;
    std::optional<ScanDesk> desk;
};

TEST_F(Desk, RunsSoManyLetsSoManyWaitRefusesTheRest) {
    open({.threads = 2, .concurrency = 2, .queue = 1});
    submitted(held("a"));
    submitted(held("b"));
    submitted(held("c"));
    EXPECT_EQ(desk->stats().running, 2U);
    EXPECT_EQ(desk->stats().waiting, 1U);
    const api::Error error = refused(held("d"));
    EXPECT_EQ(error.status, 429);
    EXPECT_EQ(error.code, "busy");
    EXPECT_GE(desk->retry_after(), std::chrono::seconds(1));
    EXPECT_THAT(log, testing::ElementsAre("a:started", "b:started"));
    release = true;
    until([this] { return desk->idle(); });
    EXPECT_EQ(desk->stats().completed, 3U);
    EXPECT_EQ(desk->stats().refused, 1U);
    EXPECT_EQ(desk->run_times().count(), 3U);
    EXPECT_THAT(log, testing::IsSupersetOf({"a:a", "b:b", "c:c"}));
}

TEST_F(Desk, WaitingScansGoInOrder) {
    open({.threads = 1, .concurrency = 1, .queue = 3});
    for (const char* name : {"a", "b", "c"}) submitted(held(name));
    release = true;
    until([this] { return desk->idle(); });
    EXPECT_THAT(log,
                testing::ElementsAre("a:started", "a:a", "b:started", "b:b", "c:started", "c:c"));
}

TEST_F(Desk, CancelEndsWhatWaitsAndWhatRuns) {
    open({.threads = 1, .concurrency = 1, .queue = 2});
    const auto running = submitted(held("a"));
    const auto waiting = submitted(held("b"));
    const api::Error why{499, "client_gone", "", {}};
    desk->cancel(waiting, why);
    EXPECT_EQ(desk->stats().waiting, 0U);
    desk->cancel(running, why);
    desk->cancel(running, why);
    EXPECT_THAT(log, testing::ElementsAre("a:started", "b:client_gone", "a:client_gone"));
    until([this] { return desk->idle(); });
    EXPECT_EQ(log.size(), 3U);  // done is said once
    EXPECT_EQ(desk->stats().cancelled, 2U);
    EXPECT_EQ(desk->stats().completed + desk->stats().failed, 0U);
}

TEST_F(Desk, DeadlinesCountWaitingAndRunning) {
    open({.threads = 1, .concurrency = 1, .queue = 2});
    submitted(held("a", std::chrono::milliseconds(20)));
    submitted(held("b", std::chrono::milliseconds(10)));
    until([this] { return desk->idle(); });
    EXPECT_THAT(log, testing::IsSupersetOf({"a:deadline_exceeded", "b:deadline_exceeded"}));
    EXPECT_EQ(desk->stats().timeouts, 2U);
}

TEST_F(Desk, ASlowScanHoldsItsPlaceAndCanBeCancelled) {
    open({.threads = 1, .concurrency = 1, .queue = 1});
    Work slow = held("a");
    slow.slow = std::chrono::hours(1);
    const auto ticket = submitted(std::move(slow));
    submitted(held("b"));
    EXPECT_EQ(desk->stats().waiting, 1U);
    desk->cancel(ticket, {499, "client_gone", "", {}});
    release = true;
    until([this] { return desk->idle(); });
    EXPECT_THAT(log, testing::ElementsAre("a:started", "a:client_gone", "b:started", "b:b"));
}

TEST_F(Desk, WhatThrowsIsAnswered) {
    open({.threads = 1, .concurrency = 1, .queue = 1});
    Work work = held("a");
    work.run = [](const service::ScanHooks&) -> ScanOutcome { throw std::bad_alloc(); };
    submitted(std::move(work));
    until([this] { return desk->idle(); });
    EXPECT_THAT(log, testing::Contains("a:scan_failed"));
    EXPECT_EQ(desk->stats().failed, 1U);
}

TEST_F(Desk, TellsHowFarAScanIs) {
    open({.threads = 1, .concurrency = 1, .queue = 1});
    Work work = held("a");
    work.run = [this](const service::ScanHooks& hooks) -> ScanOutcome {
        hooks.total->store(8);
        hooks.done->store(2);
        while (!release) std::this_thread::yield();
        return std::string();
    };
    const auto ticket = submitted(std::move(work));
    until([&] { return ScanDesk::progress(*ticket).second == 8; });
    release = true;
    until([this] { return desk->idle(); });
    EXPECT_EQ(ScanDesk::progress(*ticket).first, 2U);
}

TEST_F(Desk, ItsEndCancelsAndSaysNothing) {
    open({.threads = 2, .concurrency = 2, .queue = 2});
    for (const char* name : {"a", "b", "c"}) submitted(held(name));
    log.clear();
    desk.reset();  // waits for its threads
    io.poll();
    EXPECT_TRUE(log.empty());
}

}  // namespace
}  // namespace scanmq::scand
