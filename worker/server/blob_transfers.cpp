#include "worker/server/blob_transfers.hpp"

#include <chrono>

namespace scanmq::worker {

namespace {

using transport::Drained;
using transport::ReceiveStatus;

constexpr int kFramesPerRound = 64;

Time now_of_loop() { return std::chrono::steady_clock::now(); }

}  // namespace

BlobTransfers::BlobTransfers(boost::asio::io_context& loop, transport::Context& context,
                             Callbacks callbacks)
    : dealer_(context, transport::SocketOptions{.bulk = true}),
      frames_(loop, dealer_.fd(), [this] { return drain(); }),
      monitor_(loop, dealer_.monitor_fd(), [this] { return poll_connection(); }),
      callbacks_(std::move(callbacks)) {
    frames_.start();
    monitor_.start();
}

Result<void, transport::Error> BlobTransfers::open(protocol::SessionId session,
                                                   const std::string& endpoint,
                                                   const protocol::Limits& limits, Time now) {
    endpoint_ = endpoint;
    link_.open(session, limits, now);
    auto connected = dealer_.connect(endpoint);
    monitor_.poke();
    frames_.poke();
    return connected;
}

void BlobTransfers::close() {
    link_.close();
    effects_.sends.clear();  // they borrow from puts that ended with the session
    dealer_.disconnect();
}

void BlobTransfers::get(const ContentId& id, Time now) {
    link_.get(id, now, effects_);
    carry_out();
}

void BlobTransfers::put(AttemptId attempt, const ContentId& id, ByteView bytes, Time now) {
    link_.put(attempt, id, bytes, now, effects_);
    carry_out();
}

void BlobTransfers::tick(Time now) {
    link_.tick(now, effects_);
    carry_out();
}

void BlobTransfers::stop() {
    frames_.stop();
    monitor_.stop();
}

Drained BlobTransfers::drain() {
    zmq::message_t message;
    for (int i = 0; i < kFramesPerRound; ++i) {
        const ReceiveStatus status = dealer_.receive(message);
        if (status == ReceiveStatus::empty) return Drained::empty;
        if (status != ReceiveStatus::frame) continue;
        const auto frame = decoder_.decode({message.data<char>(), message.size()});
        // A frame that cannot be read changes nothing; its transfer times out.
        if (frame) link_.on_frame(*frame, now_of_loop(), effects_);
        carry_out();
    }
    return Drained::more;
}

Drained BlobTransfers::poll_connection() {
    if (!dealer_.poll_connection()) return Drained::empty;
    if (!dealer_.connected()) {
        link_.disconnected(now_of_loop());
    } else if (dealer_.generation() != generation_) {
        generation_ = dealer_.generation();
        link_.connected(now_of_loop(), effects_);
    }
    carry_out();
    return Drained::empty;
}

// Callbacks may ask for more: what they cause is appended and done in the same loop.
void BlobTransfers::carry_out() {
    if (carrying_out_) return;
    carrying_out_ = true;
    bool sent = false;
    for (;;) {
        std::swap(working_, effects_);
        effects_.clear();
        if (working_.sends.empty() && working_.got.empty() && working_.stored.empty() &&
            !working_.reconnect) {
            break;
        }
        for (const Send& send : working_.sends) {
            out_.clear();
            protocol::encode(send.header, send.message, out_);
            // Not taken: the connection is gone, and with it the transfer; it begins anew.
            if (dealer_.send(out_) != transport::SendStatus::sent) break;
            sent = true;
        }
        if (working_.reconnect && !endpoint_.empty()) {
            static_cast<void>(dealer_.connect(endpoint_));  // it was connected to before
            monitor_.poke();
        }
        for (GotBlob& blob : working_.got) callbacks_.got(std::move(blob));
        for (StoredBlob& blob : working_.stored) callbacks_.stored(std::move(blob));
    }
    carrying_out_ = false;
    if (sent) frames_.poke();
    callbacks_.changed();
}

std::string reachable_endpoint(std::string_view main_endpoint, std::string_view blob_endpoint) {
    constexpr std::string_view kTcp = "tcp://";
    const auto host_end = [&](std::string_view endpoint) { return endpoint.rfind(':'); };
    if (!blob_endpoint.starts_with(kTcp) || !main_endpoint.starts_with(kTcp)) {
        return std::string(blob_endpoint);
    }
    const std::string_view host =
        blob_endpoint.substr(kTcp.size(), host_end(blob_endpoint) - kTcp.size());
    if (host != "0.0.0.0" && host != "*" && host != "[::]") return std::string(blob_endpoint);
    return std::string(main_endpoint.substr(0, host_end(main_endpoint))) +
           std::string(blob_endpoint.substr(host_end(blob_endpoint)));
}

}  // namespace scanmq::worker
