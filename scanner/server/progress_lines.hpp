#pragma once
// ProgressLines: tells those who read a scan's answer as lines how far it is.
//
// Threads: the loop.
// Limits:  one line a scan and interval, and only when something changed. A line that its reader has no
//          room for is left out (HttpStats::stream_drops): the next one says more.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <list>

#include "common/http/responder.hpp"
#include "scanner/server/scan_desk.hpp"

namespace scanmq::scand {

class ProgressLines {
  public:
    ProgressLines(boost::asio::io_context& io, Duration interval)
        : timer_(io), interval_(interval) {}

    void add(ScanDesk::Held ticket, http::Responder to);
    // When its answer is about to end.
    void remove(const ScanDesk::Held& ticket);

  private:
    struct Reader {
        ScanDesk::Held ticket;
        http::Responder to;
        std::uint64_t told{};
    };
    void arm();
    void tell();

    boost::asio::steady_timer timer_;
    const Duration interval_;
    std::list<Reader> readers_;
};

}  // namespace scanmq::scand
