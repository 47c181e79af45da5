#include "broker/core/session_table.hpp"

namespace scanmq::broker {

Session& SessionTable::open(ConnectionId connection, const std::string& name, const Id128& instance,
                            Time now) {
    Slot slot = kNoSlot;
    if (free_.empty()) {
        slot = static_cast<Slot>(slots_.size());
        slots_.emplace_back();
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    slots_[slot] = std::make_unique<Session>();
    Session& session = *slots_[slot];
    session.slot = slot;
    do {
        session.id.value = rng_.next();
    } while (session.id.value == 0 || ids_.contains(session.id));
    session.connection = connection;
    session.name = name;
    session.instance = instance;
    session.heard = now;
    session.silence = silence_.insert(silence_.end(), slot);
    ids_.emplace(session.id, slot);
    SCANMQ_ASSERT(connections_.emplace(connection, slot).second);
    SCANMQ_ASSERT(instances_.emplace(std::pair(name, instance), slot).second);
    return session;
}

void SessionTable::close(Session& session) {
    const Slot slot = session.slot;
    silence_.erase(session.silence);
    ids_.erase(session.id);
    release_names(session);
    slots_[slot].reset();
    free_.push_back(slot);
}

void SessionTable::release_names(Session& session) {
    if (session.nameless) return;
    session.nameless = true;
    connections_.erase(session.connection);
    instances_.erase(std::pair(session.name, session.instance));
}

void SessionTable::extend(Duration by) {
    for (const auto& session : slots_) {
        if (session) session->heard += by;
    }
}

void SessionTable::heard(Session& session, Time now) {
    session.heard = now;
    silence_.splice(silence_.end(), silence_, session.silence);
}

Session* SessionTable::by_connection(ConnectionId connection) const {
    const auto it = connections_.find(connection);
    return it == connections_.end() ? nullptr : by_slot(it->second);
}

Session* SessionTable::by_instance(const std::string& name, const Id128& instance) const {
    const auto it = instances_.find(std::pair(name, instance));
    return it == instances_.end() ? nullptr : by_slot(it->second);
}

Session* SessionTable::by_id(protocol::SessionId id) const {
    const auto it = ids_.find(id);
    return it == ids_.end() ? nullptr : by_slot(it->second);
}

Session* SessionTable::longest_silent() const {
    return silence_.empty() ? nullptr : by_slot(silence_.front());
}

std::vector<Session*> SessionTable::list() const {
    std::vector<Session*> sessions;
    for (const auto& session : slots_) {
        if (session) sessions.push_back(session.get());
    }
    return sessions;
}

}  // namespace scanmq::broker
