#include "common/transport/watcher.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace scanmq::transport {

struct SocketWatcher::State : std::enable_shared_from_this<State> {
    State(boost::asio::io_context& context, int fd, std::function<Drained()> function)
        : loop(context), descriptor(context, fd), drain(std::move(function)) {}

    void run() {
        queued = false;
        if (stopped) return;
        if (drain() == Drained::more) {
            queue();
        } else if (!stopped) {
            listen();
        }
    }

    void queue() {
        if (queued || stopped) return;
        queued = true;
        boost::asio::post(loop, [self = shared_from_this()] { self->run(); });
    }

    void listen() {
        if (listening) return;
        listening = true;
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [self = shared_from_this()](const boost::system::error_code& error) {
                                  self->listening = false;
                                  if (!error && !self->queued) self->run();
                              });
    }

    boost::asio::io_context& loop;
    boost::asio::posix::stream_descriptor descriptor;
    std::function<Drained()> drain;
    bool queued = false;
    bool listening = false;
    bool stopped = false;
};

SocketWatcher::SocketWatcher(boost::asio::io_context& loop, int fd, std::function<Drained()> drain)
    : state_(std::make_shared<State>(loop, fd, std::move(drain))) {}

SocketWatcher::~SocketWatcher() { stop(); }

void SocketWatcher::start() { state_->queue(); }

void SocketWatcher::poke() { state_->queue(); }

void SocketWatcher::stop() {
    if (state_->stopped) return;
    state_->stopped = true;
    // The file is ZeroMQ's: give it up without closing it.
    state_->descriptor.release();
}

}  // namespace scanmq::transport
