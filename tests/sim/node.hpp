#pragma once
// Node: a machine with one process at a time: its clocks, its turns on the processor, its faults.
//
// Role:    base of the simulated shells. A turn is what the real loop does between two waits; it takes
//          a little time, so that what arrives meanwhile is one batch.
// Clocks:  now() is monotonic; suspended it stands still, or not (stopped machine, stopped process).
//          wall() may jump.
// Lives:   as long as the World; a crash ends the process, not the node.

#include <string>
#include <utility>

#include "tests/sim/world.hpp"

namespace scanmq::sim {

class Node {
  public:
    Node(World& world, std::string name) : world_(world), name_(std::move(name)) {}
    virtual ~Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    [[nodiscard]] Time now() const noexcept { return world_.now() - lag_; }
    [[nodiscard]] WallMillis wall() const noexcept { return world_.wall() + wall_offset_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    // Something happened: a turn soon.
    void wake();
    void suspend(Duration length, bool clock_stands_still);
    void jump_wall(WallMillis by) noexcept { wall_offset_ += by; }
    // Faults are over: it goes on, and its wall clock is right again.
    void heal_clock();

  protected:
    virtual void turn() = 0;
    // A turn at this time of now(); Time::max(): none.
    void arm(Time due);
    // The process is another one, or none: turns of the former are void.
    void forget_turns() noexcept {
        ++turn_number_;
        turn_at_ = Time::max();
    }
    void trace(const std::string& what) const { world_.trace(name_, what); }

    World& world_;

  private:
    void schedule(Time when);
    void take_turn();
    void resume();

    std::string name_;
    Duration lag_{};
    WallMillis wall_offset_ = 0;
    Time busy_until_{};
    Time turn_at_ = Time::max();
    std::uint64_t turn_number_ = 0;
    bool suspended_ = false;
    bool clock_stands_still_ = false;
    Time suspended_at_{};
};

}  // namespace scanmq::sim
