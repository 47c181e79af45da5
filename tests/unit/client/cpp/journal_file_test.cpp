#include "client/cpp/journal_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace scanmq::client {
namespace {

Id128 id_of(std::uint8_t n) {
    Id128 out;
    out.bytes[15] = n;
    return out;
}

struct Seen {
    std::string payload;
    Id128 id;
    friend bool operator==(const Seen&, const Seen&) = default;
};

class Journal : public testing::Test {
  protected:
    void SetUp() override { std::filesystem::create_directories(directory_); }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    JournalOptions options(std::uint64_t bytes_max = 1U << 20, bool sync = false) const {
        return {path_, "work", sync, bytes_max};
    }
    // Opens and restores, as a new process would; `seen` is what was submitted again.
    std::unique_ptr<JournalFile> open(const JournalOptions& wanted) {
        seen.clear();
        auto journal = JournalFile::open(wanted);
        if (!journal) {
            ADD_FAILURE() << journal.error().sentence;
            return nullptr;
        }
        const auto restored = (*journal)->restore([&](const Job& job) -> Result<Ticket> {
            seen.push_back({std::string(job.payload), job.id});
            return Ticket{seen.size()};
        });
        EXPECT_TRUE(restored.ok());
        return std::move(*journal);
    }
    std::unique_ptr<JournalFile> open() { return open(options()); }
    static bool append(JournalFile& journal, std::uint64_t ticket, std::string_view payload) {
        Job job;
        job.payload = payload;
        return journal.append(Ticket{ticket}, job).ok();
    }
    static void answer(JournalFile& journal, std::uint64_t ticket) {
        const Ticket answered[] = {Ticket{ticket}};
        journal.answer(answered);
    }
    std::uint64_t size() const { return std::filesystem::file_size(path_); }

    const std::string directory_ = testing::TempDir() + "journal_file_test." +
                                   testing::UnitTest::GetInstance()->current_test_info()->name();
    const std::string path_ = directory_ + "/jobs.journal";
    std::vector<Seen> seen;
};

TEST_F(Journal, WhatWasUnansweredIsThereAfterTheProcessWithTheIdsItWasSentUnder) {
    {
        auto journal = open();
        EXPECT_TRUE(seen.empty());
        for (std::uint64_t t = 1; t <= 3; ++t) {
            ASSERT_TRUE(append(*journal, t, "job " + std::to_string(t)));
        }
        const JobStamped stamps[] = {{0, Ticket{1}, id_of(1)}, {0, Ticket{2}, id_of(2)}};
        journal->stamp(stamps);
        answer(*journal, 1);
        EXPECT_EQ(journal->info().jobs, 2U);
    }
    auto journal = open();
    EXPECT_EQ(seen, (std::vector<Seen>{{"job 2", id_of(2)}, {"job 3", {}}}));
    EXPECT_EQ(journal->info().restored, 2U);
    // And once more, without any change in between; then answered under the new tickets.
    journal = nullptr;
    journal = open();
    EXPECT_EQ(seen, (std::vector<Seen>{{"job 2", id_of(2)}, {"job 3", {}}}));
    answer(*journal, 1);
    answer(*journal, 2);
    journal = nullptr;
    journal = open();
    EXPECT_TRUE(seen.empty());
}

TEST_F(Journal, SyncKeepsTheSame) {
    {
        auto journal = open(options(1U << 20, true));
        ASSERT_TRUE(append(*journal, 1, "x"));
    }
    auto journal = open(options(1U << 20, true));
    EXPECT_EQ(seen.size(), 1U);
}

TEST_F(Journal, ATornTailIsCutAndTheFileIsWholeAgain) {
    {
        auto journal = open();
        ASSERT_TRUE(append(*journal, 1, "whole"));
        ASSERT_TRUE(append(*journal, 2, "torn"));
    }
    std::filesystem::resize_file(path_, size() - 3);
    auto journal = open();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].payload, "whole");
    EXPECT_GT(journal->info().torn_bytes, 0U);
    ASSERT_TRUE(append(*journal, 2, "after"));
    journal = nullptr;
    journal = open();
    EXPECT_EQ(seen.size(), 2U);
    EXPECT_EQ(journal->info().torn_bytes, 0U);
}

TEST_F(Journal, TheFileIsCutWhenNothingIsUnanswered) {
    auto journal = open();
    const std::uint64_t empty = size();
    for (std::uint64_t t = 1; t <= 100; ++t) ASSERT_TRUE(append(*journal, t, "payload"));
    for (std::uint64_t t = 1; t <= 100; ++t) answer(*journal, t);
    EXPECT_EQ(size(), empty);
    EXPECT_EQ(journal->info().file_bytes, empty);
}

TEST_F(Journal, TheFileIsRewrittenWhenMostOfItIsAnsweredAndStampsStay) {
    auto journal = open();
    ASSERT_TRUE(append(*journal, 1, "stays"));
    const JobStamped stamps[] = {{0, Ticket{1}, id_of(1)}};
    journal->stamp(stamps);
    const std::string large(100'000, 'L');
    for (std::uint64_t t = 2; t <= 100; ++t) {
        ASSERT_TRUE(append(*journal, t, large));
        answer(*journal, t);
        EXPECT_LE(size(), 2 * (1U << 20) + JournalFile::kSlackBytes + large.size());
    }
    EXPECT_GE(journal->info().rewrites, 1U);
    ASSERT_TRUE(append(*journal, 101, "last"));
    journal = nullptr;
    journal = open();
    EXPECT_EQ(seen, (std::vector<Seen>{{"stays", id_of(1)}, {"last", {}}}));
}

TEST_F(Journal, UnansweredJobsAreBounded) {
    auto journal = open(options(1000));
    ASSERT_TRUE(append(*journal, 1, std::string(5000, 'x')));  // one always fits
    Job job;
    const auto full = journal->append(Ticket{2}, job);
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().kind, ErrorKind::buffer_full);
    EXPECT_NE(full.error().sentence.find(path_), std::string::npos);
    answer(*journal, 1);
    EXPECT_TRUE(journal->append(Ticket{2}, job).ok());
}

// As on a full disk: part of a record gets there, then no more.
TEST_F(Journal, AJobThatCannotBeWrittenIsNotInIt) {
    auto journal = open();
    ASSERT_TRUE(append(*journal, 1, "before"));
    const std::uint64_t before = size();
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit tight{before + 100, old.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
    const std::string large(5000, 'L');
    Job job;
    job.payload = large;
    const auto refused = journal->append(Ticket{2}, job);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::io);
    EXPECT_NE(refused.error().sentence.find(path_), std::string::npos);
    EXPECT_EQ(size(), before);
    EXPECT_FALSE(journal->broken());
    ASSERT_TRUE(append(*journal, 2, "after"));
    journal = nullptr;
    journal = open();
    EXPECT_EQ(seen, (std::vector<Seen>{{"before", {}}, {"after", {}}}));
}

TEST_F(Journal, TwoProducersDoNotShareOne) {
    auto first = open();
    const auto second = JournalFile::open(options());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().kind, ErrorKind::invalid);
    EXPECT_NE(second.error().sentence.find(path_), std::string::npos);
    EXPECT_NE(second.error().sentence.find("in use"), std::string::npos);
    // The lock goes on when the file was replaced.
    const std::string large(300'000, 'L');
    ASSERT_TRUE(append(*first, 1, "stays"));
    for (std::uint64_t t = 2; t <= 20; ++t) {
        ASSERT_TRUE(append(*first, t, large));
        answer(*first, t);
    }
    EXPECT_GE(first->info().rewrites, 1U);
    EXPECT_FALSE(JournalFile::open(options()).ok());
    first = nullptr;
    EXPECT_TRUE(JournalFile::open(options()).ok());
}

TEST_F(Journal, AnotherQueuesJournalIsRefused) {
    { auto journal = open(); }
    JournalOptions other = options();
    other.queue = "other";
    const auto opened = JournalFile::open(other);
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().sentence.find("of queue work"), std::string::npos);
}

TEST_F(Journal, WhatIsNoJournalIsRefusedAndLeftAsItIs) {
    const std::string text = "notes of mine\n";
    std::ofstream(path_) << text;
    const auto opened = JournalFile::open(options());
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().sentence.find(path_), std::string::npos);
    std::ifstream file(path_);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
}

TEST_F(Journal, AnAbsentDirectoryIsNamed) {
    JournalOptions absent = options();
    absent.path = directory_ + "/absent/jobs.journal";
    const auto opened = JournalFile::open(absent);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().kind, ErrorKind::io);
    EXPECT_NE(opened.error().sentence.find(absent.path), std::string::npos);
}

TEST_F(Journal, ADirectoryIsNoJournal) {
    std::filesystem::create_directories(path_);
    const auto opened = JournalFile::open(options());
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().sentence.find(path_), std::string::npos);
}

TEST_F(Journal, AFailedRestoreLeavesTheFileAsItWas) {
    {
        auto journal = open();
        ASSERT_TRUE(append(*journal, 1, "kept"));
    }
    {
        auto journal = JournalFile::open(options());
        ASSERT_TRUE(journal.ok());
        const auto restored = (*journal)->restore([](const Job&) -> Result<Ticket> {
            return fail(Error{ErrorKind::closed, {}, "the client was closed"});
        });
        ASSERT_FALSE(restored.ok());
        EXPECT_EQ(restored.error().kind, ErrorKind::closed);
        EXPECT_NE(restored.error().sentence.find(path_), std::string::npos);
    }
    auto journal = open();
    EXPECT_EQ(seen.size(), 1U);
}

TEST_F(Journal, OnlyItsOwnerReadsIt) {
    auto journal = open();
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

}  // namespace
}  // namespace scanmq::client
