#pragma once
// Network: one ROUTER and the DEALERs of its peers, as ZeroMQ over TCP behaves.
//
// Model:     a connection is FIFO each way and has a routing id of its own, never used again. When it
//            breaks, each way loses a suffix of what was in flight; the rest may still arrive, next
//            to the frames of the connection that follows. A partition holds frames back and lets
//            no connection be made. A DEALER takes no frames without a connection (ZMQ_IMMEDIATE)
//            and connects again by itself; the ROUTER learns that a peer is gone some time later.
// Threads:   one. Borrows: World (outlives this).

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/sim/world.hpp"

namespace scanmq::sim {

class Network;
struct Connection;

enum class SendStatus : std::uint8_t { sent, full, unreachable };

// A peer's socket.
class Dealer {
  public:
    Dealer(Network& network, std::string name, std::function<void()> wake);
    ~Dealer();
    Dealer(const Dealer&) = delete;
    Dealer& operator=(const Dealer&) = delete;

    // Leaves the connection there is and makes another, in the background.
    void connect();
    [[nodiscard]] SendStatus send(ByteView frame);
    // False: nothing is there.
    [[nodiscard]] bool receive(std::string& frame);
    [[nodiscard]] bool readable() const noexcept { return !inbox_.empty(); }
    // Leaves; nothing comes or goes until the next connect(). Lingering, what was sent arrives.
    void close(bool linger);
    // Takes in what happened to the connection; true: it was made or lost since the last call.
    bool poll_connection();
    [[nodiscard]] bool connected() const noexcept { return connected_; }
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    // Faults.
    void break_connection(bool silent);
    void partition(Duration length);
    void spike(Duration delay, Duration length);
    void heal();

  private:
    friend class Network;
    void dial(Duration wait);
    void try_connect();
    void drop(bool linger);

    Network& network_;
    std::string name_;
    std::function<void()> wake_;
    std::shared_ptr<Connection> connection_;
    std::deque<std::string> inbox_;
    Time partitioned_until_{};
    Time spiked_until_{};
    Duration spike_{};
    Duration back_off_{};
    std::uint64_t dials_ = 0;  // tells a dial from those that were given up
    bool seen_connected_ = false;
    std::uint64_t seen_generation_ = 0;
    bool connected_ = false;
    std::uint64_t generation_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class Network {
  public:
    explicit Network(World& world) : world_(world) {}

    // The broker's socket. `wake` is called when a frame is there.
    void open(std::function<void()> wake);
    // The broker is gone: every connection breaks, what it had not read is lost.
    void close();
    [[nodiscard]] bool is_open() const noexcept { return open_; }
    [[nodiscard]] SendStatus send(std::uint32_t to, ByteView frame);
    [[nodiscard]] bool receive(std::uint32_t& from, std::string& frame);

    [[nodiscard]] World& world() noexcept { return world_; }
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }

  private:
    friend class Dealer;
    struct Arrived {
        std::uint32_t from{};
        std::string frame;
    };
    std::shared_ptr<Connection> accept(Dealer& dealer);
    void push(const std::shared_ptr<Connection>& connection, bool up, ByteView frame);
    void pump(const std::shared_ptr<Connection>& connection, bool up);
    void cut(const std::shared_ptr<Connection>& connection, bool silent, bool keep_up = false);

    World& world_;
    bool open_ = false;
    std::function<void()> wake_;
    std::uint32_t last_id_ = 0;
    std::map<std::uint32_t, std::shared_ptr<Connection>> connections_;  // the ROUTER has them
    std::deque<Arrived> arrived_;
    std::uint64_t frames_ = 0;
};

}  // namespace scanmq::sim
