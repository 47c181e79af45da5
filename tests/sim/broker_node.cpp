#include "tests/sim/broker_node.hpp"

#include <algorithm>
#include <utility>

#include "tests/sim/broker_process.hpp"

namespace scanmq::sim {

using namespace broker;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kFramesMax = 256;
constexpr std::size_t kBytesMax = 1U << 20;
constexpr std::size_t kBodiesMax = 16'384;
constexpr int kTurnsMax = 8;
constexpr std::uint64_t kInspectEvery = 64;

// Every other seed has so little memory that grants and deliveries are held; what peers are slow to
// take has room.
MemoryPlan memory_plan(std::uint64_t seed) {
    MemoryPlan plan = MemoryPlan::of(seed % 2 == 0 ? 0 : 1ULL << 30);
    if (plan.bytes_max != 0) plan.traffic = 10U << 20;
    return plan;
}

std::uint64_t digest(const protocol::Job& job) {
    const std::hash<ByteView> hash;
    return hash(job.payload.bytes) * 31 + hash(job.inputs) * 7 + hash(job.subject);
}

}  // namespace

BrokerNode::BrokerNode(World& world, Network& network, Oracle& oracle, const Options& options,
                       Snapshots& snapshots, std::vector<std::string> queues)
    : Node(world, "broker"),
      network_(network),
      oracle_(oracle),
      options_(options),
      queues_(std::move(queues)),
      store_(options.durable ? make_durable_store(world, options) : make_memory_store()),
      tier_(world, options.faults),
      snapshots_(snapshots) {
    snapshots_.set_put([this](const ContentId& id) { return put_snapshot(id); });
}

BrokerNode::~BrokerNode() = default;

protocol::Settings BrokerNode::queue_settings() const {
    return {{"max_jobs", options_.max_jobs},
            {"max_bytes", std::uint64_t{options_.max_jobs} * 2'000 + 200'000},
            {"max_attempts", options_.max_attempts},
            {"max_crashes", options_.max_crashes},
            {"retry_base_ms", options_.retry_base_ms},
            {"retry_cap_ms", 1'000},
            {"dead_max", options_.dead_max},
            {"low_share", options_.low_share},
            {"pure", options_.pure},
            {"stream_max_bytes", options_.stream_max_bytes},
            {"max_result_bytes", max_result_bytes(options_)},
            {"overload", options_.overload},
            {"shed_target_ms", options_.shed_target_ms},
            {"lossless", options_.lossless},
            {"cache_ttl_ms", options_.cache_ttl_ms},
            {"stale_ms", options_.stale_ms},
            {"degraded_ms", options_.degraded_ms}};
}

void BrokerNode::start() {
    if (!store_->start([this] { wake(); })) {
        trace("cannot start, the disk does not let it");
        world_.after(world_.between(200ms, 1s), [this] {
            if (!process_) start();
        });
        return;
    }
    BrokerOptions o;
    o.epoch = store_->epoch();
    o.seed = options_.seed * 1'000 + ++starts_;
    o.blob_endpoint = "sim";
    o.heartbeat = options_.heartbeat;
    o.dead_after = 3 * options_.heartbeat;
    o.group_ttl = options_.group_ttl;
    o.max_run = options_.max_run;
    o.adopt_window = 2 * options_.heartbeat;
    o.submit_window_items = options_.submit_window;
    o.submit_window_bytes = 256U << 10;
    o.batch_bytes = 32U << 10;
    o.memory = memory_plan(options_.seed);
    o.cache_bytes_max = options_.cache == 0 ? 0 : options_.cache_bytes;
    o.cache_shared = options_.cache == 2;
    o.look_ups_max = 50;
    o.jobs_per_execution_max = options_.jobs_per_execution_max;
    o.wall_offset_ms =
        wall() -
        std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
    BlobTable::Options blobs;
    blobs.count_max = options_.snapshots_held;
    blobs.grace = 5s;  // longer than a record takes to be durable
    process_ = std::make_unique<Process>(o, blobs);
    for (const auto& [id, record] : snapshots_.disk) process_->blobs.restore(record, now());
    if (store_->survives()) {
        oracle_.recovered(store_->log().durable());
        store_->restore(process_->core, process_->bodies, now());
        inspect();
    }
    for (const std::string& queue : queues_) {
        process_->core.ensure_queue(queue, queue_settings(), now(), process_->effects);
        obey();
        if (!process_) return;
    }
    network_.open([this] { wake(); });
    trace("started, epoch " + std::to_string(o.epoch));
    wake();
}

// BlobCore and the blob files, in one: what is stored is durable, what is dropped is gone.
bool BrokerNode::put_snapshot(const ContentId& id) {
    if (!process_) return false;
    BlobTable& blobs = process_->blobs;
    if (blobs.find(id) != nullptr) return true;
    BlobRecord record;
    record.id = id;
    record.bytes = 1'000;
    std::vector<ContentId> dropped;
    const auto room = blobs.reserve(record, now(), dropped);
    for (const ContentId& gone : dropped) snapshots_.disk.erase(gone);
    if (!room) {
        trace("snapshots_full");
        return false;
    }
    blobs.stored(id, now());
    snapshots_.disk[id] = record;
    return true;
}

void BrokerNode::stop_process() {
    network_.close();
    process_.reset();
    store_->crash();
    forget_turns();
}

void BrokerNode::crash(Duration down) {
    if (!process_) return;
    trace("crashes");
    stop_process();
    world_.after(down, [this] {
        if (!process_) start();
    });
}

void BrokerNode::log_failed() {
    trace("the log failed: " + store_->log().error()->sentence);
    stop_process();
    world_.after(world_.between(100ms, 2s), [this] {
        if (!process_) start();
    });
}

std::uint64_t BrokerNode::counter(std::string_view name) const {
    return process_ ? process_->core.counter(name) : 0;
}

std::uint64_t BrokerNode::bodies() const { return process_->bodies.count(); }

void BrokerNode::turn() {
    if (!process_) return;
    if (store_->log().error()) return log_failed();
    store_->look_after(process_->bodies);
    process_->memory_told = true;
    process_->core.set_store_full(store_->full());
    if (process_->bodies.read_error()) world_.fail(*process_->bodies.read_error());
    flush();
    for (int i = 0; i < kTurnsMax; ++i) {
        const bool empty = receive();
        const bool worked = handle_batch();
        if (!process_) return;
        if (empty && !worked) break;
        if (i + 1 == kTurnsMax) wake();
    }
    if (++turns_ % kInspectEvery == 0) inspect();
    if (!process_) return;
    if (const auto due = process_->core.next_deadline()) arm(*due);
}

bool BrokerNode::receive() {
    Process& p = *process_;
    while (p.received < kFramesMax && p.batch_bytes < kBytesMax && p.stored.size() < kBodiesMax) {
        std::uint32_t from = 0;
        std::string& message = p.messages.emplace_back();
        if (!network_.receive(from, message)) {
            p.messages.pop_back();
            return true;
        }
        ++p.received;
        p.batch_bytes += message.size();
        auto frame = p.decoder.decode(message);
        if (!frame) {
            world_.fail("the broker cannot decode a frame: " + frame.error().sentence);
        }
        p.frames.push_back(std::move(frame).value());
        const std::size_t first = p.stored.size();
        const protocol::Message& kept = p.frames.back().message;
        if (const auto* submit = std::get_if<protocol::Submit>(&kept)) {
            for (const auto& job : submit->jobs) {
                p.stored.push_back({p.bodies.put(job.payload), digest(job)});
            }
        } else if (const auto* done = std::get_if<protocol::Done>(&kept)) {
            for (const auto& outcome : done->outcomes) {
                p.stored.push_back({p.bodies.put(outcome.body), 0});
            }
        } else if (const auto* gone = std::get_if<protocol::QueueDelete>(&kept)) {
            oracle_.deletes(gone->queue);
        } else if (const auto* control = std::get_if<protocol::QueueControl>(&kept)) {
            if (control->action == protocol::QueueAction::purge) oracle_.purges(control->queue);
        } else if (const auto* cancel = std::get_if<protocol::Cancel>(&kept)) {
            for (const Id128& id : cancel->jobs) oracle_.cancels(cancel->queue, id);
        }
        if (world_.tracing()) {
            trace("<- " + std::to_string(from) + " " +
                  std::string(protocol::to_string(protocol::kind_of(kept))));
        }
        p.order.push_back(
            {from, p.frames.size() - 1, false, false, first, p.stored.size() - first});
    }
    return false;
}

bool BrokerNode::handle_batch() {
    Process& p = *process_;
    for (const std::uint32_t lost : std::exchange(p.lost, {})) {
        p.order.push_back({lost, 0, false, true, 0, 0});
    }
    const Time at = now();
    p.core.set_memory(p.bodies.memory(), waiting_bytes());
    if (!p.order.empty() || !p.cache_answers.empty()) {
        p.events.clear();
        for (const CacheAnswer& one : std::exchange(p.cache_answers, {})) {
            CacheEvent event{one.look_up, one.body.has_value(), {}, 0, one.age};
            if (one.body) {
                event.body = p.bodies.put({*one.body, 0});
                event.bytes = static_cast<std::uint32_t>(one.body->size());
            }
            p.events.emplace_back(event);
        }
        for (const Process::Item& item : p.order) {
            const ConnectionId from{item.from};
            if (item.gone) {
                p.events.emplace_back(DisconnectEvent{from});
            } else {
                p.events.emplace_back(FrameEvent{
                    from, &p.frames[item.frame], {p.stored.data() + item.first_body, item.bodies}});
            }
        }
        p.core.handle(p.events, at, p.effects);
    } else {
        const auto due = p.core.next_deadline();
        // What was held may go on as the store took bodies in.
        const bool held = p.core.memory_held() && std::exchange(p.memory_told, false);
        if (!held && (!due || *due > at)) return false;
        p.core.tick(at, p.effects);
    }
    obey();
    if (!process_) return true;
    p.messages.clear();
    p.frames.clear();
    p.errors.clear();
    p.stored.clear();
    p.order.clear();
    p.batch_bytes = p.received = 0;
    return true;
}

void BrokerNode::obey() {
    Process& p = *process_;
    // A batch without records of its own may tell of what one before it recorded.
    LogPosition& position = p.appended;
    if (!p.effects.commits.empty()) {
        const auto appended = store_->log().append(p.effects.commits, p.bodies);
        if (!appended) {
            if (!store_->survives()) world_.fail(appended.error().sentence);
            trace("append: " + appended.error().sentence);
            return stop_process();
        }
        position = *appended;
        note_keys(position);
        store_->appended();
        oracle_.appended(p.effects.commits, position, p.bodies, now());
        p.durable = store_->log().durable();
        oracle_.durable(p.durable);
    }
    for (Send& out : p.effects.sends) send(out, position);
    serve_cache();
    for (const BodyHandle handle : p.effects.releases) p.bodies.release(handle);
    p.effects.clear();
    // A cache keeps bodies whose entries are gone, and entries that it answered have one body.
    if (options_.cache == 0 && p.bodies.count() != oracle_.model().bodies()) {
        world_.fail("the broker holds " + std::to_string(p.bodies.count()) +
                    " bodies, its records need " + std::to_string(oracle_.model().bodies()));
    }
}

void BrokerNode::serve_cache() {
    Process& p = *process_;
    for (const CacheAsk& ask : p.effects.cache_asks) {
        tier_.ask(ask, [this, start = starts_](CacheAnswer answer) {
            if (!process_ || starts_ != start) return;
            process_->cache_answers.push_back(std::move(answer));
            wake();
        });
    }
    for (const CacheKeep& one : p.effects.cache_keeps) {
        tier_.keep(one.fingerprint, p.bodies.view(one.body).bytes, wall());
    }
}

// Where the bodies that the records name can be read again once these are in the state.
void BrokerNode::note_keys(LogPosition last) {
    Process& p = *process_;
    LogPosition position = last - p.effects.commits.size();
    for (const CommitRecord& record : p.effects.commits) {
        ++position;
        for (const BodyPlace& place : record.bodies) {
            p.bodies.set_key(place.body, place.key, position);
        }
    }
}

void BrokerNode::send(Send& out, LogPosition position) {
    Process& p = *process_;
    std::deque<std::string> thawed;  // the view of a cold body ends with the next one's
    const auto fill = [&](auto& items, auto body) {
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (out.bodies[i].value == 0) continue;
            protocol::Body& to = items[i].*body;
            to = p.bodies.view(out.bodies[i]);
            if (p.bodies.is_cold(out.bodies[i])) to.bytes = thawed.emplace_back(to.bytes);
        }
    };
    if (!out.bodies.empty()) {
        if (auto* deliver = std::get_if<protocol::Deliver>(&out.message)) {
            fill(deliver->attempts, &protocol::Attempt::payload);
        } else if (auto* results = std::get_if<protocol::Results>(&out.message)) {
            fill(results->entries, &protocol::Entry::body);
        }
    }
    p.scratch.clear();
    protocol::encode(out.header, out.message, p.scratch);
    if (p.scratch.size() > protocol::kLimits.frame_bytes_max) {
        world_.fail("the broker sends a frame over frame_bytes_max");
    }
    if (out.to == kInspector) {
        p.answer_bytes.push_back(p.scratch);
        auto frame = p.answer_decoder.decode(p.answer_bytes.back());
        if (!frame) {
            world_.fail("an answer to the inspector cannot be decoded: " + frame.error().sentence);
        }
        p.answers.push_back(std::move(frame).value());
        return;
    }
    if (world_.tracing()) {
        trace("-> " + std::to_string(out.to.value) + " " +
              std::string(protocol::to_string(protocol::kind_of(out.message))) +
              (out.after_commit ? " after " + std::to_string(position) : ""));
    }
    post(static_cast<std::uint32_t>(out.to.value), p.scratch, out.after_commit ? position : 0);
}

void BrokerNode::post(std::uint32_t to, ByteView frame, LogPosition needs) {
    Process& p = *process_;
    if (needs > p.durable || p.waiting.contains(to)) {
        p.waiting[to].push_back({std::string(frame), needs});
        return;
    }
    if (network_.send(to, frame) == SendStatus::unreachable) p.lost.push_back(to);
}

std::uint64_t BrokerNode::waiting_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [to, frames] : process_->waiting) {
        for (const Waiting& one : frames) bytes += one.frame.size();
    }
    return bytes;
}

void BrokerNode::flush() {
    Process& p = *process_;
    if (p.waiting.empty()) return;
    p.durable = store_->log().durable();
    oracle_.durable(p.durable);
    for (auto it = p.waiting.begin(); it != p.waiting.end();) {
        auto& frames = it->second;
        bool gone = false;
        while (!gone && !frames.empty() && frames.front().needs <= p.durable) {
            gone = network_.send(it->first, frames.front().frame) == SendStatus::unreachable;
            frames.pop_front();
        }
        if (gone) p.lost.push_back(it->first);
        it = gone || frames.empty() ? p.waiting.erase(it) : std::next(it);
    }
}

}  // namespace scanmq::sim
