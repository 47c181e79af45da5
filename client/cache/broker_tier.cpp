#include "client/cache/broker_tier.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <string>
#include <utility>

#include "common/protocol/codec.hpp"
#include "common/transport/dealer.hpp"
#include "common/transport/watcher.hpp"

namespace scanmq::client {

using transport::Drained;
using transport::ReceiveStatus;
using transport::SendStatus;

namespace {

constexpr int kFramesPerRound = 64;  // then timers get their turn

Now clock_now() { return {std::chrono::steady_clock::now(), SystemClock().wall_millis()}; }

// Windows, heartbeats and HELLO: send() says full only when there is no connection.
transport::SocketOptions socket_options(const BrokerTierOptions& options) {
    transport::SocketOptions out;
    out.send_mark += static_cast<int>(options.gets_max + options.writes_max);
    return out;
}

}  // namespace

class BrokerTier::Impl final : public std::enable_shared_from_this<Impl> {
  public:
    Impl(boost::asio::io_context& io, const BrokerTierOptions& options)
        : log_(options.log),
          endpoint_(options.endpoint),
          core_(options),
          timer_(io),
          dealer_(context_, socket_options(options)),
          frames_(io, dealer_.fd(), [this] { return drain(); }),
          monitor_(io, dealer_.monitor_fd(), [this] { return poll_connection(); }) {}

    void start() {
        core_.start(clock_now(), effects_);
        frames_.start();
        monitor_.start();
        settle();
    }
    void close() noexcept {
        closed_ = true;
        try {
            core_.close(effects_);
            carry_out();
            frames_.stop();
            monitor_.stop();
            timer_.cancel();
        } catch (...) {
            // No memory for a BYE: the broker will miss us by our silence. `closed_` keeps handlers quiet.
        }
    }
    void get(std::vector<ContentId> keys, Time deadline, GetDone done) {
        core_.get(std::move(keys), deadline, std::move(done), clock_now(), effects_);
        settle();
    }
    void put(const std::vector<cache::TierPut>& items, Time deadline) {
        core_.put(items, deadline, clock_now(), effects_);
        settle();
    }
    void erase(const std::vector<ContentId>& keys) {
        core_.erase(keys, clock_now(), effects_);
        settle();
    }
    [[nodiscard]] const BrokerTierCore& core() const noexcept { return core_; }

  private:
    Drained drain() {
        const auto self = shared_from_this();  // a callback may end the tier
        draining_ = true;
        Drained drained = Drained::more;
        for (int i = 0; i < kFramesPerRound && !closed_; ++i) {
            const ReceiveStatus status = dealer_.receive(message_);
            if (status == ReceiveStatus::empty) {
                drained = Drained::empty;
                break;
            }
            if (status != ReceiveStatus::frame) continue;
            const auto frame = decoder_.decode({message_.data<char>(), message_.size()});
            // One that cannot be read answers nothing: what it was for times out.
            if (!frame) continue;
            core_.on_frame(*frame, clock_now(), effects_);
            settle();
        }
        draining_ = false;
        return closed_ ? Drained::empty : drained;
    }
    Drained poll_connection() {
        const auto self = shared_from_this();
        if (closed_ || !dealer_.poll_connection()) return Drained::empty;
        if (!dealer_.connected()) {
            core_.disconnected(clock_now(), effects_);
        } else if (dealer_.generation() != generation_) {
            generation_ = dealer_.generation();
            core_.connected(clock_now(), effects_);
        }
        settle();
        return Drained::empty;
    }
    void tick() {
        // A loop that was busy elsewhere may find the answer beside the timer.
        if (drain() == Drained::more) frames_.poke();
        if (closed_) return;
        core_.tick(clock_now(), effects_);
        settle();
    }
    // What every call of the core ends with.
    void settle() {
        const auto self = shared_from_this();
        carry_out();
        for (const std::string& line : core_.take_log()) {
            if (log_) log_(endpoint_ + ": " + line);
        }
        for (auto& [done, values] : core_.take_ready()) {
            if (closed_) return;
            done(std::move(values));
        }
        if (!closed_) arm();
    }
    void carry_out() {
        for (Action& action : effects_.actions) {
            if (const auto* out = std::get_if<Outgoing>(&action)) {
                protocol::encode(out->header, out->message, waiting_.emplace_back());
                continue;
            }
            waiting_.clear();
            if (const auto* connect = std::get_if<Connect>(&action)) {
                // It was checked; one that ZeroMQ cannot read all the same never connects, and is told so.
                static_cast<void>(dealer_.connect(connect->endpoint));
                monitor_.poke();
                frames_.poke();
            }
        }
        effects_.clear();
        bool sent = false;
        while (!waiting_.empty() && dealer_.send(waiting_.front()) == SendStatus::sent) {
            waiting_.pop_front();
            sent = true;
        }
        // While draining, the last thing done on the socket is a receive that said empty.
        if (sent && !draining_) frames_.poke();
    }
    // One that fires too early does no harm, and setting it for each get would cost more.
    void arm() {
        const std::optional<Time> first = core_.next_deadline();
        if (!first || (armed_ && *armed_ <= *first)) return;
        armed_ = first;
        timer_.expires_at(*first);
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (error || !self || self->closed_) return;
            self->armed_.reset();
            self->tick();
        });
    }

    std::function<void(const std::string&)> log_;
    std::string endpoint_;
    BrokerTierCore core_;
    Effects effects_;
    boost::asio::steady_timer timer_;
    std::optional<Time> armed_;
    transport::Context context_;
    transport::Dealer dealer_;
    transport::SocketWatcher frames_;
    transport::SocketWatcher monitor_;
    protocol::Decoder decoder_;
    zmq::message_t message_;
    std::deque<std::string> waiting_;  // frames to be sent
    std::uint64_t generation_ = 0;
    bool draining_ = false;
    bool closed_ = false;
};

BrokerTier::BrokerTier(boost::asio::io_context& io, const BrokerTierOptions& options)
    : impl_(std::make_shared<Impl>(io, options)) {
    impl_->start();
}
BrokerTier::~BrokerTier() { impl_->close(); }

void BrokerTier::get(std::vector<ContentId> keys, Time deadline, GetDone done) {
    const auto impl = impl_;
    impl->get(std::move(keys), deadline, std::move(done));
}
void BrokerTier::put(std::vector<cache::TierPut> items, Time deadline) {
    const auto impl = impl_;
    impl->put(items, deadline);
}
void BrokerTier::erase(std::vector<ContentId> keys, Time /*deadline*/) {
    const auto impl = impl_;
    impl->erase(keys);
}
cache::TierStats BrokerTier::stats() const { return impl_->core().stats(); }
bool BrokerTier::ready() const noexcept { return impl_->core().ready(); }
cache::TierBreaker::State BrokerTier::breaker() const noexcept { return impl_->core().breaker(); }

}  // namespace scanmq::client
