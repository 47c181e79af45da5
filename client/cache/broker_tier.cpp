#include "client/cache/broker_tier.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/wire.hpp"
#include "common/transport/watcher.hpp"

namespace scanmq::client {

using transport::Drained;

namespace {

constexpr std::size_t kFramesPerRound = 64;  // then timers get their turn
// While frames are kept back: ZeroMQ tells of readable frames only.
constexpr Duration kRetry = std::chrono::milliseconds(1);

Now clock_now() { return {std::chrono::steady_clock::now(), SystemClock().wall_millis()}; }

}  // namespace

class BrokerTier::Impl final : public std::enable_shared_from_this<Impl> {
  public:
    Impl(boost::asio::io_context& io, const BrokerTierOptions& options)
        : io_(io),
          log_(options.log),
          endpoint_(options.endpoint),
          core_(options),
          timer_(io),
          wire_(context_) {}

    void start() {
        core_.start(clock_now(), effects_);
        settle();
    }
    void close() noexcept {
        closed_ = true;
        try {
            core_.close(effects_);
            carry_out();
            watchers_.clear();
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
        static_cast<void>(wire_.flush());
        Inbox inbox;
        wire_.receive(inbox, kFramesPerRound);
        for (const Event& event : inbox.events) {
            if (closed_) break;
            if (const auto* frame = std::get_if<FrameEvent>(&event)) {
                core_.on_frame(*frame->frame, clock_now(), effects_);
            } else if (std::holds_alternative<ConnectedEvent>(event)) {
                linked_ = true;
                core_.connected(clock_now(), effects_);
            }
            // One that cannot be read answers nothing: what it was for times out.
            settle();
        }
        if (!closed_ && linked_ && !wire_.dealer(Socket::main)->connected()) {
            linked_ = false;
            core_.disconnected(clock_now(), effects_);
            settle();
        }
        draining_ = false;
        return closed_ || inbox.empty() ? Drained::empty : Drained::more;
    }
    void tick() {
        // A loop that was busy elsewhere may find the answer beside the timer.
        if (drain() == Drained::more) watchers_.front()->poke();
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
        const bool any = !effects_.actions.empty();
        // The endpoint was checked; one that ZeroMQ cannot read all the same never connects, and is told so.
        static_cast<void>(wire_.perform(effects_.actions));
        effects_.clear();
        if (closed_) return;
        watch();
        // While draining, the last thing done on the socket is a receive that said empty.
        if (any && !draining_ && !watchers_.empty()) watchers_.front()->poke();
    }
    // The socket is made with the first connection, and stays.
    void watch() {
        transport::Dealer* const dealer = wire_.dealer(Socket::main);
        if (dealer == nullptr || !watchers_.empty()) return;
        for (const int fd : {dealer->fd(), dealer->monitor_fd()}) {
            watchers_.push_back(
                std::make_unique<transport::SocketWatcher>(io_, fd, [this] { return drain(); }));
            watchers_.back()->start();
        }
    }
    // One that fires too early does no harm, and setting it for each get would cost more.
    void arm() {
        std::optional<Time> first = core_.next_deadline();
        if (linked_ && !wire_.writable(Socket::main)) {
            first = std::min(first.value_or(Time::max()), clock_now().time + kRetry);
        }
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

    boost::asio::io_context& io_;
    std::function<void(const std::string&)> log_;
    std::string endpoint_;
    BrokerTierCore core_;
    Effects effects_;
    boost::asio::steady_timer timer_;
    std::optional<Time> armed_;
    transport::Context context_;
    Wire wire_;
    std::vector<std::unique_ptr<transport::SocketWatcher>> watchers_;
    bool linked_ = false;
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
