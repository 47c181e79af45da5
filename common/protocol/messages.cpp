#include "common/protocol/messages.hpp"

#include <array>

namespace scanmq::protocol {

const char* JobOptions::first_set() const noexcept {
    if (priority != kDefaultPriority) return "priority";
    if (delay_ms != 0) return "delay_ms";
    if (deadline_ms != 0) return "deadline_ms";
    if (!flow.empty()) return "flow";
    if (!conflate_key.empty()) return "conflate_key";
    if (!headers.empty()) return "headers";
    if (flags != 0) return "flags";
    if (as_of_ns) return "as_of_ns";
    if (!aliases.empty()) return "aliases";
    if (unknown_key) return "an option of a later version";
    return nullptr;
}

Kind kind_of(const Message& message) noexcept {
    // In the order of Message's alternatives.
    static constexpr std::array kKinds{
        Kind::hello,        Kind::welcome,     Kind::heartbeat,    Kind::bye,
        Kind::error,        Kind::ok,          Kind::credit,       Kind::want,
        Kind::reclaim,      Kind::reclaimed,   Kind::submit,       Kind::accepted,
        Kind::deliver,      Kind::done,        Kind::subscribe,    Kind::subscribed,
        Kind::unsubscribe,  Kind::results,     Kind::group_open,   Kind::group_seal,
        Kind::group_query,  Kind::group_state, Kind::queue_create, Kind::queue_alter,
        Kind::queue_delete, Kind::query,       Kind::answer,       Kind::blob_put,
        Kind::blob_ready,   Kind::blob_chunk,  Kind::blob_stored,  Kind::blob_get,
        Kind::blob_info,
    };
    static_assert(kKinds.size() == std::variant_size_v<Message>);
    return kKinds[message.index()];
}

}  // namespace scanmq::protocol
