#include "broker/server/blob_link.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <utility>

#include "common/base/scheduling.hpp"
#include "common/compress/zstd.hpp"

namespace scanmq::broker {

using transport::Drained;
using transport::ReceiveStatus;

namespace {

// So long a turn keeps what else the loop has to do waiting: jobs come first.
constexpr Duration kTurn = std::chrono::microseconds(50);
// About 60 us of hashing: less than what it costs to hand it to another thread and back, twice.
constexpr std::uint64_t kHashOnLoopMax = 64U << 10;
// Verdicts of a batch in one turn: about 30 us.
constexpr std::size_t kVerdictsPerTurn = 16;
constexpr Duration kTickEvery = std::chrono::seconds(1);

BlobInfo info_of(const BlobRecord& record) {
    return {record.id,    record.type,     record.label,
            record.bytes, record.encoding, record.encoded_bytes};
}

// What is in memory only has no sync to share.
BlobOptions core_options(BlobOptions options, const BlobFiles* files) {
    if (files == nullptr) options.gather_puts = 1;
    return options;
}

Time now() { return std::chrono::steady_clock::now(); }

}  // namespace

// A thread of its own, for what takes long: hashing, decoding, the disk.
struct BlobLink::Background {
    explicit Background(boost::asio::io_context& loop) : gathering(loop) {
        boost::asio::post(pool, run_in_background);
    }
    boost::asio::thread_pool pool{1};
    // On the loop: when what has gathered for the thread goes to it at last.
    boost::asio::steady_timer gathering;
    Time gathering_until = Time::max();
};

BlobLink::BlobLink(boost::asio::io_context& loop, const Settings& settings, BlobTable& blobs,
                   BlobFiles* files, BlobCore::SessionOpen session_open)
    : loop_(loop),
      table_(blobs),
      files_(files),
      router_(context_, settings.socket),
      outbox_(router_, settings.outgoing_bytes_max, settings.outgoing_bytes_all),
      core_(core_options(settings.core, files), blobs, std::move(session_open)),
      store_(files != nullptr ? BlobStore(*files) : BlobStore()),
      background_(std::make_unique<Background>(loop)),
      pipes_(loop, router_, settings.pipes, [this] { watcher_.poke(); }),
      watcher_(loop, router_.fd(), [this] { return drain(); }) {}

BlobLink::~BlobLink() { stop(); }

Result<std::string, transport::Error> BlobLink::bind(const std::string& endpoint) {
    return router_.bind(endpoint);
}

void BlobLink::start() {
    pipes_.start();
    watcher_.start();
}

void BlobLink::stop() {
    pipes_.stop();
    watcher_.stop();
    background_->gathering.cancel();
    background_->pool.join();
}

Drained BlobLink::drain() {
    const Time at = now();
    flush();
    static_cast<void>(outbox_.take_slow());  // blocked_ is told at the first frame that waits
    const bool empty = receive(at);
    const bool more = core_.pump(at, effects_);
    obey(at);
    for (const std::uint32_t lost : outbox_.take_lost()) {
        core_.disconnected(ConnectionId{lost}, at, effects_);
        obey(at);
    }
    // Sends may have swallowed the edge of what came in meanwhile: only a look tells.
    return more || !empty || router_.readable() ? Drained::more : Drained::empty;
}

void BlobLink::flush() {
    if (!outbox_.behind()) return;
    outbox_.flush();
    std::erase_if(blocked_, [this](ConnectionId connection) {
        if (outbox_.behind(static_cast<std::uint32_t>(connection.value))) return false;
        core_.set_blocked(connection, false);
        return true;
    });
}

bool BlobLink::receive(Time at) {
    do {
        std::uint32_t from = 0;
        const ReceiveStatus status = router_.receive(from, message_);
        if (status == ReceiveStatus::empty) return true;
        const ConnectionId connection{from};
        if (status != ReceiveStatus::frame) {
            protocol::DecodeError error;
            error.code = protocol::ErrorCode::malformed;
            error.sentence = status == ReceiveStatus::multipart
                                 ? "a message must be one frame; send each frame by itself"
                                 : "do not set ZMQ_ROUTING_ID; the broker assigns routing ids";
            if (status == ReceiveStatus::multipart) {
                core_.bad_frame(connection, error, effects_);
            } else {
                scratch_.clear();
                protocol::encode({}, protocol::Error{0, {}, error.code, error.sentence}, scratch_);
                router_.refuse(scratch_);
            }
            continue;
        }
        if (outbox_.muted(from)) continue;
        auto frame = decoder_.decode({message_.data<char>(), message_.size()});
        if (frame) {
            core_.frame(connection, *frame, at, effects_);
        } else {
            core_.bad_frame(connection, frame.error(), effects_);
        }
        // A chunk's bytes belong to the message, which the next frame overwrites.
        obey(at);
    } while (now() - at < kTurn);
    return false;
}

void BlobLink::obey(Time at) {
    for (std::size_t i = 0; i < effects_.size(); ++i) {
        BlobEffect& effect = effects_[i];
        if (auto* out = std::get_if<BlobSend>(&effect)) {
            send(*out);
        } else if (const auto* write = std::get_if<BlobWrite>(&effect)) {
            store_.write(write->id, write->offset, write->bytes);
        } else if (const auto* begin = std::get_if<BlobBegin>(&effect)) {
            store_.begin(begin->id, begin->bytes);
        } else if (const auto* drop = std::get_if<BlobDrop>(&effect)) {
            store_.drop(drop->id);
        } else if (const auto* check = std::get_if<BlobVerify>(&effect)) {
            verify(check->id);
        } else if (const auto* prepared = std::get_if<BlobPrepare>(&effect)) {
            prepare(*prepared);
        } else if (const auto* forget = std::get_if<BlobForget>(&effect)) {
            store_.drop_decoded(forget->id);
        }
    }
    effects_.clear();
    while (!small_.empty()) {
        const ContentId id = small_.back();
        small_.pop_back();
        core_.verified(
            id, content_id(store_.view(id)) == id ? BlobVerdict::kept : BlobVerdict::mismatch, at,
            effects_);
        obey(at);
    }
    if (!checks_.empty()) {
        boost::asio::post(background_->pool,
                          [this, checks = std::exchange(checks_, {})] { check(checks); });
    }
    arm_gathering();
}

// The timer is left alone while it is early enough: when it fires for nothing, it is set anew.
void BlobLink::arm_gathering() {
    const std::optional<Time> until = core_.gather_until();
    if (!until || *until >= background_->gathering_until) return;
    background_->gathering_until = *until;
    background_->gathering.expires_at(*until);
    background_->gathering.async_wait([this](const boost::system::error_code& error) {
        if (error) return;  // set anew
        background_->gathering_until = Time::max();
        const Time at = now();
        core_.verify_written(at, effects_);
        obey(at);
    });
}

void BlobLink::send(BlobSend& out) {
    if (auto* chunk = std::get_if<protocol::BlobChunk>(&out.message)) {
        const ByteView all = out.decoded ? store_.decoded(chunk->id) : store_.view(chunk->id);
        chunk->bytes = all.substr(chunk->offset, out.chunk_bytes);
    }
    scratch_.clear();
    protocol::encode(out.header, out.message, scratch_);
    const auto to = static_cast<std::uint32_t>(out.to.value);
    outbox_.send(to, out.header, scratch_);
    if (!outbox_.behind(to)) return;
    core_.set_blocked(out.to, true);
    if (std::find(blocked_.begin(), blocked_.end(), out.to) == blocked_.end()) {
        blocked_.push_back(out.to);
    }
}

void BlobLink::verify(const ContentId& id) {
    const ByteView bytes = store_.view(id);
    const BlobRecord& record = *table_.find_any(id);
    // However small a frame is, what is in it may be large.
    if (files_ == nullptr && record.bytes <= kHashOnLoopMax &&
        record.encoding == protocol::BlobEncoding::raw) {
        small_.push_back(id);
        return;
    }
    checks_.emplace_back(info_of(record), bytes);
}

// On the background's thread.
void BlobLink::check(const std::vector<Check>& checks) {
    std::vector<Verdict> verdicts;
    std::vector<BlobFiles::Held> good;
    for (const auto& [info, bytes] : checks) {
        const bool holds = holds_its_bytes(info, bytes);
        verdicts.emplace_back(info.id, holds ? BlobVerdict::kept : BlobVerdict::mismatch);
        if (holds) good.push_back({&info, bytes});
        give_way();
    }
    if (files_ != nullptr && !good.empty()) {
        if (const auto put = files_->put(good); !put) {
            spdlog::warn("blobs cannot be kept: {}", put.error().sentence);
            for (auto& [id, verdict] : verdicts) {
                if (verdict == BlobVerdict::kept && !files_->has(id))
                    verdict = BlobVerdict::no_room;
            }
        }
    }
    boost::asio::post(loop_, [this, verdicts = std::move(verdicts)]() mutable {
        end_verify(std::move(verdicts));
    });
}

// What is stored stays where it is until prepared(): BlobCore has it pinned.
void BlobLink::prepare(const BlobPrepare& what) {
    const BlobRecord& record = *table_.find(what.id);
    // One that was not hashed may not be in memory: the thread looks, not the loop.
    const ByteView known = record.checked ? store_.view(what.id) : ByteView();
    boost::asio::post(background_->pool, [this, what, known, info = info_of(record)] {
        ByteView bytes = known;
        if (bytes.empty() && files_ != nullptr) {
            const auto found = files_->view(what.id);
            if (!found) spdlog::warn("{}", found.error().sentence);
            if (found && *found) bytes = **found;
        }
        std::optional<std::string> decoded;
        if (what.decode && !bytes.empty()) decoded = compress::unzstd(bytes, info.bytes);
        const bool ok = what.decode ? decoded.has_value() : !bytes.empty();
        boost::asio::post(loop_, [this, what, ok, decoded = std::move(decoded)]() mutable {
            const Time at = now();
            if (decoded) store_.keep_decoded(what.id, std::move(*decoded));
            core_.prepared(what.id, what.decode, ok, at, effects_);
            obey(at);
            watcher_.poke();
        });
    });
}

// So that a restart knows what was used lately.
void BlobLink::note_use(Time at) {
    if (!table_.any_used() || at - use_noted_ < BlobFiles::kUsedEvery) return;
    use_noted_ = at;
    std::vector<ContentId> ids = table_.take_used();
    if (files_ == nullptr) return;
    boost::asio::post(background_->pool, [this, ids = std::move(ids)] { files_->used(ids); });
}

void BlobLink::end_verify(std::vector<Verdict> verdicts) {
    const Time at = now();
    for (std::size_t i = 0; i < kVerdictsPerTurn && !verdicts.empty(); ++i) {
        const auto [id, verdict] = verdicts.back();
        verdicts.pop_back();
        if (verdict == BlobVerdict::kept && files_ != nullptr) store_.committed(id);
        core_.verified(id, verdict, at, effects_);
        obey(at);
    }
    watcher_.poke();
    if (verdicts.empty()) return;
    boost::asio::post(loop_, [this, verdicts = std::move(verdicts)]() mutable {
        end_verify(std::move(verdicts));
    });
}

std::optional<Time> BlobLink::tick(Time at) {
    note_use(at);
    if (core_.idle()) {
        if (!table_.any_used()) return std::nullopt;
        return use_noted_ + BlobFiles::kUsedEvery;
    }
    if (at - ticked_ >= kTickEvery) {
        ticked_ = at;
        core_.tick(at, effects_);
        obey(at);
        watcher_.poke();
    }
    if (outbox_.behind()) {
        watcher_.poke();
        return at + outbox_.retry_in();
    }
    return ticked_ + kTickEvery;
}

std::vector<std::pair<std::string, std::uint64_t>> BlobLink::counters() const {
    auto out = core_.counters();
    out.emplace_back("blob_bytes_held", store_.bytes());
    out.emplace_back("blob_outgoing_bytes", outbox_.queued_bytes());
    out.emplace_back("blob_overflows", outbox_.counts().overflows);
    out.emplace_back("blob_memory_bytes", store_.memory());
    out.emplace_back("blob_connections", router_.connections());
    out.emplace_back("blob_marks_waiting", std::uint64_t{pipes_.waiting()});
    out.emplace_back("blob_receive_mark", static_cast<std::uint64_t>(pipes_.marks().receive));
    return out;
}

}  // namespace scanmq::broker
