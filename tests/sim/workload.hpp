#pragma once
// Work: the jobs of a simulation: what a payload makes a worker do, and what has to come of it.
//
// Payload: kind letter, number, '|', padding. The number names the work: jobs of one payload share it.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/base/bytes.hpp"
#include "common/base/time.hpp"
#include "tests/sim/options.hpp"
#include "tests/sim/snapshots.hpp"
#include "tests/sim/world.hpp"

namespace scanmq::sim {

enum class Behaviour : char {
    plain = 'd',
    fails_once = 'f',
    fails_always = 'F',
    rejected = 'r',
    slow = 's',
    wedges = 'w',
    poison = 'p',
};

// Of a payload.
[[nodiscard]] Behaviour behaviour_of(ByteView payload);
// What a scan of it that is done answers: it tells what it was made of.
[[nodiscard]] std::string result_of(ByteView payload, ByteView scanner_version, ByteView inputs);

class Work {
  public:
    static constexpr std::uint64_t kFlows = 4;  // beside those of the producers' names
    [[nodiscard]] static std::string flow_name(std::uint64_t number) {
        return "flow " + std::to_string(number);
    }

    Work(World& world, const FaultOptions& faults, Snapshots& snapshots)
        : world_(world), faults_(faults), snapshots_(snapshots) {}
    [[nodiscard]] Snapshots& snapshots() noexcept { return snapshots_; }

    // A new payload, or now and then one that was there.
    [[nodiscard]] std::string next_payload();
    // One of a few requests over aliases: what it is, of the aliases and inputs that belong to it.
    struct Request {
        std::string payload;
        std::string inputs;
        std::vector<std::string> aliases;
    };
    [[nodiscard]] Request any_request(std::uint32_t aliases);
    [[nodiscard]] static std::string alias_name(std::uint64_t number) {
        return "alias " + std::to_string(number);
    }
    // One more run of it; how many there were before.
    [[nodiscard]] std::uint64_t count_run(ByteView payload) {
        return runs_[std::string(payload)]++;
    }

    // Results that workers keep where all of them find them, by fingerprint.
    void keep(ByteView fingerprint, const std::string& body) { kept_.emplace(fingerprint, body); }
    [[nodiscard]] const std::string* kept(ByteView fingerprint) const {
        const auto found = kept_.find(std::string(fingerprint));
        return found == kept_.end() ? nullptr : &found->second;
    }

  private:
    World& world_;
    FaultOptions faults_;
    Snapshots& snapshots_;
    std::uint64_t number_ = 0;
    static constexpr std::size_t kAgainMax = 30;
    std::deque<std::string> plain_;  // the newest last
    std::map<std::string, std::uint64_t> runs_;
    std::map<std::string, std::string> kept_;
};

}  // namespace scanmq::sim
