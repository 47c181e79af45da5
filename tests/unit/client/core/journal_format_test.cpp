#include "client/core/journal_format.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace scanmq::client::journal {
namespace {

using namespace std::chrono_literals;

Id128 id_of(std::uint8_t n) {
    Id128 out;
    out.bytes[15] = n;
    return out;
}

Job job_of(std::string_view payload, const Id128& id = {}) {
    Job out;
    out.subject = "a.b";
    out.payload = payload;
    out.id = id;
    return out;
}

RestoredJob restored(ByteView file, const Kept& kept) {
    auto out = RestoredJob::decode(file.substr(kept.offset, kept.bytes), kept.id);
    EXPECT_TRUE(out.ok());
    return std::move(out).value();
}

class JournalFormat : public testing::Test {
  protected:
    void SetUp() override { begin("work", file); }
    std::string file;
};

TEST_F(JournalFormat, KeepsAJobWithEverythingItHas) {
    const std::vector<std::string> aliases{"SPY@latest", "QQQ"};
    const std::string inputs(64, 'i');
    const std::string payload("\0\xff payload", 10);
    Job job = job_of(payload, id_of(7));
    job.inputs = inputs;
    job.group = id_of(3);
    job.priority = 2;
    job.delay = 1500ms;
    job.deadline = 10s;
    job.conflate_key = "key";
    job.pure = false;
    job.finish_late = true;
    job.sheddable = true;
    job.as_of_ns = -5;
    job.aliases = aliases;
    append_job(Ticket{9}, job, file);
    const auto contents = read(file);
    ASSERT_TRUE(contents.ok());
    EXPECT_EQ(contents->queue, "work");
    EXPECT_EQ(contents->torn_bytes, 0U);
    ASSERT_EQ(contents->jobs.size(), 1U);
    EXPECT_EQ(contents->jobs[0].ticket.value, 9U);
    const RestoredJob kept = restored(file, contents->jobs[0]);
    EXPECT_EQ(kept.job().subject, "a.b");
    EXPECT_EQ(kept.job().payload, payload);
    EXPECT_EQ(kept.job().inputs, inputs);
    EXPECT_EQ(kept.job().group, id_of(3));
    EXPECT_EQ(kept.job().id, id_of(7));
    EXPECT_EQ(kept.job().priority, 2U);
    EXPECT_EQ(kept.job().delay, 1500ms);
    EXPECT_EQ(kept.job().deadline, 10s);
    EXPECT_EQ(kept.job().conflate_key, "key");
    EXPECT_EQ(kept.job().pure, false);
    EXPECT_TRUE(kept.job().finish_late);
    EXPECT_TRUE(kept.job().sheddable);
    EXPECT_EQ(kept.job().as_of_ns, -5);
    ASSERT_EQ(kept.job().aliases.size(), 2U);
    EXPECT_EQ(kept.job().aliases[1], "QQQ");
}

TEST_F(JournalFormat, DefaultsComeBackAsDefaults) {
    append_job(Ticket{1}, job_of("x"), file);
    const RestoredJob kept = restored(file, read(file)->jobs.at(0));
    EXPECT_EQ(options_of(kept.job()), nullptr);
    EXPECT_TRUE(kept.job().id.is_zero());
    EXPECT_TRUE(kept.job().group.is_zero());
}

TEST_F(JournalFormat, APayloadThatTravelsAsABlobIsKeptWhole) {
    const std::string payload(3U << 20, 'B');
    append_job(Ticket{1}, job_of(payload), file);
    EXPECT_EQ(restored(file, read(file)->jobs.at(0)).job().payload, payload);
}

TEST_F(JournalFormat, AnsweredJobsAreGoneAndStampedOnesHaveTheirIds) {
    for (std::uint64_t t = 1; t <= 4; ++t) append_job(Ticket{t}, job_of("x"), file);
    const JobStamped stamps[] = {{0, Ticket{2}, id_of(2)}, {0, Ticket{3}, id_of(3)}};
    append_stamps(stamps, file);
    const Ticket answered[] = {Ticket{1}, Ticket{3}, Ticket{77}};
    append_answers(answered, file);
    const auto contents = read(file);
    ASSERT_TRUE(contents.ok());
    ASSERT_EQ(contents->jobs.size(), 2U);
    EXPECT_EQ(restored(file, contents->jobs[0]).job().id, id_of(2));
    EXPECT_TRUE(restored(file, contents->jobs[1]).job().id.is_zero());
}

// Whatever byte a killed process got to: what was whole before is read, nothing else.
TEST_F(JournalFormat, EveryTruncationKeepsWhatWasWhole) {
    struct Mark {
        std::size_t size;
        std::vector<std::uint64_t> tickets;
        bool stamped;
    };
    std::vector<Mark> marks{{file.size(), {}, false}};
    append_job(Ticket{1}, job_of("first"), file);
    marks.push_back({file.size(), {1}, false});
    append_job(Ticket{2}, job_of("second"), file);
    marks.push_back({file.size(), {1, 2}, false});
    const JobStamped stamps[] = {{0, Ticket{2}, id_of(2)}};
    append_stamps(stamps, file);
    marks.push_back({file.size(), {1, 2}, true});
    const Ticket answered[] = {Ticket{1}};
    append_answers(answered, file);
    marks.push_back({file.size(), {2}, true});

    for (std::size_t size = 0; size <= file.size(); ++size) {
        SCOPED_TRACE(size);
        const auto contents = read(ByteView(file).substr(0, size));
        ASSERT_TRUE(contents.ok()) << contents.error();
        Mark whole{0, {}, false};
        for (const Mark& mark : marks) {
            if (mark.size <= size) whole = mark;
        }
        EXPECT_EQ(contents->queue, whole.size == 0 ? "" : "work");
        EXPECT_EQ(contents->torn_bytes, size - whole.size);
        std::vector<std::uint64_t> tickets;
        for (const Kept& kept : contents->jobs) {
            tickets.push_back(kept.ticket.value);
            if (kept.ticket.value != 2) continue;
            EXPECT_EQ(!kept.id.is_zero(), whole.stamped);
        }
        EXPECT_EQ(tickets, whole.tickets);
    }
}

TEST_F(JournalFormat, EveryFlippedBitEndsWhatIsReadBeforeItsRecord) {
    const std::size_t head = file.size();
    append_job(Ticket{1}, job_of("first"), file);
    const std::size_t first = file.size();
    append_job(Ticket{2}, job_of("second"), file);
    for (std::size_t at = head; at < file.size(); ++at) {
        SCOPED_TRACE(at);
        std::string damaged = file;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        const auto contents = read(damaged);
        ASSERT_TRUE(contents.ok());
        EXPECT_EQ(contents->jobs.size(), at < first ? 0U : 1U);
        EXPECT_GT(contents->torn_bytes, 0U);
    }
}

TEST_F(JournalFormat, AnotherFileIsRefusedAndSaysWhy) {
    const auto other = read("#!/bin/sh\necho this is no journal\n");
    ASSERT_FALSE(other.ok());
    EXPECT_NE(other.error().find("not a journal"), std::string::npos);
    append_job(Ticket{1}, job_of("x"), file);
    file[kMagic.size() + kRecordHeadBytes + 2] = '?';  // in the queue's name
    const auto damaged = read(file);
    ASSERT_FALSE(damaged.ok());
    EXPECT_NE(damaged.error().find("damaged"), std::string::npos);
}

TEST_F(JournalFormat, ARecordThatHoldsNoJobIsNotDecoded) {
    const Ticket answered[] = {Ticket{1}};
    std::string record;
    append_answers(answered, record);
    EXPECT_FALSE(RestoredJob::decode(record, {}).ok());
    EXPECT_FALSE(RestoredJob::decode("", {}).ok());
}

}  // namespace
}  // namespace scanmq::client::journal
