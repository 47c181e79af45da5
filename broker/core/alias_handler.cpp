#include "broker/core/alias_handler.hpp"

#include "broker/core/names.hpp"

namespace scanmq::broker {

using protocol::ErrorCode;
using protocol::Kind;

void AliasHandler::set(Session& session, const protocol::Header& header,
                       const protocol::AliasSet& message) {
    const auto refuse = [&](ErrorCode code, std::string sentence) {
        state_->refuse(session, header.seq, Kind::alias_set, code, std::move(sentence));
    };
    if (!printable_name(message.alias)) {
        return refuse(ErrorCode::bad_name, name_rule("an alias"));
    }
    const auto moved = state_->aliases.set(message.alias, message.id, state_->now);
    if (!moved) {
        if (moved.error() == ErrorCode::unknown_blob) {
            return refuse(moved.error(), "blob " + message.id.hex() +
                                             " is not in the store; put it, then set the alias");
        }
        return refuse(moved.error(), "aliases_max is " +
                                         std::to_string(state_->options.aliases_max) +
                                         "; remove some (open groups keep removed ones)");
    }
    if (*moved) {
        state_->counters.add(Counter::aliases_moved);
        state_->counters.add(Counter::standing_skipped,
                             state_->standing.moved(message.alias, state_->now));
        if (const Alias* const alias = state_->aliases.find(message.alias)) {
            change::AliasMoved change{alias->name, alias->id, alias->generation, {}};
            for (const Alias::Former& version : alias->history) {
                change.history.push_back({version.id, version.generation, version.until});
            }
            state_->change_broker(change);
        }
        count_dropped();
    }
    state_->send(session, protocol::Ok{header.seq}, true);
}

void AliasHandler::tell_each_gone() {
    for (const std::string& name : state_->aliases.take_gone()) {
        if (state_->aliases.find(name) != nullptr) continue;  // it is back, and was told
        state_->change_broker(change::AliasMoved{name, {}, state_->aliases.generation(), {}});
    }
}

void AliasHandler::count_dropped() {
    const std::uint64_t dropped = state_->aliases.history_dropped();
    state_->counters.add(Counter::alias_versions_dropped, dropped - dropped_told_);
    dropped_told_ = dropped;
}

}  // namespace scanmq::broker
