#include "broker/server/broker_loop.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <utility>

#include "client/cache/shared_tier.hpp"
#include "common/base/rng.hpp"
#include "common/cache/value_check.hpp"

namespace scanmq::broker {

using transport::Drained;

namespace {

// Turns before timers, signals and the blob socket get theirs.
constexpr int kTurnsMax = 8;
constexpr Duration kLinger = std::chrono::milliseconds(500);

Time now() { return std::chrono::steady_clock::now(); }

transport::SocketOptions socket_options(const ServerOptions& options) {
    transport::SocketOptions out;
    const PipeMarks first = marks(main_pipes(options.core.memory), 0);
    out.send_mark = first.send;
    out.receive_mark = first.receive;
    out.linger = kLinger;
    return out;
}

// Between two rounds of the housekeeper, at least; an idle loop wakes up for it less often.
constexpr Duration kHouseBusy = std::chrono::milliseconds(250);
// Giving memory back takes the heaps' locks for a while.
constexpr Duration kTrimEvery = std::chrono::seconds(1);

}  // namespace

BrokerLoop::BrokerLoop(const ServerOptions& options)
    : options_(options),
      socket_options_(socket_options(options)),
      router_(context_, socket_options_),
      outbox_(router_, options.outgoing_bytes_max, options.core.memory.outgoing),
      blobs_(options.blobs),
      storage_(options),
      intake_(router_, bodies_, outbox_),
      pipes_(loop_, router_, main_pipes(options.core.memory), [this] { watcher_.poke(); }),
      watcher_(loop_, router_.fd(), [this] { return drain(); }),
      housekeeper_(loop_, storage_, [this](const Housekeeper::Found& f) { keep_house(f); }),
      timer_(loop_) {
    const SystemClock clock;
    const auto monotonic_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.now().time_since_epoch())
            .count();
    options_.core.wall_offset_ms = clock.wall_millis() - monotonic_ms;
    options_.core.seed = Rng::random_seed();
    options_.core.records = storage_.durable();
}

BrokerLoop::~BrokerLoop() = default;

Result<void, ServerError> BrokerLoop::open() {
    // The epoch is kept before anybody can connect.
    if (auto opened = storage_.open(); !opened) return opened;
    options_.core.epoch = storage_.epoch();
    auto bound = router_.bind(options_.listen);
    if (!bound) return fail(ServerError{std::move(bound).error().sentence});
    endpoint_ = *bound;

    const PipeShare blob_share = blob_pipes(options_.core.memory);
    const PipeMarks first = marks(blob_share, 0);
    transport::SocketOptions blob_socket = socket_options_;
    blob_socket.frame_bytes_max = kBlobFrameBytesMax;
    blob_socket.send_mark = first.send;
    blob_socket.receive_mark = first.receive;
    blob_link_ = std::make_unique<BlobLink>(
        loop_,
        BlobLink::Settings{blob_socket, options_.outgoing_bytes_max,
                           options_.core.memory.blob_outgoing, blob_share, options_.blob_core},
        blobs_, storage_.blob_files(),
        [this](protocol::SessionId session) { return core_->session_open(session); });
    const std::string blob_listen =
        options_.blob_listen.empty() ? next_port(options_.listen) : options_.blob_listen;
    bound = blob_link_->bind(blob_listen);
    if (!bound) return fail(ServerError{std::move(bound).error().sentence});
    blob_bound_ = *bound;
    options_.core.blob_endpoint =
        options_.blob_advertise.empty() ? *bound : options_.blob_advertise;

    open_cache();
    core_ = std::make_unique<BrokerCore>(options_.core, blobs_, bodies_);
    if (auto restored = storage_.restore(*core_, bodies_, blobs_, now()); !restored) {
        return restored;
    }
    storage_.start([this] { boost::asio::post(loop_, [this] { watcher_.poke(); }); });
    // Before anybody is granted anything; from now on the housekeeper looks.
    if (const auto figures = storage_.figures()) storage_.judge(*figures);
    core_->set_store_full(storage_.store_full());
    for (const std::string& text : options_.queues) {
        const auto spec = parse_queue(text);
        if (!spec) return fail(spec.error());
        core_->ensure_queue(spec->name, spec->settings, now(), effects_);
        obey();
    }
    return {};
}

void BrokerLoop::open_cache() {
    options_.core.cache_peers = options_.cache_peers == "on";
    if (options_.cache == "off") options_.core.cache_bytes_max = 0;
    if (options_.core.cache_bytes_max == 0) {
        spdlog::warn(
            "without memory for results (--cache off, --cache-bytes 0) no older ones are served: "
            "stale_ms and degraded_ms of queues have no effect");
    }
    if (options_.cache == "off" || options_.cache == "memory") return;
    client::SharedTierOptions tier;
    tier.where = options_.cache;  // check() was asked
    tier.prefix = options_.cache_prefix;
    tier.wait = options_.core.cache_wait;
    tier.seed = options_.core.seed;
    tier.name = options_.core.name;
    tier.agent = "scanmq-broker";
    Rng rng(Rng::random_seed());
    tier.instance = random_id(rng);
    tier.log = [](const std::string& sentence) { spdlog::warn("cache: {}", sentence); };
    options_.core.cache_instance = tier.instance;
    options_.core.cache_shared = true;
    // The tier keeps the deadline; this is for a tier that does not.
    options_.core.cache_wait = options_.core.cache_wait * 5 / 4;
    const Duration wait = tier.wait;
    cache_link_ = std::make_unique<CacheLink>(
        loop_,
        [tier = std::move(tier)](boost::asio::io_context& context) {
            return client::make_shared_tier(context, tier);
        },
        wait, [this](std::vector<CacheLink::Answer> answers) { take_answers(std::move(answers)); });
}

Result<void, ServerError> BrokerLoop::run() {
    boost::asio::signal_set signals(loop_);
    if (options_.handle_signals) {
        signals.add(SIGTERM);
        signals.add(SIGINT);
        signals.async_wait([this](const boost::system::error_code& error, int number) {
            if (error) return;
            spdlog::info("signal {}: stopping", number);
            stop();
        });
    }
    pipes_.start();
    watcher_.start();
    blob_link_->start();
    arm();
    loop_.run();
    if (error_) return fail(*error_);
    return {};
}

void BrokerLoop::request_stop() {
    boost::asio::post(loop_, [this] { stop(); });
}

Drained BrokerLoop::drain() {
    look_after_storage();
    if (outbox_.behind()) {
        outbox_.set_durable(storage_.log().durable());
        if (outbox_.flush()) more_room_ = true;
    }
    tell_peers();
    for (int i = 0; i < kTurnsMax && !stopping_; ++i) {
        const bool empty = storage_.backlogged() || intake_.receive();
        const bool worked = turn();
        if (stopping_) return Drained::empty;
        if (empty && !worked) {
            arm();
            return Drained::empty;
        }
    }
    arm();
    return Drained::more;
}

// Gives the core what has come in, or its turn when it is due. False: there was nothing to do.
bool BrokerLoop::turn() {
    for (const std::uint32_t lost : outbox_.take_lost()) intake_.add_disconnect(ConnectionId{lost});
    const Time at = now();
    const std::uint64_t body_bytes = bodies_.memory();
    core_->set_memory(body_bytes, outbox_.queued_bytes());
    if (!intake_.empty()) {
        if (intake_.queried()) set_gauges();
        core_->handle(intake_.events(), at, effects_);
    } else {
        const auto due = core_->next_deadline();
        const bool held = more_room_ && core_->memory_held();
        if (!held && (!due || *due > at)) return false;
        core_->tick(at, effects_);
    }
    more_room_ = false;
    ++turns_;
    obey();
    // The core has not seen yet what it released itself.
    if (bodies_.memory() < body_bytes) more_room_ = true;
    intake_.clear();
    tell_peers();
    return true;
}

void BrokerLoop::obey() {
    if (!effects_.commits.empty()) {
        const auto appended = storage_.log().append(effects_.commits, bodies_);
        if (!appended) return fail_with(appended.error().sentence);
        appended_ = *appended;
        note_keys(appended_);
        outbox_.set_durable(storage_.log().durable());
    }
    for (Send& out : effects_.sends) send(out);
    if (cache_link_) serve_cache();
    for (const BodyHandle handle : effects_.releases) bodies_.release(handle);
    for (const BackupRequest& request : effects_.backups) begin_backup(request);
    effects_.clear();
}

void BrokerLoop::serve_cache() {
    if (!effects_.cache_asks.empty()) cache_link_->ask(effects_.cache_asks);
    if (!effects_.cache_drops.empty()) cache_link_->drop(std::move(effects_.cache_drops));
    if (effects_.cache_keeps.empty()) return;
    const WallMillis made = SystemClock().wall_millis();
    std::vector<cache::TierPut> items;
    items.reserve(effects_.cache_keeps.size());
    for (const CacheKeep& one : effects_.cache_keeps) {
        const protocol::Body body = bodies_.view(one.body);
        const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(one.age);
        items.push_back({one.fingerprint,
                         {std::make_shared<const std::string>(body.bytes), made - age.count()},
                         one.ttl});
    }
    cache_link_->keep(std::move(items));
}

void BrokerLoop::take_answers(std::vector<CacheLink::Answer> answers) {
    if (stopping_) return;
    const WallMillis wall = SystemClock().wall_millis();
    std::vector<Event> events;
    events.reserve(answers.size());
    for (CacheLink::Answer& one : answers) {
        CacheEvent event;
        event.look_up = one.look_up;
        // No result that is kept there is larger: what is was put there by somebody else.
        if (one.value && one.value->body->size() <= protocol::kLimits.inline_bytes_max) {
            const std::string& bytes = *one.value->body;
            event.found = true;
            event.body = bodies_.put({bytes, 0});
            event.bytes = static_cast<std::uint32_t>(bytes.size());
            event.age = std::chrono::milliseconds(std::max<WallMillis>(wall - one.value->made, 0));
        }
        events.emplace_back(event);
    }
    core_->handle(events, now(), effects_);
    obey();
    watcher_.poke();  // for what the core wants done next
}

// Where the bodies that the records name can be read again once these are in the state.
void BrokerLoop::note_keys(LogPosition last) {
    LogPosition position = last - effects_.commits.size();
    for (const CommitRecord& record : effects_.commits) {
        ++position;
        for (const BodyPlace& place : record.bodies) {
            bodies_.set_key(place.body, place.key, position);
        }
    }
}

void BrokerLoop::look_after_storage() {
    if (stopping_) return;
    if (const auto problem = storage_.problem()) return fail_with(problem->sentence);
    if (storage_.look_after(bodies_)) more_room_ = true;
    core_->set_store_full(storage_.store_full());
    if (bodies_.read_error()) fail_with(*bodies_.read_error());
}

// The core leaves out those that are slow.
void BrokerLoop::tell_peers() {
    for (const Outbox::Slow& one : outbox_.take_slow()) {
        core_->set_slow(ConnectionId{one.peer}, one.slow);
    }
}

// What the housekeeper found; it goes again at once when there is something to do.
void BrokerLoop::keep_house(const Housekeeper::Found& found) {
    if (stopping_) return;
    const Time at = now();
    memory_ = found.memory;
    kept_house_ = at;
    if (found.trimmed) trimmed_ = at;
    trim_ = core_->set_resident(found.memory.anonymous_bytes, found.trimmed) &&
            at - trimmed_ >= kTrimEvery;
    if (found.store) storage_.judge(*found.store);
    core_->set_store_full(storage_.store_full());
    more_room_ = true;
    if (trim_ || storage_.has_decision()) housekeeper_.run(std::exchange(trim_, false));
    watcher_.poke();
}

void BrokerLoop::begin_backup(const BackupRequest& request) {
    storage_.backup(request.name, [this, session = request.session,
                                   re = request.re](const Storage::BackupResult& result) {
        boost::asio::post(loop_, [this, session, re, result] {
            const Event event = BackupEvent{session, re, result.path, result.bytes, result.problem};
            if (stopping_) return;
            core_->handle({&event, 1}, now(), effects_);
            obey();
        });
    });
}

void BrokerLoop::send(Send& out) {
    if (!out.bodies.empty()) fill_bodies(out);
    scratch_.clear();
    protocol::encode(out.header, out.message, scratch_);
    outbox_.send(static_cast<std::uint32_t>(out.to.value), out.header, scratch_,
                 out.after_commit ? appended_ : 0);
}

// The view of a cold body ends with the next one's: those of a frame are copied.
protocol::Body BrokerLoop::body_of(BodyHandle handle) {
    protocol::Body body = bodies_.view(handle);
    if (bodies_.is_cold(handle)) body.bytes = thawed_.emplace_back(body.bytes);
    return body;
}

void BrokerLoop::fill_bodies(Send& out) {
    thawed_.clear();
    const auto fill = [&](auto& items, auto body) {
        SCANMQ_ASSERT(items.size() == out.bodies.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (out.bodies[i].value != 0) items[i].*body = body_of(out.bodies[i]);
        }
    };
    if (auto* deliver = std::get_if<protocol::Deliver>(&out.message)) {
        fill(deliver->attempts, &protocol::Attempt::payload);
    } else if (auto* results = std::get_if<protocol::Results>(&out.message)) {
        fill(results->entries, &protocol::Entry::body);
    } else if (auto* values = std::get_if<protocol::CacheValues>(&out.message)) {
        SCANMQ_ASSERT(values->values.size() == out.bodies.size());
        for (std::size_t i = 0; i < out.bodies.size(); ++i) {
            if (out.bodies[i].value == 0) continue;  // another broker's: as it was put
            protocol::CacheValues::One& one = values->values[i];
            const protocol::Body body = bodies_.view(out.bodies[i]);
            one.bytes = body.bytes;
            one.blob_size = body.blob_size;
            one.check = cache::value_check(one.key, body.bytes);
        }
    }
}

void BrokerLoop::set_gauges() {
    const Intake::Counts& in = intake_.counts();
    const Outbox::Counts& out = outbox_.counts();
    std::vector<BrokerCore::Gauge> rows = {{"wire_frames_in", in.frames},
                                           {"wire_bytes_in", in.bytes},
                                           {"wire_multipart", in.multipart},
                                           {"wire_chosen_ids", in.chosen_ids},
                                           {"wire_muted_frames", in.muted},
                                           {"wire_frames_out", out.frames},
                                           {"wire_bytes_out", out.bytes},
                                           {"wire_frames_queued", out.queued},
                                           {"wire_unreachable", out.unreachable},
                                           {"wire_overflows", out.overflows},
                                           {"outgoing_bytes", outbox_.queued_bytes()},
                                           {"loop_turns", turns_},
                                           {"bodies", bodies_.count()},
                                           {"body_bytes", bodies_.bytes()},
                                           {"body_memory_bytes", bodies_.memory()},
                                           {"bodies_cold", bodies_.cold()}};
    for (auto& row : blob_link_->counters()) rows.push_back(std::move(row));
    rows.emplace_back("outgoing_slow_peers", out.slow);
    rows.emplace_back("connections", router_.connections());
    rows.emplace_back("pipe_receive_mark", static_cast<std::uint64_t>(pipes_.marks().receive));
    rows.emplace_back("pipe_marks_waiting", std::uint64_t{pipes_.waiting()});
    rows.emplace_back("pipe_send_mark", static_cast<std::uint64_t>(pipes_.marks().send));
    memory_ = process_memory();
    BrokerCore::Gauges gauges{
        {{"rss_bytes", memory_.resident_bytes}, {"rss_anonymous_bytes", memory_.anonymous_bytes}},
        std::move(rows),
        options_.durability,
        storage_.gauges(),
        {}};
    if (cache_link_)
        gauges.tiers.emplace_back(client::tier_name(options_.cache), cache_link_->rows());
    core_->set_gauges(std::move(gauges));
}

// The timer is left alone while it is early enough: when it fires for nothing, it is set anew.
void BrokerLoop::arm() {
    const Time at = now();
    if (const auto due = core_->next_deadline()) wait_until(*due);
    if (const auto due = blob_link_->tick(at)) wait_until(*due);
    if (outbox_.stuck()) wait_until(at + outbox_.retry_in());
    const Duration house = core_->memory_held() ? kHouseBusy : storage_.judge_interval();
    if (at - kept_house_ >= kHouseBusy) housekeeper_.run(false);
    wait_until(std::max(kept_house_ + house, at + kHouseBusy));
}

void BrokerLoop::wait_until(Time when) {
    if (when >= armed_ || stopping_) return;
    armed_ = when;
    timer_.expires_at(when);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;  // set anew
        armed_ = Time::max();
        watcher_.poke();
    });
}

void BrokerLoop::fail_with(std::string sentence) {
    spdlog::error("the store failed, the broker stops: {}", sentence);
    error_ = ServerError{std::move(sentence)};
    effects_.clear();
    stop();
}

void BrokerLoop::stop() {
    if (stopping_) return;
    stopping_ = true;
    if (!error_) {
        effects_.clear();
        core_->shut_down(now(), effects_);
        obey();
        housekeeper_.stop();
        storage_.stop();
        outbox_.set_durable(storage_.log().durable());
        outbox_.flush();
    }
    housekeeper_.stop();
    storage_.stop();
    if (cache_link_) cache_link_->stop();
    pipes_.stop();
    watcher_.stop();
    blob_link_->stop();
    timer_.cancel();
    loop_.stop();
}

}  // namespace scanmq::broker
