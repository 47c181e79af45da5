#pragma once
// SessionTable: the open sessions, by slot, id, connection and instance, and who was silent
//               longest.
//
// Threads:   broker loop only. Owns: the sessions.
// Invariant: a connection and an instance have at most one open session each.
// Limits:    the caller checks size() against sessions_max before open().
// See:       docs/PROTOCOL.md, section 6

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/core/events.hpp"
#include "broker/core/slab.hpp"
#include "broker/core/subscription.hpp"
#include "broker/core/worker_ring.hpp"
#include "common/base/rng.hpp"
#include "common/base/time.hpp"

namespace scanmq::broker {

struct Session {
    Slot slot = kNoSlot;
    protocol::SessionId id;
    ConnectionId connection;
    protocol::Roles roles{};
    std::string name;
    Id128 instance;
    std::string agent;
    std::int64_t behind_ms = 0;  // the broker's wall clock minus the peer's, at HELLO
    Time heard;
    std::uint64_t frames_sent = 0;
    std::unique_ptr<Worker> worker;  // role worker
    std::map<std::uint64_t, std::unique_ptr<Subscription>> subscriptions;
    std::list<Slot>::iterator silence;  // its place in the order of silence
    bool nameless = false;              // release_names() was called
    bool slow = false;                  // its outgoing queue is nearly full: no results meanwhile
};

class SessionTable {
  public:
    explicit SessionTable(std::uint64_t seed) : rng_(seed) {}

    // A new session with a random id that is in no use. Precondition: neither the connection nor the
    // (name, instance) has one.
    Session& open(ConnectionId connection, const std::string& name, const Id128& instance,
                  Time now);
    void close(Session& session);
    // Its connection and instance may be another session's now; it is still to be closed.
    void release_names(Session& session);
    // Nobody was heard for so long, through no fault of theirs.
    void extend(Duration by);
    // Any frame keeps a session alive.
    void heard(Session& session, Time now);

    // nullptr: no such session.
    [[nodiscard]] Session* by_slot(Slot slot) const noexcept {
        return slot < slots_.size() ? slots_[slot].get() : nullptr;
    }
    [[nodiscard]] Session* by_connection(ConnectionId connection) const;
    [[nodiscard]] Session* by_instance(const std::string& name, const Id128& instance) const;
    [[nodiscard]] Session* by_id(protocol::SessionId id) const;
    [[nodiscard]] Session* longest_silent() const;
    // Every open session, in order of opening slots.
    [[nodiscard]] std::vector<Session*> list() const;
    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }

  private:
    Rng rng_;
    std::vector<std::unique_ptr<Session>> slots_{1};  // slot 0 is none
    std::vector<Slot> free_;
    std::unordered_map<protocol::SessionId, Slot> ids_;
    std::unordered_map<ConnectionId, Slot> connections_;
    std::map<std::pair<std::string, Id128>, Slot> instances_;
    std::list<Slot> silence_;  // heard longest ago first
};

}  // namespace scanmq::broker
