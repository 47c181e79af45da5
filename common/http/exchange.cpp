#include "common/http/exchange.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "common/http/connection.hpp"

namespace scanmq::http {

// Runs `work` with the connection on the loop; at once, when this is the loop.
template <class Work>
void Exchange::on_loop(Work work) {
    boost::asio::dispatch(
        io_, [connection = connection_, serial = serial_, work = std::move(work)]() mutable {
            if (const auto held = connection.lock()) work(*held, serial);
        });
}

Exchange::~Exchange() {
    if (answered_.load(std::memory_order_relaxed) || gone()) return;
    // Posted, not dispatched: the handler's caller may be in the middle of something.
    boost::asio::post(io_, [connection = connection_, serial = serial_] {
        const auto held = connection.lock();
        if (!held) return;
        held->answer(serial, error_response(500, "no_answer",
                                            "the server gave this request up without an answer; "
                                            "this is a bug of the server"));
    });
}

void Exchange::answer(Response response) {
    if (answered_.exchange(true)) return;
    on_loop([response = std::move(response)](Connection& connection, std::uint64_t serial) mutable {
        connection.answer(serial, std::move(response));
    });
}

void Exchange::begin(Response head) {
    if (answered_.load(std::memory_order_relaxed)) return;
    on_loop([head = std::move(head)](Connection& connection, std::uint64_t serial) mutable {
        connection.begin(serial, std::move(head));
    });
}

bool Exchange::write(std::string chunk) {
    if (answered_.load(std::memory_order_relaxed) || gone()) return false;
    const std::size_t bytes = chunk.size();
    if (waiting_.fetch_add(bytes, std::memory_order_relaxed) + bytes > stream_bytes_max_) {
        waiting_.fetch_sub(bytes, std::memory_order_relaxed);
        on_loop([](Connection& connection, std::uint64_t) { connection.count_stream_drop(); });
        return false;
    }
    on_loop([chunk = std::move(chunk)](Connection& connection, std::uint64_t serial) mutable {
        connection.write(serial, std::move(chunk), true);
    });
    return true;
}

void Exchange::finish(std::string last) {
    if (answered_.exchange(true)) return;
    on_loop([last = std::move(last)](Connection& connection, std::uint64_t serial) mutable {
        connection.finish(serial, std::move(last));
    });
}

void Exchange::on_gone(const std::shared_ptr<Exchange>& self, std::function<void()> tell) {
    boost::asio::dispatch(self->io_, [self, tell = std::move(tell)]() mutable {
        if (self->gone()) {
            if (tell) tell();
        } else if (!self->over_) {
            self->tell_ = std::move(tell);
        }
    });
}

void Exchange::client_gone() {
    if (over_ || gone_.exchange(true)) return;
    if (auto tell = std::exchange(tell_, nullptr)) tell();
}

void Exchange::over() {
    over_ = true;
    tell_ = nullptr;
}

void Responder::answer(Response response) const { exchange_->answer(std::move(response)); }
void Responder::begin(Response head) const { exchange_->begin(std::move(head)); }
bool Responder::write(std::string chunk) const { return exchange_->write(std::move(chunk)); }
void Responder::finish(std::string last) const { exchange_->finish(std::move(last)); }
bool Responder::gone() const noexcept { return exchange_->gone(); }
void Responder::on_gone(std::function<void()> tell) const {
    Exchange::on_gone(exchange_, std::move(tell));
}

}  // namespace scanmq::http
