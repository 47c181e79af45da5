#include "common/base/content_hasher.hpp"

#include <gtest/gtest.h>

#include <string>

namespace scanmq {
namespace {

TEST(ContentHasher, PiecesHashAsTheWhole) {
    std::string bytes(300'001, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{127}, std::size_t{65'536}}) {
        ContentHasher hasher;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            hasher.update(ByteView(bytes).substr(at, piece));
        }
        EXPECT_EQ(hasher.finish(), content_id(bytes)) << "pieces of " << piece;
    }
    EXPECT_EQ(ContentHasher().finish(), content_id({}));
}

}  // namespace
}  // namespace scanmq
