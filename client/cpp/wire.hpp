#pragma once
// Wire: the client's two sockets, with encoding and decoding.
//
// Role:    owned by Client::Impl; carries out the core's actions, brings its events.
// Threads: one at a time: the background thread, or the caller's.
// Limits:  what cannot be sent is kept in order; the core forms no jobs or chunks meanwhile, so
//          that is at most a batch, its requests and control frames.
// See:     docs/PROTOCOL.md, section 1

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/core/effects.hpp"
#include "common/protocol/codec.hpp"
#include "common/transport/dealer.hpp"

namespace scanmq::client {

// A frame that came in, with the bytes it borrows from. Never moved once decoded.
struct Incoming {
    zmq::message_t bytes;
    protocol::Frame frame;
};

struct WireStats {
    std::uint64_t frames_sent{};
    std::uint64_t frames_received{};
    std::uint64_t bytes_sent{};
    std::uint64_t bytes_received{};
};

// What one look at the sockets found: incoming[i] belongs to events[i], null for other events.
struct Inbox {
    std::vector<Event> events;
    std::vector<std::unique_ptr<Incoming>> incoming;

    void clear() {
        events.clear();
        incoming.clear();
    }
    [[nodiscard]] bool empty() const noexcept { return events.empty(); }
};

class Wire {
  public:
    explicit Wire(transport::Context& context);
    ~Wire();

    // In order. Returns the first endpoint that ZeroMQ could not read, as a sentence.
    std::optional<std::string> perform(std::vector<Action>& actions);
    // The same, later, by the next perform(): for threads that must not touch the sockets. Encodes
    // at once.
    void post(std::vector<Action>& actions);
    // Sends what could not be sent before. True: a socket can be written again.
    bool flush();
    // Nothing is kept back for this socket.
    [[nodiscard]] bool writable(Socket socket) const noexcept { return side(socket).kept.empty(); }

    // For a loop that watches the sockets itself instead of calling wait() (transport/watcher.hpp);
    // null until the socket is first connected. It stays the same from then on.
    [[nodiscard]] transport::Dealer* dealer(Socket socket) noexcept {
        return side(socket).dealer.get();
    }

    // Takes in what is there, at most `frames_max` frames a socket.
    void receive(Inbox& inbox, std::size_t frames_max);
    // Until something arrives, `wakeup` is notified, or the time is over.
    void wait(Duration timeout, int wakeup_fd);

    [[nodiscard]] const WireStats& stats() const noexcept { return stats_; }

  private:
    struct Side {
        std::unique_ptr<transport::Dealer> dealer;
        std::uint64_t generation = 0;
        std::deque<std::string> kept;
    };

    [[nodiscard]] const Side& side(Socket s) const noexcept {
        return s == Socket::main ? main_ : blob_;
    }
    [[nodiscard]] Side& side(Socket s) noexcept { return s == Socket::main ? main_ : blob_; }
    // An action that owns what it needs.
    struct Posted {
        Action action;      // Connect, DropQueued; an Outgoing only names the socket
        std::string frame;  // encoded
    };

    bool connect(const Connect& connect, std::string& problem);
    void send(Socket socket, ByteView frame);
    void perform_one(const Action& action, ByteView frame, std::optional<std::string>& problem);
    bool try_send(Side& side, ByteView frame);
    void receive(Socket socket, Inbox& inbox, std::size_t frames_max);

    transport::Context& context_;
    Side main_;
    Side blob_;
    protocol::Decoder decoder_;
    std::string scratch_;
    std::vector<Posted> posted_;
    std::unique_ptr<Incoming> spare_;
    WireStats stats_;
};

}  // namespace scanmq::client
