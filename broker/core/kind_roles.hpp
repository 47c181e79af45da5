#pragma once
// Which roles may send which kind of frame on the main socket.
//
// See: docs/PROTOCOL.md, section 3

#include <type_traits>

#include "common/protocol/messages.hpp"

namespace scanmq::broker {

// 0: no peer sends it on the main socket.
template <class M>
[[nodiscard]] constexpr protocol::Roles roles_of() {
    using namespace protocol;
    if constexpr (std::is_same_v<M, Heartbeat> || std::is_same_v<M, Bye> ||
                  std::is_same_v<M, Error> || std::is_same_v<M, GroupQuery> ||
                  std::is_same_v<M, CacheGet> || std::is_same_v<M, Query>) {
        return kAllRoles;
    } else if constexpr (std::is_same_v<M, CreditGrant>) {
        return kWorker | kSubscriber;
    } else if constexpr (std::is_same_v<M, Want> || std::is_same_v<M, Reclaimed> ||
                         std::is_same_v<M, Submit> || std::is_same_v<M, GroupOpen> ||
                         std::is_same_v<M, GroupSeal>) {
        return kProducer;
    } else if constexpr (std::is_same_v<M, Cancel> || std::is_same_v<M, AliasSet> ||
                         std::is_same_v<M, StandingSet> || std::is_same_v<M, StandingDrop>) {
        return kProducer | kOperator;
    } else if constexpr (std::is_same_v<M, Done> || std::is_same_v<M, Progress> ||
                         std::is_same_v<M, Reclaim>) {
        return kWorker;
    } else if constexpr (std::is_same_v<M, Subscribe> || std::is_same_v<M, Unsubscribe> ||
                         std::is_same_v<M, Ack>) {
        return kSubscriber;
    } else if constexpr (std::is_same_v<M, QueueCreate> || std::is_same_v<M, QueueAlter> ||
                         std::is_same_v<M, QueueDelete> || std::is_same_v<M, QueueControl> ||
                         std::is_same_v<M, DeadLetters> || std::is_same_v<M, Backup> ||
                         std::is_same_v<M, FlowSet> || std::is_same_v<M, QueueVersion>) {
        return kOperator;
    } else if constexpr (std::is_same_v<M, CacheDrop>) {
        return kOperator | kCache;
    } else if constexpr (std::is_same_v<M, CachePut>) {
        return kCache;
    } else {
        return 0;
    }
}

}  // namespace scanmq::broker
