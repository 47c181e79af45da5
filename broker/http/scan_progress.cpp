#include "broker/http/scan_progress.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <utility>

#include "broker/http/scan_status.hpp"

namespace scanmq::gateway {

namespace {

constexpr Duration kLook = std::chrono::milliseconds(500);  // between two questions

std::string error_line(const Problem& problem) {
    return api::error_line({problem.status, problem.code, problem.sentence, {}});
}

// Asks the broker how far the scan is, until it ended. Owned by the timer's and the desk's callbacks.
class Lines : public std::enable_shared_from_this<Lines> {
  public:
    Lines(Context& context, const Id128& id, http::Responder client)
        : context_(context), id_(id), client_(std::move(client)), timer_(*context.loop) {}

    void start(Duration patience) {
        http::Response head;
        head.content_type = http::kJsonLines;
        head.headers.emplace_back("X-Scanmq-Job-Id", id_.hex());
        head.body = api::accepted_line(id_.hex());
        client_.begin(std::move(head));
        const Track* track = context_.desk.find(id_);
        if (track->stage == Stage::ended) return end(WakeReason::ended, track);
        auto problem = context_.desk.wait(
            id_, patience, client_,
            [self = shared_from_this()](WakeReason reason, const Id128&, const Track* woken) {
                self->end(reason, woken);
            });
        if (problem) return finish(error_line(*problem));
        look_later();
    }

  private:
    void look_later() {
        timer_.expires_after(kLook);
        timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
            if (!error && !self->ended_ && !self->client_.gone()) self->look();
        });
    }
    void look() {
        context_.desk.query(
            "job", context_.options.queue + "/" + id_.hex(),
            [self = shared_from_this()](Desk::Answer<std::vector<protocol::Row>> rows) {
                if (self->ended_) return;
                Seen seen;
                if (rows && !rows->empty()) seen.row = std::move(rows->front());
                const std::uint64_t done = seen.number("progress_done");
                const std::uint64_t total = seen.number("progress_total");
                // A line that finds no room is left out: the next one says more.
                if (total > 0 && std::exchange(self->told_, done) != done) {
                    static_cast<void>(self->client_.write(api::progress_line(done, total)));
                }
                self->look_later();
            });
    }
    void end(WakeReason reason, const Track* track) {
        if (reason == WakeReason::no_room) {
            return finish(error_line(no_room(context_, context_.options.queue)));
        }
        if (reason == WakeReason::timed_out || track == nullptr) {
            return finish(error_line({504,
                                      "no_result_yet",
                                      "it has not ended in time; ask for /api/v1/scan/" + id_.hex(),
                                      {}}));
        }
        if (!track->ended.done()) {
            return finish(error_line(scan_problem(track->symbol, track->ended)));
        }
        auto list = spreads_of(track->ended.body, track->call.get());
        finish(list ? api::result_line(*list) : error_line(list.error()));
    }
    void finish(std::string line) {
        ended_ = true;
        timer_.cancel();
        client_.finish(std::move(line));
    }

    Context& context_;
    const Id128 id_;
    const http::Responder client_;
    boost::asio::steady_timer timer_;
    std::uint64_t told_ = 0;
    bool ended_ = false;
};

}  // namespace

void answer_in_lines(Context& context, const Id128& id, Duration patience,
                     const http::Responder& client) {
    std::make_shared<Lines>(context, id, client)->start(patience);
}

}  // namespace scanmq::gateway
