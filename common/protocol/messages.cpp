#include "common/protocol/messages.hpp"

#include <array>

namespace scanmq::protocol {

Kind kind_of(const Message& message) noexcept {
    // In the order of Message's alternatives.
    static constexpr std::array kKinds{
        Kind::hello,         Kind::welcome,       Kind::heartbeat,
        Kind::bye,           Kind::error,         Kind::ok,
        Kind::credit,        Kind::want,          Kind::reclaim,
        Kind::reclaimed,     Kind::submit,        Kind::accepted,
        Kind::cancel,        Kind::cancelled,     Kind::deliver,
        Kind::done,          Kind::revoke,        Kind::progress,
        Kind::subscribe,     Kind::subscribed,    Kind::unsubscribe,
        Kind::results,       Kind::ack,           Kind::group_open,
        Kind::group_seal,    Kind::group_query,   Kind::group_state,
        Kind::queue_create,  Kind::queue_alter,   Kind::queue_delete,
        Kind::queue_control, Kind::dead_letters,  Kind::dead_done,
        Kind::alias_set,     Kind::backup,        Kind::backup_done,
        Kind::flow_set,      Kind::query,         Kind::answer,
        Kind::blob_put,      Kind::blob_ready,    Kind::blob_chunk,
        Kind::blob_stored,   Kind::blob_get,      Kind::blob_info,
        Kind::cache_get,     Kind::cache_values,  Kind::cache_drop,
        Kind::cache_dropped, Kind::queue_version, Kind::standing_set,
        Kind::standing_drop, Kind::cache_put,     Kind::cache_kept,
    };
    static_assert(kKinds.size() == std::variant_size_v<Message>);
    return kKinds[message.index()];
}

}  // namespace scanmq::protocol
