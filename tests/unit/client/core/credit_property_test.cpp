// A client against a broker that grants little, reclaims, stalls, has a full store at times and
// loses connections: credit is never passed, and every job is answered once. The seed of a failure
// is printed.

#include <map>
#include <set>

#include "core_rig.hpp"

namespace scanmq::client {
namespace {

using protocol::Credit;

// The receiving half of section 7 for one queue, with delays: what is on its way stays in
// `to_client` until delivered, and is lost with the connection.
class StingyBroker {
  public:
    StingyBroker(CoreRig& rig, std::uint64_t seed) : rig_(rig), rng_(seed) {}

    void step() {
        read();
        if (rng_.below(8) == 0) grant();
        if (rng_.below(3) == 0) answer();
        if (rng_.below(40) == 0 && !reclaiming_) {
            reclaiming_ = true;
            to_client_.push_back(protocol::Reclaim{"q"});
        }
        while (!to_client_.empty() && rng_.below(3) != 0) deliver();
        if (rng_.below(150) == 0) lose();
        rig_.advance(std::chrono::milliseconds(rng_.below(30)));
    }
    void heal() {
        healing_ = true;
        read();
        grant();
        answer();
        while (!to_client_.empty()) deliver();
        rig_.advance(1ms);
    }

    std::map<Id128, int> accepted;  // how often taken as new
    std::uint64_t submits = 0;
    std::uint64_t reclaims = 0;
    std::uint64_t sessions = 1;
    std::uint64_t full = 0;

  private:
    // At times the store is full: what was asked changes nothing.
    bool refuse(const protocol::Frame& frame) {
        if (healing_ || rng_.below(20) != 0) return false;
        ++full;
        to_client_.push_back(protocol::Error{frame.header.seq, protocol::kind_of(frame.message),
                                             protocol::ErrorCode::store_full, "no room"});
        return true;
    }
    void read() {
        while (!rig_.sent.empty()) {
            const auto frame = std::move(rig_.sent.front());
            rig_.sent.pop_front();
            if (frame->frame.header.session != rig_.session) continue;
            if (const auto* submit = std::get_if<protocol::Submit>(&frame->frame.message)) {
                take(*submit, frame->frame);
            } else if (const auto* want = std::get_if<protocol::Want>(&frame->frame.message)) {
                ASSERT_EQ(want->sent, used_);
                if (refuse(frame->frame)) continue;
                wanted_ = {used_.items + want->want.items, used_.bytes + want->want.bytes};
            } else if (const auto* back = std::get_if<protocol::Reclaimed>(&frame->frame.message)) {
                ASSERT_EQ(back->sent, used_);
                limit_ = used_;
                reclaiming_ = false;
                ++reclaims;
            } else if (const auto* beat = std::get_if<protocol::Heartbeat>(&frame->frame.message)) {
                to_client_.push_back(protocol::Heartbeat{0, beat->ping, {}});
            }
        }
    }
    void take(const protocol::Submit& submit, const protocol::Frame& frame) {
        ++submits;
        protocol::Accepted accepted_frame{
            frame.header.seq, static_cast<std::uint32_t>(submit.jobs.size()), {}, {}};
        if (refuse(frame)) {  // its places are lost until the next WANT tells of them
            for (const protocol::Job& job : submit.jobs) {
                used_.items += 1;
                used_.bytes += 64 + job.payload.bytes.size();
            }
            return;
        }
        for (std::uint32_t i = 0; i < submit.jobs.size(); ++i) {
            used_.items += 1;
            used_.bytes += 64 + submit.jobs[i].payload.bytes.size();
            const bool known = accepted[submit.jobs[i].id]++ > 0;
            if (known) {
                accepted[submit.jobs[i].id] = 1;
                accepted_frame.exceptions.push_back(
                    {i, protocol::Verdict::duplicate, protocol::JobState::queued, {}, {}});
            }
        }
        ASSERT_LE(used_.items, limit_.items) << "over credit";
        ASSERT_LE(used_.bytes, limit_.bytes) << "over credit";
        unanswered_.push_back(std::move(accepted_frame));
    }
    void grant() {
        const std::uint64_t items = std::min(wanted_.items, used_.items + 1 + rng_.below(20));
        const std::uint64_t bytes = std::min(wanted_.bytes, used_.bytes + rng_.below(20'000));
        if (items <= limit_.items && bytes <= limit_.bytes) return;
        limit_ = {std::max(limit_.items, items), std::max(limit_.bytes, bytes)};
        to_client_.push_back(protocol::CreditGrant{protocol::Link::submit, "q", 0, limit_});
    }
    void answer() {
        if (unanswered_.empty()) return;
        unanswered_.front().limit = limit_;
        to_client_.push_back(std::move(unanswered_.front()));
        unanswered_.pop_front();
    }
    void deliver() {
        protocol::Message message = std::move(to_client_.front());
        to_client_.pop_front();
        rig_.feed(std::move(message));
        read();
    }
    void lose() {
        to_client_.clear();
        unanswered_.clear();
        used_ = limit_ = wanted_ = {};
        reclaiming_ = false;
        rig_.sent.clear();
        rig_.connected();
        rig_.greet();
        ++sessions;
    }

    CoreRig& rig_;
    Rng rng_;
    Credit used_;
    Credit limit_;
    Credit wanted_;
    bool reclaiming_ = false;
    bool healing_ = false;
    std::deque<protocol::Accepted> unanswered_;
    std::deque<protocol::Message> to_client_;
};

TEST(ClientCredit, IsNeverPassedAndEveryJobIsAnsweredOnce) {
    std::uint64_t reclaims = 0;
    std::uint64_t sessions = 0;
    std::uint64_t full = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        CoreRig rig;
        Rng rng(seed);
        BatchSettings batches{1 + static_cast<std::uint32_t>(rng.below(20)), 1U << 16, 3};
        const auto p = rig.producer("q", {}, batches);
        rig.open();
        StingyBroker broker(rig, seed * 7919);
        std::uint64_t submitted = 0;
        for (int i = 0; i < 400 && !testing::Test::HasFatalFailure(); ++i) {
            for (std::uint64_t n = rng.below(6); n > 0; --n) {
                const std::size_t size = rng.below(50) == 0 ? 15'000 : rng.below(300);
                ASSERT_TRUE(rig.submit(p, std::string(size, 'p')).ok());
                ++submitted;
            }
            broker.step();
        }
        for (int i = 0; i < 20'000 && rig.answers.size() < submitted; ++i) broker.heal();
        ASSERT_FALSE(testing::Test::HasFatalFailure());
        ASSERT_EQ(rig.answers.size(), submitted) << "jobs that were never answered";
        std::set<std::uint64_t> tickets;
        for (const JobAnswer& answer : rig.answers) {
            EXPECT_TRUE(tickets.insert(answer.ticket.value).second) << "answered twice";
            EXPECT_TRUE(answer.taken());
        }
        EXPECT_EQ(broker.accepted.size(), submitted) << "a job was sent under two ids";
        EXPECT_EQ(rig.core.producer_stats(p).buffered_bytes, 0U);
        reclaims += broker.reclaims;
        sessions += broker.sessions;
        full += broker.full;
    }
    EXPECT_GT(full, 60U);
    EXPECT_GT(reclaims, 60U);
    EXPECT_GT(sessions, 120U);
}

TEST(JobArena, BlocksAreReusedAndLargeJobsGetTheirOwn) {
    JobArena arena;
    std::deque<StoredJob> live;
    Job job;
    const std::string payload(1000, 'x');
    job.payload = payload;
    job.subject = "a.b";
    for (int i = 0; i < 20'000; ++i) {
        live.push_back(arena.store(job, nullptr));
        if (live.size() <= 2000) continue;
        ASSERT_EQ(live.front().payload(), payload);
        ASSERT_EQ(live.front().subject(), "a.b");
        arena.release(live.front());
        live.pop_front();
    }
    EXPECT_LE(arena.blocks_in_use(), 2000 * 1003 / JobArena::kBlockBytes + 2);
    const std::string large(1'000'000, 'y');
    job.payload = large;
    const ContentId id = content_id(large);
    const StoredJob big = arena.store(job, &id);
    EXPECT_EQ(big.payload(), large);
    EXPECT_EQ(big.content(), id.view());
    EXPECT_EQ(big.subject(), "a.b");
    arena.release(big);
    for (const StoredJob& left : live) arena.release(left);
    EXPECT_LE(arena.blocks_in_use(), 1U);
}

}  // namespace
}  // namespace scanmq::client
