// BrokerCore: sessions, as docs/PROTOCOL.md, section 6, has them.

#include "tests/unit/broker/core/harness.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::ErrorCode;

TEST(Sessions, WelcomeTellsTheSessionAndTheLimits) {
    BrokerOptions options;
    options.blob_endpoint = "tcp://127.0.0.1:5702";
    options.wall_offset_ms = 1'000;
    Harness h(options);
    Peer& p = h.peer(protocol::kProducer, "p");
    p.send(protocol::Hello{"p", p.instance, "", 0, "test", std::nullopt});
    const Received& raw = p.inbox.front();
    const auto& welcome = std::get<protocol::Welcome>(raw.message);
    EXPECT_EQ(welcome.re, 1U);
    EXPECT_NE(welcome.session.value, 0U);
    EXPECT_EQ(raw.header.session, welcome.session);
    EXPECT_EQ(raw.header.seq, 1U);
    EXPECT_EQ(welcome.epoch, 7U);
    EXPECT_EQ(welcome.heartbeat_ms, 2'500U);
    EXPECT_EQ(welcome.dead_after_ms, 7'500U);
    EXPECT_EQ(welcome.blob_endpoint, "tcp://127.0.0.1:5702");
    EXPECT_EQ(welcome.clock_ms, 3'601'000);
    const std::map<std::string, std::uint64_t> limits(welcome.limits.begin(), welcome.limits.end());
    EXPECT_EQ(limits.at("frame_bytes_max"), protocol::kLimits.frame_bytes_max);
    EXPECT_EQ(limits.at("item_overhead_bytes"), protocol::kLimits.item_overhead_bytes);
    EXPECT_EQ(limits.at("blob_puts_per_session_max"), protocol::kLimits.blob_puts_per_session_max);
    EXPECT_EQ(limits.at("sessions_max"), 1'024U);
    EXPECT_LE(limits.size(), protocol::kLimits.map_keys_max);
    EXPECT_TRUE(h.core.session_open(welcome.session));
}

TEST(Sessions, HeartbeatsAreAnsweredAtOnce) {
    Harness h;
    Peer& p = h.producer();
    p.send(protocol::Heartbeat{77, 0, {}});
    EXPECT_EQ(p.next<protocol::Heartbeat>().pong, 77U);
    p.send(protocol::Heartbeat{0, 3, {}});
    EXPECT_EQ(p.inbox.size(), 0U);
}

TEST(Sessions, SilenceEndsASessionAndAnyFrameKeepsIt) {
    Harness h;
    Peer& quiet = h.producer("quiet");
    Peer& alive = h.producer("alive");
    h.advance(5s);
    alive.send(protocol::Query{"nonsense", ""});
    EXPECT_EQ(alive.error(), ErrorCode::unknown_topic);
    h.advance(2'499ms);
    EXPECT_EQ(quiet.inbox.size(), 0U);
    h.advance(1ms);
    EXPECT_EQ(quiet.next<protocol::Bye>().code, ErrorCode::session_timed_out);
    EXPECT_FALSE(h.core.session_open(quiet.session));
    EXPECT_TRUE(h.core.session_open(alive.session));
    EXPECT_EQ(h.core.counter("sessions_timed_out"), 1U);
    EXPECT_EQ(*h.core.next_deadline(), h.now + 5s);
}

TEST(Sessions, FramesOfNoOrAnotherSessionAreRefusedAndCounted) {
    Harness h;
    h.create_queue("q");
    Peer& stranger = h.peer(protocol::kProducer, "stranger");
    stranger.send(submit("q", jobs(job(1))));
    EXPECT_EQ(stranger.inbox.front().header.session.value, 0U);
    EXPECT_EQ(stranger.error(), ErrorCode::unknown_session);
    Peer& p = h.producer();
    const auto good = p.session;
    p.session.value ^= 1;
    p.send(submit("q", jobs(job(1))));
    p.session = good;
    EXPECT_EQ(p.error(), ErrorCode::unknown_session);
    EXPECT_EQ(h.core.counter("frames_stale_session"), 2U);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_TRUE(h.core.session_open(good));
}

TEST(Sessions, TheSameInstanceReplacesItsSession) {
    Harness h;
    Peer& p = h.producer();
    const auto former = p.session;
    p.connection = {1'000};
    EXPECT_TRUE(p.hello());
    EXPECT_FALSE(h.core.session_open(former));
    EXPECT_EQ(h.core.counter("sessions_replaced"), 1U);
    // Also on the same connection, and by another peer there.
    const auto second = p.session;
    p.name = "renamed";
    EXPECT_TRUE(p.hello());
    EXPECT_FALSE(h.core.session_open(second));
    EXPECT_EQ(h.core.counter("sessions_opened") - h.core.counter("sessions_closed"), 1U);
}

TEST(Sessions, TheSameNameOfAnotherInstanceIsAnotherPeer) {
    Harness h;
    Peer& a = h.producer("same");
    h.producer("same");
    EXPECT_TRUE(h.core.session_open(a.session));
}

TEST(Sessions, HelloIsRefusedBeyondSessionsMax) {
    BrokerOptions options;
    options.sessions_max = 1;
    Harness h(options);
    Peer& a = h.producer("a");
    Peer& b = h.peer(protocol::kProducer, "b");
    EXPECT_FALSE(b.hello());
    EXPECT_EQ(b.error(), ErrorCode::too_many_sessions);
    EXPECT_TRUE(a.hello()) << "replacing its own is no more";
}

TEST(Sessions, HelloNeedsANameAndRoles) {
    Harness h;
    Peer& unnamed = h.peer(protocol::kProducer, "");
    EXPECT_FALSE(unnamed.hello());
    EXPECT_EQ(unnamed.error(), ErrorCode::bad_name);
    Peer& control = h.peer(protocol::kProducer, "a\nb");
    EXPECT_FALSE(control.hello());
    EXPECT_EQ(control.error(), ErrorCode::bad_name);
    Peer& none = h.peer(0, "none");
    EXPECT_FALSE(none.hello());
    EXPECT_EQ(none.error(), ErrorCode::malformed);
}

TEST(Sessions, EachKindNeedsItsRole) {
    Harness h;
    h.create_queue("q");
    Peer& subscriber = h.subscriber();
    const auto refused = [&](Peer& peer, protocol::Message message) {
        peer.send(std::move(message));
        return peer.error();
    };
    EXPECT_EQ(refused(subscriber, submit("q", jobs(job(1)))), ErrorCode::not_permitted);
    EXPECT_EQ(refused(subscriber, protocol::Want{"q", {}, {1, 1}}), ErrorCode::not_permitted);
    EXPECT_EQ(refused(subscriber, done({1}, protocol::AttemptOutcome::done)),
              ErrorCode::not_permitted);
    EXPECT_EQ(refused(subscriber, protocol::QueueCreate{"r", {}}), ErrorCode::not_permitted);
    EXPECT_EQ(refused(subscriber, protocol::GroupOpen{"q", job_id(1)}), ErrorCode::not_permitted);
    EXPECT_EQ(refused(h.producer(), protocol::Subscribe{1, "q", ">", {}, 0, {}, "", kPlenty}),
              ErrorCode::not_permitted);
    EXPECT_EQ(refused(subscriber, protocol::CreditGrant{protocol::Link::deliver, "", 0, kPlenty}),
              ErrorCode::not_permitted);
    EXPECT_EQ(refused(subscriber, protocol::Welcome{}), ErrorCode::unknown_kind);
    EXPECT_EQ(refused(subscriber, protocol::BlobGet{}), ErrorCode::unknown_kind);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(h.core.counter("error_not_permitted"), 7U);
}

TEST(Sessions, TheRolesStayThoseOfTheHello) {
    Harness h;
    Peer& p = h.producer();
    p.roles = protocol::kOperator;
    p.send(protocol::QueueCreate{"q", {}});
    EXPECT_EQ(p.error(), ErrorCode::malformed);
}

TEST(Sessions, BadFramesAreAnsweredAndCountedAndKeepTheSession) {
    Harness h;
    Peer& p = h.producer();
    h.advance(7s);
    h.bad_frame(p, {ErrorCode::malformed,
                    "jobs[3].id: expected bin",
                    {p.roles, p.session, 9},
                    protocol::Kind::submit});
    const auto& error = p.next<protocol::Error>();
    EXPECT_EQ(error.re, 9U);
    EXPECT_EQ(error.re_kind, protocol::Kind::submit);
    EXPECT_EQ(error.sentence, "jobs[3].id: expected bin");
    Peer& stranger = h.peer(protocol::kProducer, "stranger");
    h.bad_frame(stranger, {ErrorCode::unsupported_version, "version 2", {}, {}});
    EXPECT_EQ(stranger.inbox.front().header.session.value, 0U);
    EXPECT_EQ(stranger.error(), ErrorCode::unsupported_version);
    EXPECT_EQ(h.core.counter("frames_bad"), 2U);
    EXPECT_EQ(h.core.counter("error_malformed"), 1U);
    h.advance(7s);
    EXPECT_TRUE(h.core.session_open(p.session)) << "any frame keeps it alive";
}

TEST(Sessions, ByeClosesAtOnce) {
    Harness h;
    Peer& p = h.producer();
    p.send(protocol::Bye{});
    EXPECT_FALSE(h.core.session_open(p.session));
    p.send(protocol::Heartbeat{1, 0, {}});
    EXPECT_EQ(p.error(), ErrorCode::unknown_session);
}

TEST(Sessions, ShuttingDownSaysByeAndHandlesNothingMore) {
    Harness h;
    h.create_queue("q");
    Peer& p = h.producer();
    h.core.shut_down(h.now, h.effects);
    ASSERT_EQ(h.effects.sends.size(), 2U);
    EXPECT_EQ(std::get<protocol::Bye>(h.effects.sends[0].message).code, ErrorCode::shutting_down);
    h.effects.clear();
    p.send(submit("q", jobs(job(1))));
    EXPECT_EQ(p.error(), ErrorCode::shutting_down);
    EXPECT_TRUE(h.handles.empty());
    EXPECT_EQ(h.core.next_deadline(), std::nullopt);
}

std::uint64_t of_workers(Harness& h, const std::string& column) {
    return h.cache_row("workers", column);
}

TEST(Queries, ShowWhatWorkersCachesDidEachAndTogether) {
    Harness h;
    const auto says = [](Peer& worker, const protocol::CacheFigures& figures) {
        worker.send(protocol::Heartbeat{0, 0, {}, figures});
    };
    Peer& first = h.worker({4, "1", {}}, "first");
    EXPECT_EQ(of_workers(h, "workers"), 0U);
    says(first, {10, 20, 1, 5, 15, 2, 7, 700});
    EXPECT_EQ(h.row("workers", "", "cache_hits"), 10U);
    EXPECT_EQ(h.row("workers", "", "cache_bytes"), 700U);
    EXPECT_EQ(h.row("workers", "", "shared_timeouts"), 2U);
    Peer& second = h.worker({4, "1", {}}, "second");
    says(second, {1, 2, 0, 0, 2, 0, 3, 30});
    says(first, {12, 20, 1, 5, 15, 2, 6, 600});
    EXPECT_EQ(of_workers(h, "workers"), 2U);
    EXPECT_EQ(of_workers(h, "hits"), 13U);
    EXPECT_EQ(of_workers(h, "misses"), 22U);
    EXPECT_EQ(of_workers(h, "shared_misses"), 17U);
    EXPECT_EQ(of_workers(h, "results"), 9U);
    EXPECT_EQ(of_workers(h, "bytes"), 630U);
    // What it did stays when it goes; what it kept does not.
    first.send(protocol::Bye{});
    EXPECT_EQ(of_workers(h, "hits"), 13U);
    EXPECT_EQ(of_workers(h, "results"), 3U);
    EXPECT_EQ(of_workers(h, "workers"), 1U);
    // A counter that fell began anew.
    says(second, {0, 1, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(of_workers(h, "hits"), 13U);
    EXPECT_EQ(of_workers(h, "misses"), 23U);
}

TEST(Queries, HaveTheRowsOfTheTable) {
    Harness h;
    h.create_queue("q", {{"max_jobs", 500}});
    h.worker({4, "scanner 1", {"q"}});
    h.put_blob("chain");
    h.core.set_gauges({{{"rss_bytes", 123}}, {{"frames_dropped", 5}}, "memory", {}, {}});
    EXPECT_EQ(h.row("broker", "", "rss_bytes"), 123U);
    EXPECT_EQ(h.row("broker", "", "queues"), 1U);
    EXPECT_EQ(h.row("broker", "", "epoch"), 7U);
    EXPECT_EQ(h.row("queues", "q", "max_jobs"), 500U);
    EXPECT_EQ(h.row("queues", "", "max_attempts"), 5U);
    EXPECT_EQ(h.row("workers", "", "threads"), 4U);
    EXPECT_EQ(h.row("snapshots", "", "bytes"), 5U);
    h.op().send(protocol::Query{"sessions", ""});
    EXPECT_EQ(h.op().next<protocol::Answer>().rows.size(), 2U);
    h.op().send(protocol::Query{"counters", ""});
    const auto& rows = h.op().next<protocol::Answer>().rows;
    EXPECT_EQ(std::get<std::string>(rows.back()[0].second), "frames_dropped");
    h.op().send(protocol::Query{"queues", "no"});
    EXPECT_EQ(h.op().error(), ErrorCode::unknown_queue);
    h.op().send(protocol::Query{"weather", ""});
    EXPECT_EQ(h.op().error(), ErrorCode::unknown_topic);
}

TEST(Queries, ALongAnswerIsCutAndSaysSo) {
    BrokerOptions options;
    options.sessions_max = 5'000;
    Harness h(options);
    for (int i = 0; i < 4'200; ++i) h.producer("producer " + std::to_string(i));
    h.op().send(protocol::Query{"sessions", ""});
    const auto& rows = h.op().next<protocol::Answer>().rows;
    EXPECT_LE(rows.size(), 4'096U);
    ASSERT_EQ(rows.back().front().first, "truncated");
    EXPECT_EQ(std::get<std::uint64_t>(rows.back().front().second), 4'201 - (rows.size() - 1));
}

}  // namespace
}  // namespace scanmq::broker
