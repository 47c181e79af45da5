#include "common/cache/redis/redis_connection.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <utility>

#include "common/base/assert.hpp"
#include "common/base/text.hpp"
#include "common/cache/redis/redis_commands.hpp"

namespace scanmq::cache {
namespace {

constexpr std::size_t kProblemBytesMax = 200;
constexpr int kReadsMax = 64;  // hiredis reads 16 KiB at a time

Time clock_now() { return std::chrono::steady_clock::now(); }

}  // namespace

// hiredis 0.14 believes every length that the server tells, and takes a reply to nothing for a mistake of
// ours that ends the program. These stand between it and the making of replies: what is beyond the
// limits, or was not asked for, is refused as if memory had run out, which ends the connection.
struct RedisConnection::Reader {
    std::uint64_t bytes_max = 0;
    std::uint64_t bytes_left = 0;
    std::uint32_t elements_max = 0;
    const redisAsyncContext* context = nullptr;
    const redisReplyObjectFunctions* inner = nullptr;
    redisReplyObjectFunctions functions{};

    static Reader& of(const redisReadTask* task) { return *static_cast<Reader*>(task->privdata); }
    // Whether somebody waits for it, or for the array that it is part of.
    static bool expected(const redisReadTask* task) {
        return task->parent != nullptr || of(task).context->replies.head != nullptr;
    }
    static void* create_string(const redisReadTask* task, char* bytes, std::size_t size) {
        Reader& self = of(task);
        if (task->parent == nullptr) self.bytes_left = self.bytes_max;
        if (!expected(task) || size > self.bytes_left) return nullptr;
        self.bytes_left -= size;
        return self.inner->createString(task, bytes, size);
    }
    static void* create_array(const redisReadTask* task, int elements) {
        Reader& self = of(task);
        self.bytes_left = self.bytes_max;
        // No command of ours is answered with arrays in arrays.
        if (!expected(task) || elements < 0 || task->parent != nullptr ||
            static_cast<std::uint32_t>(elements) > self.elements_max)
            return nullptr;
        return self.inner->createArray(task, elements);
    }
    static void* create_integer(const redisReadTask* task, long long value) {
        return expected(task) ? of(task).inner->createInteger(task, value) : nullptr;
    }
    static void* create_nil(const redisReadTask* task) {
        return expected(task) ? of(task).inner->createNil(task) : nullptr;
    }
    void attach(redisAsyncContext& of_context) {
        context = &of_context;
        redisReader& reader = *of_context.c.reader;
        inner = reader.fn;
        functions = *reader.fn;
        functions.createString = &create_string;
        functions.createArray = &create_array;
        functions.createInteger = &create_integer;
        functions.createNil = &create_nil;
        reader.fn = &functions;
        reader.privdata = this;
    }
    [[nodiscard]] bool over(const redisReader& reader) const {
        return reader.len > bytes_max + (64U << 10);
    }
};

struct RedisConnection::Hooks {
    static RedisConnection& of(void* self) { return *static_cast<RedisConnection*>(self); }
    static void add_read(void* self) {
        of(self).wants_read_ = true;
        of(self).watch_read();
    }
    static void delete_read(void* self) { of(self).wants_read_ = false; }
    static void add_write(void* self) {
        of(self).wants_write_ = true;
        of(self).watch_write();
    }
    static void delete_write(void* self) { of(self).wants_write_ = false; }
    // The last thing that hiredis says of a connection, before it closes the socket.
    static void clean_up(void* self) { of(self).lose(); }

    static void on_connect(const redisAsyncContext* context, int status) {
        RedisConnection& self = of(context->data);
        if (status != REDIS_OK && self.problem_.empty()) self.problem_ = context->errstr;
    }
    static void on_auth(redisAsyncContext* context, void* reply, void*) {
        of(context->data).on_greeted(static_cast<redisReply*>(reply), false);
    }
    static void on_select(redisAsyncContext* context, void* reply, void*) {
        of(context->data).on_greeted(static_cast<redisReply*>(reply), true);
    }
};

RedisConnection::RedisConnection(boost::asio::io_context& io, RedisConnectionOptions options)
    : io_(io),
      options_(std::move(options)),
      resolver_(io),
      descriptor_(io),
      reader_(std::make_unique<Reader>()),
      rng_(options_.seed) {
    reader_->bytes_max = options_.reply_bytes_max;
    reader_->elements_max = options_.elements_max;
}

RedisConnection::~RedisConnection() { SCANMQ_ASSERT(context_ == nullptr); }

void RedisConnection::start(const std::shared_ptr<Owner>& owner, Time now) {
    owner_ = owner;
    state_ = State::waiting;
    due_ = now;
}

void RedisConnection::close() {
    state_ = State::closed;
    owner_.reset();
    resolver_.cancel();
    if (context_ != nullptr) redisAsyncFree(context_);
}

bool RedisConnection::send(std::string_view command, redisCallbackFn* done, void* context) {
    SCANMQ_ASSERT(context_ != nullptr);
    return redisAsyncFormattedCommand(context_, done, context, command.data(), command.size()) ==
           REDIS_OK;
}

void RedisConnection::drop(const std::string& problem) {
    const auto self = shared_from_this();
    if (problem_.empty()) problem_ = problem;
    if (context_ != nullptr)
        redisAsyncFree(context_);  // calls lose()
    else
        lose();
    if (const auto owner = owner_.lock()) owner->after_io();
}

void RedisConnection::tick(Time now) {
    if (now < due_) return;
    if (state_ == State::waiting) {
        state_ = State::connecting;
        due_ = now + options_.connect_timeout;
        resolve();
    } else if (state_ == State::connecting) {
        drop(fmt::format(
            "no answer within {} ms",
            std::chrono::duration_cast<std::chrono::milliseconds>(options_.connect_timeout)
                .count()));
    }
}

std::optional<Time> RedisConnection::next_deadline() const noexcept {
    return state_ == State::waiting || state_ == State::connecting ? std::optional(due_)
                                                                   : std::nullopt;
}

void RedisConnection::resolve() {
    ++number_;
    problem_.clear();
    refused_ = false;
    // hiredis would look the name up in a blocking way.
    resolver_.async_resolve(
        options_.url.host, "",
        [weak = weak_from_this(), number = number_](
            const boost::system::error_code& error,
            const boost::asio::ip::tcp::resolver::results_type& found) {
            const auto self = weak.lock();
            if (!self || number != self->number_ || self->state_ != State::connecting) return;
            if (error || found.empty())
                self->drop("the host's name was not found: " + error.message());
            else
                self->connect(found.begin()->endpoint().address().to_string());
        });
}

void RedisConnection::connect(const std::string& address) {
    context_ = redisAsyncConnect(address.c_str(), options_.url.port);
    if (context_ == nullptr) return drop("out of memory");
    if (context_->err != 0) {
        const std::string problem = context_->errstr;
        redisAsyncFree(std::exchange(context_, nullptr));
        return drop(problem);
    }
    context_->data = this;
    context_->ev = {this,
                    &Hooks::add_read,
                    &Hooks::delete_read,
                    &Hooks::add_write,
                    &Hooks::delete_write,
                    &Hooks::clean_up};
    reader_->attach(*context_);
    boost::system::error_code error;
    descriptor_.assign(context_->c.fd, error);
    if (error) return drop("the loop cannot watch the connection: " + error.message());
    redisAsyncSetConnectCallback(context_, &Hooks::on_connect);
    std::string command;
    if (!options_.url.password.empty()) {
        append_auth(command, options_.url.user, options_.url.password);
        send(command, &Hooks::on_auth, nullptr);
        command.clear();
    }
    // Also for database 0: without a password that is needed it is refused.
    append_select(command, options_.url.database);
    send(command, &Hooks::on_select, nullptr);
}

void RedisConnection::on_greeted(const redisReply* reply, bool last) {
    if (reply == nullptr || state_ != State::connecting) return;
    if (reply->type == REDIS_REPLY_ERROR) {
        if (problem_.empty()) {
            const std::string_view said(reply->str, reply->len);
            // A server that is loading its data is not one that refuses us.
            refused_ = !said.starts_with("LOADING") && !said.starts_with("BUSY");
            problem_ = fmt::format("{}: {}", last ? "SELECT" : "AUTH",
                                   to_printable(said, kProblemBytesMax));
        }
        if (last) redisAsyncDisconnect(context_);  // inside hiredis: ends it after this callback
        return;
    }
    if (!last) return;
    if (!problem_.empty()) return redisAsyncDisconnect(context_);
    state_ = State::ready;
}

// Calls hiredis, then tells the owner what came of it.
template <class Handle>
void RedisConnection::run(Handle&& handle) {
    const auto owner = owner_.lock();
    const bool was_ready = ready();
    handle();
    if (context_ != nullptr && reader_->over(*context_->c.reader)) {
        problem_ = "a reply is larger than the limit";
        redisAsyncFree(context_);
    }
    if (!owner || state_ == State::closed) return;
    if (!was_ready && ready()) owner->on_ready();
    owner->after_io();
}

void RedisConnection::read_now() {
    const auto self = shared_from_this();
    for (int reads = 0; reads < kReadsMax && context_ != nullptr && wants_read_; ++reads) {
        run([&] { redisAsyncHandleRead(context_); });
        int waiting = 0;
        if (context_ == nullptr || ioctl(context_->c.fd, FIONREAD, &waiting) != 0 || waiting == 0)
            return;
    }
}

void RedisConnection::watch_read() {
    if (std::exchange(watches_read_, true)) return;
    descriptor_.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [self = shared_from_this(), number = number_](const boost::system::error_code& error) {
            if (number != self->number_) return;
            self->watches_read_ = false;
            if (error || self->context_ == nullptr || !self->wants_read_) return;
            self->read_now();
            if (self->context_ != nullptr && self->wants_read_) self->watch_read();
        });
}

void RedisConnection::watch_write() {
    if (std::exchange(watches_write_, true)) return;
    descriptor_.async_wait(
        boost::asio::posix::stream_descriptor::wait_write,
        [self = shared_from_this(), number = number_](const boost::system::error_code& error) {
            if (number != self->number_) return;
            self->watches_write_ = false;
            if (error || self->context_ == nullptr || !self->wants_write_) return;
            self->run([&] { redisAsyncHandleWrite(self->context_); });
            if (self->context_ != nullptr && self->wants_write_) self->watch_write();
        });
}

// The connection is no more, or was never made: tells why, and waits before it is made again.
void RedisConnection::lose() {
    if (context_ != nullptr) {
        if (problem_.empty()) problem_ = context_->errstr != nullptr ? context_->errstr : "";
        if (descriptor_.is_open()) descriptor_.release();  // hiredis closes it
        context_ = nullptr;
    }
    ++number_;
    wants_read_ = wants_write_ = watches_read_ = watches_write_ = false;
    if (state_ == State::closed) return;
    if (problem_.empty()) problem_ = "the connection ended";
    state_ = State::waiting;
    backoff_ = std::clamp(2 * backoff_, options_.backoff_first, options_.backoff_max);
    // Between half of it and all of it, so that all brokers do not come back at once.
    due_ =
        clock_now() + std::chrono::duration_cast<Duration>(backoff_ * (0.5 + rng_.uniform() / 2));
    if (const auto owner = owner_.lock())
        owner->on_lost(to_printable(problem_, kProblemBytesMax), refused_);
}

}  // namespace scanmq::cache
