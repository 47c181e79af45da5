// A WANT that is refused: its jobs are answered, and nothing is asked for them again.

#include "tests/unit/client/core/core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::ErrorCode;

TEST(RefusedWant, IsNotRepeatedForJobsThatMayCome) {
    CoreRig rig;
    rig.open();
    const auto p = rig.producer("gone");
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(rig.submit(p, "payload"));
    rig.tick();
    for (auto want = rig.take<protocol::Want>(); want; want = rig.take<protocol::Want>()) {
        rig.error(want, ErrorCode::unknown_queue);
    }
    EXPECT_EQ(rig.answers.size(), 20U);
    EXPECT_EQ(rig.count<protocol::Want>(), 0U) << "the broker would refuse it, and again";

    ASSERT_TRUE(rig.submit(p, "another"));
    rig.tick();
    EXPECT_EQ(rig.count<protocol::Want>(), 1U);
}

// The broker may have taken it, and its answer was lost: "refused" would be wrong.
TEST(RefusedWant, OfADrainingQueueRefusesOnlyWhatWasNeverSent) {
    CoreRig rig;
    rig.open();
    const auto p = rig.producer();
    ASSERT_TRUE(rig.submit(p, "sent"));
    rig.tick();
    rig.grant(1, 1000);
    ASSERT_TRUE(rig.take<protocol::Submit>());
    rig.open();  // the connection broke; the answer never came
    ASSERT_TRUE(rig.submit(p, "new"));
    rig.sent.clear();
    rig.advance(1s);
    rig.error(rig.take<protocol::Want>(), ErrorCode::queue_draining);
    ASSERT_EQ(rig.answers.size(), 1U) << "the new one";
    EXPECT_EQ(rig.answers[0].code, ErrorCode::queue_draining);
    EXPECT_EQ(rig.count<protocol::Want>(), 0U) << "not at once";

    rig.advance(10s);
    ASSERT_TRUE(rig.take<protocol::Want>()) << "asked again later";
    rig.grant(1, 1000);
    const auto submit = rig.take<protocol::Submit>();
    ASSERT_TRUE(submit);
    rig.accept(submit, {{0, protocol::Verdict::duplicate, protocol::JobState::finished, {}, {}}});
    ASSERT_EQ(rig.answers.size(), 2U);
    EXPECT_TRUE(rig.answers[1].taken());
}

// A queue that rejects is the same one the next time: the counts go on.
TEST(RefusedWant, OfAFullQueueIsAskedAgainForTheNextJob) {
    CoreRig rig;
    rig.open();
    const auto p = rig.producer();
    ASSERT_TRUE(rig.submit(p, "first"));
    rig.tick();
    rig.grant(1, 1000);
    const auto sent = rig.take<protocol::Submit>();
    ASSERT_TRUE(sent);
    rig.accept(sent);
    ASSERT_TRUE(rig.submit(p, "second"));
    rig.tick();
    auto want = rig.take<protocol::Want>();
    for (auto next = rig.take<protocol::Want>(); next; next = rig.take<protocol::Want>()) {
        want = std::move(next);
    }
    ASSERT_TRUE(want);
    rig.error(want, ErrorCode::queue_full);
    ASSERT_EQ(rig.answers.size(), 2U);
    EXPECT_EQ(rig.answers[1].code, ErrorCode::queue_full);
    EXPECT_EQ(rig.count<protocol::Want>(), 0U) << "not for jobs that may come";

    ASSERT_TRUE(rig.submit(p, "third"));
    rig.tick();
    const auto again = rig.take<protocol::Want>();
    ASSERT_TRUE(again);
    EXPECT_EQ(std::get<protocol::Want>(again->frame.message).sent.items, 1U);
    rig.grant(2, 2000);
    EXPECT_TRUE(rig.take<protocol::Submit>());
}

}  // namespace
}  // namespace scanmq::client
