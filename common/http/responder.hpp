#pragma once
// Responder: the one answer to one request, now or later.
//
// Use:       answer() once; or begin(), write() as often as wanted, finish() once. What comes after the
//            end, or after the client went away, does nothing.
// Threads:   copies may be used from any thread; the work is done on the server's loop, in the order in
//            which one thread asked for it. on_gone's callback runs on the loop.
// Lifetime:  the io_context must outlive every copy; the server need not. When the last copy goes away
//            without an answer, the client gets 500 `no_answer`.
// Limits:    what was written and not yet sent is bounded by ServerOptions::stream_bytes_max; write()
//            says false beyond it and the chunk is counted as dropped. finish()'s last piece is always
//            taken.

#include <functional>
#include <memory>
#include <string>

#include "common/http/message.hpp"

namespace scanmq::http {

class Exchange;

class Responder {
  public:
    explicit Responder(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}

    void answer(Response response) const;

    // A chunked answer. head.body, when there is one, is its first chunk.
    void begin(Response head) const;
    // False: over the limit, or nobody reads it any more.
    [[nodiscard]] bool write(std::string chunk) const;
    void finish(std::string last = {}) const;

    // True once the client closed its end before the answer was complete.
    [[nodiscard]] bool gone() const noexcept;
    // `tell` is called at most once, when the client goes away before the answer is complete: at once,
    // if it has. A later on_gone() replaces an earlier one.
    void on_gone(std::function<void()> tell) const;

  private:
    std::shared_ptr<Exchange> exchange_;  // shared: whoever is last answers
};

}  // namespace scanmq::http
