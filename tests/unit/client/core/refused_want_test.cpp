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

}  // namespace
}  // namespace scanmq::client
