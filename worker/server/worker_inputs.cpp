// The worker's inputs: which blobs its attempts wait for, and what happens when they arrive.
#include <boost/asio/post.hpp>

#include "common/compress/zstd.hpp"
#include "worker/server/worker_loop.hpp"

namespace scanmq::worker {

namespace {

using protocol::ErrorCode;

Time clock_now() { return std::chrono::steady_clock::now(); }

// About 60 us of decoding and hashing: less than handing it to a thread and back costs.
constexpr std::uint64_t kDecodeOnLoopMax = 32U << 10;
constexpr std::uint64_t kDecodeKey = ~std::uint64_t{0};  // no attempt's: for ThreadPool::withdraw()

void decode(GotBlob& blob) {
    auto raw = compress::unzstd(blob.bytes, blob.size);
    std::string().swap(blob.bytes);  // before the raw bytes are looked at
    blob.encoding = protocol::BlobEncoding::raw;
    if (raw && content_id(*raw) == blob.id) {
        blob.bytes = std::move(*raw);
        return;
    }
    blob.code = ErrorCode::blob_mismatch;
    blob.sentence = "the bytes of " + blob.id.hex() + " cannot be decoded, or do not hash to it";
    blob.retry = true;
}

}  // namespace

// The attempt waits for each input that is not in memory, and for a payload that is a blob.
void WorkerServer::Impl::fetch(AttemptId id) {
    TaskSlot& slot = *tasks_.find(id);
    if (!slot.payload_id.is_zero()) want(slot.payload_id, slot, false);
    if (scanner_->reads_inputs()) {
        for (const ContentId& input : slot.input_ids) want(input, slot, true);
    }
    if (slot.missing == 0) follow_up_.emplace_back(InputsEvent{id, ErrorCode::none, {}, false});
}

void WorkerServer::Impl::want(const ContentId& id, TaskSlot& slot, bool as_input) {
    const auto found = wanted_.find(id);
    const bool under_way = found != wanted_.end();
    if (as_input) {
        // While a blob is under way its input is the one of the first who asked: the cache may have
        // dropped that meanwhile, and would make another that nobody fills.
        const bool shared = under_way && found->second.input != nullptr;
        slot.inputs.push_back(shared ? found->second.input : cache_.get(id));
        if (slot.inputs.back()->filled()) return;
    }
    ++slot.missing;
    Wanted& wanted = wanted_[id];
    if (as_input) {
        wanted.input = slot.inputs.back();
        wanted.readers.push_back(slot.id);
    } else {
        wanted.payloads.push_back(slot.id);
    }
    if (!under_way) blobs_.get(id, clock_now());
}

void WorkerServer::Impl::on_got(GotBlob&& blob) {
    if (blob.code == ErrorCode::none && blob.encoding != protocol::BlobEncoding::raw) {
        if (blob.size > kDecodeOnLoopMax) {
            encoded_.push_back(std::move(blob));
            if (encoded_.size() == 1) decode_next();
            return;
        }
        decode(blob);
    }
    on_decoded(std::move(blob));
}

// One after another: they take memory, and the threads are the scans'.
void WorkerServer::Impl::decode_next() {
    // It stays where it is, whatever comes behind it.
    GotBlob* const first = &encoded_.front();
    pool_.post(kDecodeKey, [this, first] {
        decode(*first);
        boost::asio::post(loop_, [this] {
            GotBlob blob = std::move(encoded_.front());
            encoded_.pop_front();
            if (!encoded_.empty()) decode_next();
            if (!exit_) on_decoded(std::move(blob));
        });
    });
}

void WorkerServer::Impl::on_decoded(GotBlob&& blob) {
    const auto found = wanted_.find(blob.id);
    if (found == wanted_.end()) return;
    const Wanted wanted = std::move(found->second);
    wanted_.erase(found);
    std::vector<Event> events;
    const auto arrived = [&](AttemptId id, bool as_payload) {
        TaskSlot* slot = tasks_.find(id);
        if (slot == nullptr || slot->missing == 0) return;
        if (blob.code != ErrorCode::none) {
            slot->missing = 0;  // it is answered with this; what else it waits for does not matter
            events.emplace_back(InputsEvent{id, blob.code, blob.sentence, blob.retry});
            return;
        }
        if (as_payload) slot->set_payload(blob.bytes);
        if (--slot->missing == 0) events.emplace_back(InputsEvent{id, ErrorCode::none, {}, false});
    };
    for (const AttemptId id : wanted.payloads) arrived(id, true);
    if (wanted.input != nullptr) {
        if (blob.code == ErrorCode::none) {
            wanted.input->fill(std::move(blob.bytes));
        } else {
            cache_.forget(blob.id);
        }
    }
    for (const AttemptId id : wanted.readers) arrived(id, false);
    step(events);
}

}  // namespace scanmq::worker
