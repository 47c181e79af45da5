#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::ErrorCode;

TEST(ClientSession, SaysHelloOnConnectionAndNothingElseBeforeWelcome) {
    CoreRig rig;
    const auto p = rig.producer();
    ASSERT_TRUE(rig.submit(p, "early").ok());
    EXPECT_NE(rig.core.request(protocol::Query{"broker", ""}, rig.now.time + 1s, rig.effects), 0U);
    rig.settle();
    EXPECT_TRUE(rig.sent.empty());
    rig.connected();
    ASSERT_EQ(rig.sent.size(), 1U);
    const auto hello = rig.take<protocol::Hello>();
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->frame.header.session.value, 0U);
    EXPECT_EQ(hello->frame.header.seq, 1U);
    EXPECT_EQ(rig.message<protocol::Hello>(hello).name, "rig");
    rig.tick();
    EXPECT_TRUE(rig.sent.empty());

    rig.feed(rig.welcome_to(hello->frame.header.seq));
    EXPECT_TRUE(rig.core.session().open);
    EXPECT_EQ(rig.count<protocol::Query>(), 1U);
    EXPECT_EQ(rig.count<protocol::Want>(), 1U);
    for (const auto& frame : rig.sent) EXPECT_EQ(frame->frame.header.session, rig.session);
}

TEST(ClientSession, WelcomeForAnotherHelloIsIgnored) {
    CoreRig rig;
    rig.connected();
    rig.feed(rig.welcome_to(99));
    EXPECT_FALSE(rig.core.session().open);
}

TEST(ClientSession, SendsHeartbeatsAndMakesANewConnectionAfterSilence) {
    CoreRig rig;
    rig.open();
    for (int i = 0; i < 3; ++i) {
        rig.advance(1250ms);
        rig.advance(1250ms);
        const auto beat = rig.take<protocol::Heartbeat>();
        if (i < 2) {
            ASSERT_TRUE(beat);
            EXPECT_NE(rig.message<protocol::Heartbeat>(beat).ping, 0U);
        }
    }
    EXPECT_FALSE(rig.core.session().open);
    ASSERT_EQ(rig.connects.size(), 2U);
    EXPECT_EQ(rig.connects[1].endpoint, "tcp://a:1");
}

TEST(ClientSession, AnythingHeardKeepsTheSession) {
    CoreRig rig;
    rig.open();
    for (int i = 0; i < 20; ++i) {
        rig.advance(1250ms);
        rig.feed(protocol::Heartbeat{0, 1, {}});
    }
    EXPECT_TRUE(rig.core.session().open);
    EXPECT_EQ(rig.connects.size(), 1U);
}

TEST(ClientSession, APauseOfThisProcessIsNotTheBrokersSilence) {
    CoreRig rig;
    rig.open();
    rig.advance(60s);
    EXPECT_TRUE(rig.core.session().open);
    rig.feed(protocol::Heartbeat{0, 1, {}});
    rig.advance(1s);
    EXPECT_TRUE(rig.core.session().open);
}

TEST(ClientSession, NewConnectionEndsTheSessionAndSaysHelloWithResume) {
    CoreRig rig;
    rig.open();
    rig.connected();
    EXPECT_FALSE(rig.core.session().open);
    const auto hello = rig.take<protocol::Hello>();
    ASSERT_TRUE(hello);
    EXPECT_EQ(rig.message<protocol::Hello>(hello).resume, "resume-1");
    EXPECT_EQ(hello->frame.header.session.value, 0U);
    rig.feed(rig.welcome_to(hello->frame.header.seq));
    EXPECT_EQ(rig.core.stats().sessions_opened, 2U);
}

TEST(ClientSession, UnknownSessionSaysHelloOnce) {
    CoreRig rig;
    rig.open();
    rig.feed(protocol::Error{2, protocol::Kind::want, ErrorCode::unknown_session, "old"});
    rig.feed(protocol::Error{3, protocol::Kind::submit, ErrorCode::unknown_session, "old"});
    EXPECT_EQ(rig.count<protocol::Hello>(), 1U);
    rig.greet();
    EXPECT_TRUE(rig.core.session().open);
    EXPECT_EQ(rig.connects.size(), 1U);
}

TEST(ClientSession, ByeOfATimedOutSessionSaysHelloAgain) {
    CoreRig rig;
    rig.open();
    rig.feed(protocol::Bye{ErrorCode::session_timed_out, "silent"});
    rig.greet();
    EXPECT_TRUE(rig.core.session().open);
}

TEST(ClientSession, AStoppingBrokerIsLeftAndTriedAgainLater) {
    CoreRig rig;
    rig.open();
    rig.feed(protocol::Bye{ErrorCode::shutting_down, "stopping"});
    EXPECT_FALSE(rig.core.session().open);
    EXPECT_EQ(rig.core.session().last_code, ErrorCode::shutting_down);
    EXPECT_EQ(rig.count<protocol::Hello>(), 0U);
    rig.connected();
    rig.greet();
    EXPECT_TRUE(rig.core.session().open);
}

TEST(ClientSession, RefusedHelloIsRepeatedWithGrowingPauses) {
    CoreRig rig;
    rig.connected();
    Duration last{};
    for (int i = 0; i < 4; ++i) {
        const auto hello = rig.take<protocol::Hello>();
        ASSERT_TRUE(hello) << i;
        rig.error(hello, ErrorCode::too_many_sessions, "full");
        EXPECT_EQ(rig.core.session().last_code, ErrorCode::too_many_sessions);
        EXPECT_EQ(rig.core.session().last_sentence, "full");
        EXPECT_EQ(rig.count<protocol::Hello>(), 0U);
        const Duration pause = rig.core.next_deadline() - rig.now.time;
        EXPECT_GT(pause, last);
        last = pause;
        rig.advance(pause);
    }
    EXPECT_LE(last, 5s);
}

TEST(ClientSession, BrokersAreTriedInTurnUntilOneAnswers) {
    CoreRig rig(rig_options({"tcp://a:1", "tcp://b:1", "tcp://c:1"}));
    rig.advance(3s);  // a: no connection
    rig.connected();  // b: connected, but HELLO is never answered
    rig.advance(3s);
    ASSERT_EQ(rig.connects.size(), 3U);
    EXPECT_EQ(rig.connects[1].endpoint, "tcp://b:1");
    EXPECT_EQ(rig.connects[2].endpoint, "tcp://c:1");
    rig.sent.clear();
    rig.open();
    EXPECT_TRUE(rig.core.session().open);
    EXPECT_EQ(rig.core.session().broker, "tcp://c:1");
}

TEST(ClientSession, OneBrokerAwayIsLeftToZeroMqsBackOff) {
    CoreRig rig;
    for (int i = 0; i < 10; ++i) rig.advance(3s);
    EXPECT_EQ(rig.connects.size(), 1U);
}

TEST(ClientSession, FramesOfAnOldSessionAreDroppedAndCounted) {
    CoreRig rig;
    const auto p = rig.producer();
    rig.open();
    ASSERT_TRUE(rig.submit(p, "x").ok());
    rig.tick();
    const protocol::SessionId old = rig.session;
    rig.connected();
    rig.greet();
    rig.session = old;
    rig.grant(100, 100'000);
    EXPECT_EQ(rig.core.stats().frames_stale, 1U);
    EXPECT_EQ(rig.core.link("q")->limit().items, 0U);
}

TEST(ClientSession, CloseSaysByeAndFailsWhatWaits) {
    CoreRig rig;
    rig.open();
    const auto id = rig.core.request(protocol::Query{"broker", ""}, rig.now.time + 1s, rig.effects);
    rig.core.close(rig.effects);
    rig.settle();
    EXPECT_TRUE(rig.take<protocol::Bye>());
    const auto done = rig.take_notices<RequestDone>();
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].request, id);
    EXPECT_EQ(done[0].reply.error().kind, ErrorKind::closed);
    EXPECT_EQ(rig.core.next_deadline(), Time::max());
}

TEST(ClientSession, AnnouncedLimitsAreKept) {
    CoreRig rig;
    rig.connected();
    const auto hello = rig.take<protocol::Hello>();
    protocol::Welcome welcome = rig.welcome_to(hello->frame.header.seq);
    welcome.limits = {{"inline_bytes_max", 1000}, {"subject_bytes_max", 4}, {"of_the_future", 1}};
    rig.feed(welcome);
    EXPECT_EQ(rig.core.limits().inline_bytes_max, 1000U);
    const auto p = rig.producer();
    const auto refused = rig.submit(p, "x", {}, "a.b.c");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::bad_subject);
}

}  // namespace
}  // namespace scanmq::client
