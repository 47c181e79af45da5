#include "tests/sim/node.hpp"

#include <algorithm>

namespace scanmq::sim {

using namespace std::chrono_literals;

void Node::wake() { schedule(std::max(busy_until_, world_.now() + 1us)); }

void Node::arm(Time due) {
    if (due == Time::max()) return;
    schedule(std::max({busy_until_, world_.now() + 1us, due + lag_}));
}

void Node::schedule(Time when) {
    if (turn_at_ <= when) return;
    turn_at_ = when;
    world_.at(when, [this, number = ++turn_number_] {
        if (number != turn_number_) return;
        turn_at_ = Time::max();
        take_turn();
    });
}

void Node::take_turn() {
    if (suspended_) return;  // resume() makes up for it
    busy_until_ = world_.now() + world_.between(2us, 60us);
    turn();
}

void Node::suspend(Duration length, bool clock_stands_still) {
    if (suspended_) return;
    trace(clock_stands_still ? "suspended, its clock too" : "suspended");
    suspended_ = true;
    clock_stands_still_ = clock_stands_still;
    suspended_at_ = world_.now();
    world_.after(length, [this, at = suspended_at_] {
        if (suspended_ && suspended_at_ == at) resume();
    });
}

void Node::resume() {
    trace("goes on");
    suspended_ = false;
    if (clock_stands_still_) lag_ += world_.now() - suspended_at_;
    forget_turns();
    wake();
}

void Node::heal_clock() {
    if (suspended_) resume();
    wall_offset_ = 0;
}

}  // namespace scanmq::sim
