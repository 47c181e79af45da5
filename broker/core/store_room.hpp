#pragma once
// StoreRoom: whether the store has room for more jobs, and what is to be done when it has not.
//
// Role:      decides on figures that the shell takes; see Storage.
// Threads:   any one at a time. No IO, no clock.
// Rule:      full on any sign of it, and no longer only when none is left. What was accepted goes on:
//            with a checkpoint that finds no room, the reserve is given back to the file system and
//            the checkpoint tried again; once there is room, the reserve is allocated anew.
// See:       docs/OPERATIONS.md, "It takes no jobs"

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.hpp"

namespace scanmq::broker {

class StoreRoom {
  public:
    struct Options {
        std::uint64_t log_reserve_bytes = 0;  // that the log should have allocated ahead
        std::uint64_t disk_low_bytes = 0;     // free, below which no more jobs are taken
        // The state keeps one part of so many of its map free, for completing what was accepted.
        std::uint64_t map_parts_free = 16;
        Duration judge_full = std::chrono::milliseconds(250);  // between two judgements, when full
        Duration judge_idle = std::chrono::seconds(2);         // otherwise
    };
    struct Figures {
        std::optional<std::string> checkpoint_full;  // why the last checkpoint found no room
        std::optional<std::string> log_low;          // why the log could not allocate ahead
        std::uint64_t log_room_bytes = 0;
        std::optional<std::uint64_t> disk_free_bytes;  // nullopt: unknown
        std::uint64_t state_bytes = 0;
        std::uint64_t map_bytes = 0;
        bool reserve_held = true;
    };
    struct Decision {
        bool full = false;
        std::string reason;  // when full
        bool free_reserve = false;
        bool restore_reserve = false;
        bool run_checkpoint = false;
        [[nodiscard]] bool act() const noexcept {
            return free_reserve || restore_reserve || run_checkpoint;
        }
    };

    explicit StoreRoom(const Options& options) : options_(options) {}

    [[nodiscard]] Decision judge(const Figures& figures);
    [[nodiscard]] bool full() const noexcept { return full_; }
    // How long until the next judgement.
    [[nodiscard]] Duration interval() const noexcept {
        return full_ ? options_.judge_full : options_.judge_idle;
    }

  private:
    [[nodiscard]] std::string low_reason(const Figures& figures) const;

    const Options options_;
    bool full_ = false;
};

}  // namespace scanmq::broker
