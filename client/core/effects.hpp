#pragma once
// What goes into the client's core and what comes out: values only, no IO.
//
// Lifetimes: an event's frame lives until handle() returns. Views inside an outgoing message borrow
//            from the core (or, for a put, from the caller) and live until the next call of the
//            core.
// See:       docs/PROTOCOL.md

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "client/core/error.hpp"
#include "client/core/job.hpp"
#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "common/protocol/codec.hpp"
#include "common/protocol/messages.hpp"

namespace scanmq::client {

enum class Socket : std::uint8_t { main, blob };

// The two clocks, read by the shell.
struct Now {
    Time time;
    WallMillis wall{};
};

// A frame that was decoded.
struct FrameEvent {
    Socket socket{};
    const protocol::Frame* frame{};
};
// The connection was made, or made anew: what was under way on the old one is gone.
struct ConnectedEvent {
    Socket socket{};
};
struct BadFrameEvent {
    Socket socket{};
};
using Event = std::variant<FrameEvent, ConnectedEvent, BadFrameEvent>;

struct Outgoing {
    Socket socket{};
    protocol::Header header;
    protocol::Message message;
};

// Make this socket anew, with this endpoint; frames still queued for the old one are void.
struct Connect {
    Socket socket{};
    std::string endpoint;
};

// Frames still queued for this socket are void: they belong to a session that ended.
struct DropQueued {
    Socket socket{};
};
using Action = std::variant<Connect, DropQueued, Outgoing>;

struct BlobFetched {
    protocol::BlobType type{};
    std::string label;
    std::string bytes;
    // Those of a raw blob were checked. Others are given to who takes their encoding: to be decoded to
    // `size` bytes, and checked.
    protocol::BlobEncoding encoding{};
    std::uint64_t size{};
};

struct SessionChanged {};  // opened or lost: ClientCore::session()

struct JobsAnswered {
    std::uint32_t producer{};
    std::vector<JobAnswer> answers;
    std::vector<std::string> sentences;  // what the answers' sentences borrow from
};
// The event with this index of the batch given to handle() holds RESULTS for this subscription.
// When they were handed out, consumed() must be told.
struct EntriesArrived {
    std::uint64_t subscription{};
    std::size_t event{};
    std::uint64_t items{};
    std::uint64_t bytes{};
    Id128 incarnation;
    std::size_t skipped{};             // first entries of the frame that were handed out before
    std::optional<protocol::Gap> gap;  // what is new of the frame's
};
struct SubscriptionChanged {
    std::uint64_t subscription{};
};
struct RequestDone {
    std::uint64_t request{};
    Result<protocol::Message> reply;
    bool repeated{};  // sent in several sessions: an earlier sending may have taken effect
};
struct PutDone {
    std::uint64_t request{};
    Result<ContentId> result;
};
struct GetDone {
    std::uint64_t request{};
    Result<BlobFetched> result;
};
using Notice = std::variant<SessionChanged, JobsAnswered, EntriesArrived, SubscriptionChanged,
                            RequestDone, PutDone, GetDone>;

// A journaled producer's job got its id: to be written down before any action is carried out.
struct JobStamped {
    std::uint32_t producer{};
    Ticket ticket;
    Id128 id;
};

// Stamps are kept, then actions are carried out in order, then notices are handed out in order.
struct Effects {
    std::vector<JobStamped> stamps;
    std::vector<Action> actions;
    std::vector<Notice> notices;

    void clear() {
        stamps.clear();
        actions.clear();
        notices.clear();
    }
};

}  // namespace scanmq::client
