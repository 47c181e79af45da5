#include "common/protocol/field_counts.hpp"

#include "common/base/assert.hpp"

namespace scanmq::protocol {

std::size_t field_count(Kind kind) {
    switch (kind) {
        case Kind::ok:
        case Kind::reclaim:
        case Kind::revoke:
        case Kind::progress:
        case Kind::backup:
        case Kind::standing_drop:
        case Kind::cache_put:
            return 1;
        case Kind::bye:
        case Kind::reclaimed:
        case Kind::cancel:
        case Kind::cancelled:
        case Kind::unsubscribe:
        case Kind::ack:
        case Kind::group_open:
        case Kind::group_query:
        case Kind::queue_create:
        case Kind::queue_alter:
        case Kind::queue_delete:
        case Kind::queue_control:
        case Kind::dead_done:
        case Kind::alias_set:
        case Kind::query:
        case Kind::queue_version:
        case Kind::cache_get:
        case Kind::cache_drop:
        case Kind::cache_kept:
            return 2;
        case Kind::heartbeat:
        case Kind::want:
        case Kind::deliver:
        case Kind::done:
        case Kind::group_seal:
        case Kind::dead_letters:
        case Kind::backup_done:
        case Kind::flow_set:
        case Kind::answer:
        case Kind::cache_values:
        case Kind::cache_dropped:
        case Kind::blob_chunk:
        case Kind::blob_stored:
        case Kind::blob_get:
            return 3;
        case Kind::error:
        case Kind::credit:
        case Kind::submit:
        case Kind::accepted:
        case Kind::results:
        case Kind::blob_ready:
            return 4;
        case Kind::hello:
        case Kind::blob_put:
            return 6;
        case Kind::subscribed:
        case Kind::blob_info:
        case Kind::standing_set:
            return 7;
        case Kind::subscribe:
        case Kind::group_state:
            return 8;
        case Kind::welcome:
            return 10;
    }
    SCANMQ_ASSERT(false);
    return 0;
}

}  // namespace scanmq::protocol
