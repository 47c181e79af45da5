#include "common/compress/zstd.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include "common/base/rng.hpp"

namespace scanmq::compress {
namespace {

std::string text(std::size_t bytes) {
    std::string out;
    for (int i = 0; out.size() < bytes; ++i) out += "strike " + std::to_string(i * 5) + " bid ";
    out.resize(bytes);
    return out;
}

std::string noise(std::size_t bytes) {
    std::string out(bytes, '\0');
    Rng rng(7);
    for (char& c : out) c = static_cast<char>(rng.next());
    return out;
}

std::string frame_of(const std::string& raw, int level, int window_log = 0) {
    ZSTD_CCtx* const context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    if (window_log != 0) {
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
        ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    }
    std::string out(ZSTD_compressBound(raw.size()), '\0');
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    ZSTD_inBuffer from{raw.data(), raw.size() / 2, 0};
    ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue);  // so that its size is not known
    from.size = raw.size();
    EXPECT_EQ(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end), 0U);
    ZSTD_freeCCtx(context);
    out.resize(to.pos);
    return out;
}

TEST(Zstd, ComesBackAsItWas) {
    for (const std::size_t size : {kZstdFrom, std::uint64_t{65'537}, std::uint64_t{3'000'000}}) {
        const std::string raw = text(size);
        const auto frame = zstd_if_it_pays(raw);
        ASSERT_TRUE(frame) << size;
        EXPECT_LT(frame->size(), raw.size() * 9 / 10);
        EXPECT_TRUE(unzstd(*frame, size) == raw);
        EXPECT_TRUE(content_id_of_zstd(*frame, size) == content_id(raw));
    }
}

TEST(Zstd, StaysRawWhereItDoesNotPay) {
    EXPECT_FALSE(zstd_if_it_pays(text(kZstdFrom - 1))) << "too small";
    EXPECT_FALSE(zstd_if_it_pays(noise(100'000))) << "nothing to save";
    EXPECT_FALSE(zstd_if_it_pays(noise(95'000) + text(5'000))) << "less than a tenth to save";
    EXPECT_TRUE(zstd_if_it_pays(noise(80'000) + text(20'000)));
}

TEST(Zstd, AnotherSizeThanDeclaredIsRefused) {
    const std::string raw = text(100'000);
    const std::string frame = *zstd_if_it_pays(raw);
    for (const std::uint64_t size : {std::uint64_t{99'999}, std::uint64_t{100'001}}) {
        EXPECT_FALSE(unzstd(frame, size)) << size;
        EXPECT_FALSE(content_id_of_zstd(frame, size)) << size;
    }
}

// 20 MB in 2 KB: neither grows beyond what was declared.
TEST(Zstd, ABombIsRefused) {
    for (const std::string& frame : {*zstd_if_it_pays(std::string(20'000'000, 'b')),
                                     frame_of(std::string(2'000'000, 'b'), 1, 20)}) {
        ASSERT_LT(frame.size(), 20'000U);
        EXPECT_FALSE(unzstd(frame, 50'000));
        EXPECT_FALSE(content_id_of_zstd(frame, 50'000));
    }
}

TEST(Zstd, AWindowBeyondTheMostIsRefused) {
    const std::string raw = text(1'000'000);
    const std::string usual = frame_of(raw, 3, 23);
    EXPECT_TRUE(content_id_of_zstd(usual, raw.size()) == content_id(raw)) << "8 MiB";
    EXPECT_FALSE(content_id_of_zstd(frame_of(raw, 3, 24), raw.size())) << "16 MiB";
}

TEST(Zstd, CutAndLongerFramesAreRefused) {
    const std::string raw = text(20'000);
    const std::string frame = *zstd_if_it_pays(raw);
    for (std::size_t size = 0; size < frame.size(); size += 1 + frame.size() / 50) {
        EXPECT_FALSE(unzstd(ByteView(frame).substr(0, size), raw.size())) << size;
        EXPECT_FALSE(content_id_of_zstd(ByteView(frame).substr(0, size), raw.size())) << size;
    }
    for (const std::string& after : {std::string("x"), frame}) {
        EXPECT_FALSE(unzstd(frame + after, raw.size()));
        EXPECT_FALSE(content_id_of_zstd(frame + after, raw.size()));
    }
    EXPECT_FALSE(unzstd(raw, raw.size())) << "not a frame";
}

TEST(Zstd, ChangedBytesGiveAnotherIdOrNone) {
    const std::string raw = text(20'000);
    const std::string frame = *zstd_if_it_pays(raw);
    Rng rng(11);
    for (int i = 0; i < 300; ++i) {
        std::string changed = frame;
        changed[rng.next() % changed.size()] ^= static_cast<char>(1 + rng.next() % 255);
        const auto back = unzstd(changed, raw.size());
        const auto id = content_id_of_zstd(changed, raw.size());
        EXPECT_EQ(id.has_value() && *id == content_id(raw), back.has_value() && *back == raw);
    }
}

}  // namespace
}  // namespace scanmq::compress
