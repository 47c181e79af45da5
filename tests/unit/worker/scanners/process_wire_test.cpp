#include "worker/scanners/process_wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/protocol/writer.hpp"
#include "tests/fuzz/process_check.hpp"

namespace scanmq::worker::process_wire {
namespace {

using protocol::Writer;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Fields>
std::string record(std::size_t elements, Fields&& fields) {
    std::string out;
    Writer writer(out);
    writer.array(elements);
    fields(writer);
    return out;
}

std::string framed(std::string_view body) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(body.size() >> shift);
    return out + std::string(body);
}

std::string ready(std::uint64_t version = 1) {
    return record(6, [&](Writer& w) {
        w.uint(11);
        w.uint(version);
        w.str("mine");
        w.str("7");
        w.uint(1);
        w.boolean(true);
    });
}

std::string result(std::uint64_t outcome, std::string_view sentence) {
    return record(5, [&](Writer& w) {
        w.uint(12);
        w.uint(9);
        w.uint(outcome);
        w.bin("body");
        w.str(sentence);
    });
}

TEST(ProcessDecoder, ReadsEachKind) {
    Decoder decoder;
    const std::string bytes = ready();
    const auto first = decoder.decode(bytes);
    ASSERT_TRUE(first.ok()) << first.error();
    const auto& told = std::get<Ready>(*first);
    EXPECT_EQ(told.version, 1U);
    EXPECT_EQ(told.name + "/" + told.scanner_version, "mine/7");
    EXPECT_EQ(told.parallel, 1U);
    EXPECT_TRUE(told.reads_inputs);

    const std::string progress = record(5, [](Writer& w) {
        w.uint(13);
        w.uint(9);
        w.uint(3);
        w.uint(10);
        w.str("half\nway");
    });
    const auto second = decoder.decode(progress);
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(std::get<ProgressFrame>(*second).done, 3U);
    EXPECT_EQ(std::get<ProgressFrame>(*second).note, "half way");

    const std::string pong = record(2, [](Writer& w) {
        w.uint(14);
        w.uint(77);
    });
    EXPECT_EQ(std::get<Pong>(*decoder.decode(pong)).number, 77U);
}

TEST(ProcessDecoder, OutcomesAndSentences) {
    Decoder decoder;
    const std::vector<ScanStatus> expected{ScanStatus::done, ScanStatus::failed,
                                           ScanStatus::rejected, ScanStatus::returned};
    for (std::uint64_t outcome = 1; outcome <= 4; ++outcome) {
        const std::string bytes = result(outcome, "Traceback:\n  \xff");
        const auto message = decoder.decode(bytes);
        ASSERT_TRUE(message.ok()) << message.error();
        const auto& it = std::get<ResultFrame>(*message);
        EXPECT_EQ(it.call, 9U);
        EXPECT_EQ(it.status, expected[outcome - 1]);
        EXPECT_EQ(it.body, "body");
        EXPECT_EQ(it.sentence, "Traceback:   ?");
    }
    EXPECT_THAT(decoder.decode(result(5, "")).error(), HasSubstr("outcome"));
    EXPECT_THAT(decoder.decode(result(0, "")).error(), HasSubstr("outcome"));
    const std::string wordy = result(2, std::string(2000, 'w'));
    EXPECT_EQ(std::get<ResultFrame>(*decoder.decode(wordy)).sentence.size(), 512U);
}

TEST(ProcessDecoder, SkipsWhatLaterVersionsAdd) {
    Decoder decoder;
    const std::string bytes = record(4, [](Writer& w) {
        w.uint(14);
        w.uint(1);
        w.str("new");
        w.array(1);
        w.uint(5);
    });
    EXPECT_TRUE(decoder.decode(bytes).ok());
}

TEST(ProcessDecoder, RefusesDamage) {
    Decoder decoder;
    const std::string good = result(1, "fine");
    for (std::size_t size = 0; size < good.size(); ++size) {
        if (size == good.size() - 5) continue;  // see below: the sentence may be left out
        EXPECT_FALSE(decoder.decode(ByteView(good).substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(decoder.decode(good + '\0').ok()) << "bytes after the array";
    EXPECT_FALSE(decoder.decode("print output\n").ok());
    EXPECT_THAT(decoder.decode(record(1, [](Writer& w) { w.uint(2); })).error(),
                HasSubstr("kind is 2"));
    EXPECT_THAT(decoder.decode(record(1, [](Writer& w) { w.uint(~0ULL); })).error(),
                HasSubstr("does not send"));
    EXPECT_THAT(decoder.decode(record(1, [](Writer& w) { w.uint(12); })).error(),
                HasSubstr("call is missing"));
    EXPECT_THAT(decoder.decode(record(0, [](Writer&) {})).error(), HasSubstr("kind is missing"));
    const std::string many = record(1000, [](Writer& w) {
        w.uint(14);
        for (int i = 1; i < 1000; ++i) w.uint(1);
    });
    EXPECT_THAT(decoder.decode(many).error(), HasSubstr("elements_max"));
}

TEST(ProcessEncoder, ScanHasAllOfATask) {
    Task task;
    task.queue = "scans";
    task.subject = "SPY.vertical";
    task.payload = "PAYLOAD";
    const ContentId id = content_id("x");
    const std::vector<std::shared_ptr<Input>> inputs{std::make_shared<Input>(id)};
    task.inputs = inputs;
    task.as_of_ns = -5;
    std::string out;
    encode_scan(42, task, 1500, out);
    FrameReader reader(1U << 20);
    reader.add(out);
    const auto frame = reader.next();
    ASSERT_TRUE(frame.ok() && frame->has_value());
    protocol::Tape tape(protocol::kLimits);
    ASSERT_TRUE(tape.parse(**frame)) << tape.error();
    const auto& x = tape.lexemes();
    ASSERT_EQ(x.size(), 10U);
    EXPECT_EQ(x[1].number, 2U);
    EXPECT_EQ(x[2].number, 42U);
    EXPECT_EQ(x[3].bytes(), "scans");
    EXPECT_EQ(x[4].bytes(), "SPY.vertical");
    EXPECT_EQ(x[5].bytes(), "PAYLOAD");
    EXPECT_EQ(x[6].size, 1U);
    EXPECT_EQ(x[7].bytes(), id.view());
    EXPECT_EQ(static_cast<std::int64_t>(x[8].number), -5);
    EXPECT_EQ(x[9].number, 1500U);
}

TEST(ProcessEncoder, SnapshotsBytesFollowItsHead) {
    const std::string bytes(70'000, 's');
    std::string out;
    encode_snapshot_head(content_id(bytes), bytes.size(), out);
    out += bytes;
    encode_ping(5, out);
    FrameReader reader(1U << 20);
    reader.add(out);
    const auto snapshot = reader.next();
    ASSERT_TRUE(snapshot.ok() && snapshot->has_value());
    protocol::Tape tape(protocol::kLimits);
    ASSERT_TRUE(tape.parse(**snapshot)) << tape.error();
    EXPECT_EQ(tape.lexemes()[1].number, 5U);
    EXPECT_EQ(tape.lexemes()[2].bytes(), content_id(bytes).view());
    EXPECT_EQ(tape.lexemes()[3].bytes(), bytes);
    const auto ping = reader.next();
    ASSERT_TRUE(ping.ok() && ping->has_value());
    ASSERT_TRUE(tape.parse(**ping));
    EXPECT_EQ(tape.lexemes()[1].number, 4U);
}

TEST(FrameReader, FramesInAnyPieces) {
    const std::string stream = framed("one") + framed(std::string(5000, '2')) + framed("3");
    for (const std::size_t step : {1, 2, 3, 7, 4096, 100'000}) {
        FrameReader reader(5000);
        std::vector<std::size_t> sizes;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            reader.add(ByteView(stream).substr(at, step));
            for (;;) {
                const auto frame = reader.next();
                ASSERT_TRUE(frame.ok());
                if (!*frame) break;
                sizes.push_back((*frame)->size());
            }
        }
        EXPECT_THAT(sizes, ElementsAre(3U, 5000U, 1U)) << step;
        EXPECT_EQ(reader.pending(), 0U);
    }
}

TEST(FrameReader, LengthsOutOfBounds) {
    FrameReader large(100);
    large.add(framed(std::string(101, 'x')).substr(0, 4));
    EXPECT_THAT(large.next().error(), HasSubstr("101 bytes")) << "before any of it has come";
    FrameReader empty(100);
    empty.add(framed(""));
    EXPECT_FALSE(empty.next().ok());
    FrameReader text(1U << 20);
    text.add("Hello, world");
    EXPECT_FALSE(text.next().ok()) << "a stray print";
}

TEST(ErrorLines, CutsAndKeepsTheLast) {
    ErrorLines lines;
    std::vector<std::string> seen;
    const auto see = [&](std::string_view line) { seen.emplace_back(line); };
    lines.add("one\ntw", see);
    lines.add("o\n\n \nthree\x1b\nfour\nfive\nsix", see);
    EXPECT_THAT(seen, ElementsAre("one", "two", "three ", "four", "five"));
    lines.flush(see);
    EXPECT_EQ(seen.back(), "six");
    EXPECT_EQ(lines.last_words(), "its last words: three  | four | five | six");
    seen.clear();
    lines.add(std::string(3000, 'x') + "\n", see);
    ASSERT_EQ(seen.size(), 3U) << "a line without end is cut";
    EXPECT_EQ(seen[0].size(), ErrorLines::kLineBytesMax);
    EXPECT_LE(lines.last_words().size(), 5 * ErrorLines::kKeptBytesMax);
}

TEST(ProcessFuzz, CorpusKeepsItsPromises) {
    EXPECT_TRUE(tests::process_output_keeps_promises(framed(ready()) + framed(result(2, "x"))));
    EXPECT_TRUE(tests::process_output_keeps_promises("stray text"));
    const std::string seed = framed(result(1, "y"));
    for (std::size_t i = 0; i < seed.size(); ++i) {
        for (const char flip : {'\x01', '\x80', '\xff'}) {
            std::string damaged = seed;
            damaged[i] = static_cast<char>(damaged[i] ^ flip);
            EXPECT_TRUE(tests::process_output_keeps_promises(damaged)) << i;
        }
    }
}

}  // namespace
}  // namespace scanmq::worker::process_wire
