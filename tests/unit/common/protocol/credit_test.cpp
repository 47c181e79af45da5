#include "common/protocol/credit.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>

#include "common/base/rng.hpp"

namespace scanmq::protocol {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};

TEST(CreditReceiver, TakesNothingBeyondTheLimit) {
    CreditReceiver link;
    EXPECT_FALSE(link.receive({1, 0}));
    EXPECT_TRUE(link.raise({3, 100}));
    EXPECT_TRUE(link.receive({2, 60}));
    EXPECT_FALSE(link.receive({1, 41}));
    EXPECT_FALSE(link.receive({2, 1}));
    EXPECT_EQ(link.unused(), (Credit{1, 40}));
    EXPECT_TRUE(link.receive({1, 40}));
    EXPECT_EQ(link.unused(), Credit{});
}

TEST(CreditReceiver, NeverWraps) {
    CreditReceiver link;
    link.raise({kMost, kMost});
    EXPECT_TRUE(link.receive({kMost - 1, kMost - 1}));
    EXPECT_FALSE(link.receive({2, 0}));
    EXPECT_FALSE(link.receive({kMost, kMost}));
    EXPECT_FALSE(link.raise(plus(link.received(), {10, 10}))) << "the sum stops at the largest";
    EXPECT_EQ(link.unused(), (Credit{1, 1}));
    EXPECT_EQ(link.reclaimed({kMost, kMost}), (Credit{1, 1}));
    EXPECT_EQ(link.unused(), Credit{});
}

TEST(CreditReceiver, AGrantRepeatedGrantsNothing) {
    CreditReceiver link;
    EXPECT_TRUE(link.raise({5, 50}));
    EXPECT_FALSE(link.raise({5, 50}));
    EXPECT_FALSE(link.raise({4, 10}));
    EXPECT_TRUE(link.raise({4, 60}));
    EXPECT_EQ(link.limit(), (Credit{5, 60}));
}

TEST(CreditReceiver, ReclaimedFreesWhatWasNotSent) {
    CreditReceiver link;
    link.raise({10, 1'000});
    ASSERT_TRUE(link.receive({3, 300}));
    // One item more was sent than came: it is lost, and its place free all the same.
    EXPECT_EQ(link.reclaimed({4, 400}), (Credit{7, 700}));
    EXPECT_EQ(link.limit(), (Credit{4, 400}));
    EXPECT_FALSE(link.receive({1, 1}));
}

TEST(CreditReceiver, ALimitToldAfterReclaimOutlivesItsAnswer) {
    CreditReceiver link;
    link.raise({10, 1'000});
    link.ask_back();
    EXPECT_EQ(link.told(), Credit{}) << "what is on its way out is not told again";
    link.raise({7, 700});  // before the answer came: less than the limit there was
    EXPECT_EQ(link.told(), (Credit{7, 700}));
    EXPECT_EQ(link.reclaimed({2, 200}), (Credit{5, 500}));
    EXPECT_EQ(link.limit(), (Credit{7, 700}));
    EXPECT_TRUE(link.receive({5, 500}));
    EXPECT_FALSE(link.receive({1, 0}));
}

TEST(CreditReceiver, LostItemsGiveTheirPlacesBackOnce) {
    CreditReceiver link;
    link.raise({10, 1'000});
    ASSERT_TRUE(link.receive({2, 200}));
    EXPECT_EQ(link.count_lost({5, 500}), (Credit{3, 300}));
    EXPECT_EQ(link.count_lost({5, 500}), Credit{});
    EXPECT_EQ(link.unused(), (Credit{5, 500}));
}

TEST(CreditSender, SendsWhatItAffords) {
    CreditSender link;
    EXPECT_FALSE(link.affords({1, 0}));
    EXPECT_TRUE(link.raise({2, 100}));
    EXPECT_TRUE(link.affords({2, 100}));
    EXPECT_FALSE(link.affords({1, 101}));
    EXPECT_FALSE(link.affords({kMost, kMost}));
    link.send({1, 100});
    EXPECT_EQ(link.available(), (Credit{1, 0}));
    EXPECT_EQ(link.give_back(), (Credit{1, 100}));
    EXPECT_FALSE(link.affords({1, 0}));
    EXPECT_FALSE(link.raise({1, 100})) << "told before";
    EXPECT_TRUE(link.raise({2, 100}));
}

// Both halves over a link that keeps order, loses a suffix with its session, and repeats grants. The
// receiver has room for so much; what was received takes it up until it is done with.
class LinkModel {
  public:
    explicit LinkModel(std::uint64_t seed) : rng_(seed) {}

    void step() {
        switch (rng_.below(12)) {
            case 0:
            case 1:
                return grant();
            case 2:
            case 3:
            case 4:
                return send();
            case 5:
            case 6:
            case 7:
                return to_receiver();
            case 8:
            case 9:
                return to_sender();
            case 10:
                return finish_one();
            default:
                if (rng_.below(20) == 0) return break_session();
                if (!asked_) return ask_back();
        }
    }
    // Everything arrives, everything is taken back: all the room is free again.
    void drain() {
        while (!down_.empty() || !up_.empty()) {
            to_sender();
            to_receiver();
            check();
        }
        if (!asked_) ask_back();
        while (!down_.empty() || !up_.empty()) {
            to_sender();
            to_receiver();
            check();
        }
        EXPECT_EQ(reserved_, receiver_.unused());
        EXPECT_EQ(receiver_.unused(), sender_.available());
        // Only what was told after RECLAIM is left; with nothing told, nothing.
        if (!any(told_since_ask_)) {
            EXPECT_EQ(reserved_, Credit{});
        }
    }
    void check() const {
        ASSERT_TRUE(covers(sender_.limit(), sender_.sent()));
        ASSERT_TRUE(covers(receiver_.limit(), sender_.sent())) << "sent beyond what was granted";
        ASSERT_TRUE(covers(receiver_.limit(), receiver_.received()));
        ASSERT_EQ(reserved_, receiver_.unused()) << "a place was granted twice, or lost";
        ASSERT_TRUE(covers(kRoom, plus(reserved_, used_))) << "more granted than there is room";
    }

  private:
    struct Down {  // to the sender
        Credit limit;
        bool reclaim = false;
    };
    struct Up {  // to the receiver
        Credit size;
        bool reclaimed = false;
    };
    static constexpr Credit kRoom{40, 4'000};

    void grant() {
        const Credit room = excess(kRoom, plus(reserved_, used_));
        const Credit more{rng_.below(room.items + 1), rng_.below(room.bytes + 1)};
        const Credit before = receiver_.unused();
        receiver_.raise(plus(receiver_.limit(), more));
        reserved_ = plus(reserved_, excess(receiver_.unused(), before));
        if (asked_) told_since_ask_ = greater(told_since_ask_, receiver_.told());
        for (std::uint64_t times = 1 + rng_.below(2); times > 0; --times) {
            down_.push_back({receiver_.told(), false});
        }
    }
    void send() {
        const Credit size{1, rng_.below(300)};
        if (!sender_.affords(size)) return;
        sender_.send(size);
        up_.push_back({size, false});
    }
    void to_receiver() {
        if (up_.empty()) return;
        const Up up = up_.front();
        up_.pop_front();
        if (up.reclaimed) {
            reserved_ = excess(reserved_, receiver_.reclaimed(up.size));
            asked_ = false;
            return;
        }
        ASSERT_TRUE(receiver_.receive(up.size)) << "over_credit";
        reserved_ = excess(reserved_, up.size);
        used_ = plus(used_, up.size);
        held_.push_back(up.size);
    }
    void to_sender() {
        if (down_.empty()) return;
        const Down down = down_.front();
        down_.pop_front();
        if (down.reclaim) {
            up_.push_back({sender_.give_back(), true});
        } else {
            sender_.raise(down.limit);
        }
    }
    void ask_back() {
        receiver_.ask_back();
        asked_ = true;
        told_since_ask_ = {};
        down_.push_back({{}, true});
    }
    void finish_one() {
        if (held_.empty()) return;
        used_ = excess(used_, held_.front());
        held_.pop_front();
    }
    // What was under way is lost, at both sides the counts begin anew.
    void break_session() {
        up_.clear();
        down_.clear();
        sender_.reset();
        receiver_.reset();
        reserved_ = {};
        asked_ = false;
        told_since_ask_ = {};
    }

    Rng rng_;
    CreditReceiver receiver_;
    CreditSender sender_;
    std::deque<Down> down_;
    std::deque<Up> up_;
    std::deque<Credit> held_;
    Credit reserved_;  // room granted and not used, as the receiver's own book has it
    Credit used_;
    Credit told_since_ask_;
    bool asked_ = false;
};

TEST(Credit, IsConservedWhateverHappensOnTheLink) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        LinkModel link(seed);
        for (int step = 0; step < 600; ++step) {
            link.step();
            link.check();
            if (::testing::Test::HasFatalFailure()) return;
        }
        link.drain();
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace scanmq::protocol
