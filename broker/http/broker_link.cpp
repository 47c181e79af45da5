#include "broker/http/broker_link.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/core/client_core.hpp"
#include "client/cpp/wire.hpp"
#include "common/compress/zstd.hpp"
#include "common/transport/watcher.hpp"

namespace scanmq::gateway {

using client::Effects;
using client::Error;
using client::ErrorKind;
using client::Notice;
using client::Socket;
using protocol::ErrorCode;
using transport::Drained;

namespace {

constexpr std::size_t kFramesPerTurn = 64;
// While frames are kept back: ZeroMQ tells of readable frames only.
constexpr Duration kRetry = std::chrono::milliseconds(1);

client::CoreOptions core_options(const LinkOptions& options) {
    Rng rng(Rng::random_seed());
    client::CoreOptions out;
    out.session.brokers = {options.broker};
    out.session.name = options.name;
    out.session.agent = "scanmq-http";
    out.session.instance = random_id(rng);
    out.roles = protocol::kProducer | protocol::kSubscriber | protocol::kOperator;
    out.seed = rng.next();
    out.requests_max = options.requests_max;
    out.subscriptions_max = options.subscriptions_max;
    return out;
}

Error over_limit(std::string sentence) {
    return {ErrorKind::invalid, ErrorCode::over_limit, std::move(sentence)};
}

}  // namespace

class BrokerLink::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(boost::asio::io_context& loop, LinkOptions options, Handlers handlers)
        : loop_(loop),
          options_(std::move(options)),
          handlers_(std::move(handlers)),
          wire_(context_),
          core_(core_options(options_)),
          timer_(loop) {}

    client::Result<void> start() {
        core_.start(now(), effects_);
        perform();
        if (problem_) return fail(Error{ErrorKind::transport, ErrorCode::none, *problem_});
        arm();
        return {};
    }

    void close() {
        if (closed_) return;
        closed_ = true;
        core_.close(effects_);
        perform();
        hand_out(nullptr);
        stop();
    }
    // Nothing runs any more.
    void stop() {
        closed_ = true;
        handlers_ = {};
        replies_.clear();
        gets_.clear();
        puts_.clear();
        watchers_.clear();
        timer_.cancel();
    }

    client::Result<void> submit(std::string_view queue, const client::Job& job) {
        auto producer = producers_.find(queue);
        if (producer == producers_.end()) {
            if (producers_.size() >= options_.queues_max) {
                return fail(over_limit("jobs for more than " + std::to_string(options_.queues_max) +
                                       " queues came through this gateway; use another client for "
                                       "this one"));
            }
            const client::ProducerSettings settings{options_.submitting_max,
                                                    options_.submitting_bytes_max, true, false};
            producer = producers_.emplace(queue, core_.add_producer(queue, settings, {})).first;
        }
        std::optional<ContentId> content;
        if (job.payload.size() > core_.limits().inline_bytes_max) content = content_id(job.payload);
        auto taken =
            core_.submit(producer->second, job, content ? &*content : nullptr, now(), effects_);
        if (!taken) return fail(std::move(taken).error());
        perform();
        look_again();
        return {};
    }

    void request(protocol::Message message, Duration timeout, OnReply on_reply) {
        const std::uint64_t id = core_.request(std::move(message), now().time + timeout, effects_);
        keep(replies_, id, std::move(on_reply));
    }
    void get_blob(const ContentId& blob, Duration timeout, OnBlob on_blob) {
        const Time until = now().time + timeout;
        keep(gets_, core_.get_blob(blob, until, now(), effects_), std::move(on_blob));
    }
    void put_blob(std::string bytes, protocol::BlobType type, std::string label, Duration timeout,
                  OnPut on_put) {
        auto frame = compress::zstd_if_it_pays(bytes);
        Put put{std::make_unique<std::string>(std::move(bytes)),
                std::make_unique<std::string>(std::move(frame).value_or(std::string())),
                std::move(on_put)};
        client::BlobPutJob job{0, content_id(*put.bytes), *put.bytes, type, std::move(label), {}};
        job.zstd = *put.zstd;
        job.deadline = now().time + timeout;
        keep(puts_, core_.put_blob(job, now(), effects_), std::move(put));
    }

    client::Result<std::uint64_t> subscribe(const client::StreamOptions& options) {
        auto out = core_.subscribe(options, effects_);
        perform();
        look_again();
        return out;
    }
    void unsubscribe(std::uint64_t subscription) {
        core_.unsubscribe(subscription, effects_);
        perform();
        look_again();
    }

    void ping() {
        core_.ping(effects_);
        perform();
        look_again();
    }

    [[nodiscard]] ErrorCode held(std::string_view queue) const {
        const auto producer = producers_.find(queue);
        if (producer == producers_.end()) return ErrorCode::none;
        return core_.producer_stats(producer->second).held;
    }
    [[nodiscard]] Id128 new_id() { return core_.new_id(now()); }
    [[nodiscard]] const client::ClientCore& core() const noexcept { return core_; }
    [[nodiscard]] Stats stats() const {
        const client::CoreStats core = core_.stats();
        const client::WireStats& wire = wire_.stats();
        return {wire.frames_sent,
                wire.frames_received,
                core.sessions_opened,
                core.resubmitted,
                replies_.size() + gets_.size() + puts_.size(),
                producers_.size()};
    }

  private:
    struct Put {
        std::unique_ptr<std::string> bytes;  // the core borrows them
        std::unique_ptr<std::string> zstd;   // the same, encoded; empty: that does not pay
        OnPut on_put;
    };

    [[nodiscard]] client::Now now() const { return {clock_.now(), clock_.wall_millis()}; }

    // The callback of a request under way; of one that there is no place for, it is called soon.
    template <class Table, class Callback>
    void keep(Table& table, std::uint64_t id, Callback callback) {
        if (id != 0) {
            table.emplace(id, std::move(callback));
            perform();
            return look_again();
        }
        auto held = std::make_shared<Callback>(std::move(callback));  // a function must be copyable
        boost::asio::post(loop_, [self = shared_from_this(), held] {
            refuse(*held, self->closed_
                              ? Error{ErrorKind::closed, ErrorCode::none, "the session is closed"}
                              : over_limit("too many requests to the broker are under way; ask "
                                           "again"));
        });
    }
    static void refuse(const OnReply& on_reply, Error error) { on_reply(fail(std::move(error))); }
    static void refuse(const OnBlob& on_blob, Error error) { on_blob(fail(std::move(error))); }
    static void refuse(const Put& put, Error error) { put.on_put(fail(std::move(error))); }

    void perform() {
        for (client::Action& action : effects_.actions) {
            auto* connect = std::get_if<client::Connect>(&action);
            if (connect == nullptr || connect->socket != Socket::blob) continue;
            if (!options_.blob_endpoint.empty()) connect->endpoint = options_.blob_endpoint;
        }
        if (auto problem = wire_.perform(effects_.actions)) problem_ = std::move(problem);
        tell_writable();
        watch();
    }
    void tell_writable() {
        core_.set_writable(Socket::main, wire_.writable(Socket::main));
        core_.set_writable(Socket::blob, wire_.writable(Socket::blob));
    }

    // Sockets are made as they are needed; from then on they stay.
    void watch() {
        for (const Socket socket : {Socket::main, Socket::blob}) {
            transport::Dealer* dealer = wire_.dealer(socket);
            if (dealer == nullptr || watched_[static_cast<std::size_t>(socket)]) continue;
            watched_[static_cast<std::size_t>(socket)] = true;
            for (const int fd : {dealer->fd(), dealer->monitor_fd()}) {
                watchers_.push_back(std::make_unique<transport::SocketWatcher>(
                    loop_, fd, [this] { return turn(); }));
                watchers_.back()->start();
            }
        }
    }
    // Another turn, through the loop's queue: calls of one turn travel together, and a send may have
    // swallowed the edge of a frame that came in meanwhile.
    void look_again() {
        if (!closed_ && !watchers_.empty()) watchers_.front()->poke();
    }

    Drained turn() {
        const auto self = shared_from_this();  // a handler may end the link
        static_cast<void>(wire_.flush());
        tell_writable();
        core_.tick(now(), effects_);
        perform();
        hand_out(nullptr);
        if (closed_) return Drained::empty;
        client::Inbox inbox;
        wire_.receive(inbox, kFramesPerTurn);
        if (!inbox.empty()) {
            core_.handle(inbox.events, now(), effects_);
            perform();
            hand_out(&inbox);
            return closed_ ? Drained::empty : Drained::more;
        }
        arm();
        return Drained::empty;
    }

    void hand_out(client::Inbox* inbox) {
        std::vector<Notice> notices = std::exchange(effects_.notices, {});
        for (Notice& notice : notices) {
            if (!handlers_.answers) return;  // stopped
            hand_out(notice, inbox);
        }
    }
    void hand_out(Notice& notice, client::Inbox* inbox) {
        if (const auto* answered = std::get_if<client::JobsAnswered>(&notice)) {
            handlers_.answers(answered->answers);
        } else if (const auto* arrived = std::get_if<client::EntriesArrived>(&notice)) {
            if (inbox != nullptr) hand_out_entries(*arrived, *inbox->incoming[arrived->event]);
        } else if (const auto* changed = std::get_if<client::SubscriptionChanged>(&notice)) {
            const auto* info = core_.subscription(changed->subscription);
            if (info != nullptr) {
                handlers_.changed(changed->subscription, client::SubscriptionInfo(*info));
            }
        } else if (auto* done = std::get_if<client::RequestDone>(&notice)) {
            if (auto waiting = replies_.extract(done->request)) {
                waiting.mapped()(std::move(done->reply));
            }
        } else if (auto* put = std::get_if<client::PutDone>(&notice)) {
            if (auto waiting = puts_.extract(put->request)) {
                waiting.mapped().on_put(std::move(put->result));
            }
        } else if (auto* got = std::get_if<client::GetDone>(&notice)) {
            auto waiting = gets_.extract(got->request);
            if (!waiting) return;
            if (got->result) {
                waiting.mapped()(std::move(got->result->bytes));
            } else {
                waiting.mapped()(fail(std::move(got->result).error()));
            }
        } else {
            handlers_.session(core_.session());
        }
    }
    void hand_out_entries(const client::EntriesArrived& arrived, const client::Incoming& frame) {
        const auto& results = std::get<protocol::Results>(frame.frame.message);
        const client::EntryBatch batch{std::span(results.entries).subspan(arrived.skipped),
                                       arrived.gap,
                                       {arrived.incarnation, results.next_offset}};
        handlers_.entries(arrived.subscription, batch);
        if (closed_) return;
        core_.consumed(arrived, batch.position, effects_);
        perform();
    }

    void arm() {
        Time due = core_.next_deadline();
        for (const Socket socket : {Socket::main, Socket::blob}) {
            // Without a connection there is nothing to try: its coming is an event.
            const transport::Dealer* dealer = wire_.dealer(socket);
            if (dealer != nullptr && dealer->connected() && !wire_.writable(socket)) {
                due = std::min(due, clock_.now() + kRetry);
            }
        }
        if (due == armed_) return;
        armed_ = due;
        if (due == Time::max()) return static_cast<void>(timer_.cancel());
        timer_.expires_at(due);
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (error || !self || self->closed_) return;
            self->armed_ = Time::max();
            self->look_again();
        });
    }

    boost::asio::io_context& loop_;
    const LinkOptions options_;
    Handlers handlers_;
    SystemClock clock_;
    transport::Context context_;
    client::Wire wire_;
    client::ClientCore core_;
    Effects effects_;
    std::optional<std::string> problem_;
    std::map<std::string, std::uint32_t, std::less<>> producers_;  // by queue
    std::unordered_map<std::uint64_t, OnReply> replies_;
    std::unordered_map<std::uint64_t, OnBlob> gets_;
    std::unordered_map<std::uint64_t, Put> puts_;
    std::vector<std::unique_ptr<transport::SocketWatcher>> watchers_;
    std::array<bool, 2> watched_{};
    boost::asio::steady_timer timer_;
    Time armed_ = Time::max();
    bool closed_ = false;
};

BrokerLink::BrokerLink(boost::asio::io_context& loop, LinkOptions options, Handlers handlers)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(handlers))) {}
BrokerLink::~BrokerLink() { impl_->stop(); }

client::Result<void> BrokerLink::start() { return impl_->start(); }
void BrokerLink::close() { impl_->close(); }
bool BrokerLink::open() const { return impl_->core().session().open; }
const client::SessionInfo& BrokerLink::session() const { return impl_->core().session(); }
const protocol::Limits& BrokerLink::limits() const { return impl_->core().limits(); }
Id128 BrokerLink::new_id() { return impl_->new_id(); }
client::Result<void> BrokerLink::submit(std::string_view queue, const client::Job& job) {
    return impl_->submit(queue, job);
}
ErrorCode BrokerLink::held(std::string_view queue) const { return impl_->held(queue); }
void BrokerLink::request(protocol::Message message, Duration timeout, OnReply on_reply) {
    impl_->request(std::move(message), timeout, std::move(on_reply));
}
void BrokerLink::get_blob(const ContentId& id, Duration timeout, OnBlob on_blob) {
    impl_->get_blob(id, timeout, std::move(on_blob));
}
void BrokerLink::put_blob(std::string bytes, protocol::BlobType type, std::string label,
                          Duration timeout, OnPut on_put) {
    impl_->put_blob(std::move(bytes), type, std::move(label), timeout, std::move(on_put));
}
client::Result<std::uint64_t> BrokerLink::subscribe(const client::StreamOptions& options) {
    return impl_->subscribe(options);
}
void BrokerLink::unsubscribe(std::uint64_t subscription) { impl_->unsubscribe(subscription); }
void BrokerLink::ping() { impl_->ping(); }
const client::SubscriptionInfo* BrokerLink::subscription(std::uint64_t subscription) const {
    return impl_->core().subscription(subscription);
}
BrokerLink::Stats BrokerLink::stats() const { return impl_->stats(); }

}  // namespace scanmq::gateway
