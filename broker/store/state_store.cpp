#include "broker/store/state_store.hpp"

#include <array>

namespace scanmq::broker {

std::string_view name_of(Table table) {
    static constexpr std::array<std::string_view, kTables> kNames = {
        "meta",   "queues",  "executions", "runs",    "entries", "results",  "ids",
        "groups", "cursors", "dead",       "aliases", "flows",   "standing", "standing_runs"};
    return kNames[static_cast<std::size_t>(table)];
}

}  // namespace scanmq::broker
