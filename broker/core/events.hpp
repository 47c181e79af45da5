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

using Event = std::variant<FrameEvent, BadFrameEvent, DisconnectEvent, BackupEvent>;

struct Send {
    ConnectionId to;
    protocol::Header header;
    protocol::Message message;
    // DELIVER and RESULTS: one handle per attempt or entry. The shell fills in Attempt::payload and
    // Entry::body from it; handle 0: it leaves the body as the core set it. Every other view (subjects,
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

struct Effects {
    std::vector<Send> sends;
    std::vector<CommitRecord> commits;
    std::vector<BodyHandle> releases;  // after the sends of this batch have been encoded
    std::vector<BackupRequest> backups;

    void clear() {
        sends.clear();
        commits.clear();
        releases.clear();
        backups.clear();
    }
};

}  // namespace scanmq::broker
