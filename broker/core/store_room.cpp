#include "broker/core/store_room.hpp"

namespace scanmq::broker {

std::string StoreRoom::low_reason(const Figures& figures) const {
    if (figures.checkpoint_full) return *figures.checkpoint_full;
    if (figures.log_low && figures.log_room_bytes < options_.log_reserve_bytes) {
        return *figures.log_low;
    }
    if (figures.disk_free_bytes && *figures.disk_free_bytes < options_.disk_low_bytes) {
        return "less than disk-low-bytes is free on the file system of the store: " +
               std::to_string(*figures.disk_free_bytes) + " bytes";
    }
    if (figures.state_bytes > figures.map_bytes - figures.map_bytes / options_.map_parts_free) {
        return "the state fills its map of " + std::to_string(figures.map_bytes) +
               " bytes; raise map-bytes";
    }
    return {};
}

StoreRoom::Decision StoreRoom::judge(const Figures& figures) {
    Decision out;
    out.reason = low_reason(figures);
    out.full = full_ = !out.reason.empty();
    if (figures.checkpoint_full) {
        out.free_reserve = figures.reserve_held;
        out.run_checkpoint = true;
    } else {
        out.restore_reserve = !out.full && !figures.reserve_held;
    }
    return out;
}

}  // namespace scanmq::broker
