// Streams and durable subscriptions under a seeded random life, against a simple model: readers come,
// go, take names over, acknowledge, forget; entries are appended and trimmed by bytes and age.

#include <map>
#include <optional>

#include "tests/unit/broker/core/streams_fixture.hpp"

namespace scanmq::broker {
namespace {

using namespace testing;
using protocol::ErrorCode;
using protocol::StartFrom;
using protocol::SubscriptionStatus;

class ModelTest : public StreamsTest {
  protected:
    static constexpr auto kTtl = 20s;
    static constexpr auto kAge = 30s;
    static constexpr std::uint64_t kBytes = 12 * 70;

    struct Name {  // as the page has it
        std::uint64_t cursor = 0;
        std::optional<std::size_t> reader;
        Time since;
        bool lapsed = false;
    };
    struct Reader {
        Peer* peer = nullptr;
        std::string name;            // "": none
        std::uint64_t next = 0;      // where the next RESULTS goes on
        std::uint64_t told = 0;      // as far as it may acknowledge
        std::uint64_t number = 0;    // of its subscription
        std::uint64_t request = 0;   // seq of its SUBSCRIBE
        protocol::Credit credit;     // granted
        std::uint64_t received = 0;  // entries
    };

    ModelTest()
        : StreamsTest({}, {{"stream_max_bytes", kBytes},
                           {"stream_max_age_ms", std::chrono::milliseconds(kAge).count()},
                           {"subscription_ttl_ms", std::chrono::milliseconds(kTtl).count()}}) {
        for (int i = 0; i < 3; ++i) {
            readers.push_back({});
            readers.back().peer = &h.subscriber("reader " + std::to_string(i));
        }
    }

    // The model's part of an end: the name waits.
    void leave(std::size_t i) {
        Reader& reader = readers[i];
        if (reader.name.empty()) return;
        names.at(reader.name).reader.reset();
        names.at(reader.name).since = h.now;
        reader.name.clear();
    }
    void lapse() {
        for (auto it = names.begin(); it != names.end();) {
            Name& name = it->second;
            if (!name.reader && h.now >= name.since + kTtl) {
                if (name.lapsed) {
                    it = names.erase(it);
                    continue;
                }
                name.lapsed = true;
                name.since = h.now;
            }
            ++it;
        }
    }
    void trim() {
        while (times.size() - first > 1 && (times.size() - first) * 70 > kBytes) ++first;
    }
    void age() {
        while (first < times.size() && h.now >= times[first] + kAge) ++first;
    }

    void subscribe(std::size_t i, const std::string& name) {
        Reader& reader = readers[i];
        if (!reader.name.empty()) return;
        const bool earliest = rng.below(2) == 0;
        const auto known = names.find(name);
        SubscriptionStatus status = SubscriptionStatus::created;
        std::uint64_t start = earliest ? first : times.size();
        std::optional<std::size_t> former;
        if (known != names.end()) {
            status =
                known->second.lapsed ? SubscriptionStatus::lapsed : SubscriptionStatus::resumed;
            if (!known->second.lapsed) start = known->second.cursor;
            former = known->second.reader;
        }
        reader.number = ++numbers;
        reader.credit = {rng.below(5), 1ULL << 40};
        reader.received = 0;
        reader.peer->send(protocol::Subscribe{reader.number,
                                              "q",
                                              ">",
                                              earliest ? StartFrom::earliest : StartFrom::latest,
                                              0,
                                              {},
                                              name,
                                              reader.credit});
        reader.request = reader.peer->seq;
        const auto& answer = reader.peer->next<protocol::Subscribed>();
        ASSERT_EQ(answer.status, status);
        ASSERT_EQ(answer.start_offset, start);
        ASSERT_EQ(answer.first_offset, first);
        ASSERT_EQ(answer.next_offset, times.size());
        if (former) {
            const auto& error = readers[*former].peer->next<protocol::Error>();
            ASSERT_EQ(error.code, ErrorCode::subscription_taken);
            ASSERT_EQ(error.re, readers[*former].request);
            leave(*former);
        }
        names[name] = {start, i, {}, false};
        reader.name = name;
        reader.next = reader.told = start;
        read(i);
    }
    // What came has to follow what came before, with gaps exactly where entries are gone.
    void read(std::size_t i) {
        Reader& reader = readers[i];
        while (!reader.peer->inbox.empty()) {
            const Received frame = std::move(reader.peer->inbox.front());
            reader.peer->inbox.pop_front();
            const auto* results = std::get_if<protocol::Results>(&frame.message);
            if (results == nullptr) {
                ASSERT_FALSE(std::holds_alternative<protocol::Error>(frame.message));
                continue;
            }
            if (results->subscription != reader.number || reader.name.empty()) continue;
            if (results->gap) {
                ASSERT_EQ(results->gap->from, reader.next);
                ASSERT_LE(results->gap->to, first);
                reader.next = results->gap->to;
                ++gaps_seen;
            }
            for (const auto& entry : results->entries) {
                ASSERT_EQ(entry.offset, reader.next++);
                ++reader.received;
            }
            ASSERT_EQ(results->next_offset, reader.next);
            reader.told = reader.next;
        }
        ASSERT_LE(reader.received, reader.credit.items);
        if (!reader.name.empty() && reader.received < reader.credit.items) {
            ASSERT_EQ(reader.next, times.size()) << "it has credit and is behind";
        }
    }
    void acknowledge(std::size_t i) {
        Reader& reader = readers[i];
        if (reader.name.empty()) return;
        const std::uint64_t offset = rng.below(times.size() + 3);
        reader.peer->send(protocol::Ack{reader.number, offset});
        Name& name = names.at(reader.name);
        if (offset <= reader.told) name.cursor = std::max(name.cursor, offset);
    }
    void grow(std::size_t i) {
        Reader& reader = readers[i];
        if (reader.name.empty()) return;
        reader.credit.items += rng.below(6);
        reader.peer->send(
            protocol::CreditGrant{protocol::Link::results, "", reader.number, reader.credit});
    }
    void stop(std::size_t i) {
        Reader& reader = readers[i];
        if (reader.name.empty()) return;
        const std::string name = reader.name;
        switch (rng.below(3)) {
            case 0:
                reader.peer->send(protocol::Unsubscribe{reader.number});
                leave(i);
                break;
            case 1:
                reader.peer->send(protocol::Unsubscribe{reader.number, true});
                leave(i);
                names.erase(name);
                break;
            default:
                h.disconnect(*reader.peer);
                ASSERT_TRUE(reader.peer->hello());
                leave(i);
        }
    }
    // The journal alone gives the cursors back.
    void check_journal() {
        for (const change::Any& any : h.changes) {
            if (const auto* set = std::get_if<change::CursorSet>(&any)) {
                Name& row = journal[std::string(set->name)];
                row.cursor = set->cursor.next_offset;
                row.lapsed = set->cursor.lapsed;
                row.reader.reset();
                if (set->cursor.used == 0) row.reader = 0;
            } else if (const auto* gone = std::get_if<change::CursorForgotten>(&any)) {
                ASSERT_EQ(journal.erase(std::string(gone->name)), 1U);
            } else if (const auto* trimmed = std::get_if<change::StreamTrimmed>(&any)) {
                ASSERT_GT(trimmed->first, journal_first);
                journal_first = trimmed->first;
            }
        }
        h.changes.clear();
        ASSERT_EQ(journal_first, first);
        ASSERT_EQ(journal.size(), names.size());
        for (const auto& [text, name] : names) {
            ASSERT_TRUE(journal.contains(text));
            const Name& row = journal.at(text);
            ASSERT_EQ(row.cursor, name.cursor);
            ASSERT_EQ(row.lapsed, name.lapsed);
            ASSERT_EQ(row.reader.has_value(), name.reader.has_value());
        }
    }
    void step() {
        const std::size_t i = rng.below(readers.size());
        switch (rng.below(8)) {
            case 0:
            case 1:
                run(++jobs_run);
                times.push_back(h.now);
                trim();
                break;
            case 2:
                subscribe(i, std::string(1, static_cast<char>('a' + rng.below(3))));
                break;
            case 3:
                acknowledge(i);
                break;
            case 4:
                grow(i);
                break;
            case 5:
                if (rng.below(4) == 0) stop(i);
                break;
            default:
                // Whole quarters of a second: what is due is done by then.
                for (auto& reader : readers) reader.peer->post(protocol::Heartbeat{});
                h.flush();
                pass(std::chrono::milliseconds(250 * (1 + rng.below(20))));
        }
        lapse();
        age();
        h.tick();
    }

    Rng rng{1};
    std::vector<Reader> readers;
    std::map<std::string, Name> names;
    std::map<std::string, Name> journal;
    std::uint64_t journal_first = 0;
    std::vector<Time> times;  // of the entries, by offset
    std::uint64_t first = 0;
    std::uint64_t numbers = 0;
    std::uint64_t jobs_run = 0;
    std::uint64_t gaps_seen = 0;
};

class SeededModelTest : public ModelTest, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(SeededModelTest, ReadersSeeWhatTheModelSays) {
    rng = Rng(GetParam());
    for (int n = 0; n < 1'500 && !HasFatalFailure(); ++n) {
        SCOPED_TRACE("step " + std::to_string(n));
        step();
        for (std::size_t i = 0; i < readers.size() && !HasFatalFailure(); ++i) read(i);
        if (!HasFatalFailure()) check_journal();
    }
    EXPECT_GT(gaps_seen, 0U);
    EXPECT_GT(h.core.counter("subscriptions_taken"), 0U);
    EXPECT_GT(h.core.counter("subscriptions_lapsed"), 0U);
    EXPECT_GT(h.core.counter("subscriptions_resumed"), 0U);
    EXPECT_GT(h.core.counter("acks_ignored"), 0U);
    EXPECT_GT(h.core.counter("entries_aged"), 0U);
    EXPECT_GT(h.core.counter("entries_dropped"), h.core.counter("entries_aged"));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SeededModelTest, ::testing::Range<std::uint64_t>(1, 11));

}  // namespace
}  // namespace scanmq::broker
