#include "common/transport/dealer.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "common/base/assert.hpp"

namespace scanmq::transport {
namespace {

constexpr std::size_t kPollMax = 16;
// SO_SNDBUF of a bulk connection within the machine, of which the kernel makes twice as much. A thread
// that sends goes on until the buffer is full; many kernels take the processor from it only when
// somebody wakes up whom they prefer, or with the clock's tick, milliseconds later. Without a
// network's delay to bridge, a large buffer brings nothing.
constexpr int kBurstBytes = 32 << 10;
constexpr int kSystems = -1;

bool on_this_machine(std::string_view endpoint) {
    for (const std::string_view start : {"tcp://127.", "tcp://[::1]", "tcp://localhost:"}) {
        if (endpoint.starts_with(start)) return true;
    }
    return false;
}

}  // namespace

Dealer::Dealer(Context& context, const SocketOptions& options)
    : bulk_(options.bulk),
      socket_(context.zmq(), zmq::socket_type::dealer),
      monitor_(context.zmq(), zmq::socket_type::pair) {
    apply(socket_, options);
    socket_.set(zmq::sockopt::immediate, true);
    const std::string name = monitor_name();
    const int rc = zmq_socket_monitor(socket_.handle(), name.c_str(),
                                      ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
    SCANMQ_ASSERT(rc == 0);
    monitor_.set(zmq::sockopt::linger, 0);
    monitor_.connect(name);
    fd_ = socket_.get(zmq::sockopt::fd);
    monitor_fd_ = monitor_.get(zmq::sockopt::fd);
}

Dealer::~Dealer() {
    zmq_socket_monitor(socket_.handle(), nullptr, 0);
    monitor_.close();
    socket_.close();
}

Result<void, Error> Dealer::connect(const std::string& endpoint) {
    disconnect();
    allow_ipv6(socket_, endpoint);
    socket_.set(zmq::sockopt::sndbuf, bulk_ && on_this_machine(endpoint) ? kBurstBytes : kSystems);
    if (zmq_connect(socket_.handle(), endpoint.c_str()) != 0) {
        return fail(Error{"cannot connect to \"" + endpoint + "\": " + zmq_strerror(zmq_errno()) +
                          "; give an endpoint like tcp://127.0.0.1:5701"});
    }
    endpoint_ = endpoint;
    return {};
}

void Dealer::disconnect() {
    if (endpoint_.empty()) return;
    poll_connection();
    zmq_disconnect(socket_.handle(), endpoint_.c_str());
    endpoint_.clear();
    connected_ = false;
}

SendStatus Dealer::send(ByteView frame) {
    if (zmq_send(socket_.handle(), frame.data(), frame.size(), ZMQ_DONTWAIT) >= 0) {
        return SendStatus::sent;
    }
    return SendStatus::full;
}

ReceiveStatus Dealer::receive(zmq::message_t& frame) { return receive_single(socket_, frame); }

bool Dealer::readable() { return transport::readable(socket_); }

bool Dealer::monitor_readable() { return transport::readable(monitor_); }

bool Dealer::poll_connection() {
    bool changed = false;
    MonitorEvent event;
    while (receive_event(monitor_, event)) {
        const std::uint16_t what = event.what;
        // What is left of an endpoint that was given up says nothing about the present one.
        if (endpoint_.empty()) continue;
        if (what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            connected_ = true;
            ++generation_;
            changed = true;
        } else if (what == ZMQ_EVENT_DISCONNECTED && connected_) {
            connected_ = false;
            changed = true;
        }
    }
    // Lets the socket hear of it as well: sends look for such news only every few milliseconds.
    if (changed) static_cast<void>(readable());
    return changed;
}

bool wait(std::initializer_list<Dealer*> dealers, Duration timeout, int extra_fd) {
    SCANMQ_ASSERT(dealers.size() * 2 + 1 <= kPollMax);
    std::array<pollfd, kPollMax> files{};
    nfds_t count = 0;
    for (Dealer* dealer : dealers) {
        // Only after the socket itself said "nothing" does its file tell of something new.
        if (dealer->readable() || dealer->monitor_readable()) return true;
        files[count++] = {dealer->fd(), POLLIN, 0};
        files[count++] = {dealer->monitor_fd(), POLLIN, 0};
    }
    if (extra_fd >= 0) files[count++] = {extra_fd, POLLIN, 0};
    if (timeout < Duration::zero()) timeout = Duration::zero();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const timespec spec{seconds.count(), static_cast<long>((timeout - seconds).count())};
    return ppoll(files.data(), count, &spec, nullptr) != 0;
}

Wakeup::Wakeup() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { SCANMQ_ASSERT(fd_ >= 0); }

Wakeup::~Wakeup() { close(fd_); }

void Wakeup::notify() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof one);
}

void Wakeup::clear() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(fd_, &count, sizeof count);
}

}  // namespace scanmq::transport
