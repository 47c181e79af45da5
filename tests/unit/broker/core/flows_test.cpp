// BrokerCore: flows of a queue and their limits, shares of queues, and what is not in the way of others.

#include <deque>
#include <map>

#include "broker/core/restorer.hpp"
#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;

BrokerOptions few_limits() {
    BrokerOptions options;
    options.epoch = 7;
    options.flow_limits_max = 2;
    return options;
}

class FlowsTest : public CoreTest {
  protected:
    FlowsTest() : CoreTest({}, few_limits()) {}

    ErrorCode set(const std::string& flow, const protocol::Settings& limits,
                  const std::string& queue = "q") {
        h.op().send(protocol::FlowSet{queue, flow, limits});
        if (h.op().count<protocol::Ok>() == 0) return h.op().error();
        h.op().next<protocol::Ok>();
        return ErrorCode::none;
    }
    // A column of a flow's row; "none": there is no such row.
    std::string flow_row(const std::string& flow, const std::string& column) {
        h.op().send(protocol::Query{"flows", "q"});
        for (const auto& row : h.op().next<protocol::Answer>().rows) {
            if (value(row, "flow") == flow) return value(row, column);
        }
        return "none";
    }
    std::map<std::string, std::string> reasons(std::uint64_t number) {
        h.op().send(protocol::Query{"explain", "q/" + job_id(number).hex()});
        std::map<std::string, std::string> out;
        for (const auto& row : h.op().next<protocol::Answer>().rows) {
            out[value(row, "reason")] = value(row, "sentence");
        }
        return out;
    }
    // One job after the other: the worker has room for one, and takes 1 ms for each.
    Numbers one_by_one(Peer& peer, std::size_t count) {
        Numbers order;
        for (std::size_t i = 0; i < count; ++i) {
            grant(peer, {++granted, kPlenty.bytes});
            for (const auto number : given(peer)) order.push_back(number);
            h.now += 1ms;
            if (!counters.empty()) answer(peer, counters, AttemptOutcome::done);
        }
        return order;
    }
    std::uint64_t granted = 0;
};

TEST_F(FlowsTest, AJobIsOfItsFlowOrOfItsProducersName) {
    accept(1);
    accept(2, {.flow = "desk"});
    EXPECT_EQ(flow_row("producer", "waiting"), "1");
    EXPECT_EQ(flow_row("desk", "waiting"), "1");
    EXPECT_EQ(queue_row("flows"), 2U);
    const auto accepted = changed<change::Accepted>();
    ASSERT_EQ(accepted.size(), 2U);
    EXPECT_EQ(accepted[0].flow, "producer");
    EXPECT_EQ(accepted[1].flow, "desk");
    Peer& peer = worker();
    EXPECT_EQ(given(peer).size(), 2U);
    EXPECT_EQ(flow_row("desk", "running"), "1");
    answer(peer, counters, AttemptOutcome::done);
    EXPECT_EQ(queue_row("flows"), 0U);
    EXPECT_EQ(flow_row("desk", "waiting"), "none");
    EXPECT_EQ(refused(job_with(3, {.flow = "a\nb"})), ErrorCode::bad_option);
}

TEST_F(FlowsTest, LimitsAreCheckedToldAndTakenAway) {
    EXPECT_EQ(set("desk", {{"weight", 3}, {"burst", 2}}), ErrorCode::none);
    EXPECT_EQ(set("desk", {{"rate_per_s", 50}}), ErrorCode::none);
    EXPECT_EQ(flow_row("desk", "weight"), "3") << "what is not named stays";
    EXPECT_EQ(flow_row("desk", "rate_per_s"), "50");
    EXPECT_EQ(flow_row("desk", "burst"), "2");
    EXPECT_EQ(flow_row("desk", "priority_max"), "9");
    const auto told = changed<change::FlowLimited>();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[1].flow, "desk");
    EXPECT_EQ(told[1].limits.size(), 5U);
    EXPECT_EQ(set("desk", {{"weight", 0}}), ErrorCode::bad_setting);
    EXPECT_EQ(set("desk", {{"wight", 1}}), ErrorCode::bad_setting);
    EXPECT_EQ(set("", {{"weight", 1}}), ErrorCode::bad_name);
    EXPECT_EQ(set("desk", {{"weight", 1}}, "r"), ErrorCode::unknown_queue);
    EXPECT_EQ(set("other", {}), ErrorCode::unknown_flow);
    EXPECT_EQ(set("other", {{"weight", 2}}), ErrorCode::none);
    EXPECT_EQ(set("third", {{"weight", 2}}), ErrorCode::over_limit);
    EXPECT_EQ(set("desk", {}), ErrorCode::none);
    EXPECT_EQ(flow_row("desk", "weight"), "none");
    EXPECT_TRUE(changed<change::FlowLimited>().back().limits.empty());
    EXPECT_EQ(set("third", {{"weight", 2}}), ErrorCode::none);
    producer->send(protocol::FlowSet{"q", "desk", {{"weight", 2}}});
    EXPECT_EQ(producer->error(), ErrorCode::not_permitted);
}

TEST_F(FlowsTest, FlowsTakeTurns) {
    for (std::uint64_t i = 1; i <= 6; ++i) accept(i, {.flow = "many"});
    accept(7, {.flow = "few"});
    accept(8, {.flow = "few"});
    Peer& peer = worker("worker", {0, 0});
    const Numbers order = one_by_one(peer, 8);
    ASSERT_EQ(order.size(), 8U);
    const auto place = [&](std::uint64_t number) {
        return std::find(order.begin(), order.end(), number) - order.begin();
    };
    EXPECT_LE(place(7), 2);
    EXPECT_LE(place(8), 4);
    EXPECT_LT(place(1), place(2));
    EXPECT_EQ(flow_row("many", "waiting"), "none");
}

TEST_F(FlowsTest, AFlowHasNoMoreAttemptsThanItMayAndIsInNobodysWay) {
    set("desk", {{"in_flight_max", 2}});
    for (std::uint64_t i = 1; i <= 5; ++i) accept(i, {.flow = "desk"});
    for (std::uint64_t i = 6; i <= 8; ++i) accept(i, {.flow = "other"});
    Peer& peer = worker();
    Numbers all = given(peer);
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (Numbers{1, 2, 6, 7, 8}));
    EXPECT_EQ(flow_row("desk", "held"), "flow_in_flight");
    EXPECT_EQ(reasons(3).count("flow_in_flight"), 1U);
    answer(peer, counters, AttemptOutcome::failed);
    all = given(peer);
    EXPECT_EQ(all.size(), 2U) << "of its own, as two ended; the others wait for their retry";
    EXPECT_EQ(flow_row("desk", "running"), "2");
    // Lost attempts free it, too.
    lose(peer);
    Peer& next = worker("next");
    EXPECT_LE(given(next).size(), 2U);
    EXPECT_EQ(set("desk", {{"in_flight_max", 0}}), ErrorCode::none);
    EXPECT_EQ(flow_row("desk", "held"), "");
}

TEST_F(FlowsTest, ARateHoldsAFlowBackUntilItsTimeHasCome) {
    set("desk", {{"rate_per_s", 10}, {"burst", 2}});
    pass(1s);
    for (std::uint64_t i = 1; i <= 5; ++i) accept(i, {.flow = "desk"});
    accept(6, {.flow = "other"});
    Peer& peer = worker();
    Numbers first = given(peer);
    std::sort(first.begin(), first.end());
    EXPECT_EQ(first, (Numbers{1, 2, 6})) << "a burst of two";
    EXPECT_EQ(flow_row("desk", "held"), "flow_rate");
    EXPECT_EQ(reasons(3).count("flow_rate"), 1U);
    h.advance(99ms);
    EXPECT_TRUE(given(peer).empty());
    h.advance(1ms);
    EXPECT_EQ(given(peer), (Numbers{3}));
    h.advance(200ms);
    EXPECT_EQ(given(peer), (Numbers{4, 5}));
}

TEST_F(FlowsTest, AFlowsPriorityCountsAsNoHigherThanItMay) {
    set("desk", {{"priority_max", 2}});
    accept(1, {.priority = 9, .flow = "desk"});
    accept(2, {.priority = 3, .flow = "other"});
    Peer& peer = worker("worker", {0, 0});
    EXPECT_EQ(one_by_one(peer, 2), (Numbers{2, 1}));
}

TEST_F(FlowsTest, ExplainNamesTheFlowsTurn) {
    for (std::uint64_t i = 1; i <= 3; ++i) accept(i, {.flow = "many"});
    accept(4, {.flow = "few"});
    const auto why = reasons(4);
    ASSERT_EQ(why.count("flow_turn"), 1U);
    EXPECT_NE(why.at("flow_turn").find("flow 'few', weight 1"), std::string::npos);
    EXPECT_EQ(why.count("behind"), 1U);
    EXPECT_EQ(job_row(4, "ahead"), "1") << "one turn of the other flow";
}

TEST_F(FlowsTest, ADeadLettersRetryIsOfItsFlow) {
    alter({{"max_attempts", 1}});
    accept(1, {.flow = "desk"});
    Peer& peer = worker("worker", {1, kPlenty.bytes});
    given(peer);
    answer(peer, counters, AttemptOutcome::failed);
    h.op().send(protocol::DeadLetters{"q", protocol::DeadAction::retry, {}});
    EXPECT_EQ(h.op().next<protocol::DeadDone>().jobs.size(), 1U);
    EXPECT_EQ(flow_row("desk", "waiting"), "1");
}

TEST_F(FlowsTest, CancelPurgeAndExpiryLeaveNoFlowBehind) {
    set("desk", {{"in_flight_max", 1}});
    for (std::uint64_t i = 1; i <= 4; ++i) accept(i, {.flow = "desk"});
    accept(5, {.deadline_ms = 100, .flow = "desk"});
    accept(6, {.flow = "gone"});
    Peer& peer = worker("worker", {1, kPlenty.bytes});
    EXPECT_EQ(given(peer).size(), 1U);
    cancel({6, 2});
    h.advance(200ms);
    h.op().send(protocol::QueueControl{"q", protocol::QueueAction::purge});
    h.tick();
    EXPECT_EQ(queue_row("waiting"), 0U);
    answer(peer, counters, AttemptOutcome::done);
    EXPECT_EQ(set("desk", {}), ErrorCode::none);
    EXPECT_EQ(queue_row("flows"), 0U);
}

TEST_F(FlowsTest, LimitsAndAttemptsSurviveARestart) {
    BlobTable blobs{{}};
    BrokerCore core(few_limits(), blobs, h.source);
    Restorer& restorer = core.restore(h.now);
    QueueRow queue;
    queue.name = "q";
    queue.next_execution = 3;
    ASSERT_TRUE(restorer.queue(1, queue));
    FlowRow limits;
    limits.limits = {{"in_flight_max", 1}, {"rate_per_s", 5}};
    ASSERT_TRUE(restorer.flow(1, "desk", limits));
    for (std::uint64_t number = 1; number <= 2; ++number) {
        ExecutionRow row;
        JobRow one;
        one.id = job_id(number);
        one.bytes = 64;
        one.priority = 5;
        row.jobs.push_back(one);
        row.flow = "desk";
        RunRow run;
        run.live_epoch = 6;
        run.live_counter = 1;
        run.worker = "worker";
        ASSERT_TRUE(restorer.execution(1, number, row, number == 1 ? &run : nullptr,
                                       BodyHandle{static_cast<std::uint32_t>(number)}));
    }
    core.restored(1, 1);
    Effects effects;
    std::uint64_t seq = 0;
    protocol::SessionId session;
    const auto send = [&](protocol::Message message) {
        const protocol::Frame frame{{protocol::kWorker | protocol::kOperator, session, ++seq},
                                    std::move(message)};
        const Event event = FrameEvent{{1}, &frame, {}};
        effects.clear();
        core.handle({&event, 1}, h.now, effects);
    };
    protocol::Hello hello;
    hello.name = "another";
    hello.worker.emplace();
    send(std::move(hello));
    session = std::get<protocol::Welcome>(effects.sends.front().message).session;
    send(protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty});
    for (const Send& sent : effects.sends) {
        EXPECT_FALSE(std::holds_alternative<protocol::Deliver>(sent.message))
            << "one attempt may still run";
    }
    send(protocol::Query{"flows", "q"});
    const auto& rows = std::get<protocol::Answer>(effects.sends.back().message).rows;
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(value(rows[0], "flow"), "desk");
    EXPECT_EQ(value(rows[0], "in_flight_max"), "1");
    EXPECT_EQ(value(rows[0], "rate_per_s"), "5");
    EXPECT_EQ(value(rows[0], "running"), "1");
    EXPECT_EQ(value(rows[0], "waiting"), "1");
}

// ---- queues

TEST_F(FlowsTest, QueuesShareWorkersByWeight) {
    h.create_queue("r", {{"weight", 3}});
    producer->send(protocol::Want{"r", {}, {1'000, 1U << 20}});
    producer->inbox.clear();
    accept(job_range(1, 200));
    producer->send(submit("r", job_range(1'001, 200)));
    producer->inbox.clear();
    Peer& peer = worker("worker", {0, 0});
    std::size_t of_r = 0;
    for (const std::uint64_t number : one_by_one(peer, 120)) of_r += number > 1'000 ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(of_r), 90.0, 6.0);
}

// ---- what is not in the way of others

TEST_F(FlowsTest, APureExecutionWithoutAWorkerOfItsVersionIsNotInTheWay) {
    Peer& current = worker("current", {0, 0}, {1, "1", {}, {}});
    Peer& other = worker("other", kPlenty, {1, "2", {}, {}});
    accept(1, {.flags = JobOptions::kPure});
    accept(2);
    accept(3, {.flags = JobOptions::kPure}, "another payload");
    accept(4);
    EXPECT_EQ(given(other), (Numbers{2, 4}));
    EXPECT_TRUE(given(current).empty());
    grant(current, kPlenty);
    EXPECT_EQ(given(current), (Numbers{1, 3}));
}

TEST_F(FlowsTest, OneThatNoWorkerHasTheBytesForIsOvertakenForAWhile) {
    accept(job_range(2, 400));
    // A window of 16 of them, which is never empty enough for the large one by itself.
    constexpr std::uint64_t kWindow = 16 * 71 + 10;
    Peer& peer = worker("worker", {1'000, kWindow});
    Numbers order = given(peer);
    ASSERT_EQ(order.size(), 16U);
    std::deque<std::uint64_t> running(counters.begin(), counters.end());
    accept(1, {.priority = 9}, std::string(1'000, 'x'));
    std::size_t overtakers = 0;
    bool came = false;
    std::uint64_t bytes = kWindow;
    while (!came && !running.empty()) {
        bytes += 71;
        peer.send(done({running.front()}, AttemptOutcome::done, {1'000, bytes}));
        running.pop_front();
        for (const std::uint64_t number : given(peer)) {
            came = came || number == 1;
            ++overtakers;
        }
        running.insert(running.end(), counters.begin(), counters.end());
    }
    EXPECT_TRUE(came);
    EXPECT_GE(overtakers, WaitingRoom::kOvertakenMax) << "smaller ones went first";
    EXPECT_LE(overtakers, WaitingRoom::kOvertakenMax + 2);
}

}  // namespace
}  // namespace scanmq::broker
