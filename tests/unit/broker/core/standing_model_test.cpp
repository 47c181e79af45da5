// Standing scans under random moves, rates, lack of room: after quiet, the last run of each
// saw the newest aliases; no two runs are closer than the interval.

#include <array>
#include <map>

#include "tests/unit/broker/core/core_test.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::QueueAction;

constexpr std::array kAliases{"SPY", "QQQ", "IWM"};
constexpr std::size_t kScans = 4;
constexpr Duration kLongest = 800ms;

class StandingSeeds : public CoreTest, public ::testing::WithParamInterface<std::uint64_t> {
  protected:
    StandingSeeds() {
        for (int i = 0; i < 5; ++i) blobs.push_back(h.put_blob("blob " + std::to_string(i)));
        w = &worker();
    }
    static std::string name(std::size_t n) { return std::string("scan ") + std::to_string(n); }
    void move() {
        const char* const alias = kAliases.at(rng.below(kAliases.size()));
        const ContentId id = rng.below(6) == 0 ? ContentId{} : blobs[rng.below(blobs.size())];
        producer->post(protocol::AliasSet{alias, id});
        if (rng.below(3) != 0) h.flush();
        now_named[alias] = id;
    }
    void set() {
        const std::size_t n = rng.below(kScans);
        Set& one = scans[name(n)];
        one.aliases.clear();
        for (const char* const alias : kAliases) {
            if (rng.below(2) == 0) one.aliases.emplace_back(alias);
        }
        if (one.aliases.empty()) one.aliases.emplace_back(kAliases[0]);
        one.interval = std::chrono::milliseconds(rng.below(3) * 400);
        protocol::StandingSet message;
        message.name = name(n);
        message.queue = "q";
        message.subject = "scan." + std::to_string(n);
        message.payload.bytes = "payload";
        message.aliases = one.aliases;
        message.min_interval_ms = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::milliseconds>(one.interval).count());
        producer->send(std::move(message));
    }
    void drop() {
        const std::string gone = name(rng.below(kScans));
        producer->send(protocol::StandingDrop{gone});
        scans.erase(gone);
    }
    // Reads what was journalled since the last call.
    void look() {
        for (const change::Any& any : h.changes) {
            if (const auto* job = std::get_if<change::Accepted>(&any)) {
                last_inputs = std::string(job->inputs);
            } else if (const auto* run = std::get_if<change::StandingRan>(&any)) {
                const auto found = scans.find(std::string(run->name));
                if (found == scans.end()) continue;
                Set& one = found->second;
                const Time at{std::chrono::milliseconds(run->run.at)};
                if (one.last_run != Time{}) {
                    EXPECT_GE(at - one.last_run, one.interval) << run->name;
                }
                one.last_run = at;
                one.inputs = last_inputs;
                ++runs;
            }
        }
        forget_changes();
    }
    void step() {
        switch (rng.below(12)) {
            case 0:
                return set();
            case 1:
                return rng.below(4) == 0 ? drop() : set();
            case 2:
                return control(rng.below(2) == 0 ? QueueAction::drain : QueueAction::resume);
            case 3:
                return h.core.set_store_full(rng.below(2) == 0);
            case 4:
            case 5:
                given(*w);
                if (!counters.empty()) answer(*w, counters, AttemptOutcome::done);
                return;
            case 6:
            case 7:
                return pass(std::chrono::milliseconds(rng.below(500)), {w});
            default:
                return move();
        }
    }

    struct Set {
        std::vector<std::string> aliases;
        Duration interval{};
        Time last_run{};
        std::string inputs;
    };
    Rng rng{GetParam()};
    std::vector<ContentId> blobs;
    std::map<std::string, ContentId> now_named;
    std::map<std::string, Set> scans;
    std::string last_inputs;
    std::uint64_t runs = 0;
    Peer* w = nullptr;
};

TEST_P(StandingSeeds, AfterQuietTheLastRunSawTheNewest) {
    for (int i = 0; i < 600; ++i) {
        step();
        h.flush();
        look();
        producer->inbox.clear();
        ends();
    }
    h.core.set_store_full(false);
    control(QueueAction::resume);
    pass(kLongest, {w});
    look();
    for (const auto& [scan, one] : scans) {
        std::string newest;
        bool all_set = true;
        for (const std::string& alias : one.aliases) {
            const ContentId id = now_named[alias];
            all_set = all_set && !id.is_zero();
            newest += std::string(id.view());
        }
        if (all_set) {
            EXPECT_EQ(to_hex(one.inputs), to_hex(newest)) << scan;
        }
    }
    EXPECT_GT(runs, 20U);
    h.op().send(protocol::Query{"standing", ""});
    for (const auto& row : h.op().next<protocol::Answer>().rows) {
        EXPECT_EQ(value(row, "pending"), "0") << value(row, "name");
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StandingSeeds, ::testing::Range<std::uint64_t>(1, 21));

}  // namespace
}  // namespace scanmq::broker
