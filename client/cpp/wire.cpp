#include "client/cpp/wire.hpp"

#include <algorithm>
#include <utility>

namespace scanmq::client {

using transport::Dealer;
using transport::ReceiveStatus;
using transport::SendStatus;

namespace {

// While frames are kept back, how long to sleep before the next try: ZeroMQ tells of readable
// frames only.
constexpr Duration kRetry = std::chrono::milliseconds(1);

}  // namespace

Wire::Wire(transport::Context& context) : context_(context) {}
Wire::~Wire() = default;

bool Wire::connect(const Connect& connect, std::string& problem) {
    Side& to = side(connect.socket);
    if (!to.dealer) {
        const transport::SocketOptions options{.bulk = connect.socket == Socket::blob};
        to.dealer = std::make_unique<Dealer>(context_, options);
    }
    to.kept.clear();
    auto connected = to.dealer->connect(connect.endpoint);
    // Connections of the endpoint before that were not seen yet do not count.
    to.generation = to.dealer->generation();
    if (!connected) problem = connected.error().sentence;
    return connected.ok();
}

std::optional<std::string> Wire::perform(std::vector<Action>& actions) {
    std::optional<std::string> problem;
    for (const Posted& posted : posted_) perform_one(posted.action, posted.frame, problem);
    posted_.clear();
    for (const Action& action : actions) {
        if (const auto* outgoing = std::get_if<Outgoing>(&action)) {
            scratch_.clear();
            protocol::encode(outgoing->header, outgoing->message, scratch_);
        }
        perform_one(action, scratch_, problem);
    }
    actions.clear();
    return problem;
}

void Wire::perform_one(const Action& action, ByteView frame, std::optional<std::string>& problem) {
    if (const auto* outgoing = std::get_if<Outgoing>(&action)) {
        send(outgoing->socket, frame);
    } else if (const auto* drop = std::get_if<DropQueued>(&action)) {
        side(drop->socket).kept.clear();
    } else if (std::string why; !connect(std::get<Connect>(action), why) && !problem) {
        problem = std::move(why);
    }
}

void Wire::post(std::vector<Action>& actions) {
    for (Action& action : actions) {
        Posted posted;
        if (const auto* outgoing = std::get_if<Outgoing>(&action)) {
            protocol::encode(outgoing->header, outgoing->message, posted.frame);
            posted.action = Outgoing{outgoing->socket, {}, protocol::Ok{}};
        } else {
            posted.action = std::move(action);
        }
        posted_.push_back(std::move(posted));
    }
    actions.clear();
}

bool Wire::try_send(Side& to, ByteView frame) {
    if (!to.dealer || to.dealer->send(frame) != SendStatus::sent) return false;
    ++stats_.frames_sent;
    stats_.bytes_sent += frame.size();
    return true;
}

void Wire::send(Socket socket, ByteView frame) {
    Side& to = side(socket);
    if (!to.kept.empty() || !try_send(to, frame)) to.kept.emplace_back(frame);
}

bool Wire::flush() {
    bool freed = false;
    for (Side* to : {&main_, &blob_}) {
        if (to->kept.empty()) continue;
        while (!to->kept.empty() && try_send(*to, to->kept.front())) to->kept.pop_front();
        freed = freed || to->kept.empty();
    }
    return freed;
}

void Wire::receive(Inbox& inbox, std::size_t frames_max) {
    receive(Socket::main, inbox, frames_max);
    receive(Socket::blob, inbox, frames_max);
}

void Wire::receive(Socket socket, Inbox& inbox, std::size_t frames_max) {
    Side& from = side(socket);
    if (!from.dealer) return;
    from.dealer->poll_connection();
    if (from.dealer->generation() != from.generation) {
        from.generation = from.dealer->generation();
        inbox.events.emplace_back(ConnectedEvent{socket});
        inbox.incoming.emplace_back();
    }
    for (std::size_t i = 0; i < frames_max; ++i) {
        if (!spare_) spare_ = std::make_unique<Incoming>();
        const ReceiveStatus status = from.dealer->receive(spare_->bytes);
        if (status == ReceiveStatus::empty) return;
        ++stats_.frames_received;
        stats_.bytes_received += spare_->bytes.size();
        if (status == ReceiveStatus::frame) {
            auto frame = decoder_.decode(spare_->bytes.to_string_view());
            if (frame) {
                spare_->frame = std::move(frame).value();
                inbox.events.emplace_back(FrameEvent{socket, &spare_->frame});
                inbox.incoming.push_back(std::move(spare_));
                continue;
            }
        }
        inbox.events.emplace_back(BadFrameEvent{socket});
        inbox.incoming.emplace_back();
    }
}

void Wire::wait(Duration timeout, int wakeup_fd) {
    for (const Side* to : {&main_, &blob_}) {
        // Without a connection there is nothing to try: its coming is an event.
        if (!to->kept.empty() && to->dealer->connected()) timeout = std::min(timeout, kRetry);
    }
    if (blob_.dealer) {
        transport::wait({main_.dealer.get(), blob_.dealer.get()}, timeout, wakeup_fd);
    } else {
        transport::wait({main_.dealer.get()}, timeout, wakeup_fd);
    }
}

}  // namespace scanmq::client
