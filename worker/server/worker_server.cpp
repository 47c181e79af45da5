#include "worker/server/worker_server.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>
#include <utility>

#include "worker/server/worker_loop.hpp"

namespace scanmq::worker {

namespace {

using transport::Drained;

Settings complete(Settings settings, Scanner& scanner) {
    Rng rng(Rng::random_seed());
    settings.core.instance = random_id(rng);
    settings.core.seed = rng.next();
    settings.core.scanner_version = scanner.version();
    settings.core.fetch_inputs = scanner.reads_inputs();
    settings.core.run_on_loop = scanner.on_loop();
    if (scanner.on_loop()) settings.core.threads = 1;
    if (const AsyncScanner* async = scanner.asynchronous()) {
        settings.core.threads = async->slots();
        settings.core.window_max = std::max(settings.core.window_max, settings.core.threads);
        settings.core.start_ahead = false;
    }
    return settings;
}

// DONE frames are bounded by the window, so that send() says full only when there is no connection.
transport::SocketOptions socket_options(const WorkerOptions& options) {
    transport::SocketOptions out;
    out.send_mark += static_cast<int>(options.window_max);
    return out;
}

}  // namespace

WorkerServer::Impl::Impl(Settings settings, std::unique_ptr<Scanner> scanner)
    : settings_(complete(std::move(settings), *scanner)),
      scanner_(std::move(scanner)),
      async_(scanner_->asynchronous()),
      core_(settings_.core, std::chrono::steady_clock::now()),
      cache_(settings_.cache_bytes),
      main_(context_, socket_options(settings_.core)),
      frames_(loop_, main_.fd(), [this] { return drain_frames(); }),
      monitor_(loop_, main_.monitor_fd(), [this] { return poll_connection(); }),
      blobs_(loop_, context_,
             {[this](GotBlob&& blob) { on_got(std::move(blob)); },
              [this](StoredBlob&& blob) { on_stored(std::move(blob)); }, [this] { arm_timer(); }}),
      // Without scans on it, it has one thread, that decodes what was fetched.
      pool_(settings_.core.run_on_loop || async_ != nullptr ? 1 : settings_.core.threads,
            std::size_t{settings_.core.threads} * 2 + 1) {
    if (settings_.results.where == "off") return;
    known_.emplace(loop_, settings_.core.name, settings_.results,
                   [this](std::span<const KnownResults::Found> found) { on_known(found); });
}

Exit WorkerServer::Impl::run() {
    if (settings_.brokers.empty())
        return {kExitNoBroker, "no broker was given: name one with --broker"};
    for (const std::string& broker : settings_.brokers) {
        if (auto connected = main_.connect(broker); !connected) {
            return {kExitNoBroker, connected.error().sentence};
        }
    }
    broker_ = settings_.brokers.size() - 1;
    if (broker_ != 0) connect_next();
    if (settings_.take_signals) take_signals();
    frames_.start();
    monitor_.start();
    attach_scanner();
    arm_timer();
    loop_.run();
    if (scanner_->reads_inputs()) {
        spdlog::info("inputs: {} fetched, {} decoded, {} found in memory", cache_.misses(),
                     cache_.decodes(), cache_.hits());
    }
    log_counters();
    exit_->scans_left = !pool_.finish(settings_.scans_patience);
    if (async_ != nullptr && !async_->stop(settings_.scans_patience)) exit_->scans_left = true;
    if (exit_->code == kExitNoBroker) {
        exit_->sentence += " (";
        for (const std::string& broker : settings_.brokers) {
            exit_->sentence += &broker == settings_.brokers.data() ? broker : ", " + broker;
        }
        exit_->sentence += "): start one, or name another with --broker";
    }
    return *exit_;
}

void WorkerServer::Impl::connect_next() {
    broker_ = (broker_ + 1) % settings_.brokers.size();
    // Every endpoint was connected to once in run(), so this one can be read.
    static_cast<void>(main_.connect(settings_.brokers[broker_]));
    monitor_.poke();
    frames_.poke();
}

void WorkerServer::Impl::take_signals() {
    if (!signals_) signals_.emplace(loop_, SIGINT, SIGTERM);
    signals_->async_wait([this](const boost::system::error_code& error, int) {
        if (error) return;
        const Event event = DrainEvent{};
        step({&event, 1});
        if (!exit_) take_signals();
    });
}

void WorkerServer::Impl::post_drain(int times) {
    boost::asio::post(loop_, [this, times] {
        const std::vector<Event> events(static_cast<std::size_t>(times), Event(DrainEvent{}));
        step(events);
    });
}

Drained WorkerServer::Impl::poll_connection() {
    if (exit_ || !main_.poll_connection()) return Drained::empty;
    if (!main_.connected()) {
        const Event event = DisconnectedEvent{};
        step({&event, 1});
    } else if (main_.generation() != generation_) {
        generation_ = main_.generation();
        const Event event = ConnectedEvent{};
        step({&event, 1});
    }
    return Drained::empty;
}

// Re-armed only for an earlier moment: most deadlines move away with every frame, and a timer that
// fires too early costs less than one that is set a thousand times.
void WorkerServer::Impl::arm_timer() {
    if (exit_) return;
    std::optional<Time> due = core_.next_deadline();
    if (const auto blob_due = blobs_.next_deadline(); blob_due && (!due || *blob_due < *due))
        due = blob_due;
    if (const auto known_due = known_ ? known_->next_deadline() : std::nullopt;
        known_due && (!due || *known_due < *due)) {
        due = known_due;
    }
    if (!due || (armed_ && *armed_ <= *due)) return;
    armed_ = due;
    timer_.expires_at(*due);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) on_timer();
    });
}

void WorkerServer::Impl::on_timer() {
    armed_.reset();
    // Silence is judged by what was handled, so first handle what has arrived.
    if (drain_frames() == Drained::more) frames_.poke();
    if (exit_) return;
    blobs_.tick(std::chrono::steady_clock::now());
    if (!exit_ && known_) known_->tick(std::chrono::steady_clock::now());
    if (!exit_) tick();
    arm_timer();
}

void WorkerServer::Impl::log_counters() const {
    const WorkerCounters& all = core_.counters();
    const ResultCacheCounters cache = result_cache();
    spdlog::info(
        "leaving: {} done, {} failed, {} rejected, {} returned; cache: {} hits, {} misses ({} "
        "late)",
        all.done, all.failed, all.rejected, all.returned, cache.hits, cache.misses, cache.late);
}

void WorkerServer::Impl::log(const Note& note) const {
    const std::string& broker = settings_.brokers[broker_];
    switch (note.level) {
        case NoteLevel::info:
            spdlog::info("{}: {}", broker, note.sentence);
            return;
        case NoteLevel::warning:
            spdlog::warn("{}: {}", broker, note.sentence);
            return;
        case NoteLevel::error:
            spdlog::error("{}: {}", broker, note.sentence);
            return;
    }
}

WorkerServer::WorkerServer(Settings settings, std::unique_ptr<Scanner> scanner)
    : impl_(std::make_unique<Impl>(std::move(settings), std::move(scanner))) {}

WorkerServer::~WorkerServer() = default;

Exit WorkerServer::run() { return impl_->run(); }

void WorkerServer::drain() { impl_->post_drain(1); }

void WorkerServer::abort() { impl_->post_drain(2); }

ResultCacheCounters WorkerServer::result_cache() const noexcept { return impl_->result_cache(); }

const WorkerCounters& WorkerServer::counters() const noexcept { return impl_->counters(); }

}  // namespace scanmq::worker
