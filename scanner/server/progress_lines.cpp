#include "scanner/server/progress_lines.hpp"

#include <utility>

#include "scanner/api/answer.hpp"

namespace scanmq::scand {

void ProgressLines::add(ScanDesk::Held ticket, http::Responder to) {
    readers_.push_back({std::move(ticket), std::move(to)});
    if (readers_.size() == 1) arm();
}

void ProgressLines::remove(const ScanDesk::Held& ticket) {
    readers_.remove_if([&](const Reader& reader) { return reader.ticket == ticket; });
    if (readers_.empty()) timer_.cancel();
}

void ProgressLines::arm() {
    timer_.expires_after(
        std::chrono::duration_cast<boost::asio::steady_timer::duration>(interval_));
    timer_.async_wait([this](const auto& error) {
        if (error || readers_.empty()) return;
        tell();
        arm();
    });
}

void ProgressLines::tell() {
    for (Reader& reader : readers_) {
        const auto [done, total] = ScanDesk::progress(*reader.ticket);
        if (total == 0 || done == reader.told) continue;
        if (reader.to.write(api::progress_line(done, total))) reader.told = done;
    }
}

}  // namespace scanmq::scand
