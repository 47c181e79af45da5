#include "common/base/content_hasher.hpp"

#include <sodium.h>

namespace scanmq {

namespace {

crypto_generichash_state* state_of(std::byte* bytes) {
    return reinterpret_cast<crypto_generichash_state*>(bytes);
}

}  // namespace

ContentHasher::ContentHasher() {
    static_assert(sizeof(crypto_generichash_state) <= sizeof state_);
    crypto_generichash_init(state_of(state_.data()), nullptr, 0, ContentId::kSize);
}

void ContentHasher::update(ByteView piece) {
    crypto_generichash_update(state_of(state_.data()),
                              reinterpret_cast<const unsigned char*>(piece.data()), piece.size());
}

ContentId ContentHasher::finish() {
    ContentId id;
    crypto_generichash_final(state_of(state_.data()), id.bytes.data(), id.bytes.size());
    return id;
}

}  // namespace scanmq
