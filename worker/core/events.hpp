#pragma once
// What goes into the worker's core and what comes out: values only, no IO.
//
// Lifetimes: an event's frame and views live until the effects it led to are carried out: outcomes
//            are not copied, a DONE in Effects::sends borrows the bodies and sentences of the
//            events. What a scan gave stays with the shell until the attempt is released.
// See:       docs/PROTOCOL.md, docs/adr/0001-core-and-shell.md

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::worker {

// The core's name for one attempt it holds. Slots are reused, generations tell their users apart. A
// slot that was released is not reused before the next call of handle() or tick().
struct AttemptId {
    std::uint32_t slot{};
    std::uint32_t generation{};
    friend bool operator==(const AttemptId&, const AttemptId&) = default;
};

// The main socket's connection is ready for a HELLO: first connected, or connected anew.
struct ConnectedEvent {};

// It broke. A hint: the session that was on it is over.
struct DisconnectedEvent {};

struct FrameEvent {
    const protocol::Frame* frame{};
};

struct BadFrameEvent {
    const protocol::DecodeError* error{};
};

// Effects::fetches was carried out: inputs and payload are there (code none), or are not.
struct InputsEvent {
    AttemptId attempt;
    protocol::ErrorCode code{};
    std::string_view sentence;
    bool retry{};  // the attempt ends failed, not rejected
};

// Effects::starts was carried out; or Effects::results, and this is the same again.
struct FinishedEvent {
    AttemptId attempt;
    // done, failed, rejected; returned: a remote target is down, nothing is charged for it
    protocol::AttemptOutcome outcome{};
    ByteView body;
    protocol::ErrorCode code{};
    std::string_view sentence;
    Duration service{};  // how long the scanner took
    bool cached{};       // it was not run: the result was known
    Duration age{};      // of that: since it was made
};

// Effects::puts was carried out: the result is a blob (code none), or could not be put.
struct StoredEvent {
    AttemptId attempt;
    ContentId id;
    std::uint64_t size{};
    protocol::ErrorCode code{};
    std::string_view sentence;
};

// Effects::polls was carried out: how far the scan is, in units of its own.
struct ProgressEvent {
    AttemptId attempt;
    std::uint64_t done{};
    std::uint64_t total{};  // 0: not known
    std::string_view note;
};

// How much work a remote target takes; without one it is the threads that say so.
enum class GateMode : std::uint8_t {
    open,   // `slots` at once, and as much ahead as hides the round trip
    trial,  // `slots` and no more: the target has to prove itself
    hold,   // start nothing for a moment, keep what is held
    shut,   // start nothing, give back what has not started, and the credit
};

// Said whenever it changes. Attempts that run go on, whatever it says.
struct GateEvent {
    GateMode mode{GateMode::open};
    std::uint32_t slots{};  // of open and trial
    // Of shut: what goes with the attempts that are handed back.
    protocol::ErrorCode code{protocol::ErrorCode::scanner_unavailable};
    std::string_view reason;
};

// Stop taking work, finish what runs, hand back the rest, leave. A second one leaves at once.
struct DrainEvent {};

using Event =
    std::variant<ConnectedEvent, DisconnectedEvent, FrameEvent, BadFrameEvent, InputsEvent,
                 FinishedEvent, StoredEvent, ProgressEvent, GateEvent, DrainEvent>;

// An attempt the core took from a DELIVER: the shell keeps its payload until it is released.
struct Taken {
    AttemptId id;
    const protocol::Deliver* deliver{};
    const protocol::Attempt* attempt{};
};

struct Send {
    protocol::Header header;
    protocol::Message message;  // of a HELLO the shell fills in clock_ms
};

enum class NoteLevel : std::uint8_t { info, warning, error };

// Something an operator should read. Rare by construction: never one per job.
struct Note {
    NoteLevel level{};
    std::string sentence;
};

struct Exit {
    int code{};
    std::string sentence;
    // The shell's: threads are still in scans that did not end when told to.
    bool scans_left = false;
};

// Carried out in this order. Members but the two last are lists the shell clears with clear().
struct Effects {
    std::vector<Taken> taken;
    std::vector<Send> sends;         // on the main socket
    std::vector<AttemptId> fetches;  // get inputs and payload, then an InputsEvent
    std::vector<AttemptId> starts;   // run, then a FinishedEvent
    std::vector<AttemptId> results;  // it finished when there was no session: FinishedEvent again
    std::vector<AttemptId> puts;     // put the result as a blob, then a StoredEvent
    std::vector<AttemptId> polls;    // it runs: ask how far it is, then a ProgressEvent
    std::vector<AttemptId> cancels;  // runs for nobody any more: make it end soon
    std::vector<AttemptId>
        recalls;  // if no thread has begun it, FinishedEvent{returned}; else nothing
    std::vector<AttemptId> releases;  // forget it, after the sends have been encoded
    std::vector<Note> notes;
    bool reconnect{};          // drop the connection, connect to the next broker of the list
    std::optional<Exit> exit;  // leave, after the sends have gone out

    void clear() {
        taken.clear();
        sends.clear();
        fetches.clear();
        starts.clear();
        results.clear();
        puts.clear();
        polls.clear();
        cancels.clear();
        recalls.clear();
        releases.clear();
        notes.clear();
        reconnect = false;
        exit.reset();
    }
};

}  // namespace scanmq::worker
