#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::ErrorCode;

class ClientRequest : public testing::Test {
  protected:
    std::uint64_t ask(protocol::Message message, Duration timeout = 5s) {
        const auto id = rig.core.request(std::move(message), rig.now.time + timeout, rig.effects);
        rig.settle();
        return id;
    }
    std::vector<RequestDone> done() { return rig.take_notices<RequestDone>(); }

    CoreRig rig;
};

TEST_F(ClientRequest, AnswersFindTheirRequestsInAnyOrder) {
    rig.open();
    const auto first = ask(protocol::Query{"queues", ""});
    const auto second = ask(protocol::QueueCreate{"q", {}});
    const auto query = rig.take<protocol::Query>();
    const auto create = rig.take<protocol::QueueCreate>();
    rig.feed(protocol::Ok{create->frame.header.seq});
    rig.feed(protocol::Answer{query->frame.header.seq, "queues", {{{"queue", std::string("q")}}}});
    const auto out = done();
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0].request, second);
    EXPECT_EQ(out[1].request, first);
    EXPECT_EQ(std::get<protocol::Answer>(*out[1].reply).rows.size(), 1U);
}

TEST_F(ClientRequest, RefusalCarriesCodeAndSentence) {
    rig.open();
    ask(protocol::QueueDelete{"q", false});
    rig.error(rig.take<protocol::QueueDelete>(), ErrorCode::queue_in_use, "drain it");
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].reply.error().kind, ErrorKind::refused);
    EXPECT_EQ(out[0].reply.error().code, ErrorCode::queue_in_use);
    EXPECT_EQ(out[0].reply.error().sentence, "drain it");
}

TEST_F(ClientRequest, TimesOutAtItsDeadlineWithOrWithoutASession) {
    ask(protocol::Query{"broker", ""}, 1s);
    EXPECT_LE(rig.core.next_deadline(), rig.now.time + 1s);
    rig.advance(1s);
    auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].reply.error().kind, ErrorKind::timed_out);
    rig.open();
    ask(protocol::Query{"broker", ""}, 1s);
    const auto late = rig.take<protocol::Query>();
    rig.advance(1s);
    EXPECT_EQ(done().size(), 1U);
    rig.feed(protocol::Answer{late->frame.header.seq, "broker", {}});
    EXPECT_TRUE(done().empty());
}

TEST_F(ClientRequest, IsSentAgainInTheNextSession) {
    rig.open();
    const auto id = ask(protocol::GroupQuery{"q", {}});
    rig.sent.clear();
    rig.connected();
    rig.greet();
    const auto again = rig.take<protocol::GroupQuery>();
    ASSERT_TRUE(again);
    protocol::GroupState state;
    state.re = again->frame.header.seq;
    state.queue = "q";
    rig.feed(state);
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].request, id);
}

TEST_F(ClientRequest, ARepeatedOpenOrSealThatIsThereAlreadyAsksForTheState) {
    rig.open();
    Id128 group;
    group.bytes[3] = 3;
    const auto open = ask(protocol::GroupOpen{"q", group});
    rig.sent.clear();
    rig.connected();
    rig.greet();
    rig.error(rig.take<protocol::GroupOpen>(), ErrorCode::group_exists);
    const auto query = rig.take<protocol::GroupQuery>();
    ASSERT_TRUE(query);
    EXPECT_EQ(rig.message<protocol::GroupQuery>(query).group, group);
    protocol::GroupState state;
    state.re = query->frame.header.seq;
    state.queue = "q";
    state.phase = protocol::GroupPhase::open;
    rig.feed(state);
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].request, open);
    EXPECT_TRUE(out[0].reply.ok());
}

TEST_F(ClientRequest, AFirstOpenOfAGroupThatExistsIsRefused) {
    rig.open();
    ask(protocol::GroupOpen{"q", {}});
    rig.error(rig.take<protocol::GroupOpen>(), ErrorCode::group_exists);
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].reply.error().code, ErrorCode::group_exists);
}

TEST_F(ClientRequest, ARepeatedDeleteOfAQueueThatIsGoneSucceeded) {
    rig.open();
    ask(protocol::QueueDelete{"q", true});
    rig.sent.clear();
    rig.connected();
    rig.greet();
    rig.error(rig.take<protocol::QueueDelete>(), ErrorCode::unknown_queue);
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_TRUE(out[0].reply.ok());
}

// Each new kind: asked, lost with its session, asked again, answered.
TEST_F(ClientRequest, EveryKindIsAskedAgainAndItsAnswerSaysSo) {
    const auto round = [&]<class M, class Reply>(M message, Reply reply) {
        rig.sent.clear();
        const auto id = ask(std::move(message));
        ASSERT_EQ(rig.count<M>(), 1U);
        rig.sent.clear();
        rig.connected();
        rig.greet();
        const auto again = rig.take<M>();
        ASSERT_TRUE(again);
        reply.re = again->frame.header.seq;
        rig.feed(reply);
        const auto out = done();
        ASSERT_EQ(out.size(), 1U);
        EXPECT_EQ(out[0].request, id);
        EXPECT_TRUE(out[0].repeated);
        ASSERT_TRUE(out[0].reply.ok());
        EXPECT_TRUE(std::holds_alternative<Reply>(*out[0].reply));
    };
    rig.open();
    Id128 job;
    job.bytes[0] = 1;
    round(protocol::Cancel{"q", {job}}, protocol::Cancelled{0, {protocol::JobState::finished}});
    round(protocol::QueueControl{"q", protocol::QueueAction::pause}, protocol::Ok{});
    round(protocol::DeadLetters{"q", protocol::DeadAction::retry, {job}},
          protocol::DeadDone{0, {{job, {}}}});
    round(protocol::AliasSet{"SPY@latest", {}}, protocol::Ok{});
    protocol::StandingSet standing;
    standing.name = "desk";
    standing.payload.bytes = "payload";
    standing.options = std::make_unique<protocol::JobOptions>();
    round(std::move(standing), protocol::Ok{});
    round(protocol::StandingDrop{"desk"}, protocol::Ok{});
    round(protocol::Backup{"monday"}, protocol::BackupDone{0, "backups/monday", 5});
}

TEST_F(ClientRequest, AFirstAnswerIsNotARepeatedOne) {
    rig.open();
    ask(protocol::Cancel{"q", {}});
    rig.feed(protocol::Cancelled{rig.take<protocol::Cancel>()->frame.header.seq, {}});
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_FALSE(out[0].repeated);
}

TEST_F(ClientRequest, ARepeatedBackupThatFailsSaysThatTheFirstMayHaveMadeIt) {
    rig.open();
    ask(protocol::Backup{"monday"});
    rig.sent.clear();
    rig.connected();
    rig.greet();
    rig.error(rig.take<protocol::Backup>(), ErrorCode::backup_failed, "monday is there already");
    const auto out = done();
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].reply.error().code, ErrorCode::backup_failed);
    EXPECT_NE(out[0].reply.error().sentence.find("asked twice"), std::string::npos);
}

TEST_F(ClientRequest, TheNumberUnderWayIsBounded) {
    CoreOptions options = rig_options();
    options.requests_max = 2;
    CoreRig small(options);
    const Time later = small.now.time + 1s;
    EXPECT_NE(small.core.request(protocol::Query{"a", ""}, later, small.effects), 0U);
    EXPECT_NE(small.core.request(protocol::Query{"b", ""}, later, small.effects), 0U);
    EXPECT_EQ(small.core.request(protocol::Query{"c", ""}, later, small.effects), 0U);
}

TEST_F(ClientRequest, AnErrorThatAnswersNothingIsCounted) {
    rig.open();
    rig.feed(protocol::Error{999, protocol::Kind::query, ErrorCode::malformed, "?"});
    EXPECT_EQ(rig.core.stats().protocol_errors, 1U);
    EXPECT_TRUE(rig.core.session().open);
}

}  // namespace
}  // namespace scanmq::client
