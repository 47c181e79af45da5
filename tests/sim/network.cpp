#include "tests/sim/network.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kDialMin = 1ms;
constexpr Duration kBackOffMin = 100ms;
constexpr Duration kBackOffMax = 5s;
// A ROUTER's heartbeats notice a silent break by then.
constexpr Duration kSilentMax = 20s;

}  // namespace

struct Connection {
    struct Pipe {
        std::deque<std::pair<Time, std::string>> frames;
        Time last{};  // nothing overtakes
        bool pumping = false;
    };
    std::uint32_t id{};
    Dealer* dealer{};  // null: it let go
    std::shared_ptr<bool> dealer_alive;
    Duration latency{};
    Pipe up, down;
    bool broken = false;
    bool router_gone = false;  // the ROUTER's process is another one
};

Dealer::Dealer(Network& network, std::string name, std::function<void()> wake)
    : network_(network), name_(std::move(name)), wake_(std::move(wake)) {}

Dealer::~Dealer() {
    *alive_ = false;
    drop(false);
}

void Dealer::drop(bool linger) {
    ++dials_;
    if (connection_) {
        network_.cut(connection_, false, linger);
        connection_->dealer = nullptr;
        connection_.reset();
    }
}

void Dealer::close(bool linger) {
    drop(linger);
    inbox_.clear();
    connected_ = seen_connected_ = false;
    seen_generation_ = generation_;
}

void Dealer::connect() {
    drop(true);
    // What the old endpoint had delivered goes with it, or is still there to be read.
    if (network_.world().chance(0.5)) inbox_.clear();
    connected_ = seen_connected_ = false;
    seen_generation_ = generation_;
    back_off_ = {};
    dial(network_.world().between(kDialMin, 10ms));
}

void Dealer::dial(Duration wait) {
    const std::uint64_t dial = ++dials_;
    network_.world().after(wait, [this, dial, alive = alive_] {
        if (*alive && dial == dials_) try_connect();
    });
}

void Dealer::try_connect() {
    World& world = network_.world();
    if (!network_.is_open() || world.now() < partitioned_until_) {
        back_off_ = back_off_ == Duration{} ? kBackOffMin : std::min(2 * back_off_, kBackOffMax);
        return dial(world.between(back_off_ / 2, back_off_));
    }
    back_off_ = {};
    connection_ = network_.accept(*this);
    seen_connected_ = true;
    ++seen_generation_;
    world.trace(name_, "connected as " + std::to_string(connection_->id));
    wake_();
}

bool Dealer::poll_connection() {
    const bool changed = connected_ != seen_connected_ || generation_ != seen_generation_;
    connected_ = seen_connected_;
    generation_ = seen_generation_;
    return changed;
}

SendStatus Dealer::send(ByteView frame) {
    if (!connection_) return SendStatus::full;
    network_.push(connection_, true, frame);
    return SendStatus::sent;
}

bool Dealer::receive(std::string& frame) {
    if (inbox_.empty()) return false;
    frame = std::move(inbox_.front());
    inbox_.pop_front();
    return true;
}

void Dealer::break_connection(bool silent) {
    if (connection_ && !connection_->broken) {
        network_.world().trace(name_, silent ? "connection breaks silently" : "connection breaks");
        network_.cut(connection_, silent);
    }
}

void Dealer::partition(Duration length) {
    network_.world().trace(name_, "partitioned");
    partitioned_until_ = std::max(partitioned_until_, network_.world().now() + length);
}

void Dealer::spike(Duration delay, Duration length) {
    spike_ = delay;
    spiked_until_ = network_.world().now() + length;
}

void Dealer::heal() {
    partitioned_until_ = spiked_until_ = {};
    // A broken connection that nobody was told of is found by TCP in the end.
    if (connection_ && connection_->broken) {
        connection_->dealer = nullptr;
        connection_.reset();
        seen_connected_ = false;
        dial(network_.world().between(kDialMin, 10ms));
        wake_();
    }
}

void Network::open(std::function<void()> wake) {
    open_ = true;
    wake_ = std::move(wake);
}

void Network::close() {
    open_ = false;
    arrived_.clear();
    const auto all = std::exchange(connections_, {});
    for (const auto& [id, connection] : all) {
        connection->router_gone = true;
        cut(connection, false);
    }
}

std::shared_ptr<Connection> Network::accept(Dealer& dealer) {
    auto connection = std::make_shared<Connection>();
    connection->id = ++last_id_;
    connection->dealer = &dealer;
    connection->dealer_alive = dealer.alive_;
    connection->latency = world_.between(20us, world_.chance(0.2) ? 40ms : 500us);
    connections_.emplace(connection->id, connection);
    return connection;
}

SendStatus Network::send(std::uint32_t to, ByteView frame) {
    const auto found = connections_.find(to);
    if (found == connections_.end()) return SendStatus::unreachable;
    push(found->second, false, frame);
    return SendStatus::sent;
}

bool Network::receive(std::uint32_t& from, std::string& frame) {
    if (arrived_.empty()) return false;
    from = arrived_.front().from;
    frame = std::move(arrived_.front().frame);
    arrived_.pop_front();
    return true;
}

void Network::push(const std::shared_ptr<Connection>& connection, bool up, ByteView frame) {
    ++frames_;
    if (connection->broken) return;  // into the void
    Connection::Pipe& pipe = up ? connection->up : connection->down;
    Duration delay = connection->latency + world_.between(0us, connection->latency / 2);
    const Dealer* dealer = connection->dealer;
    if (dealer != nullptr && world_.now() < dealer->spiked_until_) delay += dealer->spike_;
    pipe.last = std::max(pipe.last, world_.now() + delay);
    pipe.frames.emplace_back(pipe.last, std::string(frame));
    if (!pipe.pumping) {
        pipe.pumping = true;
        world_.at(pipe.last, [this, connection, up] { pump(connection, up); });
    }
}

void Network::pump(const std::shared_ptr<Connection>& connection, bool up) {
    Connection::Pipe& pipe = up ? connection->up : connection->down;
    pipe.pumping = false;
    const bool there = *connection->dealer_alive;
    Dealer* dealer = there ? connection->dealer : nullptr;
    const Time held = dealer != nullptr ? dealer->partitioned_until_ : Time{};
    if (world_.now() < held) {
        pipe.pumping = true;
        return world_.at(held + world_.between(0us, 1ms),
                         [this, connection, up] { pump(connection, up); });
    }
    while (!pipe.frames.empty() && pipe.frames.front().first <= world_.now()) {
        std::string frame = std::move(pipe.frames.front().second);
        pipe.frames.pop_front();
        world_.note(frame);
        if (up) {
            if (connection->router_gone || !open_) continue;
            arrived_.push_back({connection->id, std::move(frame)});
            wake_();
        } else if (dealer != nullptr) {
            dealer->inbox_.push_back(std::move(frame));
            dealer->wake_();
        }
    }
    if (!pipe.frames.empty()) {
        pipe.pumping = true;
        world_.at(pipe.frames.front().first, [this, connection, up] { pump(connection, up); });
    }
}

void Network::cut(const std::shared_ptr<Connection>& connection, bool silent, bool keep_up) {
    if (connection->broken) return;
    connection->broken = true;
    for (Connection::Pipe* pipe : {&connection->up, &connection->down}) {
        if (pipe == &connection->up && keep_up) continue;
        pipe->frames.resize(world_.rng.below(pipe->frames.size() + 1));
    }
    // The ROUTER forgets the peer once it has noticed; until then frames to it vanish.
    const Duration router = silent ? world_.between(1s, kSilentMax) : world_.between(0us, 100ms);
    world_.after(router, [this, id = connection->id] { connections_.erase(id); });
    if (silent) return;
    world_.after(world_.between(0us, 50ms), [connection, this] {
        if (!*connection->dealer_alive || connection->dealer == nullptr) return;
        Dealer& dealer = *connection->dealer;
        if (dealer.connection_ != connection) return;
        connection->dealer = nullptr;
        dealer.connection_.reset();
        dealer.seen_connected_ = false;
        dealer.dial(world_.between(kDialMin, kBackOffMin));
        dealer.wake_();
    });
}

}  // namespace scanmq::sim
