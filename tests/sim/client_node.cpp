#include "tests/sim/client_node.hpp"

#include <algorithm>

namespace scanmq::sim {

using namespace client;

namespace {

constexpr std::size_t kFramesPerStep = 64;

}  // namespace

ClientNode::ClientNode(World& world, Network& network, Oracle& oracle, const Options& options,
                       std::string name, protocol::Roles roles)
    : Node(world, name),
      network_(network),
      oracle_(oracle),
      options_(options),
      roles_(roles),
      dealer_(network, name, [this] { wake(); }) {}

void ClientNode::start() {
    CoreOptions o;
    Rng rng(world_.rng.next());
    o.session.brokers = {"sim"};
    o.session.name = name();
    o.session.agent = "sim";
    o.session.instance = random_id(rng);
    o.roles = roles_;
    o.seed = rng.next();
    process_ = std::make_unique<Process>(o);
    windows_.clear();
    ++starts_;
    trace("starts");
    core().start(client_now(), effects());
    perform();
    wake();
}

void ClientNode::crash() {
    if (!process_) return;
    trace("crashes");
    process_.reset();
    windows_.clear();
    dealer_.close(false);
    forget_turns();
}

std::string ClientNode::session_state() const {
    if (!process_) return name() + " is down";
    const SessionInfo& info = process_->core.session();
    return name() + (info.open ? " has session " + std::to_string(info.session.value)
                               : " has no session: " + info.last_sentence);
}

// client/cpp/client_impl.cpp, step().
void ClientNode::turn() {
    if (!process_) return;
    Process& p = *process_;
    if (!p.kept.empty()) {
        while (!p.kept.empty() && dealer_.send(p.kept.front()) == SendStatus::sent) {
            p.kept.pop_front();
        }
    }
    // A turn follows a submission, too: it looks whether jobs can go.
    core().set_writable(Socket::main, p.kept.empty());
    core().tick(client_now(), effects());
    perform();
    notify();
    receive();
    if (!p.events.empty()) {
        core().handle(p.events, client_now(), effects());
        perform();
        notify();
        p.events.clear();
        p.incoming.clear();
    }
    program();
    if (!process_) return;
    const bool more = dealer_.readable();
    if (more) wake();
    arm(core().next_deadline());
}

void ClientNode::commit() {
    perform();
    wake();
}

void ClientNode::perform() {
    Process& p = *process_;
    for (const JobStamped& stamp : p.effects.stamps) on_stamp(stamp);
    p.effects.stamps.clear();
    for (const Action& action : p.effects.actions) {
        if (const auto* out = std::get_if<Outgoing>(&action)) {
            if (out->socket != Socket::main) continue;
            watch_out(*out);
            p.scratch.clear();
            protocol::encode(out->header, out->message, p.scratch);
            send(p.scratch);
        } else if (const auto* drop = std::get_if<DropQueued>(&action)) {
            if (drop->socket == Socket::main) p.kept.clear();
        } else if (std::get<Connect>(action).socket == Socket::main) {
            p.kept.clear();
            dealer_.connect();
            p.generation = dealer_.generation();
        }
    }
    p.effects.actions.clear();
    core().set_writable(Socket::main, p.kept.empty());
}

void ClientNode::send(ByteView frame) {
    Process& p = *process_;
    if (!p.kept.empty() || dealer_.send(frame) != SendStatus::sent) p.kept.emplace_back(frame);
}

void ClientNode::receive() {
    Process& p = *process_;
    dealer_.poll_connection();
    if (dealer_.generation() != p.generation) {
        p.generation = dealer_.generation();
        p.events.emplace_back(ConnectedEvent{Socket::main});
        p.incoming.emplace_back();
    }
    for (std::size_t i = 0; i < kFramesPerStep; ++i) {
        auto incoming = std::make_unique<Incoming>();
        if (!dealer_.receive(incoming->bytes)) return;
        auto frame = p.decoder.decode(incoming->bytes);
        if (!frame) world_.fail(name() + " cannot decode a frame: " + frame.error().sentence);
        incoming->frame = std::move(frame).value();
        if (world_.tracing()) {
            trace("<- " +
                  std::string(protocol::to_string(protocol::kind_of(incoming->frame.message))));
        }
        if (const auto* error = std::get_if<protocol::Error>(&incoming->frame.message)) {
            trace("   " + std::string(protocol::to_string(error->code)) + ": " + error->sentence);
        }
        p.events.emplace_back(FrameEvent{Socket::main, &incoming->frame});
        p.incoming.push_back(std::move(incoming));
    }
}

void ClientNode::notify() {
    std::vector<Notice> notices;
    notices.swap(process_->effects.notices);
    for (Notice& notice : notices) {
        if (!process_) return;
        if (const auto* answered = std::get_if<JobsAnswered>(&notice)) {
            on_answers(*answered);
        } else if (const auto* arrived = std::get_if<EntriesArrived>(&notice)) {
            const auto& frame = process_->incoming[arrived->event]->frame;
            const auto& results = std::get<protocol::Results>(frame.message);
            watch_in(results);
            on_entries(*arrived, results);
            if (!process_) return;
            core().consumed(*arrived, {arrived->incarnation, results.next_offset}, effects());
            perform();
        } else if (const auto* changed = std::get_if<SubscriptionChanged>(&notice)) {
            on_change(changed->subscription);
        } else if (auto* request = std::get_if<RequestDone>(&notice)) {
            on_request(*request);
        }
    }
}

void ClientNode::watch_out(const Outgoing& out) {
    if (world_.tracing()) {
        trace("-> " + std::string(protocol::to_string(protocol::kind_of(out.message))));
    }
    if (const auto* subscribe = std::get_if<protocol::Subscribe>(&out.message)) {
        windows_[subscribe->subscription] = {subscribe->limit, {}};
    } else if (const auto* grant = std::get_if<protocol::CreditGrant>(&out.message)) {
        windows_[grant->subscription].limit = grant->limit;
    }
    on_send(out.message);
}

void ClientNode::watch_in(const protocol::Results& results) {
    Window& window = windows_[results.subscription];
    for (const protocol::Entry& entry : results.entries) {
        ++window.received.items;
        window.received.bytes += protocol::kLimits.item_overhead_bytes +
                                 (entry.body.is_blob() ? 0 : entry.body.bytes.size());
    }
    if (window.received.items > window.limit.items || window.received.bytes > window.limit.bytes) {
        world_.fail(name() + " got " + std::to_string(window.received.items) +
                    " entries, its limit is " + std::to_string(window.limit.items));
    }
}

}  // namespace scanmq::sim
