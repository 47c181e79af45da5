#pragma once
// What goes into the broker's core and what comes out: values only, no IO.
//
// Lifetimes: an event's frame and views live until handle() returns. Views inside an effect's
//            message borrow from the core and live until the next call of handle() or tick().
// See:       docs/PROTOCOL.md; docs/adr/0001-core-and-shell.md

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "broker/core/record.hpp"
#include "common/base/strong_id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::broker {

// The shell's name for one peer's place on one socket (a ROUTER's routing id). Never reused.
using ConnectionId = StrongId<struct ConnectionTag>;

// One body of a SUBMIT's job or a DONE's outcome, stored by the shell before the core sees the
// frame.
struct BodyIn {
    BodyHandle handle;
    std::uint64_t
        digest{};  // 64-bit hash of subject, payload and inputs: tells a duplicate from a conflict
};

// Where the core gets a handle for a body that it has itself; the shell's. It copies the bytes. An
// empty body is handle 0.
class BodySource {
  public:
    virtual ~BodySource() = default;
    [[nodiscard]] virtual BodyHandle put(const protocol::Body& body) = 0;
};

struct FrameEvent {
    ConnectionId from;
    const protocol::Frame* frame{};
    // One per job (SUBMIT) or outcome (DONE), in order; empty for every other kind. The core owns the
    // handles from here on, those of refused items, too.
    std::span<const BodyIn> bodies;
};

struct BadFrameEvent {
    ConnectionId from;
    const protocol::DecodeError* error{};
};

// The shell could not send to this connection any more (gone, or its outgoing queue is full).
struct DisconnectEvent {
    ConnectionId from;
};

// Effects::backups was carried out.
struct BackupEvent {
    protocol::SessionId session;
    std::uint64_t re{};
    std::string path;
    std::uint64_t bytes{};
    std::string problem;  // empty: it went well
};

// What the tier that was asked (Effects::cache_gets) answered for one look-up. May come late, twice or
// never.
struct CacheEvent {
    std::uint64_t look_up{};
    bool found{};
    BodyHandle body;  // the result, stored by the shell; the core owns it from here on
    std::uint32_t bytes{};
    Duration age{};  // since it was made
};

using Event = std::variant<FrameEvent, BadFrameEvent, DisconnectEvent, BackupEvent, CacheEvent>;

struct Send {
    ConnectionId to;
    protocol::Header header;
    protocol::Message message;
    // DELIVER, RESULTS and CACHE_VALUES: one handle per attempt, entry or value. The shell fills in
    // Attempt::payload, Entry::body and One::body from it; handle 0: it leaves the body as the core set it. Every other view (subjects,
    // inputs, sentences) is the core's and filled in.
    std::vector<BodyHandle> bodies;
    bool after_commit{};  // only when this batch's commits are durable
};

// Make a backup of that name, off the loop, then a BackupEvent.
struct BackupRequest {
    protocol::SessionId session;
    std::uint64_t re{};
    std::string name;
};

// Ask the shared tier for the result of that fingerprint, then a CacheEvent.
struct CacheAsk {
    std::uint64_t look_up{};
    ContentId fingerprint;
};

// A result for the shared tier; its body stays until the effects have been carried out.
struct CacheKeep {
    ContentId fingerprint;
    BodyHandle body;
    Duration ttl{};
    Duration age{};  // since it was made
};

struct Effects {
    std::vector<Send> sends;
    std::vector<CommitRecord> commits;
    std::vector<BodyHandle> releases;  // after the sends of this batch have been encoded
    std::vector<BackupRequest> backups;
    std::vector<CacheAsk> cache_asks;
    std::vector<CacheKeep> cache_keeps;
    std::vector<ContentId> cache_drops;

    void clear() {
        sends.clear();
        commits.clear();
        releases.clear();
        backups.clear();
        cache_asks.clear();
        cache_keeps.clear();
        cache_drops.clear();
    }
};

}  // namespace scanmq::broker
