#include "common/compress/zstd.hpp"

#include <zstd.h>

#include <bit>
#include <memory>
#include <new>

#include "common/base/content_hasher.hpp"

namespace scanmq::compress {
namespace {

struct FreeContext {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// A context costs more to make than a small snapshot to compress, and giving its memory back stops
// the process's other threads for a moment. Null: no memory.
ZSTD_CCtx* compressor() {
    thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    return context.get();
}
ZSTD_DCtx* decompressor() {
    thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
    return context.get();
}

bool is_one_frame(ByteView frame) {
    const std::size_t size = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
    return ZSTD_isError(size) == 0 && size == frame.size();
}

}  // namespace

std::optional<std::string> zstd_if_it_pays(ByteView raw) try {
    if (raw.size() < kZstdFrom) return std::nullopt;
    // A frame that does not fit has not saved enough.
    std::string frame(raw.size() - raw.size() * kZstdSavesTenths / 10, '\0');
    ZSTD_CCtx* const context = compressor();
    if (context == nullptr) return std::nullopt;
    const std::size_t size =
        ZSTD_compressCCtx(context, frame.data(), frame.size(), raw.data(), raw.size(), kZstdLevel);
    if (ZSTD_isError(size) != 0) return std::nullopt;
    frame.resize(size);
    frame.shrink_to_fit();
    return frame;
} catch (const std::bad_alloc&) {
    return std::nullopt;
}

std::optional<std::string> unzstd(ByteView frame, std::uint64_t size) try {
    if (!is_one_frame(frame)) return std::nullopt;
    std::string raw(size, '\0');
    const std::size_t got = ZSTD_decompress(raw.data(), raw.size(), frame.data(), frame.size());
    if (ZSTD_isError(got) != 0 || got != size) return std::nullopt;
    return raw;
} catch (const std::bad_alloc&) {
    return std::nullopt;
}

std::optional<ContentId> content_id_of_zstd(ByteView frame, std::uint64_t size) {
    if (!is_one_frame(frame)) return std::nullopt;
    ZSTD_DCtx* const context = decompressor();
    if (context == nullptr) return std::nullopt;
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, std::bit_width(kWindowMax) - 1);
    ContentHasher hasher;
    const std::size_t piece_bytes = ZSTD_DStreamOutSize();
    const auto piece = std::make_unique_for_overwrite<char[]>(piece_bytes);
    ZSTD_inBuffer in{frame.data(), frame.size(), 0};
    std::uint64_t done = 0;
    for (;;) {
        ZSTD_outBuffer out{piece.get(), piece_bytes, 0};
        const std::size_t left = ZSTD_decompressStream(context, &out, &in);
        if (ZSTD_isError(left) != 0 || out.pos > size - done) return std::nullopt;
        hasher.update({piece.get(), out.pos});
        done += out.pos;
        if (left == 0) break;
        // All was read, nothing came out, and it wants more.
        if (in.pos == in.size && out.pos == 0) return std::nullopt;
    }
    if (done != size || in.pos != in.size) return std::nullopt;
    return hasher.finish();
}

}  // namespace scanmq::compress
