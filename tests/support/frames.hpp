#pragma once
// Sample protocol messages for tests: one of each kind, every field away from its default.

#include <cstdint>
#include <string>
#include <vector>

#include "common/protocol/codec.hpp"

namespace scanmq::tests {

inline Id128 id(std::uint8_t n) {
    Id128 out;
    out.bytes.fill(n);
    return out;
}

inline ContentId content(std::uint8_t n) {
    ContentId out;
    out.bytes.fill(n);
    return out;
}

// Views in the messages point at static storage.
inline std::vector<protocol::Message> one_of_each_kind() {
    using namespace protocol;
    static const std::string kHash(32, '\5');
    static const std::string kInputs(96, '\6');
    std::vector<Message> out;
    out.emplace_back(
        Hello{"producer-1", id(1), "resume", -5, "scanmq/1",
              WorkerInfo{4, "engine-1", {"a", "b"}, {{{1, 2}, true}, {{1, 3}, false}}}});
    out.emplace_back(Hello{"producer-1", id(1), "", 1'700'000'000'000, "scanmq/1", std::nullopt});
    out.emplace_back(Welcome{1,
                             SessionId{99},
                             3,
                             2500,
                             7500,
                             "tcp://127.0.0.1:5702",
                             "r",
                             12,
                             {{"frame_bytes_max", 1U << 20}},
                             {{1, 2}}});
    out.emplace_back(Heartbeat{17, 18, {{1, 2}, {1, 3}}});
    out.emplace_back(Heartbeat{19, 0, {}, CacheFigures{1, 2, 3, 4, 5, 6, 7, 8}});
    out.emplace_back(Bye{ErrorCode::shutting_down, "bye"});
    out.emplace_back(
        protocol::Error{4, Kind::submit, ErrorCode::unknown_queue, "no queue 'x': create it"});
    out.emplace_back(Ok{5});
    out.emplace_back(CreditGrant{Link::results, "q", 6, {7, 8}});
    out.emplace_back(Want{"q", {1, 2}, {3, 4}});
    out.emplace_back(Reclaim{"q"});
    out.emplace_back(Reclaimed{"q", {1, 2}});
    {
        Submit m;
        m.queue = "q";
        m.group = id(2);
        m.acked_seq = 12;
        for (int i = 0; i < 4; ++i) {
            Job job;
            job.id = id(static_cast<std::uint8_t>(10 + i));
            job.subject = "SPY.vertical";
            job.payload = i == 1 ? Body{kHash, 1'000'000} : Body{"payload", 0};
            if (i > 1) job.inputs = kInputs;
            if (i > 2) {
                job.options = std::make_unique<JobOptions>();
                job.options->priority = 1;
                job.options->delay_ms = 2;
                job.options->deadline_ms = 3;
                job.options->flow = "desk";
                job.options->conflate_key = "key";
                job.options->headers = {{"h", "v"}};
                job.options->flags = 5;
                job.options->as_of_ns = -9;
                job.options->aliases = {"SPY@latest"};
            }
            m.jobs.push_back(std::move(job));
        }
        out.emplace_back(std::move(m));
    }
    out.emplace_back(
        Accepted{9,
                 4,
                 {{2, Verdict::refused, JobState::unknown, ErrorCode::unsupported, "priority"}},
                 {100, 200}});
    out.emplace_back(Cancel{"q", {id(4), id(5)}});
    out.emplace_back(Cancelled{9, {JobState::queued, JobState::unknown}});
    out.emplace_back(Deliver{3,
                             "q",
                             {{70'000, id(4), "SPY", {"body", 0}, kInputs, std::nullopt},
                              {70'001, id(5), "SPY", {"body", 0}, {}, -7, 1'500, kHash},
                              {70'002, id(6), "", {}, {}, std::nullopt, 0, kHash}}});
    out.emplace_back(Revoke{{{3, 70'000}}});
    out.emplace_back(protocol::Progress{{{{3, 70'000}, 5, 10, "strikes"}}});
    out.emplace_back(Done{3,
                          {5, 6},
                          {{70'000, AttemptOutcome::done, {"result", 0}, ErrorCode::none, {}},
                           {70'001, AttemptOutcome::failed, {}, ErrorCode::scan_failed, "why"}}});
    out.emplace_back(Subscribe{2, "q", "SPY.>", StartFrom::offset, 77, id(5), "name", {10, 20}});
    out.emplace_back(Subscribed{3, 2, id(5), 1, 90, 77, SubscriptionStatus::resumed});
    out.emplace_back(Unsubscribe{2, true});
    out.emplace_back(Ack{2, 80});
    {
        Results m{2, 80, Gap{70, 77}, {}};
        m.entries.push_back({77,
                             EntryKind::job,
                             id(6),
                             "SPY",
                             FinalOutcome::done,
                             {"r", 0},
                             ErrorCode::none,
                             {},
                             {}});
        m.entries.push_back({78,
                             EntryKind::job,
                             id(7),
                             "SPY",
                             FinalOutcome::dead,
                             {},
                             ErrorCode::worker_lost,
                             "w",
                             {}});
        m.entries.push_back({79,
                             EntryKind::group,
                             id(8),
                             "",
                             FinalOutcome::done,
                             {"g", 0},
                             ErrorCode::none,
                             {},
                             id(8)});
        out.emplace_back(std::move(m));
    }
    out.emplace_back(GroupOpen{"q", id(8)});
    out.emplace_back(GroupSeal{"q", id(8), 44});
    out.emplace_back(GroupQuery{"q", id(8)});
    out.emplace_back(
        GroupState{1, "q", id(8), GroupPhase::sealed, 44, 44, 3, {{FinalOutcome::done, 3}}});
    out.emplace_back(QueueCreate{"q", {{"max_jobs", 5}}});
    out.emplace_back(QueueAlter{"q", {{"max_jobs", 6}}});
    out.emplace_back(QueueDelete{"q", true});
    out.emplace_back(QueueControl{"q", QueueAction::drain});
    out.emplace_back(DeadLetters{"q", DeadAction::retry, {id(4)}});
    out.emplace_back(DeadDone{8, {{id(4), id(5)}}});
    out.emplace_back(AliasSet{"SPY@latest", content(1)});
    out.emplace_back(Backup{"monday"});
    out.emplace_back(BackupDone{8, "/backups/monday", 12'345});
    out.emplace_back(FlowSet{"q", "desk", {{"weight", 3}}});
    out.emplace_back(QueueVersion{"q", "engine/7"});
    {
        StandingSet m{"desk", "q", "desk.condors", {"payload", 0}, {"SPY@latest", "QQQ@latest"},
                      250,    {}};
        out.emplace_back(std::move(m));
    }
    {
        StandingSet m{"desk", "q", "desk", {kHash, 1'000'000}, {"SPY@latest"}, 0, {}};
        m.options = std::make_unique<JobOptions>();
        m.options->priority = 7;
        m.options->flow = "desk";
        out.emplace_back(std::move(m));
    }
    out.emplace_back(StandingDrop{"desk"});
    out.emplace_back(Query{"queues", "q"});
    out.emplace_back(
        Answer{3, "queues", {{{"queue", std::string("q")}, {"waiting", std::uint64_t{4}}}}});
    out.emplace_back(BlobPut{content(1), 70'000, BlobType::snapshot, "SPY"});
    out.emplace_back(
        BlobPut{content(1), 70'000, BlobType::snapshot, "SPY", BlobEncoding::zstd, 30'000});
    out.emplace_back(BlobReady{1, content(1), true, {32, 1U << 21}});
    out.emplace_back(BlobChunk{content(1), 65'536, "chunk"});
    out.emplace_back(BlobStored{1, content(1), 70'000});
    out.emplace_back(BlobGet{content(1), {32, 1U << 21}});
    out.emplace_back(BlobGet{content(1), {32, 1U << 21}, kTakesZstd});
    out.emplace_back(BlobInfo{2, content(1), 70'000, BlobType::body, "SPY"});
    out.emplace_back(
        BlobInfo{2, content(1), 70'000, BlobType::body, "SPY", BlobEncoding::zstd, 30'000});
    out.emplace_back(CacheGet{"q", {content(1), content(2)}});
    out.emplace_back(CacheValues{4,
                                 {{content(1), 2'500, "result", 0},
                                  {content(2), 0, std::string(content(3).view()), 70'000, 9'000}},
                                 3});
    const Checksum check{{7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8}};
    out.emplace_back(CacheValues{4, {{content(1), 2'500, "result", 0, 1'000, check}}, 1});
    out.emplace_back(
        CachePut{{{content(1), 0, 300'000, check, "result"}, {content(2), 17, 1, Checksum{}, ""}}});
    out.emplace_back(CacheKept{5, 2});
    out.emplace_back(CacheDrop{"q", {content(1)}});
    out.emplace_back(CacheDropped{5, 1, 2});
    return out;
}

}  // namespace scanmq::tests
