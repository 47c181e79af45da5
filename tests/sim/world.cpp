#include "tests/sim/world.hpp"

#include <cmath>
#include <cstdio>

namespace scanmq::sim {
namespace {

constexpr WallMillis kWallStart = 1'760'000'000'000;

double seconds(Time at) {
    return std::chrono::duration<double>(at.time_since_epoch()).count() - 1'000.0;
}

}  // namespace

WallMillis World::wall() const noexcept {
    return kWallStart +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count();
}

void World::at(Time when, std::function<void()> what) {
    queue_.push({std::max(when, now_), ++number_, std::move(what)});
}

bool World::step(Time until) {
    if (queue_.empty() || queue_.top().when > until) {
        now_ = std::max(now_, until);
        return false;
    }
    const std::function<void()> what = std::move(const_cast<Item&>(queue_.top()).what);
    now_ = queue_.top().when;
    queue_.pop();
    ++events_;
    what();
    return true;
}

Duration World::between(Duration least, Duration most) {
    if (most <= least) return least;
    return least + Duration(static_cast<Duration::rep>(
                       rng.below(static_cast<std::uint64_t>((most - least).count()) + 1)));
}

Duration World::next_in(Duration mean) {
    const double factor = -std::log(1.0 - rng.uniform());
    return Duration(static_cast<Duration::rep>(static_cast<double>(mean.count()) * factor));
}

void World::fail(const std::string& sentence) const {
    char head[48];
    std::snprintf(head, sizeof head, "at %.6f s: ", seconds(now_));
    throw CheckFailed(head + sentence);
}

void World::trace(std::string_view who, const std::string& what) const {
    if (!trace_) return;
    std::printf("%12.6f %-12.*s %s\n", seconds(now_), static_cast<int>(who.size()), who.data(),
                what.c_str());
}

}  // namespace scanmq::sim
