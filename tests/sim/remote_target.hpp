#pragma once
// RemoteTarget: the scanner service that all workers of a simulation may share, and what ails it.
//
// Role:     answers calls as the payload says (workload.hpp) while it is well; else as its fault says.
//           Killed, it resets what is under way and refuses the rest; silent, it swallows both.
// Outages:  kept with what the cluster did about them, for tests that promise times.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/workload.hpp"
#include "tests/sim/world.hpp"
#include "worker/core/remote_calls.hpp"

namespace scanmq::sim {

class RemoteTarget {
  public:
    enum class State : std::uint8_t { well, dead, silent, slow, errors, throttling, garbage };
    static constexpr std::array kFaults{State::dead,   State::silent,     State::slow,
                                        State::errors, State::throttling, State::garbage};

    struct Answer {
        worker::CallClass what{worker::CallClass::ok};
        bool sent = true;
        std::optional<Duration> retry_after{};
        std::string body{};
    };
    using Reply = std::function<void(const Answer&)>;

    struct Outage {
        State state{};
        Time began{};
        std::optional<Time> ended{};
        std::uint64_t requests{};              // that came meanwhile
        Time last_request{};                   // of them
        std::optional<Time> first_ok_after{};  // the first call that went well afterwards
    };

    RemoteTarget(World& world, Work& work) : world_(world), work_(work) {}

    // Until the next set(). `healthy`: what its health says, where anything is said.
    void set(State state, bool healthy = false);
    // One of kFaults for this long.
    void fault(Duration length);
    // Faults are over, and scans do not take long or hang any more.
    void heal();

    // The answer comes later, or never; its number is for abort().
    std::uint64_t call(std::string payload, std::string result, Reply reply);
    void abort(std::uint64_t call) { under_way_.erase(call); }
    void probe(std::function<void(worker::ProbeResult)> reply);

    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] const std::vector<Outage>& outages() const noexcept { return outages_; }

  private:
    struct UnderWay {
        std::string payload;
        std::string result;  // when it goes well
        Reply reply;
    };
    void arrive(std::uint64_t call);
    void end(std::uint64_t call, const Answer& answer);
    void finish(std::uint64_t call);
    void reset_all();
    [[nodiscard]] Duration network() {
        return world_.between(std::chrono::microseconds(50), std::chrono::milliseconds(1));
    }

    World& world_;
    Work& work_;
    State state_ = State::well;
    bool healthy_ = true;
    bool healing_ = false;
    std::uint64_t number_ = 0;
    std::uint64_t fault_ = 0;
    std::map<std::uint64_t, UnderWay> under_way_;
    std::vector<Outage> outages_;
};

}  // namespace scanmq::sim
