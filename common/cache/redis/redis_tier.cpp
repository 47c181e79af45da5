#include "common/cache/redis/redis_tier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <span>
#include <utility>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"
#include "common/cache/envelope.hpp"
#include "common/cache/redis/redis_commands.hpp"
#include "common/cache/redis/redis_connection.hpp"
#include "common/cache/tier_load.hpp"
#include "common/cache/tier_log.hpp"
#include "common/cache/tier_requests.hpp"
#include "common/cache/tier_window.hpp"

namespace scanmq::cache {
namespace {

constexpr std::size_t kSaidBytesMax = 200;  // of an error reply, in a log line

RedisConnectionOptions connection_options(const RedisTierOptions& options) {
    RedisConnectionOptions out;
    out.url = options.url;
    out.connect_timeout = options.connect_timeout;
    out.backoff_first = options.backoff_first;
    out.backoff_max = options.backoff_max;
    out.elements_max = options.keys_per_command_max;
    out.reply_bytes_max = options.reply_bytes_max;
    out.seed = options.seed;
    return out;
}

}  // namespace

class RedisTier::Impl final : public RedisConnection::Owner,
                              public std::enable_shared_from_this<Impl> {
  public:
    Impl(boost::asio::io_context& io, RedisTierOptions options)
        : options_(std::move(options)),
          timer_(io),
          connection_(std::make_shared<RedisConnection>(io, connection_options(options_))),
          breaker_(options_.breaker),
          window_(options_.commands_max, options_.bytes_max),
          load_({options_.keys_min, options_.keys_max}),
          log_(options_.log_every) {
        SCANMQ_ASSERT(options_.keys_per_command_max > 0);
    }

    void start() {
        connection_->start(shared_from_this(), now());
        arm();
    }
    void close() {
        closed_ = true;  // the timer, too, does nothing any more
        connection_->close();
    }

    void get(std::vector<ContentId> keys, Time deadline, GetDone done) {
        stats_.gets += keys.size();
        const Time at = now();
        deadline = std::min(deadline, at + options_.timeout);
        if (keys.empty() || !may_send() || deadline <= at) {
            (may_send() ? stats_.timeouts : stats_.held) += keys.size();
            stats_.misses += keys.size();
            return done(Values(keys.size()));
        }
        const auto self = shared_from_this();  // a callback may end the tier
        // What it cannot answer in time beside what is under way is a miss now.
        const std::size_t count = std::min(keys.size(), load_.room(waiting_));
        stats_.overflow += keys.size() - count;
        if (count == 0) {
            stats_.misses += keys.size();
            return done(Values(keys.size()));
        }
        TierRequests::Request request;
        request.values.resize(keys.size());
        request.asked = {at, deadline, waiting_ + count};
        request.keys_asked = count;
        request.keys = std::move(keys);
        request.deadline = deadline;
        request.done = std::move(done);
        const std::uint64_t id = requests_.add(std::move(request));
        waiting_ += count;
        TierRequests::Request& added = *requests_.find(id);
        for (std::size_t begin = 0; begin < count; begin += options_.keys_per_command_max) {
            const auto part =
                std::span(added.keys)
                    .subspan(begin,
                             std::min<std::size_t>(options_.keys_per_command_max, count - begin));
            text_.clear();
            append_mget(text_, options_.prefix, part);
            if (send(&Impl::on_mget, {this, id, begin, part.size()}))
                ++added.parts;
            else
                stats_.overflow += part.size();
        }
        if (added.parts == 0) finish(requests_.take(id));
        flush();
        arm();
    }
    void put(const std::vector<TierPut>& items, Time deadline) {
        stats_.puts += items.size();
        if (!may_send() || deadline <= now()) {
            stats_.held += items.size();
            return;
        }
        for (const TierPut& item : items) {
            const std::string& body = *item.value.body;
            if (body.size() > options_.value_bytes_max || item.ttl <= Duration::zero()) {
                ++stats_.rejected;
                continue;
            }
            text_.clear();
            append_set(text_, options_.prefix, item.key,
                       encode_envelope(item.key, item.value.made, body), item.ttl);
            if (!send(&Impl::on_write, {this, 0, 0, 1})) ++stats_.overflow;
        }
        arm();
    }
    void erase(const std::vector<ContentId>& keys) {
        stats_.erases += keys.size();
        if (!may_send()) {
            stats_.held += keys.size();
            return;
        }
        for (std::size_t begin = 0; begin < keys.size(); begin += options_.keys_per_command_max) {
            const auto part = std::span(keys).subspan(
                begin, std::min<std::size_t>(options_.keys_per_command_max, keys.size() - begin));
            text_.clear();
            append_unlink(text_, options_.prefix, part);
            if (!send(&Impl::on_write, {this, 0, 0, part.size()})) stats_.overflow += part.size();
        }
        arm();
    }
    [[nodiscard]] TierStats stats() const {
        TierStats out = stats_;
        out.breaker_opened = breaker_.opened();
        out.waiting = waiting_;
        out.connected = ready();
        out.breaker_open = !breaker_.allows();
        return out;
    }
    [[nodiscard]] bool ready() const noexcept { return connection_->ready(); }
    [[nodiscard]] TierBreaker::State breaker() const noexcept { return breaker_.state(); }

  private:
    // A command that was sent; lives until hiredis calls back.
    struct Command {
        Impl* self;
        std::uint64_t request;  // of a get
        std::size_t begin;      // its first key
        std::size_t count;      // keys
        std::uint64_t bytes = 0;
    };

    // RedisConnection::Owner
    void on_ready() override {
        ++stats_.connects;
        // As good as a probe.
        breaker_.probe_ended(true, now());
        if (log_.over()) log("connected");
    }
    void on_lost(const std::string& problem, bool refused) override {
        if (refused) ++stats_.refused;
        breaker_.probe_ended(false, now());
        trouble(refused ? problem + "; check user, password and database of the URL" : problem);
    }
    void after_io() override {
        flush();
        arm();
    }

    [[nodiscard]] bool may_send() const { return connection_->ready() && breaker_.allows(); }
    // Sends text_. False: beyond a limit.
    bool send(redisCallbackFn* done, const Command& command) {
        if (!window_.take(text_.size())) return false;
        if (window_.commands() == 1) unanswered_since_ = now();
        auto* const sent =
            new Command(command);  // NOLINT(cppcoreguidelines-owning-memory): of hiredis
        sent->bytes = text_.size();
        if (connection_->send(text_, done, sent)) return true;
        window_.give_back(sent->bytes);
        delete sent;
        return false;
    }
    // What each reply begins with.
    static Command received(void* context, const void* reply) {
        const std::unique_ptr<Command> sent(static_cast<Command*>(context));
        Impl& self = *sent->self;
        self.window_.give_back(sent->bytes);
        if (reply != nullptr) self.unanswered_since_ = self.replied_ = self.now();
        return *sent;
    }
    static void on_mget(redisAsyncContext* /*context*/, void* raw, void* context) {
        const Command command = received(context, raw);
        command.self->on_values(command, static_cast<const redisReply*>(raw));
    }
    static void on_write(redisAsyncContext* /*context*/, void* raw, void* context) {
        const Command command = received(context, raw);
        const auto* const reply = static_cast<const redisReply*>(raw);
        if (reply != nullptr && reply->type != REDIS_REPLY_ERROR)
            return command.self->connection_->works();
        command.self->stats_.put_errors += command.count;
        if (reply != nullptr) command.self->trouble_said("a value was not kept", *reply);
    }
    static void on_ping(redisAsyncContext* /*context*/, void* raw, void* context) {
        const Command command = received(context, raw);
        Impl& self = *command.self;
        if (command.request != self.probe_ || !std::exchange(self.probe_deadline_, {})) return;
        const auto* const reply = static_cast<const redisReply*>(raw);
        self.breaker_.probe_ended(reply != nullptr && reply->type == REDIS_REPLY_STATUS,
                                  self.now());
    }
    void on_values(const Command& command, const redisReply* reply) {
        TierRequests::Request* const request = requests_.find(command.request);
        if (request == nullptr) {
            if (reply != nullptr) stats_.late += command.count;
            return;
        }
        if (reply == nullptr || reply->type != REDIS_REPLY_ARRAY ||
            reply->elements != command.count) {
            stats_.errors += command.count;
            request->failed = true;
            if (reply != nullptr && reply->type == REDIS_REPLY_ERROR)
                trouble_said("values cannot be read", *reply);
        } else {
            connection_->works();
            for (std::size_t i = 0; i < command.count; ++i) {
                const redisReply& element = *reply->element[i];
                if (element.type == REDIS_REPLY_NIL) continue;  // also a list, or another type
                read_value(*request, command.begin + i,
                           element.type == REDIS_REPLY_STRING ? ByteView(element.str, element.len)
                                                              : ByteView());
            }
        }
        if (--request->parts > 0) return;
        TierRequests::Request ended = requests_.take(command.request);
        if (ended.failed) {
            breaker_.failed(now());
        } else {
            breaker_.succeeded();
            load_.answered(ended.asked, ended.keys_asked, now());
        }
        finish(std::move(ended));
    }
    void read_value(TierRequests::Request& request, std::size_t at, ByteView bytes) {
        const auto envelope = decode_envelope(request.keys[at], bytes);
        if (!envelope) {
            ++stats_.unreadable;
            return;
        }
        request.values[at] =
            TierValue{std::make_shared<const std::string>(envelope->body), envelope->made};
    }
    // Its callback runs in flush(), not within hiredis.
    void finish(TierRequests::Request request) {
        waiting_ -= request.keys_asked;
        for (const auto& value : request.values) ++(value ? stats_.hits : stats_.misses);
        ready_.emplace_back(std::move(request.done), std::move(request.values));
    }
    void flush() {
        const auto self = shared_from_this();
        while (!ready_.empty() && !closed_) {
            auto ready = std::exchange(ready_, {});
            for (auto& [done, values] : ready)
                if (!closed_) done(std::move(values));
        }
    }

    void tick() {
        // A loop that was busy elsewhere may find the answer beside the timer.
        if (connection_->ready()) connection_->read_now();
        if (closed_) return;
        const Time at = now();
        while (const auto overdue = requests_.overdue(at)) {
            TierRequests::Request request = requests_.take(*overdue);
            for (std::size_t i = 0; i < request.keys_asked; ++i)
                stats_.timeouts += request.values[i] ? 0 : 1;
            if (load_.late(request.asked, replied_, at)) breaker_.failed(at);
            finish(std::move(request));
        }
        if (probe_deadline_ && *probe_deadline_ <= at) {
            probe_deadline_.reset();
            breaker_.probe_ended(false, at);
        }
        if (connection_->ready() && breaker_.probe_due(at)) probe(at);
        if (connection_->ready() && window_.commands() > 0 &&
            at >= unanswered_since_ + options_.dead_after)
            connection_->drop("no answer any more");
        if (!closed_) connection_->tick(at);
        if (!closed_) after_io();
    }
    void probe(Time at) {
        text_.clear();
        append_ping(text_);
        probe_deadline_ = at + options_.timeout;
        if (send(&Impl::on_ping, {this, ++probe_, 0, 0})) return;
        probe_deadline_.reset();
        breaker_.probe_ended(false, at);
    }
    // Sets the timer to what is due first.
    void arm() {
        if (closed_) return;
        std::optional<Time> first = requests_.next_deadline();
        const auto consider = [&](std::optional<Time> time) {
            if (time && (!first || *time < *first)) first = time;
        };
        consider(connection_->next_deadline());
        consider(probe_deadline_);
        if (connection_->ready()) {
            consider(breaker_.next_deadline());
            if (window_.commands() > 0) consider(unanswered_since_ + options_.dead_after);
        }
        // One that fires too early does no harm, and setting it for each get would cost more.
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

    void trouble_said(const std::string& what, const redisReply& reply) {
        trouble(what + ": " + to_printable({reply.str, reply.len}, kSaidBytesMax));
    }
    void trouble(const std::string& problem) {
        if (log_.trouble(now())) log(problem);
    }
    void log(const std::string& sentence) const {
        if (options_.log) options_.log(options_.url.shown() + ": " + sentence);
    }
    [[nodiscard]] static Time now() { return std::chrono::steady_clock::now(); }

    RedisTierOptions options_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<RedisConnection> connection_;
    TierBreaker breaker_;
    TierWindow window_;
    TierLoad load_;
    TierRequests requests_;
    std::string text_;  // of the command that is being made
    std::vector<std::pair<GetDone, Values>> ready_;
    std::optional<Time> armed_;
    Time unanswered_since_{};  // the last reply, or the first command after all were answered
    Time replied_{};           // the last reply
    std::optional<Time> probe_deadline_;
    std::uint64_t probe_ = 0;  // number of the last one
    TierLog log_;
    bool closed_ = false;
    std::size_t waiting_ = 0;  // keys
    TierStats stats_;
};

RedisTier::RedisTier(boost::asio::io_context& io, RedisTierOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {
    impl_->start();
}
RedisTier::~RedisTier() { impl_->close(); }

void RedisTier::get(std::vector<ContentId> keys, Time deadline, GetDone done) {
    impl_->get(std::move(keys), deadline, std::move(done));
}
void RedisTier::put(std::vector<TierPut> items, Time deadline) { impl_->put(items, deadline); }
void RedisTier::erase(std::vector<ContentId> keys, Time /*deadline*/) { impl_->erase(keys); }
TierStats RedisTier::stats() const { return impl_->stats(); }
bool RedisTier::ready() const noexcept { return impl_->ready(); }
TierBreaker::State RedisTier::breaker() const noexcept { return impl_->breaker(); }

}  // namespace scanmq::cache
