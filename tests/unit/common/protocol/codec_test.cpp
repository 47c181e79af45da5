#include "common/protocol/codec.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/frames.hpp"

namespace scanmq::protocol {
namespace {

const Header kHeader{kProducer | kSubscriber, SessionId{0xfeedULL << 40}, 7};

TEST(Codec, EveryKindComesBackByteForByte) {
    // Decoding and encoding again must give the same bytes: no field is lost, swapped or defaulted.
    for (const Message& message : tests::one_of_each_kind()) {
        std::string first;
        encode(kHeader, message, first);
        Decoder decoder;
        auto frame = decoder.decode(first);
        ASSERT_TRUE(frame.ok()) << to_string(kind_of(message)) << ": " << frame.error().sentence;
        EXPECT_EQ(kind_of(frame->message), kind_of(message));
        EXPECT_EQ(frame->header.roles, kHeader.roles);
        EXPECT_EQ(frame->header.session, kHeader.session);
        EXPECT_EQ(frame->header.seq, kHeader.seq);
        std::string second;
        encode(frame->header, frame->message, second);
        EXPECT_EQ(to_hex(first), to_hex(second)) << to_string(kind_of(message));
    }
}

TEST(Codec, OneOfEachKindNamesEveryKind) {
    const auto messages = tests::one_of_each_kind();
    for (std::size_t i = 0; i < std::variant_size_v<Message>; ++i) {
        bool found = false;
        for (const Message& message : messages) found = found || message.index() == i;
        EXPECT_TRUE(found) << "no sample for alternative " << i;
    }
}

TEST(Codec, SubmitCarriesItsFields) {
    Submit submit;
    submit.queue = "scans";
    submit.group = tests::id(3);
    submit.acked_seq = 41;
    Job job;
    job.id = tests::id(1);
    job.subject = "SPY.iron_condor";
    job.payload = {"payload", 0};
    const std::string inputs(64, 'x');
    job.inputs = inputs;
    job.options = std::make_unique<JobOptions>();
    job.options->priority = 9;
    job.options->deadline_ms = 250;
    submit.jobs.push_back(std::move(job));
    std::string bytes;
    encode(kHeader, Message(std::move(submit)), bytes);
    Decoder decoder;
    auto frame = decoder.decode(bytes);
    ASSERT_TRUE(frame.ok()) << frame.error().sentence;
    const auto& out = std::get<Submit>(frame->message);
    EXPECT_EQ(out.queue, "scans");
    EXPECT_EQ(out.group, tests::id(3));
    EXPECT_EQ(out.acked_seq, 41U);
    ASSERT_EQ(out.jobs.size(), 1U);
    EXPECT_EQ(out.jobs[0].id, tests::id(1));
    EXPECT_EQ(out.jobs[0].subject, "SPY.iron_condor");
    EXPECT_EQ(out.jobs[0].payload.bytes, "payload");
    EXPECT_EQ(out.jobs[0].inputs_count(), 2U);
    ASSERT_TRUE(out.jobs[0].options);
    EXPECT_EQ(out.jobs[0].options->priority, 9U);
}

TEST(Codec, AnOptionOutOfItsRangeIsTheBrokersToRefuse) {
    // With bad_option, for that job alone: the frame itself is well formed.
    Submit submit;
    submit.queue = "scans";
    Job& job = submit.jobs.emplace_back();
    job.id = tests::id(1);
    job.options = std::make_unique<JobOptions>();
    job.options->priority = 10;
    job.options->flags = JobOptions::kPure | JobOptions::kNotPure;
    std::string bytes;
    encode(kHeader, Message(std::move(submit)), bytes);
    Decoder decoder;
    auto frame = decoder.decode(bytes);
    ASSERT_TRUE(frame.ok()) << frame.error().sentence;
    EXPECT_EQ(std::get<Submit>(frame->message).jobs.at(0).options->priority, 10U);
}

TEST(Codec, BodyIsInlineOrABlob) {
    const std::string hash(32, '\7');
    Done done;
    done.outcomes.push_back({1, AttemptOutcome::done, {"abc", 0}, ErrorCode::none, {}});
    done.outcomes.push_back({2, AttemptOutcome::done, {hash, 300'000}, ErrorCode::none, {}});
    std::string bytes;
    encode(kHeader, Message(std::move(done)), bytes);
    Decoder decoder;
    auto frame = decoder.decode(bytes);
    ASSERT_TRUE(frame.ok()) << frame.error().sentence;
    const auto& out = std::get<Done>(frame->message);
    EXPECT_FALSE(out.outcomes[0].body.is_blob());
    EXPECT_EQ(out.outcomes[0].body.bytes, "abc");
    EXPECT_TRUE(out.outcomes[1].body.is_blob());
    EXPECT_EQ(out.outcomes[1].body.blob_size, 300'000U);
    EXPECT_EQ(out.outcomes[1].body.bytes, hash);
}

TEST(Codec, ItemBoundHoldsForTheLargestItem) {
    const std::string subject(kLimits.subject_bytes_max, 's');
    const std::string sentence(kLimits.sentence_bytes_max, 't');
    const std::string body(70'000, 'b');
    Results results;
    Entry entry;
    entry.offset = ~0ULL;
    entry.kind = EntryKind::job;
    entry.id = tests::id(9);
    entry.subject = subject;
    entry.outcome = FinalOutcome::dead;
    entry.body = {body, 0};
    entry.code = ErrorCode::worker_lost;
    entry.sentence = sentence;
    entry.group = tests::id(8);
    std::string empty;
    encode(kHeader, Message(Results{results.subscription, ~0ULL, Gap{1, ~0ULL}, {}}), empty);
    EXPECT_LE(empty.size(), kEnvelopeBytesMax);
    results.entries.push_back(entry);
    std::string bytes;
    encode(kHeader, Message(std::move(results)), bytes);
    EXPECT_LE(bytes.size(), kEnvelopeBytesMax + kItemFixedBytesMax + subject.size() +
                                sentence.size() + body.size());
}

TEST(Codec, ItemBoundHoldsForTheLargestAttempt) {
    const std::string subject(kLimits.subject_bytes_max, 's');
    const std::string inputs(std::size_t{kLimits.inputs_per_job_max} * 32, 'i');
    const std::string body(70'000, 'b');
    const std::string fingerprint(32, 'f');
    const std::string queue(kLimits.queue_bytes_max, 'q');
    Deliver deliver{~0ULL, queue, {}};
    deliver.attempts.push_back({~0ULL,
                                tests::id(1),
                                subject,
                                {body, 0},
                                inputs,
                                std::numeric_limits<std::int64_t>::min(),
                                ~0ULL,
                                fingerprint,
                                ~0ULL});
    std::string bytes;
    encode(kHeader, Message(std::move(deliver)), bytes);
    EXPECT_LE(bytes.size(), kEnvelopeBytesMax + kItemFixedBytesMax + subject.size() +
                                inputs.size() + body.size() + fingerprint.size());
}

TEST(Codec, APlainAttemptHasNoOptions) {
    const auto size_of = [](ByteView fingerprint) {
        Deliver deliver{1, "q", {}};
        deliver.attempts.push_back({1, tests::id(1), "S", {"p", 0}, {}, {}, 0, fingerprint, 0});
        std::string bytes;
        encode(kHeader, Message(std::move(deliver)), bytes);
        return bytes.size();
    };
    // The map, its key, the bin's head and 32 bytes.
    EXPECT_EQ(size_of(std::string(32, 'f')), size_of({}) + 1 + 1 + 2 + 32);
}

TEST(Codec, TheAgeOfAKeptResultAndHowLongOneIsKeptAreTold) {
    const std::string fingerprint(32, 'f');
    Deliver deliver{1, "q", {}};
    deliver.attempts.push_back({1, tests::id(1), "S", {"p", 0}, {}, {}, 0, fingerprint, 300'000});
    std::string bytes;
    encode(kHeader, Message(std::move(deliver)), bytes);
    Decoder decoder;
    auto frame = decoder.decode(bytes);
    ASSERT_TRUE(frame.ok()) << frame.error().sentence;
    EXPECT_EQ(std::get<Deliver>(frame->message).attempts.at(0).keep_ms, 300'000U);
    Done done;
    for (const std::uint64_t age : {0, 1'500}) {
        done.outcomes.push_back({7, AttemptOutcome::done, {"result", 0}, ErrorCode::none, {}, age});
    }
    std::string answer;
    encode(kHeader, Message(std::move(done)), answer);
    frame = decoder.decode(answer);
    ASSERT_TRUE(frame.ok()) << frame.error().sentence;
    const auto& outcomes = std::get<Done>(frame->message).outcomes;
    EXPECT_EQ(outcomes.at(0).age_ms, 0U);
    EXPECT_EQ(outcomes.at(1).age_ms, 1'500U);
    EXPECT_EQ(outcomes.at(1).sentence, "");
}

}  // namespace
}  // namespace scanmq::protocol
