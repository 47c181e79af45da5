#include "worker/server/worker_loop.hpp"

#include <boost/asio/post.hpp>
#include <chrono>

#include "common/base/assert.hpp"

namespace scanmq::worker {

namespace {

using protocol::ErrorCode;
using transport::Drained;
using transport::ReceiveStatus;

constexpr std::size_t kFramesPerBatch = 64;
constexpr std::size_t kBatchBytes = 4U << 20;
constexpr int kBatchesPerRound = 8;  // then timers and the blob socket get their turn

Time clock_now() { return std::chrono::steady_clock::now(); }

WallMillis wall_now() { return SystemClock().wall_millis(); }

}  // namespace

Drained WorkerServer::Impl::drain_frames() {
    draining_ = true;
    Drained drained = Drained::more;
    for (int round = 0; round < kBatchesPerRound; ++round) {
        if (exit_ || !receive_batch()) {
            drained = Drained::empty;
            break;
        }
        batch_.clear();
        for (const auto& frame : decoded_) {
            if (frame) {
                batch_.emplace_back(FrameEvent{&*frame});
            } else {
                batch_.emplace_back(BadFrameEvent{&frame.error()});
            }
        }
        step(batch_);
    }
    draining_ = false;
    return drained;
}

// False when nothing waited.
bool WorkerServer::Impl::receive_batch() {
    decoded_.clear();
    decoded_.reserve(kFramesPerBatch);
    messages_.resize(kFramesPerBatch);
    std::size_t bytes = 0;
    while (decoded_.size() < kFramesPerBatch && bytes < kBatchBytes) {
        zmq::message_t& message = messages_[decoded_.size()];
        const ReceiveStatus status = main_.receive(message);
        if (status == ReceiveStatus::empty) break;
        if (status != ReceiveStatus::frame) {
            decoded_.emplace_back(fail(protocol::DecodeError{
                ErrorCode::malformed, "a message is one frame", {}, protocol::Kind{}}));
            continue;
        }
        bytes += message.size();
        decoded_.push_back(decoder_.decode({message.data<char>(), message.size()}));
    }
    return !decoded_.empty();
}

void WorkerServer::Impl::step(std::span<const Event> events) {
    if (exit_) return;
    SCANMQ_ASSERT(!stepping_);
    stepping_ = true;
    core_.handle(events, clock_now(), effects_);
    settle();
    stepping_ = false;
    if (renew_) boost::asio::post(loop_, [this] { renew_if_empty(); });
}

void WorkerServer::Impl::tick() {
    if (known_) core_.note_cache(known_->figures());
    core_.tick(clock_now(), effects_);
    settle();
}

void WorkerServer::Impl::settle() {
    carry_out();
    while (!exit_ && !follow_up_.empty()) {
        handling_.swap(follow_up_);
        core_.handle(handling_, clock_now(), effects_);
        carry_out();
        handling_.clear();
    }
    for (const AttemptId id : taken_) {
        if (TaskSlot* slot = tasks_.find(id)) slot->own();
    }
    taken_.clear();
    // While draining, the last thing done on the socket is a receive that said empty.
    if (sent_ && !draining_) frames_.poke();
    sent_ = false;
    arm_timer();
}

void WorkerServer::Impl::carry_out() {
    for (const Taken& taken : effects_.taken) {
        tasks_.take(taken);
        taken_.push_back(taken.id);
    }
    if (async_ != nullptr) complete_tasks(effects_.taken);
    if (known_ && tasks_.keyed() > 0) note_deadlines(effects_.taken);
    for (Send& message : effects_.sends) send(message);
    follow_session();
    for (const AttemptId id : effects_.fetches) fetch(id);
    if (known_ && tasks_.keyed() > 0) {
        look_up_or_start(effects_.starts);
    } else {
        start(effects_.starts);
    }
    for (const AttemptId id : effects_.results) push_finished(*tasks_.find(id));
    for (const AttemptId id : effects_.puts) put(id);
    for (const AttemptId id : effects_.polls) push_progress(*tasks_.find(id));
    for (const AttemptId id : effects_.cancels) cancel(id);
    for (const AttemptId id : effects_.recalls) recall(id);
    for (const AttemptId id : effects_.releases) tasks_.release(id);
    for (const Note& note : effects_.notes) log(note);
    if (effects_.reconnect) connect_next();
    if (effects_.exit) {
        exit_ = std::move(effects_.exit);
        tasks_.cancel_all();
        frames_.stop();
        monitor_.stop();
        blobs_.stop();
        loop_.stop();
    } else if (broken_) {
        follow_up_.emplace_back(DisconnectedEvent{});
    }
    broken_ = false;
    effects_.clear();
}

// The blob socket lives and dies with the session.
void WorkerServer::Impl::follow_session() {
    const protocol::SessionId session = core_.session();
    if (session == session_) return;
    session_ = session;
    blobs_.close();
    if (session.value == 0) return;
    const std::string endpoint =
        reachable_endpoint(settings_.brokers[broker_], core_.blob_endpoint());
    if (auto opened = blobs_.open(session, endpoint, core_.limits(), clock_now()); !opened) {
        log({NoteLevel::error, opened.error().sentence});
    }
}

void WorkerServer::Impl::send(Send& send) {
    if (auto* hello = std::get_if<protocol::Hello>(&send.message)) hello->clock_ms = wall_now();
    out_.clear();
    protocol::encode(send.header, send.message, out_);
    if (main_.send(out_) == transport::SendStatus::sent) {
        sent_ = true;
    } else {
        broken_ = true;  // no connection: the session on it is over
    }
}

void WorkerServer::Impl::put(AttemptId id) {
    TaskSlot& slot = *tasks_.find(id);
    if (!slot.body_hashed) slot.body_id = content_id(slot.outcome.body);
    slot.body_hashed = true;
    slot.own();  // a result that is its payload must outlive the frame
    blobs_.put(id, slot.body_id, slot.outcome.body, clock_now());
}

void WorkerServer::Impl::on_stored(StoredBlob&& blob) {
    const Event event = StoredEvent{blob.attempt, blob.id, blob.size, blob.code, blob.sentence};
    step({&event, 1});
}

}  // namespace scanmq::worker
